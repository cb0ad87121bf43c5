// SPDX-License-Identifier: MIT
/* What was packed and shared is so for the engine that opens it next, whenever the first one died. */
#include "pool_fixture.h"

#define ARENA (2 * MIB)
#define QUOTA (4 * MIB)
#define NR_KEYS 240u
#define LEN 1500u
#define LONG_LEN (40u * KIB)
/* Of all moments at which the process may die, every so manyth is tried: no factor of anything. */
#define EVERY 37u

struct pools {
	struct utmem_pool *store, *cache; /* persistent, ephemeral */
};

static uint8_t want[LONG_LEN], got[LONG_LEN];

/* Key @i's value: text, random bytes, or one of a few that many have; one in 40 is long. */
static uint32_t make_value(uint32_t i)
{
	uint32_t len = i % 40 ? LEN : LONG_LEN, at;

	switch (i % 4) {
	case 0:
		for (at = 0; at < len; at++)
			want[at] = (uint8_t)("value of a key, "[at % 16] + (at / 64 + i) % 3);
		break;
	case 1:
		fill_value(want, len, i);
		break;
	default:
		fill_value(want, len, i % 3);
		memset(want, 'w', len / 3);
	}
	return len;
}

static void fill(struct fixture *f, struct utmem_pool *p)
{
	char key[16];
	uint32_t i, len;

	for (i = 0; i < NR_KEYS; i++) {
		len = make_value(i);
		snprintf(key, sizeof(key), "key%u", i);
		assert_int_equal(put(f, p, key, want, len), 0);
	}
}

/* Every value that is there is right; all are there in a persistent pool. */
static void check_filled(struct fixture *f, struct utmem_pool *p, bool all)
{
	struct utmem_get_result out;
	char key[16];
	uint32_t i, len;
	int err;

	for (i = 0; i < NR_KEYS; i++) {
		len = make_value(i);
		snprintf(key, sizeof(key), "key%u", i);
		err = get(f, p, key, 0, got, LONG_LEN, &out);
		if (err == -ENOENT && !all)
			continue;
		assert_int_equal(err, 0);
		assert_int_equal(out.value_len, len);
		assert_memory_equal(got, want, len);
	}
}

static struct pools open_pools(struct fixture *f, enum utmem_compress how)
{
	struct utmem_pool_options o = {.compress = how, .compress_least = 100, .dedup = true};
	struct pools p = {open_pool(f, "store", false), open_pool(f, "cache", true)};

	assert_int_equal(f->ops->pool_options_set(p.store, &o), 0);
	assert_int_equal(f->ops->pool_options_set(p.cache, &o), 0);
	fill(f, p.store);
	fill(f, p.cache);
	return p;
}

static struct pools found_pools(struct fixture *f)
{
	return (struct pools){open_pool(f, "store", false), open_pool(f, "cache", true)};
}

static void assert_same(const struct utmem_pool_counters *a, const struct utmem_pool_counters *b)
{
	assert_int_equal(a->nr_items, b->nr_items);
	assert_int_equal(a->value_bytes, b->value_bytes);
	assert_int_equal(a->stored_bytes, b->stored_bytes);
	assert_int_equal(a->used_bytes, b->used_bytes);
	assert_int_equal(a->nr_packed, b->nr_packed);
	assert_int_equal(a->nr_shared, b->nr_shared);
}

static void all_is_as_it_was_after_death(void **state)
{
	struct utmem_pool_counters was[2], is[2];
	struct fixture f, heir;
	uint64_t used;
	struct pools p;
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		fixture_open_lasting(&f, ARENA, QUOTA, i / 2);
		p = open_pools(&f, UTMEM_COMPRESS_LZ4 + i % 2);
		settle(&f);
		check(&f);
		was[0] = counters(&f, p.store);
		was[1] = counters(&f, p.cache);
		used = tenant_used(&f, f.tenant);
		assert_true(was[0].nr_packed > 0);
		assert_true(was[0].nr_shared > 0);

		fixture_map(&heir, ARENA, i / 2);
		fixture_copy(&heir, &f);
		fixture_close(&f);
		fixture_start(&heir, QUOTA);
		check(&heir);
		p = found_pools(&heir);
		is[0] = counters(&heir, p.store);
		is[1] = counters(&heir, p.cache);
		assert_same(&is[0], &was[0]);
		assert_same(&is[1], &was[1]);
		assert_int_equal(tenant_used(&heir, heir.tenant), used);
		assert_int_equal(heir.ops->pool_options(p.store).compress,
				 UTMEM_COMPRESS_LZ4 + i % 2);
		assert_int_equal(heir.ops->pool_options(p.store).compress_least, 100);
		assert_true(heir.ops->pool_options(p.store).dedup);
		check_filled(&heir, p.store, true);
		check_filled(&heir, p.cache, false);
		fixture_close(&heir);
	}
}

static void last_reference_still_takes_the_value_along(void **state)
{
	struct fixture f;
	struct pools p;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pools(&f, UTMEM_COMPRESS_ZSTD);
	settle(&f);
	fixture_reopen(&f, QUOTA);
	p = found_pools(&f);
	assert_int_equal(f.ops->flush(p.cache), 0);
	check(&f);
	check_filled(&f, p.store, true);
	for (i = 0; i < NR_KEYS; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		assert_int_equal(del(&f, p.store, key), 0);
	}
	settle(&f);
	check(&f);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	fixture_close(&f);
}

/* The hints are gone, and come back as the cleaner meets what is there. */
static void what_comes_later_joins_what_was_found(void **state)
{
	struct fixture f;
	struct pools p;
	uint64_t was;
	uint32_t i;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pools(&f, UTMEM_COMPRESS_NONE);
	settle(&f);
	fixture_reopen(&f, QUOTA);
	p = found_pools(&f);
	was = counters(&f, p.store).nr_shared;
	for (i = 0; i < 2; i++) {
		fill(&f, p.store);
		settle(&f);
		check(&f);
	}
	assert_true(counters(&f, p.store).nr_shared >= was);
	check_filled(&f, p.store, true);
	fixture_close(&f);
}

/* A pool whose values share with another's was flushed, or is gone, and its records are not yet swept. */
static void references_of_flushed_pools_count_no_more(void **state)
{
	struct fixture f, heir;
	struct pools p;
	uint32_t i, destroy;

	(void)state;
	for (i = 0; i < 4; i++) {
		destroy = i % 2;
		fixture_open_lasting(&f, ARENA, QUOTA, false);
		p = open_pools(&f, UTMEM_COMPRESS_LZ4);
		settle(&f);
		struct utmem_pool *gone = i / 2 ? p.store : p.cache;

		assert_int_equal(destroy ? f.ops->pool_destroy(gone) : f.ops->flush(gone), 0);
		check(&f);
		fixture_map(&heir, ARENA, false);
		fixture_copy(&heir, &f);
		fixture_close(&f);
		fixture_start(&heir, QUOTA);
		check(&heir);
		p = found_pools(&heir);
		assert_int_equal(counters(&heir, i / 2 ? p.store : p.cache).nr_items, 0);
		if (i / 2)
			check_filled(&heir, p.cache, false);
		else
			check_filled(&heir, p.store, true);
		assert_int_equal(heir.ops->flush(p.store), 0);
		assert_int_equal(heir.ops->flush(p.cache), 0);
		settle(&heir);
		check(&heir);
		assert_int_equal(tenant_used(&heir, heir.tenant), 0);
		assert_int_equal(engine_stat(&heir).live_bytes, 0);
		fixture_close(&heir);
	}
}

#ifdef UTMEM_FAIL_POINTS

static struct {
	struct fixture *f, *heir;
	uint64_t nr, next;
	bool taken;
} moment;

/* What is in memory at this moment is what a process that dies now would leave. */
static void on_fail_point(const char *name)
{
	(void)name;
	if (++moment.nr != moment.next)
		return;
	fixture_copy(moment.heir, moment.f);
	moment.taken = true;
}

/* Return: false when there is no such moment. */
static bool die_at(uint64_t nr, enum utmem_compress how)
{
	struct fixture f, heir;
	struct pools p;

	fixture_open_lasting(&f, ARENA, QUOTA, false);
	fixture_map(&heir, ARENA, false);
	p = open_pools(&f, how);
	moment.f = &f;
	moment.heir = &heir;
	moment.nr = 0;
	moment.next = nr;
	moment.taken = false;
	utmem_fail_hook = on_fail_point;
	settle(&f);
	utmem_fail_hook = NULL;
	fixture_close(&f);
	if (!moment.taken) {
		fixture_unmap(&heir);
		return false;
	}
	fixture_start(&heir, QUOTA);
	check(&heir);
	p = found_pools(&heir);
	check_filled(&heir, p.store, true);
	check_filled(&heir, p.cache, false);
	settle(&heir);
	check(&heir);
	check_filled(&heir, p.store, true);
	fixture_close(&heir);
	return true;
}

static void death_while_packing_and_sharing_loses_nothing(void **state)
{
	uint64_t nr, n = 0;

	(void)state;
	for (nr = 1; die_at(nr, UTMEM_COMPRESS_LZ4 + n % 2); nr += EVERY)
		n++;
	print_message("%lu deaths of %lu moments\n", (unsigned long)n, (unsigned long)nr);
	assert_true(n > 20);
}

#else

static void death_while_packing_and_sharing_loses_nothing(void **state)
{
	(void)state;
	skip(); /* built without fail points */
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_as_it_was_after_death),
		cmocka_unit_test(last_reference_still_takes_the_value_along),
		cmocka_unit_test(what_comes_later_joins_what_was_found),
		cmocka_unit_test(references_of_flushed_pools_count_no_more),
		cmocka_unit_test(death_while_packing_and_sharing_loses_nothing),
	};

	return run_with_and_without_read(tests);
}
