/* SPDX-License-Identifier: MIT */
/*
 * What the service must remember of a window when its process dies at any instruction:
 * which queues there are, what their requests may name, and how far each has come.
 * Owner: ledger.c (layout, checks); writers: everybody in host/service. Draining thread.
 *
 * The memory is the host's alone (a guest could write into the window), outlives the process
 * where its owner keeps it, and is read again by a later version of this code: fields are
 * fixed-width, LEDGER_VERSION counts what a reader must know. A page of zeros is a queue that was
 * never made, so a ledger costs the pages of the queues that were.
 *
 * The rule of every store here: what it announces has been written before, and whoever reads it after a
 * death finds either the state before or the state after. A request goes
 *
 *	pending, if doing it twice could be seen:  its copy, its outcome; then pending.idx = done
 *	the engine acts
 *	outcomes[done % LEDGER_BATCH]; then done + 1
 *	CQEs from outcomes; cq_tail; sq_head; then released = done
 *
 * so that a resume finds outcomes to publish again (released .. done), then at most one request
 * that may have acted (done; with a pending entry it is done again unconditionally), then requests that
 * nobody has looked at.
 */
#ifndef UTMEM_SERVICE_LEDGER_H
#define UTMEM_SERVICE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/ring/utmem_abi.h"
#include "guest/ring/utmem_barrier.h"
#include "host/pool/failpoint.h"
#include "host/service/service.h"

#define LEDGER_MAGIC 0x72656764656c7475ull /* "utledger" as bytes in memory */
#define LEDGER_VERSION 1u
#define LEDGER_ALIGN ((uintptr_t)64)
/* Outcomes that may wait for their publication: a whole batch of requests. Power of two. */
#define LEDGER_BATCH 32u
/* No request, no serial: no count ever comes so far. */
#define LEDGER_NONE UINT64_MAX
/* No queue. */
#define LEDGER_NOBODY UINT32_MAX

/*
 * Quarantine: a queue that was inside the same request when the process died for the
 * LEDGER_DEATHS_MAX-th time within LEDGER_DEATHS_MS of the first is ended, with -EIO.
 */
#define LEDGER_DEATHS_MAX 5u
#define LEDGER_DEATHS_MS 60000u

struct ledger_handle {
	uint64_t pool_id;
#define LEDGER_HANDLE_FREE 0u
#define LEDGER_HANDLE_OPEN 1u
	uint8_t state;
	uint8_t readonly;
	uint8_t resv[6];
};
_Static_assert(sizeof(struct ledger_handle) == 16, "ledger handle");

/*
 * A multi-part PUT. Each change of it belongs to the request that made it, by that one's index, and counts once the
 * request is done: use ledger_stream_is_open() and ledger_stream_filled().
 */
struct ledger_stream {
	uint64_t begun;		       /* the BEGIN */
	uint64_t ended;		       /* the COMMIT or ABORT, or LEDGER_NONE */
	uint64_t part;		       /* the PART that led from before to after, or LEDGER_NONE */
	uint32_t before, after, total; /* bytes */
	uint32_t id;		       /* the engine's */
	uint16_t handle;
#define LEDGER_STREAM_FREE 0u
#define LEDGER_STREAM_USED 1u
#define LEDGER_STREAM_LOST 2u /* used, and id means nothing: the engine may give it to another */
	uint8_t state;
	uint8_t resv[5];
};
_Static_assert(sizeof(struct ledger_stream) == 48, "ledger stream");

/* The request that is about to act, when acting twice could be seen. It counts while idx == done. */
struct ledger_pending {
	uint64_t idx;
	int32_t res; /* the answer, unless the act itself fails */
	uint32_t resv;
	struct utmem_sqe sqe; /* ours: the one in the ring may have changed */
	uint8_t key[UTMEM_KEY_MAX];
};
_Static_assert(sizeof(struct ledger_pending) == 80 + UTMEM_KEY_MAX, "ledger pending");

struct ledger_queue {
#define LEDGER_QUEUE_FREE 0u
	uint32_t
		state; /* LEDGER_QUEUE_FREE or UTMEM_QUEUE_*; valid is all that follows, unless FREE */
	int32_t error; /* once it is not LIVE */
	uint64_t done; /* requests whose outcome stands in outcomes, or was published */
	uint64_t
		released; /* requests that the guest has been told of; the ring's sq_head and cq_tail */
	struct utmem_geometry geo;
	uint32_t irq_vector;
	uint32_t nr_deaths;	 /* inside request death_idx */
	uint64_t death_idx;	 /* counts while nr_deaths > 0 */
	uint64_t first_death_ms; /* likewise */
	uint64_t resv[5];
	struct utmem_cqe outcomes[LEDGER_BATCH];
	struct ledger_pending pending;
	struct ledger_handle handles[UTMEM_POOLS_PER_QUEUE];
	struct ledger_stream streams[UTMEM_STREAMS_PER_QUEUE];
	uint8_t resv1[560];
};
_Static_assert(sizeof(struct ledger_queue) == UTMEM_PAGE, "ledger queue");

/*
 * The latest admin request. It makes one thing at most, which is said here before it is there, so
 * that a request that was not finished can be undone and executed again.
 */
struct ledger_admin {
	uint64_t serial;       /* its own, or LEDGER_NONE */
#define LEDGER_ADMIN_IDLE 0u   /* there was none */
#define LEDGER_ADMIN_BEGUN 1u  /* it may have made what `made` says */
#define LEDGER_ADMIN_ACTING 2u /* it was found to be right, and may have taken away what it names */
#define LEDGER_ADMIN_DONE 3u   /* res and payload are its answer */
	uint32_t state;
	int32_t res;
#define LEDGER_MADE_NOTHING 0u
#define LEDGER_MADE_QUEUE 1u
#define LEDGER_MADE_HANDLE 2u
	uint32_t made;
	uint32_t made_queue;
	uint32_t made_handle;
	uint32_t opcode;
	uint8_t payload[160];
};
_Static_assert(sizeof(struct ledger_admin) == 192, "ledger admin");

struct ledger {
	uint64_t magic; /* stored last: valid is all that follows */
	uint32_t version;
	uint32_t max_queues;
	uint64_t window_len;
	uint64_t doorbell_token;
	uint32_t host_peer;
	uint32_t max_data_len;
	uint32_t admin_queue; /* 0 or 1 */
	uint32_t heartbeat;
	uint64_t hello;	 /* the guest's generation that is being served */
	uint32_t active; /* the queue that is inside a request, or LEDGER_NOBODY */
	uint32_t acting; /* 1: and has the engine; of all windows of an engine it is one at most */
	struct ledger_admin admin;
	uint64_t made[UTMEM_QUEUES_MAX /
		      64]; /* a bit for each id: only then its page is looked at */
	uint8_t resv[UTMEM_PAGE - 256 - UTMEM_QUEUES_MAX / 8];
	struct ledger_queue queues[]; /* [max_queues] */
};
_Static_assert(sizeof(struct ledger) == UTMEM_PAGE, "ledger header");

/* ---- ledger.c ---- */

/* Was @l ever made valid? (A window whose attach never came so far begins as a new one.) */
bool utsvc_ledger_valid(const struct ledger *l);
/* Of a new window; @l is zeroed. */
void utsvc_ledger_init(struct ledger *l, const struct utmem_window_config *cfg);
/*
 * Is it what this code writes, for a window of @cfg's len, within ledger_len? -EPROTONOSUPPORT
 * (another version's), -EINVAL (another window's), -EBADMSG (damaged).
 */
int utsvc_ledger_check(struct ledger *l, const struct utmem_window_config *cfg);

/* The entry of queue @id, or NULL: there is none. */
struct ledger_queue *utsvc_ledger_queue(struct ledger *l, uint32_t id);
/* Queue @id is LIVE, without handles and streams; its next request is its first. */
void utsvc_ledger_queue_init(struct ledger *ledger, uint32_t id, const struct utmem_geometry *geo,
			     uint32_t irq_vector);
/* The queue is over (with an @error), or (LEDGER_QUEUE_FREE) not there any more. */
void utsvc_ledger_queue_state(struct ledger_queue *l, uint32_t state, int error);
/* The process has died inside request @idx: one more of nr_deaths. */
void utsvc_ledger_death(struct ledger_queue *l, uint64_t idx, uint64_t now_ms);

/* Of request `done`, before it acts. @key: only when it does not lie in @sqe. */
void utsvc_ledger_pending(struct ledger_queue *l, const struct utmem_sqe *sqe, const void *key,
			  int32_t res);

void utsvc_ledger_stream_begin(struct ledger_queue *l, const struct utmem_sqe *sqe, uint32_t id);
void utsvc_ledger_stream_part(struct ledger_queue *l, uint16_t stream, uint32_t len);

/* ---- a request's progress ---- */

/* Which queue the process is inside, for whoever comes after its death. Return: who it was before. */
static inline uint32_t ledger_enter(struct ledger *l, uint32_t queue_id)
{
	uint32_t before = l->active;

	utmem_store_relaxed(&l->active, queue_id);
	utmem_compiler_barrier();
	return before;
}

static inline void ledger_leave(struct ledger *l, uint32_t before)
{
	utmem_store_release(&l->active, before);
}

/* While it is, requests may have acted whose outcome is not known: who comes after a death begins here. */
static inline void ledger_acting(struct ledger *l, bool acting)
{
	utmem_store_release(&l->acting, acting);
	utmem_compiler_barrier();
}

/* The outcome of request `done`, which has acted. */
static inline void ledger_done(struct ledger_queue *l, uint64_t user_data, int32_t res,
			       uint32_t flags)
{
	uint64_t done = l->done;
	struct utmem_cqe *out = &l->outcomes[done % LEDGER_BATCH];

	UTMEM_FAIL_POINT("service_outcome");
	out->user_data = user_data;
	out->res = res;
	out->flags = flags;
	UTMEM_FAIL_POINT("service_outcome_written");
	utmem_store_release(&l->done, done + 1);
	UTMEM_FAIL_POINT("service_done");
}

/* The guest has been told of every outcome. */
static inline void ledger_released(struct ledger_queue *l)
{
	utmem_store_release(&l->released, l->done);
}

static inline bool ledger_has_pending(const struct ledger_queue *l)
{
	return l->pending.idx == l->done;
}

/* ---- streams ---- */

static inline bool ledger_stream_is_open(const struct ledger_queue *l, uint16_t stream)
{
	const struct ledger_stream *st = &l->streams[stream];

	return st->state != LEDGER_STREAM_FREE && st->begun < l->done && st->ended >= l->done;
}

/* Bytes that have come, of an open stream. */
static inline uint32_t ledger_stream_filled(const struct ledger_queue *l, uint16_t stream)
{
	const struct ledger_stream *st = &l->streams[stream];

	return st->part < l->done ? st->after : st->before;
}

#endif /* UTMEM_SERVICE_LEDGER_H */
