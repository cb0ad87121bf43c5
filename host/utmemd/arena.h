/* SPDX-License-Identifier: MIT */
/* The engine's memory, as much of it as the options say. Caller: daemon.c. */
#ifndef UTMEMD_ARENA_H
#define UTMEMD_ARENA_H

#include "host/pool/pool.h"
#include "host/utmemd/options.h"

/* 0, or -errno and the reason is in the log. */
int arena_open(struct utmem_memory *m, const struct options *opt);
void arena_close(struct utmem_memory *m);

#endif /* UTMEMD_ARENA_H */
