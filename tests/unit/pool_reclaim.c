// SPDX-License-Identifier: MIT
/* Memory goes back to the host when it is asked for, and takes no more values along than it must. */
#include "pool_fixture.h"

#define ARENA (64 * MIB)
#define BUDGET (256 * KIB)

static char value[4 * KIB];

static struct log *log_of(struct fixture *f)
{
	return &((struct pool_engine *)f->engine)->log;
}

static void put_n(struct fixture *f, struct utmem_pool *p, uint32_t n, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct utmem_key k = make_key(f, &i, sizeof(i));

		assert_int_equal(f->ops->put(p, &k, value, len, UTMEM_PUT_ALWAYS), 0);
	}
}

static uint32_t read_n(struct fixture *f, struct utmem_pool *p, uint32_t n)
{
	struct utmem_get_result out;
	uint32_t i, there = 0;

	for (i = 0; i < n; i++) {
		struct utmem_key k = make_key(f, &i, sizeof(i));

		there += !f->ops->get(p, &k, 0, NULL, 0, &out);
	}
	return there;
}

/* Until nothing more is to be had, or it is enough. Return: calls. */
static uint32_t reclaim(struct fixture *f, struct utmem_reclaim *r)
{
	uint64_t before = f->released_bytes;
	uint32_t calls = 1;

	while (f->ops->reclaim(f->engine, r, BUDGET))
		assert_true(++calls < 10000);
	assert_int_equal(f->released_bytes - before, r->released_bytes);
	check(f);
	return calls;
}

static void free_memory_goes_before_any_value(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;
	struct utmem_reclaim r = {.bytes = 2 * MIB};
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	p = open_pool(&f, "p", false);
	put_n(&f, c, 1000, sizeof(value));
	put_n(&f, p, 1000, sizeof(value));
	for (i = 0; i < 1000; i++) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));

		f.ops->del(p, &k);
	}
	reclaim(&f, &r);
	assert_true(r.released_bytes >= 2 * MIB);
	assert_int_equal(r.dropped_bytes, 0);
	assert_int_equal(counters(&f, c).nr_items, 1000);
	fixture_close(&f);
}

static void values_go_as_far_as_they_must_and_persistent_ones_never(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;
	struct utmem_reclaim r = {.bytes = 16 * MIB};

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	put_n(&f, p, 4000, sizeof(value));
	put_n(&f, c, 8000, sizeof(value));
	reclaim(&f, &r);
	assert_true(r.released_bytes >= 16 * MIB);
	assert_true(r.dropped_bytes <= 16 * MIB + 2 * log_of(&f)->seg_len);
	assert_int_equal(read_n(&f, p, 4000), 4000);
	assert_true(counters(&f, c).nr_items > 3500);
	fixture_close(&f);
}

static void more_than_there_is_ends_with_all_of_it(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;
	struct utmem_reclaim r = {.bytes = UINT64_MAX};

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	put_n(&f, p, 100, sizeof(value));
	put_n(&f, c, 8000, sizeof(value));
	reclaim(&f, &r);
	assert_int_equal(counters(&f, c).nr_items, 0);
	assert_int_equal(read_n(&f, p, 100), 100);
	assert_int_equal(log_of(&f)->nr_hot, 0);
	assert_false(f.ops->reclaim(f.engine, &r, BUDGET));
	fixture_close(&f);
}

static void nothing_is_asked_for_and_nothing_happens(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_reclaim none = {0}, byte = {.bytes = 1};

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 8000, sizeof(value));
	assert_false(f.ops->reclaim(f.engine, &none, BUDGET));
	assert_int_equal(f.released_bytes, 0);
	/* the least there is: a segment */
	reclaim(&f, &byte);
	assert_int_equal(byte.released_bytes, log_of(&f)->seg_len);
	assert_int_equal(engine_stat(&f).released_bytes, log_of(&f)->seg_len);
	fixture_close(&f);
}

static void only_the_tenant_that_is_named_loses(void **state)
{
	struct fixture f;
	struct utmem_tenant *other;
	struct utmem_pool *a, *b;
	struct utmem_reclaim r = {.bytes = 8 * MIB};

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", UINT64_MAX, &other), 0);
	b = open_pool_of(&f, other, "c", true);
	a = open_pool(&f, "c", true);
	put_n(&f, b, 8000, sizeof(value)); /* more, and older */
	put_n(&f, a, 4000, sizeof(value));
	r.tenant = f.tenant;
	reclaim(&f, &r);
	assert_true(r.released_bytes >= 8 * MIB);
	assert_int_equal(counters(&f, b).nr_evicted, 0);
	assert_int_equal(read_n(&f, b, 8000), 8000);
	assert_true(counters(&f, a).nr_items > 1500);
	fixture_close(&f);
}

/* A tenant whose values lie one by one between another's. */
static void thinly_spread_values_go_no_further_than_what_was_asked(void **state)
{
	struct fixture f;
	struct utmem_tenant *other;
	struct utmem_pool *a, *b;
	struct utmem_reclaim r = {.bytes = MIB};
	uint32_t i, j, no = 0;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", UINT64_MAX, &other), 0);
	a = open_pool(&f, "c", true);
	b = open_pool_of(&f, other, "c", true);
	for (i = 0; i < 5000; i++) {
		for (j = 0; j < 20; j++, no++) {
			struct utmem_key k = make_key(&f, &no, sizeof(no));

			assert_int_equal(f.ops->put(j ? b : a, &k, value, 400, UTMEM_PUT_ALWAYS),
					 0);
		}
	}
	r.tenant = f.tenant;
	reclaim(&f, &r);
	assert_int_equal(counters(&f, b).nr_evicted, 0);
	assert_true(r.dropped_bytes >= MIB);
	assert_true(r.dropped_bytes < MIB + 256 * KIB);
	fixture_close(&f);
}

static void values_that_were_all_read_go_as_promptly(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_reclaim r = {.bytes = 16 * MIB};
	uint64_t before;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 12000, sizeof(value));
	assert_int_equal(read_n(&f, c, 12000), 12000);
	before = engine_stat(&f).nr_cleaned_bytes;
	reclaim(&f, &r);
	assert_true(r.released_bytes >= 16 * MIB);
	assert_true(engine_stat(&f).nr_cleaned_bytes - before < MIB);
	fixture_close(&f);
}

static void values_that_were_read_stay_where_others_can_go(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_reclaim r = {.bytes = 16 * MIB};
	struct utmem_get_result out;
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 12000, sizeof(value));
	for (i = 0; i < 12000; i += 4) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));

		f.ops->get(c, &k, 0, NULL, 0, &out);
	}
	reclaim(&f, &r);
	assert_true(r.released_bytes >= 16 * MIB);
	for (i = 0; i < 12000; i += 4) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));

		assert_int_equal(f.ops->get(c, &k, 0, NULL, 0, &out), 0);
	}
	fixture_close(&f);
}

static void one_call_does_a_bounded_amount(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_reclaim r = {.bytes = 32 * MIB};
	uint64_t evicted, most = 0;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 300000, 100);
	do {
		evicted = counters(&f, c).nr_evicted;
		f.ops->reclaim(f.engine, &r, BUDGET);
		evicted = counters(&f, c).nr_evicted - evicted;
		most = evicted > most ? evicted : most;
	} while (evicted || r.released_bytes < 24 * MIB);
	assert_true(most > 0);
	assert_true(most <= (BUDGET + 64 * KIB) / record_size(4, 100));
	fixture_close(&f);
}

static void lowered_quota_gives_memory_back_with_the_next_calls_of_maintain(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t calls;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 12000, sizeof(value));
	f.ops->tenant_quota(f.tenant, 16 * MIB);
	for (calls = 0; calls < 2 * ARENA / MIB; calls++)
		f.ops->maintain(f.engine, BUDGET);
	assert_true(tenant_used(&f, f.tenant) <= 16 * MIB);
	assert_true(tenant_used(&f, f.tenant) > 14 * MIB);
	/* all but what is always kept */
	assert_true(log_of(&f)->nr_hot <= 2 * log_of(&f)->low_water);
	check(&f);
	fixture_close(&f);
}

static void quota_of_nothing_is_reached_without_memory_for_new_contents(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t calls = 0;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 100000, 100);
	f.fail_at = f.nr_allocs + 1;
	f.fail_on = true;
	f.ops->tenant_quota(f.tenant, 0);
	assert_true(counters(&f, c).nr_items > 0);
	while (counters(&f, c).nr_items) {
		f.ops->maintain(f.engine, BUDGET);
		assert_true(++calls < 1000);
	}
	f.fail_at = 0;
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	check(&f);
	fixture_close(&f);
}

static void a_big_pool_that_is_flushed_or_destroyed_takes_its_memory_with_it(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t round, calls;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	for (round = 0; round < 2; round++) {
		c = open_pool(&f, "c", false);
		put_n(&f, c, 12000, sizeof(value));
		assert_int_equal(round ? f.ops->pool_destroy(c) : f.ops->flush(c), 0);
		f.ops->pool_close(c);
		for (calls = 0; calls < 4 * log_of(&f)->nr_segs; calls++)
			f.ops->maintain(f.engine, BUDGET);
		assert_true(log_of(&f)->nr_hot <= 2 * log_of(&f)->low_water);
	}
	fixture_close(&f);
}

static void memory_is_there_again_after_it_was_given_back(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_reclaim r = {.bytes = UINT64_MAX};

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 12000, sizeof(value));
	reclaim(&f, &r);
	fill_value(value, sizeof(value), 7);
	put_n(&f, c, 12000, sizeof(value));
	assert_int_equal(read_n(&f, c, 12000), 12000);
	check(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_memory_goes_before_any_value),
		cmocka_unit_test(values_go_as_far_as_they_must_and_persistent_ones_never),
		cmocka_unit_test(more_than_there_is_ends_with_all_of_it),
		cmocka_unit_test(nothing_is_asked_for_and_nothing_happens),
		cmocka_unit_test(only_the_tenant_that_is_named_loses),
		cmocka_unit_test(thinly_spread_values_go_no_further_than_what_was_asked),
		cmocka_unit_test(values_that_were_all_read_go_as_promptly),
		cmocka_unit_test(values_that_were_read_stay_where_others_can_go),
		cmocka_unit_test(one_call_does_a_bounded_amount),
		cmocka_unit_test(lowered_quota_gives_memory_back_with_the_next_calls_of_maintain),
		cmocka_unit_test(quota_of_nothing_is_reached_without_memory_for_new_contents),
		cmocka_unit_test(a_big_pool_that_is_flushed_or_destroyed_takes_its_memory_with_it),
		cmocka_unit_test(memory_is_there_again_after_it_was_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
