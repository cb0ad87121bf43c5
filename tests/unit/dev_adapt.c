// SPDX-License-Identifier: GPL-2.0-only
// The driver's decision whether to wait for more, on streams of requests with a clock of our own.
// Owner: guest/dev.

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guest/dev/utmem_adapt.h"

#define US 1000ull
#define MS 1000000ull

/* One service slot as utmem_batch.c has it; the host sleeps whenever it is not being rung. */
struct slot {
	struct utmem_adapt a;
	uint32_t max, usecs;
	uint64_t now;
	/* the batch */
	uint32_t pending, limit;
	bool joined;
	uint64_t first, due, quiet;
	/* what came of it */
	uint32_t rings, waits; /* doorbells; of them, those that somebody had to wait for */
	uint64_t longest;      /* ns that a first request waited */
};

static void open_slot(struct slot *s, uint32_t max, uint32_t usecs)
{
	*s = (struct slot){.max = max, .usecs = usecs, .now = 1000 * MS};
	utmem_adapt_init(&s->a);
}

static void counters_clear(struct slot *s)
{
	s->rings = s->waits = 0;
	s->longest = 0;
}

static void ring(struct slot *s, bool by_timer)
{
	if (s->joined || by_timer)
		utmem_adapt_waited(&s->a, s->joined);
	s->waits += s->now > s->first;
	if (s->now - s->first > s->longest)
		s->longest = s->now - s->first;
	s->rings++;
	s->pending = 0;
	s->joined = false;
}

static uint64_t wait_end(const struct slot *s)
{
	return s->due < s->quiet ? s->due : s->quiet;
}

/* Time passes. */
static void pass(struct slot *s, uint64_t ns)
{
	uint64_t until = s->now + ns;

	if (s->pending && wait_end(s) <= until) {
		s->now = wait_end(s);
		ring(s, true);
	}
	s->now = until;
}

/* Return: rung at once. */
static bool submit(struct slot *s, uint32_t n)
{
	uint32_t limit;

	utmem_adapt_call(&s->a, s->now, n, s->usecs);
	s->joined = s->pending;
	if (!s->pending) {
		s->first = s->now;
		s->limit = UINT32_MAX;
		s->due = s->now + s->usecs * US;
	}
	s->pending += n;
	limit = utmem_adapt_limit(&s->a, s->pending, !s->joined, s->max, s->usecs);
	assert_in_range(limit, 1, s->max);
	s->limit = limit < s->limit ? limit : s->limit;
	s->quiet = s->now + utmem_adapt_quiet(&s->a, s->usecs);
	if (s->pending < s->limit)
		return false;
	ring(s, false);
	return true;
}

/* @nr calls of @n requests, each @gap after the one before. */
static void stream(struct slot *s, uint32_t nr, uint32_t n, uint64_t gap_ns)
{
	while (nr--) {
		pass(s, gap_ns);
		submit(s, n);
	}
}

static void the_first_request_ever_waits_for_nobody(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 32, 50);
	assert_true(submit(&s, 1));
}

static void where_little_arrives_nothing_waits(void **state)
{
	static const uint64_t gaps[] = {30 * US, 50 * US, 200 * US, 10 * MS, 60000 * MS};
	struct slot s;

	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		open_slot(&s, 32, 50);
		stream(&s, 1000, 1, gaps[i]);
		assert_int_equal(s.rings, 1000);
		assert_int_equal(s.waits, 0);
	}
}

static void where_much_arrives_many_share_a_doorbell(void **state)
{
	static const struct {
		uint64_t gap;
		uint32_t rings; /* at most, for 3200 requests */
	} rows[] = {
		{100, 110}, {1 * US, 110}, {2 * US, 150}, {5 * US, 500}, {10 * US, 1000},
	};
	struct slot s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_slot(&s, 32, 50);
		stream(&s, 200, 1, rows[i].gap);
		counters_clear(&s);
		stream(&s, 3200, 1, rows[i].gap);
		assert_in_range(s.rings, 3200 / 32, rows[i].rings);
	}
}

static void load_is_noticed_within_32_requests(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 32, 50);
	stream(&s, 100, 1, 10 * MS);
	stream(&s, 32, 1, 1 * US);
	counters_clear(&s);
	stream(&s, 320, 1, 1 * US);
	assert_in_range(s.rings, 8, 20);
}

static void the_end_of_load_is_noticed_within_4_requests(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 32, 50);
	stream(&s, 1000, 1, 1 * US);
	stream(&s, 4, 1, 10 * MS);
	counters_clear(&s);
	stream(&s, 1000, 1, 10 * MS);
	assert_int_equal(s.waits, 0);
}

static void bursts_are_gathered_and_their_end_is_not_waited_out(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 64, 1000);
	for (int burst = 0; burst < 110; burst++) {
		pass(&s, 50 * MS);
		if (burst == 10)
			counters_clear(&s);
		stream(&s, 20, 1, 1 * US);
	}
	pass(&s, 50 * MS);
	/* The pause before makes the first guess a small one. Nobody waits for the whole millisecond. */
	assert_in_range(s.rings, 100, 300);
	assert_in_range(s.longest, 0, 300 * US);
}

static void silence_ends_a_wait_early(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 64, 1000);
	stream(&s, 64 * 10 + 1, 1, 1 * US);
	counters_clear(&s);
	assert_true(s.pending);
	pass(&s, 10 * MS);
	assert_int_equal(s.rings, 1);
	assert_in_range(s.longest, 250 * US, 320 * US);
}

/* It looks for its answer without a word, and sends the next request when it has come. */
static void who_sends_nothing_while_he_waits_is_soon_not_made_to_wait(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 32, 1000);
	for (int i = 0; i < 3200; i++) {
		if (!submit(&s, 1))
			pass(&s, wait_end(&s) - s.now);
		pass(&s, 30 * US);
		if (i == 100)
			counters_clear(&s);
	}
	assert_in_range(s.waits, 0, 3200 / 30);
}

static void waiting_is_tried_again_and_kept_when_it_helps(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 32, 1000);
	for (int i = 0; i < 100; i++) {
		if (!submit(&s, 1))
			pass(&s, wait_end(&s) - s.now);
		pass(&s, 30 * US);
	}
	stream(&s, 64, 1, 2 * US);
	counters_clear(&s);
	stream(&s, 3200, 1, 2 * US);
	assert_in_range(s.rings, 100, 110);
}

static void requests_seen_late_make_the_stream_faster_and_never_slower(void **state)
{
	struct slot s;
	uint32_t gap;

	(void)state;
	open_slot(&s, 32, 50);
	stream(&s, 100, 1, 10 * MS);
	/* 10000 of them while the host was awake */
	utmem_adapt_unseen(&s.a, s.now - 10 * MS, s.now, 10000, s.usecs);
	assert_false(submit(&s, 1));
	stream(&s, 320, 1, 100);
	gap = s.a.gap_ns;
	utmem_adapt_unseen(&s.a, s.now - 10 * MS, s.now, 1, s.usecs);
	assert_int_equal(s.a.gap_ns, gap);
}

static void one_call_with_many_requests_is_one_call(void **state)
{
	struct slot s;

	(void)state;
	open_slot(&s, 32, 50);
	/* 16 at a time, but each time alone */
	stream(&s, 1000, 16, 1 * MS);
	assert_int_equal(s.waits, 0);
	/* two calls fill a batch */
	stream(&s, 100, 16, 5 * US);
	counters_clear(&s);
	stream(&s, 1000, 16, 5 * US);
	assert_int_equal(s.rings, 500);
}

static void completions_one_by_one_are_a_stream(void **state)
{
	struct utmem_adapt a;

	(void)state;
	utmem_adapt_init(&a);
	assert_int_equal(utmem_adapt_limit(&a, 0, false, 32, 50), 0);
	utmem_adapt_several(&a, 1 * MS, 8, 50);
	utmem_adapt_several(&a, 1 * MS + 16 * US, 16, 50);
	assert_in_range(utmem_adapt_limit(&a, 0, false, 32, 50), 25, 32);
	utmem_adapt_several(&a, 100 * MS, 1, 50);
	utmem_adapt_several(&a, 200 * MS, 1, 50);
	utmem_adapt_several(&a, 300 * MS, 1, 50);
	assert_int_equal(utmem_adapt_limit(&a, 0, false, 32, 50), 0);
}

static void no_wait_is_longer_and_no_batch_larger_than_the_knobs_say(void **state)
{
	static const uint32_t maxs[] = {1, 2, 32, 65536}, waits[] = {0, 1, 50, 1000000};
	struct slot s;

	(void)state;
	srand(1);
	for (size_t i = 0; i < 16; i++) {
		open_slot(&s, maxs[i / 4], waits[i % 4]);
		for (int call = 0; call < 20000; call++) {
			uint64_t gap = (uint64_t)rand() >> rand() % 32;

			pass(&s, gap * (rand() % 64 ? 1 : 1000));
			submit(&s, 1u + (uint32_t)(rand() % 8 ? 0 : rand() % 32768));
		}
		assert_in_range(s.longest, 0, s.usecs * US);
		assert_in_range(s.a.gap_ns, 0, utmem_adapt_ceiling(s.usecs));
		if (!s.usecs || s.max == 1)
			assert_int_equal(s.waits, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_request_ever_waits_for_nobody),
		cmocka_unit_test(where_little_arrives_nothing_waits),
		cmocka_unit_test(where_much_arrives_many_share_a_doorbell),
		cmocka_unit_test(load_is_noticed_within_32_requests),
		cmocka_unit_test(the_end_of_load_is_noticed_within_4_requests),
		cmocka_unit_test(bursts_are_gathered_and_their_end_is_not_waited_out),
		cmocka_unit_test(silence_ends_a_wait_early),
		cmocka_unit_test(who_sends_nothing_while_he_waits_is_soon_not_made_to_wait),
		cmocka_unit_test(waiting_is_tried_again_and_kept_when_it_helps),
		cmocka_unit_test(requests_seen_late_make_the_stream_faster_and_never_slower),
		cmocka_unit_test(one_call_with_many_requests_is_one_call),
		cmocka_unit_test(completions_one_by_one_are_a_stream),
		cmocka_unit_test(no_wait_is_longer_and_no_batch_larger_than_the_knobs_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
