// SPDX-License-Identifier: MIT
/*
 * Rows `counts`: doorbells, exits and interrupts of a request, by batch, doorbell, and whether the
 * host sleeps. Asleep it does before each batch, so these counts are exact. Called by vm.c.
 */
#include "bench/vm.h"

#define BATCHES_ASLEEP 20u   /* of a round */
#define REQUESTS_AWAKE 4096u /* of a round, at least: a multiple of every batch */

static const uint32_t sizes[] = {1, 4, 16, 64, 256};

static int one_row(struct vm_bench *b, const struct vm_way *way)
{
	uint64_t requests = vm_host_sleeps(way) ? BATCHES_ASLEEP * way->batch : REQUESTS_AWAKE;
	static struct vm_series s;
	struct vm_row row = vm_row("counts", "put", way, &s);
	int err = 0;

	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < b->rounds && !err; i++)
		err = vm_round(b, way, BENCH_PUT, requests, &s);
	if (!err)
		vm_print(b, &row);
	return err;
}

static int rows_of(struct vm_bench *b, enum vm_bell bell, enum vm_client client)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !err; i++) {
		struct vm_way way = {.name = client == VM_SLEEPS ? "sleeping" : "streaming",
				     .bell = bell,
				     .client = client,
				     .batch = sizes[i],
				     .depth = client == VM_SLEEPS ? sizes[i] : 2 * sizes[i]};

		err = one_row(b, &way);
	}
	return err;
}

int vm_counts_rows(struct vm_bench *b)
{
	int err = 0;

	for (enum vm_bell bell = 0; bell < VM_NR_BELLS && !err; bell++) {
		if (!b->bell[bell]) {
			vm_print_absent(b, "counts", bell, "the driver does not ring so");
			continue;
		}
		err = rows_of(b, bell, VM_SLEEPS);
		if (!err)
			err = rows_of(b, bell, VM_STREAMS);
	}
	return err;
}
