// SPDX-License-Identifier: MIT
/*
 * The life of a queue: opened LIVE, ended once, closed. Who ends it gives back all
 * that its requests could reach. Called by admin.c, window.c and drain.c, on the
 * draining thread.
 */
#include "host/service/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/service/probe.h"
#include "host/service/window.h"

void utsvc_queue_restart(struct queue *q)
{
	uint8_t *base = q->window->base + q->geo.off;

	utsvc_ledger_queue_state(q->ledger, LEDGER_QUEUE_FREE, 0);
	memset(base, 0, UTMEM_PAGE);
	utmem_sq_reader_init(&q->sq, base, &q->geo, 0);
	utmem_cq_writer_init(&q->cq, base, &q->geo, 0);
	q->error = 0;
	utmem_state_store(q->sq.page, UTMEM_QUEUE_LIVE, 0);
	utsvc_ledger_queue_init(q->window->ledger, q->id, &q->geo, q->irq_vector);
}

static struct queue *queue_alloc(struct utmem_window *w, uint32_t id,
				 const struct utmem_geometry *geo, uint32_t irq_vector)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->window = w;
	q->ledger = &w->ledger->queues[id];
	q->id = id;
	q->irq_vector = irq_vector;
	q->geo = *geo;
	q->data = w->base + geo->off + geo->data_off;
	q->data_len = geo->data_len;
	return q;
}

static void queue_enlist(struct queue *q)
{
	struct utmem_window *w = q->window;

	if (!q->id) {
		w->admin = q;
		return;
	}
	w->queues[q->id] = q;
	w->nr_queues++;
	if (!q->error)
		utsvc_share_add(w->share, q);
}

int utsvc_queue_open(struct utmem_window *w, uint32_t id, const struct utmem_geometry *geo,
		     uint32_t irq_vector, struct queue **out)
{
	struct queue *q = queue_alloc(w, id, geo, irq_vector);

	if (!q)
		return -ENOMEM;
	utsvc_queue_restart(q);
	queue_enlist(q);
	*out = q;
	return 0;
}

/* Attach again to a pool of the life before. Rights are those of now: another's may have been taken away. */
static void handle_resume(struct queue *q, uint16_t handle)
{
	const struct utmem_engine_ops *ops = q->window->service->ops;
	const struct ledger_handle *from = &q->ledger->handles[handle];
	struct utmem_pool *p = ops->pool_find(q->window->service->engine, from->pool_id);
	struct handle *h = &q->handles[handle];
	int err = p ? ops->pool_attach(q->window->cfg.tenant, p) : -ESTALE;

	if (err)
		h->lost = err;
	else
		*h = utsvc_handle(q, p, from->readonly);
}

void utsvc_queue_handles_forget(struct queue *q)
{
	uint16_t i;

	engine_lock(q->window->service);
	for (i = 0; i < UTMEM_POOLS_PER_QUEUE; i++) {
		if (q->handles[i].pool)
			utmem_ops(q->handles[i].pool)->pool_close(q->handles[i].pool);
		q->handles[i] = (struct handle){.pool = NULL};
	}
	engine_unlock(q->window->service);
}

static void handles_resume(struct queue *q)
{
	uint16_t i;

	engine_lock(q->window->service);
	for (i = 0; i < UTMEM_POOLS_PER_QUEUE; i++) {
		if (q->ledger->handles[i].state == LEDGER_HANDLE_OPEN)
			handle_resume(q, i);
	}
	engine_unlock(q->window->service);
}

int utsvc_queue_resume(struct utmem_window *w, uint32_t id, struct queue **out)
{
	const struct ledger_queue *l = &w->ledger->queues[id];
	struct queue *q = queue_alloc(w, id, &l->geo, l->irq_vector);
	uint8_t *base;

	if (!q)
		return -ENOMEM;
	base = w->base + q->geo.off;
	utmem_sq_reader_resume(&q->sq, base, &q->geo, (uint32_t)l->released, (uint32_t)l->done);
	utmem_cq_writer_resume(&q->cq, base, &q->geo, (uint32_t)l->released);
	q->error = l->state == UTMEM_QUEUE_LIVE ? 0 : l->error;
	if (!q->error)
		handles_resume(q);
	queue_enlist(q);
	*out = q;
	return 0;
}

void utsvc_queue_stream_lose(struct queue *q, uint16_t i)
{
	struct utmem_stream *s = q->streams[i];

	q->streams[i] = NULL;
	utmem_store_release(&q->ledger->streams[i].state, LEDGER_STREAM_LOST);
	UTMEM_FAIL_POINT("service_stream_lost");
	if (s)
		utmem_ops(s)->stream_abort(s);
}

static void stream_adopt(struct queue *q, uint16_t i)
{
	const struct utmem_service *s = q->window->service;
	const struct ledger_stream *st = &q->ledger->streams[i];

	if (!s->ops->stream_adopt(s->engine, st->id, ledger_stream_filled(q->ledger, i),
				  &q->streams[i]))
		return;
	q->streams[i] = NULL;
	utsvc_queue_stream_lose(q, i);
}

void utsvc_queue_streams_adopt(struct queue *q)
{
	uint16_t i;

	engine_lock(q->window->service);
	for (i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		if (ledger_stream_is_open(q->ledger, i) &&
		    q->ledger->streams[i].state == LEDGER_STREAM_USED)
			stream_adopt(q, i);
	}
	engine_unlock(q->window->service);
}

void utsvc_queue_close(struct queue *q)
{
	struct utmem_window *w = q->window;

	utsvc_queue_end(q, UTMEM_QUEUE_GONE, -ECONNRESET);
	utsvc_ledger_queue_state(q->ledger, LEDGER_QUEUE_FREE, 0);
	if (q->id) {
		w->queues[q->id] = NULL;
		w->nr_queues--;
	}
	free(q);
}

void utsvc_queue_end(struct queue *q, uint32_t state, int error)
{
	uint16_t i;

	if (q->error)
		return;
	q->error = error;
	utsvc_ledger_queue_state(q->ledger, state, error);
	engine_lock(q->window->service);
	for (i = 0; i < UTMEM_POOLS_PER_QUEUE; i++) {
		if (utsvc_queue_has_handle(q, i))
			utsvc_queue_handle_close(q, i);
	}
	engine_unlock(q->window->service);
	if (q->id)
		utsvc_share_remove(q->window->share, q);
	utmem_state_store(q->sq.page, state, error);
}

void utsvc_queue_wake(struct queue *q)
{
	struct utmem_window *w = q->window;

	w->counters.nr_wakes++;
	probe_signal(q->id, q->irq_vector);
	w->cfg.cb.wake(w->cfg.cb.ctx, q->id, q->irq_vector);
}

bool utsvc_queue_has_handle(const struct queue *q, uint32_t handle)
{
	return handle < UTMEM_POOLS_PER_QUEUE &&
	       (q->handles[handle].pool || q->handles[handle].lost);
}

void utsvc_queue_handle_open(struct queue *q, uint16_t handle, struct utmem_pool *pool,
			     bool readonly)
{
	struct ledger_handle *l = &q->ledger->handles[handle];

	q->handles[handle] = utsvc_handle(q, pool, readonly);
	l->pool_id = utmem_ops(pool)->pool_id(pool);
	l->readonly = readonly;
	UTMEM_FAIL_POINT("service_handle_open");
	utmem_store_release(&l->state, LEDGER_HANDLE_OPEN);
	UTMEM_FAIL_POINT("service_handle_opened");
}

/* The ledger first: what the engine still holds then belongs to nobody, and a resume drops it. */
static void stream_close(struct queue *q, uint16_t i)
{
	struct utmem_stream *s = q->streams[i];

	utmem_store_release(&q->ledger->streams[i].state, LEDGER_STREAM_FREE);
	UTMEM_FAIL_POINT("service_stream_freed");
	q->streams[i] = NULL;
	if (s)
		utmem_ops(s)->stream_abort(s);
}

void utsvc_queue_handle_close(struct queue *q, uint16_t handle)
{
	struct utmem_pool *p = q->handles[handle].pool;
	uint16_t i;

	for (i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		if (ledger_stream_is_open(q->ledger, i) && q->ledger->streams[i].handle == handle)
			stream_close(q, i);
	}
	utmem_store_release(&q->ledger->handles[handle].state, LEDGER_HANDLE_FREE);
	UTMEM_FAIL_POINT("service_handle_freed");
	q->handles[handle] = (struct handle){.pool = NULL};
	if (p)
		utmem_ops(p)->pool_close(p);
	q->window->service->upkeep = true;
}
