// SPDX-License-Identifier: MIT
/*
 * Small numbers for objects that records refer to.
 * Called by stores and large values, on the engine's thread.
 */
#include <string.h>

#include "idmap.h"

#define IDMAP_FIRST 64u

void utpool_idmap_init(struct idmap *m, struct utmem_engine *e, uint32_t max)
{
	memset(m, 0, sizeof(*m));
	m->engine = e;
	m->max = max;
	m->free_head = IDMAP_NONE;
}

void utpool_idmap_exit(struct idmap *m)
{
	if (m->slots)
		utpool_free(m->engine, m->slots, m->nr_slots * sizeof(*m->slots));
}

static uint32_t grown(const struct idmap *m)
{
	if (!m->nr_slots)
		return m->max < IDMAP_FIRST ? m->max : IDMAP_FIRST;
	return m->nr_slots > m->max / 2 ? m->max : 2 * m->nr_slots;
}

static bool grow(struct idmap *m)
{
	uint32_t nr = grown(m), i;
	struct idmap_slot *slots;

	if (nr == m->nr_slots)
		return false;
	slots = utpool_alloc(m->engine, nr * sizeof(*slots), _Alignof(struct idmap_slot));
	if (!slots)
		return false;
	if (m->slots)
		memcpy(slots, m->slots, m->nr_slots * sizeof(*slots));
	for (i = nr; i-- > m->nr_slots;) {
		slots[i].object = NULL;
		slots[i].next_free = m->free_head;
		m->free_head = i;
	}
	utpool_idmap_exit(m);
	m->slots = slots;
	m->nr_slots = nr;
	return true;
}

bool utpool_idmap_reserve(struct idmap *m, uint32_t nr)
{
	while (m->nr_slots < nr)
		if (!grow(m))
			return false;
	return true;
}

void utpool_idmap_relink(struct idmap *m)
{
	uint32_t i;

	m->free_head = IDMAP_NONE;
	for (i = m->nr_slots; i-- > 0;) {
		if (m->slots[i].object)
			continue;
		m->slots[i].next_free = m->free_head;
		m->free_head = i;
	}
}

uint32_t utpool_idmap_add(struct idmap *m, void *object)
{
	uint32_t id;

	if (m->free_head == IDMAP_NONE && !grow(m))
		return IDMAP_NONE;
	id = m->free_head;
	m->free_head = m->slots[id].next_free;
	m->slots[id].object = object;
	return id;
}

void utpool_idmap_del(struct idmap *m, uint32_t id)
{
	m->slots[id].object = NULL;
	m->slots[id].next_free = m->free_head;
	m->free_head = id;
}
