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
	uint64_t off = room_append(e, st->ephemeral, log_record_size(&e->log, key->len, len));
	struct record *r;

	if (off == LOG_NONE)
		return LOG_NONE;
	r = log_record(&e->log, off);
	*r = (struct record){
		.type = RECORD_VALUE,
		.seq = engine_next_seq(e),
		.store = st->id,
		.key_len = key->len,
	};
	copy_bytes(record_key(r), (const uint8_t *)key->data, key->len);
	if (len)
		memcpy(record_value(r), value, len);
	engine_publish(e, r, len, st->serial);
	return off;
}

static int put_value(struct utmem_pool *p, const struct utmem_key *key, const void *value,
		     uint32_t len, enum utmem_put_if cond)
{
	struct pool_engine *e = engine_of(p);
	uint64_t cost = log_record_size(&e->log, key->len, len), off;
	struct store *st;
	int err = 0;

	if (!room_is_plenty(p, cost, cond))
		err = utpool_room_admit(p, key, cost, cond, false);
	if (err)
		return err;
	st = p->store; /* only now: eviction may have renewed it */
	off = write_value(e, st, key, value, len);
	if (off == LOG_NONE)
		return -ENOSPC;
	err = utpool_store_link(e, st, key, off);
	if (err)
		engine_bury(e, off);
	return err;
}

static int put_large(struct utmem_pool *p, const struct utmem_key *key, const void *value,
		     uint32_t len, enum utmem_put_if cond)
{
	struct pool_engine *e = engine_of(p);
	uint64_t cost = utpool_store_cost(e, key->len, len, true), off;
	struct store *st;
	struct large *l;
	int err = utpool_room_admit(p, key, cost, cond, false);

	if (err)
		return err;
	st = p->store; /* only now: eviction may have renewed it */
	l = utpool_large_alloc(e, len);
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

	engine_bury(e, off);
free_large:
	utpool_large_free(e, l);
	return err;
}

void utpool_put_refused(struct utmem_pool *p, const struct utmem_key *key)
{
	uint64_t *slot = index_find(&p->store->index, key);

	p->counters.nr_refused++;
	if (slot)
		utpool_store_remove(engine_of(p), p->store, key->hash, slot);
}

int utpool_put(struct utmem_pool *p, const struct utmem_key *key, const void *value, uint32_t len,
	       enum utmem_put_if cond)
{
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (len > UTMEM_POOL_VALUE_MAX)
		return -E2BIG;
	if (p->destroyed)
		return -ESTALE;

	if (log_record_size(&engine_of(p)->log, key->len, len) > engine_of(p)->log.record_max)
		err = put_large(p, key, value, len, cond);
	else
		err = put_value(p, key, value, len, cond);
	if (!err)
		p->counters.nr_puts++;
	else if (err == -ENOSPC)
		utpool_put_refused(p, key);
	return err;
}

int utpool_del(struct utmem_pool *p, const struct utmem_key *key)
{
	struct pool_engine *e = engine_of(p);
	uint64_t *slot;
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (p->destroyed)
		return -ESTALE;
	slot = index_find(&p->store->index, key);
	if (!slot)
		return -ENOENT;
	e->nr_calls++;
	utpool_store_remove(e, p->store, key->hash, slot);
	p->counters.nr_dels++;
	return 0;
}

int utpool_flush(struct utmem_pool *p)
{
	if (p->destroyed)
		return -ESTALE;
	utpool_save_fail(p, -ECANCELED);
	if (utpool_store_empty(engine_of(p), p->store))
		return 0;
	return utpool_store_renew(p);
}
