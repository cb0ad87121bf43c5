// SPDX-License-Identifier: MIT
// The completion ring's two views, honest on both ends, from every start index.
// Owner: guest/ring. One thread plays guest and host.

#include "ring_fixture.h"

static void complete(struct ring *r, uint32_t count, uint64_t first)
{
	for (uint32_t i = 0; i < count; i++)
		utmem_cq_fill(&r->writer, first + i, (int32_t)i - 1, i << 8);
	utmem_cq_publish(&r->writer);
}

static void expect_waiting(struct ring *r, uint32_t want)
{
	uint32_t n = ~0u;

	assert_int_equal(utmem_cq_peek(&r->cq, &n), 0);
	assert_int_equal(n, want);
}

static void expect_room(struct ring *r, uint32_t want)
{
	uint32_t n = ~0u;

	assert_int_equal(utmem_cq_room(&r->writer, &n), 0);
	assert_int_equal(n, want);
}

static void a_fresh_ring_has_all_its_room_and_no_completion(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		expect_room(r, n);
		expect_waiting(r, 0);
		assert_false(utmem_cq_publish(&r->writer));
		expect_waiting(r, 0);
	}
}

static void filled_completions_are_invisible_until_published(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		utmem_cq_fill(&r->writer, 1, 2, 3);
		expect_waiting(r, 0);
		expect_room(r, n - 1);
		utmem_cq_publish(&r->writer);
		expect_waiting(r, 1);
		expect_room(r, n - 1);
	}
}

static void a_full_ring_has_no_room_and_is_not_taken_for_an_empty_one(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		complete(r, n, 50);
		expect_room(r, 0);
		expect_waiting(r, n);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(utmem_cq_at(&r->cq, i)->user_data, 50 + i);
			assert_int_equal(utmem_cq_at(&r->cq, i)->res, (int32_t)i - 1);
			assert_int_equal(utmem_cq_at(&r->cq, i)->flags, i << 8);
		}
	}
}

static void room_comes_back_by_release_alone(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		complete(r, n, 0);
		for (uint32_t done = 1; done <= n; done++) {
			expect_waiting(r, n + 1 - done);
			expect_room(r, done - 1);
			utmem_cq_release(&r->cq, 1);
			expect_room(r, done);
		}
		expect_waiting(r, 0);
	}
}

static void completions_arrive_in_order_in_every_batch_size_over_three_rounds(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		for (uint32_t batch = 1; batch <= n; batch++) {
			for (uint32_t id = 0; id < 3 * n; id += batch) {
				complete(r, batch, id);
				expect_waiting(r, batch);
				for (uint32_t i = 0; i < batch; i++)
					assert_int_equal(utmem_cq_at(&r->cq, i)->user_data, id + i);
				utmem_cq_release(&r->cq, batch);
			}
		}
		expect_room(r, n);
	}
}

static void the_largest_ring_works_over_the_32_bit_wrap(void **state)
{
	const uint32_t n = UTMEM_CQ_ENTRIES_MAX;
	struct ring *r = *state;

	ring_close(r);
	ring_open(r, UTMEM_SQ_ENTRIES_MAX, n, 0, 0u - n / 2);
	complete(r, n, 1);
	expect_room(r, 0);
	expect_waiting(r, n);
	assert_int_equal(utmem_cq_at(&r->cq, 0)->user_data, 1);
	assert_int_equal(utmem_cq_at(&r->cq, n - 1)->user_data, n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_ring_has_all_its_room_and_no_completion),
		cmocka_unit_test(filled_completions_are_invisible_until_published),
		cmocka_unit_test(a_full_ring_has_no_room_and_is_not_taken_for_an_empty_one),
		cmocka_unit_test(room_comes_back_by_release_alone),
		cmocka_unit_test(completions_arrive_in_order_in_every_batch_size_over_three_rounds),
		cmocka_unit_test(the_largest_ring_works_over_the_32_bit_wrap),
	};

	return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
