/* SPDX-License-Identifier: MIT */
/*
 * One key's request: a state machine that has at most one entry in the ring.
 *
 *	PUT that fits in a part:  ONCE
 *	longer PUT:		  BEGIN, PART ..., COMMIT; after an error ABORT
 *	GET:			  ONCE with a guessed buffer, then PARTs from there on
 *	DEL, EXISTS, FLUSH:	  ONCE
 *
 * What a request names (key, value, buffer) belongs to it until its last
 * completion, whatever becomes of the client.
 */
#ifndef UTMEM_REDIS_REQUEST_H
#define UTMEM_REDIS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "redis-module/lane.h"

/* A value that changes under a GET in parts is read again, so many times. */
#define REQUEST_RESTARTS_MAX 16

struct command;

enum request_kind {
	REQUEST_PUT,
	REQUEST_GET,
	REQUEST_DEL,
	REQUEST_EXISTS,
	REQUEST_FLUSH,
};

enum request_step {
	STEP_ONCE,
	STEP_BEGIN,
	STEP_PART,
	STEP_COMMIT,
	STEP_ABORT,
};

struct request {
	TAILQ_ENTRY(request) link; /* in one list of the batch or the lane, or in none */
	struct command *command;
	uint8_t kind, step;
	uint8_t flags; /* UTMEM_SQE_IF_* of a PUT */
	bool held;     /* in lane.held */
	uint8_t nr_restarts;
	uint16_t stream;
	int prep_err; /* the entry in the ring is a NOP, for this reason */
	int err;      /* 0, or the -errno that the client will read */

	const char *key; /* of the command's arguments, which the command holds */
	size_t key_len;
	const char *value; /* PUT: likewise */
	uint64_t len;	   /* PUT: of the value. GET: of the whole value. EXISTS: likewise */
	uint64_t done;	   /* bytes that have travelled */
	uint32_t version;  /* GET in parts: of the first part */

	void *buf; /* in the data area, or NULL */
	size_t buf_len;
	char *mem; /* GET: the value in memory of our own, when it is not (only) in buf */
};

/* Fields that @kind names are set by the caller; decides about parts. */
void request_start(struct request *r, const struct lane *lane);

/* Put the next entry into the ring. -EAGAIN: no room in ring or data area, or no stream; nothing changed. */
int request_prepare(struct request *r, struct lane *lane);

/* Its entry has been completed. Return: true when the request has ended, else prepare it again. */
bool request_digest(struct request *r, struct lane *lane, const struct utmem_cqe *cqe);

/* A GET that succeeded: @r->len bytes. */
const char *request_value(const struct request *r);

/* Move the value of a held GET out of the data area. */
void request_spill(struct lane *lane, struct request *r);

/* The request has ended; gives back buffer and memory. */
void request_exit(struct request *r, struct lane *lane);

#endif /* UTMEM_REDIS_REQUEST_H */
