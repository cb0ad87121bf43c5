// SPDX-License-Identifier: MIT
/*
 * Owns fork and exec. Called by supervisor.c, on its one thread, and by main.c to
 * find out which of the two this process is.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/utmemd/keeper.h"
#include "host/utmemd/spawn.h"

#define LINK_TIMEOUT_S 10 /* a worker that does not take what it is given is as good as dead */
#define FD_PATH_LEN 32

/* What only the supervisor talks to. */
static const char *const env_of_supervisor[] = {"NOTIFY_SOCKET",  "LISTEN_FDS",	   "LISTEN_PID",
						"LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID"};

static void inherit(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

/*
 * A worker must not outlive the supervisor: another daemon would serve the same
 * descriptors. Killed at once, it leaves nothing that the next one could not take up.
 */
static void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* What the worker has, the supervisor must have room for. */
static void lower_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur <= KEEPER_FDS_SPARE)
		return;
	limit.rlim_cur -= KEEPER_FDS_SPARE;
	limit.rlim_max = limit.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void signals_reset(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. The link's number stands in the first argument, the rest is the operator's. */
static void exec_worker(const struct spawn *sp, int exe_fd, int link)
{
	char flag[sizeof(WORKER_FLAG) + 24], config[FD_PATH_LEN];
	char **argv = calloc((size_t)sp->argc + 4, sizeof(*argv));
	extern char **environ;
	int i, n = 0;

	if (!argv)
		_exit(SPAWN_NOEXEC);
	snprintf(flag, sizeof(flag), WORKER_FLAG "%d,%d", link, sp->lock_fd);
	argv[n++] = sp->argv[0];
	argv[n++] = flag;
	for (i = 1; i < sp->argc; i++)
		argv[n++] = sp->argv[i];
	if (sp->config_fd >= 0) {
		snprintf(config, sizeof(config), "/proc/self/fd/%d", sp->config_fd);
		argv[n++] = (char *)"--config";
		argv[n++] = config;
	}
	inherit(link);
	inherit(sp->lock_fd);
	inherit(sp->config_fd);
	fexecve(exe_fd, argv, environ);
	_exit(SPAWN_NOEXEC);
}

static int pair_open(int pair[2])
{
	struct timeval most = {.tv_sec = LINK_TIMEOUT_S};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	if (!setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)))
		return 0;
	close(pair[0]);
	close(pair[1]);
	return -errno;
}

pid_t spawn_worker(const struct spawn *sp, int exe_fd, int *link)
{
	pid_t pid, parent = getpid();
	int pair[2], err = pair_open(pair);
	size_t i;

	if (err)
		return err;
	pid = fork();
	if (!pid) {
		die_with_parent(parent);
		lower_fd_limit();
		signals_reset();
		for (i = 0; i < sizeof(env_of_supervisor) / sizeof(env_of_supervisor[0]); i++)
			unsetenv(env_of_supervisor[i]);
		exec_worker(sp, exe_fd, pair[1]);
	}
	err = -errno;
	close(pair[1]);
	if (pid > 0)
		*link = pair[0];
	else
		close(pair[0]);
	return pid > 0 ? pid : err;
}

/* Nothing of the worker's is passed on: it starts no process. */
bool spawn_is_worker(int *argc, char **argv, int *link)
{
	int lock, i;

	if (*argc < 2 || strncmp(argv[1], WORKER_FLAG, strlen(WORKER_FLAG)) ||
	    sscanf(argv[1] + strlen(WORKER_FLAG), "%d,%d", link, &lock) != 2)
		return false;
	fcntl(*link, F_SETFD, FD_CLOEXEC);
	fcntl(lock, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_NAME, "utmemd-worker");
	for (i = 1; i < *argc; i++)
		argv[i] = argv[i + 1];
	(*argc)--;
	return true;
}

int spawn_config_copy(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to, err;
	ssize_t n;

	if (from < 0)
		return -errno;
	to = memfd_create("utmemd.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	do
		n = to < 0 ? -1 : sendfile(to, from, NULL, 1 << 20);
	while (n > 0);
	err = n < 0 ? -errno : 0;
	close(from);
	if (!err)
		return to;
	if (to >= 0)
		close(to);
	return err;
}
