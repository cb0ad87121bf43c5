// SPDX-License-Identifier: MIT
/* A queue's shape, its bound on what is in flight, submit, peek, wait, and its counters. */
#include <signal.h>
#include <time.h>

#include "guest/ring/utmem_ioctl.h"
#include "tests/unit/lib_local.h"

static void the_arena_of_local_is_given_in_bytes_k_m_or_g(void **state)
{
	const char *good[] = {"local:", "local:1048576", "local:1024k", "local:8m", "local:1g"};
	const char *bad[] = {"local:x",
			     "local:-1",
			     "local:1048575",
			     "local:1t",
			     "local:1mb",
			     "local: 1m",
			     "local:0",
			     "local:2048g",
			     "local:16m ",
			     "local:99999999999999999999",
			     "local:17592186044416m"};
	struct utmem *u;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(utmem_connect(&u, good[i]), 0);
		utmem_disconnect(u);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(utmem_connect(&u, bad[i]), -EINVAL);
		assert_null(u);
	}
	utmem_disconnect(NULL);
	assert_string_equal(utmem_version(), UTMEM_VERSION);
}

static int try_shape(struct utmem *u, struct utmem_queue_params params)
{
	struct utmem_queue *q;
	int err = utmem_queue_init(u, &q, &params);

	assert_true(err ? !q : q != NULL);
	utmem_queue_exit(q);
	return err;
}

#define SHAPE(...) try_shape(u, (struct utmem_queue_params){__VA_ARGS__})

static void shapes_are_accepted_up_to_their_limits(void **state)
{
	struct utmem_limits limits;
	struct utmem *u;

	(void)state;
	assert_int_equal(utmem_connect(&u, "local:"), 0);
	assert_int_equal(utmem_limits(u, &limits), 0);
	assert_int_equal(SHAPE(0), 0);
	assert_int_equal(SHAPE(.sq_entries = UTMEM_SQ_ENTRIES_MIN), 0);
	assert_int_equal(SHAPE(.sq_entries = 1), -EINVAL);
	assert_int_equal(SHAPE(.sq_entries = 3), -EINVAL);
	assert_int_equal(SHAPE(.sq_entries = limits.max_sq_entries), 0);
	assert_int_equal(SHAPE(.sq_entries = 2 * limits.max_sq_entries), -EINVAL);
	assert_int_equal(SHAPE(.sq_entries = 8, .cq_entries = 8), 0);
	assert_int_equal(SHAPE(.sq_entries = 8, .cq_entries = 4), -EINVAL);
	assert_int_equal(SHAPE(.sq_entries = 8, .cq_entries = 12), -EINVAL);
	assert_int_equal(SHAPE(.cq_entries = UTMEM_CQ_ENTRIES_MAX), 0);
	assert_int_equal(SHAPE(.cq_entries = 2 * UTMEM_CQ_ENTRIES_MAX), -EINVAL);
	assert_int_equal(SHAPE(.data_len = 1), 0);
	assert_int_equal(SHAPE(.data_len = limits.max_data_len), 0);
	assert_int_equal(SHAPE(.data_len = (size_t)limits.max_data_len + 1), -EINVAL);
	assert_int_equal(SHAPE(.data_len = SIZE_MAX), -EINVAL);
	assert_int_equal(SHAPE(.resv = {0, 0, 0, 0, 1}), -EINVAL);
	utmem_disconnect(u);
}

/* Over local: nothing uses them; a program that is wrong about them is told so all the same. */
static void knobs_are_accepted_up_to_their_limits(void **state)
{
	struct utmem *u;

	(void)state;
	assert_int_equal(utmem_connect(&u, "local:"), 0);
	assert_int_equal(SHAPE(.batch_max = UTMEM_BATCH_MAX_MAX, .irq_max = UTMEM_IRQ_MAX_MAX), 0);
	assert_int_equal(SHAPE(.batch_max = UTMEM_BATCH_MAX_MAX + 1), -EINVAL);
	assert_int_equal(SHAPE(.batch_max = UINT32_MAX), -EINVAL);
	assert_int_equal(SHAPE(.irq_max = UTMEM_IRQ_MAX_MAX + 1), -EINVAL);
	assert_int_equal(
		SHAPE(.batch_usecs = UTMEM_BATCH_USECS_MAX, .irq_usecs = UTMEM_IRQ_USECS_MAX), 0);
	assert_int_equal(SHAPE(.batch_usecs = UTMEM_NO_DELAY, .irq_usecs = UTMEM_NO_DELAY), 0);
	assert_int_equal(SHAPE(.batch_usecs = UTMEM_BATCH_USECS_MAX + 1), -EINVAL);
	assert_int_equal(SHAPE(.irq_usecs = UTMEM_IRQ_USECS_MAX + 1), -EINVAL);
	assert_int_equal(SHAPE(.batch_mode = UTMEM_MODE_FIXED), 0);
	assert_int_equal(SHAPE(.batch_mode = UTMEM_MODE_ADAPTIVE), 0);
	assert_int_equal(SHAPE(.batch_mode = UTMEM_MODE_ADAPTIVE + 1), -EINVAL);
	assert_int_equal(SHAPE(.spin_usecs = UTMEM_NO_SPIN), 0);
	utmem_disconnect(u);
}

static void tune_takes_knobs_and_no_shape(void **state)
{
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_queue_tune(l.q, NULL), 0);
	assert_int_equal(utmem_queue_tune(l.q, &(struct utmem_queue_params){.batch_max = 1}), 0);
	assert_int_equal(utmem_queue_tune(l.q, &(struct utmem_queue_params){.batch_mode = 3}),
			 -EINVAL);
	assert_int_equal(utmem_queue_tune(l.q, &(struct utmem_queue_params){.sq_entries = 256}),
			 -EINVAL);
	assert_int_equal(utmem_queue_tune(l.q, &(struct utmem_queue_params){.resv = {1}}), -EINVAL);
	local_close(&l);
}

static void the_data_area_has_the_bytes_that_were_asked_for(void **state)
{
	struct utmem_queue_params params = {.data_len = 100000};
	struct local l;

	(void)state;
	local_open(&l, "local:", &params);
	assert_true(utmem_buf_max(l.q) >= 100000);
	assert_non_null(utmem_buf_alloc(l.q, 100000));
	local_close(&l);
}

static void one_queue_too_many_is_emfile(void **state)
{
	struct utmem_queue_params params = {.sq_entries = 2, .data_len = 1};
	struct utmem_queue *q[UTMEM_QUEUES_MAX], *more;
	struct utmem_limits limits;
	struct utmem *u;
	uint32_t nr;

	(void)state;
	assert_int_equal(utmem_connect(&u, "local:"), 0);
	assert_int_equal(utmem_limits(u, &limits), 0);
	for (nr = 0; nr < limits.max_queues - 1; nr++) /* one is the admin queue's id */
		assert_int_equal(utmem_queue_init(u, &q[nr], &params), 0);
	assert_int_equal(utmem_queue_init(u, &more, &params), -EMFILE);
	assert_null(more);
	utmem_queue_exit(q[--nr]);
	assert_int_equal(utmem_queue_init(u, &q[nr], &params), 0);
	for (uint32_t i = 0; i <= nr; i++)
		utmem_queue_exit(q[i]);
	utmem_disconnect(u);
}

static void pools_open_close_and_are_destroyed(void **state)
{
	struct utmem_pool_stat stat;
	struct local l;
	int other;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_pool_open(l.q, "absent", 0), -ENOENT);
	assert_int_equal(utmem_pool_open(l.q, "test", UTMEM_POOL_CREATE | UTMEM_POOL_EXCL),
			 -EEXIST);
	assert_int_equal(utmem_pool_open(l.q, "test", UTMEM_POOL_EPHEMERAL), -EINVAL);
	other = utmem_pool_open(l.q, "local:test", 0);
	assert_true(other >= 0 && other != l.pool);
	assert_int_equal(utmem_put(l.q, other, "k", 1, "v", 1, 0), 0);
	assert_int_equal(utmem_pool_stat(l.q, l.pool, &stat), 0);
	assert_int_equal(stat.nr_items, 1);
	assert_int_equal(stat.value_bytes, 1);
	assert_int_equal(utmem_pool_destroy(l.q, other), 0);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), -ESTALE);
	assert_int_equal(utmem_pool_close(l.q, l.pool), 0);
	assert_true(utmem_pool_close(l.q, l.pool) < 0);
	assert_int_equal(utmem_pool_close(l.q, -1), -EINVAL);
	assert_int_equal(utmem_pool_stat(l.q, UTMEM_POOLS_PER_QUEUE, &stat), -EINVAL);
	local_close(&l);
}

static void pool_names_outside_the_contract_are_einval(void **state)
{
	char name[2 * UTMEM_NAME_LEN + 2];
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_pool_open(l.q, NULL, 0), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, "", 0), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, ":pool", 0), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, "tenant:", 0), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, "a:b:c", 0), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, "with space", 0), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, "x", UTMEM_POOL_ANY_OWNER), -EINVAL);
	assert_int_equal(utmem_pool_open(l.q, "x", 1u << 31), -EINVAL);
	memset(name, 'n', sizeof(name));
	name[UTMEM_NAME_LEN] = 0;
	assert_int_equal(utmem_pool_open(l.q, name, UTMEM_POOL_CREATE), -EINVAL);
	name[UTMEM_NAME_LEN - 1] = 0;
	assert_true(utmem_pool_open(l.q, name, UTMEM_POOL_CREATE) >= 0);
	local_close(&l);
}

static void in_flight_never_exceeds_cq_entries(void **state)
{
	struct utmem_queue_params params = {.sq_entries = 4, .cq_entries = 8};
	struct local l;
	int i;

	(void)state;
	local_open(&l, "local:", &params);
	assert_int_equal(utmem_sq_space_left(l.q), 4);
	for (i = 0; i < 4; i++)
		assert_non_null(utmem_get_sqe(l.q));
	assert_null(utmem_get_sqe(l.q)); /* ring full */
	assert_int_equal(utmem_sq_space_left(l.q), 0);
	assert_int_equal(utmem_submit(l.q), 4);
	assert_int_equal(utmem_sq_space_left(l.q), 4);
	for (i = 0; i < 4; i++)
		assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_submit(l.q), 4);
	assert_int_equal(utmem_inflight(l.q), 8);
	assert_null(utmem_get_sqe(l.q)); /* completions not reaped */
	assert_int_equal(utmem_sq_space_left(l.q), 0);
	assert_int_equal(local_reap(&l), 0);
	assert_int_equal(utmem_sq_space_left(l.q), 1);
	assert_non_null(utmem_get_sqe(l.q));
	assert_null(utmem_get_sqe(l.q));
	local_close(&l);
}

static void completions_come_in_order_with_their_user_data(void **state)
{
	struct utmem_queue_params params = {.sq_entries = 16};
	const struct utmem_cqe *cqes[16];
	struct local l;
	uint64_t next = 0, sent = 0;
	int nr;

	(void)state;
	local_open(&l, "local:", &params);
	/* Far beyond one turn of the rings, with batches of every size. */
	while (next < 2000) {
		struct utmem_sqe *sqe;
		unsigned int batch = sent % 13 + 1;

		while (batch-- && (sqe = utmem_get_sqe(l.q))) {
			utmem_prep_nop(sqe);
			sqe->user_data = sent++;
		}
		assert_true(utmem_submit(l.q) >= 0);
		nr = utmem_peek_batch_cqe(l.q, cqes, sent % 7 + 1);
		assert_true(nr > 0);
		for (int i = 0; i < nr; i++)
			assert_int_equal(cqes[i]->user_data, next++);
		utmem_cq_advance(l.q, (unsigned int)nr);
		assert_int_equal(utmem_inflight(l.q), sent - next);
	}
	local_close(&l);
}

static void advance_stops_at_what_has_completed(void **state)
{
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_non_null(utmem_get_sqe(l.q));
	utmem_cq_advance(l.q, 5);
	assert_int_equal(utmem_inflight(l.q), 1);
	assert_int_equal(utmem_submit(l.q), 1);
	assert_int_equal(local_reap(&l), 0);
	utmem_cq_advance(l.q, 1);
	assert_int_equal(utmem_inflight(l.q), 0);
	local_close(&l);
}

static void peek_of_nothing_is_eagain_and_a_batch_of_nothing_is_zero(void **state)
{
	const struct utmem_cqe *cqe;
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_peek_cqe(l.q, &cqe), -EAGAIN);
	assert_null(cqe);
	assert_int_equal(utmem_peek_batch_cqe(l.q, &cqe, 1), 0);
	assert_int_equal(utmem_submit(l.q), 0);
	assert_int_equal(utmem_flush(l.q), 0);
	assert_int_equal(utmem_event_arm(l.q), 0);
	local_close(&l);
}

static void a_wait_for_what_cannot_come_does_not_hang(void **state)
{
	const struct utmem_cqe *cqe;
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_wait_cqe(l.q, &cqe), -EAGAIN);
	assert_int_equal(utmem_wait_cqe_timeout(l.q, &cqe, -1), -EAGAIN);
	assert_int_equal(utmem_wait_cqe_timeout(l.q, &cqe, 0), -EAGAIN);
	assert_int_equal(utmem_wait_cqe_timeout(l.q, &cqe, 1000), -ETIME);
	/* Prepared is not submitted. */
	assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_wait_cqe(l.q, &cqe), -EAGAIN);
	assert_int_equal(utmem_submit_and_wait(l.q, 2), -EINVAL);
	assert_int_equal(utmem_inflight(l.q), 1);
	assert_int_equal(utmem_submit_and_wait(l.q, 1), 1);
	assert_int_equal(utmem_submit_and_wait(l.q, 1), 0);
	assert_int_equal(utmem_submit_and_wait(l.q, 0), 0);
	assert_int_equal(utmem_wait_cqe(l.q, &cqe), 0);
	local_close(&l);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void a_signal_ends_a_wait_with_eintr(void **state)
{
	struct sigaction act = {.sa_handler = on_signal}, old;
	struct itimerspec soon = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	const struct utmem_cqe *cqe;
	struct local l;
	timer_t timer;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	assert_int_equal(utmem_wait_cqe_timeout(l.q, &cqe, 60000000000), -EINTR);
	timer_delete(timer);
	sigaction(SIGUSR1, &old, NULL);
	local_close(&l);
}

static void counters_count(void **state)
{
	struct utmem_stats s;
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	for (int i = 0; i < 5; i++)
		assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_submit(l.q), 5);
	assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_submit(l.q), 1);
	assert_int_equal(utmem_submit(l.q), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(local_reap(&l), 0);
	assert_int_equal(utmem_queue_stats(l.q, &s), 0);
	assert_int_equal(s.submitted, 6);
	assert_int_equal(s.submits, 2);
	assert_int_equal(s.completed, 4);
	assert_int_equal(s.kicks, 2);
	assert_int_equal(s.doorbells, 2);
	assert_int_equal(s.waits, 0);
	assert_int_equal(s.interrupts + s.deferred, 0);
	local_close(&l);
}

static void results_of_a_batch_are_each_requests_own(void **state)
{
	struct local l;
	char *buf;

	(void)state;
	local_open(&l, "local:", NULL);
	buf = utmem_buf_alloc(l.q, 300);
	assert_non_null(buf);
	memset(buf, 'a', 100);
	assert_int_equal(utmem_prep_put(l.q, utmem_get_sqe(l.q), l.pool, "a", 1, buf, 100, 0), 0);
	assert_int_equal(utmem_prep_put(l.q, utmem_get_sqe(l.q), l.pool, "a", 1, buf, 100,
					UTMEM_SQE_IF_ABSENT),
			 0);
	assert_int_equal(utmem_prep_get(l.q, utmem_get_sqe(l.q), l.pool, "a", 1, buf + 100, 60, 0),
			 0);
	assert_int_equal(utmem_prep_get(l.q, utmem_get_sqe(l.q), l.pool, "a", 1, buf + 200, 60, 90),
			 0);
	assert_int_equal(utmem_prep_exists(l.q, utmem_get_sqe(l.q), l.pool, "a", 1), 0);
	assert_int_equal(utmem_prep_del(l.q, utmem_get_sqe(l.q), l.pool, "a", 1), 0);
	assert_int_equal(utmem_prep_del(l.q, utmem_get_sqe(l.q), l.pool, "a", 1), 0);
	assert_int_equal(utmem_prep_flush(l.q, utmem_get_sqe(l.q), l.pool), 0);
	assert_int_equal(utmem_prep_reserve(l.q, utmem_get_sqe(l.q), l.pool, 4096), 0);
	assert_int_equal(utmem_submit_and_wait(l.q, 9), 9);
	assert_int_equal(local_reap(&l), 0);
	assert_int_equal(local_reap(&l), -EEXIST);
	assert_int_equal(local_reap(&l), 100);
	assert_memory_equal(buf, buf + 100, 60);
	assert_int_equal(local_reap(&l), 10);
	assert_memory_equal(buf, buf + 200, 10);
	assert_int_equal(local_reap(&l), 100);
	assert_int_equal(local_reap(&l), 0);
	assert_int_equal(local_reap(&l), -ENOENT);
	assert_int_equal(local_reap(&l), 0);
	assert_int_equal(local_reap(&l), -EOPNOTSUPP);
	local_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_arena_of_local_is_given_in_bytes_k_m_or_g),
		cmocka_unit_test(shapes_are_accepted_up_to_their_limits),
		cmocka_unit_test(knobs_are_accepted_up_to_their_limits),
		cmocka_unit_test(tune_takes_knobs_and_no_shape),
		cmocka_unit_test(the_data_area_has_the_bytes_that_were_asked_for),
		cmocka_unit_test(one_queue_too_many_is_emfile),
		cmocka_unit_test(pools_open_close_and_are_destroyed),
		cmocka_unit_test(pool_names_outside_the_contract_are_einval),
		cmocka_unit_test(in_flight_never_exceeds_cq_entries),
		cmocka_unit_test(completions_come_in_order_with_their_user_data),
		cmocka_unit_test(advance_stops_at_what_has_completed),
		cmocka_unit_test(peek_of_nothing_is_eagain_and_a_batch_of_nothing_is_zero),
		cmocka_unit_test(a_wait_for_what_cannot_come_does_not_hang),
		cmocka_unit_test(a_signal_ends_a_wait_with_eintr),
		cmocka_unit_test(counters_count),
		cmocka_unit_test(results_of_a_batch_are_each_requests_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
