// SPDX-License-Identifier: MIT
/*
 * Memory that runs out: every allocation of the service fails once, and each time
 * the call says -ENOMEM and has changed nothing. The service's files are included,
 * so that their calloc is ours.
 */
#include <stdbool.h>
#include <stdlib.h>

static int fail_after = -1; /* so many allocations succeed; -1: all */

static void *faulty_calloc(size_t n, size_t len)
{
	if (!fail_after)
		return NULL;
	if (fail_after > 0)
		fail_after--;
	return calloc(n, len);
}

static void *faulty_reallocarray(void *p, size_t n, size_t len)
{
	if (!fail_after)
		return NULL;
	if (fail_after > 0)
		fail_after--;
	return reallocarray(p, n, len);
}

#define calloc faulty_calloc
#define reallocarray faulty_reallocarray
#include "host/service/admin.c"
#include "host/service/dispatch.c"
#include "host/service/drain.c"
#include "host/service/ledger.c"
#include "host/service/queue.c"
#include "host/service/resume.c"
#include "host/service/room.c"
#include "host/service/service.c"
#include "host/service/share.c"
#include "host/service/validate.c"
#include "host/service/window.c"
#undef calloc
#undef reallocarray

#include "tests/unit/service_rig.h"

static void service_init_without_memory_is_enomem(void **state)
{
	struct rig *rig = *state;
	struct utmem_service *s;

	fail_after = 0;
	assert_int_equal(utmem_service_init(&s, &rig->engine, 1), -ENOMEM);
	fail_after = -1;
}

static void attach_without_memory_is_enomem_at_every_step(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(RIG_WINDOW_LEN)};
	struct utmem_window_config cfg = rig_config(rig, &win, RIG_WINDOW_LEN);
	int step, err;

	cfg.tenant = fake_tenant(&rig->engine, "web3", 8 << 20);
	for (step = 0;; step++) {
		fail_after = step;
		err = utmem_window_attach(rig->s, &win.w, &cfg);
		fail_after = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(utmem_service_turn(rig->s), 0);
	}
	assert_int_equal(step,
			 8); /* window, ledger, queues, share, live, taken, dirty, admin queue */
	utmem_window_detach(win.w);
	munmap(win.base, RIG_WINDOW_LEN);
}

static void resume_without_memory_is_enomem_at_every_step_and_can_be_tried_again(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_window_config cfg = rig_config(rig, win, RIG_WINDOW_LEN);
	struct rig_queue q;
	int step, err;

	rig_queue(&q, win, 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), 0);
	rig_get_sqe(&q, "k", 8);
	utmem_sq_publish(&q.sq);
	utsvc_window_free(win->w);
	fake_orphan(&rig->engine);
	cfg.resume = true;
	for (step = 0;; step++) {
		fail_after = step;
		err = utmem_window_attach(rig->s, &win->w, &cfg);
		fail_after = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(rig->engine.nr_attached, 0);
	}
	assert_int_equal(step, 8); /* window, queues, share, live, taken, dirty, two queues */
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(rig_cqe(&q).res, -ENOENT);
}

static void create_queue_without_memory_is_enomem_and_takes_no_room(void **state)
{
	struct rig *rig = *state;
	struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4};
	struct utmem_window_stat before, after;

	utmem_window_stat(rig->win[0].w, &before);
	fail_after = 0;
	assert_int_equal(utmem_window_admin(rig->win[0].w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)),
			 -ENOMEM);
	fail_after = -1;
	utmem_window_stat(rig->win[0].w, &after);
	assert_int_equal(after.nr_queues, 0);
	assert_int_equal(after.window_free, before.window_free);
	assert_int_equal(utmem_window_admin(rig->win[0].w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)),
			 0);
	assert_int_equal(p.queue_id, 1);
}

static void serving_requests_allocates_nothing(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;

	rig_queue(&q, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q.id, "p", UTMEM_POOL_CREATE), 0);
	fail_after = 0;
	assert_int_equal(rig_put(rig, &q, "a key that has more than thirty-two bytes", "v"), 0);
	assert_int_equal(rig_get(rig, &q, "a key that has more than thirty-two bytes"), 1);
	fail_after = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(service_init_without_memory_is_enomem),
		RIG_TEST(attach_without_memory_is_enomem_at_every_step),
		RIG_TEST(resume_without_memory_is_enomem_at_every_step_and_can_be_tried_again),
		RIG_TEST(create_queue_without_memory_is_enomem_and_takes_no_room),
		RIG_TEST(serving_requests_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
