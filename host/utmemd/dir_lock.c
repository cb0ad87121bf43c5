// SPDX-License-Identifier: MIT
/*
 * Owns how a directory is made, opened and kept from other daemons. Called by
 * supervisor.c for the run dir, whose lock the worker has as well, so that no other
 * daemon starts while one of the two lives; by registry.c and arena_file.c, at start.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemd/dir_lock.h"
#include "host/utmemd/log.h"

const struct dir_use run_dir_use = {0755, "utmemd.lock", "sockets in use by another utmemd"};
const struct dir_use state_dir_use = {0700, "registry.lock", "state in use by another utmemd"};

int dir_open(const char *dir, mode_t mode)
{
	int fd, err;

	if (mkdir(dir, mode) && errno != EEXIST)
		goto err_errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;

err_errno:
	err = -errno;
	log_error("%s: %s", dir, strerror(-err));
	return err;
}

#define LOCK_WAIT_MS 2000
#define LOCK_STEP_MS 10

int lock_wait(int fd)
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
static int lock_open(int dir_fd, const char *dir, const struct dir_use *use)
{
	int err, fd = openat(dir_fd, use->lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && !lock_wait(fd))
		return fd;
	err = -errno;
	if (err == -EWOULDBLOCK)
		log_error("%s: %s", dir, use->busy);
	else
		log_error("%s/%s: %s", dir, use->lock, strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

int dir_lock(const char *dir, const struct dir_use *use)
{
	int lock, dir_fd = dir_open(dir, use->mode);

	if (dir_fd < 0)
		return dir_fd;
	lock = lock_open(dir_fd, dir, use);
	close(dir_fd);
	return lock;
}
