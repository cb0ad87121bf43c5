// SPDX-License-Identifier: MIT
// What the driver sees of a queue it does not own: four words that may all lie, and a state.
// Owner: guest/ring.

#include "ring_fixture.h"

static const uint32_t lies[] = {0, 1, 2, 3, 0x7fffffff, 1u << 31, 0xfffffffe, 0xffffffff};
#define NR_LIES (sizeof(lies) / sizeof(lies[0]))

static struct utmem_watch watch(const struct ring *r)
{
	struct utmem_watch w;

	utmem_watch_read(&w, r->page, &r->geo);
	return w;
}

static void watch_counts_requests_and_completions_of_an_honest_queue(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		uint32_t start = r->page->sq_tail;

		for (uint32_t waiting = 0; waiting <= n; waiting++) {
			r->page->sq_tail = r->page->cq_tail = start + waiting;
			assert_int_equal(watch(r).unserved, waiting);
			assert_int_equal(watch(r).ready, waiting);
			assert_int_equal(watch(r).cq_head, start);
			assert_int_equal(watch(r).sq_tail, start + waiting);
		}
	}
}

static void watch_counts_what_will_be_complete_however_far_the_host_has_come(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		uint32_t start = r->page->sq_tail;

		r->page->sq_tail = start + n;
		for (uint32_t served = 0; served <= n; served++) {
			r->page->sq_head = r->page->cq_tail = start + served;
			assert_int_equal(watch(r).coming, n);
			/* Between the two stores of the host */
			r->page->sq_head = start + served - (served > 0);
			assert_int_equal(watch(r).coming, n);
			r->page->cq_head = start + served;
			assert_int_equal(watch(r).coming, n - served);
			r->page->cq_head = start;
		}
	}
}

static void watch_never_says_more_than_the_rings_hold_whatever_the_words_say(void **state)
{
	struct ring *r = *state;

	ring_close(r);
	ring_open(r, 4, 8, 0, 0);
	for (size_t i = 0; i < NR_LIES * NR_LIES; i++) {
		uint32_t head = lies[i / NR_LIES], tail = lies[i % NR_LIES];

		r->page->sq_head = r->page->cq_head = head;
		r->page->sq_tail = r->page->cq_tail = tail;
		assert_int_equal(watch(r).unserved, tail - head <= 4 ? tail - head : 4);
		assert_int_equal(watch(r).ready, tail - head <= 8 ? tail - head : 8);
		assert_int_equal(watch(r).coming, tail - head <= 8 ? tail - head : 8);
	}
}

static void a_live_queue_has_no_error_whatever_its_error_word_says(void **state)
{
	struct ring *r = *state;

	ring_close(r);
	ring_open(r, 4, 4, 0, 0);
	utmem_state_store(r->page, UTMEM_QUEUE_LIVE, -EIO);
	assert_int_equal(utmem_state_error(r->page), 0);
}

static void an_ended_queue_says_why_and_an_absurd_reason_is_eproto(void **state)
{
	static const struct {
		int32_t error;
		int want;
	} cases[] = {
		{-EPROTO, -EPROTO}, {-ECONNRESET, -ECONNRESET}, {-1, -1},
		{-4095, -4095},	    {-4096, -EPROTO},		{0, -EPROTO},
		{1, -EPROTO},	    {INT32_MAX, -EPROTO},	{INT32_MIN, -EPROTO},
	};
	static const uint32_t states[] = {0, UTMEM_QUEUE_BROKEN, UTMEM_QUEUE_GONE, 4, ~0u};
	struct ring *r = *state;

	ring_close(r);
	ring_open(r, 4, 4, 0, 0);
	for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			utmem_state_store(r->page, states[s], cases[i].error);
			assert_int_equal(utmem_state_error(r->page), cases[i].want);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(watch_counts_requests_and_completions_of_an_honest_queue),
		cmocka_unit_test(watch_counts_what_will_be_complete_however_far_the_host_has_come),
		cmocka_unit_test(watch_never_says_more_than_the_rings_hold_whatever_the_words_say),
		cmocka_unit_test(a_live_queue_has_no_error_whatever_its_error_word_says),
		cmocka_unit_test(an_ended_queue_says_why_and_an_absurd_reason_is_eproto),
	};

	return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
