// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the host is woken: a write to ivshmem's doorbell register, which QEMU turns
 * into an eventfd. Called by batch, admin and hello, in any context.
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
	if (!utmem_kick_needed(&dev->control->svc[slot]))
		return false;
	utmem_doorbell_ring(dev, slot);
	return true;
}
