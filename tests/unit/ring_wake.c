// SPDX-License-Identifier: MIT
// Exactly which publish wakes a waiter, by brute force over small numbers and both wraps.
// Owner: guest/ring. One thread plays guest and host.

#include "ring_fixture.h"

/* Publish @count completions. Return: what publish says. */
static bool complete(struct ring *r, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		utmem_cq_fill(&r->writer, i, 0, 0);
	return utmem_cq_publish(&r->writer);
}

static void reap_all(struct ring *r)
{
	uint32_t n;

	assert_int_equal(utmem_cq_peek(&r->cq, &n), 0);
	utmem_cq_release(&r->cq, n);
	assert_int_equal(utmem_cq_room(&r->writer, &n), 0);
}

static void a_publish_wakes_exactly_when_the_tail_reaches_or_passes_wake_idx(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		uint32_t start = r->writer.end.own;

		for (uint32_t count = 1; count <= n; count++) {
			for (uint32_t d = 0; d <= 4 * n; d++) {
				uint32_t step = d - 2 * n; /* of wake_idx from the tail before */
				bool reached = step >= 1 && step <= count;

				ring_reset(r, start);
				utmem_wake_arm(r->page, start + step);
				assert_int_equal(complete(r, count), reached);
			}
		}
	}
}

static void a_wait_is_signalled_once_however_the_completions_are_cut(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		uint32_t start = r->writer.end.own;

		/* each bit of cut ends a batch: every way to cut n completions into publishes */
		for (uint32_t cut = 0; cut < 1u << (n - 1); cut++) {
			for (uint32_t want = 1; want <= n; want += n / 2) {
				uint32_t signals = 0, size = 0;

				ring_reset(r, start);
				utmem_wake_arm(r->page, start + want);
				for (uint32_t i = 0; i < n; i++) {
					size++;
					if (i == n - 1 || cut >> i & 1) {
						signals += complete(r, size);
						size = 0;
					}
				}
				assert_int_equal(signals, 1);
			}
		}
	}
}

static void nobody_is_woken_who_did_not_ask_or_took_it_back(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		uint32_t start = r->writer.end.own;

		r->page->wake_idx = start + 1;
		assert_false(complete(r, 1));
		reap_all(r);
		utmem_wake_arm(r->page, start + 2);
		utmem_wake_disarm(r->page);
		assert_false(complete(r, 1));
	}
}

static void publishing_nothing_wakes_nobody_and_stores_no_tail(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		utmem_wake_arm(r->page, r->writer.published);
		r->page->cq_tail = 0x5a5a5a5a;
		assert_false(utmem_cq_publish(&r->writer));
		assert_int_equal(r->page->cq_tail, 0x5a5a5a5a);
	}
}

static void a_kick_is_needed_between_arm_and_disarm_only(void **state)
{
	struct utmem_svc_line svc = {0};

	(void)state;
	assert_int_equal(utmem_kick_needed(&svc), 0);
	utmem_kick_arm(&svc, 1);
	assert_int_not_equal(utmem_kick_needed(&svc), 0);
	assert_int_equal(utmem_kick_needed(&svc), utmem_kick_needed(&svc));
	utmem_kick_disarm(&svc);
	assert_int_equal(utmem_kick_needed(&svc), 0);
	svc.flags = ~UTMEM_SVC_NEED_KICK; /* a number alone is no sleep */
	assert_int_equal(utmem_kick_needed(&svc), 0);
}

static void each_sleep_is_told_from_the_next_and_none_is_0(void **state)
{
	/* the 31 bits that are stored wrap at two of these */
	static const uint32_t starts[] = {0, 0x7ffffff0, 0xfffffff0};
	struct utmem_svc_line svc;

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint32_t before = 0;

		for (uint32_t nr = starts[i]; nr != starts[i] + 32; nr++) {
			utmem_kick_arm(&svc, nr);
			assert_int_equal(svc.flags, nr << 1 | 1);
			assert_int_equal(utmem_kick_needed(&svc), svc.flags);
			assert_int_not_equal(svc.flags, before);
			before = svc.flags;
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_publish_wakes_exactly_when_the_tail_reaches_or_passes_wake_idx),
		cmocka_unit_test(a_wait_is_signalled_once_however_the_completions_are_cut),
		cmocka_unit_test(nobody_is_woken_who_did_not_ask_or_took_it_back),
		cmocka_unit_test(publishing_nothing_wakes_nobody_and_stores_no_tail),
		cmocka_unit_test(a_kick_is_needed_between_arm_and_disarm_only),
		cmocka_unit_test(each_sleep_is_told_from_the_next_and_none_is_0),
	};

	return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
