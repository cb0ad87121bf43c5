// SPDX-License-Identifier: MIT
/*
 * Owns the line on stderr that says how far a transfer is. Called by save.c and restore.c
 * after each piece.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemctl/progress.h"
#include "host/utmemd/size.h"

#define SHOW_EVERY_NS 250000000ull
#define MIB (1024.0 * 1024.0)

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

void progress_begin(struct progress *p, bool quiet, uint64_t total)
{
	p->quiet = quiet;
	p->live = !quiet && isatty(STDERR_FILENO);
	p->total = total;
	p->began_ns = clock_ns();
	p->shown_ns = p->began_ns;
}

void progress_text(const struct progress *p, uint64_t bytes, char text[PROGRESS_TEXT_LEN])
{
	double s = (double)(clock_ns() - p->began_ns) / 1e9;
	char size[SIZE_TEXT_LEN];

	size_round(size, bytes);
	snprintf(text, PROGRESS_TEXT_LEN, "%s in %.1f s (%.0f MiB/s)", size, s,
		 s > 0 ? (double)bytes / MIB / s : 0.0);
}

void progress_show(struct progress *p, uint64_t bytes)
{
	uint64_t now = clock_ns();
	char text[PROGRESS_TEXT_LEN];

	if (!p->live || now - p->shown_ns < SHOW_EVERY_NS)
		return;
	p->shown_ns = now;
	progress_text(p, bytes, text);
	fprintf(stderr, "\r%s", text);
	/* the total is a promise from the beginning */
	if (p->total)
		fprintf(stderr, " %3.0f %%",
			bytes < p->total ? 100.0 * (double)bytes / (double)p->total : 100.0);
	fprintf(stderr, "\033[K");
}

void progress_clear(const struct progress *p)
{
	if (p->live)
		fprintf(stderr, "\r\033[K");
}
