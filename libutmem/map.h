/* SPDX-License-Identifier: MIT */
/*
 * A whole window, as a process on the host maps it. Caller: transport_unix.c.
 */
#ifndef UTMEM_LIB_MAP_H
#define UTMEM_LIB_MAP_H

#include "libutmem/internal.h"

struct utmem_map {
	char *base; /* NULL: not mapped */
	size_t len;
	struct utmem_window_hdr hdr; /* private copy, checked */
	const struct utmem_control *control;
};

/* Map the window behind @fd, which must be @len bytes and stay so. -EPROTO, or as mmap(2). */
int utmem_map_init(struct utmem_map *m, int fd, uint64_t len);
void utmem_map_exit(struct utmem_map *m);

/* What a window says about itself, for the application. */
void utmem_hdr_limits(const struct utmem_window_hdr *hdr, struct utmem_limits *out);

#endif /* UTMEM_LIB_MAP_H */
