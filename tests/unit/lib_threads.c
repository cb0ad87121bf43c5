// SPDX-License-Identifier: MIT
/* local: several threads, each with a queue of its own on one connection, and event loops. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lib_local.h"

#define THREADS 4
#define ROUNDS 300
#define BATCH 16

struct worker {
	struct utmem *u;
	unsigned int id;
	pthread_t thread;
};

/* A batch of puts, then gets of the same: by blocking waits or by the event fd. */
static void run_batch(struct utmem_queue *q, int pool, unsigned int id, bool events)
{
	char *buf = utmem_buf_alloc(q, BATCH * 128), key[32];
	const struct utmem_cqe *cqe;
	unsigned int i, done = 0;

	assert_non_null(buf);
	for (i = 0; i < BATCH; i++) {
		int len = snprintf(key, sizeof(key), "%u.%u", id, i);

		memset(buf + i * 128, (int)(id + i), 64);
		assert_int_equal(utmem_prep_put(q, utmem_get_sqe(q), pool, key, (size_t)len,
						buf + i * 128, 64, 0),
				 0);
		assert_int_equal(utmem_prep_get(q, utmem_get_sqe(q), pool, key, (size_t)len,
						buf + i * 128 + 64, 64, 0),
				 0);
	}
	assert_int_equal(utmem_submit(q), 2 * BATCH);
	while (done < 2 * BATCH) {
		struct pollfd fd = {.fd = utmem_event_fd(q), .events = POLLIN};

		if (!events) {
			assert_int_equal(utmem_wait_cqe(q, &cqe), 0);
		} else if (utmem_event_arm(q) == 0) {
			assert_int_equal(poll(&fd, 1, -1), 1);
			utmem_event_clear(q);
		}
		while (utmem_peek_cqe(q, &cqe) == 0) {
			assert_int_equal(cqe->res, done % 2 ? 64 : 0);
			utmem_cqe_seen(q, cqe);
			done++;
		}
	}
	for (i = 0; i < BATCH; i++)
		assert_memory_equal(buf + i * 128, buf + i * 128 + 64, 64);
	utmem_buf_free(q, buf);
}

static void *work(void *arg)
{
	struct utmem_queue_params params = {.sq_entries = 2 * BATCH, .data_len = 65536};
	struct worker *w = arg;
	struct utmem_queue *q;

	for (unsigned int life = 0; life < 3; life++) {
		int pool;

		assert_int_equal(utmem_queue_init(w->u, &q, &params), 0);
		pool = utmem_pool_open(q, "shared", UTMEM_POOL_CREATE);
		assert_true(pool >= 0);
		for (int i = 0; i < ROUNDS; i++)
			run_batch(q, pool, w->id, w->id % 2);
		utmem_queue_exit(q);
	}
	return NULL;
}

static void threads_with_their_own_queues_do_not_meet(void **state)
{
	struct worker w[THREADS];
	struct utmem *u;

	(void)state;
	assert_int_equal(utmem_connect(&u, "local:"), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){.u = u, .id = i};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	utmem_disconnect(u);
}

static void arm_says_one_while_completions_wait(void **state)
{
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_event_arm(l.q), 0);
	assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_submit(l.q), 1);
	assert_int_equal(utmem_event_arm(l.q), 1);
	assert_int_equal(local_reap(&l), 0);
	assert_int_equal(utmem_event_arm(l.q), 0);
	local_close(&l);
}

static void an_armed_event_fd_is_readable_after_the_submit_that_completes(void **state)
{
	struct pollfd fd = {.events = POLLIN};
	struct local l;

	(void)state;
	local_open(&l, "local:", NULL);
	fd.fd = utmem_event_fd(l.q);
	assert_int_equal(utmem_event_arm(l.q), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_non_null(utmem_get_sqe(l.q));
	assert_int_equal(utmem_submit(l.q), 1);
	assert_int_equal(poll(&fd, 1, 0), 1);
	utmem_event_clear(l.q);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(local_reap(&l), 0);
	local_close(&l);
}

static void a_childs_exit_leaves_the_parents_queue_alone(void **state)
{
	struct local l;
	int status;
	pid_t pid;

	(void)state;
	local_open(&l, "local:", NULL);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, "v", 1, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(7);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(utmem_exists(l.q, l.pool, "k", 1), 1);
	local_close(&l);
}

/* mincore() of a range that is not mapped is ENOMEM. */
static void a_child_has_no_mapping_of_the_window(void **state)
{
	unsigned char in_core;
	struct local l;
	int status;
	void *page;
	pid_t pid;

	(void)state;
	local_open(&l, "local:", NULL);
	page = (void *)((uintptr_t)utmem_buf_alloc(l.q, 4096) & ~(uintptr_t)4095);
	assert_int_equal(mincore(page, 4096, &in_core), 0);
	pid = fork();
	if (!pid)
		_exit(mincore(page, 4096, &in_core) == -1 && errno == ENOMEM ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	local_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_with_their_own_queues_do_not_meet),
		cmocka_unit_test(arm_says_one_while_completions_wait),
		cmocka_unit_test(an_armed_event_fd_is_readable_after_the_submit_that_completes),
		cmocka_unit_test(a_childs_exit_leaves_the_parents_queue_alone),
		cmocka_unit_test(a_child_has_no_mapping_of_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
