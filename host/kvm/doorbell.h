/* SPDX-License-Identifier: MIT */
/*
 * Ways to be woken by the doorbell hypercall (UTMEM_HC_DOORBELL) of VMs on this host. Owner:
 * host/kvm; caller: host/utmemd/hypercall.c. README.md beside this file compares them.
 *
 *	open		with privilege, or	resume		what a process before kept
 *	listen		until it succeeds; from then on hypercalls are heard
 *	join, leave	a VM, by its token
 *	sleep, awake	around each sleep of a serving thread
 *
 * All but sleep, awake and take are for one thread; those three are for the server's own.
 */
#ifndef UTMEM_KVM_DOORBELL_WAYS_H
#define UTMEM_KVM_DOORBELL_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/kvm/doorbell_bpf.h"

/* Most that one way keeps. */
#define DOORBELL_FDS_MAX (DOORBELL_SERVERS_MAX + 5u)

struct doorbell_way;

/* A VM that may ring. */
struct doorbell_guest {
	uint64_t token;	 /* not 0 */
	uint32_t tgid;	 /* of its process, as this process' pid namespace counts; 0: any */
	uint32_t server; /* whom it wakes, 0 .. nr_servers - 1 */
	int eventfd;	 /* in that server's loop: signalled by a way that has no wait_fd */
};

struct doorbell_ways {
	const char *name;
	/* Required. -EPERM, -EACCES: not permitted; -EOPNOTSUPP: not with this KVM; or another -errno. */
	int (*open)(struct doorbell_way **out, uint32_t nr_servers);
	/* Required. 0; -ENOENT: there is no KVM (yet), or it has no such thing. Needs no privilege. */
	int (*listen)(struct doorbell_way *y);
	/* Required. 0; -ENOSPC; -ESRCH: that process has gone; or another -errno. */
	int (*join)(struct doorbell_way *y, const struct doorbell_guest *g);
	/* Required. */
	void (*leave)(struct doorbell_way *y, uint64_t token);
	/* Required. Nothing is heard any more, unless its descriptors are kept elsewhere. */
	void (*close)(struct doorbell_way *y);

	/* What outlives the process. Optional, all or none: without them it is opened anew. */
	uint32_t (*fds)(const struct doorbell_way *y, int fds[DOORBELL_FDS_MAX]);
	/* Takes @fds when it succeeds. -EINVAL: not what this version keeps. */
	int (*resume)(struct doorbell_way **out, uint32_t nr_servers, const int *fds,
		      uint32_t nr_fds);
	/* Tokens that only a process before has joined. */
	void (*sweep)(struct doorbell_way *y);

	/* Optional, all or none: without them guest->eventfd is signalled, asleep or awake. */
	int (*wait_fd)(const struct doorbell_way *y, uint32_t server);
	/* wait_fd is readable, until this is called. */
	void (*take)(struct doorbell_way *y, uint32_t server);
	/* Before submitters may know of the sleep. */
	void (*sleep)(struct doorbell_way *y, uint32_t server);
	void (*awake)(struct doorbell_way *y, uint32_t server);

	/* Optional: who counts. */
	void (*stat)(const struct doorbell_way *y, struct doorbell_counters *out);
	/* Wake-ups by @token since it joined. */
	uint64_t (*rung)(const struct doorbell_way *y, uint64_t token);
};

struct doorbell_way {
	const struct doorbell_ways *ops;
	uint32_t nr_servers;
	bool listens;
};

/* A BPF program on the tracepoint of any KVM. */
extern const struct doorbell_ways doorbell_by_tracepoint;
/* A KVM that has our change. */
extern const struct doorbell_ways doorbell_by_kvm;

#endif /* UTMEM_KVM_DOORBELL_WAYS_H */
