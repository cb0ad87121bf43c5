/* SPDX-License-Identifier: MIT */
/*
 * The stock memory for an engine: an anonymous mapping and malloc.
 *
 * Owner: host/pool. Callers: whoever opens an engine and has no memory of another
 * kind (utmemd, libutmem's local:, tests, bench). The engine does not include it.
 */
#ifndef UTMEM_POOL_MEMORY_H
#define UTMEM_POOL_MEMORY_H

#include "pool.h"

/*
 * Fill *mem: an arena of arena_len bytes (rounded up to pages), which costs host
 * memory only where it is touched and gives it back on release. The callbacks keep
 * no pointer to *mem: it may be copied. @seed 0 takes a random one.
 * Return: 0, -EINVAL (arena_len 0), -ENOMEM, or the error of getrandom().
 */
int utmem_memory_open(struct utmem_memory *mem, size_t arena_len, uint64_t seed);

/* After the engine is closed. */
void utmem_memory_close(struct utmem_memory *mem);

#endif /* UTMEM_POOL_MEMORY_H */
