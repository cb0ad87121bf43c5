// SPDX-License-Identifier: MIT
/*
 * A pool is read as it was at one moment, a little at a time, while it is in use. The walk
 * goes over the index by ascending hash. What is about to die ahead of it is emitted before it
 * does; what came after the beginning is remembered (young), and passed over.
 * Called through the vtable, and by store.c and clean.c when records come, go and move; on the
 * engine's thread.
 *
 * Why by hash: leaves are in the directory's order and split along it, so that "below next"
 * means the same before and after any change of the index. Why not by seq, which wraps: a
 * value may be older than 2^32 puts.
 */
#include <errno.h>

#include "engine.h"

/* What looking at a record counts as, in bytes of copying; and gathering a hash. */
#define STEP_PER_RECORD 128u
#define STEP_PER_HASH 32u
/* Leaves of the young's index that are freed at a time, at the end. */
#define YOUNG_LEAVES 16u
#define YOUNG_BYTES INDEX_SHARE

_Static_assert(LOG_SEGMENT_MAX / LOG_RECORDS_PER_SEGMENT <= UTMEM_SAVE_PART_MAX,
	       "a VALUE is one part");

/* A value in chunks, emitted part by part. */
struct save_long {
	struct list link;
	struct large *large;
	bool kept;    /* its key is dead, its chunks are ours */
	uint64_t off; /* so much is emitted */
	uint32_t key_len;
	uint8_t key[];
};

struct utmem_save {
	const struct utmem_engine_ops *ops;
	struct pool_engine *engine;
	struct utmem_pool *pool; /* NULL: failed */
	struct list link;	 /* engine->saves */
	struct utmem_save_sink sink;
	int error;
	bool walked;		   /* the whole index */
	uint64_t next;		   /* smaller hashes are done */
	uint64_t last;		   /* of the leaf whose hashes are in the heap */
	uint32_t nr_hashes;	   /* in it; next is not above the smallest */
	struct list longs;	   /* to be emitted before the walk goes on */
	struct save_long *walking; /* of them, whose key is alive: the walk is at it */
	struct index young;	   /* records ahead of the walk that came since the beginning */
	uint64_t nr_young;
	uint32_t nr_kept;   /* longs whose chunks are ours */
	int64_t held_bytes; /* as the sink was told */
	uint64_t heap[INDEX_LEAF_MAX];
};

/* ---- a heap of hashes, the smallest first ---- */

static void heap_settle(uint64_t *heap, uint32_t nr, uint32_t i)
{
	uint64_t hash = heap[i];
	uint32_t child;

	while ((child = 2 * i + 1) < nr) {
		if (child + 1 < nr && heap[child + 1] < heap[child])
			child++;
		if (hash <= heap[child])
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = hash;
}

static void heap_make(uint64_t *heap, uint32_t nr)
{
	uint32_t i;

	for (i = nr / 2; i--;)
		heap_settle(heap, nr, i);
}

/* The smallest one, however often it is there. */
static uint64_t heap_pop(uint64_t *heap, uint32_t *nr)
{
	uint64_t hash = heap[0];

	while (*nr && heap[0] == hash) {
		heap[0] = heap[--*nr];
		heap_settle(heap, *nr, 0);
	}
	return hash;
}

/* ---- begin, fail, end ---- */

static bool hold(struct utmem_save *s, int64_t bytes)
{
	s->held_bytes += bytes;
	return s->sink.hold(s->sink.ctx, bytes);
}

int utpool_save_begin(struct utmem_pool *p, const struct utmem_save_sink *sink,
		      struct utmem_save **out)
{
	struct pool_engine *e = engine_of(p);
	struct utmem_save *s;

	*out = NULL;
	if (p->destroyed)
		return -ESTALE;
	if (p->save)
		return -EBUSY;
	s = utpool_alloc(&e->base, sizeof(*s), _Alignof(struct utmem_save));
	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	if (utpool_index_init(&s->young, &e->base, &e->log)) {
		utpool_free(&e->base, s, sizeof(*s));
		return -ENOMEM;
	}
	s->ops = p->ops;
	s->engine = e;
	s->pool = p;
	s->sink = *sink;
	list_init(&s->longs);
	list_add_tail(&e->saves, &s->link);
	p->save = s;
	*out = s;
	return 0;
}

static void long_free(struct utmem_save *s, struct save_long *l)
{
	if (l == s->walking)
		s->walking = NULL;
	if (l->kept) {
		s->nr_kept--;
		hold(s, -(int64_t)l->large->log_bytes);
		utpool_large_release(s->engine, l->large);
	}
	list_del(&l->link);
	utpool_free(&s->engine->base, l, sizeof(*l) + l->key_len);
}

static void fail(struct utmem_save *s, int err)
{
	struct list *l;

	s->error = err;
	s->pool->save = NULL;
	s->pool = NULL;
	while ((l = list_after(&s->longs, NULL)))
		long_free(s, list_entry(l, struct save_long, link));
}

void utpool_save_fail(struct utmem_pool *p, int err)
{
	if (p->save)
		fail(p->save, err);
}

bool utpool_save_yield(struct pool_engine *e)
{
	struct list *l = NULL;
	struct utmem_save *s;
	bool any = false;

	while ((l = list_after(&e->saves, l))) {
		s = list_entry(l, struct utmem_save, link);
		if (!s->nr_kept)
			continue;
		fail(s, -ENOBUFS);
		any = true;
	}
	return any;
}

void utpool_save_end(struct utmem_save *s)
{
	if (s->pool)
		fail(s, -ECANCELED);
	while (!utpool_index_exit(&s->young, UINT32_MAX))
		;
	hold(s, -s->held_bytes);
	list_del(&s->link);
	utpool_free(&s->engine->base, s, sizeof(*s));
}

/* ---- emitting ---- */

static void emit(struct utmem_save *s, struct record *r)
{
	uint32_t len = record_full_len(r);
	struct utmem_save_item item = {record_key(r), r->key_len, len};
	void *to = len <= UTMEM_SAVE_PART_MAX ? s->sink.reserve(s->sink.ctx, &item, len) : NULL;
	int err = to ? utpool_value_read(s->engine, r, to) : -ENOBUFS;

	if (err)
		fail(s, err);
	else
		s->sink.emit(s->sink.ctx, &item, 0, len);
}

static struct save_long *long_add(struct utmem_save *s, struct record *r)
{
	struct save_long *l =
		utpool_alloc(&s->engine->base, sizeof(*l) + r->key_len, _Alignof(struct save_long));

	if (!l)
		return NULL;
	l->large = idmap_get(&s->engine->larges, record_large(r).id);
	l->kept = false;
	l->off = 0;
	l->key_len = r->key_len;
	memcpy(l->key, record_key(r), r->key_len);
	list_add_tail(&s->longs, &l->link);
	return l;
}

/* The walk is at @r. */
static void walk_record(struct utmem_save *s, struct record *r)
{
	if (r->type != RECORD_LARGE) {
		emit(s, r);
		return;
	}
	s->walking = long_add(s, r);
	if (!s->walking)
		fail(s, -ENOMEM);
}

static size_t emit_part(struct utmem_save *s)
{
	struct save_long *l = list_entry(list_after(&s->longs, NULL), struct save_long, link);
	struct utmem_save_item item = {l->key, l->key_len, l->large->total};
	uint64_t left = l->large->total - l->off;
	uint32_t len = left < UTMEM_SAVE_PART_MAX ? (uint32_t)left : UTMEM_SAVE_PART_MAX;
	void *to = s->sink.reserve(s->sink.ctx, &item, len);
	int err = to ? utpool_large_read(s->engine, l->large, l->off, to, len) : -ENOBUFS;

	if (err) {
		fail(s, err);
		return len;
	}
	s->sink.emit(s->sink.ctx, &item, l->off, len);
	l->off += len;
	if (l->off == l->large->total)
		long_free(s, l);
	return len;
}

/* ---- the walk ---- */

static bool is_young(const struct utmem_save *s, uint64_t hash, uint64_t off)
{
	return s->nr_young && utpool_index_find_at(&s->young, hash, off);
}

static void leaf_done(struct utmem_save *s)
{
	if (s->last == UINT64_MAX)
		s->walked = true;
	else
		s->next = s->last + 1;
}

static size_t take_leaf(struct utmem_save *s)
{
	uint32_t n = utpool_index_hashes(&s->pool->store->index, s->next, s->heap, &s->last), i;

	s->nr_hashes = 0;
	for (i = 0; i < n; i++)
		if (s->heap[i] >= s->next)
			s->heap[s->nr_hashes++] = s->heap[i];
	heap_make(s->heap, s->nr_hashes);
	if (!s->nr_hashes)
		leaf_done(s);
	return STEP_PER_RECORD + n * STEP_PER_HASH;
}

/* All records of the next hash: mostly one, none when it has died, more hardly ever. */
static size_t walk_hash(struct utmem_save *s)
{
	uint64_t hash = heap_pop(s->heap, &s->nr_hashes), off[2 * BUCKET_SLOTS];
	uint32_t n = utpool_index_find_hash(&s->pool->store->index, hash, off), i;
	size_t done = STEP_PER_RECORD;
	struct record *r;

	s->next = hash + 1;
	if (!s->nr_hashes)
		leaf_done(s);
	for (i = 0; i < n && s->pool; i++) {
		if (is_young(s, hash, off[i]))
			continue;
		r = log_record(&s->engine->log, off[i]);
		walk_record(s, r);
		done += log_record_len(&s->engine->log, r);
	}
	return done;
}

static size_t step(struct utmem_save *s)
{
	if (!list_empty(&s->longs))
		return emit_part(s);
	if (s->nr_hashes)
		return walk_hash(s);
	if (!s->walked)
		return take_leaf(s);
	return utpool_index_exit(&s->young, YOUNG_LEAVES) ? 0 : YOUNG_LEAVES * STEP_PER_RECORD;
}

int utpool_save_step(struct utmem_save *s, size_t budget)
{
	size_t done;

	while (!s->error && budget) {
		done = step(s);
		if (!done)
			return 0;
		budget -= done < budget ? done : budget;
	}
	return s->error ? s->error : 1;
}

/* ---- records come, go and move ---- */

static bool passed(const struct utmem_save *s, uint64_t hash)
{
	return s->walked || hash < s->next;
}

void utpool_save_born(struct utmem_save *s, uint64_t hash, uint64_t off)
{
	if (passed(s, hash))
		return;
	if (!hold(s, YOUNG_BYTES)) {
		fail(s, -ENOBUFS);
		return;
	}
	if (utpool_index_insert(&s->young, hash, off))
		fail(s, -ENOMEM);
	else
		s->nr_young++;
}

static bool forget_young(struct utmem_save *s, uint64_t hash, uint64_t off)
{
	uint64_t *slot = s->nr_young ? utpool_index_find_at(&s->young, hash, off) : NULL;

	if (!slot)
		return false;
	utpool_index_remove(&s->young, hash, slot);
	s->nr_young--;
	hold(s, -(int64_t)YOUNG_BYTES);
	return true;
}

/* Its chunks outlive the record, so that nobody waits for half a gigabyte to be copied. */
static void keep(struct utmem_save *s, struct save_long *l)
{
	if (!l) {
		fail(s, -ENOMEM);
		return;
	}
	if (!hold(s, (int64_t)l->large->log_bytes)) {
		hold(s, -(int64_t)l->large->log_bytes);
		fail(s, -ENOBUFS);
		return;
	}
	if (l == s->walking)
		s->walking = NULL;
	utpool_large_keep(l->large);
	l->kept = true;
	s->nr_kept++;
}

/* Several keys may lead to the same value. */
static bool is_walking(const struct utmem_save *s, struct record *r)
{
	const struct save_long *l = s->walking;

	return l && l->key_len == r->key_len && !memcmp(l->key, record_key(r), r->key_len);
}

void utpool_save_dying(struct utmem_save *s, uint64_t off)
{
	struct record *r = log_record(&s->engine->log, off);
	uint64_t hash = utpool_hash(&s->engine->base, record_key(r), r->key_len);
	bool large = r->type == RECORD_LARGE;

	if (large && is_walking(s, r))
		keep(s, s->walking);
	else if (passed(s, hash) || forget_young(s, hash, off))
		return;
	else if (large)
		keep(s, long_add(s, r));
	else
		emit(s, r);
}

void utpool_save_moved(struct utmem_save *s, uint64_t hash, uint64_t from, uint64_t to)
{
	uint64_t *slot;

	if (!s->nr_young || passed(s, hash))
		return;
	slot = utpool_index_find_at(&s->young, hash, from);
	if (slot)
		*slot = index_entry(hash, to);
}
