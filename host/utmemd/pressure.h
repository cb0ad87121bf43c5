/* SPDX-License-Identifier: MIT */
/*
 * The host is short of memory: the kernel says so (PSI), and ephemeral pools shrink by
 * a step. Caller: daemon.c.
 */
#ifndef UTMEMD_PRESSURE_H
#define UTMEMD_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pool/pool.h"
#include "host/utmemd/loop.h"

struct daemon;

/* Heartbeats without an event after which the host is no longer short. */
#define PRESSURE_CALM_BEATS 10u

struct pressure {
	struct source events; /* fd -1: not watched */
	struct source steps;  /* an eventfd, readable while a step is under way */
	struct utmem_reclaim step;
	bool is_fifo;
	/* Since the host became short; nr_events 0: it is not. */
	uint32_t nr_events, nr_calm_beats;
	uint64_t released_bytes;
};

/* Watch as the options say. What cannot be watched is said in the log, and no error. 0 or -errno. */
int pressure_open(struct pressure *p, struct daemon *d);
void pressure_close(struct pressure *p, struct daemon *d);
/* Call it with every heartbeat. */
void pressure_beat(struct pressure *p);

#endif /* UTMEMD_PRESSURE_H */
