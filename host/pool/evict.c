// SPDX-License-Identifier: MIT
/*
 * Ephemeral values go, for the sake of their tenant's quota: CLOCK over the index, leaf
 * by leaf through the tenant's ephemeral pools; a value that was read since the hand
 * last came by stays this time. (For the arena's sake, see clean.c.)
 * Called by room.c and when a quota changes, on the engine's thread.
 */
#include "engine.h"

/* Buckets looked at before whole pools go: a lowered quota acts at once. */
#define EVICT_STEPS_MAX 65536u

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
	return p;
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

void utpool_evict_to_quota(struct utmem_tenant *t)
{
	struct utmem_pool *p;
	uint32_t steps = 0, nr_passed;

	while (t->used_bytes > t->quota_bytes && utpool_evict_step(t)) {
		if (++steps < EVICT_STEPS_MAX)
			continue;
		/* it is a lot: a pool that goes whole takes no time */
		p = hand_pool(t, &nr_passed);
		if (p)
			utpool_flush(p);
	}
}
