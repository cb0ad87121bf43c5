// SPDX-License-Identifier: MIT
/*
 * The real engine's vtable, its beginning and end, and its background work.
 * Called by whoever opens an engine, on the one thread that uses it.
 */
#include <errno.h>

#include "engine.h"

/* What a unit of background work counts as, in bytes of copying. */
#define WORK_PER_LEAF 1024u
#define WORK_PER_SWEEP_PART 8u	 /* of a segment: only headers are read */
#define WORK_PER_RELEASE_PART 8u /* of a segment: the kernel frees its pages */
#define WORK_PER_FIT (64u << 10)

/*
 * While requests come and free segments are not short, the cleaner copies 1/8 of what
 * puts bring and a little for each other call: dead bytes then settle at some 1.5 times
 * the live ones. Cleaning at once all that is half dead copied one value for each put.
 */
#define CLEAN_PUT_PART 8u
#define CLEAN_PER_CALL 8u
#define CLEAN_CREDIT_LEAST 4096u

/* Where cold values are packed, a byte of copying counts as so many. When it has become
 * urgent they get a credit that keeps up with what is put. */
#define PACK_COST 8u
#define PACK_HURRY (CLEAN_PUT_PART * PACK_COST)

static int pool_init(struct utmem_pool *p)
{
	utpool_meta_pool_id(&engine_of(p)->meta, p->id);
	return utpool_store_open(p, &p->store);
}

static void pool_drop(struct utmem_pool *p)
{
	struct pool_engine *e = engine_of(p);

	/* who has no pool any more may go, too */
	if (e->share.victim == p->tenant)
		e->share.victim = NULL;
	utpool_save_fail(p, -ECANCELED);
	utpool_store_close(p->store);
	p->store = NULL;
}

static int options_prepare(struct utmem_pool *p, const struct utmem_pool_options *o)
{
	struct pool_engine *e = engine_of(p);
	int err = utpool_packer_prepare(&e->packer, o->compress);

	if (!err && o->dedup)
		err = utpool_dedup_prepare(p->tenant);
	if (err)
		return err;
	if (p->store)
		utpool_meta_store_options(&e->meta, p->store->id, o);
	if (!o->compress && !o->dedup)
		return 0;
	e->cold.nr_pools++;
	p->tenant->packs = true;
	if (p->store)
		utpool_cold_again(e); /* what is there is to be looked at once more */
	return 0;
}

static const struct tenant_hooks hooks = {
	.options_prepare = options_prepare,
	.tenant_drop = utpool_dedup_drop,
	.pool_init = pool_init,
	.pool_drop = pool_drop,
	.quota_fit = utpool_evict_to_quota,
};

static void keep_content(struct utmem_pool *p)
{
	(void)p;
}

/* Once the stores are gone: pools go, and leave no trace. */
static const struct tenant_hooks closing_hooks = {
	.pool_drop = keep_content,
	.tenant_drop = utpool_dedup_drop,
};

/* Everything private; arena and meta stay as they are. */
static void shut(struct pool_engine *e)
{
	struct utmem_engine *base = &e->base;

	e->meta.begun = false;
	utpool_store_exit(e);
	utpool_large_exit(e);
	base->hooks = &closing_hooks;
	utpool_tenants_exit(base);
	utpool_idmap_exit(&e->larges);
	utpool_idmap_exit(&e->stores);
	utpool_packer_exit(&e->packer);
	if (e->log.segs)
		utpool_log_exit(&e->log);
	base->mem.free(base->mem.ctx, e, sizeof(*e));
}

static int engine_open(struct utmem_engine **out, const struct utmem_memory *mem)
{
	struct pool_engine *e = mem->alloc(mem->ctx, sizeof(*e), _Alignof(struct pool_engine));
	int err;

	*out = NULL;
	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->turn = 1; /* a new tenant's is another */
	utpool_tenants_init(&e->base, &utmem_engine_pool, &hooks, mem);
	list_init(&e->dying);
	list_init(&e->saves);
	utpool_idmap_init(&e->stores, &e->base, STORES_MAX);
	utpool_idmap_init(&e->larges, &e->base, IDMAP_NONE);
	err = utpool_meta_init(&e->meta, mem);
	if (!err)
		err = utpool_log_init(&e->log, &e->base, &e->meta);
	utpool_packer_init(&e->packer, &e->base, e->log.record_max);
	if (!err)
		err = e->meta.found ? utpool_recover(e) : utpool_meta_begin(&e->meta, mem);
	if (err) {
		shut(e);
		return err;
	}
	*out = &e->base;
	return 0;
}

static void engine_close(struct utmem_engine *base)
{
	struct pool_engine *e = (struct pool_engine *)base;

	utpool_meta_seq(&e->meta, e->seq);
	utpool_meta_end(&e->meta);
	shut(e);
}

static void engine_recovery(const struct utmem_engine *base, struct utmem_recovery *out)
{
	*out = ((const struct pool_engine *)base)->recovery;
}

static void engine_stat(struct utmem_engine *base, struct utmem_engine_stat *out)
{
	struct pool_engine *e = (struct pool_engine *)base;

	out->arena_bytes = base->mem.arena_len;
	out->live_bytes = e->log.live_bytes - e->dying_bytes;
	out->dead_bytes = log_filled(&e->log) - out->live_bytes;
	out->free_bytes = base->mem.arena_len - log_filled(&e->log);
	out->index_bytes = base->private_bytes;
	out->nr_items = e->nr_items;
	out->nr_evicted = e->nr_evicted;
	out->nr_cleaned_bytes = e->nr_cleaned_bytes;
	out->released_bytes = e->log.released_bytes;
}

/* Short of segments: whatever is worth it, as puts see it; else only what is mostly dead. */
static uint32_t wanted_gain(const struct log *log)
{
	if (log->nr_free >= log->low_water)
		return log->seg_len / 2;
	return log->seg_len / (list_empty(&log->aged) ? 16 : CLEAN_CHEAP_PART);
}

/* What came since the last call becomes the cleaner's credit. When nothing came it needs none. */
static void note_load(struct pool_engine *e)
{
	uint64_t put_bytes = e->log.appended_bytes - e->nr_cleaned_bytes;
	uint64_t credit = (put_bytes - e->put_bytes_seen) / CLEAN_PUT_PART +
			  (e->nr_calls - e->nr_calls_seen) * CLEAN_PER_CALL;

	e->put_bytes_seen = put_bytes;
	e->nr_calls_seen = e->nr_calls;
	e->idle = !credit;
	if (e->cold.hurry)
		credit *= PACK_HURRY;
	e->clean_credit += credit;
	if (e->clean_credit > e->log.seg_len)
		e->clean_credit = e->log.seg_len;
}

/* The cleaner packs what it moves, and is given segments where that is worth it. */
static size_t clean_cold(struct pool_engine *e, size_t budget)
{
	uint64_t looked = utpool_cold_look(e);
	bool worked;

	e->packing = true;
	worked = utpool_clean_step(e, budget / PACK_COST + 1, wanted_gain(&e->log));
	e->packing = false;
	if (!worked)
		return looked / WORK_PER_SWEEP_PART;
	e->clean_credit -= budget < e->clean_credit ? budget : e->clean_credit;
	return budget;
}

static size_t clean(struct pool_engine *e, size_t budget)
{
	uint64_t before = e->nr_cleaned_bytes, copied;

	if (!e->idle && e->clean_credit < CLEAN_CREDIT_LEAST)
		return 0;
	if (!e->idle && budget > e->clean_credit)
		budget = e->clean_credit;
	if (e->cold.nr_pools)
		return clean_cold(e, budget);
	if (!utpool_clean_step(e, budget, wanted_gain(&e->log)))
		return 0;
	copied = e->nr_cleaned_bytes - before;
	e->clean_credit -= copied < e->clean_credit ? copied : e->clean_credit;
	return budget;
}

/* One unit of what is most urgent. Return: what it counts as; 0: there is nothing to do now. */
static size_t work(struct pool_engine *e, size_t budget)
{
	uint32_t nr_leaves = (uint32_t)(budget / WORK_PER_LEAF) + 1;

	if (utpool_evict_above_quota(e))
		return WORK_PER_FIT;
	if (utpool_store_reap(e, nr_leaves))
		return nr_leaves * WORK_PER_LEAF;
	if (utpool_clean_sweep(e, e->log.seg_len))
		return e->log.seg_len / WORK_PER_SWEEP_PART;
	if (utpool_log_release(&e->log))
		return e->log.seg_len / WORK_PER_RELEASE_PART;
	return clean(e, budget);
}

/* Is there work that waits for time to pass, or for a pause? (In a pause, what is left is stuck.) */
static bool work_waits(struct pool_engine *e)
{
	return utpool_log_keeps_spare(&e->log) || utpool_cold_waits(e) ||
	       (!e->idle && utpool_clean_wanted(e, wanted_gain(&e->log)));
}

static bool engine_maintain(struct utmem_engine *base, size_t budget)
{
	struct pool_engine *e = (struct pool_engine *)base;
	size_t done;

	e->turn++;
	utpool_cold_turn(e);
	note_load(e);
	utpool_log_tick(&e->log, e->idle);
	while (budget) {
		done = work(e, budget);
		if (!done)
			return work_waits(e);
		budget -= done < budget ? done : budget;
	}
	return true;
}

const struct utmem_engine_ops utmem_engine_pool = {
	.name = "pool",
	.open = engine_open,
	.close = engine_close,
	.recovery = engine_recovery,
	.stat = engine_stat,
	.tenant_add = utpool_tenant_add,
	.tenant_remove = utpool_tenant_remove,
	.tenant_quota = utpool_tenant_quota,
	.tenant_weight = utpool_tenant_weight,
	.tenant_stat = utpool_tenant_stat,
	.tenant_next = utpool_tenant_next,
	.pool_open = utpool_pool_open,
	.pool_attach = utpool_pool_attach,
	.pool_close = utpool_pool_unref,
	.pool_destroy = utpool_pool_destroy,
	.pool_grant = utpool_pool_grant,
	.pool_revoke = utpool_pool_revoke,
	.pool_rights = utpool_pool_rights,
	.grant_next = utpool_grant_next,
	.pool_id = utpool_pool_id,
	.pool_find = utpool_pool_find,
	.pool_name = utpool_pool_name,
	.pool_tenant = utpool_pool_tenant,
	.pool_kind = utpool_pool_kind,
	.pool_options_set = utpool_pool_options_set,
	.pool_options = utpool_pool_options,
	.default_options_set = utpool_default_options_set,
	.pool_stat = utpool_pool_stat,
	.pool_next = utpool_pool_next,
	.hash = utpool_hash,
	.prefetch_index = utpool_prefetch_index,
	.prefetch_record = utpool_prefetch_record,
	.put = utpool_put,
	.get = utpool_get,
	.del = utpool_del,
	.find = utpool_find,
	.flush = utpool_flush,
	.stream_begin = utpool_parts_begin,
	.stream_append = utpool_parts_append,
	.stream_commit = utpool_parts_commit,
	.stream_abort = utpool_parts_abort,
	.stream_find_key = utpool_parts_find_key,
	.stream_id = utpool_stream_id,
	.stream_adopt = utpool_parts_adopt,
	.streams_settle = utpool_streams_settle,
	.save_begin = utpool_save_begin,
	.save_step = utpool_save_step,
	.save_end = utpool_save_end,
	.restore_begin = utpool_restore_begin,
	.restore_commit = utpool_restore_commit,
	.restore_abort = utpool_restore_abort,
	.maintain = engine_maintain,
	.reclaim = utpool_reclaim,
};
