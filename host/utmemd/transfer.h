/* SPDX-License-Identifier: MIT */
/*
 * An operator's connection that carries a saved pool, out or in: save.c and restore.c are the
 * two kinds. Owner: transfer.c; callers: commands.c makes them, control.c hands the connection
 * over, tenant.c and control.c end them. The daemon's main thread; never waits for a peer.
 */
#ifndef UTMEMD_TRANSFER_H
#define UTMEMD_TRANSFER_H

#include <stdint.h>
#include <sys/queue.h>

#include "host/utmemd/loop.h"

#define TRANSFERS_MAX 8u /* of all tenants */
/* What one look at a connection may cost, about: tenants wait for 50 us then. Half costs nearly as much. */
#define TRANSFER_TURN_BYTES (32u << 10)

struct daemon;
struct tenant;
struct transfer;

struct transfer_kind {
	const char *name;
	uint32_t events; /* EPOLLIN or EPOLLOUT */
	/* Required. @len bytes came along with the command. */
	void (*started)(struct transfer *t, const void *bytes, size_t len);
	/* Required. The connection is ready. */
	void (*ready)(struct transfer *t);
	/* Required. Undo what is not finished, and free @t. */
	void (*end)(struct transfer *t);
};

struct transfer {
	struct source src; /* fd -1: not yet started */
	const struct transfer_kind *kind;
	struct daemon *daemon;
	struct tenant *tenant;
	LIST_ENTRY(transfer) link; /* control.transfers */
};

LIST_HEAD(transfer_list, transfer);

/* @t is part of a larger object, zeroed. -EUSERS: there are TRANSFERS_MAX. */
int transfer_init(struct transfer *t, const struct transfer_kind *kind, struct tenant *owner);
/* From here on @fd is its. @t may be gone when this returns. */
void transfer_start(struct transfer *t, int fd, const void *bytes, size_t len);
/* The connection ends, and @t. */
void transfer_close(struct transfer *t);

/* Those of a tenant that goes; all of them. */
void transfers_close_of(struct tenant *owner);
void transfers_close(struct daemon *d);

#endif /* UTMEMD_TRANSFER_H */
