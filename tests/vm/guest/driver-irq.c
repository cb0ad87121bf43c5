// SPDX-License-Identifier: MIT
/*
 * Interrupts that are put off (irq_max, irq_usecs), seen in what the driver asks of the host: the
 * index in the ring page. Expects a line on stdin when the host has been stopped in its sleep, and
 * another one when it goes on. Meanwhile this process writes the host's index itself.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/vm/guest/driver.h"

#define SHORT_USECS 2000
#define LONG_USECS UTMEM_IRQ_USECS_MAX

static struct raw r;

static struct utmem_ioc_batch knobs(uint32_t irq_max, uint32_t irq_usecs)
{
	struct utmem_ioc_batch b = raw_knobs(1, 0);

	b.irq_max = irq_max;
	b.irq_usecs = irq_usecs;
	return b;
}

static struct utmem_ioc_counters counters(void)
{
	return raw_stats(&r).queue;
}

/* ---- somebody who waits in a thread of his own ---- */

struct waiter {
	uint32_t want; /* in ENTER; 0: in poll */
	pthread_t thread;
	atomic_int tid;
	int error;
};

static void *waiter_run(void *arg)
{
	struct waiter *w = arg;
	struct pollfd p = {.fd = r.fd, .events = POLLIN};
	int rc;

	atomic_store(&w->tid, gettid());
	rc = w->want ? raw_enter(&r, 0, w->want, 0, -1) : poll(&p, 1, -1);
	w->error = rc < 0 ? errno : 0;
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

/* Returns when it sleeps. */
static void waiter_start(struct waiter *w, uint32_t want)
{
	*w = (struct waiter){.want = want};
	if (pthread_create(&w->thread, NULL, waiter_run, w))
		die("thread");
	while (!atomic_load(&w->tid))
		sched_yield();
	wait_in_call(w->tid, want ? SYS_ioctl : SYS_poll);
}

static int waiter_end(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->error;
}

static int waiter_interrupt(struct waiter *w)
{
	pthread_kill(w->thread, SIGUSR1);
	return waiter_end(w);
}

/* In the host's place: so many completions wait. */
static void complete(uint32_t n)
{
	utmem_store_release(&r.page->cq_tail, utmem_load_relaxed(&r.page->cq_head) + n);
}

static bool armed_becomes(uint32_t n)
{
	time_t since = time(NULL);

	while (raw_armed(&r) != n && !past_deadline(since))
		sched_yield();
	return raw_armed(&r) == n;
}

/* ---- while the host is stopped, with 8 requests submitted ---- */

struct arm_row {
	const char *name;
	uint32_t irq_max, irq_usecs, mode;
	uint32_t want; /* 0: poll */
	uint32_t armed;
};

static void arms_as_told(void)
{
	static const struct arm_row rows[] = {
		{"irq_max 1 puts nothing off", 1, LONG_USECS, UTMEM_BATCH_FIXED, 1, 1},
		{"irq_usecs 0 puts nothing off", 8, 0, UTMEM_BATCH_FIXED, 1, 1},
		{"ENTER waits for irq_max", 4, LONG_USECS, UTMEM_BATCH_FIXED, 1, 4},
		{"poll waits for irq_max", 4, LONG_USECS, UTMEM_BATCH_FIXED, 0, 4},
		{"nobody waits for more than is under way", 65536, LONG_USECS, UTMEM_BATCH_FIXED, 1,
		 8},
		{"who wants more than irq_max gets that", 4, LONG_USECS, UTMEM_BATCH_FIXED, 6, 6},
		{"adaptive waits for nothing that it does not expect", 8, LONG_USECS,
		 UTMEM_BATCH_ADAPTIVE, 1, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct utmem_ioc_batch b = knobs(rows[i].irq_max, rows[i].irq_usecs);
		struct waiter w;

		b.batch_mode = rows[i].mode;
		raw_set(&r, b);
		waiter_start(&w, rows[i].want);
		report_is(rows[i].name, rows[i].armed, raw_armed(&r));
		if (waiter_interrupt(&w) != EINTR)
			report(false, "and goes on waiting");
	}
}

static void patience_ends(void)
{
	struct utmem_ioc_counters before = counters();
	struct waiter w;

	raw_set(&r, knobs(8, SHORT_USECS));
	waiter_start(&w, 1);
	report(armed_becomes(1),
	       "after irq_usecs what was asked for is waited for, and nothing more");
	/* The interrupt for it is not ours to send, but the driver looks once a second. */
	complete(1);
	report_errno("and delivered", 0, waiter_end(&w));
	report_is("nothing has waited for others", 0,
		  (long long)(counters().coalesced - before.coalesced));
	complete(0);
}

static void patience_ends_with_some(bool polls)
{
	struct utmem_ioc_counters before = counters();
	struct waiter w;

	raw_set(&r, knobs(8, LONG_USECS));
	waiter_start(&w, polls ? 0 : 1);
	complete(3);
	report_errno(polls ? "after irq_usecs poll gets the 3 that are there"
			   : "after irq_usecs ENTER gets the 3 that are there",
		     0, waiter_end(&w));
	report_is("of which 2 have waited", 2,
		  (long long)(counters().coalesced - before.coalesced));
	report_is("and no interrupt was needed", 0,
		  (long long)(counters().interrupts - before.interrupts));
	complete(0);
}

static void stopped(void)
{
	raw_wait_host_asleep(&r);
	printf("ready\n");
	wait_for_line();
	raw_publish_nops(&r, 8);
	arms_as_told();
	patience_ends();
	patience_ends_with_some(false);
	patience_ends_with_some(true);
}

/* ---- and when it goes on ---- */

static void goes_on(void)
{
	raw_enter(&r, 0, 0, UTMEM_ENTER_FLUSH, 0);
	printf("rung\n");
	wait_for_line();
	report(raw_spin(&r, 8), "the 8 requests are served");
}

/* A host that is faster than ENTER can arm needs no interrupt; so it is tried until it is not. */
static void one_interrupt_for_all(void)
{
	struct utmem_ioc_counters before, now;
	time_t since = time(NULL);

	raw_set(&r, knobs(8, LONG_USECS));
	do {
		raw_wait_host_asleep(&r);
		before = counters();
		raw_publish_nops(&r, 8);
		if (raw_enter(&r, 8, 1, 0, -1) || !raw_spin(&r, 8))
			die("8 requests");
		now = counters();
	} while ((now.interrupts - before.interrupts != 1 ||
		  now.coalesced - before.coalesced != 7) &&
		 !past_deadline(since));
	report_is("one interrupt for 8 completions", 1,
		  (long long)(now.interrupts - before.interrupts));
	report_is("7 have waited for the last", 7, (long long)(now.coalesced - before.coalesced));
}

static void nobody_waits_no_interrupt(uint32_t irq_max)
{
	struct utmem_ioc_counters before;
	bool served = true;
	char name[96];

	raw_set(&r, knobs(irq_max, irq_max > 1 ? SHORT_USECS : 0));
	before = raw_stats(&r).device;
	for (int i = 0; i < 50; i++) {
		raw_publish_nops(&r, 8);
		raw_enter(&r, 8, 0, UTMEM_ENTER_FLUSH, 0);
		served &= raw_spin(&r, 8);
	}
	report(served, "requests are served without anybody waiting");
	snprintf(name, sizeof(name), "irq_max %u: no interrupt when nobody waits", irq_max);
	report_is(name, 0, (long long)(raw_stats(&r).device.interrupts - before.interrupts));
}

int main(void)
{
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
	raw_open(&r, 8, 1, 0);
	nobody_waits_no_interrupt(1);
	nobody_waits_no_interrupt(8);
	stopped();
	goes_on();
	one_interrupt_for_all();
	nobody_waits_no_interrupt(8);
	raw_close(&r);
	return failed;
}
