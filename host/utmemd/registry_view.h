/* SPDX-License-Identifier: MIT */
/* Between the daemon as it runs and the registry's data. Caller: registry.c. */
#ifndef UTMEMD_REGISTRY_VIEW_H
#define UTMEMD_REGISTRY_VIEW_H

#include "host/utmemd/registry_list.h"

struct daemon;
struct options;
struct tenant;

/* The daemon's tenants and their pools, as if @gone (NULL: nobody) was none. 0, or -ENOMEM; then @list is to be emptied, too. */
int registry_view(const struct daemon *d, const struct tenant *gone, struct registry_list *list);
/* A number that is another one when a pool has been made or destroyed. */
uint64_t registry_view_pools(const struct daemon *d, const struct tenant *gone);

/* Tenants of the command line that are missing, and its quotas. 0 or -ENOMEM. */
int registry_view_merge(struct registry_list *list, const struct options *opt);

/* The daemon gets what is in @list. 0, or -errno and the reason is in the log. */
int registry_view_apply(struct daemon *d, const struct registry_list *list);
/* Who is in the arena, and was in no registry, becomes a tenant. Likewise. */
int registry_view_adopt(struct daemon *d);

#endif /* UTMEMD_REGISTRY_VIEW_H */
