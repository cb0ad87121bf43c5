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
 *	tenant.c, stream.c: objects, shared with the null engine (null.c)
 *
 * Owner: host/pool. The engine's thread.
 */
#ifndef UTMEM_POOL_ENGINE_H
#define UTMEM_POOL_ENGINE_H

#include "idmap.h"
#include "index.h"
#include "log.h"
#include "record.h"
#include "seal.h"
#include "stream.h"
#include "tenant.h"

/* A value's part of its index: 8 bytes in slots of which at least 76 % are used, and the leaf's header. */
#define INDEX_SHARE 12u
#define STORES_MAX META_STORES_MAX /* struct record.store */
/* So often is it written down which seq values have. */
#define SEQ_NOTE_STEP 65536u

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

/* A value that is kept in chunks. */
struct large {
	struct store *store; /* NULL: being written, no key leads to it yet */
	uint64_t record_off; /* of its RECORD_LARGE, or RECORD_STREAM; LOG_NONE: not yet written */
	uint64_t total;
	uint64_t log_bytes; /* of its chunks */
	uint32_t id;
	uint32_t birth; /* with the id, nobody else has or had it */
	uint32_t nr_chunks;
	uint64_t chunk_off[]; /* LOG_NONE: not there yet (or no more) */
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
	bool fitting;	    /* there may be a tenant above its quota that has something to lose */
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
/* The same of a value that is there. */
uint64_t utpool_store_record_cost(const struct pool_engine *e, struct record *r);

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
/* The record that led to it is about to die, its chunks live on; who asked for that frees it. */
void utpool_large_detach(struct pool_engine *e, struct large *l);
/* Its chunks are dead. */
void utpool_large_free(struct pool_engine *e, struct large *l);
/* All of them, as private memory: for engine close. */
void utpool_large_exit(struct pool_engine *e);
/* Write @len bytes at @pos; every byte before @pos has been written. -ENOSPC. */
int utpool_large_write(struct pool_engine *e, struct large *l, bool ephemeral, uint64_t pos,
		       const void *src, uint32_t len);
void utpool_large_read(const struct pool_engine *e, const struct large *l, uint64_t off, void *buf,
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
/* @len bytes from @off of the value of a VALUE or LARGE, or as many as there are. */
void utpool_value_read(struct pool_engine *e, struct record *r, uint64_t off, void *buf,
		       uint32_t len);
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
