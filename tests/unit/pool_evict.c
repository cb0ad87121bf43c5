// SPDX-License-Identifier: MIT
/* Ephemeral values go when room is short, persistent ones never. */
#include "pool_fixture.h"

static char value[80 * KIB];

static void put_n(struct fixture *f, struct utmem_pool *p, uint32_t n, uint32_t len, int err)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%06u", i);
		assert_int_equal(put(f, p, key, value, len), err);
	}
}

static uint32_t count_there(struct fixture *f, struct utmem_pool *p, uint32_t n)
{
	uint32_t i, there = 0;
	char key[16];

	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%06u", i);
		there += exists(f, p, key) >= 0;
	}
	return there;
}

static void ephemeral_put_always_finds_room_in_a_full_quota(void **state)
{
	struct fixture f;
	struct utmem_pool *c;

	(void)state;
	fixture_open(&f, 16 * MIB, 256 * KIB);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 10000, 100, 0);
	assert_true(counters(&f, c).nr_evicted > 0);
	assert_int_equal(counters(&f, c).nr_items + counters(&f, c).nr_evicted, 10000);
	/* the quota is used, not wasted */
	assert_true(tenant_used(&f, f.tenant) > 240 * KIB);
	check(&f);
	fixture_close(&f);
}

static void ephemeral_put_always_finds_room_in_a_full_arena(void **state)
{
	struct fixture f;
	struct utmem_pool *c;

	(void)state;
	fixture_open(&f, 4 * MIB, 1024 * MIB);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 50000, 300, 0);
	assert_true(counters(&f, c).nr_evicted > 0);
	assert_int_equal(counters(&f, c).nr_items + counters(&f, c).nr_evicted, 50000);
	assert_true(engine_stat(&f).live_bytes > 4 * MIB * 3 / 4);
	check(&f);
	fixture_close(&f);
}

static void persistent_put_pushes_out_ephemeral_values_of_its_tenant(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;

	(void)state;
	fixture_open(&f, 16 * MIB, 256 * KIB);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 1000, 100, 0);
	put_n(&f, p, 1000, 100, 0);
	assert_int_equal(count_there(&f, p, 1000), 1000);
	assert_true(counters(&f, c).nr_evicted > 0);
	check(&f);
	fixture_close(&f);
}

static void persistent_put_pushes_out_ephemeral_values_of_anyone_in_a_full_arena(void **state)
{
	struct fixture f;
	struct utmem_tenant *other;
	struct utmem_pool *p, *c;

	(void)state;
	fixture_open(&f, 4 * MIB, 64 * MIB);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", 64 * MIB, &other), 0);
	p = open_pool(&f, "p", false);
	c = open_pool_of(&f, other, "c", true);
	put_n(&f, c, 10000, 300, 0);
	put_n(&f, p, 10000, 300, 0);
	assert_int_equal(count_there(&f, p, 10000), 10000);
	assert_true(counters(&f, c).nr_items < 2000);
	check(&f);
	fixture_close(&f);
}

static void ephemeral_put_does_not_push_out_persistent_values(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;

	(void)state;
	fixture_open(&f, 16 * MIB, 128 * KIB);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	assert_int_equal(put(&f, p, "key", value, 60 * KIB), 0);
	assert_int_equal(put(&f, p, "yek", value, 60 * KIB), 0);
	assert_int_equal(put(&f, c, "key", value, 60 * KIB), -ENOSPC);
	assert_int_equal(counters(&f, c).nr_refused, 1);
	assert_int_equal(exists(&f, p, "key"), 60 * KIB);
	assert_int_equal(exists(&f, p, "yek"), 60 * KIB);
	fixture_close(&f);
}

static void nothing_is_evicted_for_a_value_that_cannot_fit(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;

	(void)state;
	fixture_open(&f, 16 * MIB, 128 * KIB);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	assert_int_equal(put(&f, p, "key", value, 60 * KIB), 0);
	put_n(&f, c, 100, 100, 0);
	assert_int_equal(put(&f, p, "two", value, 80 * KIB), -ENOSPC);
	assert_int_equal(count_there(&f, c, 100), 100);
	fixture_close(&f);
}

/* Both ways of eviction give what was read a second chance. */
static void check_second_chance(size_t arena_len, uint64_t quota)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t round, hot = 50, i;
	char key[16];

	fixture_open(&f, arena_len, quota);
	c = open_pool(&f, "c", true);
	put_n(&f, c, hot, 300, 0);
	for (round = 0; round < 20000; round++) {
		snprintf(key, sizeof(key), "x%u", round);
		assert_int_equal(put(&f, c, key, value, 300), 0);
		snprintf(key, sizeof(key), "%06u", round % hot);
		exists(&f, c, key);
	}
	for (i = 0, round = 0; i < hot; i++) {
		snprintf(key, sizeof(key), "%06u", i);
		round += exists(&f, c, key) >= 0;
	}
	assert_true(round > hot * 9 / 10);
	assert_true(counters(&f, c).nr_evicted > 5000);
	check(&f);
	fixture_close(&f);
}

static void values_that_are_read_outlive_others_under_quota_pressure(void **state)
{
	(void)state;
	check_second_chance(16 * MIB, 512 * KIB);
}

static void values_that_are_read_outlive_others_under_arena_pressure(void **state)
{
	(void)state;
	check_second_chance(2 * MIB, 64 * MIB);
}

static void large_ephemeral_values_go_whole(void **state)
{
	static char big[400 * KIB];
	struct fixture f;
	struct utmem_pool *c;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, 4 * MIB, 64 * MIB);
	c = open_pool(&f, "c", true);
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(&f, c, key, big, sizeof(big)), 0);
		if (i % 10 == 0)
			check(&f);
	}
	assert_int_equal(counters(&f, c).nr_items + counters(&f, c).nr_evicted, 100);
	assert_int_equal(counters(&f, c).value_bytes, counters(&f, c).nr_items * sizeof(big));
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ephemeral_put_always_finds_room_in_a_full_quota),
		cmocka_unit_test(ephemeral_put_always_finds_room_in_a_full_arena),
		cmocka_unit_test(persistent_put_pushes_out_ephemeral_values_of_its_tenant),
		cmocka_unit_test(
			persistent_put_pushes_out_ephemeral_values_of_anyone_in_a_full_arena),
		cmocka_unit_test(ephemeral_put_does_not_push_out_persistent_values),
		cmocka_unit_test(nothing_is_evicted_for_a_value_that_cannot_fit),
		cmocka_unit_test(values_that_are_read_outlive_others_under_quota_pressure),
		cmocka_unit_test(values_that_are_read_outlive_others_under_arena_pressure),
		cmocka_unit_test(large_ephemeral_values_go_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
