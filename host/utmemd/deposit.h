/* SPDX-License-Identifier: MIT */
/*
 * The worker's end of the link to the supervisor: what must outlive this worker is
 * deposited there before any peer knows of it, and what an earlier worker deposited is
 * found here. Callers: worker.c, and whoever owns such descriptors.
 *
 *	knobs			what the operator has tuned
 *	arena			memory of the engine
 *	registry/state		the lock of the state directory
 *	registry/run		the run dir, where there is none
 *	tenant/NAME		its two listeners; meta: quota
 *	listener/control.sock
 *	vm/TENANT		connection, window, doorbell, ledger, vectors
 *	client/N		connection, and after HELLO window, doorbell, ledger, dance
 *	wake/N/QUEUE		wake-up of a client's queue
 *	doorbell/tracepoint/N	the BPF program that hears hypercalls, its maps; meta: what they are
 *	control/upgrade		the operator who waits for an upgrade
 */
#ifndef UTMEMD_DEPOSIT_H
#define UTMEMD_DEPOSIT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/utmemd/kept.h"

struct deposit {
	int link;
	struct kept given;	 /* of earlier workers, until somebody takes it */
	struct keeper_life life; /* as START had it */
	uint32_t nr_fds;	 /* that are kept now */
};

/* In the owner of what is kept: how much of it is, 0 = nothing. */
struct deposited {
	uint32_t nr_fds;
};

/* Says hello and waits for its turn. 0, or -errno: the supervisor has gone, or means another one. */
int deposit_open(struct deposit *d, int link);
/* Lets go of what nobody took. The rest stays with the supervisor. */
void deposit_close(struct deposit *d);

/* In place of what was under @key before. 0 or -errno. The descriptors stay the caller's, too. */
int deposit_keep(struct deposit *d, struct deposited *what, const char *key, const void *meta,
		 uint32_t meta_len, const int *fds, uint32_t nr_fds);
/* Nothing was kept: nothing happens. */
void deposit_drop(struct deposit *d, struct deposited *what, const char *key);

/*
 * Out of what was given: @nr_fds .. @max_fds descriptors and exactly @meta_len bytes, or it is
 * let go and that is logged. NULL: there is none. The item, to free(3), and its descriptors
 * are the caller's, and @what says that they are kept.
 */
struct kept_item *deposit_take(struct deposit *d, struct deposited *what, const char *key,
			       uint32_t meta_len, uint32_t min_fds, uint32_t max_fds);
/* What nobody took is let go, by the supervisor too. Each is logged. */
void deposit_sweep(struct deposit *d);

#endif /* UTMEMD_DEPOSIT_H */
