/* SPDX-License-Identifier: MIT */
/* The end of a daemon's worker, and its successor's begin. Included by tests/integration/ *.c only. */
#ifndef TEST_WORKER_H
#define TEST_WORKER_H

#include "tests/integration/daemon.h"

/* Until another one than @old answers. Return: its pid. */
static inline pid_t worker_await(const struct daemon *d, pid_t old)
{
	uint64_t until = now_ms() + DEADLINE_MS;
	pid_t pid = 0;

	asker_drop();
	while (!pid || pid == old) {
		assert_true(now_ms() < until);
		pid = daemon_try_worker(d);
	}
	return pid;
}

/* SIGKILL, as any crash. Return: who serves after it. */
static inline pid_t worker_kill(const struct daemon *d)
{
	pid_t old = daemon_worker(d);

	assert_int_equal(kill(old, SIGKILL), 0);
	return worker_await(d, old);
}

/* Another process that kills it @nr times, each as soon as the one before was followed. */
static inline pid_t worker_killer(const struct daemon *d, int nr)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	asker.pid = 0;
	while (nr--)
		worker_kill(d);
	_exit(0);
}

static inline bool has_ended(pid_t child)
{
	int status;
	pid_t pid = waitpid(child, &status, WNOHANG);

	if (!pid)
		return false;
	assert_int_equal(pid, child);
	assert_int_equal(status, 0);
	return true;
}

/* Its log has @text somewhere. */
static inline bool log_has(const struct daemon *d, const char *text)
{
	static char log[1 << 20];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/log", d->base);
	fd = open(path, O_RDONLY);
	n = read(fd, log, sizeof(log) - 1);
	close(fd);
	assert_true(n >= 0);
	log[n] = '\0';
	return strstr(log, text);
}

#endif /* TEST_WORKER_H */
