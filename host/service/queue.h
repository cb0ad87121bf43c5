/* SPDX-License-Identifier: MIT */
/*
 * One queue as the host keeps it: its ends of both rings, and everything that a
 * request may name. Owner: queue.c (life and death), drain.c (what is in the
 * ring). Draining thread.
 */
#ifndef UTMEM_SERVICE_QUEUE_H
#define UTMEM_SERVICE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/ring/utmem_ring.h"
#include "host/pool/pool.h"
#include "host/service/ledger.h"

struct utmem_window;

/* What a queue's requests may cost in one turn, as request_cost() has it; the first always may. */
#define QUEUE_TURN_BYTES (1ull << 20)

struct handle {
	struct utmem_pool *pool; /* NULL: free, or lost */
	int lost;      /* 0, or what uses of it answer: there was a pool, and is not any more */
	bool readonly; /* as whoever opened it wished */
	bool foreign;  /* another tenant's: what is allowed is asked with each request */
};

struct queue {
	struct utmem_sq_reader sq;
	struct utmem_cq_writer cq;
	struct utmem_window *window;
	struct ledger_queue *ledger;
	uint8_t *data;
	uint32_t data_len;
	uint32_t id;
	uint32_t irq_vector;
	uint32_t live_slot; /* in the share's live; the admin queue is not there */
	int error;	    /* 0 while LIVE, else the -errno that ended it */
	struct utmem_geometry geo;
	struct handle handles[UTMEM_POOLS_PER_QUEUE];
	/*
	 * Multi-part PUTs: open from a BEGIN to a COMMIT that succeeds, an ABORT, or the end of its
	 * handle. The ledger says which are; one that is open and NULL here is lost (-ESTALE).
	 */
	struct utmem_stream *streams[UTMEM_STREAMS_PER_QUEUE];
};

/* ---- queue.c ---- */

/* A LIVE, empty queue at @geo, whose room is the caller's; known to the window as @id. -ENOMEM. */
int utsvc_queue_open(struct utmem_window *w, uint32_t id, const struct utmem_geometry *geo,
		     uint32_t irq_vector, struct queue **out);
/* As the ledger's entry has it, the rings untouched. Known to the window, ended or LIVE. -ENOMEM. */
int utsvc_queue_resume(struct utmem_window *w, uint32_t id, struct queue **out);
/* Ends it if it is live, then forgets it. The room stays the caller's. */
void utsvc_queue_close(struct queue *q);
/* Empty and LIVE again, all four indices 0. Only for the admin queue, which has no pools. */
void utsvc_queue_restart(struct queue *q);
/* Nothing is served any more: streams aborted, pools closed, @state and @error told. Twice is once. */
void utsvc_queue_end(struct queue *q, uint32_t state, int error);
void utsvc_queue_wake(struct queue *q);

/* Is @handle in use, be its pool there or lost? */
bool utsvc_queue_has_handle(const struct queue *q, uint32_t handle);
/* A free handle stands for @pool, which is the queue's from here on. With the engine's lock held. */
void utsvc_queue_handle_open(struct queue *q, uint16_t handle, struct utmem_pool *pool,
			     bool readonly);
/* Let go of every pool, and leave the ledger as it is. */
void utsvc_queue_handles_forget(struct queue *q);
/* Aborts the handle's streams, closes its pool. With the engine's lock held. */
void utsvc_queue_handle_close(struct queue *q, uint16_t handle);
/* Ask the engine for the streams that were open; one that it does not know is lost. */
void utsvc_queue_streams_adopt(struct queue *q);

/* The stream in slot @i is over, and what comes for it answers -ESTALE until it is aborted. */
void utsvc_queue_stream_lose(struct queue *q, uint16_t i);

/* ---- rights.c ---- */

/* Every handle begins here. */
struct handle utsvc_handle(const struct queue *q, struct utmem_pool *pool, bool readonly);
/* The same as handle_right() below, of any handle. */
int utsvc_handle_ask(const struct queue *q, const struct handle *h, bool change);
/* May the open stream @i go on? 0, or why not: -EACCES (it is over then), -ESTALE. */
int utsvc_stream_right(struct queue *q, uint16_t i);

/* What may be done through @h now, reading or (@change) writing: 0, -EACCES, -ESTALE. */
static inline int handle_right(const struct queue *q, const struct handle *h, bool change)
{
	if (!h->pool || h->foreign)
		return utsvc_handle_ask(q, h, change);
	return change && h->readonly ? -EACCES : 0;
}

/* ---- drain.c ---- */

/* How many requests can be served: waiting, and with room for their completions. -EPROTO: an index lies. */
int utsvc_queue_peek(struct queue *q, uint32_t *n);
/* After utsvc_queue_peek() said -EPROTO: end it, wake whom it may concern, say why. */
void utsvc_queue_break(struct queue *q);
/*
 * Fill the completions of all requests that are done: tell the guest, then let go of the
 * requests, then wake who waits. In this order: whoever finds a request still in
 * the ring after a restart knows that nobody was told its outcome.
 */
void utsvc_queue_complete(struct queue *q);
/* The same after a death, when some of it may have been done; the indices are stored in any case. */
void utsvc_queue_complete_again(struct queue *q);
/* After a death inside a request: serve that one, first of all. Return: requests served. */
uint32_t utsvc_queue_redo(struct queue *q);
/* Would a drain find anything? An index that lies is work, too: the drain ends that queue. */
bool utsvc_queue_has_work(struct queue *q);
/*
 * Serve one batch, within *budget (not 0) but for its last request; what it costs is then
 * taken off. Return: requests served.
 */
uint32_t utsvc_queue_drain(struct queue *q, uint64_t *budget);
/* Serve what is in the ring now, as far as its tenant's TENANT_LAST_BYTES go. */
void utsvc_queue_drain_last(struct queue *q);

#endif /* UTMEM_SERVICE_QUEUE_H */
