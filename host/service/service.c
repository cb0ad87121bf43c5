// SPDX-License-Identifier: MIT
/*
 * All windows of one draining thread: turn, arm, disarm. Called by that thread
 * alone (utmemd's worker, libutmem's local: transport, bench, fuzz).
 */
#include "host/service/service.h"

#include <errno.h>
#include <stdlib.h>

#include "host/service/window.h"

/* Bytes of the engine's background work in one turn. */
#define MAINTAIN_BYTES ((size_t)256 << 10)
/* Odd: the first sleeps of two epochs are numbered far apart, even if one epoch follows the other. */
#define SLEEP_SPREAD 0x9e3779b1u

int utmem_service_init(struct utmem_service **out, struct utmem_engine *engine, uint32_t epoch)
{
	struct utmem_service *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->engine = engine;
	s->ops = utmem_ops(engine);
	s->epoch = epoch;
	/* Whoever has rung for a sleep of the life before has not rung for one of this. */
	s->sleep = epoch * SLEEP_SPREAD;
	TAILQ_INIT(&s->windows);
	TAILQ_INIT(&s->shares);
	*out = s;
	return 0;
}

void utmem_service_share_engine(struct utmem_service *s, const struct utmem_engine_lock *lock)
{
	s->lock = *lock;
}

void utmem_service_exit(struct utmem_service *s)
{
	free(s);
}

void utmem_service_leave(struct utmem_service *s)
{
	struct utmem_window *w;

	while ((w = TAILQ_FIRST(&s->windows)))
		utsvc_window_free(w);
	free(s);
}

static void upkeep(struct utmem_service *s)
{
	engine_lock(s);
	s->upkeep = s->ops->maintain(s->engine, MAINTAIN_BYTES);
	engine_unlock(s);
}

uint32_t utmem_service_turn(struct utmem_service *s)
{
	struct utmem_window *w;
	struct share *sh;
	uint32_t served = s->nr_resuming ? utsvc_resume_finish(s) : 0;

	TAILQ_FOREACH(w, &s->windows, link)
	served += utsvc_window_turn(w);
	TAILQ_FOREACH(sh, &s->shares, link)
	served += utsvc_share_turn(sh);
	if (served || s->upkeep)
		upkeep(s);
	return served + s->upkeep;
}

/* The engine is asked last: its owner may have changed quotas behind our back. */
static bool has_work(struct utmem_service *s)
{
	struct utmem_window *w;
	struct share *sh;

	if (s->nr_resuming)
		return true;
	TAILQ_FOREACH(w, &s->windows, link)
	{
		if (utsvc_window_has_work(w))
			return true;
	}
	TAILQ_FOREACH(sh, &s->shares, link)
	{
		if (utsvc_share_has_work(sh))
			return true;
	}
	upkeep(s);
	return s->upkeep;
}

bool utmem_service_arm(struct utmem_service *s)
{
	struct utmem_window *w;

	s->nr_arms++;
	s->sleep++;
	TAILQ_FOREACH(w, &s->windows, link)
	{
		w->counters.nr_arms++;
		utmem_kick_arm(&w->control->svc[WINDOW_SVC_SLOT], s->sleep); /* F */
	}
	if (!has_work(s))
		return false;
	utmem_service_disarm(s);
	return true;
}

void utmem_service_disarm(struct utmem_service *s)
{
	struct utmem_window *w;

	TAILQ_FOREACH(w, &s->windows, link)
	utmem_kick_disarm(&w->control->svc[WINDOW_SVC_SLOT]);
}

void utsvc_counters_add(struct utmem_service_counters *to,
			const struct utmem_service_counters *from)
{
	to->nr_requests += from->nr_requests;
	to->nr_batches += from->nr_batches;
	to->nr_wakes += from->nr_wakes;
	to->nr_malformed += from->nr_malformed;
	to->nr_broken += from->nr_broken;
	to->value_bytes_in += from->value_bytes_in;
	to->value_bytes_out += from->value_bytes_out;
}

/* Arms are counted once for all windows: one sleep of this thread. */
void utmem_service_stat(const struct utmem_service *s, struct utmem_service_counters *out)
{
	const struct utmem_window *w;

	*out = s->retired;
	TAILQ_FOREACH(w, &s->windows, link)
	utsvc_counters_add(out, &w->counters);
	out->nr_arms = s->nr_arms;
}
