// SPDX-License-Identifier: MIT
/* A pool's content comes whole, in one step, or not at all. */
#include "pool_fixture.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

static char value[64 * KIB];

struct restore {
	struct utmem_restore_spec spec;
	struct utmem_pool *p;
};

static int begin(struct fixture *f, struct restore *r, const char *name, bool create, bool replace)
{
	r->spec = (struct utmem_restore_spec){
		.pool = {.name = name, .create = create},
		.replace = replace,
		.need = r->spec.need,
	};
	return f->ops->restore_begin(f->tenant, &r->spec, &r->p);
}

static struct utmem_pool *find(struct fixture *f, const char *name)
{
	struct utmem_pool *p = NULL;

	while ((p = f->ops->pool_next(f->tenant, p)))
		if (!strcmp(f->ops->pool_name(p), name))
			return p;
	return NULL;
}

static void open_fixture(struct fixture *f)
{
	fixture_open(f, 16 * MIB, 8 * MIB);
}

static void close_fixture(struct fixture *f)
{
	settle(f);
	check(f);
	fixture_close(f);
}

static void fill(struct fixture *f, struct utmem_pool *p, const char *what, uint32_t nr)
{
	char key[32];
	uint32_t i;

	for (i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%s%u", what, i);
		assert_int_equal(put_str(f, p, key, key), 0);
	}
}

static void nobody_sees_a_pool_before_its_commit(void **state)
{
	struct utmem_pool_spec spec = {.name = "p"};
	struct restore r = {0};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(begin(&f, &r, "p", true, false), 0);
	fill(&f, r.p, "a", 500);
	assert_null(find(&f, "p"));
	assert_null(f.ops->pool_find(f.engine, f.ops->pool_id(r.p)));
	assert_int_equal(f.ops->pool_open(f.tenant, f.tenant, &spec, &p, NULL), -ENOENT);
	assert_true(tenant_used(&f, f.tenant) > 500 * UTMEM_POOL_ITEM_COST);
	check(&f);
	assert_int_equal(f.ops->restore_commit(r.p), 0);
	p = find(&f, "p");
	assert_non_null(p);
	assert_int_equal(counters(&f, p).nr_items, 500);
	assert_value(&f, p, "a499", "a499");
	close_fixture(&f);
}

static void abort_leaves_nothing(void **state)
{
	struct restore r = {0};
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(begin(&f, &r, "p", true, false), 0);
	fill(&f, r.p, "a", 500);
	f.ops->restore_abort(r.p);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_null(find(&f, "p"));
	assert_int_equal(begin(&f, &r, "p", false, false), -ENOENT);
	close_fixture(&f);
}

static void pool_that_has_values_is_replaced_only_when_asked(void **state)
{
	struct restore r = {0};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	p = open_pool(&f, "p", false);
	fill(&f, p, "old", 300);
	assert_int_equal(begin(&f, &r, "p", true, false), -EEXIST);
	assert_null(r.p);
	assert_int_equal(begin(&f, &r, "p", false, true), 0);
	fill(&f, r.p, "new", 200);
	assert_value(&f, p, "old7", "old7");
	assert_int_equal(exists(&f, p, "new7"), -ENOENT);
	assert_int_equal(f.ops->restore_commit(r.p), 0);
	/* the same object: who is attached reads the new content */
	assert_ptr_equal(find(&f, "p"), p);
	assert_value(&f, p, "new7", "new7");
	assert_int_equal(exists(&f, p, "old7"), -ENOENT);
	assert_int_equal(counters(&f, p).nr_items, 200);
	check(&f);
	assert_int_equal(f.ops->flush(p), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	close_fixture(&f);
}

/* What was true at the beginning is asked again: the pool was in use meanwhile. */
static void commit_refuses_a_pool_that_got_values(void **state)
{
	struct restore r = {0};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	p = open_pool(&f, "p", false);
	assert_int_equal(begin(&f, &r, "p", false, false), 0);
	fill(&f, r.p, "new", 10);
	fill(&f, p, "old", 1);
	assert_int_equal(f.ops->restore_commit(r.p), -EEXIST);
	assert_value(&f, p, "old0", "old0");
	assert_int_equal(del(&f, p, "old0"), 0);
	assert_int_equal(f.ops->restore_commit(r.p), 0);
	assert_value(&f, p, "new9", "new9");
	close_fixture(&f);
}

static void commit_wants_the_pool_that_was_there(void **state)
{
	struct restore r = {0};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	p = open_pool(&f, "p", false);
	assert_int_equal(begin(&f, &r, "p", false, false), 0);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	assert_int_equal(f.ops->restore_commit(r.p), -ESTALE);
	f.ops->pool_close(p);
	p = open_pool(&f, "p", false);
	assert_int_equal(f.ops->restore_commit(r.p), -ESTALE);
	f.ops->restore_abort(r.p);
	f.ops->pool_destroy(p);
	f.ops->pool_close(p);
	assert_int_equal(begin(&f, &r, "p", true, true), 0);
	open_pool(&f, "p", false);
	assert_int_equal(f.ops->restore_commit(r.p), -ESTALE);
	f.ops->restore_abort(r.p);
	close_fixture(&f);
}

static void kind_and_name_are_checked(void **state)
{
	struct restore r = {0}, second = {0};
	struct fixture f;

	(void)state;
	open_fixture(&f);
	open_pool(&f, "cache", true);
	assert_int_equal(begin(&f, &r, "cache", true, true), -EINVAL);
	assert_int_equal(begin(&f, &r, "not/this", true, true), -EINVAL);
	assert_int_equal(begin(&f, &r, "p", true, false), 0);
	assert_int_equal(begin(&f, &second, "p", true, false), -EBUSY);
	f.ops->restore_abort(r.p);
	close_fixture(&f);
}

static void quota_that_does_not_do_is_told_before_anything_goes(void **state)
{
	struct restore r = {.spec.need = 8 * MIB - 100};
	struct utmem_pool *cache, *p;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	cache = open_pool(&f, "cache", true);
	p = open_pool(&f, "p", false);
	fill(&f, cache, "c", 1000);
	assert_int_equal(put(&f, p, "x", value, 1000), 0);
	assert_int_equal(begin(&f, &r, "q", true, false), -ENOSPC);
	assert_int_equal(r.spec.missing, charge_of(&f, 1, 1000) - 100);
	assert_int_equal(counters(&f, cache).nr_items, 1000);
	assert_int_equal(counters(&f, cache).nr_evicted, 0);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 8 * MIB + r.spec.missing), 0);
	assert_int_equal(begin(&f, &r, "q", true, false), 0);
	f.ops->restore_abort(r.p);
	close_fixture(&f);
}

static void quota_that_ends_half_way_changes_nothing(void **state)
{
	struct restore r = {0};
	struct utmem_pool *p;
	struct fixture f;
	char key[32];
	uint32_t i;
	int err = 0;

	(void)state;
	open_fixture(&f);
	p = open_pool(&f, "p", false);
	fill(&f, p, "old", 300);
	assert_int_equal(begin(&f, &r, "p", false, true), 0);
	for (i = 0; !err; i++) {
		snprintf(key, sizeof(key), "%u", i);
		err = put(&f, r.p, key, value, sizeof(value));
	}
	assert_int_equal(err, -ENOSPC);
	f.ops->restore_abort(r.p);
	assert_int_equal(counters(&f, p).nr_items, 300);
	assert_value(&f, p, "old299", "old299");
	close_fixture(&f);
}

/* While they come they are not dropped for a quota's sake; then they are like any other. */
static void ephemeral_content_is_evictable_once_it_is_there(void **state)
{
	struct restore r = {.spec.pool.kind.ephemeral = true};
	struct utmem_pool *cache;
	struct fixture f;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_fixture(&f);
		cache = open_pool(&f, i ? "r" : "cache", true);
		fill(&f, cache, "c", 1000);
		r.spec = (struct utmem_restore_spec){
			.pool = {.name = "r", .create = true, .kind.ephemeral = true},
			.replace = true,
		};
		assert_int_equal(f.ops->restore_begin(f.tenant, &r.spec, &r.p), 0);
		fill(&f, r.p, "a", 1000);
		check(&f);
		assert_int_equal(f.ops->tenant_quota(f.tenant, 1), 0);
		assert_int_equal(counters(&f, cache).nr_items, 0);
		assert_int_equal(counters(&f, r.p).nr_items, 1000);
		assert_int_equal(f.ops->restore_commit(r.p), 0);
		check(&f);
		assert_int_equal(f.ops->tenant_quota(f.tenant, 1), 0);
		assert_int_equal(tenant_used(&f, f.tenant), 0);
		close_fixture(&f);
	}
}

static void nothing_save_of(void *ctx, const struct utmem_save_item *item, uint64_t off,
			    uint32_t len)
{
	(void)ctx;
	(void)item;
	(void)off;
	(void)len;
}

static void *value_room(void *ctx, const struct utmem_save_item *item, uint32_t len)
{
	(void)ctx;
	(void)item;
	assert_true(len <= sizeof(value));
	return value;
}

static bool hold(void *ctx, int64_t bytes)
{
	(void)ctx;
	(void)bytes;
	return true;
}

static void commit_ends_a_save_of_what_it_replaces(void **state)
{
	const struct utmem_save_sink sink = {value_room, nothing_save_of, hold, NULL};
	struct restore r = {0};
	struct utmem_save *s;
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	p = open_pool(&f, "p", false);
	fill(&f, p, "old", 300);
	assert_int_equal(f.ops->save_begin(p, &sink, &s), 0);
	assert_int_equal(begin(&f, &r, "p", false, true), 0);
	assert_int_equal(f.ops->save_step(s, 1), 1);
	assert_int_equal(f.ops->restore_commit(r.p), 0);
	assert_int_equal(f.ops->save_step(s, 1), -ECANCELED);
	f.ops->save_end(s);
	close_fixture(&f);
}

static void tenant_that_is_being_restored_stays(void **state)
{
	struct restore r = {0};
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(begin(&f, &r, "p", true, false), 0);
	assert_int_equal(f.ops->tenant_remove(f.tenant), -EBUSY);
	f.ops->restore_abort(r.p);
	assert_int_equal(f.ops->tenant_remove(f.tenant), 0);
	fixture_close(&f);
}

/* ---- the process dies ---- */

static int memfd_copy(int fd)
{
	int copy = memfd_create("copy", 0);
	off_t len = lseek(fd, 0, SEEK_END), at = 0;

	assert_int_equal(ftruncate(copy, len), 0);
	while (at < len)
		assert_true(sendfile(copy, fd, &at, (size_t)(len - at)) > 0);
	return copy;
}

static void open_on(struct fixture *f, int fd)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(utmem_memory_map(&f->stock, fd, 16 * MIB, 42), 0);
	f->ops = &utmem_engine_pool;
	assert_int_equal(f->ops->open(&f->engine, &f->stock), 0);
	f->tenant = f->ops->tenant_next(f->engine, NULL);
	if (!f->tenant)
		assert_int_equal(f->ops->tenant_add(f->engine, "t", 8 * MIB, &f->tenant), 0);
	f->ops->tenant_quota(f->tenant, 8 * MIB);
}

/* What whoever comes next finds, if this moment is the last. */
static void assert_found(int fd, const char *key, int64_t len)
{
	int copy = memfd_copy(fd);
	struct utmem_pool *p;
	struct fixture f;

	open_on(&f, copy);
	p = find(&f, "p");
	assert_true(p || len < 0);
	if (p)
		assert_int_equal(exists(&f, p, key), len);
	assert_null(f.ops->pool_next(f.tenant, p));
	settle(&f);
	check(&f);
	assert_int_equal(tenant_used(&f, f.tenant), p ? counters(&f, p).used_bytes : 0);
	f.ops->close(f.engine);
	utmem_memory_close(&f.stock);
	close(copy);
}

static void only_what_was_committed_outlives_the_process(void **state)
{
	struct restore r = {0};
	int fd, there;
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	for (there = 0; there < 2; there++) {
		fd = memfd_create("arena", 0);
		open_on(&f, fd);
		if (there)
			fill(&f, open_pool(&f, "p", false), "old", 300);
		assert_int_equal(begin(&f, &r, "p", true, true), 0);
		fill(&f, r.p, "new", 300);
		assert_int_equal(put(&f, r.p, "long", value, sizeof(value)), 0);
		assert_found(fd, "new7", -ENOENT);
		assert_found(fd, "long", -ENOENT);
		assert_found(fd, "old7", there ? 4 : -ENOENT);
		assert_int_equal(f.ops->restore_commit(r.p), 0);
		assert_found(fd, "new7", 4);
		assert_found(fd, "long", sizeof(value));
		assert_found(fd, "old7", -ENOENT);
		p = find(&f, "p");
		assert_int_equal(put_str(&f, p, "after", "it"), 0);
		assert_int_equal(del(&f, p, "new7"), 0);
		assert_found(fd, "after", 2);
		assert_found(fd, "new7", -ENOENT);
		f.ops->close(f.engine);
		utmem_memory_close(&f.stock);
		close(fd);
	}
}

/* Return: how many allocations there were. */
static uint64_t run_short(uint64_t fail_at)
{
	struct restore r = {0};
	struct utmem_pool *p;
	struct fixture f;
	uint64_t nr;
	int err;

	open_fixture(&f);
	p = open_pool(&f, "p", false);
	fill(&f, p, "old", 300);
	f.nr_allocs = 0;
	f.fail_at = fail_at;
	err = begin(&f, &r, "p", false, true);
	assert_true(err == 0 || (err == -ENOMEM && !r.p));
	if (!err) {
		char key[32];
		uint32_t i;

		for (i = 0; !err && i < 300; i++) {
			snprintf(key, sizeof(key), "new%u", i);
			err = put(&f, r.p, key, value, i ? 10 : sizeof(value));
		}
		if (err)
			f.ops->restore_abort(r.p);
		else
			assert_int_equal(f.ops->restore_commit(r.p), 0);
	}
	assert_int_equal(exists(&f, p, "old7"), err ? 4 : -ENOENT);
	assert_int_equal(exists(&f, p, "new7"), err ? -ENOENT : 10);
	nr = f.nr_allocs;
	f.fail_at = 0;
	close_fixture(&f);
	return nr;
}

static void one_failed_allocation_is_all_or_nothing(void **state)
{
	uint64_t n, nr = run_short(0);

	(void)state;
	assert_true(nr > 5);
	for (n = 1; n <= nr; n++)
		run_short(n);
	print_message("%lu allocations failed in turn\n", (unsigned long)nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sees_a_pool_before_its_commit),
		cmocka_unit_test(abort_leaves_nothing),
		cmocka_unit_test(pool_that_has_values_is_replaced_only_when_asked),
		cmocka_unit_test(commit_refuses_a_pool_that_got_values),
		cmocka_unit_test(commit_wants_the_pool_that_was_there),
		cmocka_unit_test(kind_and_name_are_checked),
		cmocka_unit_test(quota_that_does_not_do_is_told_before_anything_goes),
		cmocka_unit_test(quota_that_ends_half_way_changes_nothing),
		cmocka_unit_test(ephemeral_content_is_evictable_once_it_is_there),
		cmocka_unit_test(commit_ends_a_save_of_what_it_replaces),
		cmocka_unit_test(tenant_that_is_being_restored_stays),
		cmocka_unit_test(only_what_was_committed_outlives_the_process),
		cmocka_unit_test(one_failed_allocation_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
