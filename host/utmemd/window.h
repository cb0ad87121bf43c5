/* SPDX-License-Identifier: MIT */
/*
 * A window of one VM or one process: a sealed memfd, the doorbell that wakes us,
 * and its place in the service. Callers: ivshmem.c, client.c. Fresh memory each
 * time, so that no peer sees what another left.
 */
#ifndef UTMEMD_WINDOW_H
#define UTMEMD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/utmemd/loop.h"

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

struct window {
	struct tenant *tenant;
	int memfd;
	void *base;
	uint64_t len;
	bool peer_left;		/* the peer ended the connection, or it was of no use any more */
	struct source doorbell; /* eventfd */
	uint64_t nr_doorbells;
	void (*wake)(struct window *w, uint32_t queue_id, uint32_t irq_vector);
	struct utmem_window *served;
	LIST_ENTRY(window) link; /* daemon.windows */
};

/* 0 or -errno, and *w holds nothing. */
int window_open(struct window *w, struct tenant *t, const struct window_spec *spec);
/*
 * Drains and drops its queues, marks it STOPPED; what it counted goes to the tenant. When
 * peer_left is set, its pages are given back, whoever still maps them.
 */
void window_close(struct window *w);

#endif /* UTMEMD_WINDOW_H */
