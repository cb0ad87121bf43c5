// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the host is woken: a write to ivshmem's doorbell register, which QEMU turns
 * into an eventfd. Called by batch, admin and hello, in any context. Owns utmem_batch.rung.
 */
#include <linux/io.h>

#include "utmem.h"

#define REG_DOORBELL 12 /* peer << 16 | vector */

void utmem_doorbell_ring(struct utmem_dev *dev, u32 slot)
{
	/* writel() orders after all stores to the window: they are write-back memory. */
	writel(dev->hdr.host_peer << 16 | slot, dev->regs + REG_DOORBELL);
}

bool utmem_doorbell_kick(struct utmem_dev *dev, u32 slot)
{
	u32 *rung = &dev->batches[slot].rung;
	u32 sleep = utmem_kick_needed(&dev->control->svc[slot]);

	if (!sleep || sleep == READ_ONCE(*rung))
		return false;
	utmem_doorbell_ring(dev, slot);
	/*
	 * Without a lock: what stands here has been rung for, whoever stored it last. Two who
	 * kick at once may both ring; one that comes late with an older sleep costs a doorbell.
	 */
	WRITE_ONCE(*rung, sleep);
	return true;
}
