// SPDX-License-Identifier: MIT
/*
 * Owns the decision between working, looking for work and sleeping. Called by
 * worker.c, on the worker's one thread.
 */
#include <time.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/serve.h"
#include "host/utmemd/window.h"

#define NS_PER_US 1000ull
#define LOOK_NS (50 * NS_PER_US)	       /* awake, sockets are looked at this often */
#define SERVE_OUT_NS (2000 * 1000 * NS_PER_US) /* most that an end waits for rings to run dry */

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* NEED_KICK is set while we sleep, and only then: a submitter rings only for a sleeper. */
static void sleep_for_event(struct daemon *d)
{
	if (utmem_service_arm(d->service))
		return;
	d->counters.nr_sleeps++;
	loop_turn(&d->loop, -1);
	utmem_service_disarm(d->service);
}

/*
 * Waking a sleeper costs far more than a request. So after work this thread looks
 * for more during poll_usecs, and sleeps only when none came.
 */
void serve(struct daemon *d)
{
	uint64_t poll_ns = d->opt->poll_usecs * NS_PER_US;
	uint64_t worked = clock_ns(), looked = worked;

	while (!d->ending && !d->leaving) {
		bool busy = utmem_service_turn(d->service) > 0;
		uint64_t now = clock_ns();

		if (busy)
			worked = now;
		if (!busy && now - worked >= poll_ns) {
			sleep_for_event(d);
			looked = clock_ns();
		} else if (now - looked >= LOOK_NS) {
			loop_turn(&d->loop, 0);
			looked = now;
		}
	}
}

void serve_out(struct daemon *d)
{
	uint64_t until = clock_ns() + SERVE_OUT_NS;
	struct window *w;

	LIST_FOREACH(w, &d->windows, link)
	{
		utmem_window_draining(w->served);
	}
	while (utmem_service_turn(d->service) && clock_ns() < until)
		;
}
