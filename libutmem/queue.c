// SPDX-License-Identifier: MIT
/*
 * A queue's life, and its two rings: reserve, submit, peek, advance.
 * Called by applications, on the queue's thread.
 */
#include <stdlib.h>

#include "libutmem/internal.h"

#define SQ_ENTRIES 256u
#define DATA_LEN (1u << 20)

/* ---- life ---- */

/* A default, where the host allows as much. */
static uint32_t at_most(uint32_t want, uint32_t limit)
{
	return want < limit ? want : limit;
}

/*
 * The shape to ask for: what the caller wants for buffers, and room for long keys
 * on top. Where the host's limit leaves no such room it comes out of the buffers.
 */
static int shape_init(struct utmem_geometry *geo, const struct utmem_queue_params *p,
		      const struct utmem_limits *limits, uint32_t *keys_len)
{
	uint64_t max = limits->max_data_len & ~(uint64_t)(UTMEM_PAGE - 1);
	uint32_t sq = p->sq_entries ? p->sq_entries : at_most(SQ_ENTRIES, limits->max_sq_entries);
	uint32_t cq = p->cq_entries ? p->cq_entries : 2 * sq;
	uint64_t data = p->data_len ? p->data_len : at_most(DATA_LEN, (uint32_t)max);

	if (sq > limits->max_sq_entries || data > max)
		return -EINVAL;
	if (cq > UTMEM_CQ_ENTRIES_MAX)
		return -EINVAL;
	data = (data + UTMEM_PAGE - 1) & ~(uint64_t)(UTMEM_PAGE - 1);
	data = at_most((uint32_t)data + utmem_keys_len(cq, UTMEM_DATA_LEN_MAX), (uint32_t)max);
	*keys_len = utmem_keys_len(cq, data);
	return utmem_geometry_init(geo, 0, sq, cq, (uint32_t)data);
}

static int queue_map(struct utmem_queue *q, uint32_t keys_len)
{
	uint32_t keys_off = q->geo.data_len - keys_len;
	int err;

	utmem_sq_init(&q->sq, q->base, &q->geo, 0);
	utmem_cq_init(&q->cq, q->base, &q->geo, 0);
	q->data = (char *)q->base + q->geo.data_off;
	err = utmem_buffers_init(&q->bufs, q->data, keys_off);
	if (err)
		return err;
	err = utmem_keys_init(&q->keys, q->data, keys_off, keys_len, q->geo.cq_entries);
	if (err)
		utmem_buffers_exit(&q->bufs);
	return err;
}

int utmem_queue_init(struct utmem *u, struct utmem_queue **out,
		     const struct utmem_queue_params *params)
{
	static const struct utmem_queue_params none;
	const struct utmem_queue_params *p = params ? params : &none;
	struct utmem_queue *q;
	uint32_t keys_len;
	int err;

	*out = NULL;
	err = utmem_knobs_check(p);
	if (err)
		return err;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->u = u;
	q->ops = u->ops;
	q->knobs = *p;
	utmem_spins_init(q, p->spin_usecs);
	err = shape_init(&q->geo, p, &u->limits, &keys_len);
	if (err)
		goto free_queue;
	err = u->ops->queue_create(q);
	if (err)
		goto free_queue;
	err = queue_map(q, keys_len);
	if (err)
		goto destroy;
	*out = q;
	return 0;

destroy:
	u->ops->queue_destroy(q);
free_queue:
	free(q);
	return err;
}

void utmem_queue_exit(struct utmem_queue *q)
{
	if (!q)
		return;
	utmem_keys_exit(&q->keys);
	utmem_buffers_exit(&q->bufs);
	q->ops->queue_destroy(q);
	free(q);
}

/* Is @told a queue of exactly the shape that was asked for, inside the window? */
int utmem_queue_geometry(const struct utmem_queue *q, const struct utmem_geometry *told,
			 uint64_t window_len)
{
	if (told->sq_entries != q->geo.sq_entries || told->cq_entries != q->geo.cq_entries ||
	    told->data_len != q->geo.data_len)
		return -EPROTO;
	return utmem_geometry_check(told, window_len);
}

/* ---- the end ---- */

/*
 * Why the queue has ended, or 0. A host that stops in good order drops its queues
 * first: that it has stopped says more than that the queue is gone.
 */
static int queue_look(struct utmem_queue *q)
{
	int err = q->error;

	if (err)
		return err;
	err = q->sq.end.broken ? -EPROTO : utmem_state_error(q->cq.page);
	if ((!err || err == -ECONNRESET) &&
	    __atomic_load_n(&q->host->state, __ATOMIC_ACQUIRE) == UTMEM_HOST_STOPPED)
		err = -ESHUTDOWN;
	q->error = err;
	return err;
}

/* The transport has seen the end; what the host left in the window may say more than @err. */
int utmem_queue_end(struct utmem_queue *q, int err)
{
	if (!queue_look(q))
		q->error = err;
	return q->error;
}

/* ---- submission ---- */

uint32_t utmem_inflight(const struct utmem_queue *q)
{
	return q->sq.end.own - q->cq.end.own;
}

struct utmem_sqe *utmem_get_sqe(struct utmem_queue *q)
{
	if (utmem_inflight(q) >= q->cq.end.entries || q->keys.full || q->error)
		return NULL;
	return utmem_sq_reserve(&q->sq);
}

uint32_t utmem_sq_space_left(struct utmem_queue *q)
{
	uint32_t unserved, ring, flight;

	if (q->keys.full || q->error || utmem_sq_unserved(&q->sq, &unserved))
		return 0;
	ring = q->sq.end.entries - utmem_sq_pending(&q->sq) - unserved;
	flight = q->cq.end.entries - utmem_inflight(q);
	return ring < flight ? ring : flight;
}

/* Every request that waits goes to the host. Return: how many, or why the queue has ended. */
static int publish(struct utmem_queue *q)
{
	uint32_t n;

	if (q->sq.end.broken)
		return utmem_queue_end(q, -EPROTO);
	if (q->error)
		return q->error;
	n = utmem_sq_publish(&q->sq);
	q->stats.submitted += n;
	q->stats.submits += n != 0;
	return (int)n;
}

/*
 * Ring for what has been published, @n requests of it since the last time, unless the host is awake
 * or this sleep of its was rung for. Without @n there is nothing to ring for but what the driver
 * holds back.
 */
int utmem_queue_ring(struct utmem_queue *q, uint32_t n, bool flush)
{
	uint32_t sleep = utmem_kick_needed(q->svc);
	int err;

	if (!sleep || sleep == q->rung || (!n && sleep != q->deferred))
		return 0;
	q->stats.kicks++;
	err = q->ops->kick(q, n, flush);
	if (err < 0)
		return err;
	if (flush || !q->ops->defers)
		q->rung = sleep;
	else
		q->deferred = sleep;
	return 0;
}

static int submit(struct utmem_queue *q, bool flush)
{
	int n = publish(q), err;

	if (n < 0 || (!n && !flush))
		return n;
	err = utmem_queue_ring(q, (uint32_t)n, flush);
	return err ? err : n;
}

int utmem_submit(struct utmem_queue *q)
{
	return submit(q, false);
}

int utmem_flush(struct utmem_queue *q)
{
	return submit(q, true);
}

/* The doorbell that a wait was to carry, when it ended without entering the driver. */
static int ring_held(struct utmem_queue *q)
{
	uint32_t n = q->nr_held;

	q->nr_held = 0;
	return n ? utmem_queue_ring(q, n, true) : 0;
}

/* Where doorbells are held back, submit and wait enter the driver once: the wait carries the doorbell. */
static int submit_with_wait(struct utmem_queue *q, uint32_t want)
{
	int n = publish(q), err, rung;

	if (n > 0 && utmem_kick_needed(q->svc))
		q->nr_held = (uint32_t)n;
	err = n < 0 ? n : utmem_queue_wait(q, want, -1);
	rung = ring_held(q);
	if (rung < 0)
		err = rung;
	return n > 0 && !q->error ? n : err < 0 ? err : n;
}

int utmem_submit_and_wait(struct utmem_queue *q, unsigned int want)
{
	int n, err;

	if (want > utmem_inflight(q))
		return -EINVAL;
	if (want && q->ops->defers)
		return submit_with_wait(q, want);
	n = submit(q, true);
	if (n < 0 || !want)
		return n;
	err = utmem_queue_wait(q, want, -1);
	/* That n were submitted must be known, unless nothing will come of them. */
	return err && (!n || q->error) ? err : n;
}

/* ---- completion ---- */

static int look_at_ring(struct utmem_queue *q, uint32_t *n)
{
	/* More than was asked for would make the books of in-flight requests wrong. */
	if (utmem_cq_peek(&q->cq, n) || *n > utmem_queue_published(q)) {
		*n = 0;
		q->cq.end.broken = true;
		return utmem_queue_end(q, -EPROTO);
	}
	return 0;
}

/*
 * How many completions wait. Return: 0; -EAGAIN there are none; why the queue has
 * ended (only when all that came before has been reaped).
 */
int utmem_queue_ready(struct utmem_queue *q, uint32_t *n)
{
	int err = look_at_ring(q, n), why;

	if (err || *n)
		return err;
	why = queue_look(q);
	if (!why)
		return -EAGAIN;
	/* The host may have completed something between our two looks. */
	err = look_at_ring(q, n);
	return err || *n ? err : why;
}

/* 0: @want completions wait; -EAGAIN: not yet; or why they never will. */
int utmem_queue_enough(struct utmem_queue *q, uint32_t want)
{
	uint32_t n;
	int err = look_at_ring(q, &n);

	if (err || n >= want)
		return err;
	err = queue_look(q);
	if (!err)
		return -EAGAIN;
	return look_at_ring(q, &n) == 0 && n >= want ? 0 : err;
}

int utmem_peek_cqe(struct utmem_queue *q, const struct utmem_cqe **cqe)
{
	uint32_t n;
	int err = utmem_queue_ready(q, &n);

	*cqe = err ? NULL : utmem_cq_at(&q->cq, 0);
	return err;
}

int utmem_peek_batch_cqe(struct utmem_queue *q, const struct utmem_cqe **cqes, unsigned int max)
{
	uint32_t n, i;
	int err = utmem_queue_ready(q, &n);

	if (err)
		return err == -EAGAIN ? 0 : err;
	if (n > max)
		n = max;
	for (i = 0; i < n; i++)
		cqes[i] = utmem_cq_at(&q->cq, i);
	return (int)n;
}

void utmem_cq_advance(struct utmem_queue *q, unsigned int n)
{
	uint32_t ready = q->cq.end.peer - q->cq.end.own;

	/* Never beyond what has been peeked. */
	if (n > ready)
		n = ready;
	utmem_cq_release(&q->cq, n);
	q->stats.completed += n;
	if (q->keys.span_head != q->keys.span_tail)
		utmem_keys_release(&q->keys, q->cq.end.own);
}
