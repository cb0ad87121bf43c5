/* SPDX-License-Identifier: MIT */
/*
 * A utmemd of our own, in a temporary run-dir. Owner: bench. Caller: library.c.
 */
#ifndef BENCH_DAEMON_H
#define BENCH_DAEMON_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/options.h"

struct bench_daemon {
	pid_t pid;
	int log; /* its stderr, open while it lives */
	char run_dir[64];
	char transport[128]; /* for utmem_connect() */
};

/*
 * Starts the utmemd beside this program and waits until it accepts.
 * @arena, @window: bytes. 0; -errno after a message.
 */
int daemon_start(struct bench_daemon *d, const struct options *o, uint64_t arena, uint64_t window);
void daemon_stop(struct bench_daemon *d);

#endif /* BENCH_DAEMON_H */
