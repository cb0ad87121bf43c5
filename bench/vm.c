// SPDX-License-Identifier: MIT
/*
 * `utmem-bench vm`: in a guest, over its driver. Each kind of rows has a file vm_*.c; here is
 * how one round of one way is measured, and by which counters. Main thread.
 */
#include "bench/vm.h"

#include <math.h>
#include <stdio.h>

#include "bench/scenario.h"

#define PRELOAD_BATCH 32u
#define LOOPS 8u
#define LOOP_TURNS 100000u
#define LOOK_INSNS 32u

/* ---- counters ---- */

static int read_counts(const struct vm_bench *b, struct vm_counts *c)
{
	*c = (struct vm_counts){
		.bells = vm_driver_counter(b, "doorbells"),
		.saved = vm_driver_counter(b, "awake"),
		.hypercalls = vm_driver_counter(b, "hypercalls"),
		.unanswered = vm_driver_counter(b, "unanswered"),
		.irqs = vm_driver_counter(b, "interrupts"),
		.deferred = vm_driver_counter(b, "deferred"),
	};
	return vm_outside_exits(&b->outside, vm_driver_register(b), &c->bell_exits, &c->exits);
}

static void add_counts(struct vm_counts *sum, const struct vm_counts *from,
		       const struct vm_counts *to)
{
	sum->bells += to->bells - from->bells;
	sum->saved += to->saved - from->saved;
	sum->hypercalls += to->hypercalls - from->hypercalls;
	sum->unanswered += to->unanswered - from->unanswered;
	sum->irqs += to->irqs - from->irqs;
	sum->deferred += to->deferred - from->deferred;
	sum->bell_exits += to->bell_exits - from->bell_exits;
	sum->exits += to->exits - from->exits;
}

/* ---- a round ---- */

int vm_round_begin(struct vm_bench *b, const struct vm_way *way, struct vm_counts *before)
{
	struct utmem_queue_params knobs = way->knobs;
	int err = vm_driver_bell(b, way->bell);

	if (!err)
		err = vm_outside_host(&b->outside, !vm_host_sleeps(way));
	if (err)
		return err;
	if (!knobs.batch_max) {
		knobs.batch_max = way->batch;
		knobs.batch_usecs = VM_PATIENCE;
		knobs.batch_mode = UTMEM_MODE_FIXED;
	}
	knobs.spin_usecs = UTMEM_NO_SPIN;
	err = lane_open(&b->lane, b->u, &knobs, b->o->value, way->depth);
	if (err)
		return err;
	err = read_counts(b, before);
	if (err)
		lane_close(&b->lane);
	return err;
}

int vm_round_end(struct vm_bench *b, const struct vm_counts *before, uint64_t requests, int err,
		 struct vm_series *s)
{
	struct vm_counts after;

	if (!err)
		err = read_counts(b, &after);
	lane_close(&b->lane);
	if (err)
		return err;
	add_counts(&s->counts, before, &after);
	s->counts.requests += (double)requests;
	s->p99_ns[s->rounds++] = (double)histogram_percentile(&s->round, 990);
	histogram_merge(&s->latency, &s->round);
	memset(&s->round, 0, sizeof(s->round));
	return 0;
}

static int drive_lane(struct lane *l, enum vm_client client, const struct load *load,
		      struct result *out)
{
	switch (client) {
	case VM_SLEEPS:
		return drive(&lane_port_sleeper, l, load, out);
	case VM_SPINS:
		return drive(&lane_port_spinner, l, load, out);
	case VM_STREAMS:
		break;
	}
	return drive(&lane_port_awake, l, load, out);
}

int vm_round(struct vm_bench *b, const struct vm_way *way, enum bench_op op, uint64_t requests,
	     struct vm_series *s)
{
	struct load load = {.op = op,
			    .depth = way->depth,
			    .batch = way->batch,
			    .items = b->items,
			    .requests = requests};
	struct result result = {0};
	struct vm_counts before;
	int err = vm_round_begin(b, way, &before);
	uint64_t ns;

	if (err)
		return err;
	err = drive_lane(&b->lane, way->client, &load, &result);
	ns = result.ns - result.settle_ns;
	s->mops[s->rounds] = (double)requests * 1000 / (double)(ns + !ns);
	s->round = result.latency;
	return vm_round_end(b, &before, requests, err, s);
}

/* ---- the scenario ---- */

static int preload(struct vm_bench *b)
{
	static const struct utmem_queue_params defaults;
	struct load load = {.op = BENCH_PUT,
			    .depth = PRELOAD_BATCH,
			    .batch = PRELOAD_BATCH,
			    .items = b->items,
			    .requests = b->items,
			    .in_order = true};
	static struct result ignored;
	int err = lane_open(&b->lane, b->u, &defaults, b->o->value, load.depth);

	if (err)
		return err;
	err = drive(&lane_port, &b->lane, &load, &ignored);
	lane_close(&b->lane);
	return err;
}

/*
 * Does the time stamp counter count instructions, as under -icount shift=0? A loop of two of them
 * takes two a turn then, and a few for looking, whenever no interrupt falls into it. No other
 * clock gives the same number again and again.
 */
static bool counts_instructions(void)
{
	uint32_t exact = 0;

#if defined(__x86_64__)
	for (uint32_t i = 0; i < LOOPS; i++) {
		uint64_t turns = LOOP_TURNS, begin = __builtin_ia32_rdtsc(), took;

		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(turns)::"cc");
		took = __builtin_ia32_rdtsc() - begin;
		exact += took >= 2 * LOOP_TURNS && took < 2 * LOOP_TURNS + LOOK_INSNS;
	}
#endif
	return exact >= LOOPS / 2;
}

static int measure(struct vm_bench *b)
{
	static const struct {
		const char *name;
		int (*rows)(struct vm_bench *b);
	} kinds[] = {
		{"counts", vm_counts_rows},	{"paper", vm_paper_rows},
		{"doorbell", vm_doorbell_rows}, {"insns", vm_insns_rows},
		{"arrivals", vm_arrival_rows},
	};
	int err = preload(b);

	vm_columns(b);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !err; i++)
		if (options_have(b->o->rows, kinds[i].name, strlen(kinds[i].name)))
			err = kinds[i].rows(b);
	return err;
}

static void destroy_pool(struct vm_bench *b)
{
	static const struct utmem_queue_params defaults;

	if (lane_open(&b->lane, b->u, &defaults, 1, 1))
		return;
	utmem_pool_destroy(b->lane.q, b->lane.pool);
	lane_close(&b->lane);
}

static int run(const struct options *o)
{
	static struct vm_bench b;
	int err;

	b.o = o;
	b.items = o->items ? o->items : VM_ITEMS;
	b.rounds = (uint32_t)(o->rounds < VM_ROUNDS_ASKED_MAX ? o->rounds : VM_ROUNDS_ASKED_MAX);
	b.outside = (struct vm_outside){.asked = o->ask, .awake = -1};
	b.instructions = counts_instructions();
	err = vm_driver_open(&b);
	if (!err)
		err = utmem_connect(&b.u, o->transport);
	if (err) {
		fprintf(stderr, "utmem-bench: vm: --transport %s: %s\n", o->transport,
			err == -EINVAL ? "a driver's device is needed, as dev:/dev/utmem0"
				       : strerror(-err));
		return 1;
	}
	err = measure(&b);
	if (err)
		fprintf(stderr, "utmem-bench: vm: %s\n", strerror(-err));
	destroy_pool(&b);
	utmem_disconnect(b.u);
	return err ? 1 : 0;
}

const struct scenario scenario_vm = {
	.name = "vm",
	.summary = "in a guest, over its driver: doorbells, exits, the paper's mode, arrival rates",
	.run = run,
};
