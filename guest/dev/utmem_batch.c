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
	if (b->quiet != KTIME_MAX && b->joined)
		utmem_adapt_waited(&b->adapt, true);
	b->pending = 0;
	b->joined = false;
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

/* What those do who come is seen here, and what they did meanwhile without us. b->lock. */
static void utmem_batch_learn(struct utmem_batch *b, struct utmem_queue *q, u32 n, u64 now)
{
	u32 usecs = utmem_knob(q, UTMEM_KNOB_BATCH_USECS);
	struct utmem_watch w;
	s32 unseen;

	utmem_watch_read(&w, q->page, &q->geo);
	unseen = w.sq_tail - q->seen_tail - n;
	/* The host was awake: the time since the last call is no gap. */
	if (unseen > 0)
		utmem_adapt_unseen(&b->adapt, q->seen_ns, now, unseen, usecs);
	else
		utmem_adapt_call(&b->adapt, now, n, usecs);
	q->seen_tail = w.sq_tail;
	q->seen_ns = now;
}

static void utmem_batch_begin(struct utmem_batch *b, struct utmem_queue *q)
{
	b->limit = U32_MAX;
	b->due = KTIME_MAX;
	b->quiet = KTIME_MAX;
	b->oldest = q;
}

/* How long @q, whose requests came last, lets all of them wait. b->lock. */
static void utmem_batch_patience(struct utmem_batch *b, struct utmem_queue *q, ktime_t now)
{
	u32 usecs = utmem_knob(q, UTMEM_KNOB_BATCH_USECS);
	u32 limit = usecs ? utmem_knob(q, UTMEM_KNOB_BATCH_MAX) : 1;

	if (utmem_knob(q, UTMEM_KNOB_BATCH_MODE) == UTMEM_BATCH_ADAPTIVE) {
		limit = utmem_adapt_limit(&b->adapt, b->pending, !b->joined, limit, usecs);
		b->quiet = ktime_add_ns(now, utmem_adapt_quiet(&b->adapt, usecs));
	}
	b->limit = min(b->limit, limit);
	b->due = min(b->due, ktime_add_us(now, usecs));
}

/* @n more; the least patient of those who wait decides. b->lock. */
static void utmem_batch_add(struct utmem_batch *b, struct utmem_queue *q, u32 n, bool waits)
{
	ktime_t now = ktime_get();

	utmem_batch_learn(b, q, n, now);
	b->joined = b->pending;
	if (!b->pending)
		utmem_batch_begin(b, q);
	/* No overflow: below limit before, and one ring more. */
	b->pending += n;
	if (waits)
		utmem_batch_patience(b, q, now);
	utmem_count(b->dev, q, requests, n);
}

/* Is there anything to tell the host, though the caller may have said nothing about it? */
static bool has_unserved(const struct utmem_queue *q)
{
	struct utmem_watch w;

	utmem_watch_read(&w, q->page, &q->geo);
	return w.unserved;
}

/*
 * Not later than the least patient says. A timer that was left running by an earlier batch may end
 * sooner, and is started again by its end. b->lock.
 */
static void utmem_batch_wait(struct utmem_batch *b)
{
	ktime_t end = min(b->due, b->quiet);

	if (!hrtimer_is_queued(&b->timer) || end < hrtimer_get_expires(&b->timer))
		hrtimer_start(&b->timer, end, HRTIMER_MODE_ABS);
}

void utmem_batch_enter(struct utmem_queue *q, u32 n, bool now)
{
	struct utmem_batch *b = &q->dev->batches[q->svc_slot];
	struct due due = {};
	unsigned long flags;

	n = min(n, q->geo.sq_entries);
	local_irq_save(flags);
	spin_lock(&b->lock);
	if (n)
		utmem_batch_add(b, q, n, !now);
	if (now ? b->pending || has_unserved(q) : b->pending >= b->limit) {
		due = utmem_batch_take(b, q);
	} else if (n) {
		utmem_count(b->dev, q, deferred, 1);
		utmem_batch_wait(b);
		trace_defer(b->dev->id, b->slot, b->pending, b->limit, min(b->due, b->quiet));
	}
	spin_unlock(&b->lock);
	utmem_batch_ring(b, due);
	local_irq_restore(flags);
}

/* b->lock */
static struct due utmem_batch_patience_over(struct utmem_batch *b)
{
	bool vain = b->quiet != KTIME_MAX && !b->joined;
	struct due due = utmem_batch_take(b, b->oldest);

	/* Who waits for a host that is awake learns nothing. */
	if (vain && due.kick.how != UTMEM_RING_NONE)
		utmem_adapt_waited(&b->adapt, false);
	return due;
}

static enum hrtimer_restart utmem_batch_timer(struct hrtimer *timer)
{
	struct utmem_batch *b = container_of(timer, struct utmem_batch, timer);
	struct due due = {};
	unsigned long flags;

	local_irq_save(flags);
	spin_lock(&b->lock);
	if (b->pending && ktime_get() >= min(b->due, b->quiet))
		due = utmem_batch_patience_over(b);
	else if (b->pending)
		utmem_batch_wait(b);
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
		utmem_adapt_init(&b->adapt);
		b->dev = dev;
		b->slot = slot;
		hrtimer_init(&b->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
		b->timer.function = utmem_batch_timer;
	}
}

void utmem_batch_exit(struct utmem_dev *dev)
{
	u32 slot;

	for (slot = 0; slot < UTMEM_SVC_MAX; slot++)
		hrtimer_cancel(&dev->batches[slot].timer);
}
