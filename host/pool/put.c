// SPDX-License-Identifier: MIT
/*
 * Values come and go: put, del, flush.
 * Called through the vtable, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

static uint64_t write_value(struct pool_engine *e, struct store *st, const struct utmem_key *key,
			    const void *value, uint32_t len)
{
	uint64_t off = utpool_room_append(e, st->ephemeral, record_size(key->len, len));
	struct record *r;

	if (off == LOG_NONE)
		return LOG_NONE;
	r = log_record(&e->log, off);
	*r = (struct record){
		.state = RECORD_LIVE,
		.type = RECORD_VALUE,
		.value_len = len,
		.version = engine_next_version(e),
		.store = st->id,
		.key_len = key->len,
	};
	memcpy(record_key(r), key->data, key->len);
	if (len)
		memcpy(record_value(r), value, len);
	return off;
}

static int put_value(struct pool_engine *e, struct store *st, const struct utmem_key *key,
		     const void *value, uint32_t len)
{
	uint64_t off = write_value(e, st, key, value, len);
	int err;

	if (off == LOG_NONE)
		return -ENOSPC;
	err = utpool_store_link(e, st, key, off);
	if (err)
		utpool_log_bury(&e->log, off);
	return err;
}

static int put_large(struct pool_engine *e, struct store *st, const struct utmem_key *key,
		     const void *value, uint32_t len)
{
	struct large *l = utpool_large_alloc(e, len);
	uint64_t off;
	int err;

	if (!l)
		return -ENOSPC;
	err = utpool_large_write(e, l, st->ephemeral, 0, value, len);
	if (err)
		goto free_large;
	off = utpool_large_record(e, l, st, key);
	if (off == LOG_NONE) {
		err = -ENOSPC;
		goto free_large;
	}
	err = utpool_store_link(e, st, key, off);
	if (!err)
		return 0;

	utpool_log_bury(&e->log, off);
free_large:
	utpool_large_free(e, l);
	return err;
}

void utpool_put_refused(struct utmem_pool *p, const struct utmem_key *key)
{
	uint64_t *slot = utpool_index_find(&p->store->index, key);

	p->counters.nr_refused++;
	if (slot)
		utpool_store_remove(engine_of(p), p->store, key->hash, slot);
}

int utpool_put(struct utmem_pool *p, const struct utmem_key *key, const void *value, uint32_t len,
	       enum utmem_put_if cond)
{
	struct pool_engine *e = engine_of(p);
	bool chunked;
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (len > UTMEM_POOL_VALUE_MAX)
		return -E2BIG;
	if (p->destroyed)
		return -ESTALE;

	chunked = record_size(key->len, len) > e->log.record_max;
	err = utpool_room_admit(p, key, utpool_store_cost(e, key->len, len, chunked), cond, false);
	if (!err)
		err = chunked ? put_large(e, p->store, key, value, len)
			      : put_value(e, p->store, key, value, len);
	if (!err)
		p->counters.nr_puts++;
	else if (err == -ENOSPC)
		utpool_put_refused(p, key);
	return err;
}

int utpool_del(struct utmem_pool *p, const struct utmem_key *key)
{
	uint64_t *slot;
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (p->destroyed)
		return -ESTALE;
	slot = utpool_index_find(&p->store->index, key);
	if (!slot)
		return -ENOENT;
	utpool_store_remove(engine_of(p), p->store, key->hash, slot);
	p->counters.nr_dels++;
	return 0;
}

int utpool_flush(struct utmem_pool *p)
{
	struct store *fresh;
	int err;

	if (p->destroyed)
		return -ESTALE;
	if (!p->counters.nr_items)
		return 0;
	err = utpool_store_open(p, &fresh);
	if (err)
		return err;
	utpool_store_close(p->store);
	p->store = fresh;
	return 0;
}
