// SPDX-License-Identifier: MIT
/*
 * Whose ephemeral values go when the arena is short: of those tenants whose ephemeral
 * bytes divided by their weight are the most, or nearly.
 * Called by room.c, evict.c and reclaim.c, on the engine's thread.
 *
 * The oldest segment in which enough is theirs is walked over: what they have not read
 * goes, what belongs to others is kept, and the whole segment is free again. Where little in
 * any is theirs, that would be copying without gain: their values go by CLOCK over their own
 * index instead (evict.c), and the cleaner gathers what is left dead.
 */
#include "engine.h"

/* Who is that close to the most loses, too: so equals lose together, and whole segments go. */
#define NEAR_NUM 7u
#define NEAR_DEN 8u

/* Drops after which it is found out again who is above. */
#define LOOK_PERIOD 16u

/* Segments looked at in vain (or all there are) before values go otherwise; buckets looked at then. */
#define UNFIT_MOST 256u
#define CLOCK_STEPS 8u

static bool is_above(const struct utmem_tenant *a, const struct utmem_tenant *b)
{
	return a->evictable_bytes * b->weight > b->evictable_bytes * a->weight;
}

static bool is_near(const struct utmem_tenant *t, const struct utmem_tenant *most)
{
	return t->evictable_bytes / NEAR_NUM * most->weight >=
	       most->evictable_bytes / NEAR_DEN * t->weight;
}

static struct utmem_tenant *find_most(struct pool_engine *e)
{
	struct utmem_tenant *t = NULL, *most = NULL;

	while ((t = utpool_tenant_next(&e->base, t)))
		if (t->evictable_bytes && (!most || is_above(t, most)))
			most = t;
	return most;
}

static void look(struct pool_engine *e, struct utmem_tenant *only)
{
	struct utmem_tenant *t = NULL, *most = only ? only : find_most(e);

	while ((t = utpool_tenant_next(&e->base, t)))
		t->loses = only ? t == only : most && is_near(t, most);
	if (e->share.only != only)
		e->share.nr_unfit = 0;
	e->share.victim = most;
	e->share.only = only;
	e->share.left = LOOK_PERIOD;
}

/* Who loses; NULL: nobody has anything. */
static struct utmem_tenant *victim(struct pool_engine *e, struct utmem_tenant *only)
{
	struct utmem_tenant *v = e->share.victim;

	if (only || e->share.only || !v || !v->evictable_bytes || !e->share.left)
		look(e, only);
	e->share.left--;
	v = e->share.victim;
	return v && v->evictable_bytes ? v : NULL;
}

/* There is no segment that is worth it, or it is long to find. */
static bool is_scattered(const struct pool_engine *e)
{
	return e->share.nr_unfit >= UNFIT_MOST || e->share.nr_unfit >= e->log.nr_segs;
}

static uint64_t drop_by_clock(struct utmem_tenant *t)
{
	uint64_t steps = 0;
	uint32_t i;

	for (i = 0; i < CLOCK_STEPS; i++)
		steps += utpool_evict_step(t);
	return steps;
}

uint64_t utpool_share_drop(struct pool_engine *e, struct utmem_tenant *only, uint64_t bytes,
			   enum evict how)
{
	struct utmem_tenant *v = victim(e, only);
	uint64_t before = e->nr_walked, steps = 0;
	enum drop done;

	if (!v)
		return 0;
	done = utpool_clean_drop(e, bytes, how);
	e->share.nr_unfit = done == DROP_UNFIT ? e->share.nr_unfit + 1 : 0;
	if (done == DROP_NONE || is_scattered(e))
		steps = drop_by_clock(v);
	return 1 + steps + (e->nr_walked - before) / EVICT_STEP_WALK;
}
