// SPDX-License-Identifier: MIT
/* The cold half of lane.h: a queue's making and end. Called by library.c and vm_*.c. */
#include "bench/lane.h"

static int open_pool(struct lane *l, uint64_t value, uint64_t depth)
{
	l->pool = utmem_pool_open(l->q, "bench", UTMEM_POOL_CREATE);
	if (l->pool < 0)
		return l->pool;
	for (uint64_t i = 0; i < depth; i++) {
		l->buf[i] = utmem_buf_alloc(l->q, value ? value : 1);
		if (!l->buf[i])
			return -ENOSPC;
		memset(l->buf[i], 'u', value);
	}
	return 0;
}

int lane_open(struct lane *l, struct utmem *u, const struct utmem_queue_params *shape,
	      uint64_t value, uint64_t depth)
{
	struct utmem_queue_params params = *shape;
	int err;

	memset(l, 0, sizeof(*l));
	l->value_len = (uint32_t)value;
	params.sq_entries = raw_entries(depth);
	params.data_len = lane_data_len(value, depth);
	err = utmem_queue_init(u, &l->q, &params);
	if (err)
		return err;
	err = open_pool(l, value, depth);
	if (err)
		lane_close(l);
	return err;
}

void lane_close(struct lane *l)
{
	for (uint32_t i = 0; i < BENCH_DEPTH_MAX; i++)
		utmem_buf_free(l->q, l->buf[i]);
	utmem_queue_exit(l->q);
}
