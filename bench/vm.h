/* SPDX-License-Identifier: MIT */
/*
 * `utmem-bench vm`: what its rows share. A way is how requests are handed over and waited for; a
 * series is what the rounds of one way gave. Owner: bench (vm.c). Callers: vm_*.c, on the main
 * thread of a process in the guest.
 */
#ifndef BENCH_VM_H
#define BENCH_VM_H

#include "bench/lane.h"
#include "bench/report.h"
#include "bench/vm_outside.h"

#define VM_ROUNDS_MAX 1000u	 /* of a series */
#define VM_ROUNDS_ASKED_MAX 100u /* more of --rounds are not done */
#define VM_ITEMS 1000u		 /* keys, when --items does not say */
#define VM_PATIENCE 1000000u	 /* batch_usecs where a timer is not to ring */

enum vm_bell {
	VM_MMIO,
	VM_HYPERCALL,
	VM_NR_BELLS,
};
extern const char *const vm_bell_names[VM_NR_BELLS];

struct vm_bench {
	const struct options *o;
	struct utmem *u;
	struct vm_outside outside;
	uint64_t items;
	uint32_t rounds;
	char sysfs[128];	/* the device's folder */
	bool bell[VM_NR_BELLS]; /* can be rung so */
	bool instructions;	/* the processor's clock counts them: -icount */
	struct lane lane;	/* of the round */
};

/* How the client waits: until it is woken; by looking at the ring; and with the host never asleep. */
enum vm_client {
	VM_SLEEPS,
	VM_SPINS,
	VM_STREAMS,
};

struct vm_way {
	const char *name;
	enum vm_bell bell;
	enum vm_client client;
	uint32_t batch, depth;
	struct utmem_queue_params knobs; /* batch_max 0: just this batch, and no timer */
};

/* Differences of counters, summed over rounds; NAN: nobody knows. */
struct vm_counts {
	double requests, bells, saved, hypercalls, unanswered, irqs, deferred, bell_exits, exits;
};

struct vm_series {
	double mops[VM_ROUNDS_MAX], p99_ns[VM_ROUNDS_MAX];
	uint32_t rounds;
	struct vm_counts counts;
	struct histogram round;	  /* of the one that runs */
	struct histogram latency; /* of all before it */
};

struct vm_row {
	const char *row, *op;
	const struct vm_way *way;
	struct vm_series *series;
	double ratio;		 /* NAN: there is nothing to compare it with */
	double submit_ns, insns; /* NAN: not looked at */
	double rate;		 /* requests that arrive in a second; NAN: as many as can be */
};

/* ---- vm.c ---- */

/*
 * One round, its numbers added to @s. @requests: a multiple of the batch. 0 or -errno.
 */
int vm_round(struct vm_bench *b, const struct vm_way *way, enum bench_op op, uint64_t requests,
	     struct vm_series *s);
/*
 * The same with a loop of one's own, which fills s->round and s->mops[s->rounds]: after begin b->lane
 * is open; end closes it, whatever @err is.
 */
int vm_round_begin(struct vm_bench *b, const struct vm_way *way, struct vm_counts *before);
int vm_round_end(struct vm_bench *b, const struct vm_counts *before, uint64_t requests, int err,
		 struct vm_series *s);

static inline bool vm_host_sleeps(const struct vm_way *way)
{
	return way->client != VM_STREAMS;
}

/* The doorbell that a driver uses when it may choose. */
static inline enum vm_bell vm_best_bell(const struct vm_bench *b)
{
	return b->bell[VM_HYPERCALL] ? VM_HYPERCALL : VM_MMIO;
}

/* ---- vm_driver.c ---- */

/* Finds the device's sysfs folder, and which doorbells it has. 0 or -errno. */
int vm_driver_open(struct vm_bench *b);
/* 0, or -EOPNOTSUPP: it rings in another way. */
int vm_driver_bell(struct vm_bench *b, enum vm_bell bell);
/* A counter; NAN: this driver has none of that name. */
double vm_driver_counter(const struct vm_bench *b, const char *name);
/* The doorbell register, as the processor addresses it; 0: it cannot be found. */
uint64_t vm_driver_register(const struct vm_bench *b);

/* ---- rows ---- */

struct vm_row vm_row(const char *row, const char *op, const struct vm_way *way,
		     struct vm_series *s);
void vm_columns(const struct vm_bench *b);
void vm_print(const struct vm_bench *b, const struct vm_row *r);
/*
 * Adaptive against the fixed settings: its throughput to the most, its p99 to the least, and which
 * settings these are.
 */
void vm_print_verdict(const struct vm_bench *b, double rate, const char *most, double throughput,
		      const char *quickest, double latency);
/* A row that cannot be had here, and why. */
void vm_print_absent(const struct vm_bench *b, const char *row, enum vm_bell bell, const char *why);

int vm_counts_rows(struct vm_bench *b);
int vm_paper_rows(struct vm_bench *b);
int vm_doorbell_rows(struct vm_bench *b);
int vm_insns_rows(struct vm_bench *b);
int vm_arrival_rows(struct vm_bench *b);

#endif /* BENCH_VM_H */
