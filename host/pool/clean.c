// SPDX-License-Identifier: MIT
/*
 * Segments are emptied: what lives is copied out of the sparsest ones, what is old and
 * unread is dropped from ephemeral ones, what belonged to a flushed pool is buried.
 * Called by room.c in small steps with puts, and by maintain; on the engine's thread.
 *
 * Eviction for the arena's sake is a FIFO of segments with a second chance: a value
 * that was read since the last visit is copied to a younger segment and loses its mark,
 * and so is one whose tenant is not above its share; any other goes. (Who is, and what
 * happens when a segment is not worth it: share.c. For a tenant's quota, see evict.c.)
 *
 * Why it can always proceed: what lives in one segment fits into what is left of the
 * cleaner's open segment plus one free one. Puts leave LOG_RESERVE segments free, one
 * for each cursor, and a segment that was walked to its end is free again.
 */
#include "engine.h"

/* Headers are far apart for the processor's own prefetcher: waiting for them was half of walking over the dead. */
#define WALK_AHEAD 512u

/*
 * Moving a record was mostly waiting for its place in the index: ask for it some records
 * earlier (a fifth off a put at 88 % live). Where little lives it costs more than it saves.
 */
#define INDEX_AHEAD 2048u
#define WALK_SLICE 512u

/* How much of a segment is looked at before it is walked over, and what part of it must be to be had. */
#define SAMPLE_RECORDS 64u
#define WORTH_PART 2u
#define WORTH_ONLY_PART 8u

/* What a live record counts as, in dead ones: something is done about it. */
#define WALK_LIVE 8u
/* What a segment counts as, in bytes, in which there is nothing to sweep. */
#define SWEEP_EMPTY 64u

enum walk {
	WALK_SWEEP, /* bury the dying, leave the rest */
	WALK_COPY,
	WALK_DROP,     /* copy what is used, persistent, or of a tenant that does not lose */
	WALK_DROP_ALL, /* the same, but for what is used */
};

/* ---- one record ---- */

static const struct utmem_pool_options as_it_is;

/* How to store a value that is moved; NULL: as it is, and it may be looked at again. */
static const struct utmem_pool_options *options(const struct pool_engine *e, const struct store *st,
						const struct record *keyed)
{
	return e->packing && !keyed->used ? &st->pool->options : NULL;
}

static uint64_t copy_plain(struct pool_engine *e, struct record *from, bool ephemeral)
{
	uint32_t len = log_record_len(&e->log, from);
	uint64_t to = clean_append(e, ephemeral, len);
	struct record *r;

	if (to == LOG_NONE)
		return LOG_NONE;
	r = log_record(&e->log, to);
	memcpy(&r->seq, &from->seq, len - sizeof(r->head));
	/* a look for cold values takes no mark from eviction */
	r->used = e->packing && ephemeral && from->used;
	UTMEM_FAIL_POINT("pool_copy_written");
	record_publish(r, from->value_len);
	UTMEM_FAIL_POINT("pool_copy_valid");
	return to;
}

/*
 * Copy a live record to the cleaner's own segment, and pack it when @o says so and it pays.
 * It never becomes longer. LOG_NONE: nowhere to put it.
 */
static uint64_t copy(struct pool_engine *e, uint64_t off, bool ephemeral,
		     const struct utmem_pool_options *o)
{
	struct record *from = log_record(&e->log, off);
	uint64_t to = o ? utpool_cold_pack(e, from, o, ephemeral) : LOG_NONE;

	if (to == LOG_NONE)
		to = copy_plain(e, from, ephemeral);
	if (to != LOG_NONE && e->packing)
		utpool_cold_moved(e, to, !o && !ephemeral);
	return to;
}

/* Bytes by which @moved is shorter. */
static uint32_t spared(const struct pool_engine *e, const struct record *r,
		       const struct record *moved)
{
	return log_record_len(&e->log, r) - log_record_len(&e->log, moved);
}

static bool move_keyed(struct pool_engine *e, struct store *st, struct record *r, uint64_t off)
{
	uint64_t hash = utpool_hash(&e->base, record_key(r), r->key_len), to;
	const struct utmem_pool_options *o = options(e, st, r);
	bool share = o && utpool_dedup_wanted(st);
	struct record *moved;

	if (share && utpool_dedup_share(e, st, r, off, hash))
		return true;
	to = copy(e, off, st->ephemeral, o);
	if (to == LOG_NONE)
		return false;
	*utpool_index_find_at(&st->index, hash, off) = index_entry(hash, to);
	if (st->pool->save)
		utpool_save_moved(st->pool->save, hash, off, to);
	moved = log_record(&e->log, to);
	if (r->type == RECORD_LARGE)
		utpool_large_moved(idmap_get(&e->larges, record_large(r).id), to);
	if (moved->packed != r->packed)
		utpool_store_packed(e, st, moved, spared(e, r, moved));
	if (share)
		utpool_dedup_remember(e, st, to);
	engine_bury(e, off);
	return true;
}

static bool move_stream(struct pool_engine *e, struct large *l, uint64_t off)
{
	uint64_t to = copy(e, off, false, &as_it_is);

	if (to == LOG_NONE)
		return false;
	l->record_off = to;
	engine_bury(e, off);
	return true;
}

static bool move_chunk(struct pool_engine *e, struct large *l, uint32_t no, bool ephemeral,
		       const struct utmem_pool_options *o)
{
	uint64_t off = l->chunk_off[no];
	uint64_t to = copy(e, off, ephemeral, o);
	struct record *r = log_record(&e->log, off), *moved;

	if (to == LOG_NONE)
		return false;
	moved = log_record(&e->log, to);
	if (moved->packed != r->packed)
		utpool_large_packed(e, l, moved, spared(e, r, moved));
	l->chunk_off[no] = to;
	engine_bury(e, off);
	return true;
}

/* Of a living pool: does its tenant lose something, and is it this? (share.c says who loses.) */
static bool droppable(const struct store *st, const struct record *r, enum walk how)
{
	return st->ephemeral && (how == WALK_DROP_ALL || (how == WALK_DROP && !r->used)) &&
	       st->pool->tenant->loses;
}

/* Return: false when the record must stay where it is, for want of room. */
static bool visit_keyed(struct pool_engine *e, struct record *r, uint64_t off, enum walk how)
{
	struct store *st = idmap_get(&e->stores, r->store);

	if (!st->pool)
		utpool_store_bury(e, st, off);
	else if (droppable(st, r, how))
		utpool_store_evict(e, r, off);
	else if (how != WALK_SWEEP)
		return move_keyed(e, st, r, off);
	return true;
}

/* A chunk that nobody drops: of a value that is shared, or not yet whole. */
static bool visit_common(struct pool_engine *e, struct large *l, uint32_t no, enum walk how)
{
	/* among those that may be dropped or not: where it is now, so that one segment fits into one */
	return how == WALK_SWEEP ||
	       move_chunk(e, l, no, log_segment(&e->log, l->chunk_off[no])->ephemeral, &as_it_is);
}

/* A live chunk is on its value's list; what becomes of it depends on that value. */
static bool visit_chunk(struct pool_engine *e, struct record *r, uint64_t off, enum walk how)
{
	struct chunk_id id = record_chunk(r);
	struct record *keyed;
	struct large *l;
	struct store *st;

	l = idmap_get(&e->larges, id.large);
	st = l->store;
	if (st && !st->pool) {
		l->chunk_off[id.no] = LOG_NONE;
		l->log_bytes -= log_record_len(&e->log, r);
		utpool_store_bury(e, st, off);
		return true;
	}
	if (!st || l->shared)
		return visit_common(e, l, id.no, how);
	keyed = log_record(&e->log, l->record_off);
	if (droppable(st, keyed, how))
		utpool_store_evict(e, keyed, l->record_off);
	else if (how != WALK_SWEEP)
		return move_chunk(e, l, id.no, st->ephemeral, options(e, st, keyed));
	return true;
}

/* What is done about a live record. Return: false when it must stay where it is. */
static bool visit(struct pool_engine *e, struct record *r, uint64_t off, enum walk how)
{
	if (r->type == RECORD_CHUNK)
		return visit_chunk(e, r, off, how);
	if (r->type != RECORD_STREAM)
		return visit_keyed(e, r, off, how);
	return how == WALK_SWEEP || move_stream(e, idmap_get(&e->larges, record_large(r).id), off);
}

/* ---- one segment ---- */

/*
 * From @pos on, about *@budget bytes. Return: where it stands; seg->fill at the end,
 * less with some of the budget left when a record found no room.
 */
static uint32_t walk(struct pool_engine *e, struct segment *seg, uint32_t pos, uint64_t *budget,
		     enum walk how)
{
	uint64_t start = log_segment_off(&e->log, seg);
	uint32_t len, walked = 0;
	struct record *r;

	while (pos < seg->fill && *budget) {
		r = log_record(&e->log, start + pos);
		__builtin_prefetch((const char *)r + WALK_AHEAD);
		len = log_record_len(&e->log, r);
		walked += r->state == RECORD_LIVE ? WALK_LIVE : 1;
		if (r->state == RECORD_LIVE && !visit(e, r, start + pos, how))
			break;
		pos += len;
		*budget -= *budget < len ? *budget : len;
	}
	e->nr_walked += walked;
	return pos;
}

/* So that recovery gives it back: without it there might be no room to go on. */
static void note_taken(struct pool_engine *e, const struct cursor *c)
{
	utpool_meta_segment(&e->meta, (uint32_t)(c->seg - e->log.segs),
			    c == &e->clean ? META_SEGMENT_CLEAN : META_SEGMENT_DROP);
}

static void take(struct pool_engine *e, struct cursor *c, struct segment *seg)
{
	utpool_log_take(seg);
	c->seg = seg;
	c->pos = 0;
	c->ahead = 0;
	c->gain = e->log.seg_len - segment_live(seg);
	note_taken(e, c);
}

bool utpool_clean_resume(struct pool_engine *e, struct segment *seg, bool drop)
{
	struct cursor *c = drop ? &e->drop : &e->clean;

	if (c->seg)
		return false;
	take(e, c, seg);
	return true;
}

void utpool_clean_take(struct pool_engine *e, struct segment *seg)
{
	take(e, &e->clean, seg);
	/* what packing gains is not known: puts that clean meanwhile count on the least that is wanted */
	if (e->clean.gain < e->log.seg_len / 16)
		e->clean.gain = e->log.seg_len / 16;
}

static void prefetch_place(const struct pool_engine *e, struct record *r)
{
	const struct store *st = idmap_get(&e->stores, r->store);
	struct utmem_key key = {.len = r->key_len};

	if (!st->pool)
		return;
	key.hash = utpool_hash(&e->base, record_key(r), r->key_len);
	utpool_index_prefetch(&st->index, &key);
}

static void look_ahead(const struct pool_engine *e, struct cursor *c)
{
	uint64_t start = log_segment_off(&e->log, c->seg);
	struct record *r;

	if (c->gain > e->log.seg_len / 2)
		return;
	while (c->ahead < c->seg->fill && c->ahead < c->pos + INDEX_AHEAD) {
		r = log_record(&e->log, start + c->ahead);
		__builtin_prefetch((const char *)r + WALK_AHEAD);
		if (r->state == RECORD_LIVE && record_has_store(r))
			prefetch_place(e, r);
		c->ahead += log_record_len(&e->log, r);
	}
}

/* Return: false when it is stuck. */
static bool advance(struct pool_engine *e, struct cursor *c, uint64_t *budget, enum walk how)
{
	uint64_t slice, walked;
	uint32_t pos;

	while (c->pos < c->seg->fill && *budget) {
		look_ahead(e, c);
		slice = *budget < WALK_SLICE ? *budget : WALK_SLICE;
		pos = walk(e, c->seg, c->pos, &slice, how);
		walked = pos - c->pos;
		c->pos = pos;
		if (slice && pos < c->seg->fill)
			return false;
		*budget -= walked < *budget ? walked : *budget;
	}
	if (c->pos < c->seg->fill)
		return true;
	utpool_log_file(&e->log, c->seg);
	c->seg = NULL;
	return true;
}

/* ---- the three walks ---- */

bool utpool_clean_wanted(struct pool_engine *e, uint32_t gain)
{
	return e->clean.seg || utpool_log_sparsest(&e->log, gain);
}

static bool clean_begin(struct pool_engine *e, uint32_t gain)
{
	struct segment *seg;

	if (e->clean.seg)
		return true;
	seg = utpool_log_sparsest(&e->log, gain);
	if (!seg)
		return false;
	take(e, &e->clean, seg);
	return true;
}

bool utpool_clean_step(struct pool_engine *e, uint64_t budget, uint32_t gain)
{
	bool any = false;

	while (budget && clean_begin(e, gain) && advance(e, &e->clean, &budget, WALK_COPY))
		any = true;
	return any;
}

/* Nothing is had cheaply, and what is oldest may go instead of being copied. */
static bool dropping_is_cheaper(struct pool_engine *e)
{
	return !utpool_clean_wanted(e, e->log.seg_len / CLEAN_CHEAP_PART) &&
	       (e->drop.seg || !list_empty(&e->log.aged));
}

void utpool_clean_pace(struct pool_engine *e, uint32_t len)
{
	uint32_t gain = e->log.seg_len / 16;

	/* walking over a whole segment gains c->gain bytes; a quarter more to get ahead */
	if (dropping_is_cheaper(e))
		utpool_clean_drop(e, (uint64_t)len * 5 / 4 + 64, false);
	else if (clean_begin(e, gain))
		utpool_clean_step(e, (uint64_t)len * e->log.seg_len / e->clean.gain * 5 / 4 + 64,
				  gain);
}

/* The cleaner has the last ephemeral segment in hand: it goes on as one to be dropped. */
static bool drop_cleaned(struct pool_engine *e)
{
	if (!e->clean.seg || !e->clean.seg->ephemeral)
		return false;
	e->drop = e->clean;
	e->clean.seg = NULL;
	note_taken(e, &e->drop);
	return true;
}

/* What lives in the beginning of a segment, in bytes, how much of it is theirs who lose, and was read. */
struct sample {
	uint64_t live, lost, read;
};

/* Whose a live record is to be dropped with, and was it read? NULL: it stays until the last key of it goes. */
static const struct store *store_of(const struct pool_engine *e, struct record *r, bool *used)
{
	const struct large *l;

	*used = r->used;
	if (r->type == RECORD_STREAM)
		return NULL;
	if (r->type != RECORD_CHUNK)
		return idmap_get(&e->stores, r->store);
	l = idmap_get(&e->larges, record_chunk(r).large);
	if (!l->store || (l->shared && l->store->pool))
		return NULL;
	/* of what is dying, the record may have gone before the chunk */
	*used = l->store->pool && log_record(&e->log, l->record_off)->used;
	return l->store;
}

static void sample_add(const struct pool_engine *e, struct sample *s, struct record *r)
{
	uint32_t len = log_record_len(&e->log, r);
	const struct store *st;
	bool used;

	if (r->state != RECORD_LIVE)
		return;
	st = store_of(e, r, &used);
	s->live += len;
	if (!st || (st->pool && !st->pool->tenant->loses))
		return;
	s->lost += len;
	s->read += used ? len : 0;
}

/*
 * Would a walk over it gain as much as it copies? Where one tenant's memory is wanted there
 * is nowhere else to look for it: an eighth will do.
 */
static bool worth_a_walk(struct pool_engine *e, const struct segment *seg, bool *read)
{
	uint64_t start = log_segment_off(&e->log, seg);
	struct sample s = {0};
	struct record *r;
	uint32_t pos = 0, nr;

	for (nr = 0; nr < SAMPLE_RECORDS && pos < seg->fill; nr++) {
		r = log_record(&e->log, start + pos);
		sample_add(e, &s, r);
		pos += log_record_len(&e->log, r);
	}
	e->nr_walked += nr;
	*read = s.read > s.lost / 2;
	return s.lost * (e->share.only ? WORTH_ONLY_PART : WORTH_PART) >= s.live;
}

/* The next one after the hand, from old to young and around; there is one. */
static struct segment *look_on(struct pool_engine *e)
{
	struct segment *seg = &e->log.segs[e->share.hand];
	struct list *l = list_empty(&seg->age) ? NULL : list_after(&e->log.aged, &seg->age);

	if (!l)
		l = list_after(&e->log.aged, NULL);
	seg = list_entry(l, struct segment, age);
	e->share.hand = (uint32_t)(seg - e->log.segs);
	return seg;
}

/* The hand stays on the list: it goes on behind the one that is taken. */
static void step_back(struct pool_engine *e, const struct segment *seg)
{
	if (seg->age.prev != &e->log.aged)
		e->share.hand =
			(uint32_t)(list_entry(seg->age.prev, struct segment, age) - e->log.segs);
}

static enum drop drop_begin(struct pool_engine *e)
{
	struct segment *seg;
	bool read;

	if (e->drop.seg)
		return DROP_DONE;
	if (list_empty(&e->log.aged)) {
		utpool_log_close(&e->log, LOG_PUT_EPHEMERAL);
		utpool_log_close(&e->log, LOG_CLEAN_EPHEMERAL);
	}
	if (list_empty(&e->log.aged))
		return drop_cleaned(e) ? DROP_DONE : DROP_NONE;
	seg = list_entry(e->log.aged.next, struct segment, age);
	if (!worth_a_walk(e, seg, &read)) {
		seg = look_on(e);
		if (!worth_a_walk(e, seg, &read))
			return DROP_UNFIT;
		step_back(e, seg);
	}
	take(e, &e->drop, seg);
	e->drop.read = read;
	return DROP_DONE;
}

enum drop utpool_clean_drop(struct pool_engine *e, uint64_t budget, enum evict how)
{
	enum drop begun = drop_begin(e);
	bool all = how == EVICT_ALL || (how == EVICT_BRISK && e->drop.read);

	if (begun != DROP_DONE)
		return begun;
	if (!advance(e, &e->drop, &budget, all ? WALK_DROP_ALL : WALK_DROP))
		return DROP_NONE;
	return DROP_DONE;
}

static void sweep_next(struct pool_engine *e)
{
	e->sweep.idx = (e->sweep.idx + 1) % e->log.nr_segs;
	e->sweep.pos = 0;
	e->sweep.life = e->log.segs[e->sweep.idx].life;
}

static void sweep_segment(struct pool_engine *e, struct segment *seg, uint64_t *budget)
{
	bool full = seg->state == SEGMENT_FULL;

	/* so that it is not freed (and opened anew) under the walk */
	if (full)
		utpool_log_pin(seg);
	e->sweep.pos = walk(e, seg, e->sweep.pos, budget, WALK_SWEEP);
	if (full)
		utpool_log_file(&e->log, seg);
}

bool utpool_clean_sweep(struct pool_engine *e, uint64_t budget)
{
	bool any = e->dying_bytes;
	struct segment *seg;

	while (e->dying_bytes && budget) {
		seg = &e->log.segs[e->sweep.idx];
		if (seg->life == e->sweep.life && e->sweep.pos < seg->fill) {
			sweep_segment(e, seg, &budget);
		} else {
			sweep_next(e);
			budget -= budget < SWEEP_EMPTY ? budget : SWEEP_EMPTY;
		}
	}
	return any;
}
