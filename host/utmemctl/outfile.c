// SPDX-License-Identifier: MIT
/*
 * Owns the file that a pool is saved to: PATH.part until it is whole and on the disk, then
 * PATH. Called by save.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/utmemctl/outfile.h"

static const char *part_of_signal; /* what a signal removes */

static int fail(const char *path, int err)
{
	fprintf(stderr, "utmemctl: %s: %s\n", path, strerror(err));
	return 1;
}

static void interrupted(int signo)
{
	unlink(part_of_signal);
	signal(signo, SIG_DFL);
	raise(signo);
}

static void catch_signals(const char *part)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	size_t i;

	part_of_signal = part;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (signal(signals[i], part ? interrupted : SIG_DFL) == SIG_IGN)
			signal(signals[i], SIG_IGN);
}

/* What a killed save has left is taken over; what one is writing is locked. */
static int part_open(struct outfile *o)
{
	o->fd = open(o->part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (o->fd < 0)
		return fail(o->part, errno);
	if (flock(o->fd, LOCK_EX | LOCK_NB)) {
		fprintf(stderr, "utmemctl: %s: another save writes to it\n", o->part);
		close(o->fd);
		return 1;
	}
	if (!ftruncate(o->fd, 0))
		return 0;
	fail(o->part, errno);
	close(o->fd);
	return 1;
}

int outfile_open(struct outfile *o, const char *path)
{
	*o = (struct outfile){.fd = STDOUT_FILENO};
	if (!strcmp(path, "-")) {
		if (!isatty(STDOUT_FILENO))
			return 0;
		fprintf(stderr, "utmemctl: a saved pool is not for a terminal\n");
		return 1;
	}
	o->path = path;
	if (asprintf(&o->part, "%s.part", path) < 0)
		return fail(path, ENOMEM);
	if (part_open(o)) {
		free(o->part);
		return 1;
	}
	catch_signals(o->part);
	return 0;
}

int outfile_write(struct outfile *o, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = write(o->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(o->part ? o->part : "standard output", errno);
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The new name is on the disk, too. */
static int sync_dir(const char *path)
{
	char *copy = strdup(path);
	int fd, err = ENOMEM;

	if (copy) {
		fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 || fsync(fd) ? errno : 0;
		if (fd >= 0)
			close(fd);
	}
	free(copy);
	return err ? fail(path, err) : 0;
}

int outfile_commit(struct outfile *o)
{
	int status = 0;

	if (!o->path)
		return 0;
	if (fsync(o->fd) || rename(o->part, o->path))
		status = fail(o->part, errno);
	else
		status = sync_dir(o->path);
	if (status)
		unlink(o->part);
	catch_signals(NULL);
	close(o->fd);
	free(o->part);
	return status;
}

void outfile_drop(struct outfile *o)
{
	if (!o->path)
		return;
	unlink(o->part);
	catch_signals(NULL);
	close(o->fd);
	free(o->part);
}
