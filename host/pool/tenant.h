/* SPDX-License-Identifier: MIT */
/*
 * Tenants and pools as objects: names, owners, grants, references, charges.
 *
 * Owner: host/pool. Both engines hold their tenants and pools with it; what a pool
 * contains is the engine's affair and is reached through the hooks.
 * The engine's thread.
 */
#ifndef UTMEM_POOL_TENANT_H
#define UTMEM_POOL_TENANT_H

#include <errno.h>

#include "list.h"
#include "pool.h"

/* Pools of one tenant, destroyed ones that are still attached included: objects cost
 * memory that no quota counts. One more is -E2BIG. */
#define UTPOOL_POOLS_PER_TENANT 1024u

/* Ids are given out one after the other, so so many pools and multiples of it spread evenly. */
#define UTPOOL_ID_BUCKETS 256u

struct store;
struct commons;

/* What an engine adds to the life of a pool. */
struct tenant_hooks {
	/* Required. Give a new pool its (empty) content. 0 or -errno. */
	int (*pool_init)(struct utmem_pool *p);
	/* Required. The pool's values and their charge are gone; called once for each pool. */
	void (*pool_drop)(struct utmem_pool *p);
	/* Required. @o, which is valid, is to be its pool's options: get what they need. 0 or -errno. */
	int (*options_prepare)(struct utmem_pool *p, const struct utmem_pool_options *o);
	/* Optional. The tenant goes, and its pools are gone. */
	void (*tenant_drop)(struct utmem_tenant *t);
	/* Required. The quota has changed: drop what may be dropped until it fits. */
	void (*quota_fit)(struct utmem_tenant *t);
};

struct utmem_engine {
	const struct utmem_engine_ops *ops;
	const struct tenant_hooks *hooks;
	struct utmem_memory mem;
	uint64_t private_bytes; /* taken with alloc and not yet freed */
	uint64_t last_pool_id;
	struct utmem_pool_options default_options; /* of a new pool */
	uint64_t index_age; /* grows when pointers into an index (of any pool) become invalid */
	struct list tenants;
	struct list by_id
		[UTPOOL_ID_BUCKETS]; /* pools that can be found, by the last bits of their ids */
	struct list streams;	     /* in progress, of all pools */
	uint32_t last_stream_id;     /* in the null engine */
};

struct utmem_tenant {
	const struct utmem_engine_ops *ops;
	struct utmem_engine *engine;
	struct list link;	 /* engine->tenants */
	struct list pools;	 /* those that can be found by name */
	struct list incoming;	 /* those that are being restored: nobody finds them */
	struct list destroyed;	 /* those that are only waited for by who is still attached */
	struct utmem_pool *hand; /* where eviction goes on; NULL: at the first */
	uint64_t quota_bytes;
	uint64_t used_bytes;	  /* over all pools, streams in progress included */
	uint64_t evictable_bytes; /* the part of it that is values of ephemeral pools only */
	uint64_t shared_bytes;	  /* the part of it that is values of several pools */
	struct commons *commons;  /* these values; NULL: no pool of it has asked for dedup */
	bool packs;		  /* has, or had, pools whose values are packed or shared */
	uint32_t weight;	  /* what evictable_bytes is divided by where the arena is short */
	bool loses;	     /* values by eviction for the arena's sake, as share.c saw it last */
	uint32_t evict_left; /* steps of eviction that its puts may still take in evict_turn */
	uint32_t evict_turn; /* the engine's, when it had them all */
	uint32_t nr_pools;   /* on the list */
	uint32_t nr_objects; /* nr_pools + destroyed ones that are still referenced */
	uint32_t nr_refs;    /* attachments and streams, over all its pools */
	bool found;	     /* by open; nobody has added it since */
	char name[UTMEM_POOL_NAME_LEN];
};

struct utmem_pool {
	const struct utmem_engine_ops *ops;
	struct utmem_tenant *tenant;
	uint64_t id;	     /* no other pool of the engine has or had it */
	struct list link;    /* tenant->pools, or tenant->destroyed */
	struct list id_link; /* engine->by_id, while it is on tenant->pools */
	struct list grants;  /* struct grant */
	struct store
		*store; /* what the pool contains; NULL in the null engine and once destroyed */
	struct utmem_save *save; /* under way; its next value may be about to die */
	struct utmem_pool_counters counters;
	uint64_t spared_bytes; /* what packing and sharing save of counters.value_bytes */
	struct utmem_pool_options options;
	struct utmem_pool_kind kind;
	bool marks_used;  /* somebody wants to know which values are read */
	uint32_t nr_refs; /* attachments and streams */
	bool destroyed;
	bool incoming;	      /* on tenant->incoming: its content is to be another pool's */
	bool create, replace; /* what that one may be (incoming) */
	char name[UTMEM_POOL_NAME_LEN];
};

static inline void *utpool_alloc(struct utmem_engine *e, size_t len, size_t align)
{
	void *p = e->mem.alloc(e->mem.ctx, len, align);

	if (p)
		e->private_bytes += len;
	return p;
}

static inline void utpool_free(struct utmem_engine *e, void *p, size_t len)
{
	e->private_bytes -= len;
	e->mem.free(e->mem.ctx, p, len);
}

/* A reference keeps the pool object alive: an attachment, a stream. */
void utpool_pool_ref(struct utmem_pool *p);
void utpool_pool_unref(struct utmem_pool *p);

/* Begin and end of an engine's bookkeeping; exit drops streams, tenants and pools, attached or not. */
void utpool_tenants_init(struct utmem_engine *e, const struct utmem_engine_ops *ops,
			 const struct tenant_hooks *hooks, const struct utmem_memory *mem);
void utpool_tenants_exit(struct utmem_engine *e);

/*
 * For recovery: the tenant of that name, which is made where there is none, and a pool of it, which
 * has that id and no content yet. -ENOMEM; -EEXIST, -E2BIG (UTPOOL_POOLS_PER_TENANT).
 */
int utpool_tenant_restore(struct utmem_engine *e, const char *name, struct utmem_tenant **out);
int utpool_pool_restore(struct utmem_tenant *t, const char *name,
			const struct utmem_pool_kind *kind, uint64_t id, struct utmem_pool **out);
/* The same pool, which another entry knew by another id. */
void utpool_pool_renumber(struct utmem_pool *p, uint64_t id);
struct utmem_pool *utpool_pool_by_name(struct utmem_tenant *t, const char *name);
/* A pool that only its maker knows; he has a reference. @id 0: a new one. -ENOMEM, -E2BIG. */
int utpool_pool_alloc_incoming(struct utmem_tenant *t, const struct utmem_pool_spec *spec,
			       uint64_t id, struct utmem_pool **out);
/* From here on it is found by its name. */
void utpool_pool_publish(struct utmem_pool *p);
/* Of those that are being restored. */
struct utmem_pool *utpool_pool_incoming(struct utmem_tenant *t, const char *name);

/* The same for every engine: these stand in the vtables as they are. */
int utpool_tenant_add(struct utmem_engine *e, const char *name, uint64_t quota,
		      struct utmem_tenant **out);
int utpool_tenant_remove(struct utmem_tenant *t);
int utpool_tenant_quota(struct utmem_tenant *t, uint64_t quota);
int utpool_tenant_weight(struct utmem_tenant *t, uint32_t weight);
void utpool_tenant_stat(struct utmem_tenant *t, struct utmem_tenant_stat *out);
struct utmem_tenant *utpool_tenant_next(struct utmem_engine *e, struct utmem_tenant *after);
int utpool_pool_open(struct utmem_tenant *who, struct utmem_tenant *owner,
		     const struct utmem_pool_spec *spec, struct utmem_pool **out, bool *readonly);
int utpool_pool_attach(struct utmem_tenant *who, struct utmem_pool *p);
int utpool_pool_destroy(struct utmem_pool *p);
int utpool_pool_grant(struct utmem_pool *p, struct utmem_tenant *to, bool readonly);
int utpool_pool_revoke(struct utmem_pool *p, struct utmem_tenant *from);
int utpool_pool_rights(const struct utmem_pool *p, const struct utmem_tenant *who, bool *readonly);
struct utmem_tenant *utpool_grant_next(const struct utmem_pool *p, const struct utmem_tenant *after,
				       bool *readonly);
uint64_t utpool_pool_id(const struct utmem_pool *p);
struct utmem_pool *utpool_pool_find(struct utmem_engine *e, uint64_t id);
const char *utpool_pool_name(const struct utmem_pool *p);
struct utmem_tenant *utpool_pool_tenant(const struct utmem_pool *p);
struct utmem_pool_kind utpool_pool_kind(const struct utmem_pool *p);
void utpool_pool_stat(const struct utmem_pool *p, struct utmem_pool_counters *out);
struct utmem_pool *utpool_pool_next(struct utmem_tenant *t, struct utmem_pool *after);
uint64_t utpool_hash(const struct utmem_engine *e, const void *key, uint32_t len);

/* ---- options.c: the same for every engine ---- */

/* Fill in what is not said. 0, -EINVAL. */
int utpool_options_check(struct utmem_pool_options *o);
int utpool_pool_options_set(struct utmem_pool *p, const struct utmem_pool_options *o);
struct utmem_pool_options utpool_pool_options(const struct utmem_pool *p);
int utpool_default_options_set(struct utmem_engine *e, const struct utmem_pool_options *o);

/* 0, -EINVAL (empty), -E2BIG: what every call with a key asks first. */
static inline int utpool_key_check(const struct utmem_key *key)
{
	if (!key->len)
		return -EINVAL;
	return key->len > UTMEM_POOL_KEY_MAX ? -E2BIG : 0;
}

#endif /* UTMEM_POOL_TENANT_H */
