/* SPDX-License-Identifier: MIT */
/*
 * A subcommand. Owner: bench. main.c has the table; run() is called once, on the
 * main thread, and returns the program's exit code.
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include "bench/options.h"

struct scenario {
	const char *name, *summary;
	int (*run)(const struct options *o);
};

extern const struct scenario scenario_ring, scenario_loopback, scenario_engine, scenario_memory,
	scenario_density, scenario_recover, scenario_reclaim, scenario_evict, scenario_vm;

#endif /* BENCH_SCENARIO_H */
