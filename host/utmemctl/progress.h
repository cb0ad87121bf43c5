/* SPDX-License-Identifier: MIT */
/* How far a transfer is, on stderr. Callers: save.c, restore.c. */
#ifndef UTMEMCTL_PROGRESS_H
#define UTMEMCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool quiet;
	bool live;	/* stderr is a terminal: a line that changes */
	uint64_t total; /* bytes to come, about; 0: nobody knows */
	uint64_t began_ns, shown_ns;
};

void progress_begin(struct progress *p, bool quiet, uint64_t total);
/* @bytes have come so far; shows it now and then. */
void progress_show(struct progress *p, uint64_t bytes);
/* The line that changes is gone. */
void progress_clear(const struct progress *p);
/* "1.5g in 2.3 s (668 MiB/s)" */
#define PROGRESS_TEXT_LEN 80
void progress_text(const struct progress *p, uint64_t bytes, char text[PROGRESS_TEXT_LEN]);

#endif /* UTMEMCTL_PROGRESS_H */
