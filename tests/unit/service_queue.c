// SPDX-License-Identifier: MIT
/* A queue as a whole: indices that lie, completions nobody reaps, bounds of a turn, wake-ups. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "host/service/window.h"
#include "tests/unit/service_rig.h"

/* Queue @q in window 0 with pool "p", and a neighbour @n in window 1. */
static struct rig *rig_of(void **state, struct rig_queue *q, struct rig_queue *n)
{
	struct rig *rig = *state;

	rig_queue(q, &rig->win[0], 256, 256, 0);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), 0);
	rig_queue(n, &rig->win[1], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[1], n->id, "p", UTMEM_POOL_CREATE), 0);
	return rig;
}

#define BEGIN(rig, q, n)             \
	struct rig_queue q[1], n[1]; \
	struct rig *rig = rig_of(state, q, n)

/* @q has ended with -EPROTO, said so once, and the neighbour does not care. */
static void assert_broken(struct rig *rig, struct rig_queue *q, struct rig_queue *n)
{
	struct utmem_service_counters c;
	uint32_t lines;

	assert_true(utmem_service_arm(rig->s));
	lines = rig->win[0].nr_lines;
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(utmem_state_error(q->page), -EPROTO);
	assert_int_equal(q->page->state, UTMEM_QUEUE_BROKEN);
	assert_int_equal(rig->win[0].nr_lines, lines + 1);
	assert_int_equal(rig->win[0].nr_wakes, 1);
	assert_int_equal(rig->win[0].woken_id, q->id);
	assert_int_equal(rig->engine.nr_attached, 1);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
	assert_int_equal(rig_get(rig, n, "k"), 1);
	assert_int_equal(rig->win[0].nr_lines, lines + 1);
	assert_false(utmem_service_arm(rig->s));
	utmem_service_stat(rig->s, &c);
	assert_int_equal(c.nr_broken, 1);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), -EPROTO);
	assert_int_equal(rig_destroy(&rig->win[0], q->id), 0);
}

static void serve_nops(struct rig *rig, struct rig_queue *q, uint32_t nr)
{
	while (nr--) {
		rig_sqe(q, UTMEM_OP_NOP);
		assert_int_equal(rig_do(rig, q).res, 0);
	}
}

static void a_tail_beyond_a_full_ring_ends_the_queue(void **state)
{
	BEGIN(rig, q, n);

	serve_nops(rig, q, 20);
	q->page->sq_tail = 20 + 256 + 1;
	assert_broken(rig, q, n);
	assert_non_null(strstr(rig->win[0].line, "queue 1: tail 277 beyond head 20 + 256"));
}

static void a_tail_that_runs_backwards_ends_the_queue(void **state)
{
	BEGIN(rig, q, n);

	serve_nops(rig, q, 20);
	q->page->sq_tail = 19;
	assert_broken(rig, q, n);
}

static void a_tail_behind_what_it_promised_ends_the_queue(void **state)
{
	BEGIN(rig, q, n);
	uint32_t i;

	for (i = 0; i < 40; i++)
		rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	assert_int_equal(utmem_service_turn(rig->s), REQUEST_BATCH);
	q->page->sq_tail = 39;
	assert_broken(rig, q, n);
}

static void a_full_ring_is_served_and_not_broken(void **state)
{
	BEGIN(rig, q, n);
	uint32_t i, served = 0;

	serve_nops(rig, q, 20);
	for (i = 0; i < 256; i++)
		rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	assert_int_equal(q->page->sq_tail, 20 + 256);
	for (i = 0; i < 256 / REQUEST_BATCH; i++)
		served += utmem_service_turn(rig->s);
	assert_int_equal(served, 256);
	assert_int_equal(rig_ready(q), 256);
	assert_int_equal(rig_ready(n), 0);
}

static void a_cq_head_beyond_the_tail_ends_the_queue(void **state)
{
	BEGIN(rig, q, n);

	serve_nops(rig, q, 3);
	rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	q->page->cq_head = 4;
	assert_broken(rig, q, n);
	assert_non_null(strstr(rig->win[0].line, "cq_head 4 outside"));
}

static void a_cq_head_that_runs_backwards_ends_the_queue(void **state)
{
	BEGIN(rig, q, n);

	serve_nops(rig, q, 3);
	rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	q->page->cq_head = 1;
	assert_broken(rig, q, n);
}

static void a_broken_queue_stays_so_when_its_indices_recover(void **state)
{
	BEGIN(rig, q, n);

	q->page->sq_tail = 1000;
	assert_int_equal(utmem_service_turn(rig->s), 0);
	q->page->sq_tail = 0;
	rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_false(utmem_service_arm(rig->s));
	assert_int_equal(rig_ready(q), 0);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
}

static void completions_nobody_reaps_stop_only_that_queue(void **state)
{
	BEGIN(rig, q, n);
	struct rig_queue full;
	uint32_t i;

	rig_queue(&full, &rig->win[0], 4, 4, 0);
	for (i = 0; i < 4; i++)
		rig_sqe(&full, UTMEM_OP_NOP);
	utmem_sq_publish(&full.sq);
	assert_int_equal(utmem_service_turn(rig->s), 4);
	for (i = 0; i < 3; i++)
		rig_sqe(&full, UTMEM_OP_NOP);
	utmem_sq_publish(&full.sq);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_false(utmem_service_arm(rig->s)); /* it does not keep the host awake */
	utmem_service_disarm(rig->s);
	serve_nops(rig, q, 5);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
	rig_cqe(&full);
	rig_cqe(&full);
	assert_true(utmem_service_arm(rig->s));
	assert_int_equal(utmem_service_turn(rig->s), 2); /* as many as there is room for */
	rig_cqe(&full);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(utmem_state_error(full.page), 0);
}

static void a_turn_serves_one_batch_of_each_queue(void **state)
{
	BEGIN(rig, q, n);
	uint32_t i;

	for (i = 0; i < 256; i++)
		rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	rig_put_sqe(n, "k", "v");
	utmem_sq_publish(&n->sq);
	assert_int_equal(utmem_service_turn(rig->s), REQUEST_BATCH + 1);
	assert_int_equal(rig_ready(n), 1);
	assert_int_equal(rig_ready(q), REQUEST_BATCH);
}

static void a_turn_moves_few_bytes_for_a_queue_of_large_values(void **state)
{
	const uint32_t len = 256 << 10;
	BEGIN(rig, q, n);
	struct rig_queue large;
	uint32_t i;

	rig_queue(&large, &rig->win[0], 64, 64, len);
	assert_int_equal(rig_pool(&rig->win[0], large.id, "p", UTMEM_POOL_CREATE), 0);
	for (i = 0; i < 64; i++)
		rig_put_sqe(&large, "large", "v")->len = len;
	utmem_sq_publish(&large.sq);
	serve_nops(rig, q, 0);
	rig_put_sqe(n, "k", "v");
	utmem_sq_publish(&n->sq);
	utmem_service_turn(rig->s);
	assert_int_equal(rig_ready(n), 1);
	assert_int_equal(rig_ready(&large), QUEUE_TURN_BYTES / len);
	assert_true(rig_ready(&large) < REQUEST_BATCH);
}

static void records_are_prefetched_for_batches_and_not_for_one(void **state)
{
	BEGIN(rig, q, n);

	(void)q;
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
	assert_int_equal(rig->engine.nr_prefetched, 1); /* the index */
	rig_get_sqe(n, "k", 1);
	rig_get_sqe(n, "k", 1);
	rig_sqe(n, UTMEM_OP_NOP);
	utmem_sq_publish(&n->sq);
	assert_int_equal(utmem_service_turn(rig->s), 3);
	assert_int_equal(rig->engine.nr_prefetched, 5);
}

static void a_waiter_is_woken_when_armed_and_once(void **state)
{
	BEGIN(rig, q, n);
	struct rig_window *win = &rig->win[0];

	(void)n;
	serve_nops(rig, q, 2);
	assert_int_equal(win->nr_wakes, 0);
	utmem_wake_arm(q->page, 4);
	serve_nops(rig, q, 1);
	assert_int_equal(win->nr_wakes, 0);
	serve_nops(rig, q, 1);
	assert_int_equal(win->nr_wakes, 1);
	assert_int_equal(win->woken_id, q->id);
	assert_int_equal(win->woken_vector, 1);
	serve_nops(rig, q, 3);
	assert_int_equal(win->nr_wakes, 1);
	utmem_wake_disarm(q->page);
	serve_nops(rig, q, 1);
	assert_int_equal(win->nr_wakes, 1);
	assert_int_equal(rig->win[1].nr_wakes, 0);
}

static void a_batch_that_passes_the_wake_index_wakes_once(void **state)
{
	BEGIN(rig, q, n);
	uint32_t i;

	(void)n;
	utmem_wake_arm(q->page, 3);
	for (i = 0; i < 10; i++)
		rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	assert_int_equal(utmem_service_turn(rig->s), 10);
	assert_int_equal(rig->win[0].nr_wakes, 1);
}

static void destroying_a_queue_serves_what_is_in_its_ring(void **state)
{
	BEGIN(rig, q, n);
	uint32_t i;

	rig_queue(q, &rig->win[0], 256, 256, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", 0), 0);
	for (i = 0; i < 199; i++)
		rig_sqe(q, UTMEM_OP_NOP);
	rig_put_sqe(q, "last", "words");
	utmem_sq_publish(&q->sq);
	assert_int_equal(rig_destroy(&rig->win[0], q->id), 0);
	assert_int_equal(q->page->sq_head, 200);
	assert_int_equal(utmem_state_error(q->page), -ECONNRESET);
	assert_int_equal(rig->win[0].nr_wakes, 1);
	rig_queue(q, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", 0), 0);
	assert_int_equal(rig_get(rig, q, "last"), 5);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
}

/* ---- an entry that changes while it is served ---- */

#define FLIP_ROUNDS 500000 /* at most */
#define FLIP_SEEN 2000	   /* of each version: enough */

struct flip {
	volatile uint64_t *word[2];
	uint64_t value[2];
	atomic_bool running, stop;
};

/* The third word of an entry: data_off, key_len, stream. */
static uint64_t word_of(uint32_t data_off, uint16_t key_len)
{
	return data_off | (uint64_t)key_len << 32;
}

static void *flip_run(void *arg)
{
	struct flip *f = arg;
	unsigned int i;

	for (i = 0; !atomic_load(&f->stop); i++) {
		*f->word[0] = f->value[i & 1];
		*f->word[1] = f->value[i & 1];
		atomic_store(&f->running, true);
	}
	return NULL;
}

/* Half of the time the entry is a GET of "k", half of the time it is malformed: no mixture of both. */
static void entries_that_change_under_way_are_one_version_or_the_other(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;
	struct flip f = {.value = {word_of(0, 1), word_of(0xfffff000, 2000)}};
	uint32_t seen[2] = {0}, i;
	pthread_t thread;

	rig_queue(&q, &rig->win[0], 2, 2, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q.id, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(rig_put(rig, &q, "k", "value"), 0);
	for (i = 0; i < 2; i++)
		f.word[i] = (volatile uint64_t *)&q.sq.sqes[i].data_off;
	assert_int_equal(pthread_create(&thread, NULL, flip_run, &f), 0);
	while (!atomic_load(&f.running))
		sched_yield();
	for (i = 0; i < FLIP_ROUNDS && (seen[0] < FLIP_SEEN || seen[1] < FLIP_SEEN); i++) {
		int res;

		rig_get_sqe(&q, "k", 8);
		res = rig_do(rig, &q).res;
		if (res != 5)
			assert_int_equal(res, -EINVAL); /* the data area is looked at first */
		seen[res == 5]++;
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_tail_beyond_a_full_ring_ends_the_queue),
		RIG_TEST(a_tail_that_runs_backwards_ends_the_queue),
		RIG_TEST(a_tail_behind_what_it_promised_ends_the_queue),
		RIG_TEST(a_full_ring_is_served_and_not_broken),
		RIG_TEST(a_cq_head_beyond_the_tail_ends_the_queue),
		RIG_TEST(a_cq_head_that_runs_backwards_ends_the_queue),
		RIG_TEST(a_broken_queue_stays_so_when_its_indices_recover),
		RIG_TEST(completions_nobody_reaps_stop_only_that_queue),
		RIG_TEST(a_turn_serves_one_batch_of_each_queue),
		RIG_TEST(a_turn_moves_few_bytes_for_a_queue_of_large_values),
		RIG_TEST(records_are_prefetched_for_batches_and_not_for_one),
		RIG_TEST(a_waiter_is_woken_when_armed_and_once),
		RIG_TEST(a_batch_that_passes_the_wake_index_wakes_once),
		RIG_TEST(destroying_a_queue_serves_what_is_in_its_ring),
		RIG_TEST(entries_that_change_under_way_are_one_version_or_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
