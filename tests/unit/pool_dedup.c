// SPDX-License-Identifier: MIT
/* Equal values of a tenant are stored once: who is charged, who may go, and when they do. */
#include "pool_fixture.h"

#define ARENA (4 * MIB)
#define LEN 1000u
#define NR_EQUAL 10u

static uint8_t value[LEN], got[LEN];

static void set_options(struct fixture *f, struct utmem_pool *p, enum utmem_compress how,
			bool dedup)
{
	struct utmem_pool_options o = {.compress = how, .dedup = dedup};

	assert_int_equal(f->ops->pool_options_set(p, &o), 0);
}

static struct utmem_pool *open_sharing(struct fixture *f, struct utmem_tenant *t, const char *name,
				       bool ephemeral)
{
	struct utmem_pool *p = open_pool_of(f, t, name, ephemeral);

	set_options(f, p, UTMEM_COMPRESS_NONE, true);
	return p;
}

/* What came before is in full segments then, and whatever is cold is shared. */
static void make_cold(struct fixture *f, struct utmem_tenant *t)
{
	struct utmem_pool *ballast[2] = {open_pool_of(f, t, "ballast", false),
					 open_pool_of(f, t, "ballast.e", true)};
	uint32_t seg_len = ((struct pool_engine *)f->engine)->log.seg_len, done, i, e;
	char key[16];

	for (e = 0; e < 2; e++) {
		for (done = i = 0; done < 2 * seg_len; i++, done += LEN) {
			snprintf(key, sizeof(key), "%u", i);
			fill_value(got, LEN, 1000 + i);
			assert_int_equal(put(f, ballast[e], key, got, LEN), 0);
		}
	}
	settle(f);
	check(f);
	for (e = 0; e < 2; e++) {
		assert_int_equal(f->ops->pool_destroy(ballast[e]), 0);
		f->ops->pool_close(ballast[e]);
	}
	settle(f);
	check(f);
}

static void put_equal(struct fixture *f, struct utmem_pool *p, const char *prefix, uint32_t nr)
{
	char key[16];
	uint32_t i;

	fill_value(value, LEN, 7);
	for (i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%s%u", prefix, i);
		assert_int_equal(put(f, p, key, value, LEN), 0);
	}
}

static void assert_equal(struct fixture *f, struct utmem_pool *p, const char *prefix, uint32_t nr)
{
	struct utmem_get_result out;
	char key[16];
	uint32_t i;

	fill_value(value, LEN, 7);
	for (i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%s%u", prefix, i);
		assert_int_equal(get(f, p, key, 0, got, LEN, &out), 0);
		assert_int_equal(out.value_len, LEN);
		assert_memory_equal(got, value, LEN);
		/* a part of it, too */
		assert_int_equal(get(f, p, key, LEN / 2, got, LEN, &out), 0);
		assert_memory_equal(got, value + LEN / 2, LEN / 2);
	}
}

static uint32_t nr_bodies(struct fixture *f)
{
	struct pool_engine *e = (struct pool_engine *)f->engine;
	uint32_t id, nr = 0;

	for (id = 0; id < e->larges.nr_slots; id++)
		nr += idmap_get(&e->larges, id) != NULL;
	return nr;
}

static void nothing_is_shared_unless_asked_for(void **state)
{
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	put_equal(&f, p, "k", NR_EQUAL);
	make_cold(&f, f.tenant);
	assert_int_equal(counters(&f, p).nr_shared, 0);
	assert_int_equal(counters(&f, p).stored_bytes, NR_EQUAL * LEN);
	fixture_close(&f);
}

static void equal_values_of_a_pool_are_stored_once(void **state)
{
	uint64_t used;
	struct utmem_pool *p;
	struct fixture f;
	uint32_t version;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", false);
	put_equal(&f, p, "k", NR_EQUAL);
	version = version_of(&f, p, "k3");
	used = counters(&f, p).used_bytes;
	make_cold(&f, f.tenant);
	assert_int_equal(counters(&f, p).nr_shared, NR_EQUAL);
	assert_int_equal(counters(&f, p).value_bytes, NR_EQUAL * LEN);
	assert_int_equal(counters(&f, p).stored_bytes, LEN);
	/* the pool is charged for all of it, and it has become less */
	assert_true(counters(&f, p).used_bytes < used - (NR_EQUAL - 2) * LEN);
	assert_int_equal(tenant_used(&f, f.tenant), counters(&f, p).used_bytes);
	assert_equal(&f, p, "k", NR_EQUAL);
	assert_int_equal(version_of(&f, p, "k3"), version);
	assert_int_equal(nr_bodies(&f), 1);
	fixture_close(&f);
}

static void value_that_comes_later_joins_those_that_are_shared(void **state)
{
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", false);
	put_equal(&f, p, "k", 2);
	make_cold(&f, f.tenant);
	put_equal(&f, p, "later", 1);
	assert_int_equal(counters(&f, p).nr_shared, 2);
	make_cold(&f, f.tenant);
	assert_int_equal(counters(&f, p).nr_shared, 3);
	assert_equal(&f, p, "later", 1);
	assert_int_equal(nr_bodies(&f), 1);
	fixture_close(&f);
}

static void shortest_value_to_be_shared_is_of_256_bytes(void **state)
{
	static const uint32_t lens[] = {DEDUP_LEAST - 1, DEDUP_LEAST};
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i;

	(void)state;
	assert_int_equal(DEDUP_LEAST, 256);
	for (i = 0; i < 2; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_sharing(&f, f.tenant, "p", false);
		/* beside what makes the segment worth a look */
		put_equal(&f, p, "k", NR_EQUAL);
		fill_value(value, LEN, 8);
		assert_int_equal(put(&f, p, "a", value, lens[i]), 0);
		assert_int_equal(put(&f, p, "b", value, lens[i]), 0);
		make_cold(&f, f.tenant);
		assert_int_equal(counters(&f, p).nr_shared, NR_EQUAL + 2 * i);
		fixture_close(&f);
	}
}

static struct utmem_tenant_stat tenant_stat(struct fixture *f, struct utmem_tenant *t)
{
	struct utmem_tenant_stat st;

	f->ops->tenant_stat(t, &st);
	return st;
}

static void values_of_several_pools_are_the_tenants(void **state)
{
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", false);
	q = open_sharing(&f, f.tenant, "q", false);
	put_equal(&f, p, "k", 5);
	put_equal(&f, q, "k", 5);
	make_cold(&f, f.tenant);
	assert_int_equal(nr_bodies(&f), 1);
	assert_int_equal(counters(&f, p).nr_shared, 5);
	assert_int_equal(counters(&f, q).nr_shared, 5);
	assert_int_equal(counters(&f, p).stored_bytes, 0);
	assert_true(tenant_stat(&f, f.tenant).shared_bytes >= LEN);
	assert_int_equal(tenant_used(&f, f.tenant), counters(&f, p).used_bytes +
							    counters(&f, q).used_bytes +
							    tenant_stat(&f, f.tenant).shared_bytes);
	assert_equal(&f, p, "k", 5);
	assert_equal(&f, q, "k", 5);
	fixture_close(&f);
}

/* Only a pool that has the option gives and takes. */
static void pool_without_the_option_shares_nothing(void **state)
{
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", false);
	q = open_pool(&f, "q", false);
	put_equal(&f, p, "k", NR_EQUAL);
	put_equal(&f, q, "k", NR_EQUAL);
	make_cold(&f, f.tenant);
	assert_int_equal(counters(&f, p).nr_shared, NR_EQUAL);
	assert_int_equal(counters(&f, q).nr_shared, 0);
	fixture_close(&f);
}

static void nothing_is_shared_across_tenants(void **state)
{
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", ARENA, &other), 0);
	p = open_sharing(&f, f.tenant, "p", false);
	q = open_sharing(&f, other, "p", false);
	put_equal(&f, p, "k", 8);
	put_equal(&f, q, "k", 8);
	make_cold(&f, f.tenant);
	make_cold(&f, other);
	assert_int_equal(nr_bodies(&f), 2);
	assert_int_equal(counters(&f, p).nr_shared, 8);
	assert_int_equal(counters(&f, q).nr_shared, 8);
	assert_int_equal(tenant_stat(&f, f.tenant).shared_bytes, 0);
	assert_int_equal(tenant_stat(&f, other).shared_bytes, 0);
	fixture_close(&f);
}

static void shared_values_are_packed_too(void **state)
{
	struct utmem_pool *p;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	set_options(&f, p, UTMEM_COMPRESS_ZSTD, true);
	memset(value, 'z', LEN);
	fill_value(value, LEN / 2, 1);
	for (i = 0; i < NR_EQUAL; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(put(&f, p, key, value, LEN), 0);
	}
	make_cold(&f, f.tenant);
	assert_int_equal(counters(&f, p).nr_shared, NR_EQUAL);
	assert_true(counters(&f, p).stored_bytes < LEN * 88 / 100);
	assert_int_equal(get(&f, p, "k9", 0, got, LEN, &(struct utmem_get_result){0}), 0);
	assert_memory_equal(got, value, LEN);
	fixture_close(&f);
}

/* ---- the last one frees ---- */

static void del_all(struct fixture *f, struct utmem_pool *p)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < NR_EQUAL; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(del(f, p, key), 0);
		check(f);
	}
}

static void overwrite_all(struct fixture *f, struct utmem_pool *p)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < NR_EQUAL; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(put(f, p, key, "", 0), 0);
		check(f);
	}
}

static void flush_all(struct fixture *f, struct utmem_pool *p)
{
	assert_int_equal(f->ops->flush(p), 0);
}

static void destroy(struct fixture *f, struct utmem_pool *p)
{
	assert_int_equal(f->ops->pool_destroy(p), 0);
}

/* With enough others that a flush leaves them to be swept. */
static void flush_many(struct fixture *f, struct utmem_pool *p)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "other%u", i);
		assert_int_equal(put(f, p, key, "", 0), 0);
	}
	assert_int_equal(f->ops->flush(p), 0);
	check(f);
	/* equal values may come meanwhile, and go their own way */
	put_equal(f, p, "k", 2);
	make_cold(f, p->tenant);
	assert_equal(f, p, "k", 2);
	assert_int_equal(f->ops->flush(p), 0);
}

static void evict(struct fixture *f, struct utmem_pool *p)
{
	assert_int_equal(f->ops->tenant_quota(p->tenant, 0), 0);
	check(f);
	assert_int_equal(tenant_used(f, p->tenant), 0);
	assert_int_equal(f->ops->tenant_quota(p->tenant, ARENA), 0);
}

static void last_reference_takes_the_value_along(void **state)
{
	static void (*const ways[])(struct fixture * f, struct utmem_pool * p) = {
		del_all, overwrite_all, flush_all, destroy, flush_many, evict};
	struct utmem_pool *p, *q;
	struct fixture f;
	uint32_t i, two;

	(void)state;
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		for (two = 0; two < 2; two++) {
			fixture_open(&f, ARENA, ARENA);
			p = open_sharing(&f, f.tenant, "p", ways[i] == evict);
			q = open_sharing(&f, f.tenant, "q", ways[i] == evict);
			put_equal(&f, p, "k", NR_EQUAL);
			if (two)
				put_equal(&f, q, "k", NR_EQUAL);
			make_cold(&f, f.tenant);
			assert_int_equal(nr_bodies(&f), 1);
			ways[i](&f, p);
			settle(&f);
			check(&f);
			if (two && ways[i] != evict) {
				assert_equal(&f, q, "k", NR_EQUAL);
				assert_int_equal(nr_bodies(&f), 1);
				ways[i](&f, q);
				settle(&f);
				check(&f);
			}
			assert_int_equal(nr_bodies(&f), 0);
			assert_int_equal(tenant_stat(&f, f.tenant).shared_bytes, 0);
			if (ways[i] != overwrite_all)
				assert_int_equal(engine_stat(&f).live_bytes, 0);
			fixture_close(&f);
		}
	}
}

static void tenant_that_goes_leaves_nothing(void **state)
{
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", ARENA, &other), 0);
	p = open_sharing(&f, other, "p", false);
	q = open_sharing(&f, other, "q", true);
	put_equal(&f, p, "k", NR_EQUAL);
	put_equal(&f, q, "k", NR_EQUAL);
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(&f, p, key, "", 0), 0);
		assert_int_equal(put(&f, q, key, "", 0), 0);
	}
	make_cold(&f, other);
	assert_int_equal(nr_bodies(&f), 1);
	f.ops->pool_close(p);
	f.ops->pool_close(q);
	assert_int_equal(f.ops->tenant_remove(other), 0);
	check(&f);
	settle(&f);
	check(&f);
	assert_int_equal(nr_bodies(&f), 0);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	fixture_close(&f);
}

/* And when the engine is closed before anything was swept, nothing leaks: fixture_close() looks. */
static void engine_may_be_closed_while_they_are_dying(void **state)
{
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	assert_int_equal(f.ops->tenant_add(f.engine, "other", ARENA, &other), 0);
	p = open_sharing(&f, other, "p", false);
	q = open_sharing(&f, other, "q", true);
	put_equal(&f, p, "k", NR_EQUAL);
	put_equal(&f, q, "k", NR_EQUAL);
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(&f, p, key, "", 0), 0);
		assert_int_equal(put(&f, q, key, "", 0), 0);
	}
	make_cold(&f, other);
	f.ops->pool_close(p);
	f.ops->pool_close(q);
	assert_int_equal(f.ops->tenant_remove(other), 0);
	assert_int_equal(nr_bodies(&f), 1);
	fixture_close(&f);
}

static void value_of_a_persistent_pool_stays_when_ephemeral_ones_go(void **state)
{
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", false);
	q = open_sharing(&f, f.tenant, "q", true);
	put_equal(&f, p, "k", 4);
	put_equal(&f, q, "k", 4);
	make_cold(&f, f.tenant);
	assert_int_equal(nr_bodies(&f), 1);
	assert_true(tenant_stat(&f, f.tenant).shared_bytes > 0);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	check(&f);
	assert_int_equal(counters(&f, q).nr_items, 0);
	assert_equal(&f, p, "k", 4);
	assert_int_equal(f.ops->tenant_quota(f.tenant, ARENA), 0);

	/* and the other way round: what only ephemeral pools have may go */
	put_equal(&f, q, "k", 4);
	make_cold(&f, f.tenant);
	assert_int_equal(f.ops->flush(p), 0);
	check(&f);
	assert_equal(&f, q, "k", 4);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(nr_bodies(&f), 0);
	check(&f);
	fixture_close(&f);
}

/* So many that they go with their pools at once, and what they shared only when they are swept. */
static void lowered_quota_is_met_when_many_shared_values_went(void **state)
{
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", true);
	q = open_sharing(&f, f.tenant, "q", true);
	put_equal(&f, p, "k", 400);
	put_equal(&f, q, "k", 400);
	make_cold(&f, f.tenant);
	assert_int_equal(nr_bodies(&f), 1);
	assert_true(tenant_stat(&f, f.tenant).shared_bytes > 0);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	check(&f);
	settle(&f);
	check(&f);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(nr_bodies(&f), 0);
	fixture_close(&f);
}

/* An arena full of ephemeral values that are all shared: puts make room among them. */
static void arena_full_of_shared_ephemeral_values_takes_new_ones(void **state)
{
	struct utmem_pool *p, *q, *r;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, 2 * MIB, 64 * MIB);
	p = open_sharing(&f, f.tenant, "p", true);
	q = open_sharing(&f, f.tenant, "q", true);
	for (i = 0; i < 6000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		fill_value(value, LEN, i);
		assert_int_equal(put(&f, p, key, value, LEN), 0);
		assert_int_equal(put(&f, q, key, value, LEN), 0);
		f.ops->maintain(f.engine, 64 * KIB);
	}
	settle(&f);
	check(&f);
	assert_true(counters(&f, p).nr_shared > 500);
	r = open_pool(&f, "r", false);
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		fill_value(value, LEN, 100000 + i);
		assert_int_equal(put(&f, r, key, value, LEN), 0);
	}
	check(&f);
	fixture_close(&f);
}

static void put_each(struct fixture *f, struct utmem_pool *p, const char *prefix, uint32_t nr)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%s%u", prefix, i);
		fill_value(value, LEN, i);
		assert_int_equal(put(f, p, key, value, LEN), 0);
	}
}

static void del_each(struct fixture *f, struct utmem_pool *p, const char *prefix, uint32_t nr)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%s%u", prefix, i);
		assert_int_equal(del(f, p, key), 0);
	}
}

/* The cleaner has the segment of that key's record in hand. */
static void clean_segment_of(struct fixture *f, struct utmem_pool *p, const char *name)
{
	struct pool_engine *e = (struct pool_engine *)f->engine;
	struct utmem_key key = make_key(f, name, (uint32_t)strlen(name));
	uint64_t off = index_off(*index_find(&p->store->index, &key));

	utpool_log_close(&e->log, LOG_CLEAN_EPHEMERAL);
	assert_null(e->clean.seg);
	utpool_clean_take(e, log_segment(&e->log, off));
}

/*
 * Who drops values finds only what is shared, which stays as long as its keys do: it is not
 * carried around for ever, but the keys are looked for.
 */
static void shared_values_go_for_a_quota_while_their_keys_are_cleaned(void **state)
{
	struct utmem_pool *p;
	struct fixture f;
	uint64_t quota;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_sharing(&f, f.tenant, "p", true);
	put_each(&f, p, "a", 300);
	put_each(&f, p, "b", 300);
	make_cold(&f, f.tenant);
	put_each(&f, p, "c", 300);
	make_cold(&f, f.tenant);
	del_each(&f, p, "a", 300);
	del_each(&f, p, "b", 300);
	assert_int_equal(counters(&f, p).nr_shared, 300);
	clean_segment_of(&f, p, "c0");

	quota = tenant_used(&f, f.tenant) / 2;
	assert_int_equal(f.ops->tenant_quota(f.tenant, quota), 0);
	assert_true(tenant_used(&f, f.tenant) <= quota);
	assert_true(counters(&f, p).nr_items > 0);
	check(&f);
	fixture_close(&f);
}

/* ---- without memory ---- */

static void allowed(int err)
{
	assert_true(err == 0 || err == -ENOMEM || err == -ENOSPC);
}

static void fill_cold(struct fixture *f, struct utmem_pool *p, uint32_t nr)
{
	char key[16];
	uint32_t i;

	for (i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%u", i);
		memset(value, 'x', LEN);
		fill_value(value, LEN / 2, i % 7);
		allowed(put(f, p, key, value, i % 50 ? LEN : LEN / 2));
	}
}

static void workload(struct fixture *f)
{
	struct utmem_pool_options o = {.compress = UTMEM_COMPRESS_ZSTD, .dedup = true};
	struct utmem_pool_spec spec = {.name = "p", .create = true};
	struct utmem_pool *p, *q;

	assert_int_equal(f->ops->default_options_set(f->engine, &o), 0);
	allowed(f->ops->pool_open(f->tenant, f->tenant, &spec, &p, NULL));
	spec = (struct utmem_pool_spec){.name = "q", .create = true, .kind.ephemeral = true};
	allowed(f->ops->pool_open(f->tenant, f->tenant, &spec, &q, NULL));
	o.compress = UTMEM_COMPRESS_LZ4;
	if (q)
		allowed(f->ops->pool_options_set(q, &o));
	if (p)
		fill_cold(f, p, 300);
	if (q)
		fill_cold(f, q, 300);
	settle(f);
	check(f);
	if (p)
		allowed(f->ops->flush(p));
	settle(f);
	check(f);
}

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

static void failed_allocations_leave_values_as_they_are(void **state)
{
	uint64_t n, nr_allocs = run(0, false);

	(void)state;
	assert_true(nr_allocs > 20);
	for (n = 1; n <= nr_allocs; n++) {
		run(n, false);
		run(n, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_shared_unless_asked_for),
		cmocka_unit_test(equal_values_of_a_pool_are_stored_once),
		cmocka_unit_test(value_that_comes_later_joins_those_that_are_shared),
		cmocka_unit_test(shortest_value_to_be_shared_is_of_256_bytes),
		cmocka_unit_test(values_of_several_pools_are_the_tenants),
		cmocka_unit_test(pool_without_the_option_shares_nothing),
		cmocka_unit_test(nothing_is_shared_across_tenants),
		cmocka_unit_test(shared_values_are_packed_too),
		cmocka_unit_test(last_reference_takes_the_value_along),
		cmocka_unit_test(tenant_that_goes_leaves_nothing),
		cmocka_unit_test(engine_may_be_closed_while_they_are_dying),
		cmocka_unit_test(value_of_a_persistent_pool_stays_when_ephemeral_ones_go),
		cmocka_unit_test(lowered_quota_is_met_when_many_shared_values_went),
		cmocka_unit_test(arena_full_of_shared_ephemeral_values_takes_new_ones),
		cmocka_unit_test(shared_values_go_for_a_quota_while_their_keys_are_cleaned),
		cmocka_unit_test(failed_allocations_leave_values_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
