// SPDX-License-Identifier: MIT
/* The cold half of histogram.h: merging and reading. Called by report.c and compare.c. */
#include "bench/histogram.h"

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

static uint64_t bucket_top(uint32_t i)
{
	uint32_t log = i / HISTOGRAM_STEPS + 4, step = i % HISTOGRAM_STEPS;

	if (i < HISTOGRAM_STEPS)
		return i;
	return ((uint64_t)(HISTOGRAM_STEPS + step + 1) << (log - 5)) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, uint32_t permille)
{
	uint64_t want = (h->count * permille + 999) / 1000, seen = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen && seen >= want)
			return bucket_top(i);
	}
	return 0;
}
