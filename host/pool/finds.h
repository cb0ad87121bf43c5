/* SPDX-License-Identifier: MIT */
/*
 * What recovery has found and not yet dealt with: a list that only grows.
 *
 * Owner: host/pool, for recover.c. The engine's thread, while it opens.
 */
#ifndef UTMEM_POOL_FINDS_H
#define UTMEM_POOL_FINDS_H

#include "tenant.h"

struct find {
	uint64_t hash; /* of the key, where it has one */
	uint64_t off : 48;
	uint64_t store : 16;
};

struct finds_block {
	struct finds_block *next;
	uint32_t nr, max;
	struct find find[];
};

struct finds {
	struct utmem_engine *engine;
	struct finds_block *first, *last;
	uint64_t nr;
};

void utpool_finds_init(struct finds *f, struct utmem_engine *e);
void utpool_finds_exit(struct finds *f);
bool utpool_finds_grow(struct finds *f);

static inline int finds_add(struct finds *f, const struct find *find)
{
	if ((!f->last || f->last->nr == f->last->max) && !utpool_finds_grow(f))
		return -ENOMEM;
	f->last->find[f->last->nr++] = *find;
	f->nr++;
	return 0;
}

/* Where one stands in a list; zero with @block = first is the beginning. */
struct finds_at {
	struct finds_block *block;
	uint32_t i;
};

static inline struct finds_at finds_first(const struct finds *f)
{
	return (struct finds_at){f->first, 0};
}

/* The next one, or NULL. */
static inline struct find *finds_next(struct finds_at *at)
{
	if (at->block && at->i == at->block->nr) {
		at->block = at->block->next;
		at->i = 0;
	}
	return at->block ? &at->block->find[at->i++] : NULL;
}

#endif /* UTMEM_POOL_FINDS_H */
