// SPDX-License-Identifier: MIT
/*
 * Owns bytes on their way to a socket. Called by save.c, on the daemon's main thread; never
 * waits for a peer.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "host/utmemd/spool.h"

struct spool_block {
	TAILQ_ENTRY(spool_block) link;
	size_t len, sent;
	uint8_t bytes[SPOOL_BLOCK_LEN];
};

void spool_init(struct spool *s)
{
	TAILQ_INIT(&s->blocks);
	s->spare = NULL;
	s->nr_bytes = 0;
}

static void drop_first(struct spool *s)
{
	struct spool_block *b = TAILQ_FIRST(&s->blocks);

	TAILQ_REMOVE(&s->blocks, b, link);
	if (s->spare)
		free(b);
	else
		s->spare = b;
}

void spool_exit(struct spool *s)
{
	while (!TAILQ_EMPTY(&s->blocks))
		drop_first(s);
	free(s->spare);
}

static struct spool_block *block_add(struct spool *s)
{
	struct spool_block *b = s->spare ? s->spare : malloc(sizeof(*b));

	s->spare = NULL;
	if (!b)
		return NULL;
	b->len = 0;
	b->sent = 0;
	TAILQ_INSERT_TAIL(&s->blocks, b, link);
	return b;
}

static struct spool_block *last_block(const struct spool *s)
{
	return TAILQ_LAST(&s->blocks, spool_blocks);
}

uint8_t *spool_reserve(struct spool *s, size_t len)
{
	struct spool_block *b = last_block(s);

	if (!b || b->len + len > sizeof(b->bytes))
		b = block_add(s);
	return b ? b->bytes + b->len : NULL;
}

void spool_commit(struct spool *s, size_t len)
{
	last_block(s)->len += len;
	s->nr_bytes += len;
}

ssize_t spool_send(struct spool *s, int fd, size_t most)
{
	struct spool_block *b = TAILQ_FIRST(&s->blocks);
	size_t left;
	ssize_t n;

	if (!s->nr_bytes)
		return 0;
	/* a block that is full to the last reservation, and sent */
	if (b->sent == b->len) {
		drop_first(s);
		b = TAILQ_FIRST(&s->blocks);
	}
	left = b->len - b->sent;
	n = send(fd, b->bytes + b->sent, left < most ? left : most, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	b->sent += (size_t)n;
	s->nr_bytes -= (size_t)n;
	if (!s->nr_bytes)
		drop_first(s);
	return n;
}
