// SPDX-License-Identifier: MIT
/*
 * Owns "pool save": what the daemon sends goes to a file or to stdout, and is looked at as it
 * passes, so that only a whole one gets its name. Called by commands.c, once.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/utmemctl/commands.h"
#include "host/utmemctl/outfile.h"
#include "host/utmemctl/pools.h"
#include "host/utmemctl/progress.h"
#include "host/utmemctl/request.h"
#include "host/utmemctl/scan.h"

static int fail(const char *why)
{
	fprintf(stderr, "utmemctl: %s\n", why);
	return 1;
}

/* One piece. Return: 1 there is more, 0 that was all, -1 it went wrong and stderr says why. */
static int copy_piece(struct scan *s, int from, struct outfile *to)
{
	ssize_t n = scan_read(s, from);

	if (n < 0)
		fail(strerror((int)-n));
	else if (!n && scan_end(s))
		fail("utmemd ended the connection before all was there (its log says why)");
	if (n <= 0)
		return s->reader.ended && !n ? 0 : -1;
	if (outfile_write(to, s->in + s->in_len - n, (size_t)n))
		return -1;
	if (scan_check(s)) {
		fail(s->why);
		return -1;
	}
	return 1;
}

static int copy(struct scan *s, int from, struct outfile *to, struct progress *p)
{
	int more;

	do {
		more = copy_piece(s, from, to);
		p->total = s->reader.head.totals.key_bytes + s->reader.head.totals.value_bytes;
		progress_show(p, scan_payload(s));
	} while (more > 0);
	progress_clear(p);
	return more ? 1 : 0;
}

static void tell(const struct scan *s, const struct progress *p)
{
	char text[PROGRESS_TEXT_LEN];

	if (p->quiet)
		return;
	progress_text(p, s->nr_bytes, text);
	fprintf(stderr, "utmemctl: saved %s/%s: %" PRIu64 " values, %s\n", s->reader.head.tenant,
		s->reader.head.pool, s->reader.chain.totals.nr_items, text);
}

static int save(struct scan *s, int from, struct outfile *to, bool quiet)
{
	struct progress p;
	int status;

	progress_begin(&p, quiet, 0);
	status = copy(s, from, to, &p);
	if (status) {
		outfile_drop(to);
		return status;
	}
	status = outfile_commit(to);
	if (!status)
		tell(s, &p);
	return status;
}

int pool_save(const struct arguments *a)
{
	cJSON *args = pool_args(a->words[2]);
	struct scan *s = scan_new();
	struct outfile to;
	int fd, status = 1;

	if (!args)
		status = STATUS_USAGE;
	if (!args || !s || outfile_open(&to, a->nr_words > 3 ? a->words[3] : "-"))
		goto out;
	signal(SIGPIPE, SIG_IGN);
	fd = request_open(a->run_dir, "pool save", args);
	args = NULL;
	if (fd >= 0) {
		status = save(s, fd, &to, a->quiet);
		close(fd);
	} else {
		outfile_drop(&to);
	}
out:
	cJSON_Delete(args);
	free(s);
	return status;
}
