// SPDX-License-Identifier: MIT
/*
 * Memory goes back to the host at once: what is free, what cleaning gains cheaply, then
 * what ephemeral values take. Called through the vtable by who answers for the host's
 * memory, in slices, on the engine's thread.
 */
#include "engine.h"

/* What work counts as, in bytes of copying: giving back a segment, looking through one. */
#define RELEASE_PART 8u
#define SWEEP_PART 8u
/* Bytes of a segment that are walked over at a time. */
#define DROP_BYTES (64u << 10)
/* What a segment must gain: while values can go instead, and when enough of them have. */
#define GAIN_FIRST_PART 2u
#define GAIN_LAST_PART 8u

static uint64_t evictable(const struct pool_engine *e, const struct utmem_tenant *t)
{
	return t ? t->evictable_bytes : e->ephemeral_bytes;
}

/* What has gone may lie anywhere: so much is enough, and the segment that was begun. */
static bool dropped_enough(const struct pool_engine *e, const struct utmem_reclaim *r)
{
	return r->dropped_bytes >= r->bytes && r->dropped_bytes >= e->log.seg_len && !e->drop.seg;
}

static bool drop(struct pool_engine *e, struct utmem_reclaim *r)
{
	uint64_t before = evictable(e, r->tenant), after;

	if (dropped_enough(e, r))
		return false;
	if (!utpool_share_drop(e, r->tenant, DROP_BYTES, EVICT_BRISK))
		return false;
	after = evictable(e, r->tenant);
	r->dropped_bytes += before > after ? before - after : 0;
	return true;
}

static bool clean(struct pool_engine *e, uint32_t gain_part)
{
	return utpool_clean_step(e, DROP_BYTES, e->log.seg_len / gain_part);
}

/* One unit of what costs least. Return: what it counts as; 0: nothing more is to be had. */
static size_t work(struct pool_engine *e, struct utmem_reclaim *r)
{
	if (utpool_log_give_back(&e->log)) {
		r->released_bytes += e->log.seg_len;
		return e->log.seg_len / RELEASE_PART;
	}
	if (utpool_clean_sweep(e, e->log.seg_len))
		return e->log.seg_len / SWEEP_PART;
	if (clean(e, GAIN_FIRST_PART) || drop(e, r) || clean(e, GAIN_LAST_PART))
		return DROP_BYTES;
	return 0;
}

bool utpool_reclaim(struct utmem_engine *base, struct utmem_reclaim *r, size_t budget)
{
	struct pool_engine *e = (struct pool_engine *)base;
	size_t done;

	while (budget && r->released_bytes < r->bytes) {
		done = work(e, r);
		if (!done)
			return false;
		budget -= done < budget ? done : budget;
	}
	return r->released_bytes < r->bytes;
}
