/* SPDX-License-Identifier: MIT */
/*
 * The process that does everything: it parses what tenants write, and may die of it. Caller:
 * main.c, in a process that the supervisor has started.
 */
#ifndef UTMEMD_WORKER_H
#define UTMEMD_WORKER_H

struct options;

/* From start to end. @link: to the supervisor. Return: the exit code: 0 ended or left in good order, 1 could not start. */
int work(const struct options *opt, int link);

#endif /* UTMEMD_WORKER_H */
