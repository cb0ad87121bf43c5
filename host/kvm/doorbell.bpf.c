// SPDX-License-Identifier: GPL-2.0
/*
 * Hears doorbell hypercalls. Runs in the kernel, on the CPU and in the thread of the vCPU
 * that makes one, before KVM looks at it. Whatever the guest's registers hold, this counts, or ends
 * one sleep of the thread that serves that very VM; it changes nothing in the guest.
 * Loaded by tracepoint.c.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "guest/ring/utmem_abi.h"
#include "host/kvm/doorbell_bpf.h"

/* As the tracepoint has them: the number, and four arguments. */
#define ARG_NR 0
#define ARG_TOKEN 1

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DOORBELL_TOKENS_MAX);
	__type(key, __u64);
	__type(value, struct doorbell_token);
} tokens SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DOORBELL_SERVERS_MAX);
	__type(key, __u32);
	__type(value, struct doorbell_word);
} words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct doorbell_counters);
} counters SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DOORBELL_RING_LEN);
};

/* One for each server, polled by its thread. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DOORBELL_SERVERS_MAX);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

static bool is_foreign(const struct doorbell_token *t)
{
	return t->tgid && t->tgid != bpf_get_current_pid_tgid() >> 32;
}

/* The first one takes the word; nobody else wakes that sleep. */
static bool take_sleep(__u32 server)
{
	struct doorbell_word *w = bpf_map_lookup_elem(&words, &server);

	return w && __sync_lock_test_and_set(&w->sleeps, 0);
}

/*
 * What is written does not matter, that there is something ends the poll. A ring that is full
 * has ended it already.
 */
static void wake(__u32 server)
{
	void *ring = bpf_map_lookup_elem(&rings, &server);
	__u64 something = 0;

	if (ring)
		bpf_ringbuf_output(ring, &something, sizeof(something), BPF_RB_FORCE_WAKEUP);
}

SEC("raw_tp/kvm_hypercall")
int doorbell(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 token = ctx->args[ARG_TOKEN];
	struct doorbell_counters *c;
	struct doorbell_token *t;
	__u32 zero = 0;

	if (ctx->args[ARG_NR] != UTMEM_HC_DOORBELL)
		return 0;
	c = bpf_map_lookup_elem(&counters, &zero);
	if (!c)
		return 0;
	t = bpf_map_lookup_elem(&tokens, &token);
	if (!t) {
		__sync_fetch_and_add(&c->nr_bad_token, 1);
	} else if (is_foreign(t)) {
		__sync_fetch_and_add(&c->nr_foreign, 1);
	} else if (!take_sleep(t->server)) {
		__sync_fetch_and_add(&c->nr_awake, 1);
	} else {
		wake(t->server);
		__sync_fetch_and_add(&t->nr_rung, 1);
		__sync_fetch_and_add(&c->nr_rung, 1);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
