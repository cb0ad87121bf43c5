/* SPDX-License-Identifier: MIT */
/*
 * The process that must not die: it keeps descriptors, and keeps a worker running. Caller:
 * main.c. It reads no byte that a tenant wrote.
 */
#ifndef UTMEMD_SUPERVISOR_H
#define UTMEMD_SUPERVISOR_H

struct options;

/* From start to end. Return: the exit code: 0 ended in good order, 1 could not start, 2 wrong options. */
int supervise(const struct options *opt, int argc, char **argv);

#endif /* UTMEMD_SUPERVISOR_H */
