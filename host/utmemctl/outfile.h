/* SPDX-License-Identifier: MIT */
/* A file that appears whole or not at all; or stdout. Caller: save.c. */
#ifndef UTMEMCTL_OUTFILE_H
#define UTMEMCTL_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

struct outfile {
	const char *path; /* NULL: stdout */
	char *part;	  /* what is written until it is whole */
	int fd;
};

/* "-" is stdout, which must not be a terminal. 0, or 1 and the reason is on stderr. */
int outfile_open(struct outfile *o, const char *path);
int outfile_write(struct outfile *o, const void *bytes, size_t len);
/* It is on the disk, and has its name. */
int outfile_commit(struct outfile *o);
/* Nothing is left of it. */
void outfile_drop(struct outfile *o);

#endif /* UTMEMCTL_OUTFILE_H */
