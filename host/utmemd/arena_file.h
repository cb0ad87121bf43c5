/* SPDX-License-Identifier: MIT */
/* The file that an arena lies in, of memory or of a file system. Caller: arena.c. */
#ifndef UTMEMD_ARENA_FILE_H
#define UTMEMD_ARENA_FILE_H

#include <stdbool.h>

#include "host/utmemd/options.h"

/* A descriptor of a file of the right length, or -errno and the reason is in the log. */
int arena_memory_open(const struct options *opt);
int arena_file_open(const struct options *opt);

/* Are its pages those of hugetlbfs? */
bool arena_file_is_huge(int fd);

#endif /* UTMEMD_ARENA_FILE_H */
