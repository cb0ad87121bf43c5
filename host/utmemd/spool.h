/* SPDX-License-Identifier: MIT */
/*
 * Bytes on their way to a socket, in blocks: reserved, filled, sent, in that order. Owner:
 * spool.c; caller: save.c. The daemon's main thread.
 */
#ifndef UTMEMD_SPOOL_H
#define UTMEMD_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define SPOOL_BLOCK_LEN (512u << 10) /* and of one reservation, at most */

struct spool_block;
TAILQ_HEAD(spool_blocks, spool_block);

struct spool {
	struct spool_blocks blocks;
	struct spool_block *spare; /* one that was sent: the next that is wanted */
	uint64_t nr_bytes;	   /* committed, not yet sent */
};

void spool_init(struct spool *s);
void spool_exit(struct spool *s);

/* Room for @len bytes in a row, for one commit; NULL: no memory. */
uint8_t *spool_reserve(struct spool *s, size_t len);
/* The first @len bytes of what was reserved are there. */
void spool_commit(struct spool *s, size_t len);
/* Up to @most bytes to @fd, without waiting. Return: how many, or -errno. */
ssize_t spool_send(struct spool *s, int fd, size_t most);

#endif /* UTMEMD_SPOOL_H */
