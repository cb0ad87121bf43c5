/* SPDX-License-Identifier: MIT */
/*
 * The utmemd that is killed: its supervisor stays, its workers die, at random or at a
 * point that is armed beforehand. Owner: tests/crash. The killer's thread.
 */
#ifndef CRASH_HOST_H
#define CRASH_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host {
	pid_t pid;     /* the supervisor */
	pid_t worker;  /* 0: none was seen */
	int worker_fd; /* pidfd: readable when it has died */
	char dir[40];  /* holds run/, log, point */
	char transport[80];
};

/* Return: 0, or -1 after a message. */
int host_start(struct host *h, const char *utmemd);
/* SIGTERM. Return: whether it ended in good order and left nothing behind; @show: print its log. */
bool host_stop(struct host *h, bool show);
/* The worker that serves now, another one than the last; false: none comes. */
bool host_await_worker(struct host *h);
/* The next worker to start dies when it comes by @point for the @nth time. */
bool host_arm(struct host *h, const char *point, uint32_t nth);
/* Did a worker take what was armed? */
bool host_arm_taken(const struct host *h);
void host_disarm(const struct host *h);

#endif /* CRASH_HOST_H */
