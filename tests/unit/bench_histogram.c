// SPDX-License-Identifier: MIT
// The bench's histogram: every value has one bucket, percentiles are at most 3 % too high.
// Owner: bench.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bench/histogram.c"

static struct histogram h;

static int clear(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	return 0;
}

static void a_percentile_of_one_value_is_that_value_or_3_percent_more(void **state)
{
	(void)state;
	for (uint64_t v = 1; v < 1ull << 62; v += v / 7 + 1) {
		memset(&h, 0, sizeof(h));
		histogram_add(&h, v, 1);
		assert_in_range(histogram_percentile(&h, 500), v, v + v / 31);
		assert_int_equal(histogram_percentile(&h, 1000), histogram_percentile(&h, 1));
	}
}

static void buckets_never_go_down_and_stay_in_the_table(void **state)
{
	uint32_t last = 0;

	(void)state;
	for (uint64_t v = 0; v < 1 << 20; v++) {
		assert_in_range(histogram_bucket(v), last, last + 1);
		last = histogram_bucket(v);
	}
	assert_true(histogram_bucket(UINT64_MAX) < HISTOGRAM_BUCKETS);
	assert_int_equal(bucket_top(histogram_bucket(UINT64_MAX)), UINT64_MAX);
}

static void percentiles_count_from_below(void **state)
{
	(void)state;
	for (uint64_t v = 1; v <= 20; v++)
		histogram_add(&h, v, 5);
	assert_int_equal(histogram_percentile(&h, 500), 10);
	assert_int_equal(histogram_percentile(&h, 990), 20);
	assert_int_equal(histogram_percentile(&h, 10), 1);
}

static void merging_adds_and_an_empty_one_says_0(void **state)
{
	struct histogram other = {0};

	(void)state;
	assert_int_equal(histogram_percentile(&h, 500), 0);
	histogram_add(&other, 7, 3);
	histogram_merge(&h, &other);
	histogram_merge(&h, &other);
	assert_int_equal(h.count, 6);
	assert_int_equal(histogram_percentile(&h, 999), 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_percentile_of_one_value_is_that_value_or_3_percent_more,
				       clear),
		cmocka_unit_test_setup(buckets_never_go_down_and_stay_in_the_table, clear),
		cmocka_unit_test_setup(percentiles_count_from_below, clear),
		cmocka_unit_test_setup(merging_adds_and_an_empty_one_says_0, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
