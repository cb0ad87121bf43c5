// SPDX-License-Identifier: MIT
/* Conditional puts, and what a put that fails leaves behind. */
#include "pool_fixture.h"

#define ARENA (4 * MIB)

static void if_absent_fails_with_eexist_and_keeps_the_old_value(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_cond(&f, p, "key", "old", 3, UTMEM_PUT_IF_ABSENT), 0);
	assert_int_equal(put_cond(&f, p, "key", "new", 3, UTMEM_PUT_IF_ABSENT), -EEXIST);
	assert_value(&f, p, "key", "old");
	assert_int_equal(counters(&f, p).nr_refused, 0);
	fixture_close(&f);
}

static void if_present_fails_with_enoent_and_stores_nothing(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_cond(&f, p, "key", "new", 3, UTMEM_PUT_IF_PRESENT), -ENOENT);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(put_cond(&f, p, "key", "new", 3, UTMEM_PUT_IF_PRESENT), 0);
	assert_value(&f, p, "key", "new");
	fixture_close(&f);
}

static void failed_overwrite_for_quota_removes_the_old_value(void **state)
{
	static char big[8 * KIB];
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, 4 * KIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(put(&f, p, "key", big, sizeof(big)), -ENOSPC);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(counters(&f, p).nr_refused, 1);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	check(&f);
	fixture_close(&f);
}

static void failed_overwrite_for_arena_removes_the_old_value(void **state)
{
	static char big[2 * MIB];
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(put(&f, p, "key", big, sizeof(big)), -ENOSPC);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	check(&f);
	fixture_close(&f);
}

/* -EEXIST comes before the question of room. */
static void if_absent_without_room_keeps_the_old_value(void **state)
{
	static char big[8 * KIB];
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, 4 * KIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(put_cond(&f, p, "key", big, sizeof(big), UTMEM_PUT_IF_ABSENT), -EEXIST);
	assert_value(&f, p, "key", "old");
	fixture_close(&f);
}

static void too_long_a_value_changes_nothing(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(put(&f, p, "key", "x", (uint32_t)UTMEM_POOL_VALUE_MAX + 1), -E2BIG);
	assert_value(&f, p, "key", "old");
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(if_absent_fails_with_eexist_and_keeps_the_old_value),
		cmocka_unit_test(if_present_fails_with_enoent_and_stores_nothing),
		cmocka_unit_test(failed_overwrite_for_quota_removes_the_old_value),
		cmocka_unit_test(failed_overwrite_for_arena_removes_the_old_value),
		cmocka_unit_test(if_absent_without_room_keeps_the_old_value),
		cmocka_unit_test(too_long_a_value_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
