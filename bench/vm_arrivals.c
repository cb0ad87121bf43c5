// SPDX-License-Identifier: MIT
/*
 * Rows `arrivals`: requests that come whether or not the last one is done, at five rates, each
 * submitted by itself; the driver makes batches of them, by fixed settings or adaptively. A
 * request's time runs from when it was due, so that one that had to wait for the client is late as
 * well. Called by vm.c.
 */
#include <math.h>
#include <stdio.h>

#include "bench/vm.h"

#define DEPTH 512u
#define ROUND_NS 150000000ull
#define REQUESTS_MIN 40u
#define SPIN_NS 10000000000ull
#define ADAPTIVE 0u /* in settings[] */

static const struct vm_way settings[] = {
	{.name = "adaptive",
	 .knobs = {.batch_max = 256, .batch_usecs = 500, .batch_mode = UTMEM_MODE_ADAPTIVE}},
	{.name = "fixed 1, 0 us",
	 .knobs = {.batch_max = 1, .batch_usecs = UTMEM_NO_DELAY, .batch_mode = UTMEM_MODE_FIXED}},
	{.name = "fixed 8, 20 us",
	 .knobs = {.batch_max = 8, .batch_usecs = 20, .batch_mode = UTMEM_MODE_FIXED}},
	{.name = "fixed 32, 50 us",
	 .knobs = {.batch_max = 32, .batch_usecs = 50, .batch_mode = UTMEM_MODE_FIXED}},
	{.name = "fixed 64, 200 us",
	 .knobs = {.batch_max = 64, .batch_usecs = 200, .batch_mode = UTMEM_MODE_FIXED}},
	{.name = "fixed 256, 500 us",
	 .knobs = {.batch_max = 256, .batch_usecs = 500, .batch_mode = UTMEM_MODE_FIXED}},
};
#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* Of what the host can do when it is never idle; the last is more than it can. */
static const double loads[] = {0.002, 0.02, 0.1, 0.4, 2};
#define NR_LOADS (sizeof(loads) / sizeof(loads[0]))

struct arrivals {
	double gap_ns; /* mean; gaps are exponential */
	uint64_t requests, submitted, completed;
	uint64_t random, next; /* when the next one is due */
	uint64_t due[DEPTH];
};

static uint64_t gap(struct arrivals *a)
{
	double u = (double)((bench_random(&a->random) >> 11) + 1) / 9007199254740993.0;

	return (uint64_t)(-log(u) * a->gap_ns);
}

/* All that are due and have room, one by one. */
static int arrive(struct lane *l, struct arrivals *a, uint64_t items)
{
	int err = 0;

	while (!err && a->submitted < a->requests && a->submitted - a->completed < DEPTH &&
	       bench_now() >= a->next) {
		uint32_t slot = (uint32_t)(a->submitted++ % DEPTH);
		struct bench_key key = bench_key(bench_random(&a->random) % items);

		a->due[slot] = a->next;
		a->next += gap(a);
		err = lane_fill(l, slot, BENCH_PUT, &key);
		if (!err)
			err = lane_submit(l);
	}
	return err;
}

static int depart(struct lane *l, struct arrivals *a, struct histogram *latency)
{
	int n = lane_take(l, LANE_REAP_MAX);
	uint64_t now = bench_now();

	for (int i = 0; i < n; i++, a->completed++)
		histogram_add(latency, now - a->due[a->completed % DEPTH], 1);
	return n < 0 ? n : 0;
}

static int generate(struct lane *l, struct arrivals *a, uint64_t items, struct histogram *latency)
{
	uint64_t seen = 0, deadline = bench_now() + SPIN_NS;
	int err = 0;

	while (!err && a->completed < a->requests) {
		err = arrive(l, a, items);
		if (!err)
			err = depart(l, a, latency);
		if (a->completed != seen || a->completed == a->submitted)
			deadline = bench_now() + SPIN_NS;
		seen = a->completed;
		if (bench_now() > deadline)
			return -ETIMEDOUT;
	}
	return err;
}

static int one_round(struct vm_bench *b, const struct vm_way *way, double rate, uint32_t round,
		     struct vm_series *s)
{
	static struct arrivals a;
	struct vm_counts before;
	int err = vm_round_begin(b, way, &before);
	uint64_t begin;

	if (err)
		return err;
	a = (struct arrivals){.gap_ns = 1e9 / rate,
			      .requests = (uint64_t)(rate * ROUND_NS / 1e9),
			      .random = round};
	if (a.requests < REQUESTS_MIN)
		a.requests = REQUESTS_MIN;
	begin = a.next = bench_now();
	err = generate(&b->lane, &a, b->items, &s->round);
	s->mops[s->rounds] = (double)a.requests * 1000 / (double)(bench_now() - begin);
	return vm_round_end(b, &before, a.requests, err, s);
}

/* The median round's: one in which the machine stood still says nothing about a setting. */
static double p99(struct vm_series *s)
{
	return spread_of(s->p99_ns, s->rounds).median;
}

static double median(struct vm_series *s)
{
	return spread_of(s->mops, s->rounds).median;
}

/* Which fixed setting does most, and which is least late. */
static void conclude(const struct vm_bench *b, double rate, struct vm_series *s)
{
	uint32_t most = ADAPTIVE + 1, quickest = ADAPTIVE + 1;
	double throughput, latency;

	for (uint32_t i = ADAPTIVE + 1; i < NR_SETTINGS; i++) {
		most = median(&s[i]) > median(&s[most]) ? i : most;
		quickest = p99(&s[i]) < p99(&s[quickest]) ? i : quickest;
	}
	throughput = median(&s[ADAPTIVE]) / median(&s[most]);
	latency = p99(&s[ADAPTIVE]) / p99(&s[quickest]);
	vm_print_verdict(b, rate, settings[most].name, throughput, settings[quickest].name,
			 latency);
}

static int rows_of(struct vm_bench *b, double rate)
{
	static struct vm_series s[NR_SETTINGS];
	struct vm_way ways[NR_SETTINGS];
	int err = 0;

	memset(s, 0, sizeof(s));
	memcpy(ways, settings, sizeof(ways));
	for (uint32_t i = 0; i < NR_SETTINGS; i++) {
		ways[i].bell = vm_best_bell(b);
		ways[i].client = VM_SPINS;
		ways[i].batch = 1;
		ways[i].depth = DEPTH;
	}
	for (uint32_t round = 0; round < b->rounds; round++)
		for (uint32_t i = 0; i < NR_SETTINGS && !err; i++)
			err = one_round(b, &ways[i], rate, round, &s[i]);
	for (uint32_t i = 0; i < NR_SETTINGS && !err; i++) {
		struct vm_row row = vm_row("arrivals", "put", &ways[i], &s[i]);

		row.rate = rate;
		vm_print(b, &row);
	}
	if (!err)
		conclude(b, rate, s);
	return err;
}

/* Requests in a second when the client never lets the host run dry. */
static int saturation(struct vm_bench *b, double *rate)
{
	struct vm_way way = {.name = "saturation",
			     .bell = vm_best_bell(b),
			     .client = VM_STREAMS,
			     .batch = 64,
			     .depth = 128};
	static struct vm_series s;
	int err = 0;

	memset(&s, 0, sizeof(s));
	for (int i = 0; i < 3 && !err; i++)
		err = vm_round(b, &way, BENCH_PUT, 8192, &s);
	*rate = err ? 0 : median(&s) * 1e6;
	return err;
}

int vm_arrival_rows(struct vm_bench *b)
{
	double most;
	int err = saturation(b, &most);

	for (uint32_t i = 0; i < NR_LOADS && !err; i++)
		err = rows_of(b, most * loads[i]);
	return err;
}
