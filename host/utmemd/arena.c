// SPDX-License-Identifier: MIT
/*
 * Owns the answer to "is there room for this arena": an arena is sparse, so that
 * one which is too large would be noticed only when the host has run out of
 * memory. Called by daemon.c, at start and end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/pool/memory.h"
#include "host/utmemd/arena.h"
#include "host/utmemd/log.h"
#include "host/utmemd/size.h"

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

int arena_open(struct utmem_memory *m, const struct options *opt)
{
	char size[SIZE_TEXT_LEN];
	int err = check_room(opt);

	if (err)
		return err;
	err = utmem_memory_open(m, opt->arena, 0);
	if (err) {
		size_round(size, opt->arena);
		log_error("arena: %s: %s", size, strerror(-err));
	}
	return err;
}

void arena_close(struct utmem_memory *m)
{
	utmem_memory_close(m);
}
