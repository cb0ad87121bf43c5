// SPDX-License-Identifier: MIT
/*
 * Owns tenants and their sockets. Called by daemon.c at start and end, by
 * commands.c for the operator; on the daemon's main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/utmemd/client.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/fdpass.h"
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

/* ---- sockets ---- */

#define SOCKET_NAME_LEN (UTMEM_POOL_NAME_LEN + sizeof(".ivshmem"))

static void vm_socket_name(char name[SOCKET_NAME_LEN], const struct tenant *t)
{
	snprintf(name, SOCKET_NAME_LEN, "%s.ivshmem", t->name);
}

static void client_socket_name(char name[SOCKET_NAME_LEN], const struct tenant *t)
{
	snprintf(name, SOCKET_NAME_LEN, "%s.sock", t->name);
}

static int open_sockets(struct tenant *t)
{
	mode_t mode = (mode_t)t->daemon->opt->socket_mode;
	char name[SOCKET_NAME_LEN];
	int err;

	vm_socket_name(name, t);
	err = listener_open(&t->vm_socket, t->daemon, name, SOCK_STREAM, mode, vm_connected);
	if (err)
		return err;
	client_socket_name(name, t);
	err = listener_open(&t->client_socket, t->daemon, name, SOCK_SEQPACKET, mode,
			    client_connected);
	if (err)
		listener_close(&t->vm_socket);
	return err;
}

static bool sockets_are_there(const struct tenant *t)
{
	char vm[SOCKET_NAME_LEN], client[SOCKET_NAME_LEN];

	vm_socket_name(vm, t);
	client_socket_name(client, t);
	return listener_is_there(t->daemon, vm) && listener_is_there(t->daemon, client);
}

/* Takes @fds, when it succeeds. */
static int adopt_sockets(struct tenant *t, const int fds[2])
{
	char name[SOCKET_NAME_LEN];
	int err;

	vm_socket_name(name, t);
	err = listener_adopt(&t->vm_socket, t->daemon, name, fds[0], vm_connected);
	if (err)
		return err;
	client_socket_name(name, t);
	err = listener_adopt(&t->client_socket, t->daemon, name, fds[1], client_connected);
	if (err)
		listener_release(&t->vm_socket);
	return err;
}

static void close_sockets(struct tenant *t)
{
	listener_close(&t->client_socket);
	listener_close(&t->vm_socket);
}

/* ---- what the supervisor keeps of it ---- */

static void tenant_key(char key[KEEPER_KEY_MAX], const struct tenant *t)
{
	snprintf(key, KEEPER_KEY_MAX, TENANT_KEY "%s", t->name);
}

static int tenant_keep(struct tenant *t, uint64_t quota)
{
	int fds[] = {t->vm_socket.src.fd, t->client_socket.src.fd};
	char key[KEEPER_KEY_MAX];

	tenant_key(key, t);
	return deposit_keep(&t->daemon->deposit, &t->deposited, key, &quota, sizeof(quota), fds, 2);
}

static void tenant_unkeep(struct tenant *t)
{
	char key[KEEPER_KEY_MAX];

	tenant_key(key, t);
	deposit_drop(&t->daemon->deposit, &t->deposited, key);
}

/* ---- life ---- */

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

/* In the engine; the sockets are missing still. */
static int tenant_new(struct daemon *d, const char *name, uint64_t quota, struct tenant **out)
{
	struct tenant *t = tenant_alloc(d, name);
	int err;

	if (!t)
		return -ENOMEM;
	err = utmem_ops(d->engine)->tenant_add(d->engine, name, quota, &t->pools);
	if (err)
		free(t);
	else
		*out = t;
	return err;
}

/* One that was found in the arena keeps what it has there: who comes next shall find it, too. */
static void tenant_undo(struct tenant *t)
{
	struct utmem_tenant_stat stat;

	utmem_ops(t->pools)->tenant_stat(t->pools, &stat);
	if (!stat.nr_pools)
		utmem_ops(t->pools)->tenant_remove(t->pools);
	free(t);
}

int tenant_open(struct daemon *d, const char *name, uint64_t quota, uint32_t weight)
{
	struct tenant *t;
	int err;

	if (!utmem_name_valid(name))
		return -EINVAL;
	if (!name_is_free(d, name))
		return -EEXIST;
	err = tenant_new(d, name, quota, &t);
	if (err)
		return err;
	err = utmem_ops(t->pools)->tenant_weight(t->pools, weight);
	if (!err)
		err = open_sockets(t);
	if (err)
		goto err_engine;
	err = tenant_keep(t, quota);
	if (err)
		goto err_sockets;
	TAILQ_INSERT_TAIL(&d->tenants, t, link);
	log_info("tenant %s: quota %llu bytes", name, (unsigned long long)quota);
	return 0;

err_sockets:
	close_sockets(t);
err_engine:
	tenant_undo(t);
	return err;
}

/* The sockets that were kept, unless somebody has emptied the run dir; then new ones. */
static int resume_sockets(struct tenant *t, const struct kept_item *item, uint64_t quota)
{
	int err;

	if (sockets_are_there(t))
		return adopt_sockets(t, item->fds);
	log_warn("tenant %s: its sockets were removed, made again", t->name);
	err = open_sockets(t);
	if (err)
		return err;
	err = tenant_keep(t, quota);
	if (err)
		close_sockets(t);
	else
		fdpass_close(item->fds, item->nr_fds);
	return err;
}

int tenant_resume(struct daemon *d, const char *key)
{
	struct deposited what = {0};
	struct kept_item *item = deposit_take(&d->deposit, &what, key, sizeof(uint64_t), 2, 2);
	struct tenant *t;
	uint64_t quota;
	int err;

	if (!item)
		return 0;
	memcpy(&quota, item->meta, sizeof(quota));
	err = tenant_new(d, item->key + strlen(TENANT_KEY), quota, &t);
	if (!err) {
		t->deposited = what;
		err = resume_sockets(t, item, quota);
		if (err)
			tenant_undo(t);
	}
	free(item);
	if (!err)
		TAILQ_INSERT_TAIL(&d->tenants, t, link);
	return err;
}

int tenant_set_quota(struct tenant *t, uint64_t quota)
{
	int err = utmem_ops(t->pools)->tenant_quota(t->pools, quota);

	return err ? err : tenant_keep(t, quota);
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
	close_sockets(t);
	tenant_unkeep(t);
	free(t);
}

int tenant_remove(struct tenant *t, bool force)
{
	int err;

	if (force)
		crew_forsake(&t->daemon->crew, t->pools);
	else if (crew_shares(&t->daemon->crew, t->pools))
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

struct utmem_pool *tenant_pool_find(const struct tenant *t, const char *name)
{
	const struct utmem_engine_ops *ops = utmem_ops(t->pools);
	struct utmem_pool *p = ops->pool_next(t->pools, NULL);

	while (p && strcmp(ops->pool_name(p), name))
		p = ops->pool_next(t->pools, p);
	return p;
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
	t->past_doorbells += w->nr_doorbells + hypercall_rung(w);
}
