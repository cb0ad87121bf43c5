// SPDX-License-Identifier: MIT
// The submission ring's two views, honest on both ends, from every start index.
// Owner: guest/ring. One thread plays guest and host.

#include "ring_fixture.h"

static void reserve_all(struct ring *r, uint64_t first)
{
	struct utmem_sqe *sqe;

	for (uint32_t i = 0; i < r->geo.sq_entries; i++) {
		sqe = utmem_sq_reserve(&r->sq);
		assert_non_null(sqe);
		sqe->user_data = first + i;
	}
}

static void expect_waiting(struct ring *r, uint32_t want)
{
	uint32_t n = ~0u;

	assert_int_equal(utmem_sq_peek(&r->reader, &n), 0);
	assert_int_equal(n, want);
}

static void expect_copy(struct ring *r, uint32_t i, uint64_t user_data)
{
	struct utmem_sqe sqe;

	utmem_sq_copy(&r->reader, i, &sqe);
	assert_int_equal(sqe.user_data, user_data);
}

static void an_empty_ring_has_nothing_to_peek_and_publishes_nothing(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		expect_waiting(r, 0);
		assert_int_equal(utmem_sq_pending(&r->sq), 0);
		assert_int_equal(utmem_sq_publish(&r->sq), 0);
		expect_waiting(r, 0);
	}
}

static void reserved_requests_are_invisible_until_published(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		reserve_all(r, 0);
		assert_int_equal(utmem_sq_pending(&r->sq), n);
		expect_waiting(r, 0);
		assert_int_equal(utmem_sq_publish(&r->sq), n);
		assert_int_equal(utmem_sq_pending(&r->sq), 0);
		expect_waiting(r, n);
	}
}

static void a_full_ring_refuses_and_is_not_taken_for_an_empty_one(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		reserve_all(r, 100);
		assert_null(utmem_sq_reserve(&r->sq));
		utmem_sq_publish(&r->sq);
		assert_null(utmem_sq_reserve(&r->sq));
		assert_false(r->sq.end.broken);
		expect_waiting(r, n);
		for (uint32_t i = 0; i < n; i++)
			expect_copy(r, i, 100 + i);
	}
}

static void each_released_slot_can_be_reserved_once(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		reserve_all(r, 0);
		utmem_sq_publish(&r->sq);
		for (uint32_t freed = 1; freed < n; freed++) {
			expect_waiting(r, n);
			utmem_sq_release(&r->reader, freed);
			for (uint32_t i = 0; i < freed; i++)
				assert_non_null(utmem_sq_reserve(&r->sq));
			assert_null(utmem_sq_reserve(&r->sq));
			assert_int_equal(utmem_sq_publish(&r->sq), freed);
		}
	}
}

static void requests_arrive_whole_and_in_order_over_three_rounds(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		for (uint64_t id = 0, seen = 0; id < 3 * n; id++) {
			struct utmem_sqe *sqe = utmem_sq_reserve(&r->sq), copy;

			assert_non_null(sqe);
			memset(sqe, (int)id, sizeof(*sqe));
			utmem_sq_publish(&r->sq);
			expect_waiting(r, (uint32_t)(id + 1 - seen));
			if (id % n != n / 2)
				continue;
			for (uint32_t i = 0; seen <= id; i++, seen++) {
				utmem_sq_copy(&r->reader, i, &copy);
				for (size_t b = 0; b < sizeof(copy); b++)
					assert_int_equal(((uint8_t *)&copy)[b], (uint8_t)seen);
			}
			utmem_sq_release(&r->reader, id == n / 2 ? n / 2 + 1 : n);
		}
	}
}

static void a_reserved_slot_is_zeroed_whatever_lay_in_it(void **state)
{
	static const struct utmem_sqe zero;
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		memset((char *)r->page + r->geo.sq_off, 0xa5, n * sizeof(struct utmem_sqe));
		for (uint32_t i = 0; i < n; i++)
			assert_memory_equal(utmem_sq_reserve(&r->sq), &zero, sizeof(zero));
	}
}

static void cancel_gives_back_the_last_reserved_and_only_those(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, n)
	{
		reserve_all(r, 7);
		utmem_sq_cancel(&r->sq, 1);
		assert_int_equal(utmem_sq_pending(&r->sq), n - 1);
		assert_int_equal(utmem_sq_publish(&r->sq), n - 1);
		utmem_sq_cancel(&r->sq, n); /* nothing pending: nothing is taken back */
		assert_int_equal(utmem_sq_pending(&r->sq), 0);
		expect_waiting(r, n - 1);
		expect_copy(r, n - 2, 7 + n - 2);
		assert_non_null(utmem_sq_reserve(&r->sq));
		assert_null(utmem_sq_reserve(&r->sq));
		utmem_sq_cancel(&r->sq, ~0u); /* more than there are: all of them */
		assert_int_equal(utmem_sq_pending(&r->sq), 0);
		expect_waiting(r, n - 1);
	}
}

static void unserved_counts_what_was_published_and_not_yet_released(void **state)
{
	struct ring *r = *state;
	uint32_t left;

	FOR_EACH_RING(r, n)
	{
		reserve_all(r, 0);
		assert_int_equal(utmem_sq_unserved(&r->sq, &left), 0);
		assert_int_equal(left, 0);
		utmem_sq_publish(&r->sq);
		for (uint32_t done = 0; done <= n; done++) {
			assert_int_equal(utmem_sq_unserved(&r->sq, &left), 0);
			assert_int_equal(left, n - done);
			if (done < n)
				utmem_sq_release(&r->reader, 1);
		}
	}
}

static void the_largest_ring_works_over_the_32_bit_wrap(void **state)
{
	const uint32_t n = UTMEM_SQ_ENTRIES_MAX;
	struct ring *r = *state;

	ring_close(r);
	ring_open(r, n, UTMEM_CQ_ENTRIES_MAX, 0, 0u - n / 2);
	reserve_all(r, 1);
	assert_null(utmem_sq_reserve(&r->sq));
	assert_int_equal(utmem_sq_publish(&r->sq), n);
	expect_waiting(r, n);
	expect_copy(r, 0, 1);
	expect_copy(r, n - 1, n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ring_has_nothing_to_peek_and_publishes_nothing),
		cmocka_unit_test(reserved_requests_are_invisible_until_published),
		cmocka_unit_test(a_full_ring_refuses_and_is_not_taken_for_an_empty_one),
		cmocka_unit_test(each_released_slot_can_be_reserved_once),
		cmocka_unit_test(requests_arrive_whole_and_in_order_over_three_rounds),
		cmocka_unit_test(a_reserved_slot_is_zeroed_whatever_lay_in_it),
		cmocka_unit_test(cancel_gives_back_the_last_reserved_and_only_those),
		cmocka_unit_test(unserved_counts_what_was_published_and_not_yet_released),
		cmocka_unit_test(the_largest_ring_works_over_the_32_bit_wrap),
	};

	return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
