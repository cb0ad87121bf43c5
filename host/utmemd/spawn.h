/* SPDX-License-Identifier: MIT */
/* How a worker comes to be: the same command line, another role. Caller: supervisor.c. */
#ifndef UTMEMD_SPAWN_H
#define UTMEMD_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* First argument of a worker: WORKER_FLAG and the two descriptors it inherits, as "%d,%d". */
#define WORKER_FLAG "--worker="

struct spawn {
	char **argv; /* of the supervisor */
	int argc;
	int lock_fd; /* of the run dir: the worker holds it, too */
	int config_fd; /* what the configuration file said at the supervisor's start, -1 = there is none */
};

/*
 * Start the binary @exe_fd (O_PATH) as a worker. *link is the supervisor's end of the pair.
 * Return: its pid, or -errno. Whether it could be executed shows in its exit code: SPAWN_NOEXEC.
 */
pid_t spawn_worker(const struct spawn *sp, int exe_fd, int *link);

#define SPAWN_NOEXEC 127

/* For the worker: is that what argv[1] says? Then *link is its end; argv and argc are as the supervisor's. */
bool spawn_is_worker(int *argc, char **argv, int *link);

/* A copy of the configuration file, so that every worker has the same options. -errno. */
int spawn_config_copy(const char *path);

#endif /* UTMEMD_SPAWN_H */
