// SPDX-License-Identifier: MIT
/*
 * Values that are too long for one record: a list of chunks, anywhere in the log, so
 * that a value of half the arena needs no contiguous room. The list is private memory;
 * each chunk says whose it is, so the cleaner moves chunks one by one.
 * Called by put, streams, get and the cleaner, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

static uint32_t nr_chunks(const struct log *log, uint64_t total)
{
	return (uint32_t)((total + large_chunk_len(log) - 1) / large_chunk_len(log));
}

static size_t large_size(uint32_t nr)
{
	return sizeof(struct large) + nr * sizeof(uint64_t);
}

uint64_t utpool_large_cost(const struct log *log, uint64_t total)
{
	uint32_t nr = nr_chunks(log, total);
	uint64_t last = nr ? total - (uint64_t)(nr - 1) * large_chunk_len(log) : 0;
	uint64_t cost = large_size(nr);

	if (nr)
		cost += (uint64_t)(nr - 1) * log->record_max +
			log_record_size(log, sizeof(struct chunk_id), (uint32_t)last);
	return cost;
}

static struct large *large_alloc(struct pool_engine *e, uint64_t total)
{
	uint32_t nr = nr_chunks(&e->log, total), i;
	struct large *l = utpool_alloc(&e->base, large_size(nr), _Alignof(struct large));

	if (!l)
		return NULL;
	*l = (struct large){
		.id = IDMAP_NONE, .record_off = LOG_NONE, .total = total, .nr_chunks = nr};
	for (i = 0; i < nr; i++)
		l->chunk_off[i] = LOG_NONE;
	return l;
}

struct large *utpool_large_alloc(struct pool_engine *e, uint64_t total)
{
	struct large *l = large_alloc(e, total);

	if (!l)
		return NULL;
	l->id = utpool_idmap_add(&e->larges, l);
	if (l->id == IDMAP_NONE) {
		utpool_free(&e->base, l, large_size(l->nr_chunks));
		return NULL;
	}
	l->birth = engine_next_seq(e);
	return l;
}

struct large *utpool_large_restore(struct pool_engine *e, const struct large_ref *ref,
				   uint64_t total)
{
	struct large *l = large_alloc(e, total);

	if (!l)
		return NULL;
	l->id = ref->id;
	l->birth = ref->birth;
	idmap_set(&e->larges, l->id, l);
	return l;
}

void utpool_large_forget(struct pool_engine *e, struct large *l)
{
	idmap_set(&e->larges, l->id, NULL);
	utpool_free(&e->base, l, large_size(l->nr_chunks));
}

uint32_t utpool_large_chunk_len(const struct log *log, const struct large *l, uint32_t no)
{
	uint64_t left = l->total - (uint64_t)no * large_chunk_len(log);

	return left < large_chunk_len(log) ? (uint32_t)left : large_chunk_len(log);
}

void utpool_large_attach(struct pool_engine *e, struct large *l, struct store *st, uint64_t off)
{
	l->store = st;
	l->record_off = off;
	l->nr_refs = 1;
	utpool_store_add_bytes(e, st, (int64_t)l->log_bytes);
	utpool_store_charge(st, (int64_t)utpool_large_own_cost(l));
	utpool_store_spare(st, (int64_t)l->spared_bytes);
	if (st->pool)
		st->pool->counters.nr_packed += !!l->nr_packed;
}

uint64_t utpool_large_own_cost(const struct large *l)
{
	return large_size(l->nr_chunks) + l->log_bytes;
}

void utpool_large_add_bytes(struct pool_engine *e, struct large *l, int64_t bytes)
{
	if (l->commons) {
		utpool_commons_add(e, l, bytes, bytes, 0);
	} else if (l->store) {
		utpool_store_add_bytes(e, l->store, bytes);
		utpool_store_charge(l->store, bytes);
	}
	l->log_bytes += bytes;
}

void utpool_large_packed(struct pool_engine *e, struct large *l, struct record *packed,
			 uint32_t spared)
{
	uint32_t bytes = record_full_len(packed) - packed->value_len;

	utpool_large_add_bytes(e, l, -(int64_t)spared);
	l->spared_bytes += bytes;
	l->nr_packed++;
	if (!l->store)
		return;
	utpool_store_spare(l->store, bytes);
	if (l->nr_packed == 1 && l->store->pool)
		l->store->pool->counters.nr_packed++;
}

void utpool_large_disown(struct pool_engine *e, struct large *l)
{
	int64_t cost = (int64_t)utpool_large_own_cost(l);

	if (l->commons) {
		utpool_commons_add(e, l, -(int64_t)l->log_bytes, -cost, -1);
	} else if (l->store) {
		utpool_store_add_bytes(e, l->store, -(int64_t)l->log_bytes);
		utpool_store_charge(l->store, -cost);
		utpool_store_spare(l->store, -(int64_t)l->spared_bytes);
		if (l->nr_packed && l->store->pool)
			l->store->pool->counters.nr_packed--;
	}
	l->commons = NULL;
	l->store = NULL;
	l->record_off = LOG_NONE;
}

void utpool_large_unref(struct pool_engine *e, struct large *l, struct store *st)
{
	if (l->shared)
		utpool_dedup_leave(e, l, st);
	if (--l->nr_refs)
		return;
	if (l->nr_saves)
		utpool_large_disown(e, l);
	else
		utpool_large_free(e, l);
}

void utpool_large_keep(struct large *l)
{
	l->nr_saves++;
}

void utpool_large_release(struct pool_engine *e, struct large *l)
{
	if (!--l->nr_saves && !l->nr_refs)
		utpool_large_free(e, l);
}

void utpool_large_free(struct pool_engine *e, struct large *l)
{
	uint32_t i;

	for (i = 0; i < l->nr_chunks; i++)
		if (l->chunk_off[i] != LOG_NONE)
			engine_bury(e, l->chunk_off[i]);
	utpool_large_disown(e, l);
	utpool_idmap_del(&e->larges, l->id);
	utpool_free(&e->base, l, large_size(l->nr_chunks));
}

void utpool_large_exit(struct pool_engine *e)
{
	struct large *l;
	uint32_t id;

	for (id = 0; id < e->larges.nr_slots; id++) {
		l = idmap_get(&e->larges, id);
		if (!l)
			continue;
		if (l->commons)
			utpool_dedup_forget(l->commons);
		utpool_free(&e->base, l, large_size(l->nr_chunks));
	}
}

static int chunk_open(struct pool_engine *e, struct large *l, bool ephemeral, uint32_t no)
{
	uint32_t len = utpool_large_chunk_len(&e->log, l, no),
		 size = log_record_size(&e->log, sizeof(struct chunk_id), len);
	uint64_t off = room_append(e, ephemeral, size);
	struct chunk_id id = {.large = l->id, .no = no};
	struct record *r;

	if (off == LOG_NONE)
		return -ENOSPC;
	r = log_record(&e->log, off);
	*r = (struct record){
		.type = RECORD_CHUNK,
		.seq = l->birth,
		.key_len = sizeof(id),
	};
	memcpy(record_key(r), &id, sizeof(id));
	/* valid before its bytes have come: what leads to them is written when all are there */
	UTMEM_FAIL_POINT("pool_chunk_written");
	record_publish(r, len);
	UTMEM_FAIL_POINT("pool_chunk_valid");
	l->chunk_off[no] = off;
	l->log_bytes += size;
	return 0;
}

/* @len bytes at @at of chunk @no, which is there. */
static void chunk_fill(struct pool_engine *e, struct large *l, uint32_t no, uint32_t at,
		       const uint8_t *from, uint32_t len)
{
	struct record *r = log_record(&e->log, l->chunk_off[no]);

	memcpy(record_value(r) + at, from, len);
	if (e->log.trailer_len && at + len == r->value_len)
		utpool_seal_set(r, r->value_len, e->meta.salt, 0);
	UTMEM_FAIL_POINT("pool_chunk_filled");
}

int utpool_large_write(struct pool_engine *e, struct large *l, bool ephemeral, uint64_t pos,
		       const void *src, uint32_t len)
{
	const uint8_t *from = src;
	uint32_t no, at, part;
	int err;

	for (; len; len -= part, from += part, pos += part) {
		no = (uint32_t)(pos / large_chunk_len(&e->log));
		at = (uint32_t)(pos % large_chunk_len(&e->log));
		if (l->chunk_off[no] == LOG_NONE) {
			err = chunk_open(e, l, ephemeral, no);
			if (err)
				return err;
		}
		part = utpool_large_chunk_len(&e->log, l, no) - at;
		part = part < len ? part : len;
		chunk_fill(e, l, no, at, from, part);
	}
	return 0;
}

/* Bytes [at, at + len) of chunk @no. */
static int chunk_read(struct pool_engine *e, const struct large *l, uint32_t no, uint32_t at,
		      uint8_t *to, uint32_t len)
{
	struct record *r = log_record(&e->log, l->chunk_off[no]);

	if (r->packed)
		return utpool_unpack(&e->packer, r, utpool_large_chunk_len(&e->log, l, no), at, to,
				     len);
	memcpy(to, record_value(r) + at, len);
	return 0;
}

int utpool_large_read(struct pool_engine *e, const struct large *l, uint64_t off, void *buf,
		      uint32_t len)
{
	uint8_t *to = buf;
	uint32_t no, at, part;
	int err = 0;

	for (; len && !err; len -= part, to += part, off += part) {
		no = (uint32_t)(off / large_chunk_len(&e->log));
		at = (uint32_t)(off % large_chunk_len(&e->log));
		part = utpool_large_chunk_len(&e->log, l, no) - at;
		part = part < len ? part : len;
		err = chunk_read(e, l, no, at, to, part);
	}
	return err;
}

uint64_t utpool_large_record(struct pool_engine *e, struct large *l, struct store *st,
			     const struct utmem_key *key)
{
	const struct large_ref ref = {.id = l->id, .birth = l->birth};
	uint32_t len = log_record_size(&e->log, key->len, sizeof(ref));
	uint64_t off = room_append(e, st->ephemeral, len);
	struct record *r;

	if (off == LOG_NONE)
		return LOG_NONE;
	r = log_record(&e->log, off);
	*r = (struct record){
		.type = RECORD_LARGE,
		.seq = engine_next_seq(e),
		.store = st->id,
		.key_len = key->len,
	};
	memcpy(record_key(r), key->data, key->len);
	memcpy(record_value(r), &ref, sizeof(ref));
	engine_publish(e, r, (uint32_t)l->total, st->serial);
	return off;
}
