/* SPDX-License-Identifier: MIT */
/*
 * The pool engine: named stores of keys and values, charged to tenants.
 *
 * Owner: host/pool. Callers: host/service (data), host/utmemd (tenants, lists).
 * The engine knows nothing of rings, sockets or threads: it does no I/O, starts
 * no thread, takes no lock, and has no memory but what its caller gives it. All
 * calls on one engine come from one thread at a time.
 *
 * An engine is a vtable. Two exist: utmem_engine_pool (the real one) and
 * utmem_engine_null (answers at once, stores nothing; it measures the rest).
 * Callers reach an object through utmem_ops(object)->call(object, ...).
 *
 * Errors are -errno: -ENOENT no such key, -EEXIST it is there, -ENOSPC the quota
 * or the arena is full, -E2BIG over a limit, -EINVAL malformed, -EACCES not
 * permitted, -ESTALE the pool has been destroyed, -ENOMEM alloc returned NULL (for
 * a put, which must obey the rule below, that is -ENOSPC). A call that fails has
 * changed nothing, with one exception, tmem's put-put-get rule: a put of an existing
 * key that fails for room (-ENOSPC) removes the old value; stream_begin counts as a
 * put. The work of one put is bounded: one that would have to evict more than about
 * half a million values gets -ENOSPC, and goes on from there when it is tried again.
 * So many may be evicted by all puts of a tenant between two calls of maintain, and some
 * hundred more by each further put: call maintain at least once per batch of requests.
 *
 * An engine with a meta region (struct utmem_memory) survives its process: whatever
 * returned is in arena and meta, at every moment, and open finds it there again. The call
 * that was interrupted has happened wholly or not at all.
 */
#ifndef UTMEM_POOL_H
#define UTMEM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utmem_engine;
struct utmem_tenant;
struct utmem_pool;
struct utmem_stream;
struct utmem_save;

/* The same limits as the ring's contract; the service asserts that they agree. */
#define UTMEM_POOL_KEY_MAX 1024u
#define UTMEM_POOL_VALUE_MAX (512ull << 20)
#define UTMEM_POOL_NAME_LEN 64u /* with the NUL; 1 .. 63 of [A-Za-z0-9._-] */

/* Of the arena, where it is short: ephemeral bytes divided by weights are to be equal. */
#define UTMEM_WEIGHT_MIN 1u
#define UTMEM_WEIGHT_MAX 1000u
#define UTMEM_WEIGHT_DEFAULT 100u

/*
 * What an engine lives on. The arena holds values and whatever belongs to them;
 * it comes zeroed, page-aligned, of 1 MiB to 1 TiB, and outlives the engine. alloc/free serve
 * private, rebuildable state (index, tenants, pools); alloc may return NULL at
 * any time and the engine stays consistent.
 *
 * meta says what lies in the arena, and outlives the engine with it: page-aligned, of at
 * least utmem_meta_len(arena_len) bytes, of which only those that are touched need memory. With
 * zeroes in it (and in the arena) it is formatted by open. NULL: the arena is volatile, it
 * is of no use after close.
 */
struct utmem_memory {
	void *arena;
	size_t arena_len; /* bytes */
	void *meta;
	size_t meta_len;
	/*
	 * Arena and meta may come back from a power loss, with some pages older than others:
	 * records get checksums. Counts when meta is formatted, which then remembers it.
	 */
	bool durable;
	void *(*alloc)(void *ctx, size_t len, size_t align);
	void (*free)(void *ctx, void *p, size_t len);
	/* Optional: [off, off + len) of the arena holds nothing any more; may be given back to the host. */
	void (*release)(void *ctx, size_t off, size_t len);
	/* Optional: [off, off + len) of the arena holds nothing yet and is about to be filled. */
	void (*prepare)(void *ctx, size_t off, size_t len);
	/*
	 * Optional: copy [off, off + len) of the arena, all of it. 0, -errno. Where pages that are
	 * not mapped yet are dear, that is how open finds out what an arena holds.
	 */
	int (*read)(void *ctx, size_t off, void *buf, size_t len);
	void *ctx;
	uint64_t seed; /* for key hashes: random in production, fixed in tests */
};

/* What an engine's prefetch calls found out about a key. It may be stale: the engine sees to that. */
struct utmem_key_hint {
	const void *owner; /* NULL: nothing */
	uint64_t age;
	void *place[2];
	void *slot; /* NULL: not known */
};

/* A key, with the hash that utmem_engine_hash() gave. data is private memory, never the window. */
struct utmem_key {
	const void *data;
	uint32_t len; /* 1 .. UTMEM_POOL_KEY_MAX */
	uint64_t hash;
	struct utmem_key_hint hint; /* zero, or what prefetch calls for this very key left in it */
};

enum utmem_put_if {
	UTMEM_PUT_ALWAYS,
	UTMEM_PUT_IF_ABSENT,
	UTMEM_PUT_IF_PRESENT,
};

/* What a pool is; fixed when it is made. */
struct utmem_pool_kind {
	bool ephemeral;
	bool shared;	   /* other tenants may attach, when granted */
	bool guest_shared; /* every owner of the tenant may attach */
	uint32_t owner;	   /* who made it, as the tenant counts its users */
};

enum utmem_compress {
	UTMEM_COMPRESS_NONE,
	UTMEM_COMPRESS_LZ4,
	UTMEM_COMPRESS_ZSTD,
};

/* Values shorter than this are not compressed: when nothing else is said, at least, and at most. */
#define UTMEM_COMPRESS_LEAST 256u
#define UTMEM_COMPRESS_LEAST_MIN 64u
#define UTMEM_COMPRESS_LEAST_MAX ((1u << 29) - 1)

/*
 * How a pool's values are stored: may be changed at any time, for what is stored from then
 * on and for what is found when nothing else is to be done. Values are stored as they come;
 * those that are not read are compressed or shared later, in maintain.
 */
struct utmem_pool_options {
	enum utmem_compress compress;
	uint32_t compress_least; /* bytes; 0 stands for UTMEM_COMPRESS_LEAST */
	bool dedup; /* equal values of those pools of the tenant that have it are stored once */
};

struct utmem_pool_spec {
	const char *name;
	struct utmem_pool_kind
		kind; /* of a new pool; ephemeral and shared must match an existing one's (-EINVAL) */
	bool create;
	bool excl;
	bool any_owner; /* the caller may attach to pools of every owner */
};

struct utmem_pool_counters {
	uint64_t nr_items;
	uint64_t key_bytes, value_bytes;
	uint64_t
		stored_bytes; /* what value_bytes take; values shared with other pools not included */
	uint64_t used_bytes; /* charged: keys, values, metadata, rounding */
	uint64_t nr_packed,
		nr_shared; /* values stored compressed (or partly), and together with others */
	uint64_t nr_puts, nr_gets, nr_hits, nr_dels, nr_evicted, nr_refused;
};

struct utmem_tenant_stat {
	const char *name; /* the engine's, valid until tenant_remove */
	uint64_t quota_bytes;
	uint64_t used_bytes;
	uint64_t ephemeral_bytes; /* of them, what may be dropped */
	uint64_t shared_bytes;	  /* the part of it that is values which its pools share */
	uint32_t nr_pools;
	uint32_t weight;
};

struct utmem_engine_stat {
	uint64_t arena_bytes;
	uint64_t live_bytes;  /* records that can be read */
	uint64_t dead_bytes;  /* to be cleaned */
	uint64_t free_bytes;  /* never used, or given back */
	uint64_t index_bytes; /* private memory in use */
	uint64_t nr_items;
	uint64_t nr_evicted;
	uint64_t nr_cleaned_bytes; /* copied by the cleaner */
	uint64_t released_bytes;   /* given back to the host, ever */
};

/* Memory that is to go back to the host. The caller's, all zero but for what is to happen. */
struct utmem_reclaim {
	struct utmem_tenant *tenant; /* whose values may go; NULL: of whom weights name first */
	uint64_t bytes;		     /* wanted, of whole segments */
	uint64_t released_bytes;     /* so far */
	uint64_t dropped_bytes;	     /* so far, of values */
};

/* What open found in an arena that was used before. All zero when it was new, or volatile. */
struct utmem_recovery {
	bool found; /* meta had been formatted */
	bool clean; /* the engine had been closed */
	uint32_t nr_tenants, nr_pools;
	uint64_t nr_items;
	uint64_t nr_streams;	/* in progress; see stream_adopt */
	uint64_t bytes;		/* of live records */
	uint64_t nr_records;	/* looked at, dead ones included */
	uint64_t nr_torn;	/* damaged or incomplete, and dropped */
	uint64_t nr_duplicates; /* older values of a key, and copies */
};

/* What a value is charged at least, beside its key and its bytes. */
#define UTMEM_POOL_ITEM_COST 24u

/* One value of a pool that is being saved. */
struct utmem_save_item {
	const void *key;
	uint32_t key_len;
	uint64_t value_len; /* of the whole value */
};

/* A save's parts are at most so long; a value of up to that length comes in one, unless it is kept in chunks. */
#define UTMEM_SAVE_PART_MAX (128u << 10)

/*
 * Where a save goes. Called by save_step, and by any call that ends the life of a value which
 * is still to be saved: it must not wait, nor call the engine.
 */
struct utmem_save_sink {
	/* Required. Room for @len bytes of a value; NULL: there is none, and the save fails (-ENOBUFS). */
	void *(*reserve)(void *ctx, const struct utmem_save_item *item, uint32_t len);
	/* Required. They are there: those from @off on. Whole values may come between a longer one's parts. */
	void (*emit)(void *ctx, const struct utmem_save_item *item, uint64_t off, uint32_t len);
	/* Required. The save keeps @bytes more (or fewer) for later; false: too many, it fails. */
	bool (*hold)(void *ctx, int64_t bytes);
	void *ctx;
};

struct utmem_restore_spec {
	struct utmem_pool_spec pool; /* create: when it is not there, of that kind */
	bool replace;		     /* what the pool contains at the time of the commit */
	uint64_t need;		     /* charged for all that is to come, at least */
	uint64_t missing;	     /* out, with -ENOSPC: so much more quota is needed */
};

struct utmem_get_result {
	uint64_t value_len; /* of the whole value */
	uint32_t version;   /* 24 bits; the same for two reads only if they saw the same value */
};

struct utmem_engine_ops {
	const char *name;

	/*
	 * Required. *out is NULL on failure: -ENOMEM, -EINVAL or -E2BIG (the arena's length),
	 * -EINVAL (meta_len, or meta is of an arena of another length), -EUCLEAN (meta is damaged),
	 * -EPROTONOSUPPORT (it was made by a newer version). Then arena and meta are as before.
	 *
	 * What meta and arena hold is there again: pools, their tenants and values, streams.
	 * Quotas and grants are not stored: tenant_add adopts a tenant that was found, whose
	 * quota is unlimited until then. Counters of events begin at 0.
	 */
	int (*open)(struct utmem_engine **out, const struct utmem_memory *mem);
	/*
	 * Required. Frees every tenant, pool and stream object. With a meta region the content stays,
	 * and can be opened again; tenant_remove and pool_destroy are what drops it.
	 */
	void (*close)(struct utmem_engine *e);
	/* Required. What open found. */
	void (*recovery)(const struct utmem_engine *e, struct utmem_recovery *out);
	/* Required. */
	void (*stat)(struct utmem_engine *e, struct utmem_engine_stat *out);

	/*
	 * Required. quota in bytes; -EEXIST, -EINVAL (name). A tenant that open found is adopted, once,
	 * with all its pools. Removing: -EBUSY while a pool is attached or a stream is in progress.
	 */
	int (*tenant_add)(struct utmem_engine *e, const char *name, uint64_t quota,
			  struct utmem_tenant **out);
	int (*tenant_remove)(struct utmem_tenant *t);
	/*
	 * Required. A quota below what is used refuses puts until it fits, and drops ephemeral
	 * values: all of them at once where all must go; else a bounded amount at once, more with
	 * each further call (of the same quota, too), and what is left by maintain.
	 */
	int (*tenant_quota)(struct utmem_tenant *t, uint64_t quota);
	/*
	 * Required. UTMEM_WEIGHT_MIN .. _MAX (-EINVAL). Where the arena is short, ephemeral values
	 * of those go who hold the most for their weight, or up to an eighth less.
	 */
	int (*tenant_weight)(struct utmem_tenant *t, uint32_t weight);
	void (*tenant_stat)(struct utmem_tenant *t, struct utmem_tenant_stat *out);
	/* Required. Iterate: NULL gives the first, NULL comes after the last. */
	struct utmem_tenant *(*tenant_next)(struct utmem_engine *e, struct utmem_tenant *after);

	/*
	 * Required. Attach @who to a pool of @owner (the same tenant, or another's
	 * shared pool that @who was granted; *readonly says with which right, and is
	 * left alone when false). Every open is paired with a pool_close. Another's pool
	 * that was not granted is -EACCES, whether it exists or not. -E2BIG: the tenant
	 * has 1024 pools.
	 */
	int (*pool_open)(struct utmem_tenant *who, struct utmem_tenant *owner,
			 const struct utmem_pool_spec *spec, struct utmem_pool **out,
			 bool *readonly);
	/* Required. The same for a pool that is there, whoever of @who's users made it. -EACCES, -ESTALE. */
	int (*pool_attach)(struct utmem_tenant *who, struct utmem_pool *p);
	void (*pool_close)(struct utmem_pool *p);
	/* Required. Nothing can be read from here on (-ESTALE); the object goes with its last close. */
	int (*pool_destroy)(struct utmem_pool *p);
	/* Required. The operator's word: @to may attach to @p (a shared pool). -EINVAL when it is private. */
	int (*pool_grant)(struct utmem_pool *p, struct utmem_tenant *to, bool readonly);
	/* Required. Taken back; who is attached stays so, and pool_rights says no. -ENOENT: was not granted. */
	int (*pool_revoke)(struct utmem_pool *p, struct utmem_tenant *from);
	/* Required. What @who may do now: 0 and *readonly, -EACCES, -ESTALE. The owner may do all. */
	int (*pool_rights)(const struct utmem_pool *p, const struct utmem_tenant *who,
			   bool *readonly);
	/* Required. Iterate over whom @p is granted to: NULL gives the first, NULL comes after the last. */
	struct utmem_tenant *(*grant_next)(const struct utmem_pool *p,
					   const struct utmem_tenant *after, bool *readonly);
	/* Required. What stands for a pool where a pointer cannot; find: NULL when it is gone. */
	uint64_t (*pool_id)(const struct utmem_pool *p);
	struct utmem_pool *(*pool_find)(struct utmem_engine *e, uint64_t id);
	const char *(*pool_name)(const struct utmem_pool *p);
	struct utmem_tenant *(*pool_tenant)(const struct utmem_pool *p);
	struct utmem_pool_kind (*pool_kind)(const struct utmem_pool *p);
	/*
	 * Required. How a pool's values are stored. Setting: -EINVAL, -ESTALE, -ENOMEM, and
	 * -EOPNOTSUPP from an engine that stores nothing. default_options: of pools made later.
	 */
	int (*pool_options_set)(struct utmem_pool *p, const struct utmem_pool_options *o);
	struct utmem_pool_options (*pool_options)(const struct utmem_pool *p);
	int (*default_options_set)(struct utmem_engine *e, const struct utmem_pool_options *o);
	void (*pool_stat)(const struct utmem_pool *p, struct utmem_pool_counters *out);
	struct utmem_pool *(*pool_next)(struct utmem_tenant *t, struct utmem_pool *after);

	/* Required. */
	uint64_t (*hash)(const struct utmem_engine *e, const void *key, uint32_t len);
	/*
	 * Optional. Ask for the cache lines of the index, then (a few keys later) of the
	 * record, as far as @len bytes of its value are to be read. They leave a hint in
	 * the key, which may be used later, or never.
	 */
	void (*prefetch_index)(const struct utmem_pool *p, struct utmem_key *key);
	void (*prefetch_record)(const struct utmem_pool *p, struct utmem_key *key, uint32_t len);

	/* Required. The value may be in memory that changes while it is copied; it is read once. */
	int (*put)(struct utmem_pool *p, const struct utmem_key *key, const void *value,
		   uint32_t len, enum utmem_put_if cond);
	/*
	 * Required. Copies min(len, value_len - off) bytes from off; @buf may be NULL when len
	 * is 0. -EIO: what is stored of a compressed value is damaged; -ENOMEM: none for reading it.
	 */
	int (*get)(struct utmem_pool *p, const struct utmem_key *key, uint64_t off, void *buf,
		   uint32_t len, struct utmem_get_result *out);
	int (*del)(struct utmem_pool *p, const struct utmem_key *key);
	/* Required. Is @key there? 0 or -ENOENT. Nobody has read it: nothing is counted. */
	int (*find)(struct utmem_pool *p, const struct utmem_key *key);
	/*
	 * Required. Bounded work: the values are gone at once, their memory comes back by
	 * maintain. -ENOMEM, as for a new pool, also while 65,536 contents exist: those of
	 * pools, and flushed ones (of more than 64 values, or long ones) that maintain has not yet freed.
	 */
	int (*flush)(struct utmem_pool *p);

	/*
	 * Required. A value in parts: room is charged by begin, the value is visible
	 * after commit, whole. append takes exactly the next bytes (-EINVAL beyond the
	 * total). A stream ends by commit that succeeds, or by abort; it outlives
	 * pool_destroy (append and commit then say -ESTALE).
	 */
	int (*stream_begin)(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
			    struct utmem_stream **out);
	int (*stream_append)(struct utmem_stream *s, const void *part, uint32_t len);
	int (*stream_commit)(struct utmem_stream *s, enum utmem_put_if cond);
	void (*stream_abort)(struct utmem_stream *s);
	/* Required. Is the stream's key there, as find has it? */
	int (*stream_find_key)(const struct utmem_stream *s);
	/*
	 * Required. What stands for a stream where a pointer cannot, while it is in progress; another
	 * one may get it afterwards. adopt: the stream of that id, found by open or begun since, which
	 * goes on after its first @filled bytes. -ENOENT: there is none, or it never had as many.
	 * settle aborts the streams that open found and nobody has adopted.
	 */
	uint32_t (*stream_id)(const struct utmem_stream *s);
	int (*stream_adopt)(struct utmem_engine *e, uint32_t id, uint64_t filled,
			    struct utmem_stream **out);
	void (*streams_settle)(struct utmem_engine *e);

	/*
	 * Optional, all three or none. A save emits every value that the pool has at begin, as
	 * it is then, in no order, while everything else goes on. step does about @budget bytes
	 * of it. Return: 1 there is more, 0 all is emitted, -ENOBUFS the sink had no room,
	 * -ENOMEM, -ECANCELED the pool was flushed or destroyed. begin: -EBUSY when one is under
	 * way. End it before the engine is closed, however it went.
	 */
	int (*save_begin)(struct utmem_pool *p, const struct utmem_save_sink *sink,
			  struct utmem_save **out);
	int (*save_step)(struct utmem_save *s, size_t budget);
	void (*save_end)(struct utmem_save *s);

	/*
	 * Optional, all three or none. A content for a pool, in a pool of its own that nobody can
	 * find: put and streams work on *out as on any, charged to @t. commit makes it the named
	 * pool's, in one step; then, or by abort, *out is gone. -EEXIST the pool has values (and
	 * not @replace), -ENOENT it is not there (and not @create), -EINVAL it is of another kind,
	 * -EBUSY another restore of it, -ESTALE it was made or destroyed meanwhile, -ENOSPC, -ENOMEM,
	 * -E2BIG. A commit that fails leaves *out; nothing of it outlives the engine's process.
	 */
	int (*restore_begin)(struct utmem_tenant *t, struct utmem_restore_spec *spec,
			     struct utmem_pool **out);
	int (*restore_commit)(struct utmem_pool *p);
	void (*restore_abort)(struct utmem_pool *p);

	/*
	 * Required. Background work (cleaning, freeing what was flushed), about
	 * @budget bytes of it. Return: true when there is more.
	 */
	bool (*maintain)(struct utmem_engine *e, size_t budget);
	/*
	 * Required. Give memory back to the host at once, about @budget bytes of work towards
	 * r->bytes: first what is free, then what cleaning gains cheaply, then by dropping
	 * ephemeral values. Return: true when a further call may give back more.
	 */
	bool (*reclaim)(struct utmem_engine *e, struct utmem_reclaim *r, size_t budget);
};

/* Every engine, tenant, pool and stream begins with a pointer to its engine's ops. */
struct utmem_object {
	const struct utmem_engine_ops *ops;
};

static inline const struct utmem_engine_ops *utmem_ops(const void *object)
{
	return ((const struct utmem_object *)object)->ops;
}

extern const struct utmem_engine_ops utmem_engine_pool;
extern const struct utmem_engine_ops utmem_engine_null;

/* Bytes of meta that an arena of that length needs; 0: there is no such arena. */
size_t utmem_meta_len(size_t arena_len);

/* Return: the engine of that name ("pool", "null"), or NULL. */
const struct utmem_engine_ops *utmem_engine_find(const char *name);

/* Is @name 1 .. 63 of [A-Za-z0-9._-]? */
bool utmem_name_valid(const char *name);

#endif /* UTMEM_POOL_H */
