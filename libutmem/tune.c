// SPDX-License-Identifier: MIT
/*
 * A queue's knobs: how long waits look, and how requests and completions gather in the driver.
 * Owns their limits and defaults. Called by queue.c, and by applications at run time, on the
 * queue's thread.
 */
#include <sched.h>

#include "guest/ring/utmem_ioctl.h"
#include "libutmem/internal.h"

#define SPIN_USECS 20u
#define NSEC_PER_USEC 1000u

static bool resv_zero(const struct utmem_queue_params *p)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(p->resv) / sizeof(p->resv[0]); i++)
		sum |= p->resv[i];
	return !sum;
}

static bool usecs_ok(uint32_t usecs, uint32_t max)
{
	return usecs <= max || usecs == UTMEM_NO_DELAY;
}

/*
 * All of @p but the shape. The limits are the driver's, and hold where there is no driver, too: what
 * works over one transport is refused by none.
 */
int utmem_knobs_check(const struct utmem_queue_params *p)
{
	bool ok = p->batch_max <= UTMEM_BATCH_MAX_MAX && p->irq_max <= UTMEM_IRQ_MAX_MAX &&
		  usecs_ok(p->batch_usecs, UTMEM_BATCH_USECS_MAX) &&
		  usecs_ok(p->irq_usecs, UTMEM_IRQ_USECS_MAX) &&
		  p->batch_mode <= UTMEM_MODE_ADAPTIVE;

	return ok && resv_zero(p) ? 0 : -EINVAL;
}

/* On one CPU the host cannot run while we look. */
static uint64_t spin_ceiling(const struct utmem_queue *q, uint32_t usecs)
{
	cpu_set_t cpus;

	if (!q->ops->spins || usecs == UTMEM_NO_SPIN)
		return 0;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) < 2)
		return 0;
	return (uint64_t)(usecs ? usecs : SPIN_USECS) * NSEC_PER_USEC;
}

void utmem_spins_init(struct utmem_queue *q, uint32_t usecs)
{
	uint64_t max_ns = spin_ceiling(q, usecs);

	utmem_spin_init(&q->spin[0], max_ns);
	utmem_spin_init(&q->spin[1], max_ns);
}

int utmem_queue_tune(struct utmem_queue *q, const struct utmem_queue_params *params)
{
	static const struct utmem_queue_params none;
	const struct utmem_queue_params *p = params ? params : &none;
	int err = utmem_knobs_check(p);

	if (err || p->sq_entries || p->cq_entries || p->data_len)
		return -EINVAL;
	if (q->ops->tune)
		err = q->ops->tune(q, p);
	if (!err)
		utmem_spins_init(q, p->spin_usecs);
	return err;
}
