// SPDX-License-Identifier: MIT
/*
 * The second life of windows that several threads served: more than one of them can have been inside
 * a request, and the services of the new life have one engine. What the other threads had left
 * in the ledgers is written there by hand.
 */
#include "tests/unit/service_death.h"

/* Queue @q of window 0 with web1's shared pool "p", and @n of window 1 with the same pool, by its grant. */
static struct rig *rig_of(void **state, struct rig_queue *q, struct rig_queue *n)
{
	struct utmem_admin_pool p = {.owner = 1000, .name = "p", .tenant = "web1"};
	struct rig *rig = *state;

	rig_queue(q, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED),
			 0);
	rig->engine.ops->pool_grant(&rig->engine.pools[0], rig->other, false);
	rig_queue(n, &rig->win[1], 4, 4, UTMEM_PAGE);
	p.queue_id = n->id;
	assert_int_equal(utmem_window_admin(rig->win[1].w, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), 0);
	return rig;
}

#define BEGIN(rig, q, n)             \
	struct rig_queue q[1], n[1]; \
	struct rig *rig = rig_of(state, q, n)

/* Die in the one request that is published; the next process is there, and has served nothing yet. */
static void die(struct rig *rig, const char *point)
{
	death_plan(1, point);
	assert_true(death_turn(rig));
	death_plan(0, NULL);
}

/* @q has a request in its ring, and its thread was about to execute it when the process died. */
static void was_inside(struct rig_window *win, struct rig_queue *q)
{
	struct ledger *l = win->ledger;

	utmem_sq_publish(&q->sq);
	l->active = q->id;
}

static void who_was_acting_comes_before_who_was_not(void **state)
{
	BEGIN(rig, q, n);

	rig_put_sqe(n, "k", "first")->flags = UTMEM_SQE_IF_ABSENT;
	utmem_sq_publish(&n->sq);
	die(rig, "service_pending_stored");
	rig_put_sqe(q, "k", "second")->flags = UTMEM_SQE_IF_ABSENT;
	was_inside(&rig->win[0], q);
	assert_int_equal(utmem_service_turn(rig->s), 2);
	assert_int_equal(rig_cqe(n).res, 0);
	assert_int_equal(rig_cqe(q).res, -EEXIST);
	assert_int_equal(rig_get(rig, q, "k"), 5);
}

static void a_death_counts_for_who_was_inside_and_later_ones_for_who_is_served(void **state)
{
	BEGIN(rig, q, n);
	struct ledger *other = rig->win[1].ledger;
	unsigned int i;

	rig_put_sqe(q, "k", "deadly");
	utmem_sq_publish(&q->sq);
	die(rig, "service_put_acted");
	rig_put_sqe(n, "l", "harmless");
	was_inside(&rig->win[1], n);
	for (i = 1; i < LEDGER_DEATHS_MAX; i++)
		die(rig, "service_put_acted");
	utmem_service_turn(rig->s);
	assert_int_equal(utmem_state_error(q->page), -EIO);
	assert_int_equal(other->queues[n->id].nr_deaths, 1);
	assert_int_equal(rig_cqe(n).res, 0);
	assert_int_equal(utmem_state_error(n->page), 0);
}

static void begin_stream(struct rig *rig, struct rig_queue *q)
{
	rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "parts")->arg = 5;
	assert_int_equal(rig_do(rig, q).res, 0);
}

static void finish_stream(struct utmem_service *s, struct rig_queue *q)
{
	rig_sqe(q, UTMEM_OP_PUT_PART)->len = 5;
	rig_sqe(q, UTMEM_OP_PUT_COMMIT);
	utmem_sq_publish(&q->sq);
	assert_int_equal(utmem_service_turn(s), 2);
	assert_int_equal(rig_cqe(q).res, 0);
	assert_int_equal(rig_cqe(q).res, 0);
}

static uint32_t nr_held, nr_holds;

static void hold(void *ctx)
{
	(void)ctx;
	assert_int_equal(nr_held++, 0);
	nr_holds++;
}

static void let_go(void *ctx)
{
	(void)ctx;
	assert_int_equal(--nr_held, 0);
}

/* Window @i of the rig, in a service of its own. */
static void attach(struct rig *rig, unsigned int i, struct utmem_service **s)
{
	const struct utmem_engine_lock lock = {.lock = hold, .unlock = let_go};
	struct utmem_window_config cfg = rig_config(rig, &rig->win[i], RIG_WINDOW_LEN);

	cfg.tenant = i ? rig->other : rig->tenant;
	cfg.resume = true;
	assert_int_equal(utmem_service_init(s, &rig->engine, ++death.epoch), 0);
	utmem_service_share_engine(*s, &lock);
	assert_int_equal(utmem_window_attach(*s, &rig->win[i].w, &cfg), 0);
}

static void no_service_settles_the_streams_of_another(void **state)
{
	BEGIN(rig, q, n);
	struct utmem_service *s[2];
	unsigned int i;

	begin_stream(rig, q);
	begin_stream(rig, n);
	utmem_service_leave(rig->s);
	fake_orphan(&rig->engine);
	for (i = 0; i < 2; i++)
		attach(rig, i, &s[i]);
	assert_int_equal(utmem_services_resume(s, 2), 0);
	assert_int_equal(rig->engine.nr_streams, 2);
	finish_stream(s[0], q);
	finish_stream(s[1], n);
	assert_true(nr_holds > 0);
	for (i = 0; i < 2; i++) {
		utmem_window_detach(rig->win[i].w);
		rig->win[i].w = NULL;
		utmem_service_exit(s[i]);
	}
	assert_int_equal(utmem_service_init(&rig->s, &rig->engine, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(who_was_acting_comes_before_who_was_not),
		RIG_TEST(a_death_counts_for_who_was_inside_and_later_ones_for_who_is_served),
		RIG_TEST(no_service_settles_the_streams_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
