// SPDX-License-Identifier: MIT
/* A tenant's quota counts everything, and is never exceeded. */
#include "pool_fixture.h"

#define ARENA (16 * MIB)
#define QUOTA (64 * KIB)

static char value[64 * KIB];

static uint32_t put_until_refused(struct fixture *f, struct utmem_pool *p, uint32_t len)
{
	char key[16];
	uint32_t n = 0;
	int err;

	do {
		snprintf(key, sizeof(key), "%08u", n++);
		err = put(f, p, key, value, len);
		assert_true(tenant_used(f, f->tenant) <= QUOTA);
	} while (!err);
	assert_int_equal(err, -ENOSPC);
	return n - 1;
}

static void charge_is_key_value_header_rounding_and_index(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put(&f, p, "abc", value, 10), 0);
	/* 3 + 10, rounded up with a header of 12 to 28, and 12 for the index */
	assert_int_equal(tenant_used(&f, f.tenant), 40);
	assert_int_equal(counters(&f, p).used_bytes, 40);
	fixture_close(&f);
}

static void empty_values_are_refused_at_the_quota_too(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_until_refused(&f, p, 0), QUOTA / charge_of(&f, 8, 0));
	check(&f);
	fixture_close(&f);
}

static void equal_size_overwrite_works_at_a_full_quota(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t len = 1000;
	uint64_t used;

	(void)state;
	fixture_open(&f, ARENA, 0);
	f.ops->tenant_quota(f.tenant, 3 * charge_of(&f, 3, len));
	p = open_pool(&f, "p", false);
	assert_int_equal(put(&f, p, "one", value, len), 0);
	assert_int_equal(put(&f, p, "two", value, len), 0);
	assert_int_equal(put(&f, p, "six", value, len), 0);
	used = tenant_used(&f, f.tenant);
	assert_int_equal(used, 3 * charge_of(&f, 3, len));
	assert_int_equal(put(&f, p, "two", value, len), 0);
	assert_int_equal(tenant_used(&f, f.tenant), used);
	assert_int_equal(put(&f, p, "two", value, len + 4), -ENOSPC);
	assert_int_equal(exists(&f, p, "two"), -ENOENT);
	assert_int_equal(exists(&f, p, "one"), len);
	fixture_close(&f);
}

static void stream_in_progress_counts(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_stream *s, *t;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(stream_begin(&f, p, "s", 40 * KIB, &s), 0);
	assert_true(tenant_used(&f, f.tenant) >= 40 * KIB);
	assert_int_equal(stream_begin(&f, p, "t", 40 * KIB, &t), -ENOSPC);
	assert_null(t);
	assert_int_equal(put(&f, p, "key", value, 30 * KIB), -ENOSPC);
	f.ops->stream_abort(s);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(put(&f, p, "key", value, 30 * KIB), 0);
	check(&f);
	fixture_close(&f);
}

static void quota_is_shared_by_all_pools_of_a_tenant_and_by_nobody_else(void **state)
{
	struct fixture f;
	struct utmem_tenant *other;
	struct utmem_pool *a, *b, *c;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	a = open_pool(&f, "a", false);
	b = open_pool(&f, "b", false);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", QUOTA, &other), 0);
	c = open_pool_of(&f, other, "a", false);
	assert_int_equal(put(&f, a, "key", value, 40 * KIB), 0);
	assert_int_equal(put(&f, b, "key", value, 40 * KIB), -ENOSPC);
	assert_int_equal(put(&f, c, "key", value, 40 * KIB), 0);
	assert_int_equal(tenant_used(&f, f.tenant), counters(&f, a).used_bytes);
	check(&f);
	fixture_close(&f);
}

static void lowered_quota_refuses_puts_until_it_fits(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put(&f, p, "big", value, 30 * KIB), 0);
	assert_int_equal(put(&f, p, "small", value, 1 * KIB), 0);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 8 * KIB), 0);
	assert_int_equal(exists(&f, p, "big"), 30 * KIB);
	assert_int_equal(put(&f, p, "new", value, 1), -ENOSPC);
	assert_int_equal(del(&f, p, "big"), 0);
	assert_int_equal(put(&f, p, "new", value, 1), 0);
	fixture_close(&f);
}

static void lowered_quota_drops_ephemeral_values_at_once(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;
	uint32_t n;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	assert_int_equal(put(&f, p, "keep", value, 10 * KIB), 0);
	for (n = 0; n < 40; n++) {
		char key[16];

		snprintf(key, sizeof(key), "%u", n);
		assert_int_equal(put(&f, c, key, value, KIB), 0);
	}
	assert_int_equal(f.ops->tenant_quota(f.tenant, 20 * KIB), 0);
	assert_true(tenant_used(&f, f.tenant) <= 20 * KIB);
	assert_true(counters(&f, c).nr_items > 0);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	assert_int_equal(counters(&f, c).nr_items, 0);
	assert_int_equal(counters(&f, c).nr_evicted, 40);
	assert_int_equal(exists(&f, p, "keep"), 10 * KIB);
	check(&f);
	fixture_close(&f);
}

static void quota_at_its_edges(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;
	uint64_t one, used;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	one = charge_of(&f, 3, 100);
	assert_int_equal(put(&f, p, "one", value, 100), 0);
	assert_int_equal(put(&f, p, "two", value, 100), 0);
	assert_int_equal(put(&f, c, "tmp", value, 100), 0);
	used = tenant_used(&f, f.tenant);
	assert_int_equal(used, 3 * one);

	/* what is used: nothing goes, the next value must push one out */
	f.ops->tenant_quota(f.tenant, used);
	assert_int_equal(counters(&f, c).nr_items, 1);
	assert_int_equal(put(&f, p, "six", value, 100), 0);
	assert_int_equal(counters(&f, c).nr_items, 0);
	assert_int_equal(put(&f, p, "ten", value, 1), -ENOSPC);

	/* a byte less than what persistent pools hold: only overwriting shorter fits */
	f.ops->tenant_quota(f.tenant, used - 1);
	assert_int_equal(tenant_used(&f, f.tenant), used);
	assert_int_equal(put(&f, p, "one", value, 100), -ENOSPC);
	assert_int_equal(exists(&f, p, "one"), -ENOENT); /* put-put-get */
	assert_int_equal(put(&f, p, "one", value, 96), 0);

	f.ops->tenant_quota(f.tenant, 0);
	assert_int_equal(counters(&f, p).nr_items, 3);
	assert_int_equal(put(&f, p, "ten", value, 0), -ENOSPC);
	assert_int_equal(put(&f, c, "ten", value, 0), -ENOSPC);

	/* raised: with the next request */
	f.ops->tenant_quota(f.tenant, used + one);
	assert_int_equal(put(&f, c, "ten", value, 100), 0);
	check(&f);
	fixture_close(&f);
}

static void quota_a_byte_below_what_is_used_drops_one_ephemeral_value_or_some(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	char key[16];
	uint32_t n;

	(void)state;
	fixture_open(&f, ARENA, UINT64_MAX);
	c = open_pool(&f, "c", true);
	for (n = 0; n < 1000; n++) {
		snprintf(key, sizeof(key), "%u", n);
		assert_int_equal(put(&f, c, key, value, 100), 0);
	}
	f.ops->tenant_quota(f.tenant, tenant_used(&f, f.tenant) - 1);
	assert_in_range(counters(&f, c).nr_evicted, 1, 200);
	check(&f);
	fixture_close(&f);
}

/* What is left goes with further calls, or with maintain. */
static void one_change_of_a_quota_drops_a_bounded_number_of_values(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint64_t evicted;
	uint32_t n;

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	c = open_pool(&f, "c", true);
	for (n = 0; n < 600000; n++) {
		struct utmem_key k = make_key(&f, &n, sizeof(n));

		assert_int_equal(f.ops->put(c, &k, value, 4, UTMEM_PUT_ALWAYS), 0);
	}
	f.ops->tenant_quota(f.tenant, MIB);
	evicted = counters(&f, c).nr_evicted;
	assert_true(evicted > 0 && evicted < 100000);
	f.ops->tenant_quota(f.tenant, MIB);
	assert_true(counters(&f, c).nr_evicted > evicted);
	assert_true(tenant_used(&f, f.tenant) > MIB);
	for (n = 0; n < 1000 && tenant_used(&f, f.tenant) > MIB; n++)
		f.ops->maintain(f.engine, 64 * KIB);
	assert_true(tenant_used(&f, f.tenant) <= MIB);
	assert_true(tenant_used(&f, f.tenant) > MIB - 64 * KIB);
	settle(&f);
	check(&f);
	fixture_close(&f);
}

/* Nothing may stay: whole pools go, not value by value. */
static void quota_of_nothing_drops_600000_values_with_bounded_work(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t n;

	(void)state;
	fixture_open(&f, 64 * MIB, 64 * MIB);
	c = open_pool(&f, "c", true);
	for (n = 0; n < 600000; n++) {
		struct utmem_key k = make_key(&f, &n, sizeof(n));

		assert_int_equal(f.ops->put(c, &k, value, 4, UTMEM_PUT_ALWAYS), 0);
	}
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(counters(&f, c).nr_items, 0);
	assert_int_equal(counters(&f, c).nr_evicted, 600000);
	settle(&f);
	assert_true(engine_stat(&f).live_bytes == 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(charge_is_key_value_header_rounding_and_index),
		cmocka_unit_test(empty_values_are_refused_at_the_quota_too),
		cmocka_unit_test(equal_size_overwrite_works_at_a_full_quota),
		cmocka_unit_test(stream_in_progress_counts),
		cmocka_unit_test(quota_is_shared_by_all_pools_of_a_tenant_and_by_nobody_else),
		cmocka_unit_test(lowered_quota_refuses_puts_until_it_fits),
		cmocka_unit_test(lowered_quota_drops_ephemeral_values_at_once),
		cmocka_unit_test(quota_at_its_edges),
		cmocka_unit_test(quota_a_byte_below_what_is_used_drops_one_ephemeral_value_or_some),
		cmocka_unit_test(one_change_of_a_quota_drops_a_bounded_number_of_values),
		cmocka_unit_test(quota_of_nothing_drops_600000_values_with_bounded_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
