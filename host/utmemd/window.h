/* SPDX-License-Identifier: MIT */
/*
 * A window of one VM or one process: a sealed memfd, the doorbell that wakes us, a ledger
 * that no peer sees, and its place in the service. Callers: ivshmem.c, client.c, which
 * deposit its descriptors. Fresh memory for each peer, so that none sees what another left;
 * the same memory for the next worker.
 */
#ifndef UTMEMD_WINDOW_H
#define UTMEMD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/utmemd/loop.h"

struct server;
struct tenant;
struct utmem_window;

struct window;

struct window_spec {
	uint64_t len;	   /* bytes, power of two */
	uint64_t features; /* UTMEM_FEAT_DOORBELL_* */
	bool admin_queue;
	/* Required. Wake the waiter of a queue; must not call into the service. */
	void (*wake)(struct window *w, uint32_t queue_id, uint32_t irq_vector);
};

/* What is kept of a window, in this order. */
enum window_fd {
	WINDOW_FD_MEMORY,
	WINDOW_FD_DOORBELL,
	WINDOW_FD_LEDGER,
	WINDOW_NR_FDS,
};

struct window {
	struct tenant *tenant;
	int memfd;
	void *base;
	uint64_t len;
	/* A page for the window's owner, then the service's ledger: both outlive the worker. */
	int ledger_fd;
	uint8_t *owner_page;	/* UTMEM_PAGE bytes, zeroed when new */
	size_t ledger_len;	/* of the file */
	bool peer_left;		/* the peer ended the connection, or it was of no use any more */
	struct server *server;	/* who drains it, all its life */
	struct source doorbell; /* eventfd */
	bool joined;		/* it may be rung by hypercall, too: hypercall.c */
	uint64_t nr_doorbells;
	void (*wake)(struct window *w, uint32_t queue_id, uint32_t irq_vector);
	struct utmem_window *served;
	LIST_ENTRY(window) link; /* daemon.windows */
};

/* 0 or -errno, and *w holds nothing. */
int window_open(struct window *w, struct tenant *t, const struct window_spec *spec);
/* The same with the descriptors of an earlier worker, which are taken when it succeeds; spec->len does not matter. */
int window_resume(struct window *w, struct tenant *t, const struct window_spec *spec,
		  const int fds[WINDOW_NR_FDS]);
/* An error of window_resume() that no worker will get around: the peer's connection is worth nothing. */
bool window_is_lost(int err);
void window_fds(const struct window *w, int fds[WINDOW_NR_FDS]);
/*
 * Drains and drops its queues, marks it STOPPED; what it counted goes to the tenant. When
 * peer_left is set, its pages are given back, whoever still maps them.
 */
void window_close(struct window *w);

#endif /* UTMEMD_WINDOW_H */
