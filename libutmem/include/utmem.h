/* SPDX-License-Identifier: MIT */
/*
 * libutmem: keep keys and values in memory that the host owns.
 *
 * A connection (struct utmem) names a transport; a queue (struct utmem_queue)
 * carries requests, many in flight, completed in the order they were submitted.
 *
 *	utmem_connect() -> utmem_queue_init() -> utmem_pool_open()
 *	utmem_get_sqe() -> utmem_prep_*() -> utmem_submit() -> utmem_wait_cqe() -> utmem_cqe_seen()
 *
 * Threads: a queue, its buffers and its pools' requests belong to one thread at
 * a time, without a lock. Different queues are independent. Calls on struct utmem
 * itself may come from any thread.
 * Errors: every int is 0, a count, or -errno. The library prints nothing. A call
 * that fails has changed nothing.
 */
#ifndef UTMEM_H
#define UTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "utmem_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define UTMEM_VERSION "0.1.0"

struct utmem;
struct utmem_queue;

/* The library's version at run time, as UTMEM_VERSION. */
const char *utmem_version(void);

/* ---- connection ---- */

/**
 * utmem_connect - reach a host
 * @transport: "dev:/dev/utmem0" (in a VM), "unix:/run/utmem/NAME.sock" (on the
 *	host), "local:" or "local:BYTES[kmg]" (an engine in this process, for
 *	development and tests; default 64 MiB)
 *
 * -EINVAL unknown transport, -ENOENT / -EACCES / -ECONNREFUSED as the path says,
 * -EPROTO the peer speaks another ABI.
 */
int utmem_connect(struct utmem **out, const char *transport);
/* Every queue has been exited. NULL is allowed. */
void utmem_disconnect(struct utmem *u);

struct utmem_limits {
	uint32_t max_queues, max_sq_entries, max_data_len, max_key_len;
	uint64_t max_value_len, window_len, features;
	uint32_t epoch;
};
int utmem_limits(struct utmem *u, struct utmem_limits *out);

/* ---- queue ---- */

/* Zero means the default, except where it says so. */
struct utmem_queue_params {
	uint32_t sq_entries; /* power of two; default 256 */
	uint32_t
		cq_entries; /* power of two >= sq_entries; default 2 * sq_entries: most requests in flight */
	size_t data_len; /* bytes for buffers, rounded up to a page; default 1 MiB */
	/* the longest that a wait looks before it sleeps, less where looking was in vain; default 20 */
	uint32_t spin_usecs; /* UTMEM_NO_SPIN = none */
	/*
	 * What follows is the driver's: other transports check it and do not use it. Requests per
	 * doorbell (to 65536), and the longest wait for more (to 1000000); default: the device's.
	 */
	uint32_t batch_max;
	uint32_t batch_usecs; /* UTMEM_NO_DELAY = 0 */
	uint32_t batch_mode;  /* UTMEM_MODE_FIXED: just these; UTMEM_MODE_ADAPTIVE: at most these */
	/* Completions per interrupt, and the longest wait for more; the same limits and defaults. */
	uint32_t irq_max;
	uint32_t irq_usecs; /* UTMEM_NO_DELAY = 0 */
	uint32_t resv[5];
};
#define UTMEM_NO_SPIN UINT32_MAX
#define UTMEM_NO_DELAY UINT32_MAX
#define UTMEM_MODE_FIXED 1u
#define UTMEM_MODE_ADAPTIVE 2u

/* -EINVAL shape or knob, -EMFILE too many queues, -ENOSPC no room in the window, -ENOMEM. @params may be NULL. */
int utmem_queue_init(struct utmem *u, struct utmem_queue **out,
		     const struct utmem_queue_params *params);
/*
 * Other knobs for a queue in use: spin_usecs, batch_*, irq_*, all of them at once, 0 the default again.
 * -EINVAL a knob, or a shape field that is not 0. @params may be NULL.
 */
int utmem_queue_tune(struct utmem_queue *q, const struct utmem_queue_params *params);
/* What is in flight is drained by the host and its results are lost. NULL is allowed. */
void utmem_queue_exit(struct utmem_queue *q);

/* ---- pools ---- */

/**
 * utmem_pool_open - a handle on pool @name for requests of @q
 * @name: "pool" of one's own, or "tenant:pool" for another tenant's shared one
 * @flags: UTMEM_POOL_CREATE, EXCL, EPHEMERAL, SHARED, GUEST_SHARED, READONLY
 *
 * Return: the handle, 0 .. UTMEM_POOLS_PER_QUEUE - 1; -ENOENT, -EEXIST, -EACCES,
 * -EINVAL (name, or the kind differs), -EMFILE. Waits for the host.
 */
int utmem_pool_open(struct utmem_queue *q, const char *name, uint32_t flags);
int utmem_pool_close(struct utmem_queue *q, int pool);
/* Destroy the pool and everything in it, for everybody; the handle is closed. */
int utmem_pool_destroy(struct utmem_queue *q, int pool);
int utmem_pool_stat(struct utmem_queue *q, int pool, struct utmem_pool_stat *out);

/* ---- buffers: where values lie while a request is in flight ---- */

/* @len bytes in the queue's data area, 64-byte aligned; NULL when there is no room. */
void *utmem_buf_alloc(struct utmem_queue *q, size_t len);
/* Not while a request that names it is in flight. NULL is allowed. */
void utmem_buf_free(struct utmem_queue *q, void *buf);
/* The longest buffer that an empty data area can give. */
size_t utmem_buf_max(const struct utmem_queue *q);

/* ---- requests ---- */

/*
 * A zeroed request, or NULL: the ring or the room for long keys is full (submit, or
 * reap: at most cq_entries are in flight), or has ended.
 */
struct utmem_sqe *utmem_get_sqe(struct utmem_queue *q);
/* How many utmem_get_sqe() calls would succeed now. */
uint32_t utmem_sq_space_left(struct utmem_queue *q);

/*
 * Fill a request from utmem_get_sqe(). @key: 1 .. UTMEM_KEY_MAX bytes, copied.
 * Values lie in buffers from utmem_buf_alloc(), whole or in part; they belong to
 * the request until its completion. Return: 0, or -EINVAL / -E2BIG and the
 * request is a NOP; -EAGAIN likewise, when several requests were taken before
 * they were filled and their long keys do not fit together. user_data is for the
 * caller to set.
 */
void utmem_prep_nop(struct utmem_sqe *sqe);
int utmem_prep_put(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		   size_t key_len, const void *buf, size_t len, uint8_t flags);
int utmem_prep_get(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		   size_t key_len, void *buf, size_t len, uint64_t offset);
int utmem_prep_getdel(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		      size_t key_len, void *buf, size_t len);
int utmem_prep_del(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		   size_t key_len);
int utmem_prep_exists(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		      size_t key_len);
int utmem_prep_flush(struct utmem_queue *q, struct utmem_sqe *sqe, int pool);
/* -EOPNOTSUPP from the host unless utmem_limits.features has UTMEM_FEAT_RESERVE. */
int utmem_prep_reserve(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, uint64_t bytes);
/* A value larger than the data area: begin, parts in order, commit. @stream: 0 .. UTMEM_STREAMS_PER_QUEUE - 1. */
int utmem_prep_put_begin(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
			 size_t key_len, uint64_t total, uint16_t stream);
int utmem_prep_put_part(struct utmem_queue *q, struct utmem_sqe *sqe, uint16_t stream,
			const void *buf, size_t len, uint64_t offset);
int utmem_prep_put_commit(struct utmem_queue *q, struct utmem_sqe *sqe, uint16_t stream,
			  uint8_t flags);
int utmem_prep_put_abort(struct utmem_queue *q, struct utmem_sqe *sqe, uint16_t stream);

static inline void utmem_sqe_set_data(struct utmem_sqe *sqe, void *data)
{
	sqe->user_data = (uint64_t)(uintptr_t)data;
}
static inline void *utmem_cqe_get_data(const struct utmem_cqe *cqe)
{
	return (void *)(uintptr_t)cqe->user_data;
}
/* Of a GET or EXISTS: which version of the value was seen. */
static inline uint32_t utmem_cqe_version(const struct utmem_cqe *cqe)
{
	return cqe->flags >> UTMEM_CQE_VERSION_SHIFT;
}

/* ---- submit and complete ---- */

/*
 * Hand over every prepared request; rings only when the host sleeps, at most once for
 * each sleep. Return: how many. Over dev: the driver may hold the doorbell back for
 * batch_usecs in hope of more; utmem_flush() or any wait rings at once.
 */
int utmem_submit(struct utmem_queue *q);
/*
 * Submit, then wait for @want completions, at most utmem_inflight() (-EINVAL).
 * Return: how many were submitted, even when a signal cut the wait short.
 */
int utmem_submit_and_wait(struct utmem_queue *q, unsigned int want);
/* Submit, and ring now if the host sleeps. */
int utmem_flush(struct utmem_queue *q);

/* The next completion; it is valid until it is seen. peek: -EAGAIN when there is none. */
int utmem_peek_cqe(struct utmem_queue *q, const struct utmem_cqe **cqe);
/* -EAGAIN when nothing has been submitted that could complete; -EINTR. */
int utmem_wait_cqe(struct utmem_queue *q, const struct utmem_cqe **cqe);
/* -ETIME after @timeout_ns nanoseconds (0: as peek; < 0: for ever). */
int utmem_wait_cqe_timeout(struct utmem_queue *q, const struct utmem_cqe **cqe, int64_t timeout_ns);
/* Up to @max completions, without waiting. Return: how many, or -errno. */
int utmem_peek_batch_cqe(struct utmem_queue *q, const struct utmem_cqe **cqes, unsigned int max);
/* The oldest @n completions are done with. */
void utmem_cq_advance(struct utmem_queue *q, unsigned int n);
static inline void utmem_cqe_seen(struct utmem_queue *q, const struct utmem_cqe *cqe)
{
	(void)cqe;
	utmem_cq_advance(q, 1);
}

/* Requests prepared or submitted whose completions have not been seen. */
uint32_t utmem_inflight(const struct utmem_queue *q);

/*
 * For event loops: readable when completions wait after utmem_event_arm().
 * arm returns 1 when some wait already (do not sleep), else 0, or why the queue
 * has ended; one arm, one wake-up. utmem_event_clear() takes the readable state
 * back. Readable for good when the host is dead.
 */
int utmem_event_fd(const struct utmem_queue *q);
int utmem_event_arm(struct utmem_queue *q);
void utmem_event_clear(struct utmem_queue *q);

/* ---- blocking calls: the above plus a wait; values from any memory, up to 512 MiB ---- */

/*
 * These use the queue alone: -EBUSY while completions of other requests are
 * outstanding; -ENOMEM when the caller's buffers leave no room for one of theirs.
 * Long values take stream UTMEM_STREAMS_PER_QUEUE - 1. Signals do not end them.
 */
int utmem_put(struct utmem_queue *q, int pool, const void *key, size_t key_len, const void *value,
	      size_t len, uint8_t flags);
/*
 * Return: length of the whole value (as snprintf: at most @len bytes of it were
 * copied), or -errno; -EAGAIN when it changed all the time while it was read in parts.
 */
ssize_t utmem_get(struct utmem_queue *q, int pool, const void *key, size_t key_len, void *buf,
		  size_t len);
/*
 * As utmem_get(), then the value is gone; -E2BIG and it stays when @len is too
 * small, or the data area: it is one request and needs the value in one buffer.
 */
ssize_t utmem_getdel(struct utmem_queue *q, int pool, const void *key, size_t key_len, void *buf,
		     size_t len);
int utmem_del(struct utmem_queue *q, int pool, const void *key, size_t key_len);
/* Return: length of the value, or -ENOENT. */
ssize_t utmem_exists(struct utmem_queue *q, int pool, const void *key, size_t key_len);
int utmem_pool_flush(struct utmem_queue *q, int pool);

/* ---- stats ---- */

struct utmem_stats {
	uint64_t submitted; /* requests */
	uint64_t completed; /* seen */
	uint64_t submits;   /* calls that handed over at least one */
	uint64_t
		kicks; /* of those, into the driver or the socket's eventfd, because the host slept */
	uint64_t waits; /* sleeps */
	uint64_t spins; /* waits that ended before a sleep */
	/* dev: from the driver, for this queue; unix: and local: doorbells == kicks, rest 0 */
	uint64_t doorbells, interrupts, deferred;
	uint64_t hypercalls; /* of doorbells */
	uint64_t unanswered; /* hypercalls that woke nobody */
	uint64_t coalesced;  /* completions that waited for others */
	uint64_t spin_ns;    /* looked for, before and instead of sleeps */
	uint64_t resv[4];
};
int utmem_queue_stats(struct utmem_queue *q, struct utmem_stats *out);

#ifdef __cplusplus
}
#endif

#endif /* UTMEM_H */
