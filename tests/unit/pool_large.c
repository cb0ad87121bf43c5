// SPDX-License-Identifier: MIT
/* The longest value, and one byte more. */
#include "pool_fixture.h"

static uint8_t part[8 * MIB], back[8 * MIB];

/* Too much to hold twice: every 8 MiB of it are alike but for a mark. */
static int put_parts(struct fixture *f, struct utmem_pool *p, uint64_t total)
{
	struct utmem_stream *s;
	uint64_t done, len;
	int err = stream_begin(f, p, "big", total, &s);

	for (done = 0; !err && done < total; done += len) {
		len = total - done < sizeof(part) ? total - done : sizeof(part);
		memcpy(part, &done, sizeof(done));
		err = f->ops->stream_append(s, part, (uint32_t)len);
	}
	return err ? err : f->ops->stream_commit(s, UTMEM_PUT_ALWAYS);
}

static void check_parts(struct fixture *f, struct utmem_pool *p, uint64_t total)
{
	struct utmem_get_result out;
	uint64_t done;

	for (done = 0; done < total; done += sizeof(part)) {
		memcpy(part, &done, sizeof(done));
		assert_int_equal(get(f, p, "big", done, back, sizeof(back), &out), 0);
		assert_int_equal(out.value_len, total);
		assert_memory_equal(back, part,
				    total - done < sizeof(part) ? total - done : sizeof(part));
	}
}

static void value_of_512_mib_fits_a_fragmented_arena_of_1_gib(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	char key[16];
	uint32_t i;

	(void)state;
	fill_value(part, sizeof(part), 3);
	fixture_open(&f, 1024 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	/* something stays in every segment that is used so far */
	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(&f, p, key, part, 60 * KIB), 0);
	}
	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		if (i % 30)
			assert_int_equal(del(&f, p, key), 0);
	}
	assert_int_equal(put_parts(&f, p, UTMEM_POOL_VALUE_MAX), 0);
	check_parts(&f, p, UTMEM_POOL_VALUE_MAX);
	check(&f);
	assert_int_equal(del(&f, p, "big"), 0);
	settle(&f);
	assert_true(f.released_bytes > 400 * MIB);
	fixture_close(&f);
}

static void value_of_one_byte_more_is_too_big(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_stream *s;

	(void)state;
	fixture_open(&f, 1024 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	assert_int_equal(stream_begin(&f, p, "big", UTMEM_POOL_VALUE_MAX + 1, &s), -E2BIG);
	assert_null(s);
	assert_int_equal(stream_begin(&f, p, "big", UINT64_MAX, &s), -E2BIG);
	assert_int_equal(put(&f, p, "big", part, (uint32_t)UTMEM_POOL_VALUE_MAX + 1), -E2BIG);
	fixture_close(&f);
}

/* Around the lengths where one record becomes chunks, and one chunk two. */
static void lengths_around_every_boundary_come_back(void **state)
{
	struct utmem_get_result out;
	struct pool_engine *e;
	struct fixture f;
	struct utmem_pool *p;
	uint32_t at[4], i, len;
	int d;

	(void)state;
	fixture_open(&f, 16 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	e = (struct pool_engine *)f.engine;
	at[0] = e->log.record_max - sizeof(struct record) - 3;
	at[1] = large_chunk_len(&e->log);
	at[2] = 2 * large_chunk_len(&e->log);
	at[3] = 7 * large_chunk_len(&e->log);
	for (i = 0; i < 4; i++) {
		for (d = -5; d <= 5; d++) {
			len = at[i] + (uint32_t)d;
			fill_value(part, len, len);
			assert_int_equal(put(&f, p, "key", part, len), 0);
			memset(back, 0, len);
			assert_int_equal(get(&f, p, "key", 0, back, sizeof(back), &out), 0);
			assert_int_equal(out.value_len, len);
			assert_memory_equal(back, part, len);
			assert_int_equal(tenant_used(&f, f.tenant), charge_of(&f, 3, len));
			assert_int_equal(get(&f, p, "key", len - 3, back, 100, &out), 0);
			assert_memory_equal(back, part + len - 3, 3);
		}
	}
	check(&f);
	fixture_close(&f);
}

static void large_value_is_overwritten_where_both_would_not_fit(void **state)
{
	struct utmem_get_result out;
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, 8 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	fill_value(part, sizeof(part), 1);
	assert_int_equal(put(&f, p, "big", part, 6 * MIB), 0);
	fill_value(part, sizeof(part), 2);
	assert_int_equal(put(&f, p, "big", part, 6 * MIB), 0);
	assert_int_equal(get(&f, p, "big", 0, back, 6 * MIB, &out), 0);
	assert_memory_equal(back, part, 6 * MIB);
	assert_int_equal(put(&f, p, "big", part, 8 * MIB), -ENOSPC);
	assert_int_equal(exists(&f, p, "big"), -ENOENT);
	check(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_of_512_mib_fits_a_fragmented_arena_of_1_gib),
		cmocka_unit_test(value_of_one_byte_more_is_too_big),
		cmocka_unit_test(lengths_around_every_boundary_come_back),
		cmocka_unit_test(large_value_is_overwritten_where_both_would_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
