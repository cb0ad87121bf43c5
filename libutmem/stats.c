// SPDX-License-Identifier: MIT
/*
 * Counters of one queue: the library's own, and the driver's where there is one.
 * Called by applications, on the queue's thread.
 */
#include "libutmem/internal.h"

int utmem_queue_stats(struct utmem_queue *q, struct utmem_stats *out)
{
	struct utmem_stats s = q->stats;
	int err = q->ops->stats(q, &s);

	if (!err)
		*out = s;
	return err;
}
