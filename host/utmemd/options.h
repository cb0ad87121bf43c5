/* SPDX-License-Identifier: MIT */
/*
 * What the operator chose, from flags and the configuration file, out of one
 * table (options.c). Read-only after start.
 */
#ifndef UTMEMD_OPTIONS_H
#define UTMEMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/pool/pool.h"

#define OPTION_WHY_LEN 256u /* of what is said of a wrong value */

struct tenant_option {
	char name[UTMEM_POOL_NAME_LEN];
	uint64_t quota;	 /* bytes */
	uint32_t weight; /* 0: not said */
};

/* When the host counts as short of memory, in the kernel's (PSI's) words. */
struct pressure_option {
	bool is_full;	    /* nobody got on, else somebody did not */
	uint32_t stall_us;  /* for so long */
	uint32_t window_us; /* in so long; 0: not watched */
};

#define THREADS_MAX 64u

/* What can be changed while the daemon runs, too: tune.h. */
struct knobs {
	uint64_t poll_usecs;	   /* ceiling */
	uint64_t poll_cpu_percent; /* of each thread that serves */
};

struct options {
	char *config;
	char *run_dir;
	char *state_dir; /* NULL: nothing is kept beyond the daemon */
	uint64_t socket_mode;
	uint64_t arena;	  /* bytes */
	char *arena_file; /* NULL: memory of the host */
	char *arena_pages;
	uint64_t overcommit;	/* 0 or 1 */
	uint64_t window;	/* bytes, of a VM */
	uint64_t client_window; /* bytes, most and default of a unix: client */
	uint64_t client_memory; /* bytes, most of all unix: clients' windows of a tenant */
	uint64_t save_memory;	/* bytes, of one save */
	uint64_t vectors;	/* of a VM's device */
	uint64_t max_queues;	/* per window */
	uint64_t max_clients;	/* per tenant */
	uint64_t threads;	/* that serve; at most THREADS_MAX */
	struct knobs knobs;	/* at start */
	char *doorbell;
	uint64_t heartbeat_ms;
	struct pressure_option pressure;
	uint64_t pressure_step; /* bytes */
	char *pressure_file;
	char *engine;
	char *compress; /* of new pools, as dedup */
	char *dedup;
	char *log_level;
	struct tenant_option *tenants;
	uint32_t nr_tenants;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* --help, --version: printed */
	OPTIONS_WRONG, /* the reason is on stderr */
};

enum options_result options_init(struct options *o, int argc, char **argv);
void options_exit(struct options *o);

/* A knob, as the table of options has it. */
struct knob {
	const char *name;
	const char *unit;
	const char *by_default;
	uint64_t value, min, max;
};

/* The @i-th, as it stands in @k; false: there are no more. */
bool options_knob(const struct knobs *k, size_t i, struct knob *out);
/* By the name and the rules of its option. -errno: *k is as before, and @why goes on from "NAME". */
int options_knob_set(struct knobs *k, const char *name, const char *value,
		     char why[OPTION_WHY_LEN]);

/* The log_level that o->log_level names. */
int options_log_level(const struct options *o);

#endif /* UTMEMD_OPTIONS_H */
