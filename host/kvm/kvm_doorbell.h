/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What a KVM with our change (patches/) adds to <linux/kvm.h>: the hypercall UTMEM_HC_DOORBELL
 * signals an eventfd. Owner: host/kvm; the change has the same lines, and its build checks that.
 * Alone in C11 and in the kernel.
 */
#ifndef UTMEM_KVM_DOORBELL_H
#define UTMEM_KVM_DOORBELL_H

#include <linux/kvm.h>

/* KVM_CHECK_EXTENSION on /dev/kvm: > 0, how many doorbells one descriptor may have. */
#define KVM_CAP_UTMEM_DOORBELL 0x75746d65

#define KVM_UTMEM_DOORBELL_DEASSIGN (1u << 0)

/*
 * On a descriptor of /dev/kvm: from here on a hypercall with @token from any VM of process @tgid
 * signals @fd. Ends with DEASSIGN (token alone counts), or with the last reference to the descriptor.
 */
struct kvm_utmem_doorbell {
	__u64 token; /* not 0 */
	__s32 fd;    /* eventfd */
	__u32 flags; /* KVM_UTMEM_DOORBELL_* */
	__s32 tgid;  /* as the caller's pid namespace counts; 0: any process */
	__u32 resv0;
	__u64 resv[1];
};

/* -EEXIST the token is taken, -ENOENT (DEASSIGN), -EBADF, -ESRCH no such process, -EINVAL, -ENOSPC. */
#define KVM_UTMEM_DOORBELL _IOW(KVMIO, 0xe8, struct kvm_utmem_doorbell)

#endif /* UTMEM_KVM_DOORBELL_H */
