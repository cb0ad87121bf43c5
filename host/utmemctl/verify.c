// SPDX-License-Identifier: MIT
/*
 * Owns "pool verify": is a file a whole saved pool, and of what? Called by commands.c, once;
 * needs no daemon.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemctl/commands.h"
#include "host/utmemctl/pools.h"
#include "host/utmemctl/scan.h"
#include "host/utmemd/size.h"

static int verify(struct scan *s, int fd)
{
	ssize_t n;

	while ((n = scan_read(s, fd)) > 0) {
		if (scan_check(s))
			return 1;
	}
	if (n < 0)
		snprintf(s->why, sizeof(s->why), "%s", strerror((int)-n));
	return n < 0 || scan_end(s) ? 1 : 0;
}

static void tell(const struct scan *s, const char *path)
{
	const struct save_head *h = &s->reader.head;
	time_t when = (time_t)h->time;
	char size[SIZE_TEXT_LEN], time[32] = "?";
	struct tm tm;

	if (gmtime_r(&when, &tm))
		strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	size_round(size, scan_payload(s));
	printf("%s: whole: %s pool %s/%s of %s, %" PRIu64 " values, %s\n", path,
	       h->kind.ephemeral ? "ephemeral" : "persistent", h->tenant, h->pool, time,
	       s->reader.chain.totals.nr_items, size);
}

int pool_verify(const struct arguments *a)
{
	const char *path = a->words[2];
	struct scan *s = scan_new();
	int fd = s ? pool_open_file(path) : -1, status = 1;

	if (fd >= 0) {
		status = verify(s, fd);
		if (status)
			fprintf(stderr, "utmemctl: %s: %s\n", path, s->why);
		else
			tell(s, path);
		close(fd);
	}
	free(s);
	return status;
}
