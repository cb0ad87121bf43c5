// SPDX-License-Identifier: MIT
/* The null engine: real objects, no values. */
#include "pool_fixture.h"

static void open_null(struct fixture *f)
{
	fixture_open_engine(f, &utmem_engine_null, MIB, MIB);
}

static void put_succeeds_and_get_finds_nothing(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	open_null(&f);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	assert_int_equal(exists(&f, p, "key"), -ENOENT);
	assert_int_equal(del(&f, p, "key"), -ENOENT);
	assert_int_equal(put_cond(&f, p, "key", "v", 1, UTMEM_PUT_IF_PRESENT), -ENOENT);
	assert_int_equal(f.ops->flush(p), 0);
	assert_int_equal(counters(&f, p).nr_puts, 1);
	assert_int_equal(counters(&f, p).used_bytes, 0);
	assert_false(f.ops->maintain(f.engine, MIB));
	fixture_close(&f);
}

static void malformed_requests_get_the_same_errors(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_key none;
	struct utmem_stream *s;

	(void)state;
	open_null(&f);
	p = open_pool(&f, "p", false);
	none = make_key(&f, "", 0);
	assert_int_equal(f.ops->put(p, &none, "v", 1, UTMEM_PUT_ALWAYS), -EINVAL);
	assert_int_equal(put(&f, p, "key", "v", (uint32_t)UTMEM_POOL_VALUE_MAX + 1), -E2BIG);
	assert_int_equal(stream_begin(&f, p, "key", UTMEM_POOL_VALUE_MAX + 1, &s), -E2BIG);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	assert_int_equal(put_str(&f, p, "key", "value"), -ESTALE);
	assert_int_equal(f.ops->flush(p), -ESTALE);
	fixture_close(&f);
}

static void streams_are_counted_byte_by_byte(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_stream *s;

	(void)state;
	open_null(&f);
	p = open_pool(&f, "p", false);
	assert_int_equal(stream_begin(&f, p, "key", 10, &s), 0);
	assert_int_equal(f.ops->stream_append(s, "12345", 5), 0);
	assert_int_equal(f.ops->stream_append(s, "123456", 6), -EINVAL);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), -EINVAL);
	assert_int_equal(f.ops->stream_append(s, "67890", 5), 0);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(stream_begin(&f, p, "key", 10, &s), 0);
	assert_int_equal(f.ops->tenant_remove(f.tenant), -EBUSY);
	f.ops->stream_abort(s);
	f.ops->pool_close(p);
	assert_int_equal(f.ops->tenant_remove(f.tenant), 0);
	fixture_close(&f);
}

static void open_without_memory_fails(void **state)
{
	struct fixture f;
	struct utmem_engine *e;

	(void)state;
	open_null(&f);
	f.fail_at = f.nr_allocs + 1;
	assert_int_equal(f.ops->open(&e, &f.mem), -ENOMEM);
	assert_null(e);
	fixture_close(&f);
}

static void everything_open_at_close_is_freed(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_stream *s;

	(void)state;
	open_null(&f);
	p = open_pool(&f, "p", false);
	assert_int_equal(stream_begin(&f, p, "key", 10, &s), 0);
	open_pool(&f, "q", true);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_succeeds_and_get_finds_nothing),
		cmocka_unit_test(malformed_requests_get_the_same_errors),
		cmocka_unit_test(streams_are_counted_byte_by_byte),
		cmocka_unit_test(open_without_memory_fails),
		cmocka_unit_test(everything_open_at_close_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
