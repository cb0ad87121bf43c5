/* SPDX-License-Identifier: MIT */
/*
 * The accesses and barriers that the contract is made of, for the guest kernel and for
 * userspace. Owner: this directory; only utmem_ring.h uses them.
 *
 * In the guest kernel these are the virt_*() forms: on a one-CPU guest smp_*()
 * compile to nothing, while the host on the other side is SMP.
 */
#ifndef UTMEM_BARRIER_H
#define UTMEM_BARRIER_H

#ifdef __KERNEL__
#include <asm/barrier.h>
#include <linux/compiler.h>
#define utmem_load_relaxed(p) READ_ONCE(*(p))
#define utmem_store_relaxed(p, v) WRITE_ONCE(*(p), v)
#define utmem_load_acquire(p) virt_load_acquire(p)
#define utmem_store_release(p, v) virt_store_release(p, v)
#define utmem_full_barrier() virt_mb()
#define utmem_compiler_barrier() barrier()
#else
#define utmem_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define utmem_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define utmem_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define utmem_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
/* The same fence as __atomic_thread_fence(SEQ_CST), which gcc refuses to build under TSan (-Wtsan). */
#define utmem_full_barrier() __sync_synchronize()
#define utmem_compiler_barrier() __asm__ __volatile__("" ::: "memory")
#endif

#endif /* UTMEM_BARRIER_H */
