// SPDX-License-Identifier: MIT
/*
 * The stock memory for an engine: an anonymous mapping and malloc.
 * Called by whoever opens an engine, on that thread; the callbacks on the engine's.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "memory.h"

/* An arena of that size has segments of this size, and profits from pages that are as large. */
#define HUGE_PAGE (2ul << 20)
#define HUGE_FROM (256ul << 20)

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

/* ctx is the arena itself, so that a struct utmem_memory can be copied freely */
static void arena_release(void *ctx, size_t off, size_t len)
{
	madvise((char *)ctx + off, len, MADV_DONTNEED);
}

static int random_seed(uint64_t *seed)
{
	ssize_t n;

	do {
		n = getrandom(seed, sizeof(*seed), 0);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*seed) ? 0 : -errno;
}

/* An anonymous mapping at a multiple of a huge page; NULL: there is no address space for it. */
static void *arena_map(size_t len)
{
	char *p = mmap(NULL, len + HUGE_PAGE, PROT_READ | PROT_WRITE,
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

int utmem_memory_open(struct utmem_memory *mem, size_t arena_len, uint64_t seed)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int err;

	if (!arena_len || arena_len > SIZE_MAX / 2)
		return -EINVAL;
	arena_len = (arena_len + page - 1) & ~(page - 1);
	if (!seed) {
		err = random_seed(&seed);
		if (err)
			return err;
	}

	mem->arena = arena_map(arena_len);
	if (!mem->arena)
		return -ENOMEM;
	if (arena_len >= HUGE_FROM)
		madvise(mem->arena, arena_len,
			MADV_HUGEPAGE); /* or not: only speed depends on it */
	mem->arena_len = arena_len;
	mem->alloc = heap_alloc;
	mem->free = heap_free;
	mem->release = arena_release;
	mem->ctx = mem->arena;
	mem->seed = seed;
	return 0;
}

void utmem_memory_close(struct utmem_memory *mem)
{
	munmap(mem->arena, mem->arena_len);
	mem->arena = NULL;
	mem->arena_len = 0;
}
