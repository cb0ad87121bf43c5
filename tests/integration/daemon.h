/* SPDX-License-Identifier: MIT */
/*
 * A utmemd of a test's own: started with a run dir of its own, ready when start
 * returns, and observed through its control socket, /proc and its exit code. It
 * dies with the test. d->pid is the supervisor; daemon_worker() tells who serves. Included by tests/integration/ *.c only.
 */
#ifndef TEST_DAEMON_H
#define TEST_DAEMON_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 30000 /* longer than anything takes; only a broken daemon gets there */
#define ARGS_MAX 40

struct daemon {
	pid_t pid;
	int pidfd;
	char base[40]; /* of the test: holds run/, notify, log */
	char dir[48];  /* run dir */
	rlim_t nofile; /* 0 = as it is */
};

static inline const char *utmemd_path(void)
{
	static char path[256];
	const char *b = getenv("B"), *given = getenv("UTMEMD");

	snprintf(path, sizeof(path), "%s/asan/utmemd", b ? b : "build");
	return given ? given : path;
}

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- sockets ---- */

static inline int unix_socket(const char *dir, const char *name, int type, struct sockaddr_un *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s", dir, name);
	return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

/* -errno when nobody accepts there. What is read or written on it ends at the deadline. */
static inline int try_connect(const struct daemon *d, const char *name, int type)
{
	struct timeval most = {.tv_sec = DEADLINE_MS / 1000};
	struct sockaddr_un addr;
	int err, fd = unix_socket(d->dir, name, type, &addr);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static inline int must_connect(const struct daemon *d, const char *name, int type)
{
	int fd = try_connect(d, name, type);

	assert_true(fd >= 0);
	return fd;
}

/* The peer ends the connection, having said nothing more. */
static inline void assert_ended(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n < 0)
		assert_int_equal(errno, ECONNRESET);
	else
		assert_int_equal(n, 0);
}

/* The one connection that questions go over: it is among the daemon's descriptors from the first on. */
struct asker {
	pid_t pid; /* of the daemon, 0 = none */
	int fd;
};

static struct asker asker;

static inline void asker_drop(void)
{
	if (asker.pid)
		close(asker.fd);
	asker.pid = 0;
}

static inline int asker_fd(const struct daemon *d)
{
	if (asker.pid != d->pid) {
		asker_drop();
		asker.fd = must_connect(d, "control.sock", SOCK_STREAM);
		asker.pid = d->pid;
	}
	return asker.fd;
}

/* ---- life ---- */

static inline void daemon_exec(struct daemon *d, const char *const *more)
{
	const char *args[ARGS_MAX] = {utmemd_path(), "--run-dir", d->dir, "--arena", "64m"};
	struct rlimit limit = {d->nofile, d->nofile};
	char path[64];
	int log, n = 5;

	while (*more && n < ARGS_MAX - 1)
		args[n++] = *more++;
	snprintf(path, sizeof(path), "%s/log", d->base);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDERR_FILENO);
	close(log);
	snprintf(path, sizeof(path), "%s/notify", d->base);
	setenv("NOTIFY_SOCKET", path, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (d->nofile)
		setrlimit(RLIMIT_NOFILE, &limit);
	execv(args[0], (char *const *)args);
	_exit(127);
}

static inline void daemon_log_show(const struct daemon *d)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/log", d->base);
	fd = open(path, O_RDONLY);
	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stderr);
	close(fd);
}

/* Its log, from the beginning; valid until the next call. */
static inline const char *daemon_log(const struct daemon *d)
{
	static char text[16384];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/log", d->base);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* It has written a line with @want in it. */
static inline void assert_logged(const struct daemon *d, const char *want)
{
	const char *text = daemon_log(d);

	if (!strstr(text, want))
		fail_msg("not in the log: %s\n%s", want, text);
}

/* It writes one. */
static inline void await_logged(const struct daemon *d, const char *want)
{
	uint64_t until = now_ms() + DEADLINE_MS;

	while (!strstr(daemon_log(d), want) && now_ms() < until)
		sched_yield();
	assert_logged(d, want);
}

/* READY=1 on its notify socket; false when it ended, or did not get there. */
static inline bool daemon_await_ready(struct daemon *d, int notify)
{
	struct pollfd fds[] = {{notify, POLLIN, 0}, {d->pidfd, POLLIN, 0}};
	char text[64] = "";

	if (poll(fds, 2, DEADLINE_MS) > 0 && fds[0].revents)
		return recv(notify, text, sizeof(text) - 1, 0) > 0 && strstr(text, "READY=1");
	return false;
}

/* @more: further arguments, NULL ends them. The arena is 64m. */
static inline bool daemon_try_start(struct daemon *d, const char *const *more)
{
	struct sockaddr_un addr;
	int notify = unix_socket(d->base, "notify", SOCK_DGRAM, &addr);
	bool ready;

	assert_true(notify >= 0);
	unlink(addr.sun_path);
	assert_int_equal(bind(notify, (struct sockaddr *)&addr, sizeof(addr)), 0);
	d->pid = fork();
	assert_true(d->pid >= 0);
	if (!d->pid)
		daemon_exec(d, more);
	d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	assert_true(d->pidfd >= 0);
	ready = daemon_await_ready(d, notify);
	close(notify);
	unlink(addr.sun_path);
	return ready;
}

static inline void daemon_dirs(struct daemon *d)
{
	memset(d, 0, sizeof(*d));
	strcpy(d->base, "/tmp/utmem-test-XXXXXX");
	assert_non_null(mkdtemp(d->base));
	/* Other users get to sockets, too. */
	chmod(d->base, 0755);
	snprintf(d->dir, sizeof(d->dir), "%s/run", d->base);
}

static inline void daemon_start(struct daemon *d, const char *const *more)
{
	daemon_dirs(d);
	if (!daemon_try_start(d, more)) {
		daemon_log_show(d);
		fail_msg("%s did not start", utmemd_path());
	}
}

/* Return: its wait status. */
static inline int daemon_wait(struct daemon *d)
{
	struct pollfd ended = {d->pidfd, POLLIN, 0};
	int status;

	if (asker.pid == d->pid)
		asker_drop();
	if (poll(&ended, 1, DEADLINE_MS) != 1) {
		kill(d->pid, SIGKILL);
		daemon_log_show(d);
		fail_msg("utmemd did not end");
	}
	assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
	close(d->pidfd);
	return status;
}

static inline void daemon_remove(struct daemon *d)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/log", d->base);
	unlink(path);
	snprintf(path, sizeof(path), "%s/utmemd.lock", d->dir);
	unlink(path);
	rmdir(d->dir);
	/* Fails when a socket was left behind: rmdir above did. */
	assert_int_equal(rmdir(d->base), 0);
}

/* SIGTERM; it must end in good order, clean under ASan, and leave no socket. */
static inline void daemon_stop(struct daemon *d)
{
	int status;

	kill(d->pid, SIGTERM);
	status = daemon_wait(d);
	if (status)
		daemon_log_show(d);
	assert_int_equal(status, 0);
	daemon_remove(d);
}

/* ---- what it says of itself ---- */

#define REPLY_MAX 65536

/* One line of JSON there, one back. The text is valid until the next call; NULL: the connection was cut. */
static inline const char *daemon_try_ask(const struct daemon *d, const char *request)
{
	static char reply[REPLY_MAX];
	int fd = asker_fd(d);
	size_t len = 0;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
		return NULL;
	while (!len || reply[len - 1] != '\n') {
		ssize_t n = recv(fd, reply + len, sizeof(reply) - 1 - len, 0);

		if (n <= 0)
			return NULL;
		len += (size_t)n;
	}
	reply[len] = '\0';
	return reply;
}

static inline const char *daemon_ask(const struct daemon *d, const char *request)
{
	const char *reply = daemon_try_ask(d, request);

	assert_non_null(reply);
	return reply;
}

static inline uint64_t number_after(const char *text, const char *key)
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(text, quoted);
	assert_non_null(at);
	return strtoull(at + strlen(quoted), NULL, 10);
}

static inline uint64_t host_stat(const struct daemon *d, const char *key)
{
	return number_after(strstr(daemon_ask(d, "{\"cmd\":\"stats\"}"), "\"host\":"), key);
}

static inline uint64_t tenant_stat(const struct daemon *d, const char *tenant, const char *key)
{
	const char *list = strstr(daemon_ask(d, "{\"cmd\":\"stats\"}"), "\"tenants\":[");
	char name[80];

	assert_non_null(list);
	snprintf(name, sizeof(name), "\"name\":\"%s\"", tenant);
	list = strstr(list, name);
	assert_non_null(list);
	return number_after(list, key);
}

/* Ask until it is so: each answer is a turn of the daemon's loop. */
static inline void await_tenant_stat(const struct daemon *d, const char *tenant, const char *key,
				     uint64_t want)
{
	uint64_t until = now_ms() + DEADLINE_MS, is;

	while ((is = tenant_stat(d, tenant, key)) != want) {
		if (now_ms() > until)
			fail_msg("%s of %s is %llu, not %llu", key, tenant, (unsigned long long)is,
				 (unsigned long long)want);
	}
}

/* The process that serves, now. */
static inline pid_t daemon_worker(const struct daemon *d)
{
	return (pid_t)host_stat(d, "worker_pid");
}

/* 0: the connection was cut, because that one has died. */
static inline pid_t daemon_try_worker(const struct daemon *d)
{
	const char *reply = daemon_try_ask(d, "{\"cmd\":\"stats\"}");

	if (reply)
		return (pid_t)number_after(reply, "worker_pid");
	asker_drop();
	return 0;
}

/* Its one thread is asleep in the kernel: it has nothing to do, and does not look for it. */
static inline void await_sleep(const struct daemon *d)
{
	uint64_t until = now_ms() + DEADLINE_MS;
	char path[64], state = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)daemon_worker(d));
	while (state != 'S') {
		FILE *f = fopen(path, "r");

		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
		fclose(f);
		assert_true(now_ms() < until);
	}
}

/* Descriptors its worker has. What was sent to it before this is done: it was asked something after that. */
static inline uint32_t daemon_nr_fds(const struct daemon *d)
{
	char path[64];
	struct dirent *e;
	uint32_t nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_worker(d));
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)))
		nr += e->d_name[0] != '.';
	closedir(dir);
	return nr;
}

static inline void await_nr_fds(const struct daemon *d, uint32_t want)
{
	uint64_t until = now_ms() + DEADLINE_MS;
	uint32_t is;

	while ((is = daemon_nr_fds(d)) != want) {
		if (now_ms() > until)
			fail_msg("utmemd has %u descriptors, not %u", is, want);
	}
}

#endif /* TEST_DAEMON_H */
