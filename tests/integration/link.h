/* SPDX-License-Identifier: MIT */
/*
 * A connection to a test's utmemd through libutmem, and values over it. Included by
 * tests/integration/ *.c only.
 */
#ifndef TEST_LINK_H
#define TEST_LINK_H

#include <utmem.h>

#include "tests/integration/daemon.h"

struct link {
	struct utmem *u;
	struct utmem_queue *q;
};

static inline void link_up(struct link *l, const struct daemon *d, const char *tenant)
{
	char name[80];

	snprintf(name, sizeof(name), "unix:%s/%s.sock", d->dir, tenant);
	assert_int_equal(utmem_connect(&l->u, name), 0);
	assert_int_equal(utmem_queue_init(l->u, &l->q, NULL), 0);
}

static inline void link_down(struct link *l)
{
	utmem_queue_exit(l->q);
	utmem_disconnect(l->u);
}

static inline void assert_value(struct link *l, int pool, const char *key, const char *want)
{
	char got[64] = "";

	assert_int_equal(utmem_get(l->q, pool, key, strlen(key), got, sizeof(got)), strlen(want));
	assert_memory_equal(got, want, strlen(want));
}

static inline int put(struct link *l, int pool, const char *key, const char *value)
{
	return utmem_put(l->q, pool, key, strlen(key), value, strlen(value), 0);
}

#endif /* TEST_LINK_H */
