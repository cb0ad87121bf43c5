/* SPDX-License-Identifier: MIT */
/*
 * What outlives the daemon besides values: tenants with their quotas, which pools there are, and
 * who was granted them. It is in the state directory, or, when there is none, in the run dir,
 * where it lasts as long as the daemon and serves the next worker. Callers: daemon.c for its
 * life, commands.c after each change. All on the daemon's main thread.
 */
#ifndef UTMEMD_REGISTRY_H
#define UTMEMD_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "host/utmemd/deposit.h"
#include "host/utmemd/registry_list.h"
#include "host/utmemd/registry_writer.h"

struct daemon;
struct tenant;

#define REGISTRY_PERIOD_MS 1000u /* at least between two saves of what guests have changed */

struct registry {
	int dir_fd;
	int lock_fd;		   /* of a state directory, -1 without */
	struct deposited kept;	   /* the lock, or the run dir: it has been applied */
	bool resumed;		   /* by another worker */
	bool lasting;		   /* it is in a state directory */
	bool is_damaged;	   /* the file in its place is, and the previous one was read */
	struct registry_list read; /* what was there at start, until it is applied */
	uint64_t serial;	   /* of the last save */
	uint64_t pools_saved;	   /* stands for the pools there were */
	uint64_t pools_coming;	   /* the same, of the save under way */
	uint64_t next_ms;	   /* no look at the pools before */
	int last_err;		   /* what was logged of saves in the background */
	struct registry_writer writer;
};

/* Lock its directory and read it. 0, or -errno and the reason is in the log. */
int registry_open(struct daemon *d);
/*
 * Tenants, pools and grants become as they are registered; those of the command line that are
 * missing are made, and its quotas win (but not after another worker: an operator may have changed
 * them since); what is only in the arena is adopted. Then save, if that made a difference.
 */
int registry_apply(struct daemon *d);

/*
 * What is now is on stable storage when it returns 0. On failure the registry is as it was: the
 * caller takes his change back.
 */
int registry_save(struct daemon *d);
/* The same as if @gone was no tenant any more. */
int registry_save_without(struct daemon *d, const struct tenant *gone);
/* At each heartbeat: pools that guests have made or destroyed are saved in the background. */
void registry_beat(struct daemon *d);

/* Once, after registry_apply() and before tenants are closed: what guests have changed since the last save. */
void registry_save_last(struct daemon *d);
/* At the end of the daemon: what does not last is removed. */
void registry_close(struct daemon *d);

#endif /* UTMEMD_REGISTRY_H */
