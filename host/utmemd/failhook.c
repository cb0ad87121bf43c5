// SPDX-License-Identifier: MIT
/*
 * Owns what happens at a fail point. Called by main.c, in a worker, before anything
 * else; the hook on any of the worker's threads.
 */
#include "host/utmemd/failhook.h"

#ifdef UTMEM_FAIL_POINTS
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/pool/failpoint.h"

static const char *chosen;
static size_t chosen_len;
static unsigned long nr_left;

/* As a crash: nothing is flushed, nothing is told. */
static void fail_here(const char *name)
{
	if (strlen(name) == chosen_len && !memcmp(name, chosen, chosen_len) &&
	    !__atomic_sub_fetch(&nr_left, 1, __ATOMIC_RELAXED))
		raise(SIGKILL);
}

/* The file's first line, and the file goes: it is meant for one worker. NULL: there is none. */
static const char *take_line(const char *path)
{
	static char line[128];
	FILE *f = fopen(path, "r");
	bool there;

	if (!f)
		return NULL;
	there = fgets(line, sizeof(line), f);
	fclose(f);
	unlink(path);
	return there ? line : NULL;
}

void failhook_init(void)
{
	const char *file = getenv("UTMEM_FAIL_FILE"), *nth;

	chosen = getenv("UTMEM_FAIL_POINT");
	if (file)
		chosen = take_line(file);
	if (!chosen)
		return;
	chosen_len = strcspn(chosen, ":\n");
	nth = chosen + chosen_len;
	nr_left = *nth == ':' ? strtoul(nth + 1, NULL, 10) : 1;
	utmem_fail_hook = fail_here;
}
#else
void failhook_init(void)
{
}
#endif
