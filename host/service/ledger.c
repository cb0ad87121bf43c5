// SPDX-License-Identifier: MIT
/*
 * The service's memory of a window: its layout, and the order in which it is written.
 * Called by everybody in host/service, on the draining thread; only the inline half of ledger.h
 * is on the hot path.
 */
#include "host/service/ledger.h"

#include <errno.h>
#include <string.h>

#include "guest/ring/utmem_ring.h"

size_t utmem_ledger_len(uint32_t max_queues)
{
	if (!max_queues)
		max_queues = UTMEM_QUEUES_DEFAULT;
	if (max_queues > UTMEM_QUEUES_MAX)
		return 0;
	return sizeof(struct ledger) + max_queues * sizeof(struct ledger_queue);
}

bool utsvc_ledger_valid(const struct ledger *l)
{
	return l->magic == LEDGER_MAGIC;
}

void utsvc_ledger_init(struct ledger *l, const struct utmem_window_config *cfg)
{
	l->version = LEDGER_VERSION;
	l->max_queues = cfg->max_queues;
	l->window_len = cfg->len;
	l->doorbell_token = cfg->doorbell_token;
	l->host_peer = cfg->host_peer;
	l->max_data_len = cfg->max_data_len;
	l->admin_queue = cfg->admin_queue;
	l->heartbeat = 0;
	l->hello = 0;
	l->active = LEDGER_NOBODY;
	l->acting = false;
	l->admin.serial = LEDGER_NONE;
	l->admin.state = LEDGER_ADMIN_IDLE;
	l->admin.made = LEDGER_MADE_NOTHING;
	UTMEM_FAIL_POINT("service_ledger_valid");
	utmem_store_release(&l->magic, LEDGER_MAGIC);
}

/* What a process that died of a wild store may have left: nothing here is used before it passed. */
static bool queue_is_sane(const struct ledger_queue *l, uint64_t window_len)
{
	if (l->state > UTMEM_QUEUE_GONE || (l->state != UTMEM_QUEUE_LIVE && l->error >= 0))
		return false;
	return l->done - l->released <= LEDGER_BATCH && !utmem_geometry_check(&l->geo, window_len);
}

static bool admin_is_sane(const struct ledger *l)
{
	const struct ledger_admin *a = &l->admin;

	return a->state <= LEDGER_ADMIN_DONE && a->made <= LEDGER_MADE_HANDLE &&
	       (a->made == LEDGER_MADE_NOTHING || a->made_queue < l->max_queues) &&
	       (a->made != LEDGER_MADE_HANDLE || a->made_handle < UTMEM_POOLS_PER_QUEUE);
}

int utsvc_ledger_check(struct ledger *l, const struct utmem_window_config *cfg)
{
	const struct ledger_queue *q;
	uint32_t id;

	if (l->version != LEDGER_VERSION)
		return -EPROTONOSUPPORT;
	if (l->window_len != cfg->len)
		return -EINVAL;
	if (l->max_queues < 2 || l->max_queues > UTMEM_QUEUES_MAX ||
	    utmem_ledger_len(l->max_queues) > cfg->ledger_len)
		return -EBADMSG;
	if (!admin_is_sane(l) || l->acting > 1 ||
	    (l->active != LEDGER_NOBODY && l->active >= l->max_queues))
		return -EBADMSG;
	for (id = 0; id < l->max_queues; id++) {
		q = utsvc_ledger_queue(l, id);
		if (q && !queue_is_sane(q, l->window_len))
			return -EBADMSG;
	}
	return 0;
}

struct ledger_queue *utsvc_ledger_queue(struct ledger *l, uint32_t id)
{
	if (!(l->made[id / 64] & 1ull << id % 64) || l->queues[id].state == LEDGER_QUEUE_FREE)
		return NULL;
	return &l->queues[id];
}

void utsvc_ledger_queue_init(struct ledger *ledger, uint32_t id, const struct utmem_geometry *geo,
			     uint32_t irq_vector)
{
	struct ledger_queue *l = &ledger->queues[id];

	utsvc_ledger_queue_state(l, LEDGER_QUEUE_FREE, 0);
	memset(l, 0, sizeof(*l));
	l->geo = *geo;
	l->irq_vector = irq_vector;
	l->pending.idx = LEDGER_NONE;
	ledger->made[id / 64] |= 1ull << id % 64;
	UTMEM_FAIL_POINT("service_queue_live");
	utsvc_ledger_queue_state(l, UTMEM_QUEUE_LIVE, 0);
}

void utsvc_ledger_queue_state(struct ledger_queue *l, uint32_t state, int error)
{
	if (error)
		l->error = error;
	UTMEM_FAIL_POINT("service_queue_state");
	utmem_store_release(&l->state, state);
	UTMEM_FAIL_POINT("service_queue_state_stored");
}

void utsvc_ledger_death(struct ledger_queue *l, uint64_t idx, uint64_t now_ms)
{
	if (!l->nr_deaths || l->death_idx != idx || now_ms - l->first_death_ms > LEDGER_DEATHS_MS) {
		utmem_store_relaxed(&l->nr_deaths, 0u);
		utmem_compiler_barrier();
		l->death_idx = idx;
		l->first_death_ms = now_ms;
	}
	utmem_store_release(&l->nr_deaths, l->nr_deaths + 1);
}

void utsvc_ledger_pending(struct ledger_queue *l, const struct utmem_sqe *sqe, const void *key,
			  int32_t res)
{
	struct ledger_pending *p = &l->pending;

	UTMEM_FAIL_POINT("service_pending");
	p->sqe = *sqe;
	p->res = res;
	if (sqe->key_len > UTMEM_KEY_INLINE)
		memcpy(p->key, key, sqe->key_len);
	utmem_store_release(&p->idx, l->done);
	utmem_compiler_barrier(); /* and only then the act */
	UTMEM_FAIL_POINT("service_pending_stored");
}

/* begun first: from there on the slot is not open, whatever it was, until the request is done. */
void utsvc_ledger_stream_begin(struct ledger_queue *l, const struct utmem_sqe *sqe, uint32_t id)
{
	struct ledger_stream *st = &l->streams[sqe->stream];

	utmem_store_relaxed(&st->begun, l->done);
	utmem_compiler_barrier();
	UTMEM_FAIL_POINT("service_stream_begun");
	st->ended = LEDGER_NONE;
	st->part = LEDGER_NONE;
	st->before = 0;
	st->after = 0;
	st->total = (uint32_t)sqe->arg;
	st->id = id;
	st->handle = sqe->pool;
	utmem_store_release(&st->state, LEDGER_STREAM_USED);
}

/* In this order every moment shows as many bytes as before, until the request is done. */
void utsvc_ledger_stream_part(struct ledger_queue *l, uint16_t stream, uint32_t len)
{
	struct ledger_stream *st = &l->streams[stream];
	uint32_t filled = ledger_stream_filled(l, stream);

	utmem_store_release(&st->before, filled);
	UTMEM_FAIL_POINT("service_part_before");
	utmem_store_release(&st->part, l->done);
	UTMEM_FAIL_POINT("service_part_idx");
	utmem_store_release(&st->after, filled + len);
}
