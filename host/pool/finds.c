// SPDX-License-Identifier: MIT
/*
 * What recovery has found and not yet dealt with: a list that only grows.
 * Called by recover.c, on the engine's thread, while it opens.
 */
#include <string.h>

#include "finds.h"

/* Blocks grow with the list: a small arena needs little, a large one few of them. */
#define BLOCK_LEAST 64u
#define BLOCK_MOST 65536u

static size_t block_size(uint32_t max)
{
	return sizeof(struct finds_block) + max * sizeof(struct find);
}

void utpool_finds_init(struct finds *f, struct utmem_engine *e)
{
	memset(f, 0, sizeof(*f));
	f->engine = e;
}

void utpool_finds_exit(struct finds *f)
{
	struct finds_block *b = f->first, *next;

	for (; b; b = next) {
		next = b->next;
		utpool_free(f->engine, b, block_size(b->max));
	}
}

bool utpool_finds_grow(struct finds *f)
{
	uint32_t max = f->last ? 2 * f->last->max : BLOCK_LEAST;
	struct finds_block *b;

	if (max > BLOCK_MOST)
		max = BLOCK_MOST;
	b = utpool_alloc(f->engine, block_size(max), _Alignof(struct finds_block));
	if (!b)
		return false;
	b->next = NULL;
	b->nr = 0;
	b->max = max;
	if (f->last)
		f->last->next = b;
	else
		f->first = b;
	f->last = b;
	return true;
}
