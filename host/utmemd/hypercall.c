// SPDX-License-Identifier: MIT
/*
 * Owns the choice of how doorbell hypercalls are heard, and its life from worker to worker.
 * Called by daemon.c, window.c and ivshmem.c on the main thread, by serve.c on each serving thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/ring/utmem_abi.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/log.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

_Static_assert(THREADS_MAX <= DOORBELL_SERVERS_MAX, "every server may be woken");

/* ---- what is kept ---- */

#define KEY "doorbell/tracepoint/" /* and a number: as many as it takes */
#define LAYOUT 1u		   /* of descriptors and maps; another one is not taken up */

/* Beside each of them. */
struct kept_meta {
	uint32_t layout;
	uint32_t nr_servers;
	uint32_t nr_fds; /* under all keys */
	uint32_t resv;
};

static uint32_t nr_under(uint32_t key, uint32_t nr_fds)
{
	uint32_t before = key * KEEPER_FDS_MAX;

	if (nr_fds <= before)
		return 0;
	return nr_fds - before < KEEPER_FDS_MAX ? nr_fds - before : KEEPER_FDS_MAX;
}

static void key_name(char name[KEEPER_KEY_MAX], uint32_t key)
{
	snprintf(name, KEEPER_KEY_MAX, KEY "%u", key);
}

static void unkeep(struct daemon *d)
{
	char name[KEEPER_KEY_MAX];
	uint32_t key;

	for (key = 0; key < HYPERCALL_NR_KEYS; key++) {
		key_name(name, key);
		deposit_drop(&d->deposit, &d->hypercall.kept[key], name);
	}
}

/* A worker that comes upon a part of it lets go of that. */
static int keep(struct daemon *d)
{
	struct doorbell_way *y = d->hypercall.way;
	struct kept_meta meta = {.layout = LAYOUT, .nr_servers = y->nr_servers};
	int fds[DOORBELL_FDS_MAX], err = 0;
	char name[KEEPER_KEY_MAX];
	uint32_t key, nr;

	if (!y->ops->fds)
		return 0;
	meta.nr_fds = y->ops->fds(y, fds);
	for (key = 0; !err && (nr = nr_under(key, meta.nr_fds)); key++) {
		key_name(name, key);
		err = deposit_keep(&d->deposit, &d->hypercall.kept[key], name, &meta, sizeof(meta),
				   fds + key * KEEPER_FDS_MAX, nr);
	}
	return err;
}

struct given {
	struct kept_meta meta;
	int fds[HYPERCALL_NR_KEYS * KEEPER_FDS_MAX];
	uint32_t nr_fds;
};

static void given_add(struct given *g, const struct kept_item *item)
{
	memcpy(&g->meta, item->meta, sizeof(g->meta));
	memcpy(g->fds + g->nr_fds, item->fds, item->nr_fds * sizeof(*g->fds));
	g->nr_fds += item->nr_fds;
}

static void take_given(struct daemon *d, struct given *g)
{
	char name[KEEPER_KEY_MAX];
	struct kept_item *item;
	uint32_t key;

	g->nr_fds = 0;
	for (key = 0; key < HYPERCALL_NR_KEYS; key++) {
		key_name(name, key);
		item = deposit_take(&d->deposit, &d->hypercall.kept[key], name, sizeof(g->meta), 1,
				    KEEPER_FDS_MAX);
		if (item)
			given_add(g, item);
		free(item);
	}
}

/* -ENOENT: nothing was kept. -EINVAL: nothing that is of use here, and it is let go. */
static int resume(struct daemon *d)
{
	uint32_t nr_servers = (uint32_t)d->opt->threads;
	struct given g;
	int err = -EINVAL;

	take_given(d, &g);
	if (!g.nr_fds)
		return -ENOENT;
	if (g.meta.layout == LAYOUT && g.meta.nr_servers == nr_servers && g.meta.nr_fds == g.nr_fds)
		err = doorbell_by_tracepoint.resume(&d->hypercall.way, nr_servers, g.fds, g.nr_fds);
	if (!err)
		return 0;
	fdpass_close(g.fds, g.nr_fds);
	unkeep(d);
	return err;
}

/* ---- which way ---- */

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

/* Why there is nothing but MMIO, for the operator. */
static void reason(char *text, size_t len, int err)
{
	if (err == -EPERM || err == -EACCES)
		snprintf(text, len, "BPF is not permitted (it takes CAP_BPF and CAP_PERFMON)");
	else if (err == -ENOENT && !is_there("/sys/module/kvm"))
		snprintf(text, len,
			 "KVM is not loaded; every VM that connects has it looked for "
			 "again");
	else if (err == -ENOENT)
		snprintf(text, len, "this KVM has no tracepoint kvm_hypercall");
	else
		snprintf(text, len, "BPF: %s", strerror(-err));
}

static void way_close(struct hypercall *h)
{
	h->way->ops->close(h->way);
	h->way = NULL;
}

/* 0, and it is kept as it is now; -ENOENT: nothing has changed. */
static int listen_from_now(struct daemon *d)
{
	struct doorbell_way *y = d->hypercall.way;
	int err = y->ops->listen(y);

	return err ? err : keep(d);
}

/* KVM's own way is the cheapest, where there is one. */
static int by_kvm(struct daemon *d)
{
	int err = doorbell_by_kvm.open(&d->hypercall.way, (uint32_t)d->opt->threads);

	return err ? err : listen_from_now(d);
}

static int tracepoint_new(struct daemon *d)
{
	int err = doorbell_by_tracepoint.open(&d->hypercall.way, (uint32_t)d->opt->threads);

	if (err)
		return err;
	err = listen_from_now(d);
	/* It stays: KVM may be loaded later. */
	if (err == -ENOENT)
		return keep(d) ? -EIO : err;
	return err;
}

static int by_tracepoint(struct daemon *d)
{
	struct hypercall *h = &d->hypercall;
	int err;

	if (resume(d))
		err = tracepoint_new(d);
	else
		err = h->way->listens ? 0 : listen_from_now(d);
	if (h->way && err && err != -ENOENT) {
		unkeep(d);
		way_close(h);
	}
	return err;
}

static bool is_wanted(const struct daemon *d, const char *how)
{
	return !strcmp(d->opt->doorbell, how);
}

static void tell_way(const struct daemon *d)
{
	log_info("doorbell: hypercalls are heard by %s", d->hypercall.way->ops == &doorbell_by_kvm
								 ? "KVM itself"
								 : "the tracepoint of KVM");
}

int hypercall_open(struct daemon *d)
{
	bool must = is_wanted(d, "hypercall");
	char why[128];
	int err;

	d->hypercall.way = NULL;
	if (is_wanted(d, "mmio"))
		return 0;
	err = by_kvm(d);
	if (err)
		err = by_tracepoint(d);
	if (!err) {
		tell_way(d);
		return 0;
	}
	reason(why, sizeof(why), err);
	log_line(must ? LOG_ERROR : LOG_INFO, "doorbell: MMIO alone: %s", why);
	/* A worker that follows another one has VMs that can do without. */
	return must && !d->deposit.life.resumed ? err : 0;
}

void hypercall_close(struct daemon *d)
{
	if (!d->hypercall.way)
		return;
	unkeep(d);
	way_close(&d->hypercall);
}

/* ---- servers ---- */

static uint32_t index_of(const struct server *v)
{
	return (uint32_t)(v - v->daemon->crew.servers);
}

static void heard(struct source *s, uint32_t events)
{
	struct server *v = owner_of(s, struct server, hypercall);
	struct doorbell_way *y = v->daemon->hypercall.way;

	(void)events;
	y->ops->take(y, index_of(v));
	v->nr_doorbells++;
}

static bool has_waits(const struct hypercall *h)
{
	return h->way && h->way->ops->wait_fd;
}

static void unserve(struct daemon *d, uint32_t nr)
{
	while (nr--)
		loop_remove(d->crew.servers[nr].loop, &d->crew.servers[nr].hypercall);
}

int hypercall_serve(struct daemon *d)
{
	struct doorbell_way *y = d->hypercall.way;
	uint32_t i;
	int err;

	if (!has_waits(&d->hypercall))
		return 0;
	for (i = 0; i < d->crew.nr; i++) {
		struct server *v = &d->crew.servers[i];

		v->hypercall = (struct source){
			.fd = y->ops->wait_fd(y, i),
			.ready = heard,
			.is_light = true,
		};
		err = loop_add(v->loop, &v->hypercall, EPOLLIN);
		if (err) {
			log_error("doorbell: %s", strerror(-err));
			unserve(d, i);
			return err;
		}
	}
	return 0;
}

void hypercall_unserve(struct daemon *d)
{
	if (has_waits(&d->hypercall))
		unserve(d, d->crew.nr);
}

void hypercall_sleep(struct server *v)
{
	struct doorbell_way *y = v->daemon->hypercall.way;

	if (y && y->ops->sleep)
		y->ops->sleep(y, index_of(v));
}

void hypercall_awake(struct server *v)
{
	struct doorbell_way *y = v->daemon->hypercall.way;

	if (y && y->ops->awake)
		y->ops->awake(y, index_of(v));
}

/* ---- windows ---- */

/*
 * KVM may have been loaded since the last look, and the program can be attached to it without
 * privilege. A look costs a system call or two, and comes with a VM.
 */
static bool is_live(struct daemon *d)
{
	struct hypercall *h = &d->hypercall;

	if (!h->way || h->way->listens)
		return h->way;
	if (listen_from_now(d))
		return false;
	tell_way(d);
	return true;
}

/* 0 where the kernel does not say: then any process may use the token. */
static uint32_t peer_tgid(int connection)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return (uint32_t)peer.pid;
}

void hypercall_join(struct window *w, int connection)
{
	struct daemon *d = w->tenant->daemon;
	struct doorbell_way *y = d->hypercall.way;
	struct doorbell_guest guest = {
		.token = utmem_window_token(w->served),
		.tgid = peer_tgid(connection),
		.server = index_of(w->server),
		.eventfd = w->doorbell.fd,
	};
	int err;

	/* 0: a window from before there were tokens */
	if (!guest.token || !is_live(d))
		return;
	err = y->ops->join(y, &guest);
	if (err) {
		log_tenant(&w->tenant->log, LOG_WARN, w->tenant->name,
			   "its VM rings by MMIO alone: %s", strerror(-err));
		return;
	}
	w->joined = true;
	utmem_window_offer(w->served, UTMEM_FEAT_DOORBELL_MMIO | UTMEM_FEAT_DOORBELL_HYPERCALL);
}

void hypercall_leave(struct window *w)
{
	struct doorbell_way *y = w->tenant->daemon->hypercall.way;

	if (w->joined)
		y->ops->leave(y, utmem_window_token(w->served));
	w->joined = false;
}

void hypercall_sweep(struct daemon *d)
{
	struct doorbell_way *y = d->hypercall.way;

	if (y && y->ops->sweep)
		y->ops->sweep(y);
}

/* ---- what is said of it ---- */

const char *hypercall_name(const struct daemon *d)
{
	const struct doorbell_way *y = d->hypercall.way;

	return y && y->listens ? y->ops->name : "mmio";
}

void hypercall_stat(const struct daemon *d, struct doorbell_counters *out)
{
	const struct doorbell_way *y = d->hypercall.way;

	*out = (struct doorbell_counters){0};
	if (y && y->ops->stat)
		y->ops->stat(y, out);
}

uint64_t hypercall_rung(const struct window *w)
{
	const struct doorbell_way *y = w->tenant->daemon->hypercall.way;

	if (!w->joined || !y->ops->rung)
		return 0;
	return y->ops->rung(y, utmem_window_token(w->served));
}
