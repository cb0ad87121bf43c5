// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's queue: made and ended through the admin queue; submitting and sleeping on
 * the process's behalf. The driver owns no end of its rings, it only looks. Called
 * by ioctl, poll and release, process context.
 */
#include <linux/hrtimer.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "utmem.h"
#include "utmem_trace.h"

/* ---- made and ended ---- */

static int shape_check(const struct utmem_dev *dev, const struct utmem_ioc_queue *io,
		       struct utmem_geometry *shape)
{
	struct utmem_knobs knobs = UTMEM_KNOBS_OF(io);
	u32 cq_entries = io->cq_entries ? io->cq_entries : 2 * io->sq_entries;

	/* Before twice of it is taken, and before it is used for anything */
	if (io->sq_entries > dev->hdr.max_sq_entries || io->data_len > dev->hdr.max_data_len)
		return -EINVAL;
	if (utmem_geometry_init(shape, 0, io->sq_entries, cq_entries, io->data_len))
		return -EINVAL;
	return utmem_knobs_check(&knobs);
}

/* Is what the host gave what was asked for, and a place of its own? dev->lock. */
static int answer_check(struct utmem_dev *dev, const struct utmem_admin_queue *got,
			const struct utmem_geometry *shape)
{
	struct utmem_geometry want = *shape;
	struct utmem_queue *q;

	want.off = got->geo.off;
	if (memcmp(&want, &got->geo, sizeof(want)) ||
	    utmem_geometry_check(&got->geo, dev->hdr.window_len) ||
	    utmem_window_reserved(&dev->hdr, &got->geo) ||
	    utmem_ranges_overlap(got->geo.off, got->geo.len, dev->hdr.admin.off,
				 dev->hdr.admin.len))
		return -EPROTO;
	if (!got->queue_id || got->queue_id >= dev->hdr.max_queues ||
	    got->svc_slot >= dev->hdr.nr_svc)
		return -EPROTO;
	list_for_each_entry(q, &dev->queues, dev_node)
		if (q->id == got->queue_id ||
		    utmem_ranges_overlap(got->geo.off, got->geo.len, q->geo.off, q->geo.len))
			return -EPROTO;
	return 0;
}

static void queue_init(struct utmem_queue *q, struct utmem_file *f,
		       const struct utmem_ioc_queue *io)
{
	struct utmem_dev *dev = f->dev;
	unsigned int n = atomic_inc_return(&dev->next_vector);

	q->dev = dev;
	q->file = f;
	q->vector = &dev->vectors[n % dev->nr_vectors];
	q->knobs = UTMEM_KNOBS_OF(io);
	utmem_wake_init(q);
}

/* From here on its range is taken, interrupts look at it, and the host's life matters. */
static int queue_link(struct utmem_queue *q, const struct utmem_admin_queue *got,
		      const struct utmem_geometry *shape)
{
	struct utmem_dev *dev = q->dev;
	int err;

	mutex_lock(&dev->lock);
	err = answer_check(dev, got, shape);
	if (err)
		goto unlock;
	q->id = got->queue_id;
	q->svc_slot = got->svc_slot;
	q->geo = got->geo;
	q->page = dev->window + q->geo.off;
	list_add(&q->dev_node, &dev->queues);
	WRITE_ONCE(dev->nr_queues, dev->nr_queues + 1);
	utmem_pulse_start(dev);
	spin_lock_irq(&q->vector->lock);
	list_add(&q->node, &q->vector->queues);
	spin_unlock_irq(&q->vector->lock);
unlock:
	mutex_unlock(&dev->lock);
	return err;
}

/* dev->lock */
static void queue_unlink(struct utmem_queue *q)
{
	struct utmem_dev *dev = q->dev;

	spin_lock_irq(&q->vector->lock);
	list_del(&q->node);
	spin_unlock_irq(&q->vector->lock);
	utmem_wake_exit(q);
	WRITE_ONCE(dev->nr_queues, dev->nr_queues - 1);
	list_del(&q->dev_node);
	utmem_batch_forget(q);
}

int utmem_queue_create(struct utmem_file *f, const struct utmem_ioc_queue *io,
		       struct utmem_queue **out)
{
	struct utmem_admin_queue request = {};
	struct utmem_geometry shape = {};
	struct utmem_dev *dev = f->dev;
	struct utmem_queue *q;
	int err;

	err = shape_check(dev, io, &shape);
	if (err)
		return err;
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return -ENOMEM;
	queue_init(q, f, io);

	request.sq_entries = shape.sq_entries;
	request.cq_entries = shape.cq_entries;
	request.data_len = shape.data_len;
	request.irq_vector = q->vector - dev->vectors;
	err = utmem_admin_call(dev, UTMEM_OP_CREATE_QUEUE, &request, sizeof(request),
			       TASK_KILLABLE);
	if (err)
		goto free_queue;
	err = queue_link(q, &request, &shape);
	if (err)
		goto destroy;
	*out = q;
	return 0;

destroy:
	dev_err(&dev->pdev->dev, "the host gave queue %u at %llu + %llu: refused\n",
		request.queue_id, request.geo.off, request.geo.len);
	utmem_admin_destroy_queue(dev, request.queue_id);
free_queue:
	kfree(q);
	return err;
}

/* Unlinked before the host hears: it may give the range away at once. */
static void utmem_queue_end_while_here(struct utmem_queue *q)
{
	struct utmem_dev *dev = q->dev;

	mutex_lock(&dev->lock);
	queue_unlink(q);
	mutex_unlock(&dev->lock);
	utmem_admin_destroy_queue(dev, q->id);
}

/* remove() tells the host of every queue that it finds linked, and waits for our lock to do so. */
static void utmem_queue_end_while_gone(struct utmem_queue *q)
{
	struct utmem_dev *dev = q->dev;

	mutex_lock(&dev->lock);
	if (!dev->down)
		utmem_admin_destroy_queue(dev, q->id);
	queue_unlink(q);
	mutex_unlock(&dev->lock);
}

void utmem_queue_destroy(struct utmem_queue *q)
{
	int idx;

	if (utmem_dev_enter(q->dev, &idx)) {
		utmem_queue_end_while_gone(q);
	} else {
		utmem_queue_end_while_here(q);
		utmem_dev_leave(q->dev, idx);
	}
	kfree(q);
}

/* ---- waiting ---- */

int utmem_queue_error(const struct utmem_queue *q)
{
	int err;

	if (READ_ONCE(q->dev->gone))
		return -ENODEV;
	err = utmem_state_error(q->page);
	/* From -ERESTARTSYS on they are the kernel's own, and mean something to it. */
	if (err)
		return err > -ERESTARTSYS ? err : -EPROTO;
	return utmem_host_stopped(q->dev) ? -ESHUTDOWN : 0;
}

__poll_t utmem_queue_poll(struct utmem_queue *q)
{
	struct utmem_watch w;
	__poll_t mask = 0;

	utmem_watch_read(&w, q->page, &q->geo);
	if (!w.ready) {
		/* The caller is on poll_wait already: who arms for another sees it, or we arm last. */
		smp_mb();
		utmem_wake_ask_poller(q, &w);
	}
	if (w.ready)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (utmem_queue_error(q))
		mask |= EPOLLERR | EPOLLHUP;
	return mask;
}

/* 1: @want completions are there; 0: not yet; -errno: there will be no more. */
static int utmem_queue_wait_done(struct utmem_queue *q, u32 want, struct utmem_watch *w)
{
	int err;

	utmem_watch_read(w, q->page, &q->geo);
	if (w->ready >= want)
		return 1;
	err = utmem_queue_error(q);
	return err ? err : utmem_host_error(q->dev);
}

/*
 * Sleeps. @expires: CLOCK_MONOTONIC, or NULL for ever. 0, -ETIME, or why the queue has ended. Or
 * -ERESTARTNOHAND: EINTR for who handles the signal. Who has none to handle (he was stopped, or the
 * machine suspended) comes again with the same arguments, and announces his requests once more.
 */
static int utmem_queue_wait_for(struct utmem_queue *q, u32 want, ktime_t *expires)
{
	struct utmem_watch w;
	DEFINE_WAIT(entry);
	int done;

	WRITE_ONCE(q->want, want);
	for (;;) {
		prepare_to_wait(&q->wait, &entry, TASK_INTERRUPTIBLE);
		done = utmem_queue_wait_done(q, want, &w);
		if (!done) {
			utmem_wake_ask(q, &w, want);
			done = utmem_queue_wait_done(q, want, &w);
		}
		if (!done && signal_pending(current))
			done = -ERESTARTNOHAND;
		if (done)
			break;
		if (!schedule_hrtimeout_range(expires, current->timer_slack_ns, HRTIMER_MODE_ABS)) {
			done = utmem_queue_wait_done(q, want, &w);
			done = done ? done : -ETIME;
			break;
		}
	}
	finish_wait(&q->wait, &entry);
	utmem_wake_done(q);
	return min(done, 0);
}

static int utmem_queue_wait_until(struct utmem_queue *q, u32 want, s64 timeout_ns)
{
	ktime_t expires = ktime_add_safe(ktime_get(), max_t(s64, timeout_ns, 0));
	struct utmem_watch w;
	int done;

	done = utmem_queue_wait_done(q, want, &w);
	if (!done && !timeout_ns)
		return -ETIME;
	if (!done)
		return utmem_queue_wait_for(q, want, timeout_ns < 0 ? NULL : &expires);
	return min(done, 0);
}

static int utmem_queue_submit_and_wait(struct utmem_queue *q, const struct utmem_ioc_enter *e)
{
	int err = utmem_queue_error(q);

	if (err && !e->min_complete)
		return err;
	trace_submit(q->dev->id, q->id, e->to_submit, e->min_complete);
	if (!err)
		utmem_batch_enter(q, e->to_submit, e->min_complete || e->flags & UTMEM_ENTER_FLUSH);
	return e->min_complete ? utmem_queue_wait_until(q, e->min_complete, e->timeout_ns) : 0;
}

int utmem_queue_enter(struct utmem_queue *q, const struct utmem_ioc_enter *e)
{
	bool sleeps = e->min_complete && e->timeout_ns;
	int err;

	if (e->flags & ~UTMEM_ENTER_FLUSH || e->min_complete > q->geo.cq_entries ||
	    e->timeout_ns < -1)
		return -EINVAL;
	/* The ring page has room for one waiter, as the queue has one thread. */
	if (sleeps && atomic_cmpxchg(&q->waiting, 0, 1))
		return -EBUSY;
	err = utmem_queue_submit_and_wait(q, e);
	if (sleeps)
		atomic_set_release(&q->waiting, 0);
	return err;
}
