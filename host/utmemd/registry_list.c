// SPDX-License-Identifier: MIT
/*
 * Owns the memory of the registry's data, and the rules that it obeys. Called by
 * registry.c and registry_json.c, at start, on commands and at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/registry_list.h"

/* Room for one more, zeroed. It doubles at powers of two, so that the count is all there is to keep. */
static void *append(void **array, uint32_t *nr, size_t size)
{
	void *more = *array;
	char *slot;

	if (!(*nr & (*nr - 1)))
		more = reallocarray(more, *nr ? 2 * (size_t)*nr : 1, size);
	if (!more)
		return NULL;
	*array = more;
	slot = (char *)more + size * (*nr)++;
	return memset(slot, 0, size);
}

struct registry_tenant *registry_add_tenant(struct registry_list *list, const char *name)
{
	struct registry_tenant *t = append((void **)&list->tenants, &list->nr_tenants, sizeof(*t));

	if (!t)
		return NULL;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->weight = UTMEM_WEIGHT_DEFAULT;
	return t;
}

struct registry_pool *registry_add_pool(struct registry_tenant *t, const char *name)
{
	struct registry_pool *p = append((void **)&t->pools, &t->nr_pools, sizeof(*p));

	if (p)
		snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

struct registry_grant *registry_add_grant(struct registry_pool *p, const char *to)
{
	struct registry_grant *g = append((void **)&p->grants, &p->nr_grants, sizeof(*g));

	if (g)
		snprintf(g->to, sizeof(g->to), "%s", to);
	return g;
}

void registry_list_exit(struct registry_list *list)
{
	uint32_t i, j;

	for (i = 0; i < list->nr_tenants; i++) {
		for (j = 0; j < list->tenants[i].nr_pools; j++)
			free(list->tenants[i].pools[j].grants);
		free(list->tenants[i].pools);
	}
	free(list->tenants);
	memset(list, 0, sizeof(*list));
}

/* ---- the rules ---- */

struct check {
	const struct registry_list *list;
	const char **names; /* of tenants, sorted */
	char *why;
	size_t why_len;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts @names. Return: one that is there twice, or NULL. */
static const char *find_twice(const char **names, uint32_t nr)
{
	uint32_t i;

	qsort(names, nr, sizeof(*names), compare_names);
	for (i = 1; i < nr; i++) {
		if (!strcmp(names[i - 1], names[i]))
			return names[i];
	}
	return NULL;
}

static bool tenant_is_there(const struct check *c, const char *name)
{
	return bsearch(&name, c->names, c->list->nr_tenants, sizeof(*c->names), compare_names);
}

static int check_grants(const struct check *c, const struct registry_tenant *t,
			const struct registry_pool *p)
{
	const char *what = NULL;
	uint32_t i, j;

	for (i = 0; i < p->nr_grants && !what; i++) {
		const char *to = p->grants[i].to;

		if (!p->kind.shared)
			what = "the pool is not shared";
		else if (!strcmp(to, t->name))
			what = "it is the pool's own tenant";
		else if (!tenant_is_there(c, to))
			what = "there is no such tenant";
		for (j = 0; j < i && !what; j++)
			what = strcmp(to, p->grants[j].to) ? NULL : "it is there twice";
	}
	if (!what)
		return 0;
	snprintf(c->why, c->why_len, "pool %s/%s: grant to \"%s\": %s", t->name, p->name,
		 p->grants[i - 1].to, what);
	return -EINVAL;
}

static int check_pool_names(const struct check *c, const struct registry_tenant *t)
{
	const char *names[REGISTRY_POOLS_MAX], *twice;
	uint32_t i;

	if (t->nr_pools > REGISTRY_POOLS_MAX) {
		snprintf(c->why, c->why_len, "tenant %s: %u pools, %u is the most", t->name,
			 t->nr_pools, REGISTRY_POOLS_MAX);
		return -EINVAL;
	}
	for (i = 0; i < t->nr_pools; i++) {
		names[i] = t->pools[i].name;
		if (!utmem_name_valid(names[i])) {
			snprintf(c->why, c->why_len, "tenant %s: pool %u: \"%s\" is no valid name",
				 t->name, i, names[i]);
			return -EINVAL;
		}
	}
	twice = find_twice(names, t->nr_pools);
	if (!twice)
		return 0;
	snprintf(c->why, c->why_len, "tenant %s: pool %s is there twice", t->name, twice);
	return -EINVAL;
}

static int check_tenant_names(const struct check *c)
{
	const char *twice;
	uint32_t i;

	for (i = 0; i < c->list->nr_tenants; i++) {
		c->names[i] = c->list->tenants[i].name;
		if (!utmem_name_valid(c->names[i]) || !strcmp(c->names[i], "control")) {
			snprintf(c->why, c->why_len, "tenant %u: \"%s\" is no valid name", i,
				 c->names[i]);
			return -EINVAL;
		}
	}
	twice = find_twice(c->names, c->list->nr_tenants);
	if (!twice)
		return 0;
	snprintf(c->why, c->why_len, "tenant %s is there twice", twice);
	return -EINVAL;
}

static int check_tenants(const struct check *c)
{
	int err = check_tenant_names(c);
	uint32_t i, j;

	for (i = 0; i < c->list->nr_tenants && !err; i++) {
		const struct registry_tenant *t = &c->list->tenants[i];

		err = check_pool_names(c, t);
		for (j = 0; j < t->nr_pools && !err; j++)
			err = check_grants(c, t, &t->pools[j]);
	}
	return err;
}

int registry_list_check(const struct registry_list *list, char *why, size_t why_len)
{
	struct check c = {.list = list, .why = why, .why_len = why_len};
	int err;

	if (list->nr_tenants > REGISTRY_TENANTS_MAX) {
		snprintf(why, why_len, "%u tenants, %u is the most", list->nr_tenants,
			 REGISTRY_TENANTS_MAX);
		return -EINVAL;
	}
	c.names = calloc(list->nr_tenants + 1, sizeof(*c.names));
	if (!c.names) {
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	err = check_tenants(&c);
	free(c.names);
	return err;
}
