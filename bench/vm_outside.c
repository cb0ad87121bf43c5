// SPDX-License-Identifier: MIT
/* The conversation of vm_outside.h. Called by vm.c. */
#include "bench/vm_outside.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int hear(char *answer, int len)
{
	fflush(stdout);
	if (!fgets(answer, len, stdin))
		return -EPROTO;
	answer[strcspn(answer, "\r\n")] = 0;
	return 0;
}

int vm_outside_exits(const struct vm_outside *out, uint64_t bell_register, double *bell_exits,
		     double *exits)
{
	char answer[128];

	*bell_exits = *exits = NAN;
	if (!out->asked)
		return 0;
	printf("ask exits %#" PRIx64 "\n", bell_register);
	if (hear(answer, sizeof(answer)))
		return -EPROTO;
	if (!strcmp(answer, "none"))
		return 0;
	return sscanf(answer, "bell=%lf all=%lf", bell_exits, exits) == 2 ? 0 : -EPROTO;
}

int vm_outside_host(struct vm_outside *out, bool awake)
{
	char answer[128];

	if (!out->asked || out->awake == awake)
		return 0;
	printf("ask host %s\n", awake ? "awake" : "asleep");
	if (hear(answer, sizeof(answer)) || strcmp(answer, "ok"))
		return -EPROTO;
	out->awake = awake;
	return 0;
}
