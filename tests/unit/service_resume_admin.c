// SPDX-License-Identifier: MIT
/*
 * Control and deaths: wherever the service dies in a request of queue 0, in a call that its owner
 * repeats, or in a hello, the second life answers as one life would have, and nothing is left over.
 */
#include "tests/unit/service_death.h"

/* The driver's end of queue 0, and what it asks. */
struct driver {
	struct rig *rig;
	struct rig_window *win;
	struct rig_queue q;
	uint64_t serial;
	bool by_call; /* instead: the owner of a socket, who repeats what was not answered */
	uint64_t hello;
};

union payload {
	struct utmem_admin_queue queue;
	struct utmem_admin_pool pool;
	struct utmem_pool_stat stat;
};

static void driver_init(struct driver *d, struct rig *rig, bool by_call)
{
	struct utmem_window_hdr hdr;

	memset(d, 0, sizeof(*d));
	d->rig = rig;
	d->win = &rig->win[0];
	d->by_call = by_call;
	memcpy(&hdr, d->win->base, sizeof(hdr));
	rig_queue_init(&d->q, d->win, &hdr.admin);
}

static int by_entry(struct driver *d, uint8_t opcode, union payload *p, size_t len)
{
	struct utmem_sqe *sqe = rig_sqe(&d->q, opcode);
	struct utmem_cqe cqe;
	unsigned int turns = 0;

	sqe->len = (uint32_t)len;
	sqe->user_data = ++d->serial;
	memcpy(d->q.data, p, len);
	utmem_sq_publish(&d->q.sq);
	do
		assert_true(turns++ < 8);
	while (death_turn(d->rig) || !rig_ready(&d->q));
	cqe = rig_cqe(&d->q);
	assert_int_equal(cqe.user_data, d->serial);
	assert_int_equal(rig_ready(&d->q), 0);
	memcpy(p, d->q.data, len);
	return cqe.res;
}

/* What death_comes() calls. */
static struct call {
	struct driver *d;
	uint8_t opcode;
	union payload p;
	size_t len;
	int err;
} call;

static void call_work(void *ctx)
{
	struct call *c = ctx;

	c->err = utmem_window_admin_once(c->d->win->w, c->d->serial, c->opcode, &c->p, c->len);
}

static int by_call(struct driver *d, uint8_t opcode, union payload *p, size_t len)
{
	call = (struct call){.d = d, .opcode = opcode, .p = *p, .len = len};
	d->serial++;
	while (death_comes(call_work, &call)) {
		death_bury(d->rig);
		death_scribble(d->win);
		death_resume(d->rig);
		call.p = *p;
	}
	*p = call.p;
	return call.err;
}

static int ask(struct driver *d, uint8_t opcode, union payload *p, size_t len)
{
	return d->by_call ? by_call(d, opcode, p, len) : by_entry(d, opcode, p, len);
}

static int create(struct driver *d, struct rig_queue *q)
{
	union payload p = {.queue = {.sq_entries = 8, .cq_entries = 8, .data_len = UTMEM_PAGE}};
	int err = ask(d, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p.queue));

	if (err)
		return err;
	assert_int_equal(utmem_geometry_check(&p.queue.geo, RIG_WINDOW_LEN), 0);
	q->id = p.queue.queue_id;
	rig_queue_init(q, d->win, &p.queue.geo);
	return (int)q->id;
}

static int destroy(struct driver *d, uint32_t id)
{
	union payload p = {.queue = {.queue_id = id}};

	return ask(d, UTMEM_OP_DESTROY_QUEUE, &p, sizeof(p.queue));
}

static int open_pool(struct driver *d, uint32_t id, const char *name, uint32_t flags)
{
	union payload p = {.pool = {.queue_id = id, .flags = flags}};
	int err;

	snprintf(p.pool.name, sizeof(p.pool.name), "%s", name);
	err = ask(d, UTMEM_OP_POOL_OPEN, &p, sizeof(p.pool));
	return err ? err : p.pool.handle;
}

static int end_pool(struct driver *d, uint8_t opcode, uint32_t id, uint16_t handle)
{
	union payload p = {.pool = {.queue_id = id, .handle = handle}};

	return ask(d, opcode, &p, sizeof(p.pool));
}

static int begin(struct driver *d, struct rig_queue *q, uint16_t handle)
{
	struct utmem_sqe *sqe = rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k");
	unsigned int turns = 0;

	sqe->pool = handle;
	sqe->arg = 4;
	utmem_sq_publish(&q->sq);
	do
		assert_true(turns++ < 8);
	while (death_turn(d->rig) || !rig_ready(q));
	return rig_cqe(q).res;
}

#define CLOSE UTMEM_OP_POOL_CLOSE
#define DESTROY UTMEM_OP_POOL_DESTROY
#define EXCL (UTMEM_POOL_CREATE | UTMEM_POOL_EXCL)

/* Every admin request, right and wrong, with something attached and something open. */
static void script(struct driver *d)
{
	struct rig_queue a = {0}, b = {0}, c = {0};

	assert_int_equal(create(d, &a), 1);
	assert_int_equal(create(d, &b), 2);
	assert_int_equal(open_pool(d, 1, "p", EXCL), 0);
	assert_int_equal(open_pool(d, 1, "p", EXCL), -EEXIST);
	assert_int_equal(open_pool(d, 2, "p", 0), 0);
	assert_int_equal(open_pool(d, 1, "nobodys", 0), -ENOENT);
	assert_int_equal(open_pool(d, 1, "r", UTMEM_POOL_CREATE), 1);
	assert_int_equal(begin(d, &a, 1), 0);
	assert_int_equal(end_pool(d, CLOSE, 1, 1), 0);
	assert_int_equal(end_pool(d, CLOSE, 1, 1), -EACCES);
	assert_int_equal(open_pool(d, 1, "r", EXCL), -EEXIST);
	assert_int_equal(begin(d, &b, 0), 0);
	assert_int_equal(end_pool(d, DESTROY, 1, 0), 0);
	assert_int_equal(end_pool(d, DESTROY, 1, 0), -EACCES);
	assert_int_equal(end_pool(d, DESTROY, 2, 0), -ESTALE);
	assert_int_equal(destroy(d, 1), 0);
	assert_int_equal(destroy(d, 1), -ENOENT);
	assert_int_equal(destroy(d, 77), -EINVAL);
	assert_int_equal(create(d, &c), 1);
	assert_int_equal(open_pool(d, 1, "p", EXCL), 0);
}

static void check_nothing_left_over(struct driver *d)
{
	struct utmem_window_stat stat;

	death_plan(0, NULL);
	death_turn(d->rig);
	utmem_window_stat(d->win->w, &stat);
	assert_int_equal(stat.nr_queues, 2);
	assert_int_equal(d->rig->engine.nr_attached,
			 utsvc_queue_has_handle(d->win->w->queues[2], 0) &&
					 d->win->w->queues[2]->handles[0].pool
				 ? 2
				 : 1);
	assert_int_equal(destroy(d, 1), 0);
	assert_int_equal(destroy(d, 2), 0);
	assert_int_equal(d->rig->engine.nr_attached, 0);
	assert_int_equal(d->rig->engine.nr_streams, 0);
	utmem_window_stat(d->win->w, &stat);
	assert_int_equal(stat.window_free,
			 RIG_WINDOW_LEN - 2 * UTMEM_PAGE - d->win->w->admin->geo.len);
}

static uint32_t life(void (*run)(struct driver *d), void (*check)(struct driver *d), bool by_call,
		     uint32_t at)
{
	struct rig *rig = malloc(sizeof(*rig));
	struct driver d;
	uint32_t passed;

	death_plan(0, NULL);
	rig_init(rig);
	driver_init(&d, rig, by_call);
	death_plan(at, NULL);
	run(&d);
	passed = death.nr_passed;
	check(&d);
	rig_exit(rig);
	free(rig);
	return passed;
}

static void a_death_at_every_point_of_queue_0_changes_no_answer(void **state)
{
	uint32_t nr = life(script, check_nothing_left_over, false, 0), at;

	(void)state;
	assert_true(nr > 200);
	for (at = 1; at <= nr; at++)
		life(script, check_nothing_left_over, false, at);
}

static void a_death_at_every_point_of_a_call_changes_no_answer(void **state)
{
	uint32_t nr = life(script, check_nothing_left_over, true, 0), at;

	(void)state;
	assert_true(nr > 100);
	for (at = 1; at <= nr; at++)
		life(script, check_nothing_left_over, true, at);
}

/* ---- hello ---- */

static void say_hello(struct driver *d)
{
	unsigned int turns = 0;

	utmem_store_release(&d->win->control->guest.hello, ++d->hello);
	do
		assert_true(turns++ < 8);
	while (death_turn(d->rig) || d->win->control->host.hello_ack != d->hello);
	rig_queue_init(&d->q, d->win, &d->q.geo);
}

static void two_lives_of_a_driver(struct driver *d)
{
	struct rig_queue a = {0}, b = {0};

	say_hello(d);
	assert_int_equal(create(d, &a), 1);
	assert_int_equal(open_pool(d, 1, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(begin(d, &a, 0), 0);
	say_hello(d);
	assert_int_equal(destroy(d, 1), -ENOENT);
	assert_int_equal(create(d, &b), 1);
	assert_int_equal(open_pool(d, 1, "p", 0), 0);
}

static void check_second_driver(struct driver *d)
{
	struct utmem_window_stat stat;

	death_plan(0, NULL);
	death_turn(d->rig);
	utmem_window_stat(d->win->w, &stat);
	assert_int_equal(stat.nr_queues, 1);
	assert_int_equal(stat.hello, 2);
	assert_int_equal(d->rig->engine.nr_attached, 1);
	assert_int_equal(d->rig->engine.nr_streams, 0);
}

static void a_death_at_every_point_of_a_hello_drops_the_old_life_once(void **state)
{
	uint32_t nr = life(two_lives_of_a_driver, check_second_driver, false, 0), at;

	(void)state;
	for (at = 1; at <= nr; at++)
		life(two_lives_of_a_driver, check_second_driver, false, at);
}

static void the_first_request_of_a_driver_is_not_the_one_of_the_driver_before(void **state)
{
	struct utmem_window_stat stat;
	struct rig_queue q;
	struct driver d;

	driver_init(&d, *state, false);
	say_hello(&d);
	assert_int_equal(create(&d, &q), 1);
	say_hello(&d);
	assert_int_equal(create(&d, &q), 1);
	utmem_window_stat(d.win->w, &stat);
	assert_int_equal(stat.nr_queues, 1);
}

/* ---- calls that are repeated ---- */

static void a_finished_call_is_answered_again_and_not_done_again(void **state)
{
	struct rig *rig = *state;
	struct utmem_admin_queue first = {.sq_entries = 4, .cq_entries = 4}, again = first;
	struct utmem_window *w = rig->win[0].w;
	struct utmem_window_stat stat;

	assert_int_equal(
		utmem_window_admin_once(w, 5, UTMEM_OP_CREATE_QUEUE, &first, sizeof(first)), 0);
	assert_int_equal(
		utmem_window_admin_once(w, 5, UTMEM_OP_CREATE_QUEUE, &again, sizeof(again)), 0);
	assert_memory_equal(&first, &again, sizeof(first));
	utmem_window_stat(w, &stat);
	assert_int_equal(stat.nr_queues, 1);
	assert_int_equal(
		utmem_window_admin_once(w, 6, UTMEM_OP_CREATE_QUEUE, &again, sizeof(again)), 0);
	assert_int_equal(again.queue_id, 2);
}

static void a_call_that_nobody_repeats_is_undone(void **state)
{
	struct rig *rig = *state;
	struct driver d;
	struct utmem_window_stat stat;

	driver_init(&d, rig, true);
	call = (struct call){
		.d = &d,
		.opcode = UTMEM_OP_CREATE_QUEUE,
		.p = {.queue = {.sq_entries = 4, .cq_entries = 4}},
		.len = sizeof(struct utmem_admin_queue),
	};
	death_plan(1, "service_admin_answer");
	assert_true(death_comes(call_work, &call));
	death_bury(rig);
	death_resume(rig);
	assert_false(death_turn(rig));
	utmem_window_stat(rig->win[0].w, &stat);
	assert_int_equal(stat.nr_queues, 0);
	assert_int_equal(stat.window_free,
			 RIG_WINDOW_LEN - 2 * UTMEM_PAGE - rig->win[0].w->admin->geo.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_death_at_every_point_of_queue_0_changes_no_answer),
		cmocka_unit_test(a_death_at_every_point_of_a_call_changes_no_answer),
		cmocka_unit_test(a_death_at_every_point_of_a_hello_drops_the_old_life_once),
		DEATH_TEST(the_first_request_of_a_driver_is_not_the_one_of_the_driver_before),
		DEATH_TEST(a_finished_call_is_answered_again_and_not_done_again),
		DEATH_TEST(a_call_that_nobody_repeats_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
