// SPDX-License-Identifier: MIT
/* Starts and ends the utmemd that is measured: a child, ended by its pid. Called by library.c. */
#include "bench/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY "utmemd: ready\n"
#define READY_MS 30000

/* The program's path: utmemd in this program's own folder. */
static int program_path(char *path, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", path, len - 1);
	char *slash;

	if (n < 0)
		return -errno;
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash || (size_t)(slash - path) + sizeof("/utmemd") > len)
		return -ENAMETOOLONG;
	strcpy(slash, "/utmemd");
	return access(path, X_OK) ? -errno : 0;
}

static void child(const struct bench_daemon *d, const char *path, const struct options *o,
		  uint64_t arena, uint64_t window, int log)
{
	char arena_text[32], window_text[32], tenant[48], poll_text[32];

	snprintf(arena_text, sizeof(arena_text), "%llu", (unsigned long long)arena);
	snprintf(window_text, sizeof(window_text), "%llu", (unsigned long long)window);
	snprintf(tenant, sizeof(tenant), "bench:%llu", (unsigned long long)arena);
	snprintf(poll_text, sizeof(poll_text), "%llu", (unsigned long long)o->poll_usecs);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(log, STDERR_FILENO);
	execl(path, path, "--run-dir", d->run_dir, "--arena", arena_text, "--client-window",
	      window_text, "--tenant", tenant, "--poll-usecs", poll_text, "--engine", o->engine,
	      "--log-level", "warn", (char *)NULL);
	_exit(127);
}

/* Read its log until it says that it is ready; what it says before goes to our stderr when it never does. */
static int wait_ready(struct bench_daemon *d)
{
	struct pollfd fd = {.fd = d->log, .events = POLLIN};
	char text[4096];
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < sizeof(text) - 1 && poll(&fd, 1, READY_MS) > 0) {
		n = read(d->log, text + len, sizeof(text) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		text[len] = 0;
		if (strstr(text, READY))
			return 0;
	}
	fprintf(stderr, "utmem-bench: utmemd does not get ready: %.*s\n", (int)len, text);
	return -EIO;
}

static int spawn(struct bench_daemon *d, const char *path, const struct options *o, uint64_t arena,
		 uint64_t window)
{
	int log[2];

	if (pipe(log))
		return -errno;
	d->pid = fork();
	if (d->pid == 0)
		child(d, path, o, arena, window, log[1]);
	close(log[1]);
	d->log = log[0];
	if (d->pid > 0)
		return 0;
	close(d->log);
	return -errno;
}

int daemon_start(struct bench_daemon *d, const struct options *o, uint64_t arena, uint64_t window)
{
	char path[4096];
	int err = program_path(path, sizeof(path));

	if (err) {
		fprintf(stderr, "utmem-bench: %s: %s\n", path, strerror(-err));
		return err;
	}
	strcpy(d->run_dir, "/tmp/utmem-bench-XXXXXX");
	if (!mkdtemp(d->run_dir))
		return -errno;
	snprintf(d->transport, sizeof(d->transport), "unix:%s/bench.sock", d->run_dir);
	err = spawn(d, path, o, arena, window);
	if (err) {
		rmdir(d->run_dir);
		return err;
	}
	err = wait_ready(d);
	if (err)
		daemon_stop(d);
	return err;
}

void daemon_stop(struct bench_daemon *d)
{
	static const char *const sockets[] = {"bench.sock", "bench.ivshmem", "control.sock"};
	char path[128];

	kill(d->pid, SIGTERM);
	while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(d->log);
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->run_dir, sockets[i]);
		unlink(path);
	}
	rmdir(d->run_dir);
}
