// SPDX-License-Identifier: MIT
/*
 * Owns what happens at a fail point. Called by main.c, in a worker, before anything
 * else; the hook on the worker's one thread.
 */
#include "host/utmemd/failhook.h"

#ifdef UTMEM_FAIL_POINTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host/pool/failpoint.h"

static const char *chosen;
static size_t chosen_len;
static unsigned long nr_left;

/* As a crash: nothing is flushed, nothing is told. */
static void fail_here(const char *name)
{
	if (strlen(name) == chosen_len && !memcmp(name, chosen, chosen_len) && !--nr_left)
		raise(SIGKILL);
}

void failhook_init(void)
{
	const char *nth;

	chosen = getenv("UTMEM_FAIL_POINT");
	if (!chosen)
		return;
	chosen_len = strcspn(chosen, ":");
	nth = chosen + chosen_len;
	nr_left = *nth ? strtoul(nth + 1, NULL, 10) : 1;
	utmem_fail_hook = fail_here;
}
#else
void failhook_init(void)
{
}
#endif
