/* SPDX-License-Identifier: MIT */
/*
 * What an item costs. Owner: bench. Callers: memory.c's scenario, density.c.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "bench/drive.h"

#define MEMORY_ITEMS_DEFAULT 1000000u
#define MEMORY_VALUE_DEFAULT 100u /* where --value is left at its default */

struct memory_cost {
	uint64_t items, value;
	double charged, resident, index; /* bytes per item; the first two beyond key and value */
};

/* An engine of its own is filled. 0 or -errno; -E2BIG: the value is too long for this. */
int memory_measure(const struct options *o, struct memory_cost *c);

#endif /* BENCH_MEMORY_H */
