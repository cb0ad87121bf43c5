/* SPDX-License-Identifier: MIT */
/*
 * The stock memory for an engine: malloc, and an anonymous mapping or that of a file.
 *
 * Owner: host/pool. Callers: whoever opens an engine and has no memory of another
 * kind (utmemd, libutmem's local:, tests, bench). The engine does not include it.
 */
#ifndef UTMEM_POOL_MEMORY_H
#define UTMEM_POOL_MEMORY_H

#include "pool.h"

/*
 * Fill *mem: an arena of arena_len bytes (rounded up to pages), which costs host
 * memory only where it is touched and gives it back on release. The callbacks keep
 * no pointer to *mem: it may be copied. @seed 0 takes a random one.
 * Return: 0, -EINVAL (arena_len 0), -ENOMEM, or the error of getrandom().
 */
int utmem_memory_open(struct utmem_memory *mem, size_t arena_len, uint64_t seed);

/*
 * The same on a file, with a meta region, so that what the engine holds outlives the process:
 * [meta | padding to 2 MiB | arena], mapped shared. @fd is a regular file (memfd, tmpfs, hugetlbfs,
 * a disk's), which is made utmem_memory_file_len(arena_len) long when it is empty, or a device of at
 * least that length (DAX). It may be closed afterwards: a duplicate of it is kept, for read, where it
 * can be read. arena_len is rounded up to 2 MiB. Pages that are released become holes, where
 * the file system can do that.
 *
 * Pages are huge where the file has such: hugetlbfs, tmpfs mounted with huge=, and what is about to be
 * filled of a memfd or tmpfs in pieces of 2 MiB (from 256 MiB on), where the kernel has them to give.
 *
 * durable is set when the file may outlive the host's own memory: unless it is memfd, tmpfs or hugetlbfs.
 * Return: 0, -EINVAL (arena_len 0 or beyond 1 TiB; the file is of another length), -ENOMEM, or what
 * ftruncate, mmap, fcntl or getrandom say.
 */
int utmem_memory_map(struct utmem_memory *mem, int fd, size_t arena_len, uint64_t seed);

/* Bytes of a file for an arena of that length; 0: there is no such arena. */
size_t utmem_memory_file_len(size_t arena_len);

/* Write out what is durable: after the engine is closed, or at any time. 0, or msync's error. */
int utmem_memory_sync(const struct utmem_memory *mem);

/* After the engine is closed. Either kind; of several copies, one. */
void utmem_memory_close(struct utmem_memory *mem);

#endif /* UTMEM_POOL_MEMORY_H */
