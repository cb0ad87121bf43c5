// SPDX-License-Identifier: MIT
/* Values in parts: whole or not at all. */
#include "pool_fixture.h"

#define ARENA (16 * MIB)
#define TOTAL (100 * KIB)

static uint8_t value[TOTAL], got[TOTAL];

static struct utmem_pool *open_all(struct fixture *f)
{
	fixture_open(f, ARENA, MIB);
	fill_value(value, sizeof(value), 7);
	return open_pool(f, "p", false);
}

static void value_is_invisible_until_commit_and_then_whole(void **state)
{
	struct utmem_get_result out;
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(stream_begin(&f, p, "key", TOTAL, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, 10), 0);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(f.ops->stream_append(s, value + 10, TOTAL - 10), 0);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(get(&f, p, "key", 0, got, TOTAL, &out), 0);
	assert_int_equal(out.value_len, TOTAL);
	assert_memory_equal(got, value, TOTAL);
	check(&f);
	fixture_close(&f);
}

static void commit_of_a_part_fails_and_the_stream_goes_on(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(stream_begin(&f, p, "key", TOTAL, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, TOTAL - 1), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), -EINVAL);
	assert_int_equal(f.ops->stream_append(s, value, 2), -EINVAL);
	assert_int_equal(f.ops->stream_append(s, value, 1), 0);
	assert_int_equal(f.ops->stream_append(s, value, 1), -EINVAL);
	assert_int_equal(f.ops->stream_append(s, NULL, 0), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(exists(&f, p, "key"), TOTAL);
	fixture_close(&f);
}

static void stream_of_nothing_makes_an_empty_value(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(stream_begin(&f, p, "key", 0, &s), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_IF_ABSENT), 0);
	assert_int_equal(exists(&f, p, "key"), 0);
	assert_int_equal(del(&f, p, "key"), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	check(&f);
	fixture_close(&f);
}

static void abort_keeps_the_old_value_and_frees_all(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);
	uint64_t used;

	(void)state;
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	used = tenant_used(&f, f.tenant);
	assert_int_equal(stream_begin(&f, p, "key", TOTAL, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, TOTAL / 2), 0);
	f.ops->stream_abort(s);
	assert_value(&f, p, "key", "old");
	assert_int_equal(tenant_used(&f, f.tenant), used);
	check(&f);
	fixture_close(&f);
}

static void commit_replaces_the_old_value_and_its_charge(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);
	uint64_t charged;
	uint32_t version;

	(void)state;
	assert_int_equal(put(&f, p, "key", value, 50 * KIB), 0);
	version = version_of(&f, p, "key");
	assert_int_equal(stream_begin(&f, p, "key", TOTAL, &s), 0);
	/* both, and the record that says that it is in progress */
	charged = tenant_used(&f, f.tenant) - charge_of(&f, 3, 50 * KIB) -
		  record_size(3, sizeof(struct stream_ref));
	assert_int_equal(f.ops->stream_append(s, value, TOTAL), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_IF_PRESENT), 0);
	assert_int_equal(tenant_used(&f, f.tenant), charged);
	assert_int_equal(exists(&f, p, "key"), TOTAL);
	assert_int_not_equal(version_of(&f, p, "key"), version);
	check(&f);
	fixture_close(&f);
}

static void commit_obeys_conditions_and_leaves_the_stream_open(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(stream_begin(&f, p, "key", 3, &s), 0);
	assert_int_equal(f.ops->stream_append(s, "new", 3), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_IF_PRESENT), -ENOENT);
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_IF_ABSENT), -EEXIST);
	assert_value(&f, p, "key", "old");
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	assert_value(&f, p, "key", "new");
	check(&f);
	fixture_close(&f);
}

static void begin_that_finds_no_room_removes_the_old_value(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(put_str(&f, p, "key", "old"), 0);
	assert_int_equal(stream_begin(&f, p, "key", 2 * MIB, &s), -ENOSPC);
	assert_null(s);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(counters(&f, p).nr_refused, 1);
	check(&f);
	fixture_close(&f);
}

static void stream_outlives_its_pool_and_says_estale(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(stream_begin(&f, p, "key", TOTAL, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, TOTAL / 2), 0);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	f.ops->pool_close(p);
	assert_int_equal(f.ops->stream_append(s, value, 1), -ESTALE);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), -ESTALE);
	settle(&f);
	check(&f);
	assert_true(tenant_used(&f, f.tenant) > 0);
	f.ops->stream_abort(s);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	settle(&f);
	check(&f);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	fixture_close(&f);
}

static void stream_survives_a_flush(void **state)
{
	struct utmem_get_result out;
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(put_str(&f, p, "other", "value"), 0);
	assert_int_equal(stream_begin(&f, p, "key", TOTAL, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, TOTAL / 2), 0);
	assert_int_equal(f.ops->flush(p), 0);
	settle(&f);
	assert_int_equal(f.ops->stream_append(s, value + TOTAL / 2, TOTAL / 2), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(get(&f, p, "key", 0, got, TOTAL, &out), 0);
	assert_memory_equal(got, value, TOTAL);
	assert_int_equal(exists(&f, p, "other"), -ENOENT);
	check(&f);
	fixture_close(&f);
}

/* The promise of begin holds whatever others put meanwhile. */
static void append_finds_its_room_in_an_arena_that_others_fill(void **state)
{
	static uint8_t part[3000];
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p, *c;
	uint32_t n = 0, i;
	char key[16];

	(void)state;
	fixture_open(&f, 2 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	assert_int_equal(stream_begin(&f, p, "key", 200 * sizeof(part), &s), 0);
	for (i = 0; i < 200; i++) {
		do {
			snprintf(key, sizeof(key), "%u", n++);
		} while (!put(&f, p, key, part, 1000));
		snprintf(key, sizeof(key), "%u", i);
		put(&f, c, key, part, 500);
		assert_int_equal(f.ops->stream_append(s, part, sizeof(part)), 0);
	}
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	check(&f);
	fixture_close(&f);
}

static void streams_open_at_close_are_freed(void **state)
{
	struct utmem_stream *s;
	struct fixture f;
	struct utmem_pool *p = open_all(&f);

	(void)state;
	assert_int_equal(stream_begin(&f, p, "a", TOTAL, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, 10), 0);
	assert_int_equal(stream_begin(&f, p, "b", TOTAL, &s), 0);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_is_invisible_until_commit_and_then_whole),
		cmocka_unit_test(commit_of_a_part_fails_and_the_stream_goes_on),
		cmocka_unit_test(stream_of_nothing_makes_an_empty_value),
		cmocka_unit_test(abort_keeps_the_old_value_and_frees_all),
		cmocka_unit_test(commit_replaces_the_old_value_and_its_charge),
		cmocka_unit_test(commit_obeys_conditions_and_leaves_the_stream_open),
		cmocka_unit_test(begin_that_finds_no_room_removes_the_old_value),
		cmocka_unit_test(stream_outlives_its_pool_and_says_estale),
		cmocka_unit_test(stream_survives_a_flush),
		cmocka_unit_test(append_finds_its_room_in_an_arena_that_others_fill),
		cmocka_unit_test(streams_open_at_close_are_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
