/* SPDX-License-Identifier: MIT */
/*
 * One client: a connection, its queues, the requests in flight on each, and the keys
 * that it alone uses. Owner: tests/crash. One thread.
 */
#ifndef CRASH_CLIENT_H
#define CRASH_CLIENT_H

#include <utmem.h>

#include "tests/crash/journal.h"
#include "tests/crash/run.h"

#define NR_QUEUES 2u
#define DEPTH 32u /* requests in flight on one queue */
#define DATA_LEN (2u << 20)
#define BUF_MAX (64u << 10) /* of one request; longer values travel in parts, and are read so */

/* Keys of each length, on each queue. */
enum length { SMALL, MEDIUM, LONG, HUGE, NR_LENGTHS };
extern const struct length_class {
	uint32_t keys, max; /* bytes of a value */
} lengths[NR_LENGTHS];
#define NR_KEYS 262u /* on each queue: the sum of the above */

enum kind {
	OP_PUT,
	OP_GET,
	OP_DEL,
	OP_GETDEL,
	OP_EXISTS,
	OP_BEGIN,
	OP_PART,
	OP_COMMIT,
	OP_ABORT,
};

struct op {
	enum kind kind;
	enum put_if cond;
	struct entry *entry;
	struct value value; /* that is put */
	uint64_t off;	    /* that is read from */
	uint32_t cap;
	void *buf;
};

/* A value that is being put in parts. */
struct parts {
	struct entry *entry; /* NULL: none is */
	struct value value;
	uint32_t sent; /* bytes */
};

struct client_queue {
	struct client *client;
	struct utmem_queue *q;
	struct op ops[DEPTH]; /* answers come in this order */
	uint32_t first, nr;
	struct parts parts;
	int store, cache; /* pools */
	struct entry entries[NR_KEYS];
	bool dead; /* a call failed that must not */
};

struct client {
	struct run *run;
	uint32_t no;
	struct utmem *u;
	struct client_queue queues[NR_QUEUES];
	uint64_t random;
};

static inline uint32_t pick(struct client *c, uint32_t n)
{
	return (uint32_t)((next_random(&c->random) >> 16) % n);
}

/* ---- requests.c: one request, from being made to its answer ---- */

uint32_t entry_max(const struct entry *e);
/* Each: false when there is no room for it now. Nothing is handed over before submit. */
bool request_put(struct client_queue *q, struct entry *e, enum put_if cond);
bool request_read(struct client_queue *q, struct entry *e, uint64_t off);
bool request_simple(struct client_queue *q, struct entry *e, enum kind kind);
/* One step more of a value in parts; the first one begins it. */
bool request_parts(struct client_queue *q, struct entry *e);
void requests_submit(struct client_queue *q);
/* Answers until at most @left are outstanding. */
void requests_reap(struct client_queue *q, uint32_t left);
/* GETDEL of one key on two queues at once; nothing else is in flight. */
void requests_race(struct client_queue *a, struct client_queue *b, struct entry *e);

#endif /* CRASH_CLIENT_H */
