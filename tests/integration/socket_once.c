// SPDX-License-Identifier: MIT
/*
 * A worker that dies at each step of answering a process' socket: every request takes
 * effect once and is answered as if nobody had died. For a build with fail points.
 */
#include <utmem.h>

#include "tests/integration/worker.h"

#define NTH_MAX 7 /* HELLO, two queues, two pools, and their ends */

static const char *const args[] = {"--tenant", "a:16m", "--max-queues", "3", NULL};

/* A process' whole life. The ids show that nothing was done twice: there are two queues, and two handles of a pool. */
static void live(const struct daemon *d)
{
	const uint32_t flags = UTMEM_POOL_CREATE | UTMEM_POOL_EXCL;
	struct utmem_queue *q[2];
	char name[80], got[8];
	struct utmem *u;
	int pool;

	snprintf(name, sizeof(name), "unix:%s/a.sock", d->dir);
	assert_int_equal(utmem_connect(&u, name), 0);
	assert_int_equal(utmem_queue_init(u, &q[0], NULL), 0);
	assert_int_equal(utmem_queue_init(u, &q[1], NULL), 0);
	pool = utmem_pool_open(q[0], "p", flags);
	assert_int_equal(pool, 0);
	assert_int_equal(utmem_pool_open(q[0], "p", flags), -EEXIST);
	assert_int_equal(utmem_pool_open(q[1], "r", flags), 0);
	assert_int_equal(utmem_put(q[0], pool, "k", 1, "value", 5, 0), 0);
	assert_int_equal(utmem_get(q[0], pool, "k", 1, got, sizeof(got)), 5);
	assert_int_equal(utmem_pool_destroy(q[0], pool), 0);
	assert_int_equal(utmem_pool_open(q[0], "p", flags), 0);
	utmem_queue_exit(q[0]);
	assert_int_equal(utmem_queue_init(u, &q[0], NULL), 0);
	utmem_queue_exit(q[0]);
	utmem_queue_exit(q[1]);
	utmem_disconnect(u);
}

static void die_at(const char *point)
{
	char where[64];
	struct daemon d;
	int nth;

	for (nth = 1; nth <= NTH_MAX; nth++) {
		snprintf(where, sizeof(where), "%s:%d", point, nth);
		setenv("UTMEM_FAIL_POINT", where, 1);
		daemon_start(&d, args);
		unsetenv("UTMEM_FAIL_POINT");
		live(&d);
		asker_drop();
		await_tenant_stat(&d, "a", "clients", 0);
		assert_int_equal(host_stat(&d, "worker_deaths"), 1);
		daemon_stop(&d);
	}
}

static void every_request_takes_effect_once(void **state)
{
#ifdef UTMEM_FAIL_POINTS
	static const char *const points[] = {"dance_begin",    "dance_begun",	"client_reply",
					     "client_replied", "client_unread", "dance_end"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		die_at(points[i]);
#else
	(void)state;
	(void)die_at;
	skip();
#endif
}

/* Whoever leaves before he is told anything costs one worker's death no second one. */
static void vm_that_left_before_its_greeting_is_refused(void **state)
{
#ifdef UTMEM_FAIL_POINTS
	struct daemon d;
	pid_t worker;
	int sock;

	(void)state;
	setenv("UTMEM_FAIL_POINT", "vm_connection_kept", 1);
	daemon_start(&d, args);
	unsetenv("UTMEM_FAIL_POINT");
	worker = daemon_worker(&d);
	kill(worker, SIGSTOP);
	sock = must_connect(&d, "a.ivshmem", SOCK_STREAM);
	close(sock);
	kill(worker, SIGCONT);
	worker_await(&d, worker);
	assert_int_equal(host_stat(&d, "worker_deaths"), 1);
	assert_int_equal(tenant_stat(&d, "a", "vm"), 0);
	daemon_stop(&d);
#else
	(void)state;
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_takes_effect_once),
		cmocka_unit_test(vm_that_left_before_its_greeting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
