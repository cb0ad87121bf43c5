// SPDX-License-Identifier: MIT
/*
 * Values are read: get, and asking for their cache lines beforehand.
 * Called through the vtable, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

/* How much of what is asked for a value of @total bytes has. */
static inline uint32_t there(uint64_t total, uint64_t off, uint32_t len)
{
	if (off >= total)
		return 0;
	return len > total - off ? (uint32_t)(total - off) : len;
}

/* In chunks, or packed. */
static __attribute__((noinline)) int read_other(struct pool_engine *e, struct record *r,
						uint64_t off, void *buf, uint32_t len,
						struct utmem_get_result *out)
{
	uint32_t total = record_full_len(r);

	out->value_len = total;
	len = there(total, off, len);
	if (!len)
		return 0;
	if (r->type == RECORD_LARGE)
		return utpool_large_read(e, idmap_get(&e->larges, record_large(r).id), off, buf,
					 len);
	return utpool_unpack(&e->packer, r, total, (uint32_t)off, buf, len);
}

int utpool_value_read(struct pool_engine *e, struct record *r, void *buf)
{
	uint32_t len = record_full_len(r);

	if (r->packed)
		return utpool_unpack(&e->packer, r, len, 0, buf, len);
	memcpy(buf, record_value(r), len);
	return 0;
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
	if (p->marks_used && !r->used)
		r->used = 1;
	out->version = r->seq & RECORD_VERSION_MASK;
	if (!record_is_plain(r))
		return read_other(e, r, off, buf, len, out);
	out->value_len = r->value_len;
	len = there(r->value_len, off, len);
	if (len)
		memcpy(buf, record_value(r) + off, len);
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
