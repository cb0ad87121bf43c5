// SPDX-License-Identifier: MIT
/*
 * An engine is opened on an arena that was used before: pools out of the store table, records
 * out of the segments. First everything is found and understood, and nothing is written;
 * when that has succeeded, what is of no use is buried, in such an order that dying in between
 * does no harm.
 * Called by engine open, on its thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "recover.h"

/*
 * Where the next record is, the one before it says; so many segments are walked over side by
 * side. Of those that are copied, one: what was just copied is in the processor's cache.
 */
#define WALKERS 8u
/* A record's header and a short key lie within so many bytes. */
#define WALK_PREFETCH 48u

/* seq of a valid record is less than this beyond the one that was written down. */
#define SEQ_AHEAD_MOST (1u << 30)
/*
 * After a power loss: numbers that were given out, but not found again, are in records
 * that may yet turn up; nobody else gets them.
 */
#define SEQ_SKIP (1u << 20)
#define SERIAL_SKIP (1ull << 32)

/* The shortest record that stands for a large value, and so how high an id can be. */
#define LARGE_RECORD_LEAST 16u

struct seg_order {
	uint64_t when;
	uint32_t idx;
};

struct walker {
	struct segment *seg; /* NULL: none, or no more */
	uint64_t start;
};

/* In an arena that saw a power loss something is missing; in any other that cannot be. */
static int damage(struct recovery *rec)
{
	rec->out->nr_torn++;
	return rec->e->meta.durable ? 0 : -EUCLEAN;
}

/* ---- pools and stores ---- */

static bool text_valid(const char text[UTMEM_POOL_NAME_LEN])
{
	return memchr(text, 0, UTMEM_POOL_NAME_LEN) && utmem_name_valid(text);
}

static bool entry_valid(const struct meta *m, const struct meta_store *entry)
{
	return (entry->state == META_STORE_LIVE || entry->state == META_STORE_EMPTYING ||
		entry->state == META_STORE_INCOMING || entry->state == META_STORE_DYING) &&
	       utpool_meta_store_valid(m, entry) && entry->serial && entry->pool_id &&
	       text_valid(entry->tenant) && text_valid(entry->pool);
}

static struct utmem_pool_kind entry_kind(const struct meta_store *entry)
{
	return (struct utmem_pool_kind){
		.ephemeral = entry->kind & META_KIND_EPHEMERAL,
		.shared = entry->kind & META_KIND_SHARED,
		.guest_shared = entry->kind & META_KIND_GUEST_SHARED,
		.owner = entry->owner,
	};
}

/* The pool has a younger content: what it had is dying. */
static void retire(struct pool_engine *e, struct store *st)
{
	utpool_index_exit(&st->index, UINT32_MAX);
	st->pool = NULL;
	st->emptying = false;
	e->nr_dying++;
}

static int restore_pool(struct recovery *rec, const struct meta_store *entry,
			struct utmem_pool **out)
{
	struct utmem_pool_kind kind = entry_kind(entry);
	struct utmem_tenant *t;
	int err = utpool_tenant_restore(&rec->e->base, entry->tenant, &t);

	if (err)
		return err;
	*out = utpool_pool_by_name(t, entry->pool);
	if (*out)
		return 0;
	return utpool_pool_restore(t, entry->pool, &kind, entry->pool_id, out);
}

static int load_live(struct recovery *rec, const struct meta_store *entry, struct store *st)
{
	const struct utmem_pool_options options = utpool_meta_options(entry);
	struct utmem_pool *p = NULL;
	int err = restore_pool(rec, entry, &p);

	if (err)
		return err == -E2BIG ? damage(rec) : err;
	if (p->store && p->store->serial > st->serial)
		return 0;
	if (p->store)
		retire(rec->e, p->store);
	utpool_pool_renumber(p, entry->pool_id);
	p->kind = entry_kind(entry);
	st->emptying = entry->state == META_STORE_EMPTYING;
	err = utpool_store_revive(rec->e, st, p);
	return err ? err : utpool_pool_options_set(p, &options);
}

static int load_store(struct recovery *rec, uint32_t id)
{
	struct pool_engine *e = rec->e;
	const struct meta_store *entry = &e->meta.stores[id];
	struct store *st;
	int err;

	if (!entry->state || entry->state == META_STORE_FREE)
		return 0;
	if (!entry_valid(&e->meta, entry))
		return damage(rec);
	if (entry->pool_id > e->base.last_pool_id)
		e->base.last_pool_id = entry->pool_id;
	err = utpool_store_restore(e, id, entry->serial, &st);
	if (err || entry->state == META_STORE_DYING || entry->state == META_STORE_INCOMING)
		return err;
	return load_live(rec, entry, st);
}

/* Of entries that are free now, too: nobody gets a serial twice. */
static void note_serial(struct meta *m, uint32_t id)
{
	const struct meta_store *entry = &m->stores[id];

	if (entry->state && entry->serial > m->last_serial && utpool_meta_store_valid(m, entry))
		m->last_serial = entry->serial;
}

static int load_stores(struct recovery *rec)
{
	struct pool_engine *e = rec->e;
	uint32_t id, nr = e->meta.hdr->nr_stores;
	int err = 0;

	e->base.last_pool_id = e->meta.hdr->last_pool_id;
	if (!utpool_idmap_reserve(&e->stores, nr))
		return -ENOMEM;
	for (id = 0; id < nr && !err; id++) {
		note_serial(&e->meta, id);
		err = load_store(rec, id);
	}
	utpool_idmap_relink(&e->stores);
	return err;
}

/* ---- records ---- */

/* Bytes of the record, of which @left are in the segment; 0: there is none. */
static uint32_t record_check(const struct log *log, const struct record *r, uint32_t left)
{
	uint32_t len;

	if (left < sizeof(*r) || (r->state != RECORD_LIVE && r->state != RECORD_DEAD))
		return 0;
	if (r->type == RECORD_CHUNK && r->key_len != sizeof(struct chunk_id))
		return 0;
	if (r->type < RECORD_VALUE || r->type > RECORD_STREAM || !r->key_len ||
	    r->key_len > UTMEM_POOL_KEY_MAX || r->value_len > UTMEM_POOL_VALUE_MAX)
		return 0;
	if (r->packed && ((r->type != RECORD_VALUE && r->type != RECORD_CHUNK) ||
			  r->value_len < sizeof(struct packed_head)))
		return 0;
	len = log_record_len(log, r);
	return len <= left && len <= log->record_max ? len : 0;
}

static int doom_torn(struct recovery *rec, uint64_t off)
{
	rec->out->nr_torn++;
	return recovery_doom(rec, off);
}

static int note_large(struct recovery *rec, struct record *r, uint64_t off)
{
	const struct find find = {.off = off};
	uint32_t id = record_large(r).id;

	if (id >= rec->e->base.mem.arena_len / LARGE_RECORD_LEAST)
		return doom_torn(rec, off);
	if (id >= rec->nr_large_ids)
		rec->nr_large_ids = id + 1;
	return finds_add(&rec->larges, &find);
}

static int note_value(struct recovery *rec, struct store *st, struct record *r, uint64_t off)
{
	utpool_store_add_bytes(rec->e, st, log_record_len(&rec->e->log, r));
	return st->pool ? utpool_relink_add(rec, st, r, off) : 0;
}

static bool is_torn(const struct pool_engine *e, struct record *r, uint64_t serial)
{
	return e->meta.durable && !utpool_seal_valid(r, e->meta.salt, serial);
}

static int note_keyed(struct recovery *rec, struct record *r, uint64_t off)
{
	struct store *st = idmap_get(&rec->e->stores, r->store);

	if (!st || is_torn(rec->e, r, st->serial))
		return doom_torn(rec, off);
	if (st->emptying)
		return recovery_doom(rec, off);
	return r->type == RECORD_LARGE ? note_large(rec, r, off) : note_value(rec, st, r, off);
}

static int note(struct recovery *rec, struct record *r, uint64_t off)
{
	const struct find find = {.off = off};
	int err;

	if (r->type == RECORD_CHUNK)
		return finds_add(&rec->chunks, &find);
	err = recovery_look(rec, off, &r);
	if (err)
		return err;
	if (r->type != RECORD_STREAM)
		return note_keyed(rec, r, off);
	return is_torn(rec->e, r, 0) ? doom_torn(rec, off) : note_large(rec, r, off);
}

static void note_seq(struct pool_engine *e, uint32_t seq)
{
	if (seq - e->meta.hdr->seq < SEQ_AHEAD_MOST && (int32_t)(seq - e->seq) > 0)
		e->seq = seq;
}

/* ---- segments ---- */

static bool is_free(uint64_t word)
{
	return !word || (word & META_SEGMENT_STATE) == META_SEGMENT_FREE;
}

/* Pages may be present in a segment that was used and is free. */
static void load_free(struct log *log, struct segment *seg, uint64_t word)
{
	if (!word)
		return;
	list_del(&seg->link);
	list_add_head(&log->hot, &seg->link);
	log->nr_hot++;
}

static int load_used(struct recovery *rec, struct segment *seg, uint64_t word)
{
	uint64_t state = word & META_SEGMENT_STATE;

	list_del(&seg->link);
	rec->e->log.nr_free--;
	seg->state = SEGMENT_TAKEN; /* until it is filed */
	seg->ephemeral = word & META_SEGMENT_EPHEMERAL;
	return state > META_SEGMENT_DROP ? damage(rec) : 0;
}

static int load_segments(struct recovery *rec)
{
	struct pool_engine *e = rec->e;
	uint64_t word;
	uint32_t i;
	int err = 0;

	for (i = 0; i < e->log.nr_segs && !err; i++) {
		word = e->meta.segs[i];
		if (word >> META_SEGMENT_WHEN_SHIFT > e->meta.nr_opened)
			e->meta.nr_opened = word >> META_SEGMENT_WHEN_SHIFT;
		if (is_free(word))
			load_free(&e->log, &e->log.segs[i], word);
		else
			err = load_used(rec, &e->log.segs[i], word);
	}
	return err;
}

/* What comes after the last record of a segment has no head: after torn ones that is not so. */
static int walk_end(struct recovery *rec, struct walker *w, bool torn)
{
	const struct find end = {.off = w->start + w->seg->fill};
	struct log *log = &rec->e->log;

	log->appended_bytes += w->seg->fill;
	log->live_bytes += segment_live(w->seg);
	w->seg = NULL;
	if (!torn)
		return 0;
	rec->out->nr_torn++;
	return finds_add(&rec->ends, &end);
}

/* One record further. */
static int walk(struct recovery *rec, struct walker *w)
{
	struct log *log = &rec->e->log;
	uint32_t left = log->seg_len - w->seg->fill, len = sizeof(struct record);
	uint64_t off = w->start + w->seg->fill;
	struct record *r;
	int err;

	if (!left)
		return walk_end(rec, w, false);
	err = view_at(&rec->view, off, left < len ? left : len, &r);
	if (err)
		return err;
	len = r->head ? record_check(log, r, left) : 0;
	if (!len)
		return walk_end(rec, w, r->head);
	__builtin_prefetch((const char *)r + len);
	__builtin_prefetch((const char *)r + len + WALK_PREFETCH);
	rec->out->nr_records++;
	note_seq(rec->e, r->seq);
	w->seg->fill += len;
	if (r->state == RECORD_LIVE)
		return note(rec, r, off);
	w->seg->dead += len;
	return 0;
}

/* The next segment in use, from *idx on. */
static bool walk_begin(struct log *log, struct walker *w, uint32_t *idx)
{
	while (*idx < log->nr_segs && log->segs[*idx].state == SEGMENT_FREE)
		++*idx;
	if (*idx == log->nr_segs)
		return false;
	w->seg = &log->segs[(*idx)++];
	w->start = log_segment_off(log, w->seg);
	return true;
}

static int walk_all(struct recovery *rec)
{
	struct walker w[WALKERS] = {0};
	uint32_t i, idx = 0, nr, nr_walkers = rec->view.buf ? 1 : WALKERS;
	int err = 0;

	do {
		for (i = 0, nr = 0; i < nr_walkers && !err; i++) {
			if (!w[i].seg && !walk_begin(&rec->e->log, &w[i], &idx))
				continue;
			err = walk(rec, &w[i]);
			nr++;
		}
	} while (nr && !err);
	return err;
}

/* ---- from here on it is written ---- */

static void bury_doomed(struct recovery *rec)
{
	struct finds_at at = finds_first(&rec->doomed);
	struct find *f;

	while ((f = finds_next(&at)))
		engine_bury(rec->e, f->off);
}

static void end_segments(struct recovery *rec)
{
	struct finds_at at = finds_first(&rec->ends);
	struct find *f;

	while ((f = finds_next(&at)))
		log_record(&rec->e->log, f->off)->head = 0;
}

static void settle_store(struct pool_engine *e, uint32_t id)
{
	uint32_t state = e->meta.stores[id].state;
	struct store *st = idmap_get(&e->stores, id);

	if (!st) {
		if (state && state != META_STORE_FREE)
			utpool_meta_store_state(&e->meta, id, META_STORE_FREE);
		return;
	}
	st->emptying = false;
	if (st->pool && state == META_STORE_EMPTYING)
		utpool_meta_store_state(&e->meta, id, META_STORE_LIVE);
	if (st->pool)
		return;
	if (state != META_STORE_DYING)
		utpool_meta_store_state(&e->meta, id, META_STORE_DYING);
	utpool_store_free_if_dead(e, st);
}

/* Its head goes on with it. */
static bool reopen(struct log *log, struct segment *seg, uint64_t word)
{
	uint32_t head = (uint32_t)(word >> META_SEGMENT_HEAD_SHIFT & META_SEGMENT_HEAD);
	bool ephemeral = head == LOG_PUT_EPHEMERAL || head == LOG_CLEAN_EPHEMERAL;

	if ((word & META_SEGMENT_STATE) != META_SEGMENT_OPEN || head >= LOG_HEADS ||
	    ephemeral != seg->ephemeral || log->heads[head])
		return false;
	seg->state = SEGMENT_OPEN;
	log->heads[head] = seg;
	return true;
}

/* A cursor goes on with it. */
static bool retake(struct pool_engine *e, struct segment *seg, uint64_t word)
{
	uint64_t state = word & META_SEGMENT_STATE;

	if ((state != META_SEGMENT_CLEAN && state != META_SEGMENT_DROP) || !segment_live(seg))
		return false;
	return utpool_clean_resume(e, seg, state == META_SEGMENT_DROP);
}

static void file_segment(struct pool_engine *e, uint32_t idx)
{
	struct segment *seg = &e->log.segs[idx];
	uint64_t word = e->meta.segs[idx];

	if (reopen(&e->log, seg, word) || retake(e, seg, word))
		return;
	if (seg->ephemeral)
		list_add_tail(&e->log.aged, &seg->age);
	utpool_log_file(&e->log, seg);
}

static int older(const void *a, const void *b)
{
	uint64_t x = ((const struct seg_order *)a)->when, y = ((const struct seg_order *)b)->when;

	return (x > y) - (x < y);
}

/* The order in which segments were opened is that in which ephemeral ones are to be dropped. */
static uint32_t sort_segments(const struct pool_engine *e, struct seg_order *order)
{
	uint32_t i, n = 0;

	for (i = 0; i < e->log.nr_segs; i++)
		if (e->log.segs[i].state != SEGMENT_FREE)
			order[n++] = (struct seg_order){
				.when = e->meta.segs[i] >> META_SEGMENT_WHEN_SHIFT, .idx = i};
	qsort(order, n, sizeof(*order), older);
	return n;
}

static void apply(struct recovery *rec, struct seg_order *order)
{
	struct pool_engine *e = rec->e;
	uint32_t i, n = sort_segments(e, order), nr_stores = e->meta.hdr->nr_stores;

	utpool_meta_begin(&e->meta, &e->base.mem);
	utpool_meta_pool_id(&e->meta, e->base.last_pool_id);
	utpool_meta_seq(&e->meta, e->seq);
	bury_doomed(rec);
	/* only now: until its last record is buried, a store must be known for what it was */
	for (i = 0; i < nr_stores; i++)
		settle_store(e, i);
	end_segments(rec);
	for (i = 0; i < n; i++)
		file_segment(e, order[i].idx);
}

/* ---- all of it ---- */

static int find_all(struct recovery *rec)
{
	int err = load_stores(rec);

	if (!err)
		err = load_segments(rec);
	if (!err)
		err = utpool_view_init(&rec->view, &rec->e->base);
	if (err)
		return err;
	err = walk_all(rec);
	if (!err)
		err = utpool_relink_larges(rec);
	utpool_view_exit(&rec->view);
	return err ? err : utpool_relink_values(rec);
}

static void recovery_init(struct recovery *rec, struct pool_engine *e)
{
	uint32_t i;

	rec->e = e;
	rec->out = &e->recovery;
	rec->nr_large_ids = 0;
	for (i = 0; i < NR_VALUES; i++)
		utpool_finds_init(&rec->values[i], &e->base);
	utpool_finds_init(&rec->larges, &e->base);
	utpool_finds_init(&rec->shares, &e->base);
	utpool_finds_init(&rec->chunks, &e->base);
	utpool_finds_init(&rec->doomed, &e->base);
	utpool_finds_init(&rec->ends, &e->base);
	e->recovery.found = true;
	e->recovery.clean = e->meta.hdr->closed == META_CLOSED;
	e->seq = e->meta.hdr->seq;
}

static void recovery_exit(struct recovery *rec)
{
	uint32_t i;

	utpool_finds_exit(&rec->ends);
	utpool_finds_exit(&rec->doomed);
	utpool_finds_exit(&rec->chunks);
	utpool_finds_exit(&rec->shares);
	utpool_finds_exit(&rec->larges);
	for (i = 0; i < NR_VALUES; i++)
		utpool_finds_exit(&rec->values[i]);
}

static void skip_numbers(struct pool_engine *e)
{
	if (!e->meta.durable || e->recovery.clean)
		return;
	e->seq += SEQ_SKIP;
	e->meta.last_serial += SERIAL_SKIP;
}

static void report(struct pool_engine *e)
{
	struct utmem_tenant *t = NULL;

	while ((t = utpool_tenant_next(&e->base, t))) {
		e->recovery.nr_tenants++;
		e->recovery.nr_pools += t->nr_pools;
	}
	e->recovery.nr_items = e->nr_items;
	e->recovery.bytes = e->log.live_bytes - e->dying_bytes;
}

int utpool_recover(struct pool_engine *e)
{
	size_t order_len = e->log.nr_segs * sizeof(struct seg_order);
	struct seg_order *order = utpool_alloc(&e->base, order_len, _Alignof(struct seg_order));
	struct recovery rec;
	int err;

	if (!order)
		return -ENOMEM;
	recovery_init(&rec, e);
	err = find_all(&rec);
	if (!err) {
		skip_numbers(e);
		apply(&rec, order);
		report(e);
	}
	recovery_exit(&rec);
	utpool_free(&e->base, order, order_len);
	return err;
}
