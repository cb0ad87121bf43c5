// SPDX-License-Identifier: MIT
/*
 * What recovery sees of the arena: pieces that are copied, or the arena itself.
 * Called by recover.c and relink.c, on the engine's thread, while it opens.
 */
#include "view.h"

int utpool_view_init(struct view *v, struct utmem_engine *e)
{
	*v = (struct view){.engine = e};
	if (!e->mem.read)
		return 0;
	v->buf = utpool_alloc(e, VIEW_MOST, _Alignof(struct record));
	return v->buf ? 0 : -ENOMEM;
}

void utpool_view_exit(struct view *v)
{
	if (v->buf)
		utpool_free(v->engine, v->buf, VIEW_MOST);
}

int utpool_view_read(struct view *v, uint64_t off, uint32_t len)
{
	const struct utmem_memory *mem = &v->engine->mem;
	bool goes_on = v->len && off >= v->off && off <= v->off + v->len + VIEW_LEAST;

	v->step = goes_on ? 2 * v->step : VIEW_LEAST;
	if (v->step < len)
		v->step = len;
	if (v->step > VIEW_MOST)
		v->step = VIEW_MOST;
	v->off = off;
	v->len = mem->arena_len - off < v->step ? (uint32_t)(mem->arena_len - off) : v->step;
	return mem->read(mem->ctx, off, v->buf, v->len);
}
