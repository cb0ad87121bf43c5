// SPDX-License-Identifier: MIT
/*
 * The stock memory for an engine: malloc, and an anonymous mapping or that of a file.
 * Called by whoever opens an engine, on that thread; the callbacks on the engine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "memory.h"

/* An arena of that size has segments of this size, and profits from pages that are as large. */
#define HUGE_PAGE (2ul << 20)
#define HUGE_FROM (256ul << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; Debian 12's C library does not know it */
#endif

static void *heap_alloc(void *ctx, size_t len, size_t align)
{
	void *p;

	(void)ctx;
	if (align < sizeof(void *))
		align = sizeof(void *);
	return posix_memalign(&p, align, len) ? NULL : p;
}

static void heap_free(void *ctx, void *p, size_t len)
{
	(void)ctx;
	(void)len;
	free(p);
}

/* ctx is not the struct utmem_memory, so that that can be copied freely; here it is the arena */
static void arena_release(void *ctx, size_t off, size_t len)
{
	madvise((char *)ctx + off, len, MADV_DONTNEED);
}

/* ctx of an arena in a file; it lives as long as the mapping. */
struct file {
	char *arena;
	size_t off; /* of the arena, in the file */
	int fd;
};

/* The same of a file: a hole, where it can have any; else the old bytes stay, which nobody reads. */
static void file_release(void *ctx, size_t off, size_t len)
{
	const struct file *f = ctx;

	madvise(f->arena + off, len, MADV_REMOVE);
}

/*
 * One huge page, at once, instead of 512 faults; and the next process maps it by one. Where the
 * kernel has none to give, or was told to give none, pages come one by one as they are touched.
 */
static void file_prepare(void *ctx, size_t off, size_t len)
{
	const struct file *f = ctx;
	volatile char *first = f->arena + off;

	if (len % HUGE_PAGE)
		return;
	*first = 0; /* there is nothing to collapse where there is no page */
	madvise(f->arena + off, len, MADV_COLLAPSE);
}

static int file_read(void *ctx, size_t off, void *buf, size_t len)
{
	const struct file *f = ctx;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(f->fd, (char *)buf + done, len - done, (off_t)(f->off + off + done));
		if (n > 0)
			done += (size_t)n;
		else if (!n || errno != EINTR)
			return n ? -errno : -EIO; /* it has become shorter */
	}
	return 0;
}

static int random_seed(uint64_t *seed)
{
	ssize_t n;

	do {
		n = getrandom(seed, sizeof(*seed), 0);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*seed) ? 0 : -errno;
}

static size_t huge_round(size_t len)
{
	return (len + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* Address space at a multiple of a huge page, in which nothing may be touched; NULL: there is none. */
static char *range_reserve(size_t len)
{
	char *p = mmap(NULL, len + HUGE_PAGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p % HUGE_PAGE;
	if (head)
		munmap(p, head);
	munmap(p + head + len, HUGE_PAGE - head);
	return p + head;
}

/* Map there; -1 for @fd: memory that starts as zeroes. NULL, with errno. */
static char *range_map(size_t len, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, err;
	char *p = range_reserve(len);

	if (!p)
		return NULL;
	if (mmap(p, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == p)
		return p;
	err = errno;
	munmap(p, len);
	errno = err;
	return NULL;
}

/* What both kinds have in common. */
static int memory_init(struct utmem_memory *mem, size_t arena_len, uint64_t seed)
{
	*mem = (struct utmem_memory){
		.arena_len = arena_len,
		.alloc = heap_alloc,
		.free = heap_free,
		.seed = seed,
	};
	return seed ? 0 : random_seed(&mem->seed);
}

static void arena_set(struct utmem_memory *mem, void *arena, void *ctx)
{
	mem->arena = arena;
	mem->ctx = ctx;
	if (mem->arena_len >= HUGE_FROM)
		madvise(arena, mem->arena_len,
			MADV_HUGEPAGE); /* or not: only speed depends on it */
}

int utmem_memory_open(struct utmem_memory *mem, size_t arena_len, uint64_t seed)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *arena;
	int err;

	if (!arena_len || arena_len > SIZE_MAX / 2)
		return -EINVAL;
	err = memory_init(mem, (arena_len + page - 1) & ~(page - 1), seed);
	if (err)
		return err;
	arena = range_map(mem->arena_len, -1);
	if (!arena)
		return -ENOMEM;
	arena_set(mem, arena, arena);
	mem->release = arena_release;
	return 0;
}

/* ---- on a file ---- */

size_t utmem_memory_file_len(size_t arena_len)
{
	size_t meta_len = arena_len > SIZE_MAX / 2 ? 0 : utmem_meta_len(huge_round(arena_len));

	return meta_len ? huge_round(meta_len) + huge_round(arena_len) : 0;
}

/* Return: 1 when it may outlive the host's memory, 0, -errno. */
static int file_is_durable(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return -errno;
	return fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC && fs.f_type != RAMFS_MAGIC;
}

/* Its blocks are allocated now: a full disk met later is a SIGBUS. */
static int file_grow(int fd, size_t len, bool durable)
{
	int err;

	if (!durable)
		return ftruncate(fd, (off_t)len) ? -errno : 0;
	err = posix_fallocate(fd, 0, (off_t)len);
	if (err && ftruncate(fd, 0))
		return -errno;
	return -err;
}

static int file_fit(int fd, size_t len, bool durable)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (!st.st_size)
		return file_grow(fd, len, durable);
	return (size_t)st.st_size == len ? 0 : -EINVAL;
}

/* NULL, with errno. */
static struct file *file_open(int fd, size_t off)
{
	struct file *f = malloc(sizeof(*f));

	if (!f)
		return NULL;
	f->off = off;
	f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (f->fd >= 0)
		return f;
	free(f);
	return NULL;
}

static void file_close(struct file *f)
{
	close(f->fd);
	free(f);
}

/* Some devices can be mapped, but not read. */
static bool file_is_readable(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0) == 1;
}

int utmem_memory_map(struct utmem_memory *mem, int fd, size_t arena_len, uint64_t seed)
{
	size_t len = utmem_memory_file_len(arena_len);
	int durable, err;
	struct file *f;
	char *p;

	if (!len)
		return -EINVAL;
	durable = file_is_durable(fd);
	err = durable < 0 ? durable : file_fit(fd, len, durable);
	if (!err)
		err = memory_init(mem, huge_round(arena_len), seed);
	if (err)
		return err;
	mem->meta_len = len - mem->arena_len;
	f = file_open(fd, mem->meta_len);
	if (!f)
		return -errno;
	p = range_map(len, fd);
	if (!p) {
		err = -errno;
		file_close(f);
		return err;
	}
	f->arena = p + mem->meta_len;
	mem->meta = p;
	mem->durable = durable;
	/* a durable file keeps its blocks, which may not be had again */
	mem->release = durable ? NULL : file_release;
	mem->prepare = durable ? NULL : file_prepare;
	mem->read = file_is_readable(f->fd) ? file_read : NULL;
	arena_set(mem, f->arena, f);
	return 0;
}

int utmem_memory_sync(const struct utmem_memory *mem)
{
	if (!mem->durable)
		return 0;
	return msync(mem->meta, mem->meta_len + mem->arena_len, MS_SYNC) ? -errno : 0;
}

void utmem_memory_close(struct utmem_memory *mem)
{
	if (mem->meta) {
		munmap(mem->meta, mem->meta_len + mem->arena_len);
		file_close(mem->ctx);
	} else {
		munmap(mem->arena, mem->arena_len);
	}
	mem->meta = NULL;
	mem->arena = NULL;
	mem->arena_len = 0;
}
