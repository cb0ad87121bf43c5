// SPDX-License-Identifier: MIT
/*
 * Equal values of a tenant's pools are stored once: their records become references to one
 * struct large, whose chunk is the value. Where all of them are in one pool it belongs to
 * that pool, else to what the tenant's pools have in common, which is charged to the tenant.
 * Called by the cleaner when it moves cold values, and when a reference goes; on the
 * engine's thread.
 *
 * Which values are equal is found with hints: hash of a value -> where one was. A hint may
 * be stale or lost; whatever it leads to is looked at, and compared in full.
 */
#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine.h"

/* A hint for so many bytes of quota (or of the arena, if that is less), within bounds. */
#define HINT_BYTES 2048u
#define HINTS_LEAST 1024u
#define HINTS_MOST (1u << 20)
/* Of these, one set is where a hash may be: a cache line. */
#define HINT_WAYS 4u

/*
 * What is packed to less than such a part is left alone: there is little to gain, and looking at
 * it takes long for what it counts as.
 */
#define PACKED_PART_LEAST 8u

#define PLACE_LARGE (1ull << 63)
#define PLACE_VALUE (1ull << 62)

struct hint {
	uint64_t
		place; /* PLACE_LARGE and its id, or PLACE_VALUE and its offset; neither: no hint */
	uint32_t life; /* of the VALUE's segment, when it was there */
	uint32_t content; /* first bits of the hash */
};

struct commons {
	struct pool_engine *engine;
	struct utmem_tenant *tenant; /* NULL: it is gone, and these are dying */
	struct hint *hints;
	uint32_t nr_hints; /* a power of two */
	uint32_t nr_bodies;
	uint64_t
		content; /* of the value that share() was last asked about; 0: it is none to be shared */
	uint64_t log_bytes;
	uint64_t ephemeral_bytes; /* of these, of values that may be evicted */
};

/* ---- what a tenant's pools have in common ---- */

static uint32_t hints_for(const struct utmem_tenant *t)
{
	uint64_t bytes = t->engine->mem.arena_len, nr = HINTS_LEAST;

	if (t->quota_bytes < bytes)
		bytes = t->quota_bytes;
	while (nr < HINTS_MOST && nr * HINT_BYTES < bytes)
		nr *= 2;
	return (uint32_t)nr;
}

static void hints_free(struct commons *c)
{
	utpool_free(&c->engine->base, c->hints, c->nr_hints * sizeof(*c->hints));
}

int utpool_dedup_prepare(struct utmem_tenant *t)
{
	struct commons *c;

	if (t->commons)
		return 0;
	c = utpool_alloc(t->engine, sizeof(*c), _Alignof(struct commons));
	if (!c)
		return -ENOMEM;
	*c = (struct commons){
		.engine = (struct pool_engine *)t->engine, .tenant = t, .nr_hints = hints_for(t)};
	c->hints = utpool_alloc(t->engine, c->nr_hints * sizeof(*c->hints), 64);
	if (!c->hints) {
		utpool_free(t->engine, c, sizeof(*c));
		return -ENOMEM;
	}
	memset(c->hints, 0, c->nr_hints * sizeof(*c->hints));
	t->commons = c;
	return 0;
}

static void free_if_dead(struct commons *c)
{
	if (!c->tenant && !c->nr_bodies)
		utpool_free(&c->engine->base, c, sizeof(*c));
}

void utpool_dedup_forget(struct commons *c)
{
	c->nr_bodies--;
	free_if_dead(c);
}

void utpool_dedup_drop(struct utmem_tenant *t)
{
	struct commons *c = t->commons;

	if (!c)
		return;
	c->engine->ephemeral_bytes -= c->ephemeral_bytes;
	c->engine->dying_bytes += c->log_bytes;
	hints_free(c);
	c->tenant = NULL;
	t->commons = NULL;
	free_if_dead(c);
}

bool utpool_large_ephemeral(const struct large *l)
{
	return l->commons ? !l->nr_persistent : l->store->ephemeral;
}

void utpool_commons_add(struct pool_engine *e, struct large *l, int64_t log_bytes, int64_t charge,
			int nr)
{
	struct commons *c = l->commons;
	bool ephemeral = utpool_large_ephemeral(l);

	c->nr_bodies += nr;
	c->log_bytes += log_bytes;
	if (ephemeral)
		c->ephemeral_bytes += log_bytes;
	if (!c->tenant) {
		e->dying_bytes += log_bytes;
		free_if_dead(c);
		return;
	}
	c->tenant->used_bytes += charge;
	c->tenant->shared_bytes += charge;
	if (ephemeral) {
		c->tenant->evictable_bytes += charge;
		e->ephemeral_bytes += log_bytes;
	}
}

/* A key in a persistent pool more or less; the first and the last of them change what it is. */
static void add_persistent(struct pool_engine *e, struct large *l, int nr)
{
	int64_t cost = (int64_t)utpool_large_own_cost(l);
	bool changes = !l->nr_persistent || !(l->nr_persistent + nr);

	if (changes)
		utpool_commons_add(e, l, -(int64_t)l->log_bytes, -cost, 0);
	l->nr_persistent += nr;
	if (changes)
		utpool_commons_add(e, l, (int64_t)l->log_bytes, cost, 0);
}

/* ---- references come and go ---- */

/* No longer one pool's: what it takes is charged to the tenant. */
static void become_common(struct pool_engine *e, struct large *l)
{
	struct store *st = l->store;
	struct utmem_pool *p = st->pool;
	int64_t cost = (int64_t)utpool_large_own_cost(l);

	utpool_store_add_bytes(e, st, -(int64_t)l->log_bytes);
	utpool_store_charge(st, -cost);
	utpool_store_spare(st, (int64_t)(l->total - l->spared_bytes));
	p->counters.nr_packed -= !!l->nr_packed;
	l->nr_persistent = st->ephemeral ? 0 : l->nr_refs;
	l->store = NULL;
	l->commons = p->tenant->commons;
	utpool_commons_add(e, l, (int64_t)l->log_bytes, cost, 1);
}

/* One more record, of @st, leads to @l. */
int utpool_dedup_join(struct pool_engine *e, struct large *l, struct store *st)
{
	int err = utpool_dedup_prepare(st->pool->tenant);

	if (err)
		return err;
	if (!l->shared) {
		l->shared = true;
		l->store->pool->counters.nr_shared += l->nr_refs;
	}
	if (!l->commons && l->store != st)
		become_common(e, l);
	l->nr_refs++;
	st->pool->counters.nr_shared++;
	utpool_store_spare(st, (int64_t)l->total);
	if (l->commons && !st->ephemeral)
		add_persistent(e, l, 1);
	return 0;
}

void utpool_dedup_leave(struct pool_engine *e, struct large *l, struct store *st)
{
	if (st->pool)
		st->pool->counters.nr_shared--;
	if (l->commons || l->nr_refs > 1)
		utpool_store_spare(st, -(int64_t)l->total);
	if (l->commons && !st->ephemeral)
		add_persistent(e, l, -1);
}

/* ---- hints ---- */

static struct hint *hint_set(struct commons *c, uint64_t content)
{
	return &c->hints[content % (c->nr_hints / HINT_WAYS) * HINT_WAYS];
}

static void hint_put(struct commons *c, uint64_t content, struct hint hint)
{
	struct hint *set = hint_set(c, content);
	uint32_t i, victim = content >> 32 & (HINT_WAYS - 1);

	hint.content = (uint32_t)(content >> 32);
	for (i = 0; i < HINT_WAYS; i++) {
		if (!set[i].place || set[i].content == hint.content) {
			victim = i;
			break;
		}
	}
	set[victim] = hint;
}

static const struct hint *hint_find(struct commons *c, uint64_t content)
{
	struct hint *set = hint_set(c, content);
	uint32_t i;

	for (i = 0; i < HINT_WAYS; i++)
		if (set[i].place && set[i].content == (uint32_t)(content >> 32))
			return &set[i];
	return NULL;
}

/* ---- finding an equal one ---- */

/* A value that is to be shared: where it is, and what is in it. */
struct candidate {
	struct store *st;
	struct record *r;
	uint64_t off, key_hash;
	const uint8_t *plain; /* valid until something else is unpacked */
	uint32_t len;
	uint64_t content;
};

/* The value of @r, if it is worth looking at; NULL: it is not, or it cannot be read. */
static const uint8_t *content_of(struct pool_engine *e, struct record *r)
{
	if (r->value_len < DEDUP_LEAST || record_full_len(r) / PACKED_PART_LEAST > r->value_len)
		return NULL;
	return utpool_pack_content(&e->packer, r);
}

static uint64_t content_hash(const struct pool_engine *e, const uint8_t *value, uint32_t len)
{
	uint64_t hash = XXH3_64bits_withSeed(value, len, e->base.mem.seed);

	return hash ? hash : 1;
}

/* Is what the packed or plain @r holds equal to @c's? */
static bool equal(struct pool_engine *e, struct record *r, const struct candidate *c)
{
	const uint8_t *plain;

	if (record_full_len(r) != c->len)
		return false;
	if (r->packed && c->r->packed)
		return r->value_len == c->r->value_len &&
		       !memcmp(record_value(r), record_value(c->r), r->value_len);
	if (c->r->packed)
		return !memcmp(record_value(r), c->plain, c->len);
	plain = utpool_pack_content(&e->packer, r);
	return plain && !memcmp(plain, c->plain, c->len);
}

/* The large value of that id, if it is whole, @t's, in one chunk, and equal. */
static struct large *equal_large(struct pool_engine *e, struct utmem_tenant *t, uint32_t id,
				 const struct candidate *c)
{
	struct large *l = idmap_get(&e->larges, id);

	if (!l || !l->nr_refs || l->total != c->len || l->nr_chunks != 1 ||
	    l->content != c->content)
		return NULL;
	if (l->commons ? l->commons != t->commons : !l->store->pool || l->store->pool->tenant != t)
		return NULL;
	return equal(e, log_record(&e->log, l->chunk_off[0]), c) ? l : NULL;
}

/* The VALUE that was there, if it still is, as another candidate; false when it is not, or not equal. */
static bool equal_value(struct pool_engine *e, struct utmem_tenant *t, const struct hint *h,
			const struct candidate *c, struct candidate *out)
{
	uint64_t off = h->place & (PLACE_VALUE - 1);
	struct record *r = log_record(&e->log, off);
	struct store *st;

	if (log_segment(&e->log, off)->life != h->life || r == c->r || r->state != RECORD_LIVE ||
	    r->type != RECORD_VALUE)
		return false;
	st = idmap_get(&e->stores, r->store);
	if (!utpool_dedup_wanted(st) || st->pool->tenant != t || !equal(e, r, c))
		return false;
	*out = (struct candidate){.st = st, .r = r, .off = off, .len = c->len};
	out->key_hash = utpool_hash(&e->base, record_key(r), r->key_len);
	return true;
}

/* ---- making one of two ---- */

/* A record for @c's key that leads to @l. LOG_NONE: no room. */
static uint64_t write_reference(struct pool_engine *e, const struct candidate *c,
				const struct large *l)
{
	const struct large_ref ref = {.id = l->id, .birth = l->birth};
	uint32_t len = log_record_size(&e->log, c->r->key_len, sizeof(ref));
	uint64_t to = clean_append(e, c->st->ephemeral, len);
	struct record *r;

	if (to == LOG_NONE)
		return LOG_NONE;
	r = log_record(&e->log, to);
	*r = (struct record){
		.type = RECORD_LARGE,
		.seq = c->r->seq,
		.store = c->r->store,
		.key_len = c->r->key_len,
	};
	memcpy(record_key(r), record_key(c->r), r->key_len);
	memcpy(record_value(r), &ref, sizeof(ref));
	engine_publish(e, r, c->len, c->st->serial);
	return to;
}

/* The record at @to stands for @c's from here on. */
static void replace(struct pool_engine *e, const struct candidate *c, uint64_t to)
{
	utpool_store_referred(e, c->st, c->r, log_record(&e->log, to));
	if (c->st->pool->save)
		utpool_save_moved(c->st->pool->save, c->key_hash, c->off, to);
	*utpool_index_find_at(&c->st->index, c->key_hash, c->off) = index_entry(c->key_hash, to);
	engine_bury(e, c->off);
}

/* @c becomes shorter, so that there is always room where it is moved to. NULL: not so. */
static struct large *refer(struct pool_engine *e, const struct candidate *c, struct large *l)
{
	uint64_t to = write_reference(e, c, l);

	if (to == LOG_NONE)
		return NULL;
	utpool_dedup_join(e, l, c->st);
	replace(e, c, to);
	return l;
}

/* The one chunk of @l: what is stored of @r. */
static bool write_chunk(struct pool_engine *e, struct large *l, const struct record *r,
			const uint8_t *value, bool ephemeral)
{
	struct chunk_id id = {.large = l->id};
	uint32_t len = log_record_size(&e->log, sizeof(id), r->value_len);
	uint64_t to = clean_append(e, ephemeral, len);
	struct record *chunk;

	if (to == LOG_NONE)
		return false;
	chunk = log_record(&e->log, to);
	*chunk = (struct record){
		.type = RECORD_CHUNK,
		.seq = l->birth,
		.packed = r->packed,
		.key_len = sizeof(id),
	};
	memcpy(record_key(chunk), &id, sizeof(id));
	memcpy(record_value(chunk), value, r->value_len);
	engine_publish(e, chunk, r->value_len, 0);
	l->chunk_off[0] = to;
	l->log_bytes = len;
	l->nr_packed = r->packed;
	l->spared_bytes = l->total - r->value_len;
	return true;
}

/* A value that no key leads to yet: what @a and @b both have, @b with its hash. */
static struct large *body_alloc(struct pool_engine *e, const struct candidate *a,
				const struct candidate *b)
{
	const struct candidate *shorter = a->r->value_len < b->r->value_len ? a : b;
	struct large *l = utpool_large_alloc(e, a->len);

	if (!l)
		return NULL;
	l->content = b->content;
	if (write_chunk(e, l, shorter->r, record_value(shorter->r),
			a->st->ephemeral && b->st->ephemeral))
		return l;
	utpool_large_free(e, l);
	return NULL;
}

static void bury_if(struct pool_engine *e, uint64_t off)
{
	if (off != LOG_NONE)
		engine_bury(e, off);
}

/*
 * Both @a, which is where it was found, and @b become references. What is written for them is
 * longer than @b was, which alone is being moved: the cleaner's reserve is not for that.
 */
static struct large *unite(struct pool_engine *e, const struct candidate *a,
			   const struct candidate *b)
{
	uint64_t to_a, to_b;
	struct large *l;

	if (e->log.nr_free <= e->log.low_water)
		return NULL;
	l = body_alloc(e, a, b);
	if (!l)
		return NULL;
	to_a = write_reference(e, a, l);
	to_b = write_reference(e, b, l);
	if (to_a == LOG_NONE || to_b == LOG_NONE) {
		bury_if(e, to_a);
		bury_if(e, to_b);
		utpool_large_free(e, l);
		return NULL;
	}
	utpool_large_attach(e, l, a->st, to_a);
	utpool_dedup_join(e, l, b->st);
	replace(e, a, to_a);
	replace(e, b, to_b);
	return l;
}

/* ---- for the cleaner ---- */

/* What may be shared with @l is in there; NULL: it is not to be shared. */
static struct commons *commons_of(const struct large *l)
{
	const struct store *st = l->store;

	if (l->commons)
		return l->commons->tenant ? l->commons : NULL;
	return st && utpool_dedup_wanted(st) ? st->pool->tenant->commons : NULL;
}

/* What was shared before this engine was opened can be found again. */
void utpool_dedup_look(struct pool_engine *e, struct large *l)
{
	struct commons *c = commons_of(l);
	struct record *chunk;
	const uint8_t *plain;

	if (!c || l->content || l->nr_chunks != 1)
		return;
	chunk = log_record(&e->log, l->chunk_off[0]);
	plain = content_of(e, chunk);
	if (!plain || record_full_len(chunk) != l->total)
		return;
	l->content = content_hash(e, plain, (uint32_t)l->total);
	hint_put(c, l->content, (struct hint){.place = PLACE_LARGE | l->id});
}

static struct large *find_and_share(struct pool_engine *e, struct commons *c,
				    const struct candidate *b)
{
	const struct hint *h = hint_find(c, b->content);
	struct candidate a;
	struct large *l;

	if (!h)
		return NULL;
	if (h->place & PLACE_LARGE) {
		l = equal_large(e, c->tenant, (uint32_t)h->place, b);
		return l ? refer(e, b, l) : NULL;
	}
	return equal_value(e, c->tenant, h, b, &a) ? unite(e, &a, b) : NULL;
}

bool utpool_dedup_share(struct pool_engine *e, struct store *st, struct record *r, uint64_t off,
			uint64_t hash)
{
	struct commons *c = st->pool->tenant->commons;
	struct candidate b = {.st = st, .r = r, .off = off, .key_hash = hash};
	struct large *l;

	c->content = 0;
	b.len = record_full_len(r);
	if (r->type != RECORD_VALUE || b.len > large_chunk_len(&e->log))
		return false;
	b.plain = content_of(e, r);
	if (!b.plain)
		return false;
	b.content = c->content = content_hash(e, b.plain, b.len);
	l = find_and_share(e, c, &b);
	if (l)
		hint_put(c, b.content, (struct hint){.place = PLACE_LARGE | l->id});
	return l;
}

void utpool_dedup_remember(struct pool_engine *e, struct store *st, uint64_t to)
{
	struct commons *c = st->pool->tenant->commons;

	/* what it was packed to may be too short to gain by sharing it */
	if (c->content && log_record(&e->log, to)->value_len >= DEDUP_LEAST)
		hint_put(c, c->content,
			 (struct hint){.place = PLACE_VALUE | to,
				       .life = log_segment(&e->log, to)->life});
}
