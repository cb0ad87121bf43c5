// SPDX-License-Identifier: MIT
/*
 * What lies beside the arena and says what is in it: which segments hold records, and
 * whose each store is.
 * Called by engine open and close, the log and stores, on the engine's thread.
 */
#include <errno.h>

#include "index.h"
#include "meta.h"

static size_t page_round(size_t len)
{
	return (len + META_PAGE - 1) & ~(size_t)(META_PAGE - 1);
}

static size_t segs_len(size_t arena_len)
{
	return page_round((arena_len >> utpool_log_segment_shift(arena_len)) * sizeof(uint64_t));
}

size_t utmem_meta_len(size_t arena_len)
{
	if (!arena_len || arena_len > INDEX_ARENA_MAX)
		return 0;
	return META_PAGE + segs_len(arena_len) + META_STORES_MAX * sizeof(struct meta_store);
}
