// SPDX-License-Identifier: MIT
/* An engine is closed, or its process dies, and another one opens what it left. */
#include "pool_fixture.h"

#define ARENA (4 * MIB)
#define QUOTA (16 * MIB)
#define LONG (300 * KIB)

static uint8_t value[LONG], got[LONG];

static struct utmem_recovery recovery(struct fixture *f)
{
	struct utmem_recovery r;

	f->ops->recovery(f->engine, &r);
	return r;
}

/* The process dies here: what it left is opened by a new one. */
static void die(struct fixture *f, struct fixture *heir)
{
	fixture_map(heir, f->stock.arena_len, false);
	fixture_copy(heir, f);
	fixture_close(f);
	fixture_start(heir, QUOTA);
}

static void fill(struct fixture *f, struct utmem_pool *p, uint32_t from, uint32_t to, uint32_t len)
{
	char key[16];
	uint32_t i;

	for (i = from; i < to; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		fill_value(value, len, i);
		assert_int_equal(put(f, p, key, value, len), 0);
	}
}

static void check_filled(struct fixture *f, struct utmem_pool *p, uint32_t from, uint32_t to,
			 uint32_t len)
{
	struct utmem_get_result out;
	char key[16];
	uint32_t i;

	for (i = from; i < to; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		fill_value(value, len, i);
		assert_int_equal(get(f, p, key, 0, got, LONG, &out), 0);
		assert_int_equal(out.value_len, len);
		assert_memory_equal(got, value, len);
	}
}

static void new_memory_is_formatted_and_nothing_was_found(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	assert_false(recovery(&f).found);
	fixture_reopen(&f, QUOTA);
	assert_true(recovery(&f).found);
	assert_true(recovery(&f).clean);
	assert_int_equal(recovery(&f).nr_items, 0);
	fixture_close(&f);
}

static struct fixture *formatting, *formatted_half;

static void on_format(const char *name)
{
	if (!strcmp(name, "pool_meta_formatted"))
		fixture_copy(formatted_half, formatting);
}

static void death_while_formatting_leaves_new_memory(void **state)
{
	struct fixture f, heir;

	(void)state;
	fixture_map(&f, ARENA, false);
	fixture_map(&heir, ARENA, false);
	formatting = &f;
	formatted_half = &heir;
	utmem_fail_hook = on_format;
	fixture_start(&f, QUOTA);
	utmem_fail_hook = NULL;
	assert_int_equal(((struct meta_header *)heir.stock.meta)->version, META_VERSION);
	fixture_start(&heir, QUOTA);
	assert_false(recovery(&heir).found);
	fixture_reopen(&heir, QUOTA);
	assert_true(recovery(&heir).found);
	fixture_close(&heir);
	fixture_close(&f);
}

static void values_short_and_long_are_there_after_death(void **state)
{
	struct fixture f, heir;
	struct utmem_pool *p;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	fill(&f, p, 0, 1000, 100);
	fill(&f, p, 1000, 1003, LONG);
	die(&f, &heir);
	assert_true(recovery(&heir).found);
	assert_false(recovery(&heir).clean);
	assert_int_equal(recovery(&heir).nr_items, 1003);
	assert_int_equal(recovery(&heir).nr_torn, 0);
	p = open_pool(&heir, "p", false);
	check_filled(&heir, p, 0, 1000, 100);
	check_filled(&heir, p, 1000, 1003, LONG);
	check(&heir);
	fixture_close(&heir);
}

static void what_was_deleted_overwritten_or_flushed_stays_so(void **state)
{
	struct fixture f, heir;
	struct utmem_pool *p, *q, *few;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	q = open_pool(&f, "q", false);
	few = open_pool(&f, "few", false);
	fill(&f, p, 0, 500, 100);
	fill(&f, p, 0, 250, 200);
	assert_int_equal(del(&f, p, "key0"), 0);
	fill(&f, q, 0, 500, 100);
	assert_int_equal(f.ops->flush(q), 0);
	fill(&f, q, 500, 600, 100);
	fill(&f, few, 0, 5, 100);
	assert_int_equal(f.ops->flush(few), 0);
	die(&f, &heir);
	p = open_pool(&heir, "p", false);
	check_filled(&heir, p, 1, 250, 200);
	check_filled(&heir, p, 250, 500, 100);
	assert_int_equal(exists(&heir, p, "key0"), -ENOENT);
	q = open_pool(&heir, "q", false);
	assert_int_equal(counters(&heir, q).nr_items, 100);
	check_filled(&heir, q, 500, 600, 100);
	assert_int_equal(counters(&heir, open_pool(&heir, "few", false)).nr_items, 0);
	check(&heir);
	settle(&heir);
	check(&heir);
	fixture_close(&heir);
}

static void pools_keep_id_kind_and_charge(void **state)
{
	struct utmem_pool_spec spec = {.name = "p",
				       .create = true,
				       .kind = {.shared = true, .guest_shared = true, .owner = 7}};
	struct utmem_pool_counters before, after;
	struct fixture f;
	struct utmem_pool *p;
	uint64_t id, used;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	assert_int_equal(f.ops->pool_open(f.tenant, f.tenant, &spec, &p, NULL), 0);
	fill(&f, p, 0, 300, 100);
	fill(&f, p, 300, 301, LONG);
	id = f.ops->pool_id(p);
	before = counters(&f, p);
	used = tenant_used(&f, f.tenant);
	fixture_reopen(&f, QUOTA);
	p = f.ops->pool_find(f.engine, id);
	assert_non_null(p);
	assert_string_equal(f.ops->pool_name(p), "p");
	assert_ptr_equal(f.ops->pool_tenant(p), f.tenant);
	assert_memory_equal(&p->kind, &spec.kind, sizeof(spec.kind));
	after = counters(&f, p);
	assert_int_equal(after.nr_items, before.nr_items);
	assert_int_equal(after.key_bytes, before.key_bytes);
	assert_int_equal(after.value_bytes, before.value_bytes);
	assert_int_equal(after.used_bytes, before.used_bytes);
	assert_int_equal(tenant_used(&f, f.tenant), used);
	fixture_close(&f);
}

static void ids_of_pools_that_are_gone_are_not_given_again(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t id;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	id = f.ops->pool_id(p);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	f.ops->pool_close(p);
	fixture_reopen(&f, QUOTA);
	assert_null(f.ops->pool_find(f.engine, id));
	assert_null(f.ops->pool_next(f.tenant, NULL));
	assert_true(f.ops->pool_id(open_pool(&f, "p", false)) > id);
	fixture_close(&f);
}

static void a_found_tenant_is_added_once_and_gets_its_quota(void **state)
{
	struct utmem_tenant_stat st;
	struct utmem_tenant *t;
	struct fixture f;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	fill(&f, open_pool(&f, "c", true), 0, 1000, 100);
	f.ops->close(f.engine);
	assert_int_equal(f.ops->open(&f.engine, &f.mem), 0);
	t = f.ops->tenant_next(f.engine, NULL);
	f.ops->tenant_stat(t, &st);
	assert_int_equal(st.quota_bytes, UINT64_MAX);
	assert_int_equal(f.ops->tenant_add(f.engine, "t", 50 * KIB, &f.tenant), 0);
	assert_ptr_equal(f.tenant, t);
	f.ops->tenant_stat(t, &st);
	assert_int_equal(st.quota_bytes, 50 * KIB);
	assert_true(st.used_bytes <= st.quota_bytes && st.used_bytes > 0);
	assert_int_equal(f.ops->tenant_add(f.engine, "t", QUOTA, &t), -EEXIST);
	check(&f);
	fixture_close(&f);
}

static void a_removed_tenant_is_not_found(void **state)
{
	struct utmem_tenant *t;
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	assert_int_equal(f.ops->tenant_add(f.engine, "u", QUOTA, &t), 0);
	p = open_pool_of(&f, t, "p", false);
	fill(&f, p, 0, 200, 100);
	f.ops->pool_close(p);
	assert_int_equal(f.ops->tenant_remove(t), 0);
	fixture_reopen(&f, QUOTA);
	assert_int_equal(recovery(&f).nr_pools, 0);
	settle(&f);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	check(&f);
	fixture_close(&f);
}

static void versions_go_on(void **state)
{
	struct fixture f, heir;
	struct utmem_pool *p;
	uint32_t old;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	fill(&f, p, 0, 300, 10);
	old = version_of(&f, p, "key299");
	die(&f, &heir);
	p = open_pool(&heir, "p", false);
	assert_int_equal(version_of(&heir, p, "key299"), old);
	assert_int_equal(put_str(&heir, p, "new", "value"), 0);
	assert_true(version_of(&heir, p, "new") > old);
	fixture_close(&heir);
}

/* ---- streams ---- */

static void a_stream_is_adopted_and_goes_on_where_it_was(void **state)
{
	struct fixture f, heir;
	struct utmem_get_result out;
	struct utmem_stream *s;
	struct utmem_pool *p;
	uint32_t id;

	(void)state;
	fill_value(value, LONG, 5);
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	assert_int_equal(stream_begin(&f, p, "key", LONG, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, LONG / 2), 0);
	assert_int_equal(f.ops->flush(p), 0);
	id = f.ops->stream_id(s);
	die(&f, &heir);
	assert_int_equal(recovery(&heir).nr_streams, 1);
	check(&heir);
	p = open_pool(&heir, "p", false);
	assert_int_equal(heir.ops->stream_adopt(heir.engine, id + 1, 0, &s), -ENOENT);
	assert_int_equal(heir.ops->stream_adopt(heir.engine, id, LONG, &s), -ENOENT);
	assert_null(s);
	/* an append that was not acknowledged is made again */
	assert_int_equal(heir.ops->stream_adopt(heir.engine, id, LONG / 2 - 1000, &s), 0);
	heir.ops->streams_settle(heir.engine);
	assert_int_equal(heir.ops->stream_append(s, value + LONG / 2 - 1000, LONG / 2 + 1000), 0);
	assert_int_equal(heir.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	assert_int_equal(get(&heir, p, "key", 0, got, LONG, &out), 0);
	assert_memory_equal(got, value, LONG);
	check(&heir);
	fixture_close(&heir);
}

static void streams_that_nobody_adopts_are_aborted_by_settle(void **state)
{
	struct fixture f;
	struct utmem_stream *s;
	uint32_t id;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	assert_int_equal(stream_begin(&f, open_pool(&f, "p", false), "key", LONG, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, LONG / 2), 0);
	id = f.ops->stream_id(s);
	fixture_reopen(&f, QUOTA);
	assert_true(tenant_used(&f, f.tenant) > LONG);
	f.ops->streams_settle(f.engine);
	assert_int_equal(f.ops->stream_adopt(f.engine, id, 0, &s), -ENOENT);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	settle(&f);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	check(&f);
	fixture_reopen(&f, QUOTA);
	assert_int_equal(recovery(&f).nr_streams, 0);
	fixture_close(&f);
}

static void a_stream_of_a_destroyed_pool_is_gone(void **state)
{
	struct fixture f, heir;
	struct utmem_stream *s;
	struct utmem_pool *p;

	(void)state;
	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	assert_int_equal(stream_begin(&f, p, "key", LONG, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, LONG / 2), 0);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	die(&f, &heir);
	assert_int_equal(recovery(&heir).nr_streams, 0);
	assert_int_equal(engine_stat(&heir).live_bytes, 0);
	check(&heir);
	fixture_close(&heir);
}

static void a_live_stream_is_adopted_too(void **state)
{
	struct utmem_stream *s, *again;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, QUOTA);
	assert_int_equal(stream_begin(&f, open_pool(&f, "p", false), "key", 100, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, 60), 0);
	assert_int_equal(f.ops->stream_adopt(f.engine, f.ops->stream_id(s), 61, &again), -ENOENT);
	assert_int_equal(f.ops->stream_adopt(f.engine, f.ops->stream_id(s), 50, &again), 0);
	assert_ptr_equal(again, s);
	assert_int_equal(f.ops->stream_append(s, value + 50, 50), 0);
	f.ops->streams_settle(f.engine);
	assert_int_equal(f.ops->stream_commit(s, UTMEM_PUT_ALWAYS), 0);
	fixture_close(&f);
}

/* ---- what cannot be opened ---- */

static void assert_unopened(struct fixture *f, int want)
{
	struct utmem_engine *e;
	struct fixture before;

	fixture_map(&before, f->stock.arena_len, false);
	fixture_copy(&before, f);
	assert_int_equal(f->ops->open(&e, &f->mem), want);
	assert_null(e);
	assert_int_equal(f->heap_bytes, 0);
	assert_memory_equal(before.stock.arena, f->stock.arena, f->stock.arena_len);
	assert_memory_equal(before.stock.meta, f->stock.meta, fixture_meta_used(f));
	fixture_unmap(&before);
}

static struct meta_header *closed_with_values(struct fixture *f)
{
	fixture_open_lasting(f, ARENA, QUOTA, false);
	fill(f, open_pool(f, "p", false), 0, 100, 100);
	f->ops->close(f->engine);
	return f->stock.meta;
}

static void damaged_meta_is_euclean_and_stays(void **state)
{
	struct meta_header *hdr, lost;
	struct meta_store *store;
	struct fixture f;
	size_t i;

	(void)state;
	hdr = closed_with_values(&f);
	for (i = 0; i < offsetof(struct meta_header, last_pool_id); i++) {
		if (i >= offsetof(struct meta_header, version) &&
		    i < offsetof(struct meta_header, durable))
			continue;
		if (i >= offsetof(struct meta_header, checksum) + sizeof(hdr->checksum))
			break;
		((uint8_t *)hdr)[i] ^= 1;
		assert_unopened(&f, -EUCLEAN);
		((uint8_t *)hdr)[i] ^= 1;
	}
	hdr->closed = 0;
	assert_unopened(&f, -EUCLEAN);
	lost = *hdr;
	memset(hdr, 0, sizeof(*hdr));
	hdr->nr_stores = 1; /* so that the copies have the entry */
	assert_unopened(&f, -EUCLEAN);
	hdr->nr_stores = 0;
	assert_unopened(&f, -EUCLEAN);
	*hdr = lost;
	hdr->closed = META_CLOSED;
	store = (struct meta_store *)((uint8_t *)hdr + utmem_meta_len(ARENA)) - META_STORES_MAX;
	for (i = 0; i < sizeof(*store); i++) {
		((uint8_t *)store)[i] ^= 1;
		assert_unopened(&f, -EUCLEAN);
		((uint8_t *)store)[i] ^= 1;
	}
	fixture_start(&f, QUOTA);
	assert_int_equal(recovery(&f).nr_items, 100);
	fixture_close(&f);
}

static void meta_of_a_newer_version_is_eprotonosupport(void **state)
{
	struct meta_header *hdr;
	struct fixture f;

	(void)state;
	hdr = closed_with_values(&f);
	hdr->version = META_VERSION + 1;
	assert_unopened(&f, -EPROTONOSUPPORT);
	fixture_unmap(&f);
}

static void meta_of_another_arena_or_too_short_is_einval(void **state)
{
	struct fixture f;

	(void)state;
	closed_with_values(&f);
	f.mem.arena_len = ARENA / 2;
	assert_unopened(&f, -EINVAL);
	f.mem.arena_len = ARENA;
	f.mem.meta_len = utmem_meta_len(ARENA) - 1;
	assert_unopened(&f, -EINVAL);
	f.mem.meta_len = utmem_meta_len(ARENA);
	fixture_start(&f, QUOTA);
	fixture_close(&f);
}

/* In @heir: 2002 values, a stream, and records of a pool that was flushed. */
static void die_with_all_sorts(struct fixture *heir)
{
	struct utmem_stream *s;
	struct utmem_pool *p;
	struct fixture f;

	fixture_open_lasting(&f, ARENA, QUOTA, false);
	p = open_pool(&f, "p", false);
	fill(&f, p, 0, 2000, 100);
	fill(&f, p, 5000, 5002, LONG);
	assert_int_equal(stream_begin(&f, p, "stream", LONG, &s), 0);
	assert_int_equal(f.ops->stream_append(s, value, LONG / 2), 0);
	p = open_pool(&f, "q", false);
	fill(&f, p, 0, 200, 100);
	assert_int_equal(f.ops->flush(p), 0);
	fixture_map(heir, ARENA, false);
	fixture_copy(heir, &f);
	fixture_close(&f);
}

static void assert_all_sorts(struct fixture *f)
{
	assert_int_equal(recovery(f).nr_items, 2002);
	assert_int_equal(recovery(f).nr_streams, 1);
	check(f);
}

static void without_memory_open_fails_and_nothing_has_changed(void **state)
{
	struct fixture heir;
	uint64_t n;

	(void)state;
	die_with_all_sorts(&heir);
	for (n = 1;; n++) {
		heir.nr_allocs = 0;
		heir.fail_at = n;
		if (!heir.ops->open(&heir.engine, &heir.mem))
			break;
		heir.nr_allocs = 0;
		assert_unopened(&heir, -ENOMEM);
	}
	heir.fail_at = 0;
	assert_true(n > 20);
	assert_all_sorts(&heir);
	fixture_close(&heir);
}

static void a_read_that_fails_is_eio_and_nothing_has_changed(void **state)
{
	struct fixture heir;
	uint64_t n;

	(void)state;
	die_with_all_sorts(&heir);
	heir.mem.read = fixture_read;
	for (n = 1;; n++) {
		heir.nr_reads = 0;
		heir.read_fail_at = n;
		if (!heir.ops->open(&heir.engine, &heir.mem))
			break;
		heir.nr_reads = 0;
		assert_unopened(&heir, -EIO);
	}
	/* many values at once; chunks, of which only the beginning counts, one by one */
	assert_in_range(n, 10, 60);
	assert_all_sorts(&heir);
	fixture_close(&heir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_formatted_and_nothing_was_found),
		cmocka_unit_test(death_while_formatting_leaves_new_memory),
		cmocka_unit_test(values_short_and_long_are_there_after_death),
		cmocka_unit_test(what_was_deleted_overwritten_or_flushed_stays_so),
		cmocka_unit_test(pools_keep_id_kind_and_charge),
		cmocka_unit_test(ids_of_pools_that_are_gone_are_not_given_again),
		cmocka_unit_test(a_found_tenant_is_added_once_and_gets_its_quota),
		cmocka_unit_test(a_removed_tenant_is_not_found),
		cmocka_unit_test(versions_go_on),
		cmocka_unit_test(a_stream_is_adopted_and_goes_on_where_it_was),
		cmocka_unit_test(streams_that_nobody_adopts_are_aborted_by_settle),
		cmocka_unit_test(a_stream_of_a_destroyed_pool_is_gone),
		cmocka_unit_test(a_live_stream_is_adopted_too),
		cmocka_unit_test(damaged_meta_is_euclean_and_stays),
		cmocka_unit_test(meta_of_a_newer_version_is_eprotonosupport),
		cmocka_unit_test(meta_of_another_arena_or_too_short_is_einval),
		cmocka_unit_test(without_memory_open_fails_and_nothing_has_changed),
		cmocka_unit_test(a_read_that_fails_is_eio_and_nothing_has_changed),
	};

	return run_with_and_without_read(tests);
}
