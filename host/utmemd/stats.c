// SPDX-License-Identifier: MIT
/*
 * Owns the names of what is counted, and gathers it. Called by commands.c, on the
 * daemon's main thread. Counters only grow; names that end in _bytes are bytes;
 * everything else in the tables is what there is at the moment.
 */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/utmemd/client.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/ivshmem.h"
#include "host/utmemd/pool_options.h"
#include "host/utmemd/stats.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

struct metric {
	const char *name;
	size_t off; /* of a uint64_t */
};

struct host_stat {
	struct utmem_service_counters service;
	struct daemon_counters daemon;
	struct utmem_engine_stat engine;
	struct keeper_life life;
	struct daemon_recovery recovery;
	uint64_t tenants, vms, clients;
	struct poll_counters poll;
	uint64_t threads, nr_doorbells, poll_window_ns;
	struct doorbell_counters hypercalls;
	uint64_t worker_pid, death_signal, death_exit, death_time, kept_fds, epoch;
};

#define HOST(name, field)                               \
	{                                               \
		name, offsetof(struct host_stat, field) \
	}
static const struct metric host_metrics[] = {
	HOST("tenants", tenants),
	HOST("vms", vms),
	HOST("clients", clients),
	HOST("arena_bytes", engine.arena_bytes),
	HOST("live_bytes", engine.live_bytes),
	HOST("dead_bytes", engine.dead_bytes),
	HOST("free_bytes", engine.free_bytes),
	HOST("index_bytes", engine.index_bytes),
	HOST("items", engine.nr_items),
	HOST("evicted", engine.nr_evicted),
	HOST("cleaned_bytes", engine.nr_cleaned_bytes),
	HOST("requests", service.nr_requests),
	HOST("batches", service.nr_batches),
	HOST("wakes", service.nr_wakes),
	HOST("arms", service.nr_arms),
	HOST("threads", threads),
	HOST("sleeps", poll.nr_sleeps),
	HOST("slept_ns", poll.slept_ns),
	HOST("bell_wakes", poll.nr_bell_wakes),
	HOST("other_wakes", poll.nr_other_wakes),
	HOST("doorbells", nr_doorbells),
	HOST("hypercalls_rung", hypercalls.nr_rung),
	HOST("hypercalls_awake", hypercalls.nr_awake),
	HOST("hypercalls_bad_token", hypercalls.nr_bad_token),
	HOST("hypercalls_foreign", hypercalls.nr_foreign),
	HOST("polled_ns", poll.polled_ns),
	HOST("poll_finds", poll.nr_finds),
	HOST("poll_window_ns", poll_window_ns),
	HOST("malformed", service.nr_malformed),
	HOST("broken", service.nr_broken),
	HOST("value_in_bytes", service.value_bytes_in),
	HOST("value_out_bytes", service.value_bytes_out),
	HOST("bad_messages", daemon.nr_bad_messages),
	HOST("refused", daemon.nr_refused),
	HOST("accept_pauses", daemon.nr_accept_pauses),
	HOST("epoch", epoch),
	HOST("worker_pid", worker_pid),
	HOST("worker_starts", life.nr_starts),
	HOST("worker_deaths", life.nr_deaths),
	HOST("death_signal", death_signal),
	HOST("death_exit", death_exit),
	HOST("death_time", death_time),
	HOST("kept_fds", kept_fds),
	HOST("recovery_usecs", recovery.usecs),
	HOST("recovered", recovery.engine.nr_items),
	HOST("recovered_bytes", recovery.engine.bytes),
	HOST("torn", recovery.engine.nr_torn),
	HOST("released_bytes", engine.released_bytes),
	HOST("reclaimed_bytes", daemon.reclaimed_bytes),
	HOST("pressure_events", daemon.nr_pressure_events),
};

struct tenant_stat {
	struct utmem_service_counters service;
	uint64_t quota, used, ephemeral, shared, weight, pools, vm, clients, queues, doorbells;
	uint64_t value_bytes, stored_bytes; /* of all its pools */
};

#define TENANT(name, field)                               \
	{                                                 \
		name, offsetof(struct tenant_stat, field) \
	}
static const struct metric tenant_metrics[] = {
	TENANT("quota_bytes", quota),
	TENANT("used_bytes", used),
	TENANT("ephemeral_bytes", ephemeral),
	TENANT("weight", weight),
	TENANT("shared_bytes", shared),
	TENANT("value_bytes", value_bytes),
	TENANT("stored_bytes", stored_bytes),
	TENANT("pools", pools),
	TENANT("vm", vm),
	TENANT("clients", clients),
	TENANT("queues", queues),
	TENANT("requests", service.nr_requests),
	TENANT("batches", service.nr_batches),
	TENANT("doorbells", doorbells),
	TENANT("wakes", service.nr_wakes),
	TENANT("malformed", service.nr_malformed),
	TENANT("broken", service.nr_broken),
	TENANT("value_in_bytes", service.value_bytes_in),
	TENANT("value_out_bytes", service.value_bytes_out),
};

#define POOL(name, field)                                         \
	{                                                         \
		name, offsetof(struct utmem_pool_counters, field) \
	}
static const struct metric pool_metrics[] = {
	POOL("items", nr_items),
	POOL("key_bytes", key_bytes),
	POOL("value_bytes", value_bytes),
	POOL("stored_bytes", stored_bytes),
	POOL("used_bytes", used_bytes),
	POOL("packed", nr_packed),
	POOL("shared_values", nr_shared),
	POOL("puts", nr_puts),
	POOL("gets", nr_gets),
	POOL("hits", nr_hits),
	POOL("dels", nr_dels),
	POOL("evicted", nr_evicted),
	POOL("refused", nr_refused),
};

#define NR(table) (sizeof(table) / sizeof((table)[0]))

static cJSON *add_metrics(cJSON *o, const struct metric *m, size_t n, const void *stat)
{
	size_t i;

	for (i = 0; o && i < n; i++) {
		uint64_t v = *(const uint64_t *)(const void *)((const char *)stat + m[i].off);

		if (!cJSON_AddNumberToObject(o, m[i].name, (double)v)) {
			cJSON_Delete(o);
			return NULL;
		}
	}
	return o;
}

void stats_sum(struct utmem_service_counters *sum, const struct utmem_service_counters *c)
{
	sum->nr_requests += c->nr_requests;
	sum->nr_batches += c->nr_batches;
	sum->nr_wakes += c->nr_wakes;
	sum->nr_arms += c->nr_arms;
	sum->nr_malformed += c->nr_malformed;
	sum->nr_broken += c->nr_broken;
	sum->value_bytes_in += c->value_bytes_in;
	sum->value_bytes_out += c->value_bytes_out;
}

/* Of this worker, and of those before it. */
static void add_lives(struct host_stat *stat, const struct daemon *d)
{
	const struct keeper_life *life = &d->deposit.life;
	int status = life->last_status;

	stat->life = *life;
	stat->recovery = d->recovery;
	stat->epoch = d->epoch;
	stat->worker_pid = (uint64_t)getpid();
	stat->kept_fds = d->deposit.nr_fds;
	stat->death_time = (uint64_t)life->last_death;
	if (!life->nr_deaths)
		return;
	stat->death_signal = WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status) : 0;
	stat->death_exit = WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0;
}

static void add_poller(struct host_stat *stat, const struct poller *p)
{
	stat->poll.polled_ns += p->counters.polled_ns;
	stat->poll.nr_finds += p->counters.nr_finds;
	stat->poll.slept_ns += p->counters.slept_ns;
	stat->poll.nr_sleeps += p->counters.nr_sleeps;
	stat->poll.nr_bell_wakes += p->counters.nr_bell_wakes;
	stat->poll.nr_other_wakes += p->counters.nr_other_wakes;
	if (p->window_ns > stat->poll_window_ns)
		stat->poll_window_ns = p->window_ns;
}

static void add_servers(struct host_stat *stat, const struct crew *crew)
{
	const struct server *v;

	stat->threads = crew->nr;
	for (v = crew->servers; v < crew->servers + crew->nr; v++) {
		add_poller(stat, &v->poller);
		stat->nr_doorbells += v->nr_doorbells;
	}
}

cJSON *stats_host(struct daemon *d)
{
	struct host_stat stat = {.daemon = d->counters};
	cJSON *o = cJSON_CreateObject();
	struct tenant *t;

	add_lives(&stat, d);
	crew_stat(&d->crew, &stat.service);
	add_servers(&stat, &d->crew);
	hypercall_stat(d, &stat.hypercalls);
	utmem_ops(d->engine)->stat(d->engine, &stat.engine);
	TAILQ_FOREACH(t, &d->tenants, link)
	{
		stat.tenants++;
		stat.vms += t->vm != NULL;
		stat.clients += t->nr_clients;
	}
	if (o && !cJSON_AddStringToObject(o, "doorbell", hypercall_name(d))) {
		cJSON_Delete(o);
		return NULL;
	}
	return add_metrics(o, host_metrics, NR(host_metrics), &stat);
}

static void add_window(struct tenant_stat *stat, const struct window *w)
{
	struct utmem_window_stat one;

	if (!w)
		return;
	utmem_window_stat(w->served, &one);
	stats_sum(&stat->service, &one.counters);
	stat->queues += one.nr_queues;
	stat->doorbells += w->nr_doorbells + hypercall_rung(w);
}

/* What values of shared content take is no pool's. */
static void add_pools(struct tenant_stat *stat, struct utmem_tenant *t)
{
	struct utmem_pool_counters counters;
	struct utmem_pool *p = NULL;

	stat->stored_bytes = stat->shared;
	while ((p = utmem_ops(t)->pool_next(t, p))) {
		utmem_ops(p)->pool_stat(p, &counters);
		stat->value_bytes += counters.value_bytes;
		stat->stored_bytes += counters.stored_bytes;
	}
}

/* How many bytes of values there are for one that is stored; false: no memory. */
static bool add_ratio(cJSON *o, uint64_t value_bytes, uint64_t stored_bytes)
{
	double ratio = stored_bytes ? (double)value_bytes / (double)stored_bytes : 1;

	return cJSON_AddNumberToObject(o, "ratio", ratio);
}

cJSON *stats_tenant(struct tenant *t)
{
	struct tenant_stat stat = {.service = t->past, .doorbells = t->past_doorbells};
	struct utmem_tenant_stat pools;
	struct client *c;
	cJSON *o;

	utmem_ops(t->pools)->tenant_stat(t->pools, &pools);
	stat.quota = pools.quota_bytes;
	stat.used = pools.used_bytes;
	stat.ephemeral = pools.ephemeral_bytes;
	stat.weight = pools.weight;
	stat.shared = pools.shared_bytes;
	add_pools(&stat, t->pools);
	stat.pools = pools.nr_pools;
	stat.vm = t->vm != NULL;
	stat.clients = t->nr_clients;
	if (t->vm)
		add_window(&stat, vm_window(t->vm));
	for (c = LIST_FIRST(&t->clients); c; c = client_next(c))
		add_window(&stat, client_window(c));
	o = cJSON_CreateObject();
	if (o && !cJSON_AddStringToObject(o, "name", t->name)) {
		cJSON_Delete(o);
		return NULL;
	}
	o = add_metrics(o, tenant_metrics, NR(tenant_metrics), &stat);
	if (o && !add_ratio(o, stat.value_bytes, stat.stored_bytes)) {
		cJSON_Delete(o);
		return NULL;
	}
	return o;
}

cJSON *stats_tenants(struct daemon *d)
{
	cJSON *list = cJSON_CreateArray();
	struct tenant *t;

	TAILQ_FOREACH(t, &d->tenants, link)
	{
		if (list && !cJSON_AddItemToArray(list, stats_tenant(t))) {
			cJSON_Delete(list);
			return NULL;
		}
	}
	return list;
}

/* false: no memory. */
static bool add_pool_kind(cJSON *o, const struct utmem_pool *p)
{
	struct utmem_pool_kind kind = utmem_ops(p)->pool_kind(p);
	struct utmem_tenant_stat owner;
	struct utmem_tenant *t = utmem_ops(p)->pool_tenant(p);

	utmem_ops(t)->tenant_stat(t, &owner);
	return cJSON_AddStringToObject(o, "tenant", owner.name) &&
	       cJSON_AddStringToObject(o, "name", utmem_ops(p)->pool_name(p)) &&
	       cJSON_AddStringToObject(o, "kind", kind.ephemeral ? "ephemeral" : "persistent") &&
	       cJSON_AddBoolToObject(o, "shared", kind.shared) &&
	       cJSON_AddBoolToObject(o, "guest_shared", kind.guest_shared) &&
	       cJSON_AddNumberToObject(o, "owner", kind.owner);
}

static bool add_pool_options(cJSON *o, const struct utmem_pool *p)
{
	struct utmem_pool_options options = utmem_ops(p)->pool_options(p);

	return cJSON_AddStringToObject(o, "compress", pool_options_compress(&options)) &&
	       cJSON_AddNumberToObject(o, "compress_least_bytes", options.compress_least) &&
	       cJSON_AddStringToObject(o, "dedup", pool_options_dedup(&options));
}

cJSON *stats_pool(const struct utmem_pool *p)
{
	struct utmem_pool_counters counters;
	cJSON *o = cJSON_CreateObject();

	utmem_ops(p)->pool_stat(p, &counters);
	if (o && !(add_pool_kind(o, p) && add_pool_options(o, p) &&
		   add_ratio(o, counters.value_bytes, counters.stored_bytes))) {
		cJSON_Delete(o);
		return NULL;
	}
	return add_metrics(o, pool_metrics, NR(pool_metrics), &counters);
}
