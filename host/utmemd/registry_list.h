/* SPDX-License-Identifier: MIT */
/*
 * What the registry says, as data: tenants, their pools, who was granted what. It
 * knows neither the engine nor a file. Callers: registry*.c.
 */
#ifndef UTMEMD_REGISTRY_LIST_H
#define UTMEMD_REGISTRY_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pool/pool.h"

#define REGISTRY_TENANTS_MAX 65536u
#define REGISTRY_POOLS_MAX 1024u /* of one tenant, as the engine has it */

struct registry_grant {
	char to[UTMEM_POOL_NAME_LEN];
	bool readonly;
};

struct registry_pool {
	char name[UTMEM_POOL_NAME_LEN];
	uint64_t id; /* the engine's, in the arena that it lies in */
	struct utmem_pool_kind kind;
	bool has_options; /* else nothing is known of them: those that new pools get */
	struct utmem_pool_options options;
	struct registry_grant *grants;
	uint32_t nr_grants;
};

struct registry_tenant {
	char name[UTMEM_POOL_NAME_LEN];
	uint64_t quota;	 /* bytes */
	uint32_t weight; /* UTMEM_WEIGHT_MIN .. UTMEM_WEIGHT_MAX */
	struct registry_pool *pools;
	uint32_t nr_pools;
};

struct registry_list {
	uint64_t serial; /* one more with each save */
	uint64_t saved;	 /* seconds since 1970 */
	struct registry_tenant *tenants;
	uint32_t nr_tenants;
};

/* A new last one: its name, the weight that tenants have, else zero; NULL: no memory. It moves when the next one is added. */
struct registry_tenant *registry_add_tenant(struct registry_list *list, const char *name);
struct registry_pool *registry_add_pool(struct registry_tenant *t, const char *name);
struct registry_grant *registry_add_grant(struct registry_pool *p, const char *to);

/* Leaves an empty list. */
void registry_list_exit(struct registry_list *list);

/*
 * Would the daemon have made it: names valid and unique, grants only of shared pools and only to
 * others that are there, limits kept? 0, or -EINVAL and @why says where; -ENOMEM.
 */
int registry_list_check(const struct registry_list *list, char *why, size_t why_len);

#endif /* UTMEMD_REGISTRY_LIST_H */
