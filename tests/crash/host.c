// SPDX-License-Identifier: MIT
/* Starts, observes and ends the utmemd that is killed. Called by crash.c, on the main thread. */
#include "tests/crash/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/run.h"

#define READY "utmemd: ready\n"
#define ARENA "192m"
#define TENANT "crash:192m"
#define LOG_SHOWN 3000	/* of its end */
#define LOOK_NS 1000000 /* between two looks at who serves */

static void path_in(const struct host *h, char path[80], const char *name)
{
	snprintf(path, 80, "%s/%s", h->dir, name);
}

static void child(const struct host *h, const char *utmemd, int log)
{
	char run_dir[80], point[80];

	path_in(h, run_dir, "run");
	path_in(h, point, "point");
	setenv("UTMEM_FAIL_FILE", point, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, STDERR_FILENO);
	execl(utmemd, utmemd, "--run-dir", run_dir, "--arena", ARENA, "--tenant", TENANT,
	      "--log-level", "warn", (char *)NULL);
	_exit(127);
}

static int log_open(const struct host *h, int flags)
{
	char path[80];

	path_in(h, path, "log");
	return open(path, flags | O_CLOEXEC, 0600);
}

static void log_show(const struct host *h)
{
	char text[LOG_SHOWN];
	int fd = log_open(h, O_RDONLY);
	ssize_t n;

	if (lseek(fd, -LOG_SHOWN, SEEK_END) < 0)
		lseek(fd, 0, SEEK_SET);
	n = read(fd, text, sizeof(text));
	if (n > 0)
		fwrite(text, 1, (size_t)n, stderr);
	close(fd);
}

static void pause_look(void)
{
	nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

static bool log_has_ready(const struct host *h)
{
	char text[4096] = "";
	int fd = log_open(h, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && strstr(text, READY);
}

static bool ended(const struct host *h)
{
	siginfo_t info = {0};

	return !waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

static bool await_ready(const struct host *h)
{
	time_t until = time(NULL) + DEADLINE_S;

	while (!log_has_ready(h)) {
		if (ended(h) || time(NULL) > until)
			return false;
		pause_look();
	}
	return true;
}

int host_start(struct host *h, const char *utmemd)
{
	int log;

	*h = (struct host){.worker_fd = -1, .dir = "/tmp/utmem-crash-XXXXXX"};
	if (!mkdtemp(h->dir))
		return perror("mkdtemp"), -1;
	snprintf(h->transport, sizeof(h->transport), "unix:%s/run/crash.sock", h->dir);
	log = log_open(h, O_WRONLY | O_CREAT | O_APPEND);
	h->pid = fork();
	if (!h->pid)
		child(h, utmemd, log);
	close(log);
	if (h->pid > 0 && await_ready(h))
		return 0;
	fprintf(stderr, "%s does not start\n", utmemd);
	if (h->pid > 0)
		host_stop(h, true);
	return -1;
}

static void remove_dir(const struct host *h)
{
	static const char *const files[] = {"log", "run/utmemd.lock"};
	char path[80];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		path_in(h, path, files[i]);
		unlink(path);
	}
	path_in(h, path, "run");
	rmdir(path);
}

bool host_stop(struct host *h, bool show)
{
	time_t until = time(NULL) + DEADLINE_S;
	int status;

	host_disarm(h);
	kill(h->pid, SIGTERM);
	while (!ended(h) && time(NULL) < until)
		pause_look();
	kill(h->pid, SIGKILL);
	waitpid(h->pid, &status, 0);
	if (h->worker_fd >= 0)
		close(h->worker_fd);
	if (show || status)
		log_show(h);
	if (status)
		fprintf(stderr, "utmemd: wait status %x\n", (unsigned int)status);
	remove_dir(h);
	/* fails when sockets were left behind */
	return !rmdir(h->dir) && !status;
}

/* The first child of the supervisor that is not the worker which was seen before. 0: none. */
static pid_t other_child(const struct host *h)
{
	char path[80], text[256] = "", *word, *rest;
	pid_t pid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)h->pid, (int)h->pid);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		pid = (pid_t)strtol(word, NULL, 10);
		if (pid && pid != h->worker)
			return pid;
	}
	return 0;
}

bool host_await_worker(struct host *h)
{
	time_t until = time(NULL) + DEADLINE_S;
	pid_t pid;

	while (!(pid = other_child(h))) {
		if (ended(h) || time(NULL) > until)
			return false;
		pause_look();
	}
	if (h->worker_fd >= 0)
		close(h->worker_fd);
	h->worker = pid;
	/* gone already: it is the next one that counts */
	h->worker_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return h->worker_fd >= 0 || host_await_worker(h);
}

bool host_arm(struct host *h, const char *point, uint32_t nth)
{
	char path[80], tmp[80];
	FILE *f;

	path_in(h, path, "point");
	path_in(h, tmp, "point.new");
	f = fopen(tmp, "w");
	if (!f)
		return false;
	fprintf(f, "%s:%u\n", point, nth);
	return !fclose(f) && !rename(tmp, path);
}

bool host_arm_taken(const struct host *h)
{
	char path[80];

	path_in(h, path, "point");
	return access(path, F_OK);
}

void host_disarm(const struct host *h)
{
	char path[80];

	path_in(h, path, "point");
	unlink(path);
}
