// SPDX-License-Identifier: MIT
/*
 * Is there room for a value, in its tenant's quota and in the arena? Where something
 * may go to make some, a bounded amount goes.
 * Called by put, streams and large values, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

/* Bytes of an ephemeral segment that are walked over at a time. */
#define ADMIT_DROP_BYTES (4u << 10)

/* While free segments are few: bytes swept beside a put, some and more for a longer one. */
#define APPEND_SWEEP_LEAST (64u << 10)
#define APPEND_SWEEP_PART 16u

/* Cleaning that one append may ask for when no segment is left: each gains 1/64 at least. */
#define APPEND_TRIES 64u
#define APPEND_GAIN_PART 64u

/* What a put is to bring. */
struct demand {
	struct utmem_pool *pool;
	const struct utmem_key *key;
	uint64_t cost;
	uint32_t steps; /* of eviction that it may still take */
	bool keep_old;
};

/* What goes when the new value comes: the cost of the old one. It may be evicted any time. */
static uint64_t old_cost(const struct demand *d)
{
	struct pool_engine *e = engine_of(d->pool);
	uint64_t *slot;

	if (d->keep_old)
		return 0;
	slot = index_find(&d->pool->store->index, d->key);
	return slot ? utpool_store_record_cost(e, log_record(&e->log, index_off(*slot))) : 0;
}

static uint64_t old_charge(const struct demand *d)
{
	uint64_t cost = old_cost(d);

	return cost ? store_charge(cost) : 0;
}

static uint32_t steps_for(uint64_t cost)
{
	uint64_t steps = EVICT_STEPS_LEAST + cost / EVICT_BYTES_PER_STEP;

	return steps < EVICT_STEPS_MOST ? (uint32_t)steps : EVICT_STEPS_MOST;
}

/* What a put of that cost may spend of what its tenant has left. */
static uint32_t steps_begin(struct utmem_tenant *t, const struct pool_engine *e, uint64_t cost)
{
	uint32_t steps = steps_for(cost);

	t->evict_left += EVICT_STEPS_PER_PUT;
	if (t->evict_turn != e->turn || t->evict_left > EVICT_STEPS_MOST)
		t->evict_left = EVICT_STEPS_MOST;
	t->evict_turn = e->turn;
	return steps < t->evict_left ? steps : t->evict_left;
}

/* Return: false when that was not to be had: @nr is 0, there was nothing to evict. */
static bool steps_take(struct demand *d, uint64_t nr)
{
	uint32_t taken = nr < d->steps ? (uint32_t)nr : d->steps;

	d->steps -= taken;
	d->pool->tenant->evict_left -= taken;
	return nr;
}

static int quota_room(struct demand *d)
{
	struct utmem_tenant *t = d->pool->tenant;
	uint64_t charge = store_charge(d->cost);
	uint64_t old = old_charge(d), fixed = t->used_bytes - t->evictable_bytes;

	/* nothing is evicted for a value that would not fit even so */
	if (!d->pool->kind.ephemeral)
		fixed -= old;
	if (fixed + charge > t->quota_bytes)
		return -ENOSPC;
	while (t->used_bytes + charge - old_charge(d) > t->quota_bytes)
		if (!d->steps || !steps_take(d, utpool_evict_step(t)))
			return -ENOSPC;
	return 0;
}

static int arena_room(struct demand *d)
{
	struct pool_engine *e = engine_of(d->pool);
	uint64_t capacity = e->log.capacity_bytes;
	uint64_t fixed = engine_live(e) - e->ephemeral_bytes;
	uint32_t patience = d->steps / 2;
	enum evict how = EVICT_UNREAD;

	if (!d->pool->kind.ephemeral)
		fixed -= old_cost(d);
	if (fixed + d->cost > capacity)
		return -ENOSPC;
	while (engine_live(e) + d->cost - old_cost(d) > capacity) {
		if (!d->steps)
			return -ENOSPC;
		/* with half of its steps gone, values go even if they were read lately */
		if (d->steps <= patience)
			how = EVICT_ALL;
		if (!steps_take(d, utpool_share_drop(e, NULL, ADMIT_DROP_BYTES, how))) {
			if (how == EVICT_ALL)
				return -ENOSPC;
			how = EVICT_ALL;
		}
	}
	return 0;
}

/* The old value must make room before the new one is written: there is not enough for both. */
static void drop_old(const struct demand *d)
{
	struct store *st = d->pool->store;
	uint64_t *slot = index_find(&st->index, d->key);

	if (slot)
		utpool_store_remove(engine_of(d->pool), st, d->key->hash, slot);
}

int utpool_room_admit(struct utmem_pool *p, const struct utmem_key *key, uint64_t cost,
		      enum utmem_put_if cond, bool keep_old)
{
	struct demand d = {.pool = p, .key = key, .cost = cost, .keep_old = keep_old};
	struct utmem_tenant *t = p->tenant;
	struct pool_engine *e = engine_of(p);
	bool there;
	int err;

	if (cond != UTMEM_PUT_ALWAYS) {
		there = index_find(&p->store->index, key);
		if (there && cond == UTMEM_PUT_IF_ABSENT)
			return -EEXIST;
		if (!there && cond == UTMEM_PUT_IF_PRESENT)
			return -ENOENT;
	}
	d.steps = steps_begin(t, e, cost);
	if (t->used_bytes + store_charge(cost) > t->quota_bytes) {
		err = quota_room(&d);
		if (err)
			return err;
	}
	if (engine_live(e) + cost <= e->log.capacity_bytes)
		return 0;
	err = arena_room(&d);
	if (err && utpool_save_yield(e))
		err = arena_room(&d);
	if (!err && engine_live(e) + cost > e->log.capacity_bytes)
		drop_old(&d);
	return err;
}

uint64_t utpool_room_append_scarce(struct pool_engine *e, enum log_head head, uint32_t len)
{
	struct log *log = &e->log;
	uint32_t tries;
	bool worked;
	uint64_t off;

	if (!utpool_clean_sweep(e, APPEND_SWEEP_LEAST + (uint64_t)len * APPEND_SWEEP_PART))
		utpool_clean_pace(e, len);
	off = log_append(log, head, len);
	for (tries = 0; off == LOG_NONE && tries < APPEND_TRIES; tries++) {
		worked = utpool_clean_sweep(e, log->seg_len);
		worked |= utpool_clean_step(e, log->seg_len, log->seg_len / APPEND_GAIN_PART);
		if (!worked)
			break;
		off = log_append(log, head, len);
	}
	return off;
}
