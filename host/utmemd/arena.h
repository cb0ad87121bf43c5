/* SPDX-License-Identifier: MIT */
/* The engine's memory: as the worker before this left it, or as much as the options say. Caller: daemon.c. */
#ifndef UTMEMD_ARENA_H
#define UTMEMD_ARENA_H

#include "host/pool/pool.h"

struct daemon;

/* 0, or -errno and the reason is in the log. */
int arena_open(struct utmem_memory *m, struct daemon *d);
/* For another worker. */
void arena_release(struct utmem_memory *m);
/* For ever. */
void arena_close(struct utmem_memory *m, struct daemon *d);

#endif /* UTMEMD_ARENA_H */
