// SPDX-License-Identifier: MIT
/*
 * Owns the engine's memory, which outlives the worker, and the answer to "is there room
 * for it": an arena is sparse, so that one which is too large would be noticed only
 * when the host has run out of memory. Called by daemon.c, at start and end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/pool/memory.h"
#include "host/utmemd/arena.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/size.h"

#define ARENA_KEY "arena"
#define NO_FD (-1)

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

static int check_room(const struct options *opt)
{
	char wanted[SIZE_TEXT_LEN], free[SIZE_TEXT_LEN];
	uint64_t available = memory_available();

	if (opt->overcommit || opt->arena <= available)
		return 0;
	size_round(wanted, opt->arena);
	size_round(free, available);
	log_error("arena: not enough memory: %s wanted, %s available (--overcommit starts anyway)",
		  wanted, free);
	return -ENOMEM;
}

/* What an earlier worker kept: its length is what counts, whatever the options say by now. */
static int arena_given(struct daemon *d, uint64_t *len)
{
	struct kept_item *item =
		deposit_take(&d->deposit, &d->arena, ARENA_KEY, sizeof(*len), 1, 1);
	int fd;

	if (!item)
		return NO_FD;
	fd = item->fds[0];
	memcpy(len, item->meta, sizeof(*len));
	free(item);
	return fd;
}

/* Kept before anything is in it. */
static int arena_new(struct daemon *d, uint64_t len)
{
	int err = check_room(d->opt), fd;

	if (err)
		return err;
	fd = memfd_create("utmem-arena", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = deposit_keep(&d->deposit, &d->arena, ARENA_KEY, &len, sizeof(len), &fd, 1);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int arena_open(struct utmem_memory *m, struct daemon *d)
{
	uint64_t len = d->opt->arena;
	char size[SIZE_TEXT_LEN];
	int err, fd = arena_given(d, &len);

	if (fd == NO_FD)
		fd = arena_new(d, len);
	if (fd < 0)
		return fd;
	err = utmem_memory_map(m, fd, len, 0);
	close(fd);
	if (!err)
		return 0;
	size_round(size, len);
	log_error("arena: %s: %s", size, strerror(-err));
	return err;
}

void arena_release(struct utmem_memory *m)
{
	utmem_memory_close(m);
}

void arena_close(struct utmem_memory *m, struct daemon *d)
{
	arena_release(m);
	deposit_drop(&d->deposit, &d->arena, ARENA_KEY);
}
