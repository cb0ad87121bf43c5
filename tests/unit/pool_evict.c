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

/* A cache in which some values are overwritten: its segments have dead bytes, but few each. */
static void old_values_go_where_moving_others_would_cost_more(void **state)
{
	uint64_t random = 1;
	struct utmem_pool *c;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, 16 * MIB, 1024 * MIB);
	c = open_pool(&f, "c", true);
	for (i = 0; i < 400000; i++) {
		snprintf(key, sizeof(key), "%u", (uint32_t)(next_random(&random) % 100000));
		assert_int_equal(put(&f, c, key, value, 300), 0);
	}
	assert_true(counters(&f, c).nr_evicted > 100000);
	assert_true(engine_stat(&f).nr_cleaned_bytes < 2 * 400000 * 300ull);
	assert_true(engine_stat(&f).live_bytes > 16 * MIB * 8 / 10);
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

/* With the last value goes the index: what comes next goes into a new one. */
static void check_value_that_takes_the_place_of_all(size_t arena_len)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t len = sizeof(value);

	fixture_open(&f, arena_len, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 2000, 1, 0);
	assert_true(c->store->index.depth > 0);
	f.ops->tenant_quota(f.tenant, tenant_used(&f, f.tenant));
	while (charge_of(&f, 3, len) > tenant_used(&f, f.tenant))
		len--;
	assert_int_equal(put(&f, c, "big", value, len), 0);
	assert_int_equal(counters(&f, c).nr_items, 1);
	assert_int_equal(counters(&f, c).nr_evicted, 2000);
	assert_int_equal(exists(&f, c, "big"), len);
	assert_int_equal(c->store->index.depth, 0);
	check(&f);
	fixture_close(&f);
}

static void one_value_can_take_the_place_of_all_others(void **state)
{
	(void)state;
	/* in one record; in chunks */
	check_value_that_takes_the_place_of_all(256 * MIB);
	check_value_that_takes_the_place_of_all(16 * MIB);
}

/* Eviction comes by in bursts, so that part of a leaf is empty and the rest as full as before. */
static void values_find_a_place_in_an_index_that_eviction_has_half_emptied(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t i, n;

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	c = open_pool(&f, "c", true);
	for (i = 0; i < 300000; i++) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));

		assert_int_equal(f.ops->put(c, &k, value, 4, UTMEM_PUT_ALWAYS), 0);
		for (n = 0; i > 20000 && i % 512 == 0 && n < 100; n++)
			utpool_evict_step(f.tenant);
	}
	check(&f);
	fixture_close(&f);
}

static void one_round_of_eviction_comes_by_every_value(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	uint32_t n, nr_buckets = 0, d;
	struct index *ix;

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 30000, 4, 0);
	ix = &c->store->index;
	for (d = 0; !(d >> ix->depth); d += 1u << (ix->depth - ix->dir[d].leaf->depth))
		nr_buckets += ix->dir[d].leaf->nr_buckets;
	/* all were read: a round takes the marks away, and the buckets stay what they are */
	assert_int_equal(count_there(&f, c, 30000), 30000);
	for (n = 0; n < nr_buckets; n++)
		assert_int_equal(utpool_evict_step(f.tenant), 1);
	assert_int_equal(counters(&f, c).nr_items, 30000);
	/* leaves become smaller meanwhile, and some of a leaf is come by twice; none is left out */
	for (n = 0; counters(&f, c).nr_items; n++)
		utpool_evict_step(f.tenant);
	assert_true(n <= 2 * nr_buckets);
	fixture_close(&f);
}

/* Streams that are never finished, in the ephemeral pool @c: half of an arena of 16 MiB. */
static void begin_streams(struct fixture *f, struct utmem_pool *c)
{
	struct utmem_stream *s;
	char key[16];
	uint32_t i;

	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "s%u", i);
		assert_int_equal(stream_begin(f, c, key, sizeof(value), &s), 0);
		assert_int_equal(f->ops->stream_append(s, value, sizeof(value)), 0);
	}
}

static void unfinished_streams_in_an_ephemeral_pool_do_not_keep_others_out(void **state)
{
	struct fixture f;
	struct utmem_tenant *other;
	struct utmem_pool *p, *c;
	struct log *log;

	(void)state;
	fixture_open(&f, 16 * MIB, 4 * MIB);
	log = &((struct pool_engine *)f.engine)->log;
	assert_int_equal(f.ops->tenant_add(f.engine, "other", 64 * MIB, &other), 0);
	c = open_pool_of(&f, other, "c", true);
	p = open_pool(&f, "p", false);
	put_n(&f, p, 3000, 100, 0);
	begin_streams(&f, c);
	/* nothing of them lies where it would only be in the way */
	assert_null(log->heads[LOG_PUT_EPHEMERAL]);
	assert_true(list_empty(&log->aged));
	put_n(&f, c, 30000, 400, 0);
	put_n(&f, p, 3000, 1000, 0);
	assert_int_equal(count_there(&f, p, 3000), 3000);
	assert_int_equal(counters(&f, p).nr_refused, 0);
	check(&f);
	fixture_close(&f);
}

/* What the cleaner has in hand is off the list of what may be dropped. */
static void value_finds_room_where_the_cleaner_is_at_work(void **state)
{
	struct fixture f;
	struct pool_engine *e;
	struct utmem_pool *p, *c;
	struct segment *seg;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, MIB, 64 * MIB);
	e = (struct pool_engine *)f.engine;
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 150, 400, 0);
	utpool_log_close(&e->log, LOG_PUT_EPHEMERAL);
	seg = list_entry(e->log.aged.next, struct segment, age);
	utpool_log_take(seg);
	e->clean = (struct cursor){.seg = seg};
	for (i = 0; engine_live(e) + 500 <= e->log.capacity_bytes; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(&f, p, key, value, 400), 0);
	}
	assert_int_equal(put(&f, p, "one", value, 400), 0);
	assert_int_equal(put(&f, p, "two", value, 400), 0);
	assert_int_equal(put(&f, p, "three", value, 400), 0);
	assert_true(counters(&f, c).nr_evicted > 0);
	check(&f);
	fixture_close(&f);
}

static void passing_over_pools_without_ephemeral_values_counts_too(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	char name[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, 4 * MIB, 64 * MIB);
	c = open_pool(&f, "c", true);
	put_n(&f, c, 1, 1, 0);
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		open_pool(&f, name, false);
	}
	/* it is there for one more round, and the hand is past it */
	assert_int_equal(count_there(&f, c, 1), 1);
	assert_int_equal(utpool_evict_step(f.tenant), 1);
	assert_int_equal(utpool_evict_step(f.tenant), 1 + 64 / 16);
	assert_int_equal(counters(&f, c).nr_items, 0);
	assert_int_equal(utpool_evict_step(f.tenant), 0);
	fixture_close(&f);
}

/* Full of values of 1 byte that were all read: a step over them takes away only a mark. */
static struct utmem_pool *open_read_pool(struct fixture *f, uint32_t n)
{
	struct utmem_pool *c = open_pool(f, "c", true);

	put_n(f, c, n, 1, 0);
	assert_int_equal(count_there(f, c, n), n);
	f->ops->tenant_quota(f->tenant, tenant_used(f, f->tenant));
	return c;
}

static void puts_of_a_batch_share_what_may_be_evicted(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_stream *s;
	uint64_t after, i;

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	c = open_read_pool(&f, 400000);
	f.ops->maintain(f.engine, MIB);
	/* each would have half of the tenant's steps */
	for (i = 0; i < 8; i++)
		if (!stream_begin(&f, c, "big", 2 * MIB, &s))
			f.ops->stream_abort(s);
	assert_true(f.tenant->evict_left < 100);
	after = counters(&f, c).nr_evicted;
	for (i = 0; i < 1000; i++)
		if (!stream_begin(&f, c, "big", 9 * MIB, &s))
			f.ops->stream_abort(s);
	assert_true(counters(&f, c).nr_evicted - after <=
		    1000 * (EVICT_STEPS_PER_PUT + 1) * BUCKET_SLOTS);
	check(&f);
	fixture_close(&f);
}

static void first_put_after_maintain_may_evict_the_most(void **state)
{
	struct fixture f;
	struct utmem_pool *c;
	struct utmem_stream *s;

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	c = open_read_pool(&f, 100000);
	f.tenant->evict_turn = ((struct pool_engine *)f.engine)->turn;
	f.tenant->evict_left = 0;
	assert_int_equal(stream_begin(&f, c, "big", MIB, &s), -ENOSPC);
	f.ops->maintain(f.engine, MIB);
	assert_int_equal(stream_begin(&f, c, "big", MIB, &s), 0);
	f.ops->stream_abort(s);
	fixture_close(&f);
}

static void other_tenants_keep_what_they_may_evict(void **state)
{
	struct fixture f;
	struct utmem_tenant *other;
	struct utmem_pool *c, *d;

	(void)state;
	fixture_open(&f, 64 * MIB, 64 * KIB);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", 64 * KIB, &other), 0);
	c = open_pool(&f, "c", true);
	d = open_pool_of(&f, other, "d", true);
	put_n(&f, c, 1000, 100, 0);
	put_n(&f, d, 1000, 100, 0);
	f.tenant->evict_left = 0;
	assert_int_equal(put(&f, d, "key", value, 60 * KIB), 0);
	assert_int_equal(put(&f, c, "key", value, 60 * KIB), -ENOSPC);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ephemeral_put_always_finds_room_in_a_full_quota),
		cmocka_unit_test(ephemeral_put_always_finds_room_in_a_full_arena),
		cmocka_unit_test(old_values_go_where_moving_others_would_cost_more),
		cmocka_unit_test(persistent_put_pushes_out_ephemeral_values_of_its_tenant),
		cmocka_unit_test(
			persistent_put_pushes_out_ephemeral_values_of_anyone_in_a_full_arena),
		cmocka_unit_test(ephemeral_put_does_not_push_out_persistent_values),
		cmocka_unit_test(nothing_is_evicted_for_a_value_that_cannot_fit),
		cmocka_unit_test(values_that_are_read_outlive_others_under_quota_pressure),
		cmocka_unit_test(values_that_are_read_outlive_others_under_arena_pressure),
		cmocka_unit_test(large_ephemeral_values_go_whole),
		cmocka_unit_test(one_value_can_take_the_place_of_all_others),
		cmocka_unit_test(values_find_a_place_in_an_index_that_eviction_has_half_emptied),
		cmocka_unit_test(one_round_of_eviction_comes_by_every_value),
		cmocka_unit_test(unfinished_streams_in_an_ephemeral_pool_do_not_keep_others_out),
		cmocka_unit_test(value_finds_room_where_the_cleaner_is_at_work),
		cmocka_unit_test(passing_over_pools_without_ephemeral_values_counts_too),
		cmocka_unit_test(puts_of_a_batch_share_what_may_be_evicted),
		cmocka_unit_test(first_put_after_maintain_may_evict_the_most),
		cmocka_unit_test(other_tenants_keep_what_they_may_evict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
