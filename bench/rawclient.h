/* SPDX-License-Identifier: MIT */
/*
 * A client without a library: the ring's own calls on a queue that another thread
 * serves by polling. Owner: bench. Used by the floor and by the `thread` transport,
 * on the driving thread.
 */
#ifndef BENCH_RAWCLIENT_H
#define BENCH_RAWCLIENT_H

#include <sched.h>

#include "bench/drive.h"
#include "guest/ring/utmem_ring.h"

struct raw_client {
	struct utmem_sq sq;
	struct utmem_cq cq;
	uint32_t value_len;
	uint32_t stride; /* bytes from one slot's buffer to the next */
	uint16_t pool;
	bool miss_ok; /* -ENOENT is an answer, too */
};

static inline uint32_t raw_stride(uint64_t value_len)
{
	return ((uint32_t)value_len + 63) & ~63u;
}

/* Bytes of data area for @depth values. */
static inline uint32_t raw_data_len(uint64_t value_len, uint64_t depth)
{
	return (raw_stride(value_len) * (uint32_t)depth + UTMEM_PAGE - 1) & ~(UTMEM_PAGE - 1);
}

/*
 * Entries of a submission ring for @depth requests in flight: twice as many, for a
 * slot is free a moment after its completion is seen, and not before.
 */
static inline uint32_t raw_entries(uint64_t depth)
{
	uint32_t n = UTMEM_SQ_ENTRIES_MIN;

	while (n < 2 * depth)
		n *= 2;
	return n;
}

static inline void raw_client_init(struct raw_client *c, void *queue,
				   const struct utmem_geometry *geo, uint64_t value_len)
{
	utmem_sq_init(&c->sq, queue, geo, 0);
	utmem_cq_init(&c->cq, queue, geo, 0);
	c->value_len = (uint32_t)value_len;
	c->stride = raw_stride(value_len);
	memset((char *)queue + geo->data_off, 'u', geo->data_len);
}

static inline int raw_fill(void *ctx, uint32_t slot, enum bench_op op, const struct bench_key *key)
{
	struct raw_client *c = ctx;
	struct utmem_sqe *sqe = utmem_sq_reserve(&c->sq);

	if (!sqe)
		return -EPROTO;
	sqe->opcode = op == BENCH_PUT ? UTMEM_OP_PUT : UTMEM_OP_GET;
	sqe->pool = c->pool;
	sqe->len = c->value_len;
	sqe->data_off = slot * c->stride;
	sqe->key_len = sizeof(*key);
	memcpy(sqe->key, key, sizeof(*key));
	return 0;
}

static inline int raw_submit(void *ctx)
{
	struct raw_client *c = ctx;

	utmem_sq_publish(&c->sq);
	return 0;
}

#define SPINS_PER_YIELD 1024u

/* One look in vain; after many of them, let others have the processor. */
static inline void spin_pause(uint32_t *spins)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
	if (++*spins % SPINS_PER_YIELD == 0)
		sched_yield();
}

/* Of a completion: 0, or why it is a failure. */
static inline int bench_failed(const struct utmem_cqe *cqe, bool miss_ok)
{
	if (cqe->res >= 0 || (miss_ok && cqe->res == -ENOENT))
		return 0;
	return cqe->res;
}

static inline int raw_reap(void *ctx, uint32_t max)
{
	struct raw_client *c = ctx;
	uint32_t n = 0, spins = 0;
	int err = 0;

	do {
		if (utmem_cq_peek(&c->cq, &n))
			return -EPROTO;
		if (!n)
			spin_pause(&spins);
	} while (!n);
	n = n < max ? n : max;
	for (uint32_t i = 0; i < n && !err; i++)
		err = bench_failed(utmem_cq_at(&c->cq, i), c->miss_ok);
	utmem_cq_release(&c->cq, n);
	return err ? err : (int)n;
}

static const struct port raw_port = {.fill = raw_fill, .submit = raw_submit, .reap = raw_reap};

#endif /* BENCH_RAWCLIENT_H */
