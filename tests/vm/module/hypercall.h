/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What is written to /dev/hypercall. Shared by hypercall.c beside it and guest/hypercall.c. */
#ifndef TEST_VM_HYPERCALL_H
#define TEST_VM_HYPERCALL_H

#include <linux/types.h>

struct hypercall_order {
	__u64 nr, arg[4];
	__u64 count; /* how often */
};

#endif /* TEST_VM_HYPERCALL_H */
