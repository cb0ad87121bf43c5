// SPDX-License-Identifier: MIT
/*
 * Recovery's second half: records that were found become values of their pools again, large
 * ones with their chunks, streams that can go on, and an index.
 * Called by recover.c, on the engine's thread, while it opens. Nothing here writes to the arena.
 */
#include "recover.h"

/* The index is asked for a value's place so many values earlier. */
#define RELINK_AHEAD 32u

static struct utmem_key key_of(const struct pool_engine *e, struct record *r)
{
	struct utmem_key key = {.data = record_key(r), .len = r->key_len};

	key.hash = utpool_hash(&e->base, key.data, key.len);
	return key;
}

int utpool_relink_add(struct recovery *rec, struct store *st, struct record *r, uint64_t off)
{
	struct find find = {.off = off, .store = st->id};

	find.hash = utpool_hash(&rec->e->base, record_key(r), r->key_len);
	utpool_store_count(rec->e, st, r, 1);
	return finds_add(&rec->values[find.hash >> (64 - VALUES_BITS)], &find);
}

/* ---- large values ---- */

/* It was never whole, or is no more: it goes, with all its chunks. */
static int drop(struct recovery *rec, struct large *l)
{
	int err = recovery_doom(rec, l->record_off);
	uint32_t no;

	for (no = 0; no < l->nr_chunks && !err; no++)
		if (l->chunk_off[no] != LOG_NONE)
			err = recovery_doom(rec, l->chunk_off[no]);
	utpool_large_forget(rec->e, l);
	return err;
}

/* Two records want the same id: does @r have more right to it than the one that has it? */
static bool wins(const struct pool_engine *e, struct record *r, const struct large *has)
{
	const struct large_ref ref = record_large(r);

	if (ref.birth != has->birth)
		return (int32_t)(ref.birth - has->birth) > 0;
	/* a stream that was just committed; else the cleaner had copied the record */
	return r->type == RECORD_LARGE &&
	       log_record(&e->log, has->record_off)->type == RECORD_STREAM;
}

static struct store *store_of(const struct pool_engine *e, const struct record *r)
{
	return idmap_get(&e->stores, r->store);
}

/* Does @r lead to what the whole value @l is, as another record of the tenant's pools does? */
static bool shares(const struct pool_engine *e, struct record *r, const struct large *l)
{
	struct record *has = log_record(&e->log, l->record_off);
	const struct utmem_pool *p, *q;

	if (r->type != RECORD_LARGE || has->type != RECORD_LARGE ||
	    record_large(r).birth != l->birth || r->value_len != l->total)
		return false;
	p = store_of(e, r)->pool;
	q = store_of(e, has)->pool;
	return p && (!q || p->tenant == q->tenant);
}

/* One more that leads to @l, and not the same once more; of those that do, one has a pool. */
static int share(struct recovery *rec, struct large *l, uint64_t off)
{
	struct pool_engine *e = rec->e;
	struct record *has = log_record(&e->log, l->record_off), *r = log_record(&e->log, off);
	struct find find = {.off = off};
	int err = 0;

	if (has->store == r->store && has->key_len == r->key_len &&
	    !memcmp(record_key(has), record_key(r), r->key_len)) {
		rec->out->nr_duplicates++;
		return recovery_doom(rec, off);
	}
	if (store_of(e, has)->pool)
		return finds_add(&rec->shares, &find);
	err = recovery_doom(rec, l->record_off);
	l->record_off = off;
	return err;
}

static int claim(struct recovery *rec, uint64_t off)
{
	struct pool_engine *e = rec->e;
	struct record *r = log_record(&e->log, off);
	const struct large_ref ref = record_large(r);
	struct large *l = idmap_get(&e->larges, ref.id);
	int err;

	if (l && shares(e, r, l))
		return share(rec, l, off);
	if (l) {
		rec->out->nr_duplicates++;
		if (!wins(e, r, l))
			return recovery_doom(rec, off);
		err = drop(rec, l);
		if (err)
			return err;
	}
	l = utpool_large_restore(e, &ref, r->value_len);
	if (!l)
		return -ENOMEM;
	l->record_off = off;
	return 0;
}

static bool chunk_fits(const struct pool_engine *e, const struct large *l, struct record *r)
{
	uint32_t no = record_chunk(r).no;

	return l && r->seq == l->birth && no < l->nr_chunks &&
	       record_full_len(r) == utpool_large_chunk_len(&e->log, l, no);
}

/* A value that is not yet whole may have chunks that are not; any other has none. */
static bool chunk_torn(const struct pool_engine *e, const struct large *l, struct record *r)
{
	return e->meta.durable && log_record(&e->log, l->record_off)->type == RECORD_LARGE &&
	       !utpool_seal_valid(r, e->meta.salt, 0);
}

static int claim_chunk(struct recovery *rec, uint64_t off)
{
	struct pool_engine *e = rec->e;
	struct chunk_id id;
	struct record *r;
	struct large *l;
	int err = recovery_look(rec, off, &r);

	if (err)
		return err;
	id = record_chunk(r);
	l = idmap_get(&e->larges, id.large);
	if (!chunk_fits(e, l, r))
		return recovery_doom(rec, off);
	if (chunk_torn(e, l, r)) {
		rec->out->nr_torn++;
		return recovery_doom(rec, off);
	}
	if (l->chunk_off[id.no] != LOG_NONE) {
		rec->out->nr_duplicates++;
		return recovery_doom(rec, off);
	}
	l->chunk_off[id.no] = off;
	l->log_bytes += log_record_len(&e->log, r);
	l->spared_bytes += record_full_len(r) - r->value_len;
	l->nr_packed += r->packed;
	return 0;
}

static int finish_stream(struct recovery *rec, struct large *l, struct record *r)
{
	struct utmem_key key = key_of(rec->e, r);
	struct stream_ref ref;
	struct utmem_pool *p;

	memcpy(&ref, record_value(r), sizeof(ref));
	p = utpool_pool_find(&rec->e->base, ref.pool_id);
	if (!p)
		return drop(rec, l);
	rec->out->nr_streams++;
	return utpool_parts_restore(p, &key, l);
}

static bool is_whole(const struct large *l)
{
	uint32_t no;

	for (no = 0; no < l->nr_chunks; no++)
		if (l->chunk_off[no] == LOG_NONE)
			return false;
	return true;
}

static int finish_value(struct recovery *rec, struct large *l, struct record *r)
{
	struct store *st = idmap_get(&rec->e->stores, r->store);

	if (st->pool && !is_whole(l)) {
		rec->out->nr_torn++;
		return drop(rec, l);
	}
	utpool_store_add_bytes(rec->e, st, log_record_len(&rec->e->log, r));
	utpool_large_attach(rec->e, l, st, l->record_off);
	return st->pool ? utpool_relink_add(rec, st, r, l->record_off) : 0;
}

static int finish(struct recovery *rec, struct large *l)
{
	struct record *r = log_record(&rec->e->log, l->record_off);

	return r->type == RECORD_STREAM ? finish_stream(rec, l, r) : finish_value(rec, l, r);
}

/* What it led to is whole, or gone. */
static int finish_share(struct recovery *rec, uint64_t off)
{
	struct pool_engine *e = rec->e;
	struct record *r = log_record(&e->log, off);
	struct large *l = idmap_get(&e->larges, record_large(r).id);
	struct store *st = store_of(e, r);
	int err;

	if (!l || l->birth != record_large(r).birth || !l->nr_refs) {
		rec->out->nr_torn++;
		return recovery_doom(rec, off);
	}
	err = utpool_dedup_join(e, l, st);
	if (err)
		return err;
	utpool_store_add_bytes(e, st, log_record_len(&e->log, r));
	return utpool_relink_add(rec, st, r, off);
}

int utpool_relink_larges(struct recovery *rec)
{
	struct idmap *ids = &rec->e->larges;
	struct finds_at at = finds_first(&rec->larges);
	struct find *f;
	uint32_t id;
	int err = 0;

	if (!utpool_idmap_reserve(ids, rec->nr_large_ids))
		return -ENOMEM;
	while (!err && (f = finds_next(&at)))
		err = claim(rec, f->off);
	at = finds_first(&rec->chunks);
	while (!err && (f = finds_next(&at)))
		err = claim_chunk(rec, f->off);
	for (id = 0; id < ids->nr_slots && !err; id++)
		if (idmap_get(ids, id))
			err = finish(rec, idmap_get(ids, id));
	at = finds_first(&rec->shares);
	while (!err && (f = finds_next(&at)))
		err = finish_share(rec, f->off);
	utpool_idmap_relink(ids);
	return err;
}

/* ---- the index ---- */

static int reserve(struct pool_engine *e)
{
	struct utmem_tenant *t = NULL;
	struct utmem_pool *p;
	int err = 0;

	while (!err && (t = utpool_tenant_next(&e->base, t)))
		for (p = NULL; !err && (p = utpool_pool_next(t, p));)
			err = utpool_index_reserve(&p->store->index, p->counters.nr_items);
	return err;
}

/* An older value of a key, or the same once more. */
static int lose(struct recovery *rec, struct store *st, uint64_t off)
{
	struct pool_engine *e = rec->e;
	struct record *r = log_record(&e->log, off);
	struct large *l;

	rec->out->nr_duplicates++;
	utpool_store_count(e, st, r, -1);
	utpool_store_add_bytes(e, st, -(int64_t)log_record_len(&e->log, r));
	if (r->type != RECORD_LARGE)
		return recovery_doom(rec, off);
	l = idmap_get(&e->larges, record_large(r).id);
	if (l->shared)
		utpool_dedup_leave(e, l, st);
	if (--l->nr_refs)
		return recovery_doom(rec, off);
	utpool_large_disown(e, l);
	l->record_off = off;
	return drop(rec, l);
}

static int relink(struct recovery *rec, const struct find *f)
{
	const struct log *log = &rec->e->log;
	struct store *st = idmap_get(&rec->e->stores, (uint32_t)f->store);
	uint64_t *slot = utpool_index_find_same(&st->index, f->hash, f->off), old;

	if (!slot)
		return utpool_index_insert(&st->index, f->hash, f->off) ? -ENOMEM : 0;
	old = index_off(*slot);
	if ((int32_t)(log_record(log, f->off)->seq - log_record(log, old)->seq) <= 0)
		return lose(rec, st, f->off);
	*slot = index_entry(f->hash, f->off);
	return lose(rec, st, old);
}

static void prefetch(const struct pool_engine *e, const struct find *f)
{
	const struct store *st = idmap_get(&e->stores, (uint32_t)f->store);

	utpool_index_prefetch_hash(&st->index, f->hash);
}

static int relink_all(struct recovery *rec, const struct finds *values)
{
	struct finds_at at = finds_first(values), ahead = at;
	struct find *f;
	uint32_t n = 0;
	int err = 0;

	while (!err && (f = finds_next(&ahead))) {
		prefetch(rec->e, f);
		if (++n > RELINK_AHEAD)
			err = relink(rec, finds_next(&at));
	}
	while (!err && (f = finds_next(&at)))
		err = relink(rec, f);
	return err;
}

int utpool_relink_values(struct recovery *rec)
{
	int err = reserve(rec->e);
	uint32_t i;

	for (i = 0; i < NR_VALUES && !err; i++)
		err = relink_all(rec, &rec->values[i]);
	utpool_idmap_relink(&rec->e->larges);
	return err;
}
