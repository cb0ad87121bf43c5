/* SPDX-License-Identifier: MIT */
/*
 * What can be counted, from one table each for the host, a tenant and a pool
 * (stats.c); utmemctl(1) says what each means. Caller: commands.c.
 */
#ifndef UTMEMD_STATS_H
#define UTMEMD_STATS_H

struct cJSON;
struct daemon;
struct tenant;
struct utmem_pool;
struct utmem_service_counters;

/* NULL when there is no memory. The caller's. */
struct cJSON *stats_host(struct daemon *d);
struct cJSON *stats_tenant(struct tenant *t);
struct cJSON *stats_tenants(struct daemon *d);
struct cJSON *stats_pool(const struct utmem_pool *p);

void stats_sum(struct utmem_service_counters *sum, const struct utmem_service_counters *c);

#endif /* UTMEMD_STATS_H */
