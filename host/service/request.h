/* SPDX-License-Identifier: MIT */
/*
 * One request on its way: copied, validated, then trusted. Owner: validate.c
 * fills it, dispatch.c acts on it, drain.c carries it. Draining thread.
 */
#ifndef UTMEM_SERVICE_REQUEST_H
#define UTMEM_SERVICE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "guest/ring/utmem_abi.h"
#include "guest/ring/utmem_barrier.h"
#include "host/pool/pool.h"

struct queue;

/* Requests of one queue per turn: enough to hide cache misses, few enough that both sides overlap. */
#define REQUEST_BATCH 32u
/* What a request costs besides its bytes, in bytes that can be copied meanwhile: about 0.1 us. */
#define REQUEST_COST 256u
/* And FLUSH, which takes a pool's index and a segment of the arena with it. */
#define FLUSH_COST (256u << 10)

/* After utsvc_request_validate() said 0, every field is within its limits and points where it says. */
struct request {
	struct utmem_sqe sqe;	 /* our copy, the only one that is ever looked at */
	struct utmem_key key;	 /* in sqe.key, or in the batch's long_key; hash is drain.c's */
	struct utmem_pool *pool; /* NULL for requests that name none */
	uint8_t *data; /* sqe.len bytes in the window, whose content may change any time */
	int error;     /* what utsvc_request_validate() said */
};

struct batch {
	struct request requests[REQUEST_BATCH];
	uint8_t long_key[REQUEST_BATCH][UTMEM_KEY_MAX];
};

struct answer {
	int32_t res;
	uint32_t flags;
};

/* The one helper for "offset + length is inside": no sum, so nothing wraps. */
static inline bool range_inside(uint64_t off, uint64_t len, uint64_t limit)
{
	return off <= limit && len <= limit - off;
}

/* Copy from the window so that the compiler cannot go back there for a second look. */
static inline void copy_once(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
	utmem_compiler_barrier();
}

/*
 * Make the rest of *r from r->sqe. @long_key: UTMEM_KEY_MAX bytes of private
 * memory that live as long as *r. Return: 0, or the -errno to answer.
 */
int utsvc_request_validate(struct request *r, const struct queue *q, uint8_t *long_key);

/* Does it name a key (and so has a hash)? Only after utsvc_request_validate() said 0. */
static inline bool request_has_key(const struct request *r)
{
	return r->sqe.key_len != 0;
}

/* In bytes, for the budgets of a turn. A PUT_BEGIN may evict as much as it announces. */
static inline uint64_t request_cost(const struct request *r)
{
	if (r->error)
		return REQUEST_COST;
	if (r->sqe.opcode == UTMEM_OP_PUT_BEGIN)
		return REQUEST_COST + r->sqe.arg;
	if (r->sqe.opcode == UTMEM_OP_FLUSH)
		return REQUEST_COST + FLUSH_COST;
	return REQUEST_COST + r->sqe.len;
}

/* Let a validated request take effect. */
struct answer utsvc_request_dispatch(const struct request *r, struct queue *q);
/* The same for one that the ledger has as pending: it may have taken effect, and does so again. */
struct answer utsvc_request_redo(const struct request *r, struct queue *q);

#endif /* UTMEM_SERVICE_REQUEST_H */
