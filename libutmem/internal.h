/* SPDX-License-Identifier: MIT */
/*
 * What libutmem's files share: connection, queue, and the table of calls that a
 * transport fills in. Nothing of it is visible outside the library.
 *
 *	connect.c	transports by name, limits
 *	transport_*.c	dev:, unix: (with sock.c and map.c), local:
 *	queue.c		life of a queue; submit, peek, advance
 *	wait.c		look, sleep, events
 *	spin.c		how long to look
 *	tune.c		knobs: batches, interrupts, looking
 *	prep.c keys.c	requests, and the long keys they name
 *	buffer.c	the allocator of the data area
 *	pool.c		pool handles
 *	blocking.c	put/get/del from and to any memory
 *	stats.c		counters
 */
#ifndef UTMEM_INTERNAL_H
#define UTMEM_INTERNAL_H

#include <errno.h>
#include <pthread.h>

#include "guest/ring/utmem_ring.h"
/* The build hides every symbol; what the API declares is the exception. */
#pragma GCC visibility push(default)
#include "libutmem/include/utmem.h"
#pragma GCC visibility pop
#include "libutmem/spin.h"

struct utmem_transport;

struct utmem {
	const struct utmem_transport *ops;
	/* What the transport keeps for all queues: its socket, its engine. Taken alone, never held over a sleep on the ring. */
	pthread_mutex_t lock;
	struct utmem_limits limits; /* as the host told at connect time */
};

/* Long keys in flight: a ring of bytes at the end of the data area, freed in order of completion. */
struct utmem_key_span {
	uint32_t idx; /* of the request, as the submission ring counts */
	uint32_t end; /* the ring's head after its key */
};
struct utmem_keys {
	char *base;
	uint32_t off;	     /* of base, in the data area */
	uint32_t len;	     /* bytes, power of two >= UTMEM_KEY_MAX */
	uint32_t head, tail; /* free-running byte positions */
	bool full; /* a key of UTMEM_KEY_MAX may not fit: no new request until some complete */
	struct utmem_key_span *spans; /* FIFO of cq_entries, by increasing idx */
	uint32_t span_head, span_tail, span_mask;
};

/* One 64-byte unit of the buffer area; what lies there is private memory, not the area itself. */
struct utmem_buf_unit;
#define UTMEM_BUF_UNIT 64u
#define UTMEM_BUF_ROWS 22u /* sizes by power of two, up to UTMEM_DATA_LEN_MAX / UTMEM_BUF_UNIT */
#define UTMEM_BUF_COLS 16u /* and each of those in so many steps */
struct utmem_buffers {
	char *base;
	uint32_t nr_units;
	uint32_t row_map;
	uint16_t col_map[UTMEM_BUF_ROWS];
	uint32_t head[UTMEM_BUF_ROWS][UTMEM_BUF_COLS];
	struct utmem_buf_unit *units;
	size_t units_len; /* bytes mapped */
};

struct utmem_queue {
	/* Every request touches these. */
	struct utmem_sq sq;
	struct utmem_cq cq;
	const struct utmem_svc_line *svc;
	const struct utmem_host_line *host;
	const struct utmem_transport *ops;
	int error;	   /* 0, or why the queue has ended: it stays */
	uint32_t nr_held;  /* published, the doorbell left to the wait that follows at once */
	uint32_t rung;	   /* the host's sleep that was rung for, as utmem_kick_needed() told it */
	uint32_t deferred; /* the one whose doorbell the driver may hold back */
	/* Of waits for a host that is awake, and for one that had to be woken. */
	struct utmem_spin spin[2];
	struct utmem_stats stats;
	struct utmem_keys keys;
	char *data; /* the data area: buffers, then keys */
	struct utmem_buffers bufs;

	/* Set once. */
	struct utmem *u;
	struct utmem_geometry geo;
	struct utmem_queue_params knobs; /* checked; queue_create gives them to the queue */

	/* Filled by queue_create. */
	void *base; /* the queue's first byte */
	uint32_t svc_slot;
	uint32_t id;   /* as the host counts queues */
	int wake_fd;   /* becomes readable when an armed wait is over */
	int event_fd;  /* what the caller polls: wake_fd, or more */
	void *control; /* dev: the control page's own mapping */
};

/*
 * One transport. Calls that name a queue come from the queue's thread, others
 * from any. All but tune are required. They return 0 or -errno where nothing else is said.
 */
struct utmem_transport {
	const char *prefix; /* "unix:" */
	bool spins;	    /* the host runs beside us: looking for a while pays */
	bool defers;	    /* a kick may be held back: whoever is about to sleep kicks again */

	/* @rest: what follows the prefix. Fills limits. */
	int (*connect)(struct utmem **out, const char *rest);
	void (*disconnect)(struct utmem *u);

	/* q->geo holds the shape that is wanted; the answer's geometry has been checked against it. */
	int (*queue_create)(struct utmem_queue *q);
	void (*queue_destroy)(struct utmem_queue *q);

	/* @op: UTMEM_OP_POOL_OPEN, CLOSE, DESTROY; queue_id is filled here. */
	int (*pool)(struct utmem_queue *q, uint8_t op, struct utmem_admin_pool *p);
	int (*pool_stat)(struct utmem_queue *q, struct utmem_pool_stat *stat);

	/* @n requests have been published and the host sleeps; @flush: ring for those held back, too. */
	int (*kick)(struct utmem_queue *q, uint32_t n, bool flush);
	/*
	 * Sleep until @want completions wait, the queue ends, or @deadline (absolute
	 * CLOCK_MONOTONIC nanoseconds, < 0: none). May come back early with 0. Counts
	 * stats.waits when it really sleeps. -ETIME, -EINTR.
	 */
	int (*sleep)(struct utmem_queue *q, uint32_t want, int64_t deadline);
	void (*event_clear)(struct utmem_queue *q);
	/* May be NULL: none of the knobs is the transport's. All of @knobs or, on error, none. */
	int (*tune)(struct utmem_queue *q, const struct utmem_queue_params *knobs);
	/* What the driver counts of @s, whose other fields are filled. */
	int (*stats)(struct utmem_queue *q, struct utmem_stats *s);
};

extern const struct utmem_transport utmem_transport_dev;
extern const struct utmem_transport utmem_transport_unix;
extern const struct utmem_transport utmem_transport_local;

/* Reaped by the caller or not, but handed to the host: so many completions can still come or wait. */
static inline uint32_t utmem_queue_published(const struct utmem_queue *q)
{
	return q->sq.published - q->cq.end.own;
}

/* queue.c */
int utmem_queue_ring(struct utmem_queue *q, uint32_t n, bool flush);
int utmem_queue_ready(struct utmem_queue *q, uint32_t *n);
int utmem_queue_enough(struct utmem_queue *q, uint32_t want);
int utmem_queue_end(struct utmem_queue *q, int err);
int utmem_queue_geometry(const struct utmem_queue *q, const struct utmem_geometry *told,
			 uint64_t window_len);

/* tune.c */
int utmem_knobs_check(const struct utmem_queue_params *p);
void utmem_spins_init(struct utmem_queue *q, uint32_t usecs);

/* wait.c */
int utmem_queue_wait(struct utmem_queue *q, uint32_t want, int64_t timeout_ns);
int utmem_queue_arm(struct utmem_queue *q, uint32_t want);
struct pollfd;
int utmem_poll(struct pollfd *fds, unsigned int nr, int64_t deadline);
void utmem_eventfd_clear(int fd);
int64_t utmem_clock(void);

/* connect.c */
int utmem_base_init(struct utmem *u, const struct utmem_transport *ops);
void utmem_base_exit(struct utmem *u);

/* buffer.c */
int utmem_buffers_init(struct utmem_buffers *b, void *base, size_t len);
void utmem_buffers_exit(struct utmem_buffers *b);

/* keys.c */
uint32_t utmem_keys_len(uint32_t cq_entries, uint64_t data_len);
int utmem_keys_init(struct utmem_keys *k, char *data, uint32_t off, uint32_t len,
		    uint32_t cq_entries);
void utmem_keys_exit(struct utmem_keys *k);
int utmem_keys_put(struct utmem_keys *k, uint32_t idx, const void *key, uint32_t len,
		   uint32_t *off);
void utmem_keys_release(struct utmem_keys *k, uint32_t before);

#endif /* UTMEM_INTERNAL_H */
