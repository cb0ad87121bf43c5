/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram of nanoseconds: 32 steps in each power of two, so a
 * percentile is at most 3 % too high. Owner: bench. One thread at a time.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32u
#define HISTOGRAM_BUCKETS ((64u - 5u + 1u) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t count;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Values below 32 have a bucket each; above, the five bits after the leading one choose the step. */
static inline uint32_t histogram_bucket(uint64_t ns)
{
	uint32_t log;

	if (ns < HISTOGRAM_STEPS)
		return (uint32_t)ns;
	log = 63 - (uint32_t)__builtin_clzll(ns);
	return (log - 4) * HISTOGRAM_STEPS + ((uint32_t)(ns >> (log - 5)) & (HISTOGRAM_STEPS - 1));
}

static inline void histogram_add(struct histogram *h, uint64_t ns, uint64_t times)
{
	h->count += times;
	h->bucket[histogram_bucket(ns)] += times;
}

void histogram_merge(struct histogram *into, const struct histogram *from);

/* The largest value of the bucket in which @permille of a thousand values are reached; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, uint32_t permille);

#endif /* BENCH_HISTOGRAM_H */
