/* SPDX-License-Identifier: MIT */
/*
 * A tenant: a name, a quota, one socket for its VM and one for its processes,
 * and who is connected. Callers: daemon.c, commands.c, and its connections.
 */
#ifndef UTMEMD_TENANT_H
#define UTMEMD_TENANT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/pool/pool.h"
#include "host/service/service.h"
#include "host/utmemd/deposit.h"
#include "host/utmemd/listener.h"
#include "host/utmemd/log.h"

struct client;
struct daemon;
struct vm;
struct window;

#define TENANT_KEY "tenant/" /* and its name: where its sockets are kept */

struct tenant {
	struct daemon *daemon;
	struct deposited deposited;
	char name[UTMEM_POOL_NAME_LEN];
	struct utmem_tenant *pools; /* the engine's */
	struct listener vm_socket;
	struct listener client_socket;
	struct vm *vm; /* at most one */
	LIST_HEAD(, client) clients;
	uint32_t nr_clients;   /* at most opt->max_clients */
	uint64_t client_bytes; /* of their windows, at most opt->client_memory */
	struct log_quota log;
	/* Of windows that are closed: what a tenant has done does not become less. */
	struct utmem_service_counters past;
	uint64_t past_doorbells;
	TAILQ_ENTRY(tenant) link; /* daemon.tenants */
};

/* 0, or -errno (-EEXIST, -EINVAL name or weight, as the sockets say). */
int tenant_open(struct daemon *d, const char *name, uint64_t quota, uint32_t weight);
/* One of a worker before this, by its key there. */
int tenant_resume(struct daemon *d, const char *key);
/* In force at once, and remembered by the supervisor. 0 or -errno. */
int tenant_set_quota(struct tenant *t, uint64_t quota);
/*
 * Ends its connections. -EBUSY when another tenant is attached to a pool of it: then nothing has
 * changed, unless @force: its handles are stale from here on.
 */
int tenant_remove(struct tenant *t, bool force);
/* At the daemon's end: without asking the engine. */
void tenant_close(struct tenant *t);
struct tenant *tenant_find(struct daemon *d, const char *name);
/* A pool of it; NULL: there is none of that name. */
struct utmem_pool *tenant_pool_find(const struct tenant *t, const char *name);

bool tenant_attached(const struct tenant *t);
/* @w is about to be closed. */
void tenant_count(struct tenant *t, const struct window *w);

#endif /* UTMEMD_TENANT_H */
