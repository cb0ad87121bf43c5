// SPDX-License-Identifier: MIT
/*
 * What may be done through a handle now: another tenant's pool is lent, and may be taken
 * back while requests are under way. Called by validate.c, dispatch.c and admin.c, and
 * by the service's owner when rights have changed; on the draining thread.
 */
#include <errno.h>

#include "host/service/window.h"

struct handle utsvc_handle(const struct queue *q, struct utmem_pool *pool, bool readonly)
{
	return (struct handle){
		.pool = pool,
		.readonly = readonly,
		.foreign = utmem_ops(pool)->pool_tenant(pool) != q->window->cfg.tenant,
	};
}

int utsvc_handle_ask(const struct queue *q, const struct handle *h, bool change)
{
	bool readonly;
	int err;

	if (!h->pool)
		return h->lost ? h->lost : -EACCES;
	err = utmem_ops(h->pool)->pool_rights(h->pool, q->window->cfg.tenant, &readonly);
	if (err)
		return err;
	return change && (readonly || h->readonly) ? -EACCES : 0;
}

int utsvc_stream_right(struct queue *q, uint16_t i)
{
	int err = handle_right(q, &q->handles[q->ledger->streams[i].handle], true);

	if (err == -EACCES)
		utsvc_queue_stream_lose(q, i);
	if (!err && !q->streams[i])
		err = -ESTALE;
	return err;
}

static void queue_enforce(struct queue *q)
{
	uint16_t i;

	for (i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		if (q->streams[i])
			utsvc_stream_right(q, i);
	}
}

void utmem_service_rights_changed(struct utmem_service *s)
{
	struct share *sh;
	uint32_t i;

	engine_lock(s);
	TAILQ_FOREACH(sh, &s->shares, link)
	{
		for (i = 0; i < sh->nr_live; i++)
			queue_enforce(sh->live[i]);
	}
	engine_unlock(s);
}

/* ---- a tenant goes ---- */

static bool handle_uses(const struct handle *h, const struct utmem_tenant *t)
{
	return h->pool && h->foreign && utmem_ops(h->pool)->pool_tenant(h->pool) == t;
}

/* Queues that have ended hold no pools. */
bool utmem_service_shares(const struct utmem_service *s, const struct utmem_tenant *t)
{
	const struct share *sh;
	uint32_t i, h;

	TAILQ_FOREACH(sh, &s->shares, link)
	{
		for (i = 0; i < sh->nr_live; i++) {
			for (h = 0; h < UTMEM_POOLS_PER_QUEUE; h++)
				if (handle_uses(&sh->live[i]->handles[h], t))
					return true;
		}
	}
	return false;
}

/* The ledger goes on to name the pool: whoever reads it after our death finds that it is gone, too. */
static void handle_forsake(struct queue *q, uint16_t handle)
{
	struct utmem_pool *p = q->handles[handle].pool;
	uint16_t i;

	for (i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		if (q->streams[i] && q->ledger->streams[i].handle == handle)
			utsvc_queue_stream_lose(q, i);
	}
	q->handles[handle] = (struct handle){.lost = -ESTALE};
	utmem_ops(p)->pool_close(p);
}

void utmem_service_forsake(struct utmem_service *s, const struct utmem_tenant *t)
{
	struct share *sh;
	uint16_t h;
	uint32_t i;

	engine_lock(s);
	TAILQ_FOREACH(sh, &s->shares, link)
	{
		for (i = 0; i < sh->nr_live; i++) {
			for (h = 0; h < UTMEM_POOLS_PER_QUEUE; h++)
				if (handle_uses(&sh->live[i]->handles[h], t))
					handle_forsake(sh->live[i], h);
		}
	}
	engine_unlock(s);
}
