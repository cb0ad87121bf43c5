// SPDX-License-Identifier: MIT
/*
 * Owns the translation between the running daemon and the registry's data. Called
 * by registry.c, on the daemon's main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/registry_view.h"
#include "host/utmemd/tenant.h"

/* ---- the daemon as data ---- */

static const char *name_of(struct utmem_tenant *t)
{
	struct utmem_tenant_stat stat;

	utmem_ops(t)->tenant_stat(t, &stat);
	return stat.name;
}

static int view_grants(struct utmem_pool *pool, const struct tenant *gone, struct registry_pool *p)
{
	const struct utmem_engine_ops *ops = utmem_ops(pool);
	struct utmem_tenant *to = NULL;
	struct registry_grant *g;
	bool readonly;

	while ((to = ops->grant_next(pool, to, &readonly))) {
		if (gone && gone->pools == to)
			continue;
		g = registry_add_grant(p, name_of(to));
		if (!g)
			return -ENOMEM;
		g->readonly = readonly;
	}
	return 0;
}

static int view_pool(struct utmem_pool *pool, const struct tenant *gone, struct registry_tenant *t)
{
	struct registry_pool *p = registry_add_pool(t, utmem_ops(pool)->pool_name(pool));

	if (!p)
		return -ENOMEM;
	p->id = utmem_ops(pool)->pool_id(pool);
	p->kind = utmem_ops(pool)->pool_kind(pool);
	p->has_options = true;
	p->options = utmem_ops(pool)->pool_options(pool);
	return view_grants(pool, gone, p);
}

static int view_tenant(struct tenant *tenant, const struct tenant *gone, struct registry_list *list)
{
	const struct utmem_engine_ops *ops = utmem_ops(tenant->pools);
	struct registry_tenant *t = registry_add_tenant(list, tenant->name);
	struct utmem_tenant_stat stat;
	struct utmem_pool *p = NULL;
	int err = 0;

	if (!t)
		return -ENOMEM;
	ops->tenant_stat(tenant->pools, &stat);
	t->quota = stat.quota_bytes;
	t->weight = stat.weight;
	while (!err && (p = ops->pool_next(tenant->pools, p)))
		err = view_pool(p, gone, t);
	return err;
}

int registry_view(const struct daemon *d, const struct tenant *gone, struct registry_list *list)
{
	struct tenant *t;
	int err = 0;

	TAILQ_FOREACH(t, &d->tenants, link)
	{
		if (!err && t != gone)
			err = view_tenant(t, gone, list);
	}
	return err;
}

/* Ids are never used again: a sum of what their hashes are stands for the set. */
uint64_t registry_view_pools(const struct daemon *d, const struct tenant *gone)
{
	const struct utmem_engine_ops *ops = utmem_ops(d->engine);
	struct utmem_pool *p;
	uint64_t id, sum = 0;
	struct tenant *t;

	TAILQ_FOREACH(t, &d->tenants, link)
	{
		for (p = NULL; t != gone && (p = ops->pool_next(t->pools, p));) {
			id = ops->pool_id(p);
			sum += XXH3_64bits(&id, sizeof(id));
		}
	}
	return sum;
}

/* ---- the command line ---- */

static struct registry_tenant *find_tenant(const struct registry_list *list, const char *name)
{
	uint32_t i;

	for (i = 0; i < list->nr_tenants; i++) {
		if (!strcmp(list->tenants[i].name, name))
			return &list->tenants[i];
	}
	return NULL;
}

int registry_view_merge(struct registry_list *list, const struct options *opt)
{
	struct registry_tenant *t;
	uint32_t i;

	for (i = 0; i < opt->nr_tenants; i++) {
		const struct tenant_option *o = &opt->tenants[i];

		t = find_tenant(list, o->name);
		if (t && t->quota != o->quota)
			log_info("tenant %s: quota %" PRIu64 " of the registry gives way to the "
				 "option's",
				 o->name, t->quota);
		if (!t)
			t = registry_add_tenant(list, o->name);
		if (!t)
			return -ENOMEM;
		t->quota = o->quota;
		if (o->weight)
			t->weight = o->weight;
	}
	return 0;
}

/* ---- data as the daemon ---- */

/* The engine may be another one, which does not have them: that is said, and no reason to stop. */
static int apply_options(const struct tenant *t, const struct registry_pool *p,
			 struct utmem_pool *pool)
{
	int err = p->has_options ? utmem_ops(pool)->pool_options_set(pool, &p->options) : 0;

	if (err)
		log_error("pool %s/%s: its options: %s", t->name, p->name, strerror(-err));
	return err == -EOPNOTSUPP ? 0 : err;
}

/*
 * An arena that was found knows better, for the registry may lag behind: a pool that is not in it
 * was destroyed, one that is there stays as it is.
 */
static int apply_pool(const struct daemon *d, const struct tenant *t, const struct registry_pool *p)
{
	const struct utmem_engine_ops *ops = utmem_ops(t->pools);
	struct utmem_pool_spec spec = {
		.name = p->name, .kind = p->kind, .create = true, .any_owner = true};
	struct utmem_pool *pool = tenant_pool_find(t, p->name);
	int err;

	if (pool || d->recovery.engine.found)
		return 0;
	err = ops->pool_open(t->pools, t->pools, &spec, &pool, NULL);
	if (err) {
		log_error("pool %s/%s: %s", t->name, p->name, strerror(-err));
		return err;
	}
	err = apply_options(t, p, pool);
	ops->pool_close(pool);
	return err;
}

/* What was granted; NULL: it is not there any more, and another one of its name was granted to nobody. */
static struct utmem_pool *granted_pool(const struct daemon *d, const struct tenant *t,
				       const struct registry_pool *p)
{
	struct utmem_pool *pool = tenant_pool_find(t, p->name);

	if (pool && d->recovery.engine.found && utmem_ops(pool)->pool_id(pool) != p->id)
		return NULL;
	return pool;
}

/* A pool that the arena has of another kind can have no grants: that is said, and no reason to stop. */
static int apply_grants(struct daemon *d, const struct tenant *t, const struct registry_pool *p)
{
	struct utmem_pool *pool = granted_pool(d, t, p);
	uint32_t i;
	int err;

	if (!pool)
		return 0;
	for (i = 0; i < p->nr_grants; i++) {
		const struct registry_grant *g = &p->grants[i];
		const struct tenant *to = tenant_find(d, g->to);

		err = utmem_ops(pool)->pool_grant(pool, to->pools, g->readonly);
		if (err)
			log_error("pool %s/%s: grant to %s: %s", t->name, p->name, g->to,
				  strerror(-err));
		if (err && err != -EINVAL)
			return err;
	}
	return 0;
}

/* A worker after another finds tenants there already. */
static int apply_limits(struct daemon *d, const struct registry_tenant *t)
{
	struct tenant *tenant = tenant_find(d, t->name);
	int err = 0;

	if (tenant)
		err = tenant_set_quota(tenant, t->quota);
	else
		err = tenant_open(d, t->name, t->quota, t->weight);
	if (err)
		return err;
	tenant = tenant_find(d, t->name);
	return utmem_ops(tenant->pools)->tenant_weight(tenant->pools, t->weight);
}

static int apply_tenant(struct daemon *d, const struct registry_tenant *t)
{
	uint32_t i;
	int err = apply_limits(d, t);

	if (err)
		log_error("tenant %s: %s", t->name, strerror(-err));
	for (i = 0; i < t->nr_pools && !err; i++)
		err = apply_pool(d, tenant_find(d, t->name), &t->pools[i]);
	return err;
}

int registry_view_apply(struct daemon *d, const struct registry_list *list)
{
	const struct registry_tenant *t;
	uint32_t i, j;
	int err = 0;

	for (i = 0; i < list->nr_tenants && !err; i++)
		err = apply_tenant(d, &list->tenants[i]);
	/* Grants are to tenants that all have to be there. */
	for (i = 0; i < list->nr_tenants && !err; i++) {
		t = &list->tenants[i];
		for (j = 0; j < t->nr_pools && !err; j++)
			err = apply_grants(d, tenant_find(d, t->name), &t->pools[j]);
	}
	return err;
}

int registry_view_adopt(struct daemon *d)
{
	const struct utmem_engine_ops *ops = utmem_ops(d->engine);
	struct utmem_tenant_stat stat;
	struct utmem_tenant *t = NULL;
	int err = 0;

	while (!err && (t = ops->tenant_next(d->engine, t))) {
		ops->tenant_stat(t, &stat);
		if (tenant_find(d, stat.name))
			continue;
		log_warn("tenant %s: has pools in the arena and is in no registry: kept, and its "
			 "quota is what it uses",
			 stat.name);
		err = tenant_open(d, stat.name, stat.used_bytes, UTMEM_WEIGHT_DEFAULT);
		if (err)
			log_error("tenant %s: %s", stat.name, strerror(-err));
	}
	return err;
}
