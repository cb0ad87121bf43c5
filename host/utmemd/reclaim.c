// SPDX-License-Identifier: MIT
/*
 * Owns how long one piece of giving memory back may take. Called by commands.c and
 * pressure.c, on the daemon's main thread.
 */
#include <time.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/reclaim.h"

/* Of the engine's work between two looks at the clock: some ten microseconds. */
#define UNIT_BYTES (64u << 10)

static uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

bool reclaim_slice(struct daemon *d, struct utmem_reclaim *r)
{
	uint64_t until = clock_us() + RECLAIM_SLICE_USECS, before = r->released_bytes;
	bool more;

	do {
		more = utmem_ops(d->engine)->reclaim(d->engine, r, UNIT_BYTES);
	} while (more && clock_us() < until);
	d->counters.reclaimed_bytes += r->released_bytes - before;
	return more;
}
