/* SPDX-License-Identifier: MIT */
/*
 * Small numbers for objects that records refer to: stores and large values.
 *
 * Owner: host/pool. A freed id is given out again. The engine's thread.
 */
#ifndef UTMEM_POOL_IDMAP_H
#define UTMEM_POOL_IDMAP_H

#include "tenant.h"

#define IDMAP_NONE UINT32_MAX

struct idmap {
	struct utmem_engine *engine;
	struct idmap_slot *slots;
	uint32_t nr_slots, max;
	uint32_t free_head; /* IDMAP_NONE: all are in use */
};

struct idmap_slot {
	void *object; /* NULL: free, and next_free counts */
	uint32_t next_free;
};

/* At most @max ids. It takes memory with the first add. */
void utpool_idmap_init(struct idmap *m, struct utmem_engine *e, uint32_t max);
void utpool_idmap_exit(struct idmap *m);
/* IDMAP_NONE when there is no memory or no id left. */
uint32_t utpool_idmap_add(struct idmap *m, void *object);
void utpool_idmap_del(struct idmap *m, uint32_t id);

/*
 * For whoever finds ids again: so many of them can be set, to anything; when all are set, what is
 * NULL is to be given out. False: no memory.
 */
bool utpool_idmap_reserve(struct idmap *m, uint32_t nr);
void utpool_idmap_relink(struct idmap *m);

static inline void idmap_set(struct idmap *m, uint32_t id, void *object)
{
	m->slots[id].object = object;
}

static inline void *idmap_get(const struct idmap *m, uint32_t id)
{
	return id < m->nr_slots ? m->slots[id].object : NULL;
}

#endif /* UTMEM_POOL_IDMAP_H */
