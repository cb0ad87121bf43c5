/* SPDX-License-Identifier: MIT */
/*
 * What the pool tests share: an engine on memory that can be made to fail, one-line
 * calls with string keys, values that tell whose they are, and a checker that walks
 * over everything the engine believes.
 */
#ifndef UTMEM_TEST_POOL_FIXTURE_H
#define UTMEM_TEST_POOL_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/pool/engine.h"
#include "host/pool/memory.h"

#define KIB 1024ull
#define MIB (1024ull * KIB)

/* ---- memory: stock, counted, and failing on request ---- */

struct fixture {
	struct utmem_memory stock, mem;
	const struct utmem_engine_ops *ops;
	struct utmem_engine *engine;
	struct utmem_tenant *tenant; /* "t" */
	uint64_t nr_allocs, nr_failed;
	uint64_t fail_at; /* the allocation of that number fails (from 1); 0: none */
	bool fail_on;	  /* and all that follow */
	uint64_t nr_reads;
	uint64_t read_fail_at; /* the same of the memory's read, and of all that follow */
	int64_t heap_bytes;
	uint64_t released_bytes, prepared_bytes;
};

static inline void *fixture_alloc(void *ctx, size_t len, size_t align)
{
	struct fixture *f = ctx;
	void *p;

	f->nr_allocs++;
	if (f->fail_at &&
	    (f->nr_allocs == f->fail_at || (f->fail_on && f->nr_allocs > f->fail_at))) {
		f->nr_failed++;
		return NULL;
	}
	p = f->stock.alloc(f->stock.ctx, len, align);
	if (p) {
		memset(p, 0xa5, len); /* the engine may not count on zeroes */
		f->heap_bytes += (int64_t)len;
	}
	return p;
}

static inline void fixture_free(void *ctx, void *p, size_t len)
{
	struct fixture *f = ctx;

	f->heap_bytes -= (int64_t)len;
	f->stock.free(f->stock.ctx, p, len);
}

static inline void fixture_release(void *ctx, size_t off, size_t len)
{
	struct fixture *f = ctx;

	f->released_bytes += len;
	f->stock.release(f->stock.ctx, off, len);
}

static inline void fixture_prepare(void *ctx, size_t off, size_t len)
{
	struct fixture *f = ctx;

	f->prepared_bytes += len;
	f->stock.prepare(f->stock.ctx, off, len);
}

/* Memory that cannot be read: recovery looks at the mapping. */
static bool fixture_cannot_read;

static inline int fixture_read(void *ctx, size_t off, void *buf, size_t len)
{
	struct fixture *f = ctx;

	f->nr_reads++;
	if (f->read_fail_at && f->nr_reads >= f->read_fail_at)
		return -EIO;
	return f->stock.read(f->stock.ctx, off, buf, len);
}

/* The stock memory, under the fixture's callbacks. */
static inline void fixture_take_memory(struct fixture *f, const struct utmem_engine_ops *ops)
{
	f->mem = f->stock;
	f->mem.alloc = fixture_alloc;
	f->mem.free = fixture_free;
	f->mem.prepare = f->stock.prepare ? fixture_prepare : NULL;
	f->mem.release = f->stock.release ? fixture_release : NULL;
	f->mem.read = f->stock.read && !fixture_cannot_read ? fixture_read : NULL;
	f->mem.ctx = f;
	f->ops = ops;
}

/* An engine on the memory that is there, with one tenant "t" of that quota. */
static inline void fixture_start(struct fixture *f, uint64_t quota)
{
	assert_int_equal(f->ops->open(&f->engine, &f->mem), 0);
	assert_int_equal(f->ops->tenant_add(f->engine, "t", quota, &f->tenant), 0);
}

static inline void fixture_open_engine(struct fixture *f, const struct utmem_engine_ops *ops,
				       size_t arena_len, uint64_t quota)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(utmem_memory_open(&f->stock, arena_len, 42), 0);
	fixture_take_memory(f, ops);
	fixture_start(f, quota);
}

/* Memory that outlives an engine: arena and meta on a memfd, zeroed. */
static inline void fixture_map(struct fixture *f, size_t arena_len, bool durable)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);

	memset(f, 0, sizeof(*f));
	assert_true(fd >= 0);
	assert_int_equal(utmem_memory_map(&f->stock, fd, arena_len, 42), 0);
	close(fd);
	f->stock.durable = durable;
	fixture_take_memory(f, &utmem_engine_pool);
}

static inline void fixture_open_lasting(struct fixture *f, size_t arena_len, uint64_t quota,
					bool durable)
{
	fixture_map(f, arena_len, durable);
	fixture_start(f, quota);
}

/* Bytes of meta that were ever written. */
static inline size_t fixture_meta_used(const struct fixture *f)
{
	const struct meta_header *hdr = f->stock.meta;

	return utmem_meta_len(f->stock.arena_len) -
	       (META_STORES_MAX - hdr->nr_stores) * sizeof(struct meta_store);
}

/* What another process would find now: all bytes, no engine. Both were mapped with one length. */
static inline void fixture_copy(struct fixture *to, const struct fixture *from)
{
	size_t used = fixture_meta_used(from), had = fixture_meta_used(to);

	memcpy(to->stock.arena, from->stock.arena, from->stock.arena_len);
	memcpy(to->stock.meta, from->stock.meta, used);
	if (had > used)
		memset((uint8_t *)to->stock.meta + used, 0, had - used);
}

/* Its process dies: nothing is closed, but for what would be a leak here. */
static inline void fixture_unmap(struct fixture *f)
{
	assert_int_equal(f->heap_bytes, 0);
	utmem_memory_close(&f->stock);
}

/* Closed in good order and opened again. */
static inline void fixture_reopen(struct fixture *f, uint64_t quota)
{
	f->ops->close(f->engine);
	assert_int_equal(f->heap_bytes, 0);
	fixture_start(f, quota);
}

static inline void fixture_open(struct fixture *f, size_t arena_len, uint64_t quota)
{
	fixture_open_engine(f, &utmem_engine_pool, arena_len, quota);
}

/* All of @tests once with memory that can be read, and once with such that cannot. */
#define run_with_and_without_read(tests)             \
	(cmocka_run_group_tests(tests, NULL, NULL) + \
	 (fixture_cannot_read = true, cmocka_run_group_tests(tests, NULL, NULL)))

/* Whatever is still open goes; not a byte may be left over. */
static inline void fixture_close(struct fixture *f)
{
	f->ops->close(f->engine);
	assert_int_equal(f->heap_bytes, 0);
	utmem_memory_close(&f->stock);
}

/* ---- one-line calls ---- */

static inline struct utmem_pool *open_pool_of(struct fixture *f, struct utmem_tenant *t,
					      const char *name, bool ephemeral)
{
	struct utmem_pool_spec spec = {.name = name, .create = true};
	struct utmem_pool *p;

	spec.kind.ephemeral = ephemeral;
	assert_int_equal(f->ops->pool_open(t, t, &spec, &p, NULL), 0);
	return p;
}

static inline struct utmem_pool *open_pool(struct fixture *f, const char *name, bool ephemeral)
{
	return open_pool_of(f, f->tenant, name, ephemeral);
}

static inline struct utmem_key make_key(struct fixture *f, const void *data, uint32_t len)
{
	return (struct utmem_key){
		.data = data, .len = len, .hash = f->ops->hash(f->engine, data, len)};
}

static inline int put_cond(struct fixture *f, struct utmem_pool *p, const char *key,
			   const void *value, uint32_t len, enum utmem_put_if cond)
{
	struct utmem_key k = make_key(f, key, (uint32_t)strlen(key));

	return f->ops->put(p, &k, value, len, cond);
}

static inline int put(struct fixture *f, struct utmem_pool *p, const char *key, const void *value,
		      uint32_t len)
{
	return put_cond(f, p, key, value, len, UTMEM_PUT_ALWAYS);
}

static inline int put_str(struct fixture *f, struct utmem_pool *p, const char *key,
			  const char *value)
{
	return put(f, p, key, value, (uint32_t)strlen(value));
}

static inline int del(struct fixture *f, struct utmem_pool *p, const char *key)
{
	struct utmem_key k = make_key(f, key, (uint32_t)strlen(key));

	return f->ops->del(p, &k);
}

static inline int get(struct fixture *f, struct utmem_pool *p, const char *key, uint64_t off,
		      void *buf, uint32_t len, struct utmem_get_result *out)
{
	struct utmem_key k = make_key(f, key, (uint32_t)strlen(key));

	return f->ops->get(p, &k, off, buf, len, out);
}

/* Length of the value, or -errno. */
static inline int64_t exists(struct fixture *f, struct utmem_pool *p, const char *key)
{
	struct utmem_get_result out;
	int err = get(f, p, key, 0, NULL, 0, &out);

	return err ? err : (int64_t)out.value_len;
}

static inline uint32_t version_of(struct fixture *f, struct utmem_pool *p, const char *key)
{
	struct utmem_get_result out;

	assert_int_equal(get(f, p, key, 0, NULL, 0, &out), 0);
	return out.version;
}

static inline void assert_value(struct fixture *f, struct utmem_pool *p, const char *key,
				const char *value)
{
	char buf[256];
	struct utmem_get_result out;

	assert_int_equal(get(f, p, key, 0, buf, sizeof(buf), &out), 0);
	assert_int_equal(out.value_len, strlen(value));
	assert_memory_equal(buf, value, strlen(value));
}

static inline int stream_begin(struct fixture *f, struct utmem_pool *p, const char *key,
			       uint64_t total, struct utmem_stream **out)
{
	struct utmem_key k = make_key(f, key, (uint32_t)strlen(key));

	return f->ops->stream_begin(p, &k, total, out);
}

static inline struct utmem_pool_counters counters(struct fixture *f, struct utmem_pool *p)
{
	struct utmem_pool_counters c;

	f->ops->pool_stat(p, &c);
	return c;
}

static inline uint64_t tenant_used(struct fixture *f, struct utmem_tenant *t)
{
	struct utmem_tenant_stat st;

	f->ops->tenant_stat(t, &st);
	return st.used_bytes;
}

static inline struct utmem_engine_stat engine_stat(struct fixture *f)
{
	struct utmem_engine_stat st;

	f->ops->stat(f->engine, &st);
	return st;
}

static inline void settle(struct fixture *f)
{
	uint32_t calls = 0;

	while (f->ops->maintain(f->engine, MIB))
		assert_true(++calls < 2000 + 2 * LOG_EPOCH_TICKS);
}

/* What a value of @len bytes under a key of @key_len is charged. */
static inline uint64_t charge_of(struct fixture *f, uint32_t key_len, uint64_t len)
{
	struct pool_engine *e = (struct pool_engine *)f->engine;
	bool chunked = log_record_size(&e->log, key_len, (uint32_t)len) > e->log.record_max;

	return store_charge(utpool_store_cost(e, key_len, len, chunked));
}

/* ---- values and chance ---- */

/* splitmix64: small, and the same everywhere */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Bytes that depend on @seed and on their place, so that no piece can pass for another. */
static inline void fill_value(void *buf, size_t len, uint64_t seed)
{
	uint8_t *to = buf;
	uint64_t word;
	size_t i;

	for (i = 0; i < len; i += sizeof(word)) {
		word = (seed + 1) * 0x9e3779b97f4a7c15ull ^ i * 0xff51afd7ed558ccdull;
		memcpy(to + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

/* ---- the checker ---- */

/* What the records of a store, and those that lead to a large value, add up to. */
struct check_store {
	uint64_t log_bytes, charged, value_bytes, spared_bytes, nr_packed, nr_shared;
};

struct check_large {
	uint32_t nr_refs, nr_persistent;
};

struct check_sums {
	uint64_t filled, live, nr_free, nr_hot;
	struct check_store *stores;
	struct check_large *larges;
};

static inline void check_reference(struct pool_engine *e, struct store *st, struct record *r,
				   uint64_t off, struct check_sums *s)
{
	struct large *l = idmap_get(&e->larges, record_large(r).id);
	struct check_large *seen = &s->larges[record_large(r).id];

	assert_non_null(l);
	assert_int_equal(l->total, r->value_len);
	if (l->commons)
		assert_null(l->store);
	else
		assert_ptr_equal(l->store, st);
	if (!l->shared && st->pool)
		assert_int_equal(l->record_off, off);
	s->stores[st->id].nr_shared += l->shared;
	/* all but the first of a pool's keys save all of it; what is in common is not the pool's */
	if (l->commons || seen->nr_refs)
		s->stores[st->id].spared_bytes += l->total;
	seen->nr_refs++;
	seen->nr_persistent += !st->ephemeral;
}

static inline void check_keyed(struct pool_engine *e, struct record *r, uint64_t off,
			       struct check_sums *s)
{
	struct store *st = idmap_get(&e->stores, r->store);
	struct check_store *sum;
	uint64_t hash;

	assert_non_null(st);
	sum = &s->stores[st->id];
	if (r->type == RECORD_LARGE)
		check_reference(e, st, r, off, s);
	sum->log_bytes += log_record_len(&e->log, r);
	sum->charged += log_record_len(&e->log, r) + INDEX_SHARE;
	sum->value_bytes += record_full_len(r);
	sum->spared_bytes += record_full_len(r) - r->value_len;
	sum->nr_packed += r->packed;
	if (!st->pool)
		return;
	hash = utpool_hash(&e->base, record_key(r), r->key_len);
	assert_non_null(utpool_index_find_at(&st->index, hash, off));
}

/* Everything about the large values, and what of them their stores are charged. */
static inline void check_larges(struct pool_engine *e, struct check_sums *s)
{
	struct check_store *sum;
	struct large *l;
	uint32_t id, no, nr_packed;
	uint64_t bytes, saved;
	struct record *r;

	for (id = 0; id < e->larges.nr_slots; id++) {
		l = idmap_get(&e->larges, id);
		if (!l)
			continue;
		assert_int_equal(l->nr_refs, s->larges[id].nr_refs);
		for (bytes = saved = nr_packed = no = 0; no < l->nr_chunks; no++) {
			if (l->chunk_off[no] == LOG_NONE)
				continue;
			r = log_record(&e->log, l->chunk_off[no]);
			bytes += log_record_len(&e->log, r);
			saved += record_full_len(r) - r->value_len;
			nr_packed += r->packed;
		}
		assert_int_equal(l->log_bytes, bytes);
		if (l->store && !l->store->pool) {
			s->stores[l->store->id].log_bytes += bytes;
			continue;
		}
		assert_int_equal(l->spared_bytes, saved);
		assert_int_equal(l->nr_packed, nr_packed);
		if (l->commons)
			assert_int_equal(l->nr_persistent, s->larges[id].nr_persistent);
		if (!l->store)
			continue;
		sum = &s->stores[l->store->id];
		sum->log_bytes += bytes;
		sum->charged += utpool_large_own_cost(l);
		sum->spared_bytes += saved;
		sum->nr_packed += !!nr_packed;
	}
}

static inline void check_stream(struct pool_engine *e, struct record *r, uint64_t off)
{
	struct large *l = idmap_get(&e->larges, record_large(r).id);

	assert_non_null(l);
	assert_null(l->store);
	assert_int_equal(l->birth, record_large(r).birth);
	assert_int_equal(l->record_off, off);
	assert_int_equal(l->total, r->value_len);
}

static inline void check_chunk(struct pool_engine *e, struct record *r, uint64_t off)
{
	struct chunk_id id = record_chunk(r);
	struct large *l = idmap_get(&e->larges, id.large);

	assert_non_null(l);
	assert_int_equal(l->birth, r->seq);
	assert_true(id.no < l->nr_chunks);
	assert_int_equal(l->chunk_off[id.no], off);
}

static inline void check_segment(struct pool_engine *e, struct segment *seg, struct check_sums *s)
{
	uint64_t start = log_segment_off(&e->log, seg);
	uint32_t pos, dead = 0;
	struct record *r;

	s->nr_free += seg->state == SEGMENT_FREE;
	for (pos = 0; pos < seg->fill; pos += log_record_len(&e->log, r)) {
		r = log_record(&e->log, start + pos);
		if (r->state == RECORD_DEAD) {
			dead += log_record_len(&e->log, r);
			continue;
		}
		assert_int_equal(r->state, RECORD_LIVE);
		if (r->type == RECORD_CHUNK)
			check_chunk(e, r, start + pos);
		else if (r->type == RECORD_STREAM)
			check_stream(e, r, start + pos);
		else
			check_keyed(e, r, start + pos, s);
	}
	assert_int_equal(pos, seg->fill);
	assert_int_equal(dead, seg->dead);
	if (seg->state != SEGMENT_FREE && seg->fill < e->log.seg_len)
		assert_int_equal(log_record(&e->log, start + pos)->head, 0);
	if (seg->state == SEGMENT_FULL)
		assert_true(segment_live(seg) > 0);
	s->filled += seg->fill;
	s->live += segment_live(seg);
}

static inline void check_log(struct pool_engine *e, struct check_sums *sums)
{
	struct check_sums s = *sums;
	struct list *l = NULL;
	uint32_t i;

	for (i = 0; i < e->log.nr_segs; i++)
		check_segment(e, &e->log.segs[i], &s);
	while ((l = list_after(&e->log.hot, l)))
		s.nr_hot++;
	assert_int_equal(s.filled, log_filled(&e->log));
	assert_int_equal(s.live, e->log.live_bytes);
	assert_int_equal(s.nr_free, e->log.nr_free);
	assert_int_equal(s.nr_hot, e->log.nr_hot);
}

/* The cleaner can always go on: what a cursor borrowed comes back with its segment. */
static inline void check_reserve(struct pool_engine *e)
{
	assert_true(e->log.nr_free + !!e->clean.seg + !!e->drop.seg >= LOG_RESERVE);
}

/* Return: entries. Every one leads to a live record of this store whose hash belongs there. */
static inline uint64_t check_index(struct pool_engine *e, struct store *st)
{
	struct index *ix = &st->index;
	uint64_t d, n = 0, hash, *slot;
	struct record *r;
	uint32_t i, items;

	for (d = 0; !(d >> ix->depth); d += 1ull << (ix->depth - ix->dir[d].leaf->depth)) {
		struct leaf *leaf = ix->dir[d].leaf;

		assert_int_equal(ix->dir[d].nr_buckets, leaf->nr_buckets);
		for (items = 0, i = 0; i < leaf->nr_buckets * BUCKET_SLOTS; i++) {
			slot = &leaf->bucket[i / BUCKET_SLOTS].slot[i % BUCKET_SLOTS];
			if (!*slot)
				continue;
			items++;
			r = log_record(&e->log, index_off(*slot));
			assert_int_equal(r->state, RECORD_LIVE);
			assert_int_equal(r->store, st->id);
			hash = utpool_hash(&e->base, record_key(r), r->key_len);
			assert_ptr_equal(utpool_index_find_at(ix, hash, index_off(*slot)), slot);
		}
		assert_int_equal(items, leaf->nr_items);
		n += items;
	}
	return n;
}

struct check_totals {
	uint64_t nr_items, ephemeral, dying;
};

static inline void check_pool(struct utmem_pool *p, const struct check_store *seen)
{
	assert_int_equal(p->store->charged_bytes, seen->charged);
	assert_int_equal(p->counters.value_bytes, seen->value_bytes);
	assert_int_equal(p->spared_bytes, seen->spared_bytes);
	assert_int_equal(p->counters.nr_packed, seen->nr_packed);
	assert_int_equal(p->counters.nr_shared, seen->nr_shared);
}

static inline void check_stores(struct pool_engine *e, struct check_totals *sum,
				const struct check_sums *seen)
{
	struct store *st;
	uint32_t id;

	for (id = 0; id < e->stores.nr_slots; id++) {
		st = idmap_get(&e->stores, id);
		if (!st)
			continue;
		assert_int_equal(st->id, id);
		assert_int_equal(st->log_bytes, seen->stores[id].log_bytes);
		if (!st->pool) {
			sum->dying += st->log_bytes;
			continue;
		}
		assert_ptr_equal(st->pool->store, st);
		check_pool(st->pool, &seen->stores[id]);
		assert_int_equal(check_index(e, st), st->pool->counters.nr_items);
		sum->nr_items += st->pool->counters.nr_items;
		sum->ephemeral += st->ephemeral ? st->log_bytes : 0;
	}
}

/* What several pools share: nobody's, when its tenant is gone. */
static inline void check_commons(struct pool_engine *e, struct check_totals *sum)
{
	struct utmem_tenant *t;
	struct large *l;
	uint32_t id;

	for (id = 0; id < e->larges.nr_slots; id++) {
		l = idmap_get(&e->larges, id);
		if (!l || !l->commons)
			continue;
		for (t = NULL; (t = utpool_tenant_next(&e->base, t));)
			if (t->commons == l->commons)
				break;
		sum->ephemeral += t && !l->nr_persistent ? l->log_bytes : 0;
		sum->dying += t ? 0 : l->log_bytes;
	}
}

static inline void check_tenant(struct pool_engine *e, struct utmem_tenant *t)
{
	uint64_t used = 0, evictable = 0, cost;
	struct utmem_pool *p;
	struct list *l = NULL;
	struct large *common;
	uint32_t id;

	for (id = 0; t->commons && id < e->larges.nr_slots; id++) {
		common = idmap_get(&e->larges, id);
		if (!common || common->commons != t->commons)
			continue;
		cost = utpool_large_own_cost(common);
		used += cost;
		evictable += common->nr_persistent ? 0 : cost;
	}
	assert_int_equal(used, t->shared_bytes);

	for (p = NULL; (p = utpool_pool_next(t, p));) {
		used += p->counters.used_bytes;
		evictable += p->kind.ephemeral ? p->store->charged_bytes : 0;
		assert_true(p->counters.used_bytes >=
			    p->counters.key_bytes + p->counters.value_bytes - p->spared_bytes);
	}
	while ((l = list_after(&t->incoming, l)))
		used += list_entry(l, struct utmem_pool, link)->counters.used_bytes;
	while ((l = list_after(&t->destroyed, l)))
		used += list_entry(l, struct utmem_pool, link)->counters.used_bytes;
	assert_int_equal(used, t->used_bytes);
	assert_int_equal(evictable, t->evictable_bytes);
}

/* Everything the (real) engine believes is true; a power loss may have cost it its reserve. */
static inline void check_but_reserve(struct fixture *f)
{
	struct pool_engine *e = (struct pool_engine *)f->engine;
	struct check_totals sum = {0};
	struct utmem_tenant *t = NULL;
	struct check_sums seen = {.stores = calloc(e->stores.nr_slots + 1, sizeof(*seen.stores)),
				  .larges = calloc(e->larges.nr_slots + 1, sizeof(*seen.larges))};
	uint64_t promised = 0;
	struct list *l = NULL;

	check_log(e, &seen);
	check_larges(e, &seen);
	check_stores(e, &sum, &seen);
	check_commons(e, &sum);
	free(seen.stores);
	free(seen.larges);
	assert_int_equal(sum.nr_items, e->nr_items);
	assert_int_equal(sum.ephemeral, e->ephemeral_bytes);
	assert_int_equal(sum.dying, e->dying_bytes);
	while ((t = utpool_tenant_next(f->engine, t)))
		check_tenant(e, t);
	while ((l = list_after(&e->base.streams, l)))
		promised += list_entry(l, struct utmem_stream, link)->promised;
	assert_int_equal(promised, e->promised_bytes);
}

static inline void check(struct fixture *f)
{
	check_but_reserve(f);
	check_reserve((struct pool_engine *)f->engine);
}

#endif /* UTMEM_TEST_POOL_FIXTURE_H */
