/* SPDX-License-Identifier: MIT */
/*
 * Memory, engine and one tenant, inside this process. Owner: bench. Callers: thread.c,
 * memory.c, on one thread at a time.
 */
#ifndef BENCH_STACK_H
#define BENCH_STACK_H

#include "host/pool/memory.h"

struct stack {
	struct utmem_memory memory;
	struct utmem_engine *engine;
	struct utmem_tenant *tenant;
};

/* 0 or -errno. @engine: "pool" or "null". */
int stack_open(struct stack *s, const char *engine, uint64_t arena_len);
void stack_close(struct stack *s);

/* An arena in which @items of that size fit with room to spare, bytes. */
uint64_t stack_arena_len(uint64_t items, uint64_t value_len);

#endif /* BENCH_STACK_H */
