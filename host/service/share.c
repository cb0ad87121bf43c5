// SPDX-License-Identifier: MIT
/*
 * A tenant's share of the service: its live queues, and what they may cost the
 * others. Called by service.c, window.c and queue.c, on the draining thread.
 */
#include "host/service/share.h"

#include <errno.h>
#include <stdlib.h>

#include "host/service/window.h"

static struct share *share_find(struct utmem_service *s, const struct utmem_tenant *t)
{
	struct share *sh;

	TAILQ_FOREACH(sh, &s->shares, link)
	{
		if (sh->tenant == t)
			break;
	}
	return sh;
}

static struct share *share_new(struct utmem_service *s, struct utmem_tenant *t)
{
	struct share *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return NULL;
	sh->service = s;
	sh->tenant = t;
	sh->last_left = TENANT_LAST_BYTES;
	TAILQ_INSERT_TAIL(&s->shares, sh, link);
	return sh;
}

static void share_free(struct share *sh)
{
	TAILQ_REMOVE(&sh->service->shares, sh, link);
	free(sh->live);
	free(sh);
}

/* Room for every queue that the window may ever have: making a queue does not fail for it. */
int utsvc_share_join(struct utmem_service *s, struct utmem_tenant *t, uint32_t nr_queues,
		     struct share **out)
{
	struct share *sh = share_find(s, t);
	struct queue **live;

	if (!sh)
		sh = share_new(s, t);
	if (!sh)
		return -ENOMEM;
	live = reallocarray(sh->live, (size_t)sh->max_live + nr_queues, sizeof(struct queue *));
	if (!live) {
		if (!sh->nr_windows)
			share_free(sh);
		return -ENOMEM;
	}
	sh->live = live;
	sh->max_live += nr_queues;
	sh->nr_windows++;
	*out = sh;
	return 0;
}

void utsvc_share_leave(struct share *sh, uint32_t nr_queues)
{
	sh->max_live -= nr_queues;
	if (!--sh->nr_windows)
		share_free(sh);
}

void utsvc_share_add(struct share *sh, struct queue *q)
{
	q->live_slot = sh->nr_live++;
	sh->live[q->live_slot] = q;
}

/* The last one takes its place: the list stays dense, its order does not matter. */
void utsvc_share_remove(struct share *sh, struct queue *q)
{
	struct queue *last = sh->live[--sh->nr_live];

	last->live_slot = q->live_slot;
	sh->live[q->live_slot] = last;
}

/*
 * From where the last turn stopped. When a queue breaks, another takes its place in
 * the list, and the next turn finds it there.
 */
uint32_t utsvc_share_turn(struct share *sh)
{
	uint32_t left = sh->nr_live, served = 0;
	uint64_t budget = TENANT_TURN_BYTES;

	sh->last_left = TENANT_LAST_BYTES;
	while (left-- && sh->nr_live && budget) {
		if (sh->next >= sh->nr_live)
			sh->next = 0;
		served += utsvc_queue_drain(sh->live[sh->next++], &budget);
	}
	return served;
}

bool utsvc_share_has_work(const struct share *sh)
{
	uint32_t i;

	for (i = 0; i < sh->nr_live; i++) {
		if (utsvc_queue_has_work(sh->live[i]))
			return true;
	}
	return false;
}
