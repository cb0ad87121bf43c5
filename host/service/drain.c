// SPDX-License-Identifier: MIT
/*
 * One queue's turn: peek, copy, validate, prefetch, dispatch, complete. No malloc,
 * no syscall here, and no lock but the engine's, where it is shared. Called by window.c and
 * admin.c, on the draining thread.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "host/service/probe.h"
#include "host/service/queue.h"
#include "host/service/request.h"
#include "host/service/window.h"

_Static_assert(REQUEST_BATCH <= LEDGER_BATCH, "the ledger has a place for each outcome of a batch");

int utsvc_queue_peek(struct queue *q, uint32_t *n)
{
	uint32_t room;

	if (utmem_sq_peek(&q->sq, n))
		return -EPROTO;
	if (!*n)
		return 0;
	if (utmem_cq_room(&q->cq, &room))
		return -EPROTO;
	if (*n > room)
		*n = room;
	return 0;
}

/* The words are read again for the log alone; they may have changed since they lied. */
void utsvc_queue_break(struct queue *q)
{
	const struct utmem_ring_page *page = q->sq.page;
	const struct utmem_ring_end *sq = &q->sq.end, *cq = &q->cq.end;

	if (sq->broken)
		utsvc_window_log(
			q->window, "queue %u: tail %u beyond head %u + %u or behind %u, ending it",
			q->id, utmem_load_relaxed(&page->sq_tail), sq->own, sq->entries, sq->peer);
	else
		utsvc_window_log(q->window, "queue %u: cq_head %u outside %u .. %u, ending it",
				 q->id, utmem_load_relaxed(&page->cq_head), cq->peer,
				 q->cq.published);
	q->window->counters.nr_broken++;
	utsvc_queue_end(q, UTMEM_QUEUE_BROKEN, -EPROTO);
	utsvc_queue_wake(q);
}

/*
 * Copy and validate up to @n requests, hash their keys. Return: how many, fewer than
 * @n when their cost is enough for one turn.
 */
static uint32_t collect(const struct queue *q, struct utmem_service *s, uint32_t n,
			uint64_t *budget)
{
	const struct utmem_engine_ops *ops = s->ops;
	struct batch *b = &s->batch;
	uint64_t limit = *budget < QUEUE_TURN_BYTES ? *budget : QUEUE_TURN_BYTES;
	uint64_t cost = 0;
	uint32_t i;

	for (i = 0; i < n && cost < limit; i++) {
		struct request *r = &b->requests[i];

		utmem_sq_copy(&q->sq, i, &r->sqe);
		r->error = utsvc_request_validate(r, q, b->long_key[i]);
		cost += request_cost(r);
		if (r->error || !request_has_key(r))
			continue;
		r->key.hash = ops->hash(s->engine, r->key.data, r->key.len);
	}
	*budget -= cost < *budget ? cost : *budget;
	return i;
}

/* Of a value, by that request. */
static uint32_t bytes_read(const struct request *r)
{
	return r->sqe.opcode == UTMEM_OP_PUT ? 0 : r->sqe.len;
}

static void prefetch_indexes(struct utmem_service *s, uint32_t n)
{
	uint32_t i;

	if (!s->ops->prefetch_index)
		return;
	for (i = 0; i < n; i++) {
		struct request *r = &s->batch.requests[i];

		if (!r->error && request_has_key(r))
			s->ops->prefetch_index(r->pool, &r->key);
	}
}

/* By now the index's lines are here, or on their way: ask for the records. */
static void prefetch_records(struct utmem_service *s, uint32_t n)
{
	uint32_t i;

	if (!s->ops->prefetch_record || n < 2)
		return;
	for (i = 0; i < n; i++) {
		struct request *r = &s->batch.requests[i];

		if (!r->error && request_has_key(r))
			s->ops->prefetch_record(r->pool, &r->key, bytes_read(r));
	}
}

static void execute(struct queue *q, const struct batch *b, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct request *r = &b->requests[i];
		struct answer a = {.res = r->error};

		if (!r->error)
			a = utsvc_request_dispatch(r, q);
		else
			q->window->counters.nr_malformed++;
		ledger_done(q->ledger, r->sqe.user_data, a.res, a.flags);
	}
}

/* Return: how many. */
static uint32_t outcomes_fill(struct queue *q)
{
	const struct ledger_queue *l = q->ledger;
	uint64_t idx;

	for (idx = l->released; idx != l->done; idx++) {
		const struct utmem_cqe *out = &l->outcomes[idx % LEDGER_BATCH];

		utmem_cq_fill(&q->cq, out->user_data, out->res, out->flags);
	}
	return (uint32_t)(l->done - l->released);
}

void utsvc_queue_complete(struct queue *q)
{
	struct utmem_window *w = q->window;
	uint32_t n = outcomes_fill(q);
	bool wake;

	UTMEM_FAIL_POINT("service_filled");
	wake = utmem_cq_publish(&q->cq);
	UTMEM_FAIL_POINT("service_published");
	utmem_sq_release(&q->sq, n);
	UTMEM_FAIL_POINT("service_sq_released");
	ledger_released(q->ledger);
	UTMEM_FAIL_POINT("service_released");
	w->counters.nr_requests += n;
	w->counters.nr_batches++;
	if (wake)
		utsvc_queue_wake(q);
}

void utsvc_queue_complete_again(struct queue *q)
{
	uint32_t n = outcomes_fill(q);

	utmem_cq_republish(&q->cq);
	UTMEM_FAIL_POINT("service_republished");
	utmem_sq_release(&q->sq, n);
	UTMEM_FAIL_POINT("service_rereleased");
	ledger_released(q->ledger);
	q->window->counters.nr_requests += n;
}

bool utsvc_queue_has_work(struct queue *q)
{
	uint32_t n;

	return !q->error && (utsvc_queue_peek(q, &n) || n);
}

uint32_t utsvc_queue_drain(struct queue *q, uint64_t *budget)
{
	struct utmem_service *s = q->window->service;
	struct ledger *ledger = q->window->ledger;
	uint32_t n, before;

	if (utsvc_queue_peek(q, &n)) {
		utsvc_queue_break(q);
		return 0;
	}
	if (!n)
		return 0;
	if (n > REQUEST_BATCH)
		n = REQUEST_BATCH;
	probe_batch_begin(q->id, n);
	before = ledger_enter(ledger, q->id);
	n = collect(q, s, n, budget);
	engine_lock(s);
	prefetch_indexes(s, n);
	prefetch_records(s, n);
	ledger_acting(ledger, true);
	execute(q, &s->batch, n);
	ledger_acting(ledger, false);
	engine_unlock(s);
	utsvc_queue_complete(q);
	ledger_leave(ledger, before);
	probe_batch_end(q->id, n);
	return n;
}

/* Make the request again from the copies in the ledger; the ring's may have changed since. */
static int pending_collect(struct queue *q, struct request *r, uint8_t *long_key)
{
	const struct ledger_pending *p = &q->ledger->pending;
	struct utmem_service *s = q->window->service;
	int err;

	memset(r, 0, sizeof(*r));
	r->sqe = p->sqe;
	err = utsvc_request_validate(r, q, long_key);
	if (err || !request_has_key(r))
		return err;
	if (r->key.len > UTMEM_KEY_INLINE)
		r->key.data = p->key;
	r->key.hash = s->ops->hash(s->engine, r->key.data, r->key.len);
	return 0;
}

static void pending_redo(struct queue *q)
{
	struct batch *b = &q->window->service->batch;
	struct request *r = &b->requests[0];
	struct answer a = {.res = pending_collect(q, r, b->long_key[0])};

	engine_lock(q->window->service);
	if (!a.res)
		a = utsvc_request_redo(r, q);
	ledger_done(q->ledger, r->sqe.user_data, a.res, a.flags);
	ledger_acting(q->window->ledger, false);
	engine_unlock(q->window->service);
	utsvc_queue_complete(q);
}

uint32_t utsvc_queue_redo(struct queue *q)
{
	uint64_t one = 1; /* byte of budget: the first request alone */

	if (!ledger_has_pending(q->ledger))
		return utsvc_queue_drain(q, &one);
	pending_redo(q);
	return 1;
}

void utsvc_queue_drain_last(struct queue *q)
{
	uint64_t *budget = &q->window->share->last_left;
	uint32_t left, n;

	if (q->error || utsvc_queue_peek(q, &left))
		return;
	while (left && *budget) {
		n = utsvc_queue_drain(q, budget);
		if (!n)
			return;
		left -= n < left ? n : left;
	}
}
