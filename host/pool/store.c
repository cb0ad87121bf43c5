// SPDX-License-Identifier: MIT
/*
 * A pool's values: its index, what they take and what they are charged.
 * Called by put, get, eviction and the cleaner, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

/*
 * More dying stores than this, and every further one pays: so many leaves are freed and some
 * of the arena is swept. Ids are few, and nobody may use them up by flushing: with such a part
 * of the arena (of up to 8 GiB) all of it is swept before half of them are dying.
 */
#define DYING_MANY 256u
#define DYING_LEAVES 64u
#define DYING_SWEEP_PART (STORES_MAX / 2)
#define DYING_SWEEP_LEAST (16u << 10)
#define DYING_SWEEP_MOST (256u << 10)

/* Who drops so large a part of the arena at once does not want it back a moment later. */
#define STORE_BIG_PART 8u

static struct store *store_alloc(struct pool_engine *e)
{
	struct store *st = utpool_alloc(&e->base, sizeof(*st), _Alignof(struct store));

	if (!st)
		return NULL;
	memset(st, 0, sizeof(*st));
	list_init(&st->link);
	return st;
}

int utpool_store_restore(struct pool_engine *e, uint32_t id, uint64_t serial, struct store **out)
{
	*out = store_alloc(e);
	if (!*out)
		return -ENOMEM;
	(*out)->id = (uint16_t)id;
	(*out)->serial = serial;
	idmap_set(&e->stores, id, *out);
	e->nr_dying++;
	return 0;
}

int utpool_store_revive(struct pool_engine *e, struct store *st, struct utmem_pool *p)
{
	int err = utpool_index_init(&st->index, &e->base, &e->log);

	if (err)
		return err;
	e->nr_dying--;
	st->pool = p;
	st->ephemeral = p->kind.ephemeral;
	p->store = st;
	return 0;
}

int utpool_store_open(struct utmem_pool *p, struct store **out)
{
	struct pool_engine *e = engine_of(p);
	struct store *st = store_alloc(e);
	uint32_t id = IDMAP_NONE;

	if (!st)
		return -ENOMEM;
	if (!utpool_index_init(&st->index, &e->base, &e->log))
		id = utpool_idmap_add(&e->stores, st);
	if (id == IDMAP_NONE) {
		utpool_index_exit(&st->index, 1);
		utpool_free(&e->base, st, sizeof(*st));
		return -ENOMEM;
	}
	st->id = (uint16_t)id;
	st->serial = ++e->meta.last_serial;
	st->pool = p;
	st->ephemeral = p->kind.ephemeral;
	utpool_meta_store_add(&e->meta, id, st->serial, p);
	*out = st;
	return 0;
}

void utpool_store_add_bytes(struct pool_engine *e, struct store *st, int64_t bytes)
{
	st->log_bytes += bytes;
	if (!st->pool)
		e->dying_bytes += bytes;
	else if (st->ephemeral)
		e->ephemeral_bytes += bytes;
}

static void add_charge(struct store *st, int64_t bytes)
{
	struct utmem_pool *p = st->pool;

	st->charged_bytes += bytes;
	p->counters.used_bytes += bytes;
	p->tenant->used_bytes += bytes;
	if (st->ephemeral && !p->incoming)
		p->tenant->evictable_bytes += bytes;
}

void utpool_store_charge(struct store *st, int64_t bytes)
{
	if (st->pool)
		add_charge(st, bytes);
}

void utpool_store_spare(struct store *st, int64_t bytes)
{
	if (st->pool)
		st->pool->spared_bytes += bytes;
}

void utpool_store_free_if_dead(struct pool_engine *e, struct store *st)
{
	if (st->log_bytes || st->index.dir)
		return;
	e->nr_dying--;
	list_del(&st->link);
	utpool_meta_store_state(&e->meta, st->id, META_STORE_FREE);
	utpool_idmap_del(&e->stores, st->id);
	utpool_free(&e->base, st, sizeof(*st));
}

static uint64_t dying_sweep(const struct pool_engine *e)
{
	uint64_t bytes = e->base.mem.arena_len / DYING_SWEEP_PART;

	if (bytes < DYING_SWEEP_LEAST)
		return DYING_SWEEP_LEAST;
	return bytes < DYING_SWEEP_MOST ? bytes : DYING_SWEEP_MOST;
}

/* In one leaf, or the walk over the index is what takes long; and chunks are not many more. */
static bool is_small(const struct pool_engine *e, const struct store *st)
{
	uint64_t nr = st->pool->counters.nr_items;

	return !nr || (nr <= FLUSH_ITEMS_NOW && !st->index.depth &&
		       st->log_bytes <= (uint64_t)FLUSH_ITEMS_NOW * e->log.record_max);
}

static void remove_all(struct pool_engine *e, struct store *st)
{
	while (st->pool->counters.nr_items)
		utpool_store_remove(e, st, 0, utpool_index_first(&st->index));
}

void utpool_store_close(struct store *st)
{
	struct utmem_pool *p = st->pool;
	struct pool_engine *e = engine_of(p);

	utpool_meta_store_state(&e->meta, st->id, META_STORE_DYING);
	if (is_small(e, st))
		remove_all(e, st);
	add_charge(st, -(int64_t)st->charged_bytes);
	e->nr_items -= p->counters.nr_items;
	p->counters.nr_items = 0;
	p->counters.key_bytes = 0;
	p->counters.value_bytes = 0;
	p->counters.nr_packed = 0;
	p->counters.nr_shared = 0;
	p->spared_bytes = 0;
	if (st->ephemeral)
		e->ephemeral_bytes -= st->log_bytes;
	e->dying_bytes += st->log_bytes;
	if (st->log_bytes >= e->base.mem.arena_len / STORE_BIG_PART)
		utpool_log_owe(&e->log, st->log_bytes);
	st->pool = NULL;
	list_add_tail(&e->dying, &st->link);
	if (++e->nr_dying > DYING_MANY) {
		utpool_store_reap(e, DYING_LEAVES);
		utpool_clean_sweep(e, dying_sweep(e));
	}
}

int utpool_store_renew(struct utmem_pool *p)
{
	struct store *fresh;
	int err = utpool_store_open(p, &fresh);

	if (err)
		return err;
	utpool_store_close(p->store);
	p->store = fresh;
	return 0;
}

bool utpool_store_reap(struct pool_engine *e, uint32_t nr)
{
	struct list *l = list_after(&e->dying, NULL);
	struct store *st;

	if (!l)
		return false;
	st = list_entry(l, struct store, link);
	if (utpool_index_exit(&st->index, nr)) {
		/* from here on only its records know of it */
		list_del(&st->link);
		utpool_store_free_if_dead(e, st);
	}
	return true;
}

void utpool_store_exit(struct pool_engine *e)
{
	struct store *st;
	uint32_t id;

	for (id = 0; id < e->stores.nr_slots; id++) {
		st = idmap_get(&e->stores, id);
		if (!st)
			continue;
		utpool_index_exit(&st->index, UINT32_MAX);
		utpool_free(&e->base, st, sizeof(*st));
	}
}

/* ---- values ---- */

uint64_t utpool_store_cost(const struct pool_engine *e, uint32_t key_len, uint64_t len,
			   bool chunked)
{
	if (!chunked)
		return log_record_size(&e->log, key_len, (uint32_t)len);
	return log_record_size(&e->log, key_len, sizeof(struct large_ref)) +
	       utpool_large_cost(&e->log, len);
}

uint64_t utpool_store_record_cost(const struct pool_engine *e, struct record *r)
{
	const struct large *l;
	uint64_t cost = log_record_len(&e->log, r);

	if (r->type == RECORD_LARGE) {
		l = idmap_get(&e->larges, record_large(r).id);
		cost += l->nr_refs == 1 ? utpool_large_own_cost(l) : 0;
	}
	return cost;
}

void utpool_store_count(struct pool_engine *e, struct store *st, struct record *r, int sign)
{
	struct utmem_pool_counters *c = &st->pool->counters;

	e->nr_items += sign;
	c->nr_items += sign;
	c->key_bytes += sign * (int64_t)r->key_len;
	c->value_bytes += sign * (int64_t)record_full_len(r);
	if (r->packed) {
		c->nr_packed += sign;
		st->pool->spared_bytes += sign * ((int64_t)record_full_len(r) - r->value_len);
	}
	add_charge(st, sign * (int64_t)store_charge(log_record_len(&e->log, r)));
}

void utpool_store_packed(struct pool_engine *e, struct store *st, struct record *packed,
			 uint32_t spared)
{
	utpool_store_add_bytes(e, st, -(int64_t)spared);
	add_charge(st, -(int64_t)spared);
	st->pool->counters.nr_packed++;
	st->pool->spared_bytes += record_full_len(packed) - packed->value_len;
}

void utpool_store_referred(struct pool_engine *e, struct store *st, struct record *r,
			   struct record *reference)
{
	int64_t bytes = (int64_t)log_record_len(&e->log, reference) - log_record_len(&e->log, r);

	utpool_store_add_bytes(e, st, bytes);
	add_charge(st, bytes);
	if (!r->packed)
		return;
	st->pool->counters.nr_packed--;
	st->pool->spared_bytes -= record_full_len(r) - r->value_len;
}

/*
 * The record and, when no other leads to them and no save keeps them, its chunks are dead: in
 * that order, they are nothing without it.
 */
static void bury(struct pool_engine *e, struct store *st, struct record *r, uint64_t off)
{
	bool large = r->type == RECORD_LARGE;
	struct large *l = large ? idmap_get(&e->larges, record_large(r).id) : NULL;

	utpool_store_add_bytes(e, st, -(int64_t)log_record_len(&e->log, r));
	engine_bury(e, off);
	if (large)
		utpool_large_unref(e, l, st);
}

static void forget(struct pool_engine *e, struct store *st, uint64_t off)
{
	struct record *r = log_record(&e->log, off);

	if (st->pool->save)
		utpool_save_dying(st->pool->save, off);
	utpool_store_count(e, st, r, -1);
	bury(e, st, r, off);
}

/*
 * One plain VALUE takes another's place in @slot: what counts is how they differ, mostly
 * nothing. Counting one down and the other up was a third of a put.
 */
static void replace_value(struct pool_engine *e, struct store *st, uint64_t *slot, uint64_t entry)
{
	uint64_t old_off = index_off(*slot);
	struct record *old = log_record(&e->log, old_off),
		      *r = log_record(&e->log, index_off(entry));
	uint32_t old_len = log_record_size(&e->log, old->key_len, old->value_len),
		 len = log_record_size(&e->log, r->key_len, r->value_len);

	if (st->pool->save)
		utpool_save_dying(st->pool->save, old_off);
	*slot = entry;
	if (r->value_len != old->value_len) {
		st->pool->counters.value_bytes += (int64_t)r->value_len - old->value_len;
		add_charge(st, (int64_t)len - old_len);
		utpool_store_add_bytes(e, st, (int64_t)len - old_len);
	}
	log_bury(&e->log, old_off, old_len);
}

static int link_record(struct pool_engine *e, struct store *st, const struct utmem_key *key,
		       uint64_t off)
{
	uint64_t *slot = index_find(&st->index, key);
	struct record *r = log_record(&e->log, off);
	int err;

	if (slot) {
		if (r->type == RECORD_VALUE &&
		    record_is_plain(log_record(&e->log, index_off(*slot)))) {
			replace_value(e, st, slot, index_entry(key->hash, off));
			return 0;
		}
		forget(e, st, index_off(*slot));
		*slot = index_entry(key->hash, off);
	} else {
		err = utpool_index_insert(&st->index, key->hash, off);
		if (err)
			return err;
	}
	utpool_store_add_bytes(e, st, log_record_len(&e->log, r));
	if (r->type == RECORD_LARGE)
		utpool_large_attach(e, idmap_get(&e->larges, record_large(r).id), st, off);
	utpool_store_count(e, st, r, 1);
	return 0;
}

int utpool_store_link(struct pool_engine *e, struct store *st, const struct utmem_key *key,
		      uint64_t off)
{
	int err = link_record(e, st, key, off);

	if (!err && st->pool->save)
		utpool_save_born(st->pool->save, key->hash, off);
	return err;
}

void utpool_store_remove(struct pool_engine *e, struct store *st, uint64_t hash, uint64_t *slot)
{
	forget(e, st, index_off(*slot));
	utpool_index_remove(&st->index, hash, slot);
	/* its leaves go one by one, as after a flush; without memory for that they stay */
	if (!st->pool->counters.nr_items && st->index.depth)
		utpool_store_renew(st->pool);
}

bool utpool_store_empty(struct pool_engine *e, struct store *st)
{
	if (!is_small(e, st))
		return false;
	utpool_meta_store_state(&e->meta, st->id, META_STORE_EMPTYING);
	remove_all(e, st);
	utpool_meta_store_state(&e->meta, st->id, META_STORE_LIVE);
	return true;
}

void utpool_store_evict(struct pool_engine *e, struct record *r, uint64_t off)
{
	struct store *st = idmap_get(&e->stores, r->store);
	uint64_t hash = utpool_hash(&e->base, record_key(r), r->key_len);

	st->pool->counters.nr_evicted++;
	e->nr_evicted++;
	utpool_store_remove(e, st, hash, utpool_index_find_at(&st->index, hash, off));
}

void utpool_store_bury(struct pool_engine *e, struct store *st, uint64_t off)
{
	bury(e, st, log_record(&e->log, off), off);
	utpool_store_free_if_dead(e, st);
}
