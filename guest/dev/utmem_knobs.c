// SPDX-License-Identifier: GPL-2.0-only
/*
 * The knobs of coalescing: their ranges and defaults, and what holds for a queue, which has values of
 * its own or the device's. Written by sysfs, ioctl and queue creation, process context; read
 * without a lock, in any.
 */
#include "utmem.h"

static const struct knob_range {
	u32 least, most, init;
} ranges[] = {
	[UTMEM_KNOB_BATCH_MAX] = {UTMEM_BATCH_MAX_MIN, UTMEM_BATCH_MAX_MAX, 32},
	[UTMEM_KNOB_BATCH_USECS] = {0, UTMEM_BATCH_USECS_MAX, 50},
	[UTMEM_KNOB_BATCH_MODE] = {UTMEM_BATCH_FIXED, UTMEM_BATCH_ADAPTIVE, UTMEM_BATCH_FIXED},
	[UTMEM_KNOB_IRQ_MAX] = {UTMEM_IRQ_MAX_MIN, UTMEM_IRQ_MAX_MAX, 1},
	[UTMEM_KNOB_IRQ_USECS] = {0, UTMEM_IRQ_USECS_MAX, 0},
};
static_assert(ARRAY_SIZE(ranges) == UTMEM_KNOBS);

void utmem_knobs_init(struct utmem_knobs *k)
{
	unsigned int i;

	for (i = 0; i < UTMEM_KNOBS; i++)
		k->value[i] = ranges[i].init;
}

int utmem_knob_set(struct utmem_knobs *k, enum utmem_knob i, u32 value)
{
	if (value < ranges[i].least || value > ranges[i].most)
		return -EINVAL;
	WRITE_ONCE(k->value[i], value);
	return 0;
}

int utmem_knobs_check(const struct utmem_knobs *k)
{
	unsigned int i;

	for (i = 0; i < UTMEM_KNOBS; i++)
		if (k->value[i] != UTMEM_BATCH_DEFAULT &&
		    (k->value[i] < ranges[i].least || k->value[i] > ranges[i].most))
			return -EINVAL;
	return 0;
}

void utmem_knobs_store(struct utmem_knobs *k, const struct utmem_knobs *from)
{
	unsigned int i;

	for (i = 0; i < UTMEM_KNOBS; i++)
		WRITE_ONCE(k->value[i], from->value[i]);
}

u32 utmem_knob(const struct utmem_queue *q, enum utmem_knob i)
{
	u32 own = READ_ONCE(q->knobs.value[i]);

	return own == UTMEM_BATCH_DEFAULT ? READ_ONCE(q->dev->knobs.value[i]) : own;
}
