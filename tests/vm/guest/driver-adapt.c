// SPDX-License-Identifier: MIT
/*
 * A queue with batch_mode adaptive: alone it waits for nobody, in a stream it gathers. Counters say
 * so. Expects a line on stdin when the host has been stopped in its sleep, and another one when it
 * goes on.
 */
#include "tests/vm/guest/driver.h"

#define LONELY 50
#define LEARNED_AFTER 4 /* lonely ones; as tests/unit/dev_adapt.c has it */
#define PAUSE_NS 5000000l
#define STREAM 320
#define BATCH 32
/* The stream's share in which nothing is known yet, and more room than it has ever needed */
#define DUE_MAX (STREAM / 4)

static struct raw own;

static struct utmem_ioc_batch adaptive(uint32_t usecs)
{
	struct utmem_ioc_batch b = raw_knobs(BATCH, usecs);

	b.batch_mode = UTMEM_BATCH_ADAPTIVE;
	return b;
}

static struct utmem_ioc_counters counters(void)
{
	return raw_stats(&own).queue;
}

static void submit_one(void)
{
	raw_publish_nops(&own, 1);
	if (raw_enter(&own, 1, 0, 0, 0))
		die("ENTER");
}

static void alone_nothing_waits(void)
{
	struct utmem_ioc_counters before = counters(), now;
	bool served = true;

	raw_set(&own, adaptive(1000));
	for (int i = 0; i < LONELY; i++) {
		struct timespec pause = {.tv_nsec = PAUSE_NS};

		if (i == LEARNED_AFTER)
			before = counters();
		nanosleep(&pause, NULL);
		raw_wait_host_asleep(&own);
		submit_one();
		served &= raw_spin(&own, 1);
	}
	now = counters();
	report(served, "requests that come alone are served");
	report_is("and rung for, each by itself", LONELY - LEARNED_AFTER,
		  (long long)(now.doorbells + now.awake - before.doorbells - before.awake));
	report_is("and at once", 0, (long long)(now.deferred - before.deferred));
}

/* The host sleeps on: every batch's end is counted, but only the first one rings. */
static void a_stream_is_gathered(void)
{
	struct utmem_ioc_counters before, now;
	unsigned long long due;

	raw_set(&own, adaptive(100000));
	raw_wait_host_asleep(&own);
	printf("ready\n");
	wait_for_line();
	before = counters();
	for (int i = 0; i < STREAM; i++)
		submit_one();
	now = counters();
	due = now.doorbells + now.awake - before.doorbells - before.awake;
	printf("due %llu deferred %llu of %d\n", due, now.deferred - before.deferred, STREAM);
	report(due >= STREAM / BATCH && due <= DUE_MAX, "in a stream many share a doorbell");
	report(now.deferred - before.deferred >= STREAM - DUE_MAX, "and wait for it");
	report_is("which is rung once while the host sleeps", 1,
		  (long long)(now.doorbells - before.doorbells));
	raw_enter(&own, 0, 0, UTMEM_ENTER_FLUSH, 0);
	printf("rung\n");
	wait_for_line();
	report(raw_spin(&own, STREAM), "all of it is served");
}

static void who_sleeps_does_not_wait(void)
{
	struct utmem_ioc_counters before;

	raw_wait_host_asleep(&own);
	before = counters();
	for (int i = 0; i < 20; i++) {
		raw_publish_nops(&own, 1);
		if (raw_enter(&own, 1, 1, 0, -1) || !raw_spin(&own, 1))
			die("submit and sleep");
	}
	report_is("who sleeps for his answer never waits for others", 0,
		  (long long)(counters().deferred - before.deferred));
}

int main(void)
{
	raw_open(&own, 1024, BATCH, 0);
	alone_nothing_waits();
	a_stream_is_gathered();
	who_sleeps_does_not_wait();
	raw_close(&own);
	return failed;
}
