/* SPDX-License-Identifier: MIT */
/* Is what passes by a whole saved pool? Callers: save.c, verify.c. */
#ifndef UTMEMCTL_SCAN_H
#define UTMEMCTL_SCAN_H

#include <sys/types.h>

#include "host/pool/save_format.h"

#define SCAN_WHY_LEN 400
#define SCAN_PIECE_LEN (1u << 20)

struct scan {
	struct save_reader reader;
	uint64_t nr_bytes; /* passed */
	char why[SCAN_WHY_LEN];
	size_t in_len;
	uint8_t in[SAVE_FRAME_MAX + SCAN_PIECE_LEN];
};

/* NULL: no memory. free() it. */
struct scan *scan_new(void);
/*
 * The next piece from @fd. Return: its bytes, which end at @s->in + @s->in_len before scan_check();
 * 0 at the end; -errno.
 */
ssize_t scan_read(struct scan *s, int fd);
/* Look at what came. 0, or -errno and @s->why. */
int scan_check(struct scan *s);
/* Nothing more comes: was it all? 0, or -errno and @s->why. */
int scan_end(struct scan *s);
/* Key and value bytes that passed. */
uint64_t scan_payload(const struct scan *s);

#endif /* UTMEMCTL_SCAN_H */
