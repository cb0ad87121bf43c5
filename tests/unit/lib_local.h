/* SPDX-License-Identifier: MIT */
/* A queue and a pool over local:, for tests of what is the same over every transport. */
#ifndef TESTS_UNIT_LIB_LOCAL_H
#define TESTS_UNIT_LIB_LOCAL_H

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "libutmem/include/utmem.h"

struct local {
	struct utmem *u;
	struct utmem_queue *q;
	int pool;
};

static inline void local_open(struct local *l, const char *transport,
			      const struct utmem_queue_params *params)
{
	assert_int_equal(utmem_connect(&l->u, transport), 0);
	assert_int_equal(utmem_queue_init(l->u, &l->q, params), 0);
	l->pool = utmem_pool_open(l->q, "test", UTMEM_POOL_CREATE);
	assert_true(l->pool >= 0);
}

static inline void local_close(struct local *l)
{
	utmem_queue_exit(l->q);
	utmem_disconnect(l->u);
}

/* The next completion's result; it is seen. */
static inline int32_t local_reap(struct local *l)
{
	const struct utmem_cqe *cqe;
	int32_t res;

	assert_int_equal(utmem_wait_cqe(l->q, &cqe), 0);
	res = cqe->res;
	utmem_cqe_seen(l->q, cqe);
	return res;
}

#endif /* TESTS_UNIT_LIB_LOCAL_H */
