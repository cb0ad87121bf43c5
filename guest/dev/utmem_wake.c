// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who sleeps on a queue, and what wakes him: the arming of the host's interrupt, and its arrival.
 * Called by ENTER and poll (process context), by interrupts, the pulse, and a timer for each queue
 * that puts its interrupts off (hard interrupt).
 *
 * No wake-up is lost. A sleeper is on its wait queue before it arms (H) and looks again; the host
 * looks at the arming (G) after it has published; and between our look at the ring and our look
 * at the wait queue wq_has_sleeper() has a full barrier. Whoever comes second sees the other.
 *
 * The ring page has one wake_idx, for the one in ENTER and for pollers: that of the nearer stands
 * there. With irq_max above 1 it is put off until more are there, while a timer runs. The timer is started
 * with the arming and not again before it has ended, and its end arms what was asked for. So
 * whatever was asked for is delivered irq_usecs after it is there, or sooner.
 */
#include <linux/hrtimer.h>

#include "utmem.h"
#include "utmem_trace.h"

/* ---- how far off ---- */

/* Completions that have come since we looked last. arm_lock. */
static void utmem_wake_learn(struct utmem_queue *q, const struct utmem_watch *w, u32 usecs)
{
	u32 done = w->cq_head + w->ready, n = done - q->seen_done;
	u64 now = ktime_get_ns();

	if (n && n <= q->geo.cq_entries)
		utmem_adapt_several(&q->adapt, now, n, usecs);
	else
		q->adapt.last_ns = now; /* for nothing nobody waits: it is no gap */
	q->seen_done = done;
}

/* How many to wait for, where @near would do: no more than will come. arm_lock. */
static u32 utmem_wake_far(struct utmem_queue *q, const struct utmem_watch *w, u32 near)
{
	u32 most = min(utmem_knob(q, UTMEM_KNOB_IRQ_MAX), w->coming);
	u32 usecs = utmem_knob(q, UTMEM_KNOB_IRQ_USECS);

	if (q->exact || most <= near || !usecs)
		return near;
	if (utmem_knob(q, UTMEM_KNOB_BATCH_MODE) == UTMEM_BATCH_ADAPTIVE) {
		utmem_wake_learn(q, w, usecs);
		most = utmem_adapt_limit(&q->adapt, w->ready, false, most, usecs);
	}
	return max(most, near);
}

/* arm_lock */
static void utmem_wake_arm_at(struct utmem_queue *q, struct utmem_watch *w, u32 near)
{
	u32 far = utmem_wake_far(q, w, near);

	q->near = near;
	q->far = far > near;
	if (q->far && !q->patient) {
		q->patient = true;
		hrtimer_start(&q->timer,
			      ns_to_ktime(NSEC_PER_USEC * utmem_knob(q, UTMEM_KNOB_IRQ_USECS)),
			      HRTIMER_MODE_REL);
	}
	utmem_wake_arm(q->page, w->cq_head + far);
	utmem_watch_read(w, q->page, &q->geo);
}

/*
 * Pollers are looked for after the arming (H): one who comes later arms later, too. They are told of
 * what is there. arm_lock.
 */
static void utmem_wake_arm_all(struct utmem_queue *q, struct utmem_watch *w, u32 want)
{
	utmem_wake_arm_at(q, w, want);
	if (!wq_has_sleeper(&q->file->poll_wait))
		return;
	if (!w->ready && want > 1)
		utmem_wake_arm_at(q, w, 1);
	if (w->ready)
		wake_up_poll(&q->file->poll_wait, EPOLLIN | EPOLLRDNORM);
}

void utmem_wake_ask(struct utmem_queue *q, struct utmem_watch *w, u32 want)
{
	unsigned long flags;

	spin_lock_irqsave(&q->arm_lock, flags);
	q->exact = false;
	utmem_wake_arm_all(q, w, want);
	spin_unlock_irqrestore(&q->arm_lock, flags);
}

void utmem_wake_ask_poller(struct utmem_queue *q, struct utmem_watch *w)
{
	unsigned long flags;

	spin_lock_irqsave(&q->arm_lock, flags);
	q->exact = false;
	utmem_wake_arm_at(q, w, 1);
	spin_unlock_irqrestore(&q->arm_lock, flags);
}

void utmem_wake_done(struct utmem_queue *q)
{
	struct utmem_watch w;
	unsigned long flags;

	spin_lock_irqsave(&q->arm_lock, flags);
	utmem_wake_disarm(q->page);
	q->far = false;
	/* It may have been a poller's. */
	if (wq_has_sleeper(&q->file->poll_wait)) {
		utmem_watch_read(&w, q->page, &q->geo);
		utmem_wake_arm_all(q, &w, 1);
	}
	spin_unlock_irqrestore(&q->arm_lock, flags);
}

/* ---- waking ---- */

/* Return: whether anybody was woken. */
static bool utmem_wake_sleepers(struct utmem_queue *q, const struct utmem_watch *w, bool ended)
{
	bool woke = false;

	if ((ended || w->ready >= READ_ONCE(q->want)) && wq_has_sleeper(&q->wait)) {
		wake_up(&q->wait);
		woke = true;
	}
	if ((ended || w->ready) && wq_has_sleeper(&q->file->poll_wait)) {
		wake_up_poll(&q->file->poll_wait, EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP);
		woke = true;
	}
	return woke;
}

/* What had been put off has been delivered. arm_lock. */
static void utmem_wake_delivered(struct utmem_queue *q, const struct utmem_watch *w)
{
	if (q->far && w->ready > q->near)
		utmem_count(q->dev, q, coalesced, w->ready - q->near);
	q->far = false;
}

/*
 * The one in ENTER sleeps until `want` completions are there, a poller until there is one. The
 * process may have armed the wake-up itself, so nothing here asks who did.
 *
 * An arming is good for one interrupt. When that came for a poller, the one in ENTER needs another.
 * Return: whether anybody was woken. arm_lock.
 */
static bool utmem_wake_look_one(struct utmem_queue *q)
{
	bool ended = utmem_queue_error(q) || utmem_host_error(q->dev);
	u32 want = READ_ONCE(q->want);
	struct utmem_watch w;
	bool woke;

	utmem_watch_read(&w, q->page, &q->geo);
	woke = utmem_wake_sleepers(q, &w, ended);
	if (woke)
		utmem_wake_delivered(q, &w);
	while (!ended && w.ready && w.ready < want && wq_has_sleeper(&q->wait)) {
		utmem_wake_arm_all(q, &w, want);
		woke |= utmem_wake_sleepers(q, &w, false);
		/* The next ENTER may have armed meanwhile, and ours be in the place of its own. */
		if (want == READ_ONCE(q->want))
			break;
		want = READ_ONCE(q->want);
	}
	return woke;
}

void utmem_wake_look(struct utmem_vector *v, bool irq)
{
	struct utmem_queue *q;
	unsigned long flags;
	u32 nr_woken = 0;
	bool woke;

	spin_lock_irqsave(&v->lock, flags);
	list_for_each_entry(q, &v->queues, node) {
		spin_lock(&q->arm_lock);
		woke = utmem_wake_look_one(q);
		spin_unlock(&q->arm_lock);
		if (irq && woke)
			atomic64_inc(&q->counters.interrupts);
		nr_woken += woke;
	}
	spin_unlock_irqrestore(&v->lock, flags);
	if (irq)
		trace_irq(v->dev->id, v - v->dev->vectors, nr_woken);
}

/* Patience is over: what was asked for is delivered, or waited for and nothing more. */
static enum hrtimer_restart utmem_wake_timer(struct hrtimer *timer)
{
	struct utmem_queue *q = container_of(timer, struct utmem_queue, timer);
	struct utmem_watch w;
	unsigned long flags;

	spin_lock_irqsave(&q->arm_lock, flags);
	q->patient = false;
	q->exact = true;
	if (q->far) {
		utmem_watch_read(&w, q->page, &q->geo);
		utmem_wake_arm(q->page, w.cq_head + q->near);
		utmem_wake_look_one(q);
		q->far = false;
	}
	spin_unlock_irqrestore(&q->arm_lock, flags);
	return HRTIMER_NORESTART;
}

/* ---- up and down ---- */

void utmem_wake_init(struct utmem_queue *q)
{
	init_waitqueue_head(&q->wait);
	spin_lock_init(&q->arm_lock);
	utmem_adapt_init(&q->adapt);
	hrtimer_init(&q->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	q->timer.function = utmem_wake_timer;
}

void utmem_wake_exit(struct utmem_queue *q)
{
	hrtimer_cancel(&q->timer);
}

void utmem_wake_stop(struct utmem_dev *dev)
{
	struct utmem_queue *q;

	mutex_lock(&dev->lock);
	list_for_each_entry(q, &dev->queues, dev_node)
		hrtimer_cancel(&q->timer);
	mutex_unlock(&dev->lock);
}

void utmem_wake_all(struct utmem_dev *dev)
{
	struct utmem_queue *q;
	struct utmem_file *f;

	mutex_lock(&dev->lock);
	list_for_each_entry(q, &dev->queues, dev_node)
		wake_up(&q->wait);
	/* With a queue or without */
	list_for_each_entry(f, &dev->files, node)
		wake_up_poll(&f->poll_wait, EPOLLERR | EPOLLHUP);
	mutex_unlock(&dev->lock);
}
