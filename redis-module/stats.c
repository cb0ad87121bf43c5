// SPDX-License-Identifier: MIT
/*
 * UTMEM.STATS: one table of names and places.
 * Called by commands.c, on Redis' main thread.
 */
#include <stddef.h>

#include "redis-module/stats.h"

struct snapshot {
	struct batch_counters batch;
	struct utmem_stats queue;
	struct utmem_pool_stat pool;
	uint64_t up, nr_inflight, nr_fresh, nr_live;
	uint64_t nr_parts, nr_regets, nr_restarts, nr_spilled;
};

#define AT(field) offsetof(struct snapshot, field)

static const struct {
	const char *name;
	size_t off;
} rows[] = {
	{"up", AT(up)},
	{"commands", AT(batch.nr_commands)},
	{"commands_sync", AT(batch.nr_sync_commands)},
	{"commands_now", AT(nr_live)},
	{"requests", AT(queue.submitted)},
	{"submits", AT(queue.submits)},
	{"doorbells", AT(queue.doorbells)},
	{"kicks", AT(queue.kicks)},
	{"interrupts", AT(queue.interrupts)},
	{"deferred", AT(queue.deferred)},
	{"hypercalls", AT(queue.hypercalls)},
	{"unanswered", AT(queue.unanswered)},
	{"coalesced", AT(queue.coalesced)},
	{"inflight", AT(nr_inflight)},
	{"queued", AT(nr_fresh)},
	{"queued_total", AT(batch.nr_queued)},
	{"queued_max", AT(batch.nr_queued_max)},
	{"inline_polls", AT(batch.nr_inline_polls)},
	{"inline_hits", AT(batch.nr_inline_hits)},
	{"sleeps", AT(batch.nr_arms)},
	{"wakes", AT(batch.nr_wakes)},
	{"parts", AT(nr_parts)},
	{"get_second_requests", AT(nr_regets)},
	{"get_restarts", AT(nr_restarts)},
	{"spilled", AT(nr_spilled)},
	{"errors", AT(batch.nr_errors)},
	{"downs", AT(batch.nr_downs)},
	{"reconnects", AT(batch.nr_reconnects)},
	{"pool_items", AT(pool.nr_items)},
	{"pool_key_bytes", AT(pool.key_bytes)},
	{"pool_value_bytes", AT(pool.value_bytes)},
	{"pool_used_bytes", AT(pool.used_bytes)},
	{"pool_refused", AT(pool.nr_refused)},
	{"tenant_used_bytes", AT(pool.tenant_used_bytes)},
	{"tenant_quota_bytes", AT(pool.quota_bytes)},
};
#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static void take_snapshot(struct batch *b, struct snapshot *s)
{
	*s = (struct snapshot){
		.batch = b->counters,
		.pool = *batch_pool_stat(b),
		.up = !b->down,
		.nr_inflight = b->nr_inflight,
		.nr_fresh = b->nr_fresh,
		.nr_live = b->nr_live,
		.nr_parts = b->lane.nr_parts,
		.nr_regets = b->lane.nr_regets,
		.nr_restarts = b->lane.nr_restarts,
		.nr_spilled = b->lane.nr_spilled,
	};
	lane_stats(&b->lane, &s->queue);
}

int stats_reply(RedisModuleCtx *ctx, struct batch *b)
{
	struct snapshot s;

	take_snapshot(b, &s);
	RedisModule_ReplyWithMap(ctx, NR_ROWS);
	for (size_t i = 0; i < NR_ROWS; i++) {
		const uint64_t *value = (const void *)((const char *)&s + rows[i].off);

		RedisModule_ReplyWithCString(ctx, rows[i].name);
		RedisModule_ReplyWithLongLong(ctx, (long long)*value);
	}
	return REDISMODULE_OK;
}
