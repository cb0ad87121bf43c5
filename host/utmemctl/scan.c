// SPDX-License-Identifier: MIT
/*
 * Owns the look at a saved pool that passes by. Called by save.c and verify.c, piece by
 * piece; keeps what is no whole frame yet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/utmemctl/scan.h"

struct scan *scan_new(void)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (!s)
		fprintf(stderr, "utmemctl: no memory\n");
	return s;
}

ssize_t scan_read(struct scan *s, int fd)
{
	ssize_t n;

	do
		n = read(fd, s->in + s->in_len, SCAN_PIECE_LEN);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	s->in_len += (size_t)n;
	s->nr_bytes += (uint64_t)n;
	return n;
}

static int fail(struct scan *s, int err, const struct save_frame *f)
{
	if (err == -ECANCELED)
		snprintf(s->why, sizeof(s->why), "%s: %.*s", utmem_save_strerror(err),
			 (int)f->data_len, (const char *)f->data);
	else
		snprintf(s->why, sizeof(s->why), "%s", utmem_save_strerror(err));
	return err;
}

int scan_check(struct scan *s)
{
	struct save_frame f;
	size_t at = 0;
	int64_t n;

	while ((n = utmem_save_read(&s->reader, s->in + at, s->in_len - at, &f)) > 0)
		at += (size_t)n;
	if (n < 0)
		return fail(s, (int)n, &f);
	s->in_len -= at;
	if (at)
		memmove(s->in, s->in + at, s->in_len);
	return 0;
}

int scan_end(struct scan *s)
{
	return s->reader.ended ? 0 : fail(s, -ENODATA, NULL);
}

uint64_t scan_payload(const struct scan *s)
{
	return s->reader.chain.totals.key_bytes + s->reader.chain.totals.value_bytes;
}
