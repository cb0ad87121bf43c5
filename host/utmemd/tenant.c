// SPDX-License-Identifier: MIT
/*
 * Owns tenants and their sockets. Called by daemon.c at start and end, by
 * commands.c for the operator; on the daemon's one thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/utmemd/client.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/ivshmem.h"
#include "host/utmemd/stats.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/transfer.h"
#include "host/utmemd/window.h"

static void vm_connected(struct listener *l, int fd)
{
	vm_accept(owner_of(l, struct tenant, vm_socket), fd);
}

static void client_connected(struct listener *l, int fd)
{
	client_accept(owner_of(l, struct tenant, client_socket), fd);
}

static int open_sockets(struct tenant *t)
{
	mode_t mode = (mode_t)t->daemon->opt->socket_mode;
	char name[UTMEM_POOL_NAME_LEN + sizeof(".ivshmem")];
	int err;

	snprintf(name, sizeof(name), "%s.ivshmem", t->name);
	err = listener_open(&t->vm_socket, t->daemon, name, SOCK_STREAM, mode, vm_connected);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%s.sock", t->name);
	err = listener_open(&t->client_socket, t->daemon, name, SOCK_SEQPACKET, mode,
			    client_connected);
	if (err)
		listener_close(&t->vm_socket);
	return err;
}

static struct tenant *tenant_alloc(struct daemon *d, const char *name)
{
	struct tenant *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->daemon = d;
	snprintf(t->name, sizeof(t->name), "%s", name);
	LIST_INIT(&t->clients);
	log_quota_refill(&t->log, t->name);
	return t;
}

/* "control" would take the control socket's name. */
static bool name_is_free(struct daemon *d, const char *name)
{
	return strcmp(name, "control") && !tenant_find(d, name);
}

int tenant_open(struct daemon *d, const char *name, uint64_t quota)
{
	struct tenant *t;
	int err;

	if (!utmem_name_valid(name))
		return -EINVAL;
	if (!name_is_free(d, name))
		return -EEXIST;
	t = tenant_alloc(d, name);
	if (!t)
		return -ENOMEM;
	err = utmem_ops(d->engine)->tenant_add(d->engine, name, quota, &t->pools);
	if (err)
		goto err_free;
	err = open_sockets(t);
	if (err)
		goto err_engine;
	TAILQ_INSERT_TAIL(&d->tenants, t, link);
	log_info("tenant %s: quota %llu bytes", name, (unsigned long long)quota);
	return 0;

err_engine:
	utmem_ops(t->pools)->tenant_remove(t->pools);
err_free:
	free(t);
	return err;
}

static void end_connections(struct tenant *t)
{
	if (t->vm)
		vm_close(t->vm, "its tenant is removed, or the daemon ends");
	while (!LIST_EMPTY(&t->clients))
		client_close(LIST_FIRST(&t->clients));
	transfers_close_of(t);
}

static void tenant_free(struct tenant *t)
{
	TAILQ_REMOVE(&t->daemon->tenants, t, link);
	listener_close(&t->client_socket);
	listener_close(&t->vm_socket);
	free(t);
}

int tenant_remove(struct tenant *t)
{
	int err;

	if (utmem_service_shares(t->daemon->service, t->pools))
		return -EBUSY;
	end_connections(t);
	err = utmem_ops(t->pools)->tenant_remove(t->pools);
	if (err)
		return err;
	log_info("tenant %s: removed", t->name);
	tenant_free(t);
	return 0;
}

void tenant_close(struct tenant *t)
{
	end_connections(t);
	tenant_free(t);
}

struct tenant *tenant_find(struct daemon *d, const char *name)
{
	struct tenant *t;

	TAILQ_FOREACH(t, &d->tenants, link)
	{
		if (!strcmp(t->name, name))
			return t;
	}
	return NULL;
}

bool tenant_attached(const struct tenant *t)
{
	return t->vm || t->nr_clients;
}

void tenant_count(struct tenant *t, const struct window *w)
{
	struct utmem_window_stat stat;

	utmem_window_stat(w->served, &stat);
	stats_sum(&t->past, &stat.counters);
	t->past_doorbells += w->nr_doorbells;
}
