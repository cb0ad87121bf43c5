// SPDX-License-Identifier: MIT
/* Every allocation fails once, at every place: the engine stays whole and nothing leaks. */
#include "pool_fixture.h"

#define NR_KEYS 1100u

static uint8_t value[40 * KIB];

static void allowed(int err)
{
	assert_true(err == 0 || err == -ENOMEM || err == -ENOSPC);
}

/* Values that were acknowledged are there. */
static void workload_values(struct fixture *f, struct utmem_pool *p)
{
	static bool there[NR_KEYS];
	char key[16];
	uint32_t i;

	for (i = 0; i < NR_KEYS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		int err = put(f, p, key, value, i % 50 ? i % 400 : sizeof(value));

		allowed(err);
		there[i] = !err;
	}
	for (i = 0; i < NR_KEYS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(exists(f, p, key) >= 0, there[i]);
		if (there[i] && i % 2)
			assert_int_equal(del(f, p, key), 0);
	}
}

static void workload_stream(struct fixture *f, struct utmem_pool *p)
{
	struct utmem_stream *s;
	int err = stream_begin(f, p, "stream", sizeof(value), &s);

	allowed(err);
	if (err)
		return;
	assert_int_equal(f->ops->stream_append(s, value, sizeof(value)), 0);
	err = f->ops->stream_commit(s, UTMEM_PUT_ALWAYS);
	allowed(err);
	if (err)
		f->ops->stream_abort(s);
	assert_int_equal(exists(f, p, "stream") >= 0, !err);
}

static void workload(struct fixture *f)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.shared = true};
	struct utmem_tenant *other;
	struct utmem_pool *p;
	int err = f->ops->tenant_add(f->engine, "other", MIB, &other);

	allowed(err);
	assert_true(!err == !!other);
	err = f->ops->pool_open(f->tenant, f->tenant, &spec, &p, NULL);
	allowed(err);
	assert_true(!err == !!p);
	if (err)
		return;
	if (other)
		allowed(f->ops->pool_grant(p, other, false));
	workload_values(f, p);
	workload_stream(f, p);
	check(f);
	err = f->ops->flush(p);
	allowed(err);
	if (!err)
		assert_int_equal(counters(f, p).nr_items, 0);
	workload_values(f, p);
	assert_int_equal(f->ops->tenant_quota(f->tenant, 1), 0);
	assert_int_equal(f->ops->pool_destroy(p), 0);
	settle(f);
	check(f);
}

/* Return: how many allocations there were. */
static uint64_t run(uint64_t fail_at, bool fail_on)
{
	struct fixture f;
	uint64_t nr_allocs;

	fixture_open(&f, 4 * MIB, 4 * MIB);
	f.nr_allocs = 0;
	f.fail_at = fail_at;
	f.fail_on = fail_on;
	workload(&f);
	nr_allocs = f.nr_allocs;
	fixture_close(&f);
	return nr_allocs;
}

static void one_failed_allocation_leaves_the_engine_whole(void **state)
{
	uint64_t n, nr_allocs = run(0, false);

	(void)state;
	assert_true(nr_allocs > 50);
	for (n = 1; n <= nr_allocs; n++)
		run(n, false);
	print_message("%lu allocations failed in turn\n", (unsigned long)nr_allocs);
}

static void no_memory_from_some_point_on_leaves_the_engine_whole(void **state)
{
	uint64_t n, nr_allocs = run(0, false);

	(void)state;
	for (n = 1; n <= nr_allocs; n++)
		run(n, true);
}

static void open_fails_cleanly_at_every_allocation(void **state)
{
	struct utmem_engine *e;
	struct fixture f;
	uint64_t n;
	int err;

	(void)state;
	fixture_open(&f, MIB, MIB);
	for (n = 1;; n++) {
		f.nr_allocs = 0;
		f.fail_at = n;
		err = f.ops->open(&e, &f.mem);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(e);
	}
	assert_true(n > 1);
	f.ops->close(e);
	f.fail_at = 0;
	fixture_close(&f);
}

/* Deleting, evicting and flushing must work when memory is short: they give it back. */
static void del_and_eviction_need_no_memory(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *c;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, 4 * MIB, 4 * MIB);
	p = open_pool(&f, "p", false);
	c = open_pool(&f, "c", true);
	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(&f, p, key, value, 10), 0);
		assert_int_equal(put(&f, c, key, value, 10), 0);
	}
	f.fail_at = f.nr_allocs + 1;
	f.fail_on = true;
	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(del(&f, p, key), 0);
	}
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	check(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_failed_allocation_leaves_the_engine_whole),
		cmocka_unit_test(no_memory_from_some_point_on_leaves_the_engine_whole),
		cmocka_unit_test(open_fails_cleanly_at_every_allocation),
		cmocka_unit_test(del_and_eviction_need_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
