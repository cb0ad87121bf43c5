/* SPDX-License-Identifier: MIT */
/*
 * The doorbell hypercall in the daemon: which way it is heard (host/kvm), who may ring, and
 * what is kept of it from worker to worker. MMIO is always there beside it. Callers: daemon.c,
 * window.c, ivshmem.c, stats.c on the main thread; serve.c on each serving thread.
 */
#ifndef UTMEMD_HYPERCALL_H
#define UTMEMD_HYPERCALL_H

#include <stdbool.h>
#include <stdint.h>

#include "host/kvm/doorbell.h"
#include "host/utmemd/deposit.h"

struct daemon;
struct server;
struct window;

#define HYPERCALL_NR_KEYS ((DOORBELL_FDS_MAX + KEEPER_FDS_MAX - 1) / KEEPER_FDS_MAX)

struct hypercall {
	struct doorbell_way *way; /* NULL: MMIO alone */
	struct deposited kept[HYPERCALL_NR_KEYS];
};

/*
 * The only thing that needs privilege, so it comes first. 0, also when there is nothing but MMIO,
 * which is logged with its reason; -errno where the operator wants a hypercall or nothing.
 */
int hypercall_open(struct daemon *d);
void hypercall_close(struct daemon *d);

/* Into and out of the loops of all servers. 0 or -errno. */
int hypercall_serve(struct daemon *d);
void hypercall_unserve(struct daemon *d);

/*
 * @w's VM may ring by hypercall if there is one: its header says so. @connection: its process'
 * end is bound to the token. A failure is logged, and costs nothing but the hypercall.
 */
void hypercall_join(struct window *w, int connection);
/* It may not, any more. Has it never joined, nothing happens. */
void hypercall_leave(struct window *w);
/* All windows of the worker before have joined: what else that one left is nobody's. */
void hypercall_sweep(struct daemon *d);

/* Around each sleep of @v's thread: before submitters know of it, and after. */
void hypercall_sleep(struct server *v);
void hypercall_awake(struct server *v);

/* "mmio", or by which way hypercalls are heard. */
const char *hypercall_name(const struct daemon *d);
void hypercall_stat(const struct daemon *d, struct doorbell_counters *out);
/* Wake-ups by hypercalls of @w's VM. */
uint64_t hypercall_rung(const struct window *w);

#endif /* UTMEMD_HYPERCALL_H */
