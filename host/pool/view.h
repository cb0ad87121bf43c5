/* SPDX-License-Identifier: MIT */
/*
 * What recovery sees of the arena. A page that is not mapped yet costs 2 .. 10 us, and all of
 * them are looked at: where the memory can be read, pieces of it are copied instead.
 *
 * Owner: host/pool, for recover.c and relink.c. The engine's thread, while it opens.
 */
#ifndef UTMEM_POOL_VIEW_H
#define UTMEM_POOL_VIEW_H

#include "log.h"

/*
 * The first piece, and the longest one: each that goes on about where the last one ended is
 * twice as long. Long values, of which only the beginning counts, are skipped that way.
 */
#define VIEW_LEAST (4u << 10)
#define VIEW_MOST (LOG_SEGMENT_MAX / LOG_RECORDS_PER_SEGMENT) /* the longest record */

struct view {
	struct utmem_engine *engine;
	uint8_t *buf; /* VIEW_MOST bytes; NULL: the arena itself is looked at */
	uint64_t off; /* so many bytes are in buf, which lie here in the arena */
	uint32_t len;
	uint32_t step; /* as many were to be read */
};

/* -ENOMEM. */
int utpool_view_init(struct view *v, struct utmem_engine *e);
void utpool_view_exit(struct view *v);
/* Let buf have [off, off + len) of the arena. 0, or what the memory's read says. */
int utpool_view_read(struct view *v, uint64_t off, uint32_t len);

/* *out: [off, off + len) of the arena, VIEW_MOST bytes at most; until the next call. As above. */
static inline int view_at(struct view *v, uint64_t off, uint32_t len, struct record **out)
{
	int err = 0;

	if (!v->buf) {
		*out = (struct record *)((uint8_t *)v->engine->mem.arena + off);
		return 0;
	}
	if (off < v->off || off + len > v->off + v->len)
		err = utpool_view_read(v, off, len);
	*out = (struct record *)(v->buf + (off - v->off));
	return err;
}

#endif /* UTMEM_POOL_VIEW_H */
