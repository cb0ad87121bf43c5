/* SPDX-License-Identifier: MIT */
/* What this process has of the host's memory. Owner: bench. Callers: memory.c, reclaim.c. */
#ifndef BENCH_RESIDENT_H
#define BENCH_RESIDENT_H

#include <stdint.h>

/* Bytes, its own and shared ones; 0 when the kernel does not say. */
uint64_t resident_bytes(void);

#endif /* BENCH_RESIDENT_H */
