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

#include "host/service/window.h"

void utsvc_queue_restart(struct queue *q)
{
	uint8_t *base = q->window->base + q->geo.off;

	memset(base, 0, UTMEM_PAGE);
	utmem_sq_reader_init(&q->sq, base, &q->geo, 0);
	utmem_cq_writer_init(&q->cq, base, &q->geo, 0);
	q->error = 0;
	utmem_state_store(q->sq.page, UTMEM_QUEUE_LIVE, 0);
}

int utsvc_queue_open(struct utmem_window *w, uint32_t id, const struct utmem_geometry *geo,
		     uint32_t irq_vector, struct queue **out)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->window = w;
	q->id = id;
	q->irq_vector = irq_vector;
	q->geo = *geo;
	q->data = w->base + geo->off + geo->data_off;
	q->data_len = geo->data_len;
	utsvc_queue_restart(q);
	if (id) {
		w->queues[id] = q;
		w->nr_queues++;
		utsvc_share_add(w->share, q);
	}
	*out = q;
	return 0;
}

void utsvc_queue_close(struct queue *q)
{
	struct utmem_window *w = q->window;

	utsvc_queue_end(q, UTMEM_QUEUE_GONE, -ECONNRESET);
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
	for (i = 0; i < UTMEM_POOLS_PER_QUEUE; i++) {
		if (q->handles[i].pool)
			utsvc_queue_handle_close(q, i);
	}
	if (q->id)
		utsvc_share_remove(q->window->share, q);
	utmem_state_store(q->sq.page, state, error);
}

void utsvc_queue_wake(struct queue *q)
{
	struct utmem_window *w = q->window;

	w->counters.nr_wakes++;
	w->cfg.cb.wake(w->cfg.cb.ctx, q->id, q->irq_vector);
}

int utsvc_queue_handle(struct queue *q, uint16_t handle, struct handle **out)
{
	if (handle >= UTMEM_POOLS_PER_QUEUE || !q->handles[handle].pool)
		return -EACCES;
	*out = &q->handles[handle];
	return 0;
}

void utsvc_queue_handle_close(struct queue *q, uint16_t handle)
{
	struct handle *h = &q->handles[handle];
	unsigned int i;

	for (i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		if (q->streams[i].stream && q->streams[i].handle == handle)
			utsvc_stream_close(&q->streams[i]);
	}
	utmem_ops(h->pool)->pool_close(h->pool);
	h->pool = NULL;
	h->readonly = false;
	q->window->service->upkeep = true;
}

void utsvc_stream_close(struct stream *st)
{
	utmem_ops(st->stream)->stream_abort(st->stream);
	st->stream = NULL;
}
