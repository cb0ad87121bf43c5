// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalescing: one doorbell for the requests of many calls and many processes. The
 * host sleeps, so requests are counted until as many wait as the least patient
 * of their queues allows, until the first of them has waited long enough, or until
 * somebody will sleep for an answer. Called by ENTER (process context) and by a
 * timer (hard interrupt), one struct utmem_batch for each service slot.
 */
#include "utmem.h"

#define CREATE_TRACE_POINTS
#include "utmem_trace.h"

int utmem_batch_check(u32 batch_max, u32 batch_usecs)
{
	if (batch_max != UTMEM_BATCH_DEFAULT &&
	    (batch_max < UTMEM_BATCH_MAX_MIN || batch_max > UTMEM_BATCH_MAX_MAX))
		return -EINVAL;
	if (batch_usecs != UTMEM_BATCH_DEFAULT && batch_usecs > UTMEM_BATCH_USECS_MAX)
		return -EINVAL;
	return 0;
}

u32 utmem_batch_max(const struct utmem_queue *q)
{
	u32 own = READ_ONCE(q->batch_max);

	return own == UTMEM_BATCH_DEFAULT ? READ_ONCE(q->dev->batch_max) : own;
}

u32 utmem_batch_usecs(const struct utmem_queue *q)
{
	u32 own = READ_ONCE(q->batch_usecs);

	return own == UTMEM_BATCH_DEFAULT ? READ_ONCE(q->dev->batch_usecs) : own;
}

/* What is to be done when the lock has been let go. */
struct due {
	bool told; /* there is */
	struct utmem_kick kick;
	u32 pending;
};

/*
 * Everything that is pending is told, or need not be. On behalf of @q, NULL when the one that waited
 * longest has gone meanwhile. b->lock; interrupts stay off until utmem_batch_ring().
 */
static struct due utmem_batch_take(struct utmem_batch *b, struct utmem_queue *q)
{
	struct due due = {true, utmem_doorbell_claim(b->dev, b->slot), b->pending};

	if (due.kick.how != UTMEM_RING_NONE)
		utmem_count(b->dev, q, doorbells, 1);
	else if (b->pending)
		utmem_count(b->dev, q, awake, 1);
	if (due.kick.how == UTMEM_RING_HYPERCALL) {
		utmem_count(b->dev, q, hypercalls, 1);
		b->asker = q;
	}
	b->pending = 0;
	b->oldest = NULL;
	return due;
}

/* Outside of the lock: it takes as long as the host's processor has to be entered and left. */
static void utmem_batch_ring(struct utmem_batch *b, struct due due)
{
	if (!due.told)
		return;
	utmem_doorbell_ring(b->dev, b->slot, due.kick);
	trace_kick(b->dev->id, b->slot, due.pending, due.kick.how);
}

/* @n more; the least patient of those who wait decides. b->lock. */
static void add(struct utmem_batch *b, struct utmem_queue *q, u32 n)
{
	ktime_t due = ktime_add_us(ktime_get(), utmem_batch_usecs(q));

	if (!b->pending) {
		b->limit = utmem_batch_max(q);
		b->due = due;
		b->oldest = q;
	} else {
		b->limit = min(b->limit, utmem_batch_max(q));
		b->due = min(b->due, due);
	}
	/* No overflow: below limit before, and one ring more. */
	b->pending += min(n, q->geo.sq_entries);
	utmem_count(b->dev, q, requests, min(n, q->geo.sq_entries));
}

/* Is there anything to tell the host, though the caller may have said nothing about it? */
static bool has_unserved(const struct utmem_queue *q)
{
	struct utmem_watch w;

	utmem_watch_read(&w, q->page, &q->geo);
	return w.unserved;
}

/* They wait for others; the timer rings for the least patient. b->lock. */
static void utmem_batch_defer(struct utmem_batch *b, struct utmem_queue *q)
{
	utmem_count(b->dev, q, deferred, 1);
	if (!hrtimer_is_queued(&b->timer) || b->due < hrtimer_get_expires(&b->timer))
		hrtimer_start(&b->timer, b->due, HRTIMER_MODE_ABS);
}

void utmem_batch_enter(struct utmem_queue *q, u32 n, bool now)
{
	struct utmem_batch *b = &q->dev->batches[q->svc_slot];
	struct due due = {};
	unsigned long flags;

	local_irq_save(flags);
	spin_lock(&b->lock);
	if (n) {
		add(b, q, n);
		now |= !utmem_batch_usecs(q);
	}
	if (now ? b->pending || has_unserved(q) : b->pending >= b->limit) {
		/* A timer that is already running finds nothing pending, or rings for a later one too early. */
		hrtimer_try_to_cancel(&b->timer);
		due = utmem_batch_take(b, q);
	} else if (n) {
		utmem_batch_defer(b, q);
	}
	spin_unlock(&b->lock);
	utmem_batch_ring(b, due);
	local_irq_restore(flags);
}

static enum hrtimer_restart patience_ends(struct hrtimer *timer)
{
	struct utmem_batch *b = container_of(timer, struct utmem_batch, timer);
	struct due due = {};
	unsigned long flags;

	local_irq_save(flags);
	spin_lock(&b->lock);
	if (b->pending)
		due = utmem_batch_take(b, b->oldest);
	spin_unlock(&b->lock);
	utmem_batch_ring(b, due);
	local_irq_restore(flags);
	return HRTIMER_NORESTART;
}

void utmem_batch_forget(struct utmem_queue *q)
{
	struct utmem_batch *b = &q->dev->batches[q->svc_slot];

	spin_lock_irq(&b->lock);
	if (b->oldest == q)
		b->oldest = NULL;
	if (b->asker == q)
		b->asker = NULL;
	spin_unlock_irq(&b->lock);
}

void utmem_batch_init(struct utmem_dev *dev)
{
	u32 slot;

	for (slot = 0; slot < UTMEM_SVC_MAX; slot++) {
		struct utmem_batch *b = &dev->batches[slot];

		spin_lock_init(&b->lock);
		b->dev = dev;
		b->slot = slot;
		hrtimer_init(&b->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
		b->timer.function = patience_ends;
	}
}

void utmem_batch_exit(struct utmem_dev *dev)
{
	u32 slot;

	for (slot = 0; slot < UTMEM_SVC_MAX; slot++)
		hrtimer_cancel(&dev->batches[slot].timer);
}
