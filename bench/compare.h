/* SPDX-License-Identifier: MIT */
/*
 * A yardstick and the system in turn, a row for each op. Owner: bench. Callers: ring.c,
 * loopback.c, engine.c.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "bench/target.h"

/* @system NULL: the yardstick is its own system. Return: exit code. */
int compare(const char *scenario, const struct options *o, const struct target *yardstick,
	    const struct target *system);

#endif /* BENCH_COMPARE_H */
