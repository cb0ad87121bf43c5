/* SPDX-License-Identifier: MIT */
/*
 * The real engine, inside: what its files share.
 *
 *	engine.c  the vtable, open and close	index.c   key hash -> record
 *	put.c	  put, del, flush		store.c   a pool's values: index, charges
 *	get.c	  get, prefetch			large.c   values in chunks
 *	parts.c	  streams			log.c     segments
 *	room.c	  is there room? make some	idmap.c   ids that records hold
 *	meta.c	  what is said beside the arena	seal.c	  checksums of records
 *	evict.c	  values go for a quota		clean.c   segments are emptied
 *	share.c	  values go for the arena	reclaim.c memory goes back to the host
 *	save.c	  a pool is read, as it was	restore.c a pool's new content comes
 *	cold.c	  which segments to look	pack.c    LZ4 and zstd
 *		  through for cold values	dedup.c   values in common
 *	tenant.c, options.c, stream.c: objects, shared with the null engine (null.c)
 *
 * Owner: host/pool. The engine's thread.
 */
#ifndef UTMEM_POOL_ENGINE_H
#define UTMEM_POOL_ENGINE_H

#include "idmap.h"
#include "index.h"
#include "log.h"
#include "pack.h"
#include "record.h"
#include "seal.h"
#include "stream.h"
#include "tenant.h"

/* A value's part of its index: 8 bytes in slots of which at least 76 % are used, and the leaf's header. */
#define INDEX_SHARE 12u
#define STORES_MAX META_STORES_MAX /* struct record.store */
/* So often is it written down which seq values have. */
#define SEQ_NOTE_STEP 65536u
#define DEDUP_LEAST 256u /* bytes, as stored, of a value that may be shared */

/*
 * How much one call may do for the sake of room. A step is a bucket of 8 values looked at,
 * for a quota; or 8 live records walked over, for the arena (or 64 dead ones).
 *
 * One put may take some steps, and more for a longer value: enough for the shortest values
 * there can be. A tenant has the most of them for all its puts between two calls of
 * maintain, and a few more with every put that needs any, so that ordinary puts go on.
 */
#define EVICT_STEPS_LEAST 4096u
#define EVICT_STEPS_MOST 65536u
#define EVICT_BYTES_PER_STEP 64u
#define EVICT_STEPS_PER_PUT 16u
#define EVICT_STEP_WALK 64u /* in struct pool_engine.nr_walked */
/* Values that a flush removes one by one; with more of them the content is left to die. */
#define FLUSH_ITEMS_NOW 64u

/* What a pool contains. A flush gives the pool a new one and leaves the old one to die. */
struct store {
	struct utmem_pool *pool; /* NULL: dying, its records are dead wherever they are met */
	struct index index;
	struct index_hand hand; /* eviction goes on here */
	struct list link;	/* engine->dying */
	uint64_t log_bytes;	/* of its records in the arena, chunks included */
	uint64_t charged_bytes;
	uint64_t serial; /* no other store of the arena has or had it */
	uint16_t id;
	bool ephemeral;
	bool emptying; /* recovery found it while it was flushed: none of its records counts */
};

/*
 * A value that is kept in chunks: the value of one key or, when equal values were found, of
 * several. It is charged once: to the pool, or to what the tenant's pools have in common.
 */
struct large {
	struct store *store; /* where all its keys are; NULL: in several, or none leads to it yet */
	struct commons *commons; /* NULL: its keys are in one store */
	uint64_t
		record_off; /* of its RECORD_STREAM, or of its RECORD_LARGE when it never had several */
	uint64_t total;
	uint64_t log_bytes;    /* of its chunks */
	uint64_t spared_bytes; /* by packing them */
	uint64_t content;      /* hash of the value; 0: not known */
	uint32_t id;
	uint32_t birth;		/* with the id, nobody else has or had it */
	uint32_t nr_refs;	/* keys */
	uint32_t nr_persistent; /* of these in persistent pools, when it has commons */
	uint32_t nr_packed;	/* chunks */
	uint32_t nr_saves;	/* that keep it although their key is dead */
	uint32_t nr_chunks;
	bool shared;	      /* it has, or had, several keys */
	uint64_t chunk_off[]; /* LOG_NONE: not there yet (or no more) */
};

/* The look for segments with values to pack or to share: where it is. */
struct cold {
	uint32_t nr_pools; /* that were ever to be packed or shared: 0 saves all the rest */
	uint32_t idx;	   /* of the next segment */
	uint32_t nr_left;  /* in this round */
	uint64_t appended; /* log.appended_bytes, in segments, when the round began */
	uint32_t epoch;	   /* the log's, then */
	bool any_rests;	   /* some segments are to be looked at in the next epoch */
	bool hurry;	   /* memory is short, and there may be some in cold values */
};

/* One walk over a segment: where it is. */
struct cursor {
	struct segment *seg; /* taken; NULL: none */
	uint32_t pos;
	uint32_t ahead; /* the index was asked for what lies before this */
	uint32_t gain;	/* bytes that were to be had when it was taken */
	bool read;	/* most of what was to be dropped had been read lately */
};

_Static_assert(sizeof(struct record) + INDEX_SHARE == UTMEM_POOL_ITEM_COST, "as pool.h says");

struct pool_engine {
	struct utmem_engine base;
	struct log log;
	struct meta meta;
	struct idmap stores, larges;
	uint32_t nr_dying;   /* stores */
	struct list dying;   /* those whose index is not yet freed */
	struct list saves;   /* under way */
	struct cursor clean; /* copies what lives out of the sparsest segment */
	struct cursor drop;  /* drops what is old and unread from the oldest ephemeral one */
	struct {
		uint32_t idx, pos; /* of the segment, and in it */
		uint32_t life;	   /* the segment's, in which pos was true */
	} sweep;		   /* looks for what is dying; it goes on here */
	struct {
		struct utmem_tenant *victim; /* furthest above its share; NULL: find out */
		struct utmem_tenant *only;   /* who alone was to lose, when it was last found out */
		uint32_t left;		     /* drops until it is found out again */
		uint32_t hand;		     /* the segment that was looked at, beside the oldest */
		uint32_t nr_unfit;	     /* in a row, that were not worth a walk */
	} share;
	bool fitting; /* there may be a tenant above its quota that has something to lose */
	struct packer packer;
	struct cold cold;
	uint64_t nr_walked; /* records that walks came over: 8 for a live one, 1 for a dead one */
	uint32_t turn;	    /* calls of maintain */
	uint32_t seq;	    /* of the newest value */
	uint64_t nr_items;
	uint64_t dying_bytes;	  /* log_bytes of all dying stores */
	uint64_t ephemeral_bytes; /* log_bytes of all living ephemeral stores */
	uint64_t promised_bytes;  /* arena room that streams in progress will still take */
	uint64_t nr_evicted, nr_cleaned_bytes;
	uint64_t nr_calls; /* of get and del */
	/* maintain's */
	uint64_t put_bytes_seen, nr_calls_seen; /* of puts and other calls, when it last came by */
	uint64_t clean_credit;			/* bytes that the cleaner may copy beside them */
	bool packing;				/* what it moves now is packed and shared */
	bool idle;				/* nothing came between its last two calls */
	struct utmem_recovery recovery;		/* what open found */
};

static inline struct pool_engine *engine_of(const struct utmem_pool *p)
{
	return (struct pool_engine *)p->tenant->engine;
}

/* The record at @off, which is alive, is dead. */
static inline void engine_bury(struct pool_engine *e, uint64_t off)
{
	log_bury(&e->log, off, log_record_len(&e->log, log_record(&e->log, off)));
}

/* Bytes of the arena that are neither dead nor dying, and those that are spoken for. */
static inline uint64_t engine_live(const struct pool_engine *e)
{
	return e->log.live_bytes - e->dying_bytes + e->promised_bytes;
}

static inline uint32_t engine_next_seq(struct pool_engine *e)
{
	if (!(++e->seq % SEQ_NOTE_STEP))
		utpool_meta_seq(&e->meta, e->seq);
	return e->seq;
}

/* All of @r is written, but for its first word. @serial: of its store; 0: it has none. */
static inline void engine_publish(const struct pool_engine *e, struct record *r, uint32_t value_len,
				  uint64_t serial)
{
	if (e->log.trailer_len)
		utpool_seal_set(r, value_len, e->meta.salt, serial);
	UTMEM_FAIL_POINT("pool_record_written");
	record_publish(r, value_len);
	UTMEM_FAIL_POINT("pool_record_valid");
}

/* ---- store.c ---- */

/* A new, empty content for @p. -ENOMEM. */
int utpool_store_open(struct utmem_pool *p, struct store **out);
/* For recovery: a store that is dying, until it is revived as the content of @p. -ENOMEM. */
int utpool_store_restore(struct pool_engine *e, uint32_t id, uint64_t serial, struct store **out);
int utpool_store_revive(struct pool_engine *e, struct store *st, struct utmem_pool *p);
/* Its values are gone and uncharged; it is no longer its pool's. */
void utpool_store_close(struct store *st);
/* @p gets a new, empty content. -ENOMEM: nothing has changed. */
int utpool_store_renew(struct utmem_pool *p);
/* Remove its values one by one, all or (should the process die) all; false: there are too many for that. */
bool utpool_store_empty(struct pool_engine *e, struct store *st);
/* Free about @nr index leaves of dying stores. Return: false when there was nothing to do. */
bool utpool_store_reap(struct pool_engine *e, uint32_t nr);
/* It goes, when both its index and its records are gone. */
void utpool_store_free_if_dead(struct pool_engine *e, struct store *st);
/* All stores, as private memory: for engine close. What they hold stays in the arena. */
void utpool_store_exit(struct pool_engine *e);

/* What @len bytes under a key of @key_len cost: in the arena, and on the quota. */
uint64_t utpool_store_cost(const struct pool_engine *e, uint32_t key_len, uint64_t len,
			   bool chunked);
static inline uint64_t store_charge(uint64_t cost)
{
	return cost + INDEX_SHARE;
}
/* What goes with a value that is there. */
uint64_t utpool_store_record_cost(const struct pool_engine *e, struct record *r);
/* Charge (or, negative, uncharge) its pool, if it still has one. */
void utpool_store_charge(struct store *st, int64_t bytes);
/* Packing or sharing spares @bytes more of what its values take. */
void utpool_store_spare(struct store *st, int64_t bytes);
/* @packed, which is @spared bytes shorter, stands for a VALUE of @st. */
void utpool_store_packed(struct pool_engine *e, struct store *st, struct record *packed,
			 uint32_t spared);
/* @reference, a LARGE that shares its content, stands for the VALUE @r of @st. */
void utpool_store_referred(struct pool_engine *e, struct store *st, struct record *r,
			   struct record *reference);

/*
 * Make the whole record at @off the value of its key: the old one goes, the new one is
 * charged. -ENOSPC: no memory for the index, nothing has changed.
 */
int utpool_store_link(struct pool_engine *e, struct store *st, const struct utmem_key *key,
		      uint64_t off);
/* Remove the value in @slot, or at @off. With its last value the pool may get a new store. */
void utpool_store_remove(struct pool_engine *e, struct store *st, uint64_t hash, uint64_t *slot);
void utpool_store_evict(struct pool_engine *e, struct record *r, uint64_t off);
/* A record of a dying store was met: bury it, and the store with its last one. */
void utpool_store_bury(struct pool_engine *e, struct store *st, uint64_t off);
/* The value of @r comes (1) or goes (-1): counters and charges. */
void utpool_store_count(struct pool_engine *e, struct store *st, struct record *r, int sign);
/* @bytes more (or fewer) of the arena belong to @st. */
void utpool_store_add_bytes(struct pool_engine *e, struct store *st, int64_t bytes);

/* ---- large.c ---- */

/* Longest part of a value in one chunk: a chunk record is exactly log->record_max. */
static inline uint32_t large_chunk_len(const struct log *log)
{
	return log->record_max - sizeof(struct record) - sizeof(struct chunk_id) - log->trailer_len;
}
/* Arena and private memory of the chunks of a value of @total bytes. */
uint64_t utpool_large_cost(const struct log *log, uint64_t total);
/* Payload bytes of chunk @no. */
uint32_t utpool_large_chunk_len(const struct log *log, const struct large *l, uint32_t no);
struct large *utpool_large_alloc(struct pool_engine *e, uint64_t total);
/* For recovery: one with a known id, which is free; and back, when nothing was there. */
struct large *utpool_large_restore(struct pool_engine *e, const struct large_ref *ref,
				   uint64_t total);
void utpool_large_forget(struct pool_engine *e, struct large *l);
/* It is whole, and the record at @off of @st leads to it. */
void utpool_large_attach(struct pool_engine *e, struct large *l, struct store *st, uint64_t off);
/* A record of @st that led to it goes; the last one takes it along, unless a save keeps it. */
void utpool_large_unref(struct pool_engine *e, struct large *l, struct store *st);
/* Whoever is charged for it no longer is, and nobody else is. */
void utpool_large_disown(struct pool_engine *e, struct large *l);
/* Its chunks are to live on when the record that leads to it dies; and no longer are. */
void utpool_large_keep(struct large *l);
void utpool_large_release(struct pool_engine *e, struct large *l);
/* Its chunks are dead. */
void utpool_large_free(struct pool_engine *e, struct large *l);
/* All of them, as private memory: for engine close. */
void utpool_large_exit(struct pool_engine *e);
/* @bytes more (or fewer) of the arena are its chunks', and charged to whoever is charged for it. */
void utpool_large_add_bytes(struct pool_engine *e, struct large *l, int64_t bytes);
/* @packed, which is @spared bytes shorter, stands for a chunk of it. */
void utpool_large_packed(struct pool_engine *e, struct large *l, struct record *packed,
			 uint32_t spared);
/* Its one record is at @off now; where several lead to it, nobody has to know. */
static inline void utpool_large_moved(struct large *l, uint64_t off)
{
	if (!l->shared)
		l->record_off = off;
}
/* Private memory and arena that go with it. */
uint64_t utpool_large_own_cost(const struct large *l);
/* Write @len bytes at @pos; every byte before @pos has been written. -ENOSPC. */
int utpool_large_write(struct pool_engine *e, struct large *l, bool ephemeral, uint64_t pos,
		       const void *src, uint32_t len);
/* 0, or as utpool_unpack(). */
int utpool_large_read(struct pool_engine *e, const struct large *l, uint64_t off, void *buf,
		      uint32_t len);
/* Write the record that stands for a whole @l. LOG_NONE: no room. */
uint64_t utpool_large_record(struct pool_engine *e, struct large *l, struct store *st,
			     const struct utmem_key *key);

/* ---- room.c ---- */

/*
 * May a value with that cost come under @key, given @cond? Makes room by eviction
 * where that helps. @keep_old: the old value stays beside the new one for a while.
 * 0, -EEXIST, -ENOENT, -ENOSPC.
 */
int utpool_room_admit(struct utmem_pool *p, const struct utmem_key *key, uint64_t cost,
		      enum utmem_put_if cond, bool keep_old);
/* The same in the usual case, when nothing has to be looked up; false says nothing. */
static inline bool room_is_plenty(const struct utmem_pool *p, uint64_t cost, enum utmem_put_if cond)
{
	const struct pool_engine *e = engine_of(p);
	const struct utmem_tenant *t = p->tenant;

	return cond == UTMEM_PUT_ALWAYS && t->used_bytes + store_charge(cost) <= t->quota_bytes &&
	       engine_live(e) + cost <= e->log.capacity_bytes;
}
/* Room for a record when free segments are few: cleans as needed, so that every other record may move. */
uint64_t utpool_room_append_scarce(struct pool_engine *e, enum log_head head, uint32_t len);
/* Room for a record, which may move every other one. LOG_NONE: no room. */
static inline uint64_t room_append(struct pool_engine *e, bool ephemeral, uint32_t len)
{
	enum log_head head = ephemeral ? LOG_PUT_EPHEMERAL : LOG_PUT;

	if (e->log.nr_free < e->log.low_water)
		return utpool_room_append_scarce(e, head, len);
	return log_append(&e->log, head, len);
}

/* ---- evict.c ---- */

/* One bucket of one ephemeral pool of @t. Return: the steps it took; 0: there is nothing to evict. */
uint32_t utpool_evict_step(struct utmem_tenant *t);
/* The quota of @t has changed: what must go does, a bounded amount of it now. */
void utpool_evict_to_quota(struct utmem_tenant *t);
/* Goes on with that, a little; false: everybody fits, or has nothing to lose. */
bool utpool_evict_above_quota(struct pool_engine *e);

/* ---- share.c ---- */

enum evict {
	EVICT_UNREAD, /* what was read since eviction last came by stays this time */
	EVICT_BRISK,  /* the same, but in segments where that is more than half */
	EVICT_ALL,
};
/*
 * Ephemeral values go for the arena's sake, about @bytes of a segment or some buckets of an
 * index: those of @only, or (NULL) of whom weights name. Return: the steps it took; 0: there
 * is nothing to evict.
 */
uint64_t utpool_share_drop(struct pool_engine *e, struct utmem_tenant *only, uint64_t bytes,
			   enum evict how);

/* ---- reclaim.c ---- */

bool utpool_reclaim(struct utmem_engine *base, struct utmem_reclaim *r, size_t budget);

/* ---- clean.c ---- */

/*
 * Where less than this part of a segment is to be gained, more than four bytes would be
 * copied for each: ephemeral values go in their order of age instead, if there are any.
 */
#define CLEAN_CHEAP_PART 5u

/* For recovery: a cursor had this segment, which is on no list. False: the cursor has another one. */
bool utpool_clean_resume(struct pool_engine *e, struct segment *seg, bool drop);
/* Copy out of segments that give back @gain bytes, about @budget bytes; false: there is none. */
bool utpool_clean_step(struct pool_engine *e, uint64_t budget, uint32_t gain);
/* Is there one, or one that was begun? */
bool utpool_clean_wanted(struct pool_engine *e, uint32_t gain);
/* As much of that as keeps up with an append of @len bytes. */
void utpool_clean_pace(struct pool_engine *e, uint32_t len);
enum drop {
	DROP_DONE,
	DROP_NONE,  /* there is no segment, or it is stuck */
	DROP_UNFIT, /* too little is theirs who lose: of the oldest one, and of another */
};
/*
 * Walk over an old ephemeral segment, about @budget bytes of it, and drop what belongs
 * to tenants that lose, as @how says.
 */
enum drop utpool_clean_drop(struct pool_engine *e, uint64_t budget, enum evict how);
/* Make a full segment the next one to be emptied; no other is in hand. */
void utpool_clean_take(struct pool_engine *e, struct segment *seg);
/* Room in the cleaner's own segment, for a record that stands for one that it moves. LOG_NONE: no room. */
static inline uint64_t clean_append(struct pool_engine *e, bool ephemeral, uint32_t len)
{
	uint64_t off = log_append(&e->log, ephemeral ? LOG_CLEAN_EPHEMERAL : LOG_CLEAN, len);

	if (off != LOG_NONE)
		e->nr_cleaned_bytes += len;
	return off;
}
/* Look for records of dying stores, about @budget bytes further; false: nothing is dying. */
bool utpool_clean_sweep(struct pool_engine *e, uint64_t budget);

/* ---- save.c ---- */

int utpool_save_begin(struct utmem_pool *p, const struct utmem_save_sink *sink,
		      struct utmem_save **out);
int utpool_save_step(struct utmem_save *s, size_t budget);
void utpool_save_end(struct utmem_save *s);
/* The save of @p, if there is one, has failed. */
void utpool_save_fail(struct utmem_pool *p, int err);
/* Saves that keep chunks of dead values give them up, and fail. Return: was there any? */
bool utpool_save_yield(struct pool_engine *e);
/* A value of the pool came; is about to go (its record, alive, is at @off); was moved by the cleaner. */
void utpool_save_born(struct utmem_save *s, uint64_t hash, uint64_t off);
void utpool_save_dying(struct utmem_save *s, uint64_t off);
void utpool_save_moved(struct utmem_save *s, uint64_t hash, uint64_t from, uint64_t to);

/* ---- restore.c ---- */

int utpool_restore_begin(struct utmem_tenant *t, struct utmem_restore_spec *spec,
			 struct utmem_pool **out);
int utpool_restore_commit(struct utmem_pool *p);
void utpool_restore_abort(struct utmem_pool *p);
/* ---- cold.c ---- */

/* A turn of maintain: now and then, is memory short? */
void utpool_cold_turn(struct pool_engine *e);
/*
 * Look at some segments for one that is worth it, and give it to the cleaner when it has
 * none. Return: bytes looked at; 0: there is nothing to look at.
 */
uint64_t utpool_cold_look(struct pool_engine *e);
/* Is there, or will there be? */
bool utpool_cold_waits(const struct pool_engine *e);
/* The pool's options have changed: every segment is to be looked at again. */
void utpool_cold_again(struct pool_engine *e);
/* The cleaner, while it packs, has moved a value to @off. */
void utpool_cold_moved(struct pool_engine *e, uint64_t off, bool used);
/* Write a packed copy of @r with the cleaner's. LOG_NONE: it stays as it is. */
uint64_t utpool_cold_pack(struct pool_engine *e, struct record *r,
			  const struct utmem_pool_options *o, bool ephemeral);

/* ---- dedup.c ---- */

/* May its values be shared? Not before it is decided whose they are. */
static inline bool utpool_dedup_wanted(const struct store *st)
{
	return st->pool && st->pool->options.dedup && !st->pool->incoming;
}
/* What the pools of a tenant may have in common. 0, -ENOMEM. */
int utpool_dedup_prepare(struct utmem_tenant *t);
/* The tenant goes: what its pools had in common is dying, with them. */
void utpool_dedup_drop(struct utmem_tenant *t);
/*
 * The VALUE @r at @off, with that hash of its key, is moved: if an equal one is known it
 * becomes a reference to what they have in common, and true is returned.
 */
bool utpool_dedup_share(struct pool_engine *e, struct store *st, struct record *r, uint64_t off,
			uint64_t hash);
/* A chunk of @l was met: the next value like it is to find it. */
void utpool_dedup_look(struct pool_engine *e, struct large *l);
/* It has moved to @to: the next one like it is to find it there. */
void utpool_dedup_remember(struct pool_engine *e, struct store *st, uint64_t to);
/* What has @c in common goes, as private memory: for engine close. */
void utpool_dedup_forget(struct commons *c);
/* One more record, of @st, leads to the whole @l; one of several goes. -ENOMEM (for recovery only). */
int utpool_dedup_join(struct pool_engine *e, struct large *l, struct store *st);
void utpool_dedup_leave(struct pool_engine *e, struct large *l, struct store *st);
/* @bytes more of the arena, and of charge, are @l's, which has commons; it is new (1), or goes (-1). */
void utpool_commons_add(struct pool_engine *e, struct large *l, int64_t log_bytes, int64_t charge,
			int nr);
/* Do all its keys lie in ephemeral pools? */
bool utpool_large_ephemeral(const struct large *l);

/* ---- put.c, get.c, parts.c: the vtable's data calls ---- */

int utpool_put(struct utmem_pool *p, const struct utmem_key *key, const void *value, uint32_t len,
	       enum utmem_put_if cond);
/* Put-put-get: a put of @key was refused for room, so nothing may be read there. */
void utpool_put_refused(struct utmem_pool *p, const struct utmem_key *key);
int utpool_del(struct utmem_pool *p, const struct utmem_key *key);
int utpool_flush(struct utmem_pool *p);
int utpool_find(struct utmem_pool *p, const struct utmem_key *key);
int utpool_get(struct utmem_pool *p, const struct utmem_key *key, uint64_t off, void *buf,
	       uint32_t len, struct utmem_get_result *out);
/* The whole of a VALUE. 0, or as utpool_unpack(). */
int utpool_value_read(struct pool_engine *e, struct record *r, void *buf);
void utpool_prefetch_index(const struct utmem_pool *p, struct utmem_key *key);
void utpool_prefetch_record(const struct utmem_pool *p, struct utmem_key *key, uint32_t len);
int utpool_parts_begin(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
		       struct utmem_stream **out);
int utpool_parts_append(struct utmem_stream *s, const void *part, uint32_t len);
int utpool_parts_commit(struct utmem_stream *s, enum utmem_put_if cond);
void utpool_parts_abort(struct utmem_stream *s);
int utpool_parts_find_key(const struct utmem_stream *s);
int utpool_parts_adopt(struct utmem_engine *base, uint32_t id, uint64_t filled,
		       struct utmem_stream **out);

/* For recovery: a stream that was in progress, with what has come of @l. -ENOMEM. */
int utpool_parts_restore(struct utmem_pool *p, const struct utmem_key *key, struct large *l);

/* ---- recover.c ---- */

/*
 * Find again what arena and meta hold. -ENOMEM, -EUCLEAN: nothing in them has changed. 0: what is
 * of no use in them has been buried, and meta is in use.
 */
int utpool_recover(struct pool_engine *e);

#endif /* UTMEM_POOL_ENGINE_H */
