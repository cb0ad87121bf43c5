// SPDX-License-Identifier: MIT
// Both ends sleep whenever they find nothing, from every start index: nobody sleeps on work,
// and a host that sleeps is rung for a batch, not for each request, and once for each sleep.
// Owner: guest/ring. (ring_sleep_model.c has the proof; this is the real machine.)

#include "tests/tsan/pair.h"

#define ENTRIES 4u

struct test {
	struct ring ring;
	struct utmem_svc_line svc;
	uint32_t total;
	uint32_t doorbell, wakeup;
	uint32_t batches, arms;
	bool guest_lost, host_lost; /* slept until the deadline, or was told a lie */
};

/* Until @want completions wait. */
static bool guest_sleep(struct test *t, uint32_t want, uint32_t *heard)
{
	uint32_t n;

	for (;;) {
		utmem_wake_arm(t->ring.page, t->ring.cq.end.own + want);
		if (utmem_cq_peek(&t->ring.cq, &n))
			return false;
		if (n >= want)
			break;
		if (!bell_wait(&t->wakeup, heard))
			return false;
	}
	utmem_wake_disarm(t->ring.page);
	utmem_cq_release(&t->ring.cq, want);
	return true;
}

static void *guest(void *arg)
{
	struct test *t = arg;
	uint32_t seen = 0, heard = 0, sleep, rung = 0;

	for (uint32_t batch = 1; seen < t->total; batch = batch % ENTRIES + 1) {
		uint32_t n = 0;

		while (n < batch) {
			/* the slot of a completion that was seen is free in a moment */
			if (utmem_sq_reserve(&t->ring.sq))
				n++;
			else
				sched_yield();
		}
		utmem_sq_publish(&t->ring.sq);
		t->batches++;
		sleep = utmem_kick_needed(&t->svc);
		if (sleep && sleep != rung) {
			bell_ring(&t->doorbell);
			rung = sleep;
		}
		t->guest_lost = !guest_sleep(t, batch, &heard);
		if (t->guest_lost)
			break;
		seen += batch;
	}
	return NULL;
}

static void serve(struct test *t, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		utmem_cq_fill(&t->ring.writer, i, 0, 0);
		if (utmem_cq_publish(&t->ring.writer))
			bell_ring(&t->wakeup);
	}
	utmem_sq_release(&t->ring.reader, n);
}

static void *host(void *arg)
{
	struct test *t = arg;
	uint32_t done = 0, heard = 0, n = 0, room = 0;

	while (done < t->total) {
		utmem_kick_arm(&t->svc, ++t->arms);
		t->host_lost = utmem_sq_peek(&t->ring.reader, &n) ||
			       (!n && !bell_wait(&t->doorbell, &heard));
		utmem_kick_disarm(&t->svc);
		if (t->host_lost || utmem_cq_room(&t->ring.writer, &room) || room < n)
			break;
		if (n)
			serve(t, n);
		done += n;
	}
	return NULL;
}

static void check(struct test *t)
{
	run_pair(guest, host, t);
	assert_false(t->guest_lost);
	assert_false(t->host_lost);
	assert_in_range(t->doorbell, 0, t->batches);
	assert_in_range(t->doorbell, 0, t->arms);
}

static void nobody_sleeps_on_work_from_any_start_index(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < RING_STARTS(ENTRIES); i++) {
		struct test t = {.total = 50};

		ring_open(&t.ring, ENTRIES, ENTRIES, 0, ring_start(i, ENTRIES));
		check(&t);
		ring_close(&t.ring);
	}
}

static void nobody_sleeps_on_work_in_many_rounds(void **state)
{
	struct test t = {.total = 10000};

	(void)state;
	ring_open(&t.ring, ENTRIES, ENTRIES, 0, 0);
	check(&t);
	ring_close(&t.ring);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sleeps_on_work_from_any_start_index),
		cmocka_unit_test(nobody_sleeps_on_work_in_many_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
