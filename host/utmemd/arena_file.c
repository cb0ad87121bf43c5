// SPDX-License-Identifier: MIT
/*
 * Owns how an arena's file is made, recognised and locked, and the answer to "is
 * there room for it": what is found to be missing later is a SIGBUS. Called by
 * arena.c, at start.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "host/pool/memory.h"
#include "host/utmemd/arena_file.h"
#include "host/utmemd/dir_lock.h"
#include "host/utmemd/log.h"
#include "host/utmemd/size.h"

#define ARENA_STEP (2ull << 20) /* lengths of arenas are multiples of it */

enum kind {
	KIND_MEMORY, /* tmpfs, memfd: taken from the host as it is touched */
	KIND_HUGE,   /* hugetlbfs: reserved when it is mapped */
	KIND_DISK,   /* everything else: blocks are allocated now */
};

static int kind_of(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return -errno;
	if (fs.f_type == HUGETLBFS_MAGIC)
		return KIND_HUGE;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ? KIND_MEMORY : KIND_DISK;
}

bool arena_file_is_huge(int fd)
{
	return kind_of(fd) == KIND_HUGE;
}

/* ---- room ---- */

/* Bytes that the kernel says can be had without swapping; UINT64_MAX when it does not say. */
static uint64_t memory_available(void)
{
	uint64_t kib = UINT64_MAX >> 10;
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];

	if (!f)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	}
	fclose(f);
	return kib << 10;
}

/* What the file system has left, where that is limited at all. */
static uint64_t space_available(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) || !fs.f_blocks)
		return UINT64_MAX;
	return (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
}

/* Of a file in memory: it is sparse, and too large a one would be noticed only when that has run out. */
static int check_room(const struct options *opt, const char *name, int fd)
{
	char wanted[SIZE_TEXT_LEN], have[SIZE_TEXT_LEN];
	uint64_t available = memory_available(), space = space_available(fd);
	struct stat st = {0};

	if (space < available)
		available = space;
	if (!fstat(fd, &st))
		available += (uint64_t)st.st_blocks * 512; /* it has these already */
	if (opt->overcommit || opt->arena <= available)
		return 0;
	size_round(wanted, opt->arena);
	size_round(have, available);
	log_error("%s: not enough memory: %s wanted, %s available (--overcommit starts anyway)",
		  name, wanted, have);
	return -ENOMEM;
}

/* ---- of memory ---- */

int arena_memory_open(const struct options *opt)
{
	bool huge = strcmp(opt->arena_pages, "4k");
	int err, fd = memfd_create("utmem-arena",
				   MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));

	err = fd < 0 ? -errno : 0;
	if (!err && ftruncate(fd, (off_t)utmem_memory_file_len(opt->arena)))
		err = -errno;
	if (err)
		log_error("arena: pages of %s: %s", opt->arena_pages, strerror(-err));
	else if (!huge)
		err = check_room(opt, "arena", fd);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

/* ---- of a file system ---- */

/* The entry in its directory, too. */
static int sync_new(const char *path, int fd)
{
	char *copy = strdup(path);
	int err, dir_fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	err = dir_fd < 0 || fsync(fd) || fsync(dir_fd) ? -errno : 0;
	if (dir_fd >= 0)
		close(dir_fd);
	free(copy);
	return err;
}

/* Room first, then the length: who dies between the two leaves an empty file. */
static int allocate(int fd, size_t len)
{
	if (!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len))
		return 0;
	return errno == EOPNOTSUPP ? -posix_fallocate(fd, 0, (off_t)len) : -errno;
}

/* A disk's blocks are allocated in an old file, too: a copy of one may have holes. */
static int size_file(const struct options *opt, int fd, off_t old_len)
{
	size_t len = utmem_memory_file_len(opt->arena);
	char size[SIZE_TEXT_LEN], have[SIZE_TEXT_LEN];
	int err = kind_of(fd) == KIND_DISK ? allocate(fd, len) : 0;

	if (!err && ftruncate(fd, (off_t)len))
		err = -errno;
	if (!err && !old_len)
		err = sync_new(opt->arena_file, fd);
	if (!err)
		return 0;
	if (!old_len)
		err = ftruncate(fd, 0) ? -errno : err; /* gives back what was allocated */
	size_round(size, len);
	size_round(have, space_available(fd));
	log_error("%s: %s wanted, %s available: %s", opt->arena_file, size, have, strerror(-err));
	return err;
}

/* The arena that a file of that length is of; 0: it is of none. */
static uint64_t arena_of_len(uint64_t file_len)
{
	uint64_t low = 1, high = file_len / ARENA_STEP;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (utmem_memory_file_len(mid * ARENA_STEP) < file_len)
			low = mid + 1;
		else
			high = mid;
	}
	return utmem_memory_file_len(low * ARENA_STEP) == file_len ? low * ARENA_STEP : 0;
}

static int check_len(const struct options *opt, uint64_t file_len)
{
	size_t len = utmem_memory_file_len(opt->arena);
	char wanted[SIZE_TEXT_LEN], is[SIZE_TEXT_LEN];
	uint64_t arena = arena_of_len(file_len);

	if (file_len == len)
		return 0;
	size_format(wanted, opt->arena);
	size_format(is, arena);
	if (arena)
		log_error("%s: an arena of %s, and --arena says %s", opt->arena_file, is, wanted);
	else
		log_error("%s: %" PRIu64 " bytes are no arena of any size; one of %s has %zu",
			  opt->arena_file, file_len, wanted, len);
	return -EINVAL;
}

static int fail(const struct options *opt, int err, const char *why)
{
	log_error("%s: %s", opt->arena_file, why);
	return err;
}

/* Who locks it may find that it was another's, who has removed it. */
static int lock_file(const struct options *opt, int fd, struct stat *st)
{
	if (lock_wait(fd))
		return fail(opt, -errno,
			    errno == EWOULDBLOCK ? "arena in use by another utmemd"
						 : strerror(errno));
	if (fstat(fd, st))
		return fail(opt, -errno, strerror(errno));
	return st->st_nlink ? 0 : fail(opt, -ESTALE, "was removed while it was opened");
}

/*
 * Whoever else has it open reads and changes every tenant's values, and can cut it short under us.
 * One who has made it where everybody makes files, as in /dev/shm, would have.
 */
static int check_owner(const struct options *opt, const struct stat *st)
{
	if (st->st_uid != geteuid())
		return fail(opt, -EPERM, "is another user's");
	if (st->st_mode & 077)
		return fail(opt, -EPERM, "may be opened by others (make its mode 600)");
	return 0;
}

static int fit_file(const struct options *opt, int fd, const struct stat *st)
{
	int err;

	if (!S_ISREG(st->st_mode))
		return fail(opt, -EINVAL, "is no regular file");
	err = check_owner(opt, st);
	if (err)
		return err;
	err = st->st_size ? check_len(opt, (uint64_t)st->st_size) : 0;
	if (!err && kind_of(fd) == KIND_MEMORY)
		err = check_room(opt, opt->arena_file, fd);
	return err ? err : size_file(opt, fd, st->st_size);
}

/* An old one, or a new one: *made then says so. */
static int open_or_make(const struct options *opt, bool *made)
{
	int fd = open(opt->arena_file, O_RDWR | O_CLOEXEC);

	*made = fd < 0 && errno == ENOENT;
	if (*made)
		fd = open(opt->arena_file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? fail(opt, -errno, strerror(errno)) : fd;
}

int arena_file_open(const struct options *opt)
{
	struct stat st;
	bool made;
	int err, fd = open_or_make(opt, &made);

	if (fd < 0)
		return fd;
	err = lock_file(opt, fd, &st);
	if (err)
		goto err_fd;
	err = fit_file(opt, fd, &st);
	if (!err)
		return fd;
	/* Nobody else can have it: it is locked. */
	if (made)
		unlink(opt->arena_file);
err_fd:
	close(fd);
	return err;
}
