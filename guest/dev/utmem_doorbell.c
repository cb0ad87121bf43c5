// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the host is woken: by a hypercall, or by a write to ivshmem's doorbell register, which QEMU
 * turns into an eventfd. Called by batch in any context; by admin and hello, which always write.
 *
 * A hypercall's result says nothing, so nobody learns from it whether the host was rung. After one a
 * timer looks whether the sleep that was rung for still lasts, and rings once more by MMIO.
 */
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/kvm_para.h>
#include <linux/pci.h>
#include <linux/preempt.h>
#include <linux/timer.h>

#include "utmem.h"

#define REG_DOORBELL 12 /* peer << 16 | vector */

/* ---- the two ways ---- */

static void ring_by_mmio(struct utmem_dev *dev, u32 slot)
{
	/* writel() orders after all stores to the window: they are write-back memory. */
	writel(dev->hdr.host_peer << 16 | slot, dev->regs + REG_DOORBELL);
}

/* The token is a whole register. */
#if defined(CONFIG_X86_64) && defined(CONFIG_KVM_GUEST)
/* Where this is not KVM the instruction is an undefined one. */
bool utmem_doorbell_hypercalls(void)
{
	return kvm_para_available();
}

static void ring_by_hypercall(struct utmem_dev *dev, u32 slot)
{
	kvm_hypercall2(UTMEM_HC_DOORBELL, dev->hdr.doorbell_token, slot);
}
#else
bool utmem_doorbell_hypercalls(void)
{
	return false;
}

static void ring_by_hypercall(struct utmem_dev *dev, u32 slot)
{
}
#endif

/* ---- which of them ---- */

/* Have misses been counted in the life that the host lives now? */
static bool is_same_life(const struct utmem_dev *dev)
{
	return READ_ONCE(dev->trust.epoch) == utmem_epoch(dev) &&
	       READ_ONCE(dev->trust.features) == utmem_features_now(dev);
}

static bool is_trusted(const struct utmem_dev *dev)
{
	const struct utmem_trust *t = &dev->trust;

	return READ_ONCE(t->misses) < UTMEM_UNANSWERED_MAX || !is_same_life(dev) ||
	       time_after_eq(jiffies, READ_ONCE(t->retry_at));
}

enum utmem_ring utmem_doorbell_now(struct utmem_dev *dev)
{
	u32 mode = READ_ONCE(dev->doorbell);

	if (mode == UTMEM_DOORBELL_BY_MMIO || !utmem_doorbell_hypercalls() ||
	    !(utmem_features_now(dev) & UTMEM_FEAT_DOORBELL_HYPERCALL))
		return UTMEM_RING_MMIO;
	if (mode == UTMEM_DOORBELL_AUTO && !is_trusted(dev))
		return UTMEM_RING_MMIO;
	return UTMEM_RING_HYPERCALL;
}

/* ---- was it heard? ---- */

static void utmem_answer_came(struct utmem_trust *t)
{
	unsigned long flags;

	if (!READ_ONCE(t->misses))
		return;
	spin_lock_irqsave(&t->lock, flags);
	WRITE_ONCE(t->misses, 0);
	spin_unlock_irqrestore(&t->lock, flags);
}

/* Return: that was one too many, for the first time in this life of the host. */
static bool utmem_answer_missed(struct utmem_dev *dev)
{
	struct utmem_trust *t = &dev->trust;
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&t->lock, flags);
	if (!is_same_life(dev)) {
		WRITE_ONCE(t->misses, 0);
		WRITE_ONCE(t->epoch, utmem_epoch(dev));
		WRITE_ONCE(t->features, utmem_features_now(dev));
	}
	/* Beyond the most it stays: a retry is one hypercall, not so many again. */
	first = t->misses + 1 == UTMEM_UNANSWERED_MAX;
	WRITE_ONCE(t->retry_at, jiffies + msecs_to_jiffies(UTMEM_RETRY_MSECS));
	WRITE_ONCE(t->misses, min(t->misses + 1, UTMEM_UNANSWERED_MAX));
	spin_unlock_irqrestore(&t->lock, flags);
	return first;
}

static void count_unanswered(struct utmem_batch *b)
{
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	utmem_count(b->dev, b->asker, unanswered, 1);
	spin_unlock_irqrestore(&b->lock, flags);
}

static void utmem_bell_unanswered(struct utmem_bell *bell)
{
	struct utmem_dev *dev = bell->dev;

	ring_by_mmio(dev, bell->slot);
	count_unanswered(&dev->batches[bell->slot]);
	if (READ_ONCE(dev->doorbell) == UTMEM_DOORBELL_AUTO && utmem_answer_missed(dev))
		dev_info(&dev->pdev->dev, "doorbell: %u hypercalls in a row woke nobody: MMIO\n",
			 UTMEM_UNANSWERED_MAX);
}

static unsigned long answer_due(const struct utmem_bell *bell)
{
	/* One more: a tick may be about to end. */
	return READ_ONCE(bell->asked_at) + msecs_to_jiffies(UTMEM_ANSWER_MSECS) + 1;
}

/* Soft interrupt. */
static void utmem_answer_due(struct timer_list *timer)
{
	struct utmem_bell *bell = from_timer(bell, timer, answer);
	u32 now;

	smp_mb(); /* with watch(): it has seen us run and starts us again, or we see what it asked */
	now = utmem_load_relaxed(&bell->dev->control->svc[bell->slot].flags);
	if (now != READ_ONCE(bell->asked))
		utmem_answer_came(&bell->dev->trust);
	else if (time_before(jiffies, answer_due(bell)))
		mod_timer(timer,
			  answer_due(bell)); /* started for an earlier sleep, which has ended */
	else
		utmem_bell_unanswered(bell);
}

/* The timer is started once for many rings: whatever it finds was asked last. */
static void watch(struct utmem_bell *bell, u32 sleep)
{
	WRITE_ONCE(bell->asked_at, jiffies);
	WRITE_ONCE(bell->asked, sleep);
	smp_mb(); /* with utmem_answer_due() */
	if (!timer_pending(&bell->answer))
		mod_timer(&bell->answer, answer_due(bell));
}

/* ---- claim and ring ---- */

struct utmem_kick utmem_doorbell_claim(struct utmem_dev *dev, u32 slot)
{
	struct utmem_kick kick = {.sleep = utmem_kick_needed(&dev->control->svc[slot])};
	u32 *rung = &dev->bells[slot].rung;

	/*
	 * What stands in rung has been rung for, or somebody is about to. One that comes late
	 * with an older sleep costs a doorbell, and another one for the sleep that it has overwritten.
	 */
	if (kick.sleep && kick.sleep != READ_ONCE(*rung) && kick.sleep != xchg(rung, kick.sleep))
		kick.how = utmem_doorbell_now(dev);
	return kick;
}

void utmem_doorbell_ring(struct utmem_dev *dev, u32 slot, struct utmem_kick kick)
{
	if (kick.how == UTMEM_RING_MMIO)
		ring_by_mmio(dev, slot);
	if (kick.how != UTMEM_RING_HYPERCALL)
		return;
	ring_by_hypercall(dev, slot);
	watch(&dev->bells[slot], kick.sleep);
}

/* They are rare, the hello comes before anything is known of the host, and nobody waits 10 ms for them. */
void utmem_doorbell_control(struct utmem_dev *dev, bool always)
{
	preempt_disable();
	if (utmem_doorbell_claim(dev, 0).how != UTMEM_RING_NONE || always)
		ring_by_mmio(dev, 0);
	preempt_enable();
}

/* ---- set, up and down ---- */

/* Whoever sets it has a reason: hypercalls are tried again. */
void utmem_doorbell_set(struct utmem_dev *dev, enum utmem_doorbell_mode mode)
{
	utmem_answer_came(&dev->trust);
	WRITE_ONCE(dev->doorbell, mode);
}

void utmem_doorbell_init(struct utmem_dev *dev)
{
	u32 slot;

	spin_lock_init(&dev->trust.lock);
	for (slot = 0; slot < UTMEM_SVC_MAX; slot++) {
		dev->bells[slot].dev = dev;
		dev->bells[slot].slot = slot;
		timer_setup(&dev->bells[slot].answer, utmem_answer_due, 0);
	}
}

void utmem_doorbell_exit(struct utmem_dev *dev)
{
	u32 slot;

	for (slot = 0; slot < UTMEM_SVC_MAX; slot++)
		del_timer_sync(&dev->bells[slot].answer);
}
