/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls without a guest: a run of the BPF program as KVM's tracepoint would run it, in this
 * thread, with registers of one's choice.
 */
#ifndef TEST_HYPERCALL_H
#define TEST_HYPERCALL_H

#include <bpf/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "guest/ring/utmem_abi.h"

/* What the tracepoint hands over. */
struct hypercall {
	uint64_t nr, a0, a1, a2, a3;
};

/* 0 or -errno. */
static inline int hypercall_run(int program, const struct hypercall *h)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = h, .ctx_size_in = sizeof(*h));

	return bpf_prog_test_run_opts(program, &run);
}

static inline int hypercall_ring(int program, uint64_t token)
{
	const struct hypercall h = {.nr = UTMEM_HC_DOORBELL, .a0 = token};

	return hypercall_run(program, &h);
}

/* Elsewhere nobody knows by what numbers the kernel knows processes, and no token is bound to one. */
static inline bool in_first_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == 0xEFFFFFFC;
}

#endif /* TEST_HYPERCALL_H */
