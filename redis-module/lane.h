/* SPDX-License-Identifier: MIT */
/*
 * The lane: the connection, its one queue and pool, and what the requests on it
 * share. Redis' main thread alone; no locks.
 */
#ifndef UTMEM_REDIS_LANE_H
#define UTMEM_REDIS_LANE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libutmem/include/utmem.h"
#include "redis-module/options.h"

#define LANE_PART_MAX ((size_t)1 << 20)	 /* longest piece of a value that travels at once */
#define LANE_GUESS_MIN ((size_t)4 << 10) /* first buffer of a GET whose length nobody knows */
#define LANE_GUESS_MAX ((size_t)64 << 10)

struct request;
TAILQ_HEAD(request_list, request);

struct lane {
	struct utmem *utmem;
	struct utmem_queue *q;
	int pool;
	uint64_t max_value_len;
	size_t part_len;
	size_t guess;	      /* between LANE_GUESS_MIN and LANE_GUESS_MAX, follows what is read */
	uint32_t streams;     /* bit i: multi-part PUT i is open */
	uint32_t nr_prepared; /* requests that wait for a submit */
	struct request_list held; /* answered GETs whose value still lies in the data area */
	struct utmem_stats past;  /* of earlier connections */
	uint64_t nr_parts, nr_regets, nr_restarts, nr_spilled;
};

/**
 * lane_open - connect, make the queue, open (or create) the pool
 * @step: on failure, what could not be done, for the log
 *
 * Return: 0 or -errno and the lane is closed. May wait for the host.
 */
int lane_open(struct lane *lane, const struct options *opt, const char **step);
/* No request holds a buffer of it any more. A closed lane is allowed. */
void lane_close(struct lane *lane);

/* Somebody else has its connection now; the counters stay, with what it counted so far in them. */
void lane_forget(struct lane *lane);

/* Over every connection since the module was loaded. */
void lane_stats(const struct lane *lane, struct utmem_stats *out);

/* @len bytes for values in flight; held values make room. NULL: later. */
void *lane_buf_alloc(struct lane *lane, size_t len);

/* Return: the id of a multi-part PUT, or -EAGAIN. */
int lane_stream_open(struct lane *lane);
void lane_stream_close(struct lane *lane, unsigned int stream);

/* A value of @len bytes has been read. */
void lane_guess_update(struct lane *lane, uint64_t len);

#endif /* UTMEM_REDIS_LANE_H */
