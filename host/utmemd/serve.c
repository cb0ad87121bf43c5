// SPDX-License-Identifier: MIT
/*
 * Owns the decision between working, looking for work and sleeping. Called by
 * worker.c on the main thread, by crew.c on the others.
 */
#include <time.h>

#include "host/service/probe.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/serve.h"
#include "host/utmemd/window.h"

#define NS_PER_US 1000ull
#define LOOK_NS (50 * NS_PER_US)	       /* awake, all else is looked at this often */
#define SERVE_OUT_NS (2000 * 1000 * NS_PER_US) /* most that an end waits for rings to run dry */

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/*
 * NEED_KICK is set while we sleep, and only then: a submitter rings only for a sleeper.
 * Return: when it was awake again, or found that there was work after all.
 */
static uint64_t sleep_for_event(struct server *v, const struct serve_ways *ways)
{
	uint64_t now, bells = v->nr_doorbells;
	bool rung;

	hypercall_sleep(v);
	if (utmem_service_arm(v->service)) {
		hypercall_awake(v);
		return clock_ns();
	}
	probe_thread_sleep();
	poller_sleeps(&v->poller);
	ways->sleep(v);
	utmem_service_disarm(v->service);
	hypercall_awake(v);
	if (ways->awake)
		ways->awake(v);
	rung = v->nr_doorbells != bells;
	probe_thread_wake(rung ? PROBE_WAKE_DOORBELL : PROBE_WAKE_OTHER);
	now = clock_ns();
	poller_woke(&v->poller, now, rung);
	return now;
}

/* What comes of it is no polling, however long it takes. Return: when it was done. */
static uint64_t look(struct server *v, const struct serve_ways *ways)
{
	uint64_t now;

	ways->look(v);
	now = clock_ns();
	poller_skip(&v->poller, now);
	return now;
}

/*
 * Waking a sleeper costs far more than a request. So after work this thread looks
 * for more as long as the poller says, and sleeps only when none came.
 */
void serve_by(struct server *v, const struct serve_ways *ways)
{
	const struct knobs *knobs = &v->daemon->knobs;
	uint64_t looked = clock_ns();

	poller_init(&v->poller, knobs->poll_usecs * NS_PER_US, (uint32_t)knobs->poll_cpu_percent,
		    looked);
	while (!ways->over(v)) {
		bool busy = utmem_service_turn(v->service) > 0;
		uint64_t now = clock_ns();

		if (busy)
			poller_worked(&v->poller, now);
		if (!busy && !poller_goes_on(&v->poller, now))
			looked = sleep_for_event(v, ways);
		else if (now - looked >= LOOK_NS)
			looked = look(v, ways);
	}
}

/* ---- the main thread ---- */

static bool main_over(const struct server *v)
{
	return v->daemon->ending || v->daemon->leaving;
}

/* A doorbell is nobody's business but ours; for all else the others rest. */
static void events_serve(struct server *v, int timeout_ms)
{
	struct crew *crew = &v->daemon->crew;
	bool alone;

	if (!loop_wait(v->loop, timeout_ms))
		return;
	alone = loop_is_light(v->loop);
	if (!alone)
		crew_rest(crew);
	loop_serve(v->loop);
	if (!alone)
		crew_go_on(crew);
}

static void main_look(struct server *v)
{
	events_serve(v, 0);
}

static void main_sleep(struct server *v)
{
	events_serve(v, -1);
}

void serve(struct daemon *d)
{
	static const struct serve_ways ways = {
		.over = main_over,
		.look = main_look,
		.sleep = main_sleep,
	};

	serve_by(d->crew.servers, &ways);
}

void serve_out(struct daemon *d)
{
	uint64_t until = clock_ns() + SERVE_OUT_NS;
	struct window *w;

	LIST_FOREACH(w, &d->windows, link)
	{
		utmem_window_draining(w->served);
	}
	while (crew_turn(&d->crew) && clock_ns() < until)
		;
}
