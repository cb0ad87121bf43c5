/* SPDX-License-Identifier: MIT */
/*
 * Who sees this guest from outside: what KVM counted, and a daemon that sleeps or stays awake. A
 * line "ask ..." on stdout, an answer on stdin; bench/vm.sh is at the other end. Owner: bench.
 * Callers: vm*.c, on the main thread.
 */
#ifndef BENCH_VM_OUTSIDE_H
#define BENCH_VM_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

struct vm_outside {
	bool asked; /* somebody is there */
	int awake;  /* what the host was told last; -1: nothing */
};

/*
 * Exits of this guest since it was started: those of writes to @bell_register and of our hypercall,
 * and all. NAN both: nobody can say (no KVM). 0, or -EPROTO: no answer that makes sense.
 */
int vm_outside_exits(const struct vm_outside *out, uint64_t bell_register, double *bell_exits,
		     double *exits);
/* From now on the host sleeps as soon as it has nothing to do, or (almost) never. 0 or -errno. */
int vm_outside_host(struct vm_outside *out, bool awake);

#endif /* BENCH_VM_OUTSIDE_H */
