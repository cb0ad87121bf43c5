/* SPDX-License-Identifier: MIT */
/*
 * One queue of libutmem with a pool and a buffer for each slot, and the ways to drive it: who
 * waits how. Owner: bench. Callers: library.c and vm_*.c, on the driving thread.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include "bench/rawclient.h"
/* for the control page's NEED_KICK, which the API does not show */
#include "libutmem/internal.h"

#define LANE_SETTLE_NS 10000000000ull
#define LANE_REAP_MAX 64u

struct lane {
	struct utmem_queue *q;
	int pool;
	uint32_t value_len;
	bool miss_ok; /* -ENOENT is an answer, too */
	char *buf[BENCH_DEPTH_MAX];
};

/* Bytes of data area for @depth values. */
static inline uint32_t lane_data_len(uint64_t value, uint64_t depth)
{
	return raw_data_len(value, depth) + UTMEM_PAGE;
}

/*
 * Room for @depth requests of @value bytes; of @shape the knobs are used, entries and data_len are
 * filled in. 0 or -errno. The pool outlives the lane.
 */
int lane_open(struct lane *l, struct utmem *u, const struct utmem_queue_params *shape,
	      uint64_t value, uint64_t depth);
void lane_close(struct lane *l);

static inline int lane_fill(void *ctx, uint32_t slot, enum bench_op op, const struct bench_key *key)
{
	struct lane *l = ctx;
	struct utmem_sqe *sqe = utmem_get_sqe(l->q);

	if (!sqe)
		return -EPROTO;
	if (op == BENCH_PUT)
		return utmem_prep_put(l->q, sqe, l->pool, key, sizeof(*key), l->buf[slot],
				      l->value_len, 0);
	return utmem_prep_get(l->q, sqe, l->pool, key, sizeof(*key), l->buf[slot], l->value_len, 0);
}

static inline int lane_submit(void *ctx)
{
	int n = utmem_submit(((struct lane *)ctx)->q);

	return n < 0 ? n : 0;
}

/* What is there, at most @max; 0: nothing. */
static inline int lane_take(struct lane *l, uint32_t max)
{
	const struct utmem_cqe *cqes[LANE_REAP_MAX];
	int err = 0, n;

	n = utmem_peek_batch_cqe(l->q, cqes, max < LANE_REAP_MAX ? max : LANE_REAP_MAX);
	if (n < 0)
		return n;
	for (int i = 0; i < n && !err; i++)
		err = bench_failed(cqes[i], l->miss_ok);
	utmem_cq_advance(l->q, (unsigned int)n);
	return err ? err : n;
}

static inline int lane_reap(void *ctx, uint32_t max)
{
	const struct utmem_cqe *first;
	struct lane *l = ctx;
	int err = utmem_wait_cqe(l->q, &first);

	return err ? err : lane_take(l, max);
}

/* Until the host has said that it sleeps: nothing is in flight, so it will, unless others keep it awake. */
static inline int lane_settle(void *ctx)
{
	struct lane *l = ctx;
	uint64_t deadline = bench_now() + LANE_SETTLE_NS;

	while (!utmem_kick_needed(l->q->svc)) {
		if (bench_now() > deadline)
			return -ETIMEDOUT;
		if (utmem_state_error(l->q->cq.page))
			return utmem_state_error(l->q->cq.page);
		sched_yield();
	}
	return 0;
}

/* Handed over with the wait: one entry into the driver for both. */
static inline int lane_submit_later(void *ctx)
{
	(void)ctx;
	return 0;
}

static inline int lane_sleep(void *ctx, uint32_t max)
{
	struct lane *l = ctx;
	int n = utmem_submit_and_wait(l->q, utmem_inflight(l->q));

	return n < 0 ? n : lane_take(l, max);
}

/* Without the driver, however long it takes. */
static inline int lane_spin(void *ctx, uint32_t max)
{
	struct lane *l = ctx;
	uint32_t spins = 0;
	int n;

	while (!(n = lane_take(l, max)))
		spin_pause(&spins);
	return n;
}

/* As applications do: a short look, then sleep. */
static const struct port lane_port = {.fill = lane_fill, .submit = lane_submit, .reap = lane_reap};
static const struct port lane_port_asleep = {
	.fill = lane_fill, .submit = lane_submit, .reap = lane_reap, .settle = lane_settle};

/* The client sleeps until all of a batch is done, or never. */
static const struct port lane_port_sleeper = {
	.fill = lane_fill, .submit = lane_submit_later, .reap = lane_sleep, .settle = lane_settle};
static const struct port lane_port_spinner = {
	.fill = lane_fill, .submit = lane_submit, .reap = lane_spin, .settle = lane_settle};
static const struct port lane_port_awake = {
	.fill = lane_fill, .submit = lane_submit, .reap = lane_spin};

#endif /* BENCH_LANE_H */
