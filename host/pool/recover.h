/* SPDX-License-Identifier: MIT */
/*
 * Recovery, inside: what its two halves share. recover.c reads what is there and, at the end,
 * buries what is of no use; relink.c makes out of records what the engine knows of them.
 *
 * Owner: host/pool. The engine's thread, while it opens.
 */
#ifndef UTMEM_POOL_RECOVER_H
#define UTMEM_POOL_RECOVER_H

#include "engine.h"
#include "finds.h"

struct recovery {
	struct pool_engine *e;
	struct utmem_recovery *out;
	struct finds values; /* VALUE, and whole LARGE, of pools */
	struct finds larges; /* LARGE and STREAM */
	struct finds shares; /* of these: those that lead to what another LARGE leads to */
	struct finds chunks;
	struct finds doomed;   /* live records that are to be buried */
	uint32_t nr_large_ids; /* the highest one, and 1 */
};

static inline int recovery_doom(struct recovery *rec, uint64_t off)
{
	const struct find find = {.off = off};

	return finds_add(&rec->doomed, &find);
}

/* A valid VALUE or LARGE of a pool is one of its values, which are linked later. -ENOMEM. */
int utpool_relink_add(struct recovery *rec, struct store *st, struct record *r, uint64_t off);
/* Large values and streams get their chunks; those that lack some are doomed. -ENOMEM. */
int utpool_relink_larges(struct recovery *rec);
/* Keys lead to values, the newest of each. -ENOMEM. */
int utpool_relink_values(struct recovery *rec);

#endif /* UTMEM_POOL_RECOVER_H */
