/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the BPF program and its loader share: the values in the maps. Owner: doorbell.bpf.c;
 * the other side is tracepoint.c. A change here is a change of TRACEPOINT_LAYOUT (tracepoint.c).
 */
#ifndef UTMEM_DOORBELL_BPF_H
#define UTMEM_DOORBELL_BPF_H

#include <linux/types.h>

#define DOORBELL_SERVERS_MAX 64u
#define DOORBELL_TOKENS_MAX 4096u /* VMs that may ring by hypercall at one time */
#define DOORBELL_RING_LEN 4096u	  /* bytes of a ring buffer: the least there is */
#define DOORBELL_LINE 128u	  /* a cache line and its prefetch neighbour */

/* Whose a token is. Written by the loader, rung by the program. */
struct doorbell_token {
	__u32 server; /* whom to wake */
	__u32 tgid;   /* of the VM's process, in the first pid namespace; 0: any */
	__u32 life;   /* which worker said so: what others said is swept out */
	__u32 resv;
	__u64 nr_rung;
};

/*
 * Does server n sleep? Set by its thread before it lets submitters know of a sleep; taken by the
 * first doorbell of that sleep, so that one wakes it and the others only count.
 */
struct doorbell_word {
	__u32 sleeps; /* 0 or 1 */
	__u32 resv[DOORBELL_LINE / 4 - 1];
};

/* For each CPU. */
struct doorbell_counters {
	__u64 nr_rung;	    /* woke a sleeping server */
	__u64 nr_awake;	    /* had nobody to wake */
	__u64 nr_bad_token; /* nobody's */
	__u64 nr_foreign;   /* came from another process than the token's */
};

#endif /* UTMEM_DOORBELL_BPF_H */
