// SPDX-License-Identifier: MIT
/*
 * Rows `doorbell` and `insns`: what handing over a batch costs the client, looked at through two
 * windows in which nobody waits: fill and submit, the doorbell in it; and taking the completions when
 * all are there. Called by vm.c.
 */
#include <math.h>
#include <stdlib.h>

#include "bench/vm.h"

#define WINDOWS 10u /* of a turn */
#define TURNS 8u    /* of each doorbell in a round */
#define SERIES_MAX (VM_ROUNDS_ASKED_MAX * TURNS * WINDOWS)
#define SPIN_NS 10000000000ull

/* What was seen through the windows, in nanoseconds and in what the processor's clock counts. */
struct windows {
	uint32_t nr;
	double submit_ns[SERIES_MAX];
	double submit_clock[SERIES_MAX], reap_clock[SERIES_MAX];
	struct vm_series series;
};

static inline uint64_t processor_clock(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static int fill(struct lane *l, uint32_t batch)
{
	int err = 0;

	for (uint32_t i = 0; i < batch && !err; i++) {
		struct bench_key key = bench_key(i);

		err = lane_fill(l, i, BENCH_PUT, &key);
	}
	return err;
}

/* Until all are there, whatever the driver thinks. */
static int spin_for(struct lane *l, uint32_t batch)
{
	uint64_t deadline = bench_now() + SPIN_NS;
	uint32_t spins = 0;
	int err;

	while ((err = utmem_queue_enough(l->q, batch)) == -EAGAIN && bench_now() < deadline)
		spin_pause(&spins);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int take_all(struct lane *l, uint32_t batch)
{
	int n = 1;

	for (; batch && n > 0; batch -= n > 0 ? (uint32_t)n : 0)
		n = lane_take(l, batch);
	return n < 0 ? n : 0;
}

static int one_window(struct lane *l, const struct vm_way *way, struct windows *w,
		      uint64_t *whole_ns)
{
	uint64_t ns, clock, submit_clock;
	int err = vm_host_sleeps(way) ? lane_settle(l) : 0;

	if (err)
		return err;
	ns = bench_now();
	clock = processor_clock();
	err = fill(l, way->batch);
	if (!err)
		err = lane_submit(l);
	submit_clock = processor_clock() - clock;
	w->submit_ns[w->nr] = (double)(bench_now() - ns);
	if (!err)
		err = spin_for(l, way->batch);
	*whole_ns += bench_now() - ns;
	histogram_add(&w->series.round, bench_now() - ns, way->batch);
	clock = processor_clock();
	if (!err)
		err = take_all(l, way->batch);
	w->reap_clock[w->nr] = (double)(processor_clock() - clock);
	w->submit_clock[w->nr++] = (double)submit_clock;
	return err;
}

static int one_turn(struct vm_bench *b, const struct vm_way *way, struct windows *w)
{
	uint64_t requests = (uint64_t)WINDOWS * way->batch, ns = 0;
	struct vm_counts before;
	int err = vm_round_begin(b, way, &before);

	if (err)
		return err;
	for (uint32_t i = 0; i < WINDOWS && !err; i++)
		err = one_window(&b->lane, way, w, &ns);
	w->series.mops[w->series.rounds] = (double)requests * 1000 / (double)(ns + !ns);
	return vm_round_end(b, &before, requests, err, &w->series);
}

static void print(const struct vm_bench *b, const char *kind, const struct vm_way *way,
		  struct windows *w, double ratio)
{
	struct vm_row row = vm_row(kind, "put", way, &w->series);

	row.ratio = ratio;
	row.submit_ns = spread_of(w->submit_ns, w->nr).median;
	if (b->instructions)
		row.insns = (spread_of(w->submit_clock, w->nr).median +
			     spread_of(w->reap_clock, w->nr).median) /
			    way->batch;
	vm_print(b, &row);
}

/* Both doorbells in turn, many short ones, so that a machine whose speed changes changes both. */
int vm_doorbell_rows(struct vm_bench *b)
{
	static const struct vm_way way = {
		.name = "fire", .client = VM_SPINS, .batch = 1, .depth = 1};
	struct vm_way ways[VM_NR_BELLS] = {way, way};
	static struct windows w[VM_NR_BELLS];
	double mmio;
	int err = 0;

	memset(w, 0, sizeof(w));
	for (enum vm_bell bell = 0; bell < VM_NR_BELLS; bell++)
		ways[bell].bell = bell;
	for (uint32_t i = 0; i < b->rounds * TURNS; i++)
		for (enum vm_bell bell = 0; bell < VM_NR_BELLS && !err; bell++)
			if (b->bell[bell])
				err = one_turn(b, &ways[bell], &w[bell]);
	if (err)
		return err;
	print(b, "doorbell", &ways[VM_MMIO], &w[VM_MMIO], NAN);
	if (!b->bell[VM_HYPERCALL]) {
		vm_print_absent(b, "doorbell", VM_HYPERCALL, "the driver does not ring so");
		return 0;
	}
	mmio = spread_of(w[VM_MMIO].series.mops, w[VM_MMIO].series.rounds).median;
	print(b, "doorbell", &ways[VM_HYPERCALL], &w[VM_HYPERCALL],
	      spread_of(w[VM_HYPERCALL].series.mops, w[VM_HYPERCALL].series.rounds).median / mmio);
	return 0;
}

static int insns_row(struct vm_bench *b, const struct vm_way *way)
{
	static struct windows w;
	int err = 0;

	memset(&w, 0, sizeof(w));
	for (uint32_t i = 0; i < b->rounds && !err; i++)
		err = one_turn(b, way, &w);
	if (!err)
		print(b, "insns", way, &w, NAN);
	return err;
}

int vm_insns_rows(struct vm_bench *b)
{
	static const uint32_t sizes[] = {1, 4, 16, 64, 256};
	struct vm_way way = {.name = "fire", .bell = vm_best_bell(b)};
	int err = 0;

	if (!b->instructions) {
		vm_print_absent(b, "insns", way.bell,
				"the processor's clock counts no instructions");
		return 0;
	}
	for (int awake = 0; awake < 2; awake++) {
		way.client = awake ? VM_STREAMS : VM_SPINS;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !err; i++) {
			way.batch = way.depth = sizes[i];
			err = insns_row(b, &way);
		}
	}
	return err;
}
