/* SPDX-License-Identifier: MIT */
/*
 * What a process in the guest says to /dev/utmemN. Owner: guest/dev; caller:
 * libutmem's dev: transport. Alone in C11, C++17 and the kernel.
 *
 * One open file has at most one queue; closing the last reference destroys it.
 * Every struct has `resv` words that must be zero (-EINVAL). All calls return 0
 * or a count, or -1 and errno. Calls on one file may come from any thread, but
 * the queue itself belongs to one thread at a time.
 */
#ifndef UTMEM_IOCTL_H
#define UTMEM_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "utmem_abi.h"

/* mmap() offsets: exactly these two ranges can be mapped, each from its start */
#define UTMEM_MMAP_QUEUE 0ull		/* geo.len bytes, shared, read-write */
#define UTMEM_MMAP_CONTROL (1ull << 40) /* UTMEM_PAGE bytes, read-only */

#define UTMEM_BATCH_MAX_MIN 1u
#define UTMEM_BATCH_MAX_MAX 65536u
#define UTMEM_BATCH_USECS_MAX 1000000u
#define UTMEM_IRQ_MAX_MIN 1u
#define UTMEM_IRQ_MAX_MAX 65536u
#define UTMEM_IRQ_USECS_MAX 1000000u
#define UTMEM_BATCH_DEFAULT 0xffffffffu /* in, of any knob: take the device's value from sysfs */

/* batch_mode */
#define UTMEM_BATCH_FIXED 0u	/* batch_max, batch_usecs, irq_max and irq_usecs are what is done */
#define UTMEM_BATCH_ADAPTIVE 1u /* they are the most that may be done; less when little arrives */

/* How a device rings, utmem_ioc_info.doorbell */
#define UTMEM_DOORBELL_MMIO 0u
#define UTMEM_DOORBELL_HYPERCALL 1u

/* A device as it is: no queue needed. */
struct utmem_ioc_info {
	__u16 abi_major;
	__u16 abi_minor;
	__u32 epoch;
	__u64 features; /* accepted by the driver */
	__u64 window_len;
	__u32 max_queues;
	__u32 max_sq_entries;
	__u32 max_data_len;
	__u32 max_key_len;
	__u64 max_value_len;
	__u32 batch_max; /* device defaults */
	__u32 batch_usecs;
	__u32 batch_mode;
	__u32 irq_max;
	__u32 irq_usecs;
	__u32 doorbell; /* UTMEM_DOORBELL_*: the next ring's */
	__u64 resv[2];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ioc_info) == 88, "info");

/* Errors: -EBUSY this file has a queue; -EINVAL shape; -ENOSPC window full; -EMFILE max_queues; -ETIMEDOUT host silent. */
struct utmem_ioc_queue {
	__u32 sq_entries;	   /* in */
	__u32 cq_entries;	   /* in; 0 = twice sq_entries */
	__u32 data_len;		   /* in */
	__u32 batch_max;	   /* in: requests per doorbell, or UTMEM_BATCH_DEFAULT */
	__u32 batch_usecs;	   /* in: longest wait for more requests, or UTMEM_BATCH_DEFAULT */
	__u32 svc_slot;		   /* out: index in utmem_control.svc */
	struct utmem_geometry geo; /* out; off is 0: relative to the mapping */
	__u32 batch_mode;	   /* in: UTMEM_BATCH_FIXED, ADAPTIVE or DEFAULT, as the next two */
	__u32 irq_max;		   /* in: completions per interrupt */
	__u32 irq_usecs;	   /* in: longest that a completion waits for others */
	__u32 resv0;
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ioc_queue) == 80, "queue");

/* As struct utmem_admin_pool, less what the driver fills in itself. */
struct utmem_ioc_pool {
	__u32 flags;  /* UTMEM_POOL_*, without ANY_OWNER */
	__u16 handle; /* out of OPEN, in of CLOSE and DESTROY */
	__u16 resv0;
	char tenant[UTMEM_NAME_LEN];
	char name[UTMEM_NAME_LEN];
	__u64 resv[2];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ioc_pool) == 152, "pool");

#define UTMEM_ENTER_FLUSH (1u << 0) /* ring now, whatever batch_max and batch_usecs say */

/*
 * Submit and wait. to_submit: how many requests the caller has published since
 * its last ENTER (for coalescing; an untrue count only rings early or late).
 * min_complete > 0: rings at once and sleeps until so many completions wait.
 * Errors: -ETIME timeout; -EINTR; -EPROTO, -ECONNRESET the queue has ended.
 */
struct utmem_ioc_enter {
	__u32 to_submit;
	__u32 min_complete; /* at most cq_entries */
	__u32 flags;	    /* UTMEM_ENTER_* */
	__u32 resv0;
	__s64 timeout_ns; /* -1 = for ever, 0 = do not sleep */
	__u64 resv[1];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ioc_enter) == 32, "enter");

/* A queue's knobs. SET: UTMEM_BATCH_DEFAULT in any of them; GET: what holds now. */
struct utmem_ioc_batch {
	__u32 batch_max;
	__u32 batch_usecs;
	__u32 batch_mode;
	__u32 irq_max;
	__u32 irq_usecs;
	__u32 resv0;
	__u64 resv[1];
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ioc_batch) == 32, "batch");

/* Counters: of this queue, and of the device since the driver was loaded. */
struct utmem_ioc_counters {
	__u64 requests; /* entered through the driver */
	__u64 doorbells;
	__u64 interrupts; /* wake-ups delivered */
	__u64 deferred;	  /* enters that did not ring at once */
	__u64 awake; /* rings saved: the host was awake, or had been rung for this sleep already */
	__u64 hypercalls; /* of doorbells: rung by hypercall */
	__u64 unanswered; /* of hypercalls: nobody woke up, so the doorbell was rung by MMIO as well */
	__u64 coalesced; /* completions that waited for others before anybody was woken */
};
struct utmem_ioc_stats {
	struct utmem_ioc_counters queue;
	struct utmem_ioc_counters device;
};
UTMEM_STATIC_ASSERT(sizeof(struct utmem_ioc_stats) == 128, "stats");

#define UTMEM_IOC_MAGIC 0xbf /* nobody's in ioctl-number.rst */
#define UTMEM_IOC_INFO _IOR(UTMEM_IOC_MAGIC, 0, struct utmem_ioc_info)
#define UTMEM_IOC_QUEUE_CREATE _IOWR(UTMEM_IOC_MAGIC, 1, struct utmem_ioc_queue)
#define UTMEM_IOC_POOL_OPEN _IOWR(UTMEM_IOC_MAGIC, 2, struct utmem_ioc_pool)
#define UTMEM_IOC_POOL_CLOSE _IOW(UTMEM_IOC_MAGIC, 3, struct utmem_ioc_pool)
#define UTMEM_IOC_POOL_DESTROY _IOW(UTMEM_IOC_MAGIC, 4, struct utmem_ioc_pool)
#define UTMEM_IOC_POOL_STAT _IOWR(UTMEM_IOC_MAGIC, 5, struct utmem_pool_stat)
#define UTMEM_IOC_ENTER _IOW(UTMEM_IOC_MAGIC, 6, struct utmem_ioc_enter)
#define UTMEM_IOC_BATCH_SET _IOW(UTMEM_IOC_MAGIC, 7, struct utmem_ioc_batch)
#define UTMEM_IOC_BATCH_GET _IOR(UTMEM_IOC_MAGIC, 8, struct utmem_ioc_batch)
#define UTMEM_IOC_STATS _IOR(UTMEM_IOC_MAGIC, 9, struct utmem_ioc_stats)

#endif /* UTMEM_IOCTL_H */
