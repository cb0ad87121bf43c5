// SPDX-License-Identifier: MIT
/*
 * One queue, two that wait for it: a thread in ENTER for four completions and one in poll() for the
 * first. The ring page holds one arming, yet both are woken by interrupts. The driver also looks
 * once a second without one, so its count of interrupts says who was woken by what.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/vm/guest/driver.h"

#define ROUNDS 5
#define WANT 4
/* Two in each round, but for a look of the driver's that happens to come first. */
#define INTERRUPTS_MIN (2 * ROUNDS - 2)

static struct raw r;

struct waiter {
	bool polls;
	pthread_t thread;
	atomic_int tid;
	bool good;
};

static void *waiter_run(void *arg)
{
	struct waiter *w = arg;
	struct pollfd p = {.fd = r.fd, .events = POLLIN};

	atomic_store(&w->tid, gettid());
	if (w->polls)
		w->good = poll(&p, 1, -1) == 1 && p.revents == POLLIN;
	else
		w->good = !raw_enter(&r, 0, WANT, 0, -1);
	return NULL;
}

/* Returns when it sleeps. */
static void waiter_start(struct waiter *w, bool polls)
{
	*w = (struct waiter){.polls = polls};
	if (pthread_create(&w->thread, NULL, waiter_run, w))
		die("thread");
	while (!atomic_load(&w->tid))
		sched_yield();
	wait_in_call(w->tid, polls ? SYS_poll : SYS_ioctl);
}

static bool waiter_end(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->good;
}

static bool turn(bool poll_first)
{
	struct waiter enter, poller;
	bool good;

	if (poll_first)
		waiter_start(&poller, true);
	waiter_start(&enter, false);
	if (!poll_first)
		waiter_start(&poller, true);
	raw_publish_nops(&r, 1);
	raw_enter(&r, 1, 0, UTMEM_ENTER_FLUSH, 0);
	good = waiter_end(&poller);
	raw_publish_nops(&r, WANT - 1);
	raw_enter(&r, WANT - 1, 0, UTMEM_ENTER_FLUSH, 0);
	good &= waiter_end(&enter);
	return raw_spin(&r, WANT) && good;
}

static void turns(bool poll_first, const char *name)
{
	unsigned long long before = raw_stats(&r).queue.interrupts;
	time_t since = time(NULL);
	bool good = true;
	char text[96];

	for (int i = 0; i < ROUNDS; i++)
		good &= turn(poll_first);
	snprintf(text, sizeof(text), "%s: both are woken", name);
	report(good, text);
	/* Counted behind the wake-up, so it may come a moment later. */
	while (raw_stats(&r).queue.interrupts - before < INTERRUPTS_MIN && !past_deadline(since))
		sched_yield();
	snprintf(text, sizeof(text), "%s: each by an interrupt", name);
	report(raw_stats(&r).queue.interrupts - before >= INTERRUPTS_MIN, text);
}

int main(void)
{
	raw_open(&r, 8, 1, 0);
	turns(false, "ENTER, then poll");
	turns(true, "poll, then ENTER");
	return failed;
}
