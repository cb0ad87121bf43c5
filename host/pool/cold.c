// SPDX-License-Identifier: MIT
/*
 * Where values lie that nobody reads, and that would take less packed or shared: a walk
 * over full segments, once, and again when something has changed. The cleaner then
 * empties those that are worth it, as it does with sparse ones (clean.c).
 * Called by maintain and the cleaner, on the engine's thread.
 */
#include "engine.h"

/* Full segments are looked at in which at least such a part has not been, or may be packed. */
#define COLD_PART 16u
/* Segments looked at by one call; and what one without records to look at counts as, in bytes. */
#define COLD_SEGMENTS 64u
#define COLD_EMPTY 64u
/* So much of the arena or of a quota in use is "short", in eighths: do not wait for a pause. */
#define COLD_SHORT_EIGHTHS 7u
/* Calls of maintain between two looks at who is short. */
#define COLD_TURNS 64u

static uint64_t appended(const struct pool_engine *e)
{
	return e->log.appended_bytes >> e->log.seg_shift;
}

static bool round_due(const struct pool_engine *e)
{
	return e->cold.appended != appended(e) ||
	       (e->cold.any_rests && e->cold.epoch != e->log.epoch);
}

static bool tenant_short(const struct utmem_tenant *t)
{
	return t->packs && t->used_bytes > t->quota_bytes / 8 * COLD_SHORT_EIGHTHS;
}

void utpool_cold_turn(struct pool_engine *e)
{
	struct utmem_tenant *t = NULL;

	if (!e->cold.nr_pools || e->turn % COLD_TURNS)
		return;
	e->cold.hurry = engine_live(e) > e->log.capacity_bytes / 8 * COLD_SHORT_EIGHTHS;
	while (!e->cold.hurry && (t = utpool_tenant_next(&e->base, t)))
		e->cold.hurry = tenant_short(t);
	e->cold.hurry &= e->clean.seg || e->cold.nr_left || round_due(e);
}

void utpool_cold_again(struct pool_engine *e)
{
	uint32_t i;

	for (i = 0; i < e->log.nr_segs; i++)
		e->log.segs[i].looked = 0;
	e->cold.nr_left = e->log.nr_segs;
}

static uint64_t serial_of(const struct pool_engine *e, const struct record *r)
{
	const struct store *st = record_has_store(r) ? idmap_get(&e->stores, r->store) : NULL;

	return st ? st->serial : 0;
}

uint64_t utpool_cold_pack(struct pool_engine *e, struct record *r,
			  const struct utmem_pool_options *o, bool ephemeral)
{
	uint32_t len;
	struct record *packed;
	uint64_t to;

	if (!o->compress || r->packed || r->type == RECORD_LARGE ||
	    r->value_len < o->compress_least)
		return LOG_NONE;
	len = utpool_pack(&e->packer, o->compress, record_value(r), r->value_len);
	if (!len)
		return LOG_NONE;
	to = clean_append(e, ephemeral, log_record_size(&e->log, r->key_len, len));
	if (to == LOG_NONE)
		return LOG_NONE;
	packed = log_record(&e->log, to);
	*packed = (struct record){
		.type = r->type,
		.seq = r->seq,
		.packed = 1,
		.store = r->store,
		.key_len = r->key_len,
	};
	memcpy(record_key(packed), record_key(r), r->key_len);
	memcpy(record_value(packed), e->packer.packed, len);
	engine_publish(e, packed, len, serial_of(e, r));
	return to;
}

/* ---- one segment ---- */

struct look {
	uint32_t cold; /* bytes that may be packed or shared */
	uint32_t used; /* such that were read lately: not yet */
	bool again;    /* it is the second look: marks stay, for the cleaner to see */
};

/* Whose options count, and which record says whether it is read; NULL: nobody's. */
static struct store *owner(struct pool_engine *e, struct record *r, struct record **keyed)
{
	struct large *l;

	*keyed = r;
	if (record_has_store(r))
		return idmap_get(&e->stores, r->store);
	if (r->type != RECORD_CHUNK)
		return NULL;
	l = idmap_get(&e->larges, record_chunk(r).large);
	if (!l->store || l->shared)
		return NULL;
	*keyed = log_record(&e->log, l->record_off);
	return l->store;
}

static bool wanted(const struct store *st, const struct record *r)
{
	const struct utmem_pool_options *o = &st->pool->options;

	if (r->type == RECORD_LARGE)
		return false;
	if (o->compress && !r->packed && r->value_len >= o->compress_least)
		return true;
	return utpool_dedup_wanted(st) && r->type == RECORD_VALUE && r->value_len >= DEDUP_LEAST;
}

static void look_at_value(struct pool_engine *e, struct record *r, struct look *look)
{
	struct record *keyed;
	struct store *st = owner(e, r, &keyed);

	if (!st || !st->pool || !wanted(st, r))
		return;
	if (!keyed->used) {
		look->cold += log_record_len(&e->log, r);
	} else if (!st->ephemeral && !look->again) {
		/* in an ephemeral pool the mark is eviction's */
		look->used += log_record_len(&e->log, r);
		keyed->used = 0;
	}
}

static void look_at_record(struct pool_engine *e, struct record *r, struct look *look)
{
	if (r->type == RECORD_CHUNK)
		utpool_dedup_look(e, idmap_get(&e->larges, record_chunk(r).large));
	look_at_value(e, r, look);
}

static struct look look_at(struct pool_engine *e, struct segment *seg)
{
	uint64_t start = log_segment_off(&e->log, seg);
	struct look look = {.again = seg->rests};
	struct record *r;
	uint32_t pos;

	for (pos = 0; pos < seg->fill; pos += log_record_len(&e->log, r)) {
		r = log_record(&e->log, start + pos);
		if (r->state == RECORD_LIVE)
			look_at_record(e, r, &look);
	}
	return look;
}

static bool unlooked(const struct log *log, const struct segment *seg)
{
	return seg->state == SEGMENT_FULL && seg->fill - seg->looked >= log->seg_len / COLD_PART;
}

/*
 * Where something was read it is looked at again in the next epoch; what is read until then
 * stays as it is. Otherwise the cleaner gets it now, if that may gain something.
 */
static void consider(struct pool_engine *e, struct segment *seg)
{
	struct look look = look_at(e, seg);

	seg->looked = seg->fill - look.cold - look.used;
	if (!unlooked(&e->log, seg)) {
		seg->looked = seg->fill;
	} else if (look.used) {
		seg->rests = e->log.epoch;
		e->cold.any_rests = true;
	} else {
		utpool_clean_take(e, seg);
	}
}

void utpool_cold_moved(struct pool_engine *e, uint64_t off, bool used)
{
	struct segment *seg = log_segment(&e->log, off);

	if (used)
		seg->rests = e->log.epoch;
	else
		seg->looked += log_record_len(&e->log, log_record(&e->log, off));
}

/* ---- rounds over all of them ---- */

static void round_begin(struct pool_engine *e)
{
	e->cold.appended = appended(e);
	e->cold.epoch = e->log.epoch;
	e->cold.any_rests = false;
	e->cold.nr_left = e->log.nr_segs;
}

uint64_t utpool_cold_look(struct pool_engine *e)
{
	struct segment *seg;
	uint32_t i;

	if (e->clean.seg)
		return 0;
	if (!e->cold.nr_left && round_due(e))
		round_begin(e);
	for (i = 0; i < COLD_SEGMENTS && e->cold.nr_left; i++) {
		seg = &e->log.segs[e->cold.idx];
		e->cold.idx = (e->cold.idx + 1) % e->log.nr_segs;
		e->cold.nr_left--;
		if (!unlooked(&e->log, seg))
			continue;
		if (seg->rests == e->log.epoch) {
			e->cold.any_rests = true;
			continue;
		}
		consider(e, seg);
		return seg->fill + (uint64_t)i * COLD_EMPTY;
	}
	return (uint64_t)i * COLD_EMPTY;
}

bool utpool_cold_waits(const struct pool_engine *e)
{
	return e->cold.nr_pools && (e->cold.nr_left || e->cold.any_rests || round_due(e));
}
