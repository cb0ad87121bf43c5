// SPDX-License-Identifier: MIT
/* What this process has of the host's memory, from /proc. Called by scenarios. */
#include "bench/resident.h"

#include <stdio.h>
#include <unistd.h>

uint64_t resident_bytes(void)
{
	unsigned long long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
