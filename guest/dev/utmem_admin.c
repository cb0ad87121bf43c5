// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin queue: both guest ends of queue 0, one request at a time. Called by
 * ioctl, release and remove, which sleep here.
 *
 * A caller may stop waiting (deadline, SIGKILL). Its request stays in the ring and
 * is completed late; later callers take such completions away. Each SQ slot has
 * its own piece of the data area and is used again only after its completion was
 * read, so a late answer never lands in another request. A queue whose end finds
 * no room in the ring is marked, and the host told by a later call.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "utmem.h"
#include "utmem_trace.h"

#define PAYLOAD_MAX sizeof(struct utmem_admin_pool)
#define NOBODY U64_MAX /* awaits no completion */

static_assert(sizeof(struct utmem_admin_queue) <= PAYLOAD_MAX);
static_assert(sizeof(struct utmem_pool_stat) <= PAYLOAD_MAX);

int utmem_admin_init(struct utmem_dev *dev)
{
	const struct utmem_geometry *geo = &dev->hdr.admin;
	struct utmem_admin *a = &dev->admin;
	void *queue = dev->window + geo->off;

	a->slot_len = round_down(geo->data_len / geo->sq_entries, 8);
	if (a->slot_len < PAYLOAD_MAX) {
		dev_err(&dev->pdev->dev, "admin queue: %u bytes for %u entries\n", geo->data_len,
			geo->sq_entries);
		return -EPROTO;
	}
	a->opcodes = kcalloc(geo->sq_entries, sizeof(*a->opcodes), GFP_KERNEL);
	if (!a->opcodes)
		return -ENOMEM;
	a->page = queue;
	a->data = queue + geo->data_off;
	/* The host has set all four indices to 0 before it answered our hello. */
	utmem_sq_init(&a->sq, queue, geo, 0);
	utmem_cq_init(&a->cq, queue, geo, 0);
	return 0;
}

void utmem_admin_wake(struct utmem_dev *dev)
{
	if (wq_has_sleeper(&dev->admin.wait))
		wake_up(&dev->admin.wait);
}

/* The slot of request number @seq: the ring's indices started at 0, as the numbers did. */
static u32 slot_of(const struct utmem_admin *a, u64 seq)
{
	return utmem_slot(&a->sq.end, (u32)seq);
}

static void *payload_of(const struct utmem_admin *a, u64 seq)
{
	return a->data + slot_of(a, seq) * a->slot_len;
}

/* How many requests can be published: the slot of one whose completion is unread is still in use. */
static u32 utmem_admin_room(const struct utmem_admin *a)
{
	return a->sq.end.entries - (u32)(a->posted - a->reaped);
}

/* Publish one request. -ETIMEDOUT: so many are unanswered that the ring is full. a->lock. */
static int utmem_admin_post(struct utmem_dev *dev, u8 opcode, const void *payload, u32 len,
			    u64 *seq)
{
	struct utmem_admin *a = &dev->admin;
	struct utmem_sqe *sqe = utmem_admin_room(a) ? utmem_sq_reserve(&a->sq) : NULL;

	if (!sqe) {
		a->broken |= a->sq.end.broken;
		return a->broken ? -EPROTO : -ETIMEDOUT;
	}
	*seq = a->posted++;
	a->opcodes[slot_of(a, *seq)] = opcode;
	memcpy(payload_of(a, *seq), payload, len);
	sqe->opcode = opcode;
	sqe->user_data = *seq;
	sqe->data_off = slot_of(a, *seq) * a->slot_len;
	sqe->len = len;
	utmem_sq_publish(&a->sq);
	utmem_doorbell_control(dev, false);
	return 0;
}

static int utmem_admin_post_destroy(struct utmem_dev *dev, u32 queue_id, u64 *seq)
{
	struct utmem_admin_queue payload = {.queue_id = queue_id};

	return utmem_admin_post(dev, UTMEM_OP_DESTROY_QUEUE, &payload, sizeof(payload), seq);
}

/* To be destroyed as soon as there is room. An id that the host never had is none of ours. */
static void utmem_admin_doom(struct utmem_admin *a, u32 queue_id)
{
	if (queue_id < UTMEM_QUEUES_MAX)
		__set_bit(queue_id, a->doomed);
}

/* Tell the host of the doomed, as long as more than @keep slots are free. a->lock. */
static void utmem_admin_post_doomed(struct utmem_dev *dev, u32 keep)
{
	struct utmem_admin *a = &dev->admin;
	u64 ignored;
	u32 id;

	while (utmem_admin_room(a) > keep) {
		id = find_first_bit(a->doomed, UTMEM_QUEUES_MAX);
		if (id == UTMEM_QUEUES_MAX || utmem_admin_post_destroy(dev, id, &ignored))
			return;
		__clear_bit(id, a->doomed);
	}
}

/* A queue was made after its caller had stopped waiting: nobody will ever use it. */
static void undo_create(struct utmem_admin *a, u64 seq)
{
	struct utmem_admin_queue answer;

	utmem_copy_once(&answer, payload_of(a, seq), sizeof(answer));
	utmem_admin_doom(a, answer.queue_id);
}

static int break_admin(struct utmem_dev *dev, const char *why)
{
	dev_err(&dev->pdev->dev, "admin queue: %s after %llu requests; reload the driver\n", why,
		dev->admin.posted);
	dev->admin.broken = true;
	return -EPROTO;
}

/*
 * Take the completions that are there. Return: 1 and *res when @awaited's was among them, else 0, or
 * -EPROTO. a->lock; does not sleep.
 */
static int utmem_admin_reap(struct utmem_dev *dev, u64 awaited, s32 *res)
{
	struct utmem_admin *a = &dev->admin;
	int found = 0;
	u32 n;

	if (a->broken)
		return -EPROTO;
	if (utmem_cq_peek(&a->cq, &n))
		return break_admin(dev, "a completion index lies");
	for (; n; n--) {
		struct utmem_cqe cqe;
		u64 seq = a->reaped;

		utmem_copy_once(&cqe, utmem_cq_at(&a->cq, 0), sizeof(cqe));
		utmem_cq_release(&a->cq, 1);
		if (seq == a->posted || cqe.user_data != seq)
			return break_admin(dev, "a completion for no request");
		a->reaped++;
		a->silent = false;
		if (seq == awaited) {
			*res = cqe.res;
			found = 1;
		} else if (a->opcodes[slot_of(a, seq)] == UTMEM_OP_CREATE_QUEUE && !cqe.res) {
			undo_create(a, seq);
		}
	}
	return found;
}

/* Before a request: what has been answered meanwhile, and what has waited for room. a->lock. */
static int utmem_admin_settle(struct utmem_dev *dev)
{
	s32 ignored;
	int err = utmem_admin_reap(dev, NOBODY, &ignored);

	if (!err)
		utmem_admin_post_doomed(dev, 1); /* the request's own */
	return err;
}

/* 1 and *res, or -errno. a->lock. */
static int utmem_admin_await(struct utmem_dev *dev, u64 seq, unsigned int state, s32 *res)
{
	unsigned long end = jiffies + msecs_to_jiffies(UTMEM_ADMIN_MSECS);
	struct utmem_admin *a = &dev->admin;
	DEFINE_WAIT(entry);
	long signal;
	int got;

	for (;;) {
		signal = prepare_to_wait_event(&a->wait, &entry, state);
		utmem_wake_arm(a->page, (u32)seq + 1);
		got = utmem_admin_reap(dev, seq, res);
		if (!got && utmem_host_stopped(dev))
			got = -ESHUTDOWN;
		if (!got && signal)
			got = signal;
		if (!got && time_after(jiffies, end))
			got = -ETIMEDOUT;
		if (got)
			break;
		/* In slices: the host may stop without an interrupt. */
		schedule_timeout(msecs_to_jiffies(UTMEM_ADMIN_LOOK_MSECS));
	}
	finish_wait(&a->wait, &entry);
	utmem_wake_disarm(a->page);
	if (got == -ETIMEDOUT) {
		a->silent = true;
		dev_warn(&dev->pdev->dev, "admin request %llu: no answer in %u ms\n", seq,
			 UTMEM_ADMIN_MSECS);
	}
	return got;
}

/* a->lock */
static int utmem_admin_call_locked(struct utmem_dev *dev, u8 opcode, void *payload, u32 len,
				   unsigned int state)
{
	struct utmem_admin *a = &dev->admin;
	s32 res;
	u64 seq;
	int err;

	err = utmem_admin_settle(dev);
	if (err)
		return err;
	if (a->silent) {
		/* It would come after the one that went unanswered. */
		utmem_doorbell_control(dev, false);
		return -ETIMEDOUT;
	}
	err = utmem_admin_post(dev, opcode, payload, len, &seq);
	if (err)
		return err;
	err = utmem_admin_await(dev, seq, state, &res);
	if (err < 0)
		return err;
	/* From -ERESTARTSYS on they are the kernel's own, and mean something to it. */
	if (res > 0 || res <= -ERESTARTSYS)
		return break_admin(dev, "a result that is none");
	if (!res)
		utmem_copy_once(payload, payload_of(a, seq), len);
	return res;
}

int utmem_admin_call(struct utmem_dev *dev, u8 opcode, void *payload, u32 len, unsigned int state)
{
	struct utmem_admin *a = &dev->admin;
	int err = 0;

	if (state == TASK_KILLABLE)
		err = mutex_lock_killable(&a->lock);
	else
		mutex_lock(&a->lock);
	if (err)
		return -ERESTARTSYS;
	err = utmem_admin_call_locked(dev, opcode, payload, len, state);
	if (!a->broken)
		utmem_admin_post_doomed(dev, 0);
	mutex_unlock(&a->lock);
	trace_admin(dev->id, opcode, err);
	return err;
}

/* a->lock */
static int utmem_admin_destroy_locked(struct utmem_dev *dev, u32 queue_id)
{
	s32 res = 0;
	u64 seq;
	int err;

	err = utmem_admin_settle(dev);
	if (!err)
		err = utmem_admin_post_destroy(dev, queue_id, &seq);
	if (err == -ETIMEDOUT) {
		utmem_admin_doom(&dev->admin, queue_id);
		return 0;
	}
	if (err)
		return err;
	/* It is in the ring: a host that does not answer now finds it later. */
	if (dev->admin.silent || utmem_host_error(dev))
		return 0;
	err = utmem_admin_await(dev, seq, TASK_UNINTERRUPTIBLE, &res);
	if (err > 0)
		return res;
	return err == -ETIMEDOUT || err == -ESHUTDOWN ? 0 : err;
}

void utmem_admin_destroy_queue(struct utmem_dev *dev, u32 queue_id)
{
	int err;

	mutex_lock(&dev->admin.lock);
	err = utmem_admin_destroy_locked(dev, queue_id);
	mutex_unlock(&dev->admin.lock);
	trace_admin(dev->id, UTMEM_OP_DESTROY_QUEUE, err);
	if (err)
		dev_warn(&dev->pdev->dev, "queue %u: cannot be destroyed: %d\n", queue_id, err);
}

void utmem_admin_exit(struct utmem_dev *dev)
{
	s32 ignored;

	/* Nobody will ask again: what was made too late is undone now. */
	mutex_lock(&dev->admin.lock);
	if (!utmem_admin_reap(dev, NOBODY, &ignored))
		utmem_admin_post_doomed(dev, 0);
	mutex_unlock(&dev->admin.lock);
	kfree(dev->admin.opcodes);
}
