// SPDX-License-Identifier: MIT
/*
 * Ephemeral values go, for the sake of their tenant's quota: CLOCK over the index, leaf
 * by leaf through the tenant's ephemeral pools; a value that was read since the hand
 * last came by stays this time. (For the arena's sake, see clean.c.)
 * Called by room.c and when a quota changes, on the engine's thread.
 */
#include "engine.h"

/* What one change of a quota may drop before others have their turn, in steps; and one call of maintain. */
#define FIT_STEPS_NOW 1024u
#define FIT_STEPS_LATER 512u
#define FIT_DROP_BYTES (16u << 10)

static bool evictable(const struct utmem_pool *p)
{
	return p->kind.ephemeral && p->counters.nr_items;
}

/* So many pools that have nothing to evict are passed over for a step. */
#define POOLS_PER_STEP 16u

/* The pool where the hand is, or the next one that has something to evict. */
static struct utmem_pool *hand_pool(struct utmem_tenant *t, uint32_t *nr_passed)
{
	struct utmem_pool *p = t->hand ? t->hand : utpool_pool_next(t, NULL);
	uint32_t i;

	*nr_passed = 0;
	if (!t->evictable_bytes)
		return NULL;
	for (i = 0; i < t->nr_pools && !evictable(p); i++) {
		p = utpool_pool_next(t, p);
		if (!p)
			p = utpool_pool_next(t, NULL);
	}
	*nr_passed = i;
	return i < t->nr_pools ? p : NULL; /* what is shared goes with the last key of it */
}

uint32_t utpool_evict_step(struct utmem_tenant *t)
{
	uint32_t i, n, nr_passed;
	struct utmem_pool *p = hand_pool(t, &nr_passed);
	uint64_t off[BUCKET_SLOTS];
	struct pool_engine *e;
	struct record *r;
	bool leaf_end;

	if (!p)
		return 0;
	e = engine_of(p);
	n = utpool_index_scan(&p->store->index, &p->store->hand, off, &leaf_end);
	for (i = 0; i < n; i++) {
		r = log_record(&e->log, off[i]);
		if (r->used)
			r->used = 0;
		else
			utpool_store_evict(e, r, off[i]);
	}
	t->hand = leaf_end ? utpool_pool_next(t, p) : p;
	return 1 + nr_passed / POOLS_PER_STEP;
}

/* ---- a quota has changed ---- */

/* What only waits to be swept, as do shared values of pools that went whole, it cannot lose. */
static bool must_lose(struct utmem_tenant *t)
{
	uint32_t nr_passed;

	return t->used_bytes > t->quota_bytes && hand_pool(t, &nr_passed);
}

/* A pool that goes whole takes no time. */
static void drop_whole(struct utmem_pool *p)
{
	uint64_t nr = p->counters.nr_items;

	if (!evictable(p) || utpool_flush(p))
		return;
	p->counters.nr_evicted += nr;
	engine_of(p)->nr_evicted += nr;
}

/* What is old and unread goes first, whole segments at a time, so that memory comes back with it. */
static void fit(struct utmem_tenant *t, uint64_t steps)
{
	struct pool_engine *e = (struct pool_engine *)t->engine;
	uint64_t taken;

	while (must_lose(t) && steps) {
		taken = utpool_share_drop(e, t, FIT_DROP_BYTES, EVICT_BRISK);
		if (!taken)
			return;
		steps -= taken < steps ? taken : steps;
	}
}

void utpool_evict_to_quota(struct utmem_tenant *t)
{
	struct pool_engine *e = (struct pool_engine *)t->engine;
	struct utmem_pool *p = NULL;

	if (!must_lose(t))
		return;
	utpool_log_owe(&e->log, t->used_bytes - t->quota_bytes);
	if (t->used_bytes - t->evictable_bytes >= t->quota_bytes)
		while ((p = utpool_pool_next(t, p)))
			drop_whole(p);
	fit(t, FIT_STEPS_NOW);
	e->fitting |= must_lose(t);
}

bool utpool_evict_above_quota(struct pool_engine *e)
{
	struct utmem_tenant *t = NULL;

	if (!e->fitting)
		return false;
	while ((t = utpool_tenant_next(&e->base, t))) {
		if (!must_lose(t))
			continue;
		fit(t, FIT_STEPS_LATER);
		return true;
	}
	e->fitting = false;
	return false;
}
