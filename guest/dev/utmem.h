/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver's files know of each other. One struct utmem_dev for each PCI
 * function, one struct utmem_file for each open(), at most one struct utmem_queue
 * for each file.
 *
 * Life. Files hold a reference on their device, so a struct utmem_dev outlives the
 * PCI function. What remove() takes away (window, registers, admin queue) is used
 * only between utmem_dev_enter() and utmem_dev_leave(): an SRCU read side, since
 * ioctls sleep there and page faults come there with mmap_lock held. `gone` is set
 * first, then sleepers are woken, then remove() waits until everybody has left.
 *
 * Lock order, outermost first:
 *	utmem_dev.lock		files, queues, and which window ranges they have
 *	utmem_admin.lock	one admin request at a time
 *	utmem_vector.lock	queues that an interrupt looks at	(irq-safe)
 *	utmem_queue.arm_lock	how a queue's waiters will be woken	(irq-safe)
 *	utmem_batch.lock	requests that wait for a doorbell	(irq-safe)
 *	utmem_trust.lock	whether hypercalls are answered		(irq-safe)
 * User memory is touched under none of them and outside of enter() and leave(): who serves a fault
 * may take for ever, and remove() must not wait for him.
 */
#ifndef UTMEM_H
#define UTMEM_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "utmem_abi.h"
#include "utmem_ring.h"
#include "utmem_ioctl.h"
#include "utmem_adapt.h"

#define UTMEM_NAME "utmem"
#define UTMEM_VECTORS_MAX 8	    /* MSI-X vectors taken when the device has so many */
#define UTMEM_ANSWER_MSECS 10u	    /* longest sleep after a doorbell by hypercall */
#define UTMEM_UNANSWERED_MAX 3u	    /* hypercalls in a row that may wake nobody */
#define UTMEM_RETRY_MSECS 10000u    /* then this long by MMIO alone */
#define UTMEM_HELLO_MSECS 5000u	    /* probe: longest wait for the host's answer */
#define UTMEM_ADMIN_MSECS 10000u    /* longest wait for one admin request */
#define UTMEM_ADMIN_LOOK_MSECS 100u /* so often it is looked for without an interrupt */
#define UTMEM_PULSE_MSECS 1000u	    /* how often the host's life is looked at while queues exist */
#define UTMEM_SILENT_MSECS 5000u    /* the host counts as silent after so long ... */
#define UTMEM_SILENT_BEATS 5u	    /* ... and so many missed heartbeats */
#define UTMEM_BEAT_MSECS_MAX 60000u /* of the period that the host announces, no more is believed */

struct utmem_queue;

struct utmem_counters {
	atomic64_t requests;
	atomic64_t doorbells;
	atomic64_t interrupts;
	atomic64_t deferred;
	atomic64_t awake;
	atomic64_t hypercalls;
	atomic64_t unanswered;
	atomic64_t coalesced;
};

/* utmem_knobs.c has their ranges and defaults. */
enum utmem_knob {
	UTMEM_KNOB_BATCH_MAX,	/* requests for one doorbell */
	UTMEM_KNOB_BATCH_USECS, /* longest that one waits for others */
	UTMEM_KNOB_BATCH_MODE,	/* UTMEM_BATCH_FIXED or ADAPTIVE */
	UTMEM_KNOB_IRQ_MAX,	/* completions for one interrupt */
	UTMEM_KNOB_IRQ_USECS,	/* longest that one waits for others */
	UTMEM_KNOBS
};

struct utmem_knobs {
	u32 value[UTMEM_KNOBS]; /* of a queue: or UTMEM_BATCH_DEFAULT */
};

/* As a process says them, in struct utmem_ioc_queue or struct utmem_ioc_batch */
#define UTMEM_KNOBS_OF(io)                                    \
	((struct utmem_knobs){{                               \
		[UTMEM_KNOB_BATCH_MAX] = (io)->batch_max,     \
		[UTMEM_KNOB_BATCH_USECS] = (io)->batch_usecs, \
		[UTMEM_KNOB_BATCH_MODE] = (io)->batch_mode,   \
		[UTMEM_KNOB_IRQ_MAX] = (io)->irq_max,         \
		[UTMEM_KNOB_IRQ_USECS] = (io)->irq_usecs,     \
	}})

/* The admin queue: both guest ends of queue 0. */
struct utmem_admin {
	struct mutex lock; /* everything below but wait */
	wait_queue_head_t wait;
	struct utmem_ring_page *page;
	struct utmem_sq sq;
	struct utmem_cq cq;
	u8 *data;     /* a payload for each slot of the SQ */
	u32 slot_len; /* bytes */
	u8 *opcodes;  /* by slot: what a late completion was for */
	u64 posted;   /* requests ever published: the next one's user_data */
	u64 reaped;   /* completions ever seen: the next one's user_data */
	DECLARE_BITMAP(doomed, UTMEM_QUEUES_MAX); /* to be destroyed; there was no room to say so */
	bool broken; /* the host broke the contract: nothing works until the next hello */
	bool silent; /* a request went unanswered, and nothing has been answered since */
};

/* Requests that wait for a doorbell, of one service slot, from all processes. */
struct utmem_batch {
	spinlock_t lock;
	u32 pending;   /* requests */
	u32 limit;     /* of those who wait the least: so many, and it rings */
	ktime_t due;   /* earliest end of patience of those who wait */
	ktime_t quiet; /* so long, when nobody else comes; KTIME_MAX when that is no reason */
	bool joined;   /* somebody else has come since the first */
	struct utmem_queue *oldest; /* whose doorbell it is when the timer rings; may be NULL */
	struct utmem_queue *asker;  /* on whose behalf the last hypercall was made; may be NULL */
	struct utmem_adapt adapt;
	struct hrtimer
		timer; /* also left running after a doorbell: stopping it costs as much as its end */
	struct utmem_dev *dev;
	u32 slot;
};

/* How the host is woken; the values go to trace events. */
enum utmem_ring {
	UTMEM_RING_NONE, /* it is awake, or somebody has rung for this sleep */
	UTMEM_RING_MMIO,
	UTMEM_RING_HYPERCALL,
};

/* A sleep of the host that the holder has promised to end. */
struct utmem_kick {
	u32 sleep; /* as in utmem_svc_line.flags */
	enum utmem_ring how;
};

/* The doorbell of one service slot. Without a lock: each word says something by itself. */
struct utmem_bell {
	u32 rung;		  /* the host's sleep that has been rung for, or soon will be */
	u32 asked;		  /* the last one by hypercall ... */
	unsigned long asked_at;	  /* ... and jiffies of that */
	struct timer_list answer; /* looks whether it has ended */
	struct utmem_dev *dev;
	u32 slot;
};

/* sysfs doorbell */
enum utmem_doorbell_mode {
	UTMEM_DOORBELL_AUTO,	  /* by hypercall where the host offers it, and answers */
	UTMEM_DOORBELL_BY_MMIO,	  /* never by hypercall */
	UTMEM_DOORBELL_INSISTING, /* "hypercall": where the host offers it, answered or not */
};

/* Are hypercalls answered? Of the host's life that has this epoch and these features. */
struct utmem_trust {
	spinlock_t lock; /* for writers; readers take each word as it is */
	u32 misses;	 /* in a row */
	u32 epoch;
	u64 features;
	unsigned long retry_at; /* jiffies; when there are too many misses */
};

struct utmem_vector {
	spinlock_t lock;
	struct list_head queues;
	struct utmem_dev *dev;
	char name[24];
};

struct utmem_dev {
	struct kref ref;
	struct srcu_struct srcu;
	bool gone; /* no call may begin */
	bool down; /* the host has been told of the end of every queue; under lock */

	int id;
	char name[16];
	struct miscdevice misc;
	struct pci_dev *pdev;

	/* Until remove() */
	void __iomem *regs;
	phys_addr_t window_phys;
	void *window;
	struct utmem_control *control;
	struct utmem_window_hdr hdr; /* our copy, checked; only epoch and features are read again */
	u64 features;		     /* accepted */
	unsigned int nr_vectors;
	atomic_t next_vector;
	struct utmem_vector vectors[UTMEM_VECTORS_MAX];
	struct utmem_admin admin;
	struct utmem_batch batches[UTMEM_SVC_MAX];
	struct utmem_bell bells[UTMEM_SVC_MAX];
	struct utmem_trust trust;

	/* Device defaults, from sysfs; read without a lock */
	struct utmem_knobs knobs;
	u32 doorbell; /* enum utmem_doorbell_mode */
	struct utmem_counters counters;

	struct mutex lock;
	struct list_head files;
	struct list_head queues; /* whose ranges of the window are taken */
	unsigned int nr_queues;	 /* in it */

	struct delayed_work pulse;
	u32 beat;	       /* host.heartbeat when it last moved */
	unsigned long beat_at; /* jiffies of that */
	bool silent;	       /* it has not moved for too long */
};

struct utmem_file {
	struct utmem_dev *dev;
	struct file *filp;
	struct list_head node;	   /* in dev->files */
	atomic_t claimed;	   /* 1: it has a queue, or somebody is making one */
	struct utmem_queue *made;  /* whoever claimed has it; its process does not know it yet */
	struct utmem_queue *queue; /* set once, with release; lives as long as the file */
	wait_queue_head_t poll_wait;
};

struct utmem_queue {
	struct utmem_dev *dev;
	struct utmem_file *file;
	struct utmem_ring_page *page;
	struct utmem_geometry geo;
	u32 id;
	u32 svc_slot;
	struct utmem_vector *vector;
	struct list_head node;	   /* in vector->queues */
	struct list_head dev_node; /* in dev->queues */

	struct utmem_knobs knobs;
	struct utmem_counters counters;

	/* Under utmem_batch.lock: how far its requests have been looked at, and when */
	u32 seen_tail;
	u64 seen_ns;

	wait_queue_head_t wait; /* the one that sleeps in ENTER */
	atomic_t waiting;	/* 0 or 1: there is one */
	u32 want;		/* completions that it waits for */

	spinlock_t arm_lock; /* who arms, and what follows */
	u32 near;	     /* completions that somebody waits for, although ... */
	bool far;	     /* ... the interrupt has been put off until there are more */
	bool patient;	     /* the timer runs */
	bool exact;    /* it has ended since somebody fell asleep: nothing is put off any more */
	u32 seen_done; /* completions that have been looked at */
	struct utmem_adapt adapt;
	struct hrtimer timer; /* ends patience */
};

/* Count on the device and, when it is known, on the queue. */
#define utmem_count(dev, q, field, n)                          \
	do {                                                   \
		atomic64_add(n, &(dev)->counters.field);       \
		if (q)                                         \
			atomic64_add(n, &(q)->counters.field); \
	} while (0)

/* What follows a comparison with what the host wrote must not look there again. */
static inline void utmem_copy_once(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
	barrier();
}

/* Ranges that have been checked: nothing wraps. */
static inline bool utmem_ranges_overlap(u64 a_off, u64 a_len, u64 b_off, u64 b_len)
{
	return a_off < b_off + b_len && b_off < a_off + a_len;
}

/* Does a queue lie on the header or on the control page? */
static inline bool utmem_window_reserved(const struct utmem_window_hdr *h,
					 const struct utmem_geometry *geo)
{
	return geo->off < UTMEM_PAGE ||
	       utmem_ranges_overlap(geo->off, geo->len, h->control_off, UTMEM_PAGE);
}

/* ---- utmem_main.c: a device's memory and references ---- */

int utmem_dev_alloc(struct pci_dev *pdev, struct utmem_dev **out);
void utmem_dev_unref(struct utmem_dev *dev);

/* -ENODEV once the device is gone, else window and admin queue stay until leave(). May sleep between. */
static inline int utmem_dev_enter(struct utmem_dev *dev, int *idx)
{
	*idx = srcu_read_lock(&dev->srcu);
	if (!READ_ONCE(dev->gone))
		return 0;
	srcu_read_unlock(&dev->srcu, *idx);
	return -ENODEV;
}

static inline void utmem_dev_leave(struct utmem_dev *dev, int idx)
{
	srcu_read_unlock(&dev->srcu, idx);
}

/* ---- utmem_pci.c ---- */

extern struct pci_driver utmem_pci_driver;

/* ---- utmem_window.c: header, hello, the host's life ---- */

/* Of the header that lies at @window: 0, or -ENODEV: not ours (without a word), or an ABI that we do not speak. */
int utmem_window_recognise(struct device *parent, const void *window);
/* Copy and check everything the header says. -EPROTO. Sets hdr, control, features. */
int utmem_window_check(struct utmem_dev *dev, u64 bar_len);
/* The host's, now. */
u32 utmem_epoch(const struct utmem_dev *dev);
u64 utmem_features_now(const struct utmem_dev *dev);
/* Tell the host that a new life begins, wait for its answer. -ESHUTDOWN, -ETIMEDOUT. */
int utmem_window_hello(struct utmem_dev *dev);
/* 0, -ESHUTDOWN the daemon ended in good order, -ETIMEDOUT its heartbeat stands still. */
int utmem_host_error(const struct utmem_dev *dev);
bool utmem_host_stopped(const struct utmem_dev *dev);
void utmem_pulse_init(struct utmem_dev *dev);
/* A queue was made, so the host is alive now; look at it from now on. */
void utmem_pulse_start(struct utmem_dev *dev);
void utmem_pulse_stop(struct utmem_dev *dev);

/* ---- utmem_admin.c ---- */

int utmem_admin_init(struct utmem_dev *dev);
void utmem_admin_exit(struct utmem_dev *dev);
/* From the interrupt. */
void utmem_admin_wake(struct utmem_dev *dev);
/*
 * One request, @payload in and out. @state: TASK_KILLABLE or TASK_UNINTERRUPTIBLE. Sleeps, at most
 * UTMEM_ADMIN_MSECS after the lock. 0, the host's -errno, -ETIMEDOUT, -ESHUTDOWN, -EPROTO,
 * -ERESTARTSYS. What is not waited for to its end still takes effect, but for CREATE_QUEUE,
 * which is undone by the next request, or at the end.
 */
int utmem_admin_call(struct utmem_dev *dev, u8 opcode, void *payload, u32 len, unsigned int state);
/* Publish, now or when there is room, and wait only if the host has been answering. */
void utmem_admin_destroy_queue(struct utmem_dev *dev, u32 queue_id);

/* ---- utmem_queue.c ---- */

/* Ask the host for a queue; it is not yet the file's. Errors as in utmem_ioctl.h. */
int utmem_queue_create(struct utmem_file *f, const struct utmem_ioc_queue *io,
		       struct utmem_queue **out);
/* Nobody uses it any more. Tells the host if there still is one. Sleeps, bounded. */
void utmem_queue_destroy(struct utmem_queue *q);
int utmem_queue_enter(struct utmem_queue *q, const struct utmem_ioc_enter *e);
__poll_t utmem_queue_poll(struct utmem_queue *q);
/* The queue's end, or the device's: 0 while it is served. */
int utmem_queue_error(const struct utmem_queue *q);

/* ---- utmem_wake.c ---- */

void utmem_wake_init(struct utmem_queue *q);
/* No vector looks at @q any more, and no process uses it. Sleeps. */
void utmem_wake_exit(struct utmem_queue *q);
/*
 * Ask the host to wake us for @q when @want completions are there, or for pollers, when they want
 * less. The caller is on its wait queue already. *w is the ring after that. Any context.
 */
void utmem_wake_ask(struct utmem_queue *q, struct utmem_watch *w, u32 want);
/* The same for one who polls. */
void utmem_wake_ask_poller(struct utmem_queue *q, struct utmem_watch *w);
/* The one in ENTER sleeps no more. */
void utmem_wake_done(struct utmem_queue *q);
/* Wake whoever has what he waits for. Any context. */
void utmem_wake_look(struct utmem_vector *v, bool irq);
/* Wake everybody: the device is gone. */
void utmem_wake_all(struct utmem_dev *dev);
/* No interrupt comes any more: nor will a timer look at the window. */
void utmem_wake_stop(struct utmem_dev *dev);

/* ---- utmem_pool.c: pools on behalf of a queue's owner ---- */

int utmem_pool_open(struct utmem_queue *q, struct utmem_ioc_pool *io);
/* @opcode: UTMEM_OP_POOL_CLOSE or UTMEM_OP_POOL_DESTROY. */
int utmem_pool_end(struct utmem_queue *q, u8 opcode, u16 handle);
int utmem_pool_stat(struct utmem_queue *q, struct utmem_pool_stat *st);

/* ---- utmem_knobs.c ---- */

void utmem_knobs_init(struct utmem_knobs *k);
/* What holds for @q now: its own value or the device's. Any context. */
u32 utmem_knob(const struct utmem_queue *q, enum utmem_knob i);
/* One value of a device. -EINVAL: out of range, nothing has changed. */
int utmem_knob_set(struct utmem_knobs *k, enum utmem_knob i, u32 value);
/* All of a queue's. -EINVAL */
int utmem_knobs_check(const struct utmem_knobs *k);
void utmem_knobs_store(struct utmem_knobs *k, const struct utmem_knobs *from);

/* ---- utmem_batch.c ---- */

void utmem_batch_init(struct utmem_dev *dev);
void utmem_batch_exit(struct utmem_dev *dev);
/* @n more requests of @q; @now: do not wait for others. Any context but NMI. */
void utmem_batch_enter(struct utmem_queue *q, u32 n, bool now);
/* @q goes away. */
void utmem_batch_forget(struct utmem_queue *q);

/* ---- utmem_doorbell.c ---- */

void utmem_doorbell_init(struct utmem_dev *dev);
/* The operator's word. Process context. */
void utmem_doorbell_set(struct utmem_dev *dev, enum utmem_doorbell_mode mode);
/* Nobody claims or rings any more, but for utmem_doorbell_control(). Sleeps. */
void utmem_doorbell_exit(struct utmem_dev *dev);
/* Can this machine make hypercalls at all? */
bool utmem_doorbell_hypercalls(void);
/* What holds now. Any context. */
enum utmem_ring utmem_doorbell_now(struct utmem_dev *dev);
/*
 * Does anybody have to ring slot @slot, for the host sleeps and nobody has done so for this sleep?
 * Full barrier between all earlier stores and the look. Unless how is NONE, the caller rings at
 * once, with preemption or interrupts off: others rely on it. Any context.
 */
struct utmem_kick utmem_doorbell_claim(struct utmem_dev *dev, u32 slot);
void utmem_doorbell_ring(struct utmem_dev *dev, u32 slot, struct utmem_kick kick);
/* For hello and control requests, by MMIO alone. @always: asleep or not. Any context. */
void utmem_doorbell_control(struct utmem_dev *dev, bool always);

/* ---- utmem_chrdev.c, utmem_sysfs.c ---- */

extern const struct file_operations utmem_fops;
/* Take every page of the window out of every process. */
void utmem_chrdev_zap(struct utmem_dev *dev);
extern const struct attribute_group *utmem_groups[];

#endif /* UTMEM_H */
