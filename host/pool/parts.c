// SPDX-License-Identifier: MIT
/*
 * Values that come in parts. The whole is charged, and its room in the arena promised,
 * when it begins; its chunks are written as they come; a record that leads to them is
 * written when all are there.
 * Called through the vtable, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

static uint64_t cost_of(const struct utmem_stream *s)
{
	return utpool_store_cost(engine_of(s->pool), s->key_len, s->total, true);
}

/* Bytes of the record that says that it is in progress. */
static uint32_t note_len(const struct utmem_stream *s)
{
	return log_record_size(&engine_of(s->pool)->log, s->key_len, sizeof(struct stream_ref));
}

static void charge(struct utmem_stream *s, int sign)
{
	int64_t bytes = sign * (int64_t)(store_charge(cost_of(s)) + note_len(s));

	s->pool->counters.used_bytes += bytes;
	s->pool->tenant->used_bytes += bytes;
}

static struct utmem_key key_of(const struct utmem_stream *s)
{
	return (struct utmem_key){.data = s->key, .len = s->key_len, .hash = s->hash};
}

static int write_note(struct pool_engine *e, struct utmem_stream *s)
{
	const struct stream_ref ref = {{s->large->id, s->large->birth}, s->pool->id};
	uint64_t off = room_append(e, false, note_len(s));
	struct record *r;

	if (off == LOG_NONE)
		return -ENOSPC;
	r = log_record(&e->log, off);
	*r = (struct record){
		.type = RECORD_STREAM,
		.seq = engine_next_seq(e),
		.key_len = s->key_len,
	};
	memcpy(record_key(r), s->key, s->key_len);
	memcpy(record_value(r), &ref, sizeof(ref));
	engine_publish(e, r, (uint32_t)s->total, 0);
	s->large->record_off = off;
	return 0;
}

/* The parts that are to come have their room. */
static void promise(struct pool_engine *e, struct utmem_stream *s)
{
	s->id = s->large->id;
	charge(s, 1);
	s->promised = cost_of(s) - s->large->log_bytes;
	e->promised_bytes += s->promised;
}

int utpool_parts_begin(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
		       struct utmem_stream **out)
{
	struct pool_engine *e = engine_of(p);
	struct utmem_stream *s = NULL;
	int err;

	*out = NULL;
	err = utpool_stream_alloc(p, key, total, &s);
	if (err)
		return err;
	/* the old value stays until the commit, so both must fit */
	err = utpool_room_admit(p, key, cost_of(s) + note_len(s), UTMEM_PUT_ALWAYS, true);
	if (err)
		goto refuse;
	s->large = utpool_large_alloc(e, total);
	if (!s->large) {
		err = -ENOMEM;
		goto free_stream;
	}
	err = write_note(e, s);
	if (err)
		goto free_large;
	promise(e, s);
	*out = s;
	return 0;

free_large:
	utpool_large_free(e, s->large);
refuse:
	utpool_put_refused(p, key);
free_stream:
	utpool_stream_free(s);
	return err;
}

/* What has come is no longer a promise. */
static void keep_promise(struct pool_engine *e, struct utmem_stream *s, uint64_t bytes)
{
	s->promised -= bytes;
	e->promised_bytes -= bytes;
}

static void end(struct pool_engine *e, struct utmem_stream *s)
{
	keep_promise(e, s, s->promised);
	utpool_stream_free(s);
}

int utpool_parts_append(struct utmem_stream *s, const void *part, uint32_t len)
{
	struct pool_engine *e = engine_of(s->pool);
	uint64_t before = s->large->log_bytes;
	int err = utpool_stream_check_append(s, len);

	if (err)
		return err;
	/* nothing may drop what no key leads to yet: it must not lie among what may be dropped */
	err = utpool_large_write(e, s->large, false, s->filled, part, len);
	keep_promise(e, s, s->large->log_bytes - before);
	if (!err)
		s->filled += len;
	return err;
}

int utpool_parts_find_key(const struct utmem_stream *s)
{
	struct utmem_key key = key_of(s);

	return utpool_find(s->pool, &key);
}

static int check_cond(const struct utmem_stream *s, enum utmem_put_if cond)
{
	bool there = !utpool_parts_find_key(s);

	if (there && cond == UTMEM_PUT_IF_ABSENT)
		return -EEXIST;
	return !there && cond == UTMEM_PUT_IF_PRESENT ? -ENOENT : 0;
}

static int link_stream(struct pool_engine *e, struct utmem_stream *s)
{
	struct utmem_key key = key_of(s);
	struct store *st = s->pool->store;
	uint64_t off = utpool_large_record(e, s->large, st, &key), note = s->large->record_off;
	int err;

	if (off == LOG_NONE)
		return -ENOSPC;
	charge(s, -1); /* link charges the value */
	err = utpool_store_link(e, st, &key, off);
	if (err) {
		charge(s, 1);
		engine_bury(e, off);
		return err;
	}
	engine_bury(e, note);
	return 0;
}

int utpool_parts_commit(struct utmem_stream *s, enum utmem_put_if cond)
{
	struct pool_engine *e = engine_of(s->pool);
	struct utmem_pool *p = s->pool;
	struct utmem_key key = key_of(s);
	int err = utpool_stream_check_commit(s);

	if (!err)
		err = check_cond(s, cond);
	if (err)
		return err;
	err = link_stream(e, s);
	if (err) {
		utpool_put_refused(p, &key);
		return err;
	}
	p->counters.nr_puts++;
	end(e, s);
	return 0;
}

void utpool_parts_abort(struct utmem_stream *s)
{
	struct pool_engine *e = engine_of(s->pool);

	charge(s, -1);
	engine_bury(e, s->large->record_off);
	utpool_large_free(e, s->large);
	end(e, s);
}

int utpool_parts_restore(struct utmem_pool *p, const struct utmem_key *key, struct large *l)
{
	struct utmem_stream *s;
	int err = utpool_stream_alloc(p, key, l->total, &s);

	if (err)
		return err;
	s->large = l;
	s->orphan = true;
	promise(engine_of(p), s);
	return 0;
}

/* Are its first @bytes there? A chunk is written from its beginning. */
static bool has_come(const struct pool_engine *e, const struct large *l, uint64_t bytes)
{
	uint32_t no;

	for (no = 0; (uint64_t)no * large_chunk_len(&e->log) < bytes; no++)
		if (l->chunk_off[no] == LOG_NONE)
			return false;
	return true;
}

int utpool_parts_adopt(struct utmem_engine *base, uint32_t id, uint64_t filled,
		       struct utmem_stream **out)
{
	struct utmem_stream *s = utpool_stream_find(base, id);

	*out = NULL;
	if (!s || filled > (s->orphan ? s->total : s->filled) ||
	    !has_come((struct pool_engine *)base, s->large, filled))
		return -ENOENT;
	s->filled = filled;
	s->orphan = false;
	*out = s;
	return 0;
}
