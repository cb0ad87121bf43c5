// SPDX-License-Identifier: MIT
/*
 * unix: a host that answers blocking calls with lengths that no value has.
 */
#include <limits.h>
#include <sched.h>

#include "tests/unit/lib_fake.h"

struct rig {
	struct fake f;
	struct utmem *u;
	struct utmem_queue *q;
	char buf[64];
};

static void rig_open(struct rig *r)
{
	fake_start(&r->f, NULL, F_SEAL_SHRINK);
	assert_int_equal(utmem_connect(&r->u, r->f.transport), 0);
	assert_int_equal(utmem_queue_init(r->u, &r->q, NULL), 0);
}

static void rig_close(struct rig *r)
{
	utmem_queue_exit(r->q);
	utmem_disconnect(r->u);
	fake_stop(&r->f);
}

static void *exists(void *arg)
{
	struct rig *r = arg;

	return (void *)(intptr_t)utmem_exists(r->q, 0, "key", 3);
}

static void *get(void *arg)
{
	struct rig *r = arg;

	return (void *)(intptr_t)utmem_get(r->q, 0, "key", 3, r->buf, sizeof(r->buf));
}

/* What @call returns when the host answers @res. */
static intptr_t answer(struct rig *r, void *(*call)(void *), int32_t res)
{
	struct utmem_sqe sqe;
	pthread_t caller;
	uint32_t n = 0;
	void *rc;

	assert_int_equal(pthread_create(&caller, NULL, call, r), 0);
	while (!n) {
		assert_int_equal(utmem_sq_peek(&r->f.sq, &n), 0);
		sched_yield();
	}
	fake_complete(&r->f, res, 0, &sqe);
	pthread_join(caller, &rc);
	return (intptr_t)rc;
}

static void a_length_of_the_longest_value_is_believed(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	assert_int_equal(answer(&r, exists, UTMEM_VALUE_MAX), UTMEM_VALUE_MAX);
	rig_close(&r);
}

static void a_length_beyond_it_ends_the_queue(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	assert_int_equal(answer(&r, exists, UTMEM_VALUE_MAX + 1), -EPROTO);
	assert_int_equal(utmem_exists(r.q, 0, "key", 3), -EPROTO);
	rig_close(&r);
	rig_open(&r);
	assert_int_equal(answer(&r, get, INT_MAX), -EPROTO);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_length_of_the_longest_value_is_believed),
		cmocka_unit_test(a_length_beyond_it_ends_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
