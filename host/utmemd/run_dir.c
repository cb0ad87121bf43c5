// SPDX-License-Identifier: MIT
/*
 * Owns the run dir and its lock. Called by supervisor.c, at start. The worker has
 * the lock as well, so that no other daemon starts while one of the two lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemd/log.h"
#include "host/utmemd/run_dir.h"

#define LOCK_NAME "utmemd.lock"
#define LOCK_WAIT_MS 2000
#define LOCK_STEP_MS 10

static int dir_open(const char *dir)
{
	int fd, err;

	if (mkdir(dir, 0755) && errno != EEXIST)
		goto err_errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;

err_errno:
	err = -errno;
	log_error("%s: %s", dir, strerror(-err));
	return err;
}

/* Whose supervisor was killed has its worker killed, too, which takes a moment. */
static int lock_wait(int fd)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};
	int ms, err;

	for (ms = 0;; ms += LOCK_STEP_MS) {
		err = flock(fd, LOCK_EX | LOCK_NB);
		if (!err || errno != EWOULDBLOCK || ms >= LOCK_WAIT_MS)
			return err;
		nanosleep(&step, NULL);
	}
}

/*
 * A file that nobody else can open: whoever can read the directory could lock that. It
 * stays, or a daemon that waits for it might lock a file that has no name any more.
 */
static int lock_open(int dir_fd, const char *dir)
{
	int err, fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && !lock_wait(fd))
		return fd;
	err = -errno;
	if (err == -EWOULDBLOCK)
		log_error("%s: sockets in use by another utmemd", dir);
	else
		log_error("%s/" LOCK_NAME ": %s", dir, strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

int run_dir_lock(const char *dir)
{
	int lock, dir_fd = dir_open(dir);

	if (dir_fd < 0)
		return dir_fd;
	lock = lock_open(dir_fd, dir);
	close(dir_fd);
	return lock;
}
