// SPDX-License-Identifier: MIT
/*
 * Tenants and pools as objects, for every engine: names, owners, grants, references.
 * Called through the engines' vtables, on the engine's thread.
 */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "stream.h"
#include "tenant.h"

/* The operator's word that a tenant may use a shared pool; until it is revoked, or the pool destroyed. */
struct grant {
	struct list link;
	struct utmem_tenant *to;
	bool readonly;
};

static void *zalloc(struct utmem_engine *e, size_t len)
{
	void *p = utpool_alloc(e, len, _Alignof(max_align_t));

	if (p)
		memset(p, 0, len);
	return p;
}

/* ---- pools ---- */

static struct grant *grant_find(const struct utmem_pool *p, const struct utmem_tenant *to)
{
	struct list *l = NULL;

	while ((l = list_after(&p->grants, l)))
		if (list_entry(l, struct grant, link)->to == to)
			return list_entry(l, struct grant, link);
	return NULL;
}

static void grant_free(struct utmem_engine *e, struct grant *g)
{
	list_del(&g->link);
	utpool_free(e, g, sizeof(*g));
}

static void pool_free(struct utmem_pool *p)
{
	struct utmem_tenant *t = p->tenant;

	list_del(&p->link);
	t->nr_objects--;
	utpool_free(t->engine, p, sizeof(*p));
}

/* An object that is on no list yet, and has no content. */
static int pool_alloc(struct utmem_tenant *t, const char *name, const struct utmem_pool_kind *kind,
		      struct utmem_pool **out)
{
	struct utmem_pool *p;

	if (t->nr_objects == UTPOOL_POOLS_PER_TENANT)
		return -E2BIG;
	p = zalloc(t->engine, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->ops = t->ops;
	p->tenant = t;
	p->kind = *kind;
	strcpy(p->name, name);
	list_init(&p->grants);
	*out = p;
	return 0;
}

static struct list *id_bucket(struct utmem_engine *e, uint64_t id)
{
	return &e->by_id[id % UTPOOL_ID_BUCKETS];
}

static void pool_show(struct utmem_pool *p)
{
	struct utmem_tenant *t = p->tenant;

	list_add_tail(&t->pools, &p->link);
	list_add_tail(id_bucket(t->engine, p->id), &p->id_link);
	t->nr_pools++;
}

static void pool_add(struct utmem_pool *p)
{
	if (p->incoming)
		list_add_tail(&p->tenant->incoming, &p->link);
	else
		pool_show(p);
	p->tenant->nr_objects++;
}

/* @id 0: a new one. */
static int pool_create(struct utmem_tenant *t, const struct utmem_pool_spec *spec, bool incoming,
		       uint64_t id, struct utmem_pool **out)
{
	struct utmem_engine *e = t->engine;
	struct utmem_pool *p;
	int err = pool_alloc(t, spec->name, &spec->kind, &p);

	if (err)
		return err;
	p->incoming = incoming;
	p->id = id ? id : ++e->last_pool_id;
	err = utpool_pool_options_set(p, &e->default_options);
	if (!err)
		err = e->hooks->pool_init(p);
	if (err) {
		utpool_free(e, p, sizeof(*p));
		return err;
	}
	pool_add(p);
	*out = p;
	return 0;
}

int utpool_pool_restore(struct utmem_tenant *t, const char *name,
			const struct utmem_pool_kind *kind, uint64_t id, struct utmem_pool **out)
{
	int err = pool_alloc(t, name, kind, out);

	if (err)
		return err;
	(*out)->id = id;
	pool_add(*out);
	return 0;
}

int utpool_pool_alloc_incoming(struct utmem_tenant *t, const struct utmem_pool_spec *spec,
			       uint64_t id, struct utmem_pool **out)
{
	int err = pool_create(t, spec, true, id, out);

	if (!err)
		utpool_pool_ref(*out);
	return err;
}

void utpool_pool_publish(struct utmem_pool *p)
{
	list_del(&p->link);
	p->incoming = false;
	pool_show(p);
}

void utpool_pool_renumber(struct utmem_pool *p, uint64_t id)
{
	list_del(&p->id_link);
	p->id = id;
	list_add_tail(id_bucket(p->tenant->engine, id), &p->id_link);
}

static struct utmem_pool *find_named(const struct list *pools, const char *name)
{
	struct list *l = NULL;

	while ((l = list_after(pools, l)))
		if (!strcmp(list_entry(l, struct utmem_pool, link)->name, name))
			return list_entry(l, struct utmem_pool, link);
	return NULL;
}

struct utmem_pool *utpool_pool_by_name(struct utmem_tenant *t, const char *name)
{
	return find_named(&t->pools, name);
}

struct utmem_pool *utpool_pool_incoming(struct utmem_tenant *t, const char *name)
{
	return find_named(&t->incoming, name);
}

/*
 * May a user of the owning tenant attach to @p? Pools belong to the user who made them. Who would
 * make a pool of his own must not be given one that another has put there, under its name.
 */
static int check_own(const struct utmem_pool *p, const struct utmem_pool_spec *spec)
{
	if (p->kind.owner == spec->kind.owner || spec->any_owner)
		return 0;
	if (p->kind.guest_shared && (!spec->create || spec->kind.guest_shared))
		return 0;
	return -EACCES;
}

static int check_spec(const struct utmem_pool *p, const struct utmem_pool_spec *spec)
{
	if (spec->create && spec->excl)
		return -EEXIST;
	if (p->kind.ephemeral != spec->kind.ephemeral || p->kind.shared != spec->kind.shared)
		return -EINVAL;
	return 0;
}

static int open_own(struct utmem_tenant *t, const struct utmem_pool_spec *spec,
		    struct utmem_pool **out)
{
	struct utmem_pool *p = utpool_pool_by_name(t, spec->name);
	int err;

	if (!p)
		return spec->create ? pool_create(t, spec, false, 0, out) : -ENOENT;
	err = check_own(p, spec);
	if (!err)
		err = check_spec(p, spec);
	if (!err)
		*out = p;
	return err;
}

/* Another's pool: whoever was not granted it does not learn whether it exists. */
static int open_foreign(struct utmem_tenant *who, struct utmem_tenant *owner,
			const struct utmem_pool_spec *spec, struct utmem_pool **out, bool *readonly)
{
	struct utmem_pool *p = utpool_pool_by_name(owner, spec->name);
	struct grant *g = p ? grant_find(p, who) : NULL;
	int err;

	if (!g)
		return -EACCES;
	err = check_spec(p, spec);
	if (err)
		return err;
	if (g->readonly && readonly)
		*readonly = true;
	*out = p;
	return 0;
}

int utpool_pool_open(struct utmem_tenant *who, struct utmem_tenant *owner,
		     const struct utmem_pool_spec *spec, struct utmem_pool **out, bool *readonly)
{
	struct utmem_pool *p = NULL;
	int err;

	*out = NULL;
	if (!utmem_name_valid(spec->name))
		return -EINVAL;
	if (who == owner)
		err = open_own(owner, spec, &p);
	else
		err = open_foreign(who, owner, spec, &p, readonly);
	if (err)
		return err;
	utpool_pool_ref(p);
	*out = p;
	return 0;
}

int utpool_pool_attach(struct utmem_tenant *who, struct utmem_pool *p)
{
	bool readonly;
	int err = utpool_pool_rights(p, who, &readonly);

	if (!err)
		utpool_pool_ref(p);
	return err;
}

void utpool_pool_ref(struct utmem_pool *p)
{
	p->nr_refs++;
	p->tenant->nr_refs++;
}

void utpool_pool_unref(struct utmem_pool *p)
{
	p->nr_refs--;
	p->tenant->nr_refs--;
	if (p->destroyed && !p->nr_refs)
		pool_free(p);
}

int utpool_pool_destroy(struct utmem_pool *p)
{
	struct utmem_tenant *t = p->tenant;
	struct list *l;

	if (p->destroyed)
		return -ESTALE;
	while ((l = list_after(&p->grants, NULL)))
		grant_free(t->engine, list_entry(l, struct grant, link));
	if (t->hand == p)
		t->hand = NULL;
	list_del(&p->link);
	list_add_tail(&t->destroyed, &p->link);
	if (!p->incoming) {
		list_del(&p->id_link);
		t->nr_pools--;
	}
	p->destroyed = true;
	t->engine->hooks->pool_drop(p);
	if (!p->nr_refs)
		pool_free(p);
	return 0;
}

int utpool_pool_grant(struct utmem_pool *p, struct utmem_tenant *to, bool readonly)
{
	struct utmem_engine *e = p->tenant->engine;
	struct grant *g;

	if (p->destroyed)
		return -ESTALE;
	if (!p->kind.shared || to == p->tenant)
		return -EINVAL;
	g = grant_find(p, to);
	if (!g) {
		g = zalloc(e, sizeof(*g));
		if (!g)
			return -ENOMEM;
		g->to = to;
		list_add_tail(&p->grants, &g->link);
	}
	g->readonly = readonly;
	return 0;
}

int utpool_pool_revoke(struct utmem_pool *p, struct utmem_tenant *from)
{
	struct grant *g = grant_find(p, from);

	if (p->destroyed)
		return -ESTALE;
	if (!g)
		return -ENOENT;
	grant_free(p->tenant->engine, g);
	return 0;
}

int utpool_pool_rights(const struct utmem_pool *p, const struct utmem_tenant *who, bool *readonly)
{
	struct grant *g;

	*readonly = false;
	if (p->destroyed)
		return -ESTALE;
	if (who == p->tenant)
		return 0;
	g = grant_find(p, who);
	if (!g)
		return -EACCES;
	*readonly = g->readonly;
	return 0;
}

struct utmem_tenant *utpool_grant_next(const struct utmem_pool *p, const struct utmem_tenant *after,
				       bool *readonly)
{
	struct grant *g = after ? grant_find(p, after) : NULL;
	struct list *l;

	if (after && !g)
		return NULL;
	l = list_after(&p->grants, g ? &g->link : NULL);
	if (!l)
		return NULL;
	g = list_entry(l, struct grant, link);
	*readonly = g->readonly;
	return g->to;
}

uint64_t utpool_pool_id(const struct utmem_pool *p)
{
	return p->id;
}

struct utmem_pool *utpool_pool_find(struct utmem_engine *e, uint64_t id)
{
	const struct list *bucket = id_bucket(e, id);
	struct list *l = NULL;

	while ((l = list_after(bucket, l)))
		if (list_entry(l, struct utmem_pool, id_link)->id == id)
			return list_entry(l, struct utmem_pool, id_link);
	return NULL;
}

const char *utpool_pool_name(const struct utmem_pool *p)
{
	return p->name;
}

struct utmem_tenant *utpool_pool_tenant(const struct utmem_pool *p)
{
	return p->tenant;
}

struct utmem_pool_kind utpool_pool_kind(const struct utmem_pool *p)
{
	return p->kind;
}

void utpool_pool_stat(const struct utmem_pool *p, struct utmem_pool_counters *out)
{
	*out = p->counters;
	out->stored_bytes = out->value_bytes - p->spared_bytes;
}

struct utmem_pool *utpool_pool_next(struct utmem_tenant *t, struct utmem_pool *after)
{
	struct list *l = list_after(&t->pools, after ? &after->link : NULL);

	return l ? list_entry(l, struct utmem_pool, link) : NULL;
}

/* ---- tenants ---- */

static struct utmem_tenant *tenant_find(struct utmem_engine *e, const char *name)
{
	struct utmem_tenant *t = NULL;

	while ((t = utpool_tenant_next(e, t)))
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

static int tenant_alloc(struct utmem_engine *e, const char *name, uint64_t quota,
			struct utmem_tenant **out)
{
	struct utmem_tenant *t = zalloc(e, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->ops = e->ops;
	t->engine = e;
	t->quota_bytes = quota;
	t->weight = UTMEM_WEIGHT_DEFAULT;
	strcpy(t->name, name);
	list_init(&t->pools);
	list_init(&t->incoming);
	list_init(&t->destroyed);
	list_add_tail(&e->tenants, &t->link);
	*out = t;
	return 0;
}

/* It was found by open, and somebody wants it. */
static int tenant_adopt(struct utmem_tenant *t, uint64_t quota, struct utmem_tenant **out)
{
	if (!t->found)
		return -EEXIST;
	t->found = false;
	*out = t;
	return utpool_tenant_quota(t, quota);
}

int utpool_tenant_add(struct utmem_engine *e, const char *name, uint64_t quota,
		      struct utmem_tenant **out)
{
	struct utmem_tenant *t;

	*out = NULL;
	if (!utmem_name_valid(name))
		return -EINVAL;
	t = tenant_find(e, name);
	return t ? tenant_adopt(t, quota, out) : tenant_alloc(e, name, quota, out);
}

int utpool_tenant_restore(struct utmem_engine *e, const char *name, struct utmem_tenant **out)
{
	int err = 0;

	*out = tenant_find(e, name);
	if (!*out)
		err = tenant_alloc(e, name, UINT64_MAX, out);
	if (!err)
		(*out)->found = true;
	return err;
}

/* What others have granted to @t. */
static void drop_grants_to(struct utmem_tenant *t)
{
	struct utmem_engine *e = t->engine;
	struct utmem_tenant *owner = NULL;
	struct utmem_pool *p;
	struct grant *g;

	while ((owner = utpool_tenant_next(e, owner))) {
		for (p = NULL; (p = utpool_pool_next(owner, p));) {
			g = grant_find(p, t);
			if (g)
				grant_free(e, g);
		}
	}
}

static void tenant_free(struct utmem_tenant *t)
{
	struct utmem_engine *e = t->engine;
	struct utmem_pool *p;
	struct list *l;

	while ((p = utpool_pool_next(t, NULL)))
		utpool_pool_destroy(p);
	while ((l = list_after(&t->incoming, NULL)))
		utpool_pool_destroy(list_entry(l, struct utmem_pool, link));
	while ((l = list_after(&t->destroyed, NULL)))
		pool_free(list_entry(l, struct utmem_pool, link));
	if (e->hooks->tenant_drop)
		e->hooks->tenant_drop(t);
	list_del(&t->link);
	utpool_free(e, t, sizeof(*t));
}

int utpool_tenant_remove(struct utmem_tenant *t)
{
	if (t->nr_refs)
		return -EBUSY;
	drop_grants_to(t);
	tenant_free(t);
	return 0;
}

int utpool_tenant_quota(struct utmem_tenant *t, uint64_t quota)
{
	t->quota_bytes = quota;
	t->engine->hooks->quota_fit(t);
	return 0;
}

int utpool_tenant_weight(struct utmem_tenant *t, uint32_t weight)
{
	if (weight < UTMEM_WEIGHT_MIN || weight > UTMEM_WEIGHT_MAX)
		return -EINVAL;
	t->weight = weight;
	return 0;
}

void utpool_tenant_stat(struct utmem_tenant *t, struct utmem_tenant_stat *out)
{
	out->name = t->name;
	out->quota_bytes = t->quota_bytes;
	out->used_bytes = t->used_bytes;
	out->ephemeral_bytes = t->evictable_bytes;
	out->shared_bytes = t->shared_bytes;
	out->nr_pools = t->nr_pools;
	out->weight = t->weight;
}

struct utmem_tenant *utpool_tenant_next(struct utmem_engine *e, struct utmem_tenant *after)
{
	struct list *l = list_after(&e->tenants, after ? &after->link : NULL);

	return l ? list_entry(l, struct utmem_tenant, link) : NULL;
}

/* ---- the engine ---- */

void utpool_tenants_init(struct utmem_engine *e, const struct utmem_engine_ops *ops,
			 const struct tenant_hooks *hooks, const struct utmem_memory *mem)
{
	uint32_t i;

	e->ops = ops;
	e->hooks = hooks;
	e->mem = *mem;
	e->private_bytes = 0;
	e->last_pool_id = 0;
	e->last_stream_id = 0;
	e->default_options = (struct utmem_pool_options){0};
	list_init(&e->tenants);
	for (i = 0; i < UTPOOL_ID_BUCKETS; i++)
		list_init(&e->by_id[i]);
	list_init(&e->streams);
}

void utpool_tenants_exit(struct utmem_engine *e)
{
	struct utmem_tenant *t;
	struct list *l;

	while ((l = list_after(&e->streams, NULL)))
		utpool_stream_free(list_entry(l, struct utmem_stream, link));
	while ((t = utpool_tenant_next(e, NULL)))
		tenant_free(t);
}

uint64_t utpool_hash(const struct utmem_engine *e, const void *key, uint32_t len)
{
	return XXH3_64bits_withSeed(key, len, e->mem.seed);
}
