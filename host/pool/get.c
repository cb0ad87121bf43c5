// SPDX-License-Identifier: MIT
/*
 * Values are read: get, and asking for their cache lines beforehand.
 * Called through the vtable, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

static inline void read_value(struct pool_engine *e, struct record *r, uint64_t off, void *buf,
			      uint32_t len)
{
	if (off >= r->value_len)
		return;
	if (len > r->value_len - off)
		len = (uint32_t)(r->value_len - off);
	if (!len)
		return;
	if (r->type == RECORD_LARGE)
		utpool_large_read(e, idmap_get(&e->larges, record_large(r).id), off, buf, len);
	else
		memcpy(buf, record_value(r) + off, len);
}

void utpool_value_read(struct pool_engine *e, struct record *r, uint64_t off, void *buf,
		       uint32_t len)
{
	read_value(e, r, off, buf, len);
}

int utpool_get(struct utmem_pool *p, const struct utmem_key *key, uint64_t off, void *buf,
	       uint32_t len, struct utmem_get_result *out)
{
	struct pool_engine *e = engine_of(p);
	struct record *r;
	uint64_t *slot;
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (p->destroyed)
		return -ESTALE;
	e->nr_calls++;
	p->counters.nr_gets++;
	slot = index_find(&p->store->index, key);
	if (!slot)
		return -ENOENT;
	p->counters.nr_hits++;

	r = log_record(&e->log, index_off(*slot));
	if (p->kind.ephemeral && !r->used)
		r->used = 1;
	out->value_len = r->value_len;
	out->version = r->seq & RECORD_VERSION_MASK;
	read_value(e, r, off, buf, len);
	return 0;
}

int utpool_find(struct utmem_pool *p, const struct utmem_key *key)
{
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (p->destroyed)
		return -ESTALE;
	return index_find(&p->store->index, key) ? 0 : -ENOENT;
}

void utpool_prefetch_index(const struct utmem_pool *p, struct utmem_key *key)
{
	if (p->store)
		utpool_index_prefetch(&p->store->index, key);
	else
		key->hint.owner = NULL;
}

void utpool_prefetch_record(const struct utmem_pool *p, struct utmem_key *key, uint32_t len)
{
	if (p->store)
		utpool_index_prefetch_record(&p->store->index, key, len);
}
