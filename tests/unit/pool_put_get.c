// SPDX-License-Identifier: MIT
/* Put, get, del: what is stored is what is read, at every edge of key and value. */
#include "pool_fixture.h"

#define ARENA (4 * MIB)
#define QUOTA (2 * MIB)

static void get_returns_what_was_put(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	assert_value(&f, p, "key", "value");
	assert_int_equal(exists(&f, p, "other"), -ENOENT);
	check(&f);
	fixture_close(&f);
}

static void put_replaces_value_and_version(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t version;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "one"), 0);
	version = version_of(&f, p, "key");
	assert_int_equal(version_of(&f, p, "key"), version);
	assert_int_equal(put_str(&f, p, "key", "one"), 0);
	assert_int_not_equal(version_of(&f, p, "key"), version);
	assert_true(version_of(&f, p, "key") < 1u << 24);
	assert_int_equal(counters(&f, p).nr_items, 1);
	fixture_close(&f);
}

static void version_stays_24_bits_when_it_wraps(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t before;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	((struct pool_engine *)f.engine)->seq = 0xfffffe;
	assert_int_equal(put_str(&f, p, "key", "one"), 0);
	before = version_of(&f, p, "key");
	assert_int_equal(before, 0xffffff);
	assert_int_equal(put_str(&f, p, "key", "two"), 0);
	assert_int_not_equal(version_of(&f, p, "key"), before);
	assert_true(version_of(&f, p, "key") <= 0xffffff);
	fixture_close(&f);
}

static void del_removes_once(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	assert_int_equal(del(&f, p, "key"), 0);
	assert_int_equal(del(&f, p, "key"), -ENOENT);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	check(&f);
	fixture_close(&f);
}

static void get_copies_from_an_offset_and_no_more_than_asked(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_get_result out;
	char buf[8] = "........";

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "0123456789"), 0);
	assert_int_equal(get(&f, p, "key", 3, buf, 4, &out), 0);
	assert_memory_equal(buf, "3456....", 8);
	assert_int_equal(out.value_len, 10);
	assert_int_equal(get(&f, p, "key", 8, buf, 8, &out), 0);
	assert_memory_equal(buf, "8956....", 8);
	fixture_close(&f);
}

static void get_at_or_beyond_the_end_copies_nothing(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_get_result out;
	char buf[4] = "....";

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "abc"), 0);
	assert_int_equal(get(&f, p, "key", 3, buf, 4, &out), 0);
	assert_int_equal(get(&f, p, "key", UINT64_MAX, buf, 4, &out), 0);
	assert_int_equal(out.value_len, 3);
	assert_memory_equal(buf, "....", 4);
	assert_int_equal(get(&f, p, "key", 0, NULL, 0, &out), 0);
	fixture_close(&f);
}

static void empty_value_is_a_value(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(put(&f, p, "key", NULL, 0), 0);
	assert_int_equal(exists(&f, p, "key"), 0);
	assert_int_equal(counters(&f, p).nr_items, 1);
	assert_int_equal(del(&f, p, "key"), 0);
	fixture_close(&f);
}

static void keys_of_1_and_1024_bytes_work_and_0_and_1025_do_not(void **state)
{
	static const uint8_t data[UTMEM_POOL_KEY_MAX + 1];
	static const uint32_t lens[] = {0, 1, UTMEM_POOL_KEY_MAX, UTMEM_POOL_KEY_MAX + 1};
	static const int errs[] = {-EINVAL, 0, 0, -E2BIG};
	struct utmem_get_result out;
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p;
	size_t i;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	for (i = 0; i < 4; i++) {
		struct utmem_key k = make_key(&f, data, lens[i]);

		assert_int_equal(f.ops->put(p, &k, "v", 1, UTMEM_PUT_ALWAYS), errs[i]);
		assert_int_equal(f.ops->get(p, &k, 0, NULL, 0, &out), errs[i]);
		assert_int_equal(f.ops->del(p, &k), errs[i]);
		assert_int_equal(f.ops->stream_begin(p, &k, 0, &s), errs[i]);
	}
	check(&f);
	fixture_close(&f);
}

static void assert_hinted(struct fixture *f, struct utmem_pool *p, const struct utmem_key *key,
			  const char *want)
{
	struct utmem_get_result out;
	char buf[16];
	int err = f->ops->get(p, key, 0, buf, sizeof(buf), &out);

	assert_int_equal(err, want ? 0 : -ENOENT);
	if (want)
		assert_memory_equal(buf, want, strlen(want));
}

static void what_a_hint_says_never_outweighs_what_happened_since(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *q;
	struct utmem_key key;
	uint32_t i;

	(void)state;
	fixture_open(&f, 16 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	q = open_pool(&f, "q", false);
	assert_int_equal(put_str(&f, p, "key", "one"), 0);
	key = make_key(&f, "key", 3);
	f.ops->prefetch_index(p, &key);
	f.ops->prefetch_record(p, &key, 3);
	assert_non_null(key.hint.slot);
	assert_hinted(&f, p, &key, "one");
	assert_hinted(&f, q, &key, NULL);
	assert_int_equal(put_str(&f, p, "key", "two"), 0);
	assert_hinted(&f, p, &key, "two");
	assert_int_equal(del(&f, p, "key"), 0);
	assert_hinted(&f, p, &key, NULL);
	assert_int_equal(put_str(&f, p, "key", "three"), 0);
	/* its leaf is freed, many times */
	for (i = 0; i < 5000; i++) {
		struct utmem_key other = make_key(&f, &i, sizeof(i));

		assert_int_equal(f.ops->put(p, &other, "", 0, UTMEM_PUT_ALWAYS), 0);
		assert_hinted(&f, p, &key, "three");
	}
	f.ops->prefetch_index(p, &key);
	f.ops->prefetch_record(p, &key, 3);
	assert_int_equal(f.ops->flush(p), 0);
	assert_hinted(&f, p, &key, NULL);
	settle(&f);
	assert_hinted(&f, p, &key, NULL);
	check(&f);
	fixture_close(&f);
}

static void keys_with_the_same_hash_are_told_apart(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_key a = {.data = "a", .len = 1, .hash = 0x1234567890abcdef};
	struct utmem_key b = {.data = "b", .len = 1, .hash = 0x1234567890abcdef};
	struct utmem_get_result out;
	char c;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	assert_int_equal(f.ops->put(p, &a, "A", 1, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(f.ops->get(p, &b, 0, &c, 1, &out), -ENOENT);
	assert_int_equal(f.ops->put(p, &b, "B", 1, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(f.ops->get(p, &a, 0, &c, 1, &out), 0);
	assert_int_equal(c, 'A');
	assert_int_equal(f.ops->del(p, &a), 0);
	assert_int_equal(f.ops->get(p, &b, 0, &c, 1, &out), 0);
	assert_int_equal(c, 'B');
	fixture_close(&f);
}

/* The index grows, splits and shrinks leaf by leaf; nothing is lost on the way. */
static void index_follows_100000_keys_up_and_down(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t full, i;
	char key[16];

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	for (i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "%lu", (unsigned long)i);
		assert_int_equal(put(&f, p, key, &i, sizeof(i)), 0);
	}
	check(&f);
	full = engine_stat(&f).index_bytes;
	assert_true(full < 100000 * INDEX_SHARE);
	for (i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "%lu", (unsigned long)i);
		assert_int_equal(exists(&f, p, key), sizeof(i));
		if (i % 64)
			assert_int_equal(del(&f, p, key), 0);
	}
	check(&f);
	assert_true(engine_stat(&f).index_bytes < full / 8);
	assert_int_equal(counters(&f, p).nr_items, (100000 + 63) / 64);
	fixture_close(&f);
}

static void counters_count(void **state)
{
	struct fixture f;
	struct utmem_pool_counters c;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	p = open_pool(&f, "p", false);
	put_str(&f, p, "a", "123");
	put_str(&f, p, "bb", "45");
	put_str(&f, p, "a", "6");
	exists(&f, p, "a");
	exists(&f, p, "none");
	del(&f, p, "bb");
	del(&f, p, "bb");
	c = counters(&f, p);
	assert_int_equal(c.nr_puts, 3);
	assert_int_equal(c.nr_gets, 2);
	assert_int_equal(c.nr_hits, 1);
	assert_int_equal(c.nr_dels, 1);
	assert_int_equal(c.nr_items, 1);
	assert_int_equal(c.key_bytes, 1);
	assert_int_equal(c.value_bytes, 1);
	assert_int_equal(engine_stat(&f).nr_items, 1);
	fixture_close(&f);
}

static void arena_of_1_mib_works_and_less_is_refused(void **state)
{
	struct utmem_memory mem;
	struct utmem_engine *e;
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB - 4096, 1), 0);
	assert_int_equal(utmem_engine_pool.open(&e, &mem), -EINVAL);
	assert_null(e);
	utmem_memory_close(&mem);

	fixture_open(&f, MIB, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	assert_value(&f, p, "key", "value");
	fixture_close(&f);
}

static void index_of_a_pool_goes_with_its_last_value(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t before;
	uint32_t i;
	int round;

	(void)state;
	fixture_open(&f, 16 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	before = engine_stat(&f).index_bytes;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 20000; i++) {
			struct utmem_key k = make_key(&f, &i, sizeof(i));

			assert_int_equal(f.ops->put(p, &k, NULL, 0, UTMEM_PUT_ALWAYS), 0);
		}
		for (i = 0; i < 20000; i++) {
			struct utmem_key k = make_key(&f, &i, sizeof(i));

			assert_int_equal(f.ops->del(p, &k), 0);
		}
		settle(&f);
		check(&f);
		/* and 64 ids for stores */
		assert_true(engine_stat(&f).index_bytes <= before + 64 * sizeof(struct idmap_slot));
	}
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_of_a_pool_goes_with_its_last_value),
		cmocka_unit_test(get_returns_what_was_put),
		cmocka_unit_test(put_replaces_value_and_version),
		cmocka_unit_test(version_stays_24_bits_when_it_wraps),
		cmocka_unit_test(del_removes_once),
		cmocka_unit_test(get_copies_from_an_offset_and_no_more_than_asked),
		cmocka_unit_test(get_at_or_beyond_the_end_copies_nothing),
		cmocka_unit_test(empty_value_is_a_value),
		cmocka_unit_test(keys_of_1_and_1024_bytes_work_and_0_and_1025_do_not),
		cmocka_unit_test(what_a_hint_says_never_outweighs_what_happened_since),
		cmocka_unit_test(keys_with_the_same_hash_are_told_apart),
		cmocka_unit_test(index_follows_100000_keys_up_and_down),
		cmocka_unit_test(counters_count),
		cmocka_unit_test(arena_of_1_mib_works_and_less_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
