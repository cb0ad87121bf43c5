/* SPDX-License-Identifier: MIT */
/*
 * The load: keeps `depth` requests in flight, hands them over `batch` at a time,
 * counts what comes back. The same loop drives floor and system, on one thread.
 *
 * Owner: bench. A scenario makes a struct port and calls drive(); it is inline so
 * that each port's calls are direct ones and cost the floor nothing.
 */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "bench/histogram.h"
#include "bench/options.h"

enum bench_op {
	BENCH_PUT,
	BENCH_GET,
	BENCH_DEL,
	BENCH_MIX, /* of a load alone: half GET, four tenths PUT, one tenth DEL */
};

#define BENCH_KEY_LEN 16u
struct bench_key {
	uint64_t word[2];
};

struct load {
	enum bench_op op;
	uint32_t depth, batch;
	uint64_t items;	   /* keys to choose from */
	uint64_t requests; /* at most so many; 0 = no such end */
	uint64_t ns;	   /* at most so long; 0 = no such end */
	bool in_order;	   /* every key once, for loading */
};

struct result {
	uint64_t requests, ns;
	uint64_t settle_ns; /* of ns: waited until the host slept */
	struct histogram latency;
};

/*
 * A way to a host. Slots are 0 .. depth - 1, each with a buffer of its own;
 * completions come in submission order, so that their number says which.
 */
struct port {
	/* Prepare a request; there is room for depth of them. 0 or -errno. */
	int (*fill)(void *ctx, uint32_t slot, enum bench_op op, const struct bench_key *key);
	/* Hand over what was filled. 0 or -errno. */
	int (*submit)(void *ctx);
	/* Wait for at least one completion, take at most @max. Return: how many, or the -errno of a failed one. */
	int (*reap)(void *ctx, uint32_t max);
	/* Optional. Before each batch: wait until the host sleeps. The load's depth is its batch then. */
	int (*settle)(void *ctx);
};

static inline uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	return z ^ z >> 27;
}

static inline struct bench_key bench_key(uint64_t item)
{
	return (struct bench_key){{item * 0xd6e8feb86659fd93ull, ~item}};
}

static inline enum bench_op bench_mix(uint64_t random)
{
	uint64_t tenth = (random >> 32) % 10;

	return tenth < 5 ? BENCH_GET : tenth < 9 ? BENCH_PUT : BENCH_DEL;
}

struct drive {
	uint64_t submitted, completed, last, random, settle_ns;
	uint64_t stamp[BENCH_DEPTH_MAX];
};

static inline __attribute__((always_inline)) int drive_settle(const struct port *port, void *ctx,
							      struct drive *d)
{
	uint64_t begin;
	int err;

	if (!port->settle)
		return 0;
	begin = bench_now();
	err = port->settle(ctx);
	d->settle_ns += bench_now() - begin;
	return err;
}

static inline __attribute__((always_inline)) int
drive_batch(const struct port *port, void *ctx, const struct load *load, struct drive *d)
{
	uint64_t left = d->last - d->submitted;
	uint32_t n = left < load->batch ? (uint32_t)left : load->batch;
	uint64_t stamp = bench_now();
	int err;

	for (uint32_t i = 0; i < n; i++, d->submitted++) {
		uint32_t slot = (uint32_t)(d->submitted % load->depth);
		uint64_t item = load->in_order
					? d->submitted
					: (uint64_t)((unsigned __int128)bench_random(&d->random) *
							     load->items >>
						     64);
		struct bench_key key = bench_key(item);
		enum bench_op op = load->op;

		if (op == BENCH_MIX)
			op = bench_mix(bench_random(&d->random));
		d->stamp[slot] = stamp;
		err = port->fill(ctx, slot, op, &key);
		if (err)
			return err;
	}
	return port->submit(ctx);
}

/* Return: 0, or the first -errno that came back; *out is then of no use. */
static inline __attribute__((always_inline)) int drive(const struct port *port, void *ctx,
						       const struct load *load, struct result *out)
{
	struct drive d = {.last = load->requests ? load->requests : UINT64_MAX, .random = 1};
	uint64_t begin = bench_now(), now = begin;
	int err = 0;

	while (d.completed < d.last) {
		while (!err && d.submitted < d.last &&
		       d.submitted - d.completed + load->batch <= load->depth) {
			err = drive_settle(port, ctx, &d);
			if (!err)
				err = drive_batch(port, ctx, load, &d);
		}
		if (err)
			return err;
		err = port->reap(ctx, (uint32_t)(d.submitted - d.completed));
		if (err < 0)
			return err;
		now = bench_now();
		for (; err; err--, d.completed++)
			histogram_add(&out->latency, now - d.stamp[d.completed % load->depth], 1);
		if (load->ns && now - begin >= load->ns)
			d.last = d.submitted;
	}
	out->requests = d.completed;
	out->ns = now - begin;
	out->settle_ns = d.settle_ns;
	return 0;
}

#endif /* BENCH_DRIVE_H */
