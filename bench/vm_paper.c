// SPDX-License-Identifier: MIT
/*
 * Rows `paper`: a doorbell for each request and its completion awaited, against batches of 64. All
 * ways take turns in each round; the ratio is to the first one. Called by vm.c.
 */
#include "bench/vm.h"

#define BATCH 64u
#define PAPER_REQUESTS 60u   /* of a round */
#define BATCHES_ASLEEP 20u   /* of a round */
#define REQUESTS_AWAKE 8192u /* of a round */
#define WAYS_MAX 7u

/* The paper's hypercall returns when the request is done: nobody is interrupted, as when the client spins. */
static uint32_t make_ways(const struct vm_bench *b, struct vm_way *ways)
{
	static const struct vm_way all[] = {
		{.name = "paper", .client = VM_SLEEPS, .batch = 1, .depth = 1},
		{.name = "paper, spinning", .client = VM_SPINS, .batch = 1, .depth = 1},
		{.name = "batch", .client = VM_SLEEPS, .batch = BATCH, .depth = BATCH},
		{.name = "batch, spinning", .client = VM_SPINS, .batch = BATCH, .depth = BATCH},
		{.name = "batch", .client = VM_STREAMS, .batch = BATCH, .depth = 2 * BATCH},
	};
	uint32_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (int bell = VM_NR_BELLS - 1; bell >= 0; bell--) {
			if (all[i].batch == 1 ? !b->bell[bell] : bell != (int)vm_best_bell(b))
				continue;
			ways[n] = all[i];
			ways[n++].bell = (enum vm_bell)bell;
		}
	}
	return n;
}

static uint64_t requests_of(const struct vm_way *way)
{
	if (!vm_host_sleeps(way))
		return REQUESTS_AWAKE;
	return way->batch == 1 ? PAPER_REQUESTS : (uint64_t)BATCHES_ASLEEP * way->batch;
}

static int rows_of(struct vm_bench *b, enum bench_op op, const char *name)
{
	static struct vm_series s[WAYS_MAX];
	struct vm_way ways[WAYS_MAX];
	uint32_t n = make_ways(b, ways);
	double paper;
	int err = 0;

	memset(s, 0, sizeof(s));
	for (uint32_t round = 0; round < b->rounds; round++)
		for (uint32_t i = 0; i < n && !err; i++)
			err = vm_round(b, &ways[i], op, requests_of(&ways[i]), &s[i]);
	if (err)
		return err;
	paper = spread_of(s[0].mops, s[0].rounds).median;
	for (uint32_t i = 0; i < n; i++) {
		struct vm_row row = vm_row("paper", name, &ways[i], &s[i]);

		row.ratio = spread_of(s[i].mops, s[i].rounds).median / paper;
		vm_print(b, &row);
	}
	return 0;
}

int vm_paper_rows(struct vm_bench *b)
{
	int err = 0;

	if (!b->bell[VM_HYPERCALL])
		vm_print_absent(b, "paper", VM_HYPERCALL, "the driver does not ring so");
	if (options_have(b->o->ops, "put", 3))
		err = rows_of(b, BENCH_PUT, "put");
	if (!err && options_have(b->o->ops, "get", 3))
		err = rows_of(b, BENCH_GET, "get");
	return err;
}
