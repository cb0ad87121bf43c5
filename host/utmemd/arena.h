/* SPDX-License-Identifier: MIT */
/*
 * The engine's memory: as the worker before this left it, or where and as much as the options say,
 * and the engine on it. The reason for any failure is in the log. Caller: daemon.c.
 */
#ifndef UTMEMD_ARENA_H
#define UTMEMD_ARENA_H

#include "host/pool/pool.h"

struct daemon;

/* d->memory. 0 or -errno. */
int arena_open(struct daemon *d);
/* For another worker. */
void arena_release(struct daemon *d);
/* For ever; what is durable is written out. */
void arena_close(struct daemon *d);

/* d->engine, with all that was there; what that is, and how long it took, is logged. 0 or -errno. */
int arena_engine_open(struct daemon *d);
/* In good order: values are on the disk before the mark that all of them are. */
void arena_engine_close(struct daemon *d);

#endif /* UTMEMD_ARENA_H */
