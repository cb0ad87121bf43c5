// SPDX-License-Identifier: MIT
/*
 * A utmemd with several serving threads: processes whose windows are with different threads use
 * one pool, while windows come and go, the operator asks, and the worker is killed in all of it.
 */
#include <sys/mman.h>

#include "tests/integration/link.h"
#include "tests/integration/worker.h"

#define NR_THREADS 3
#define NR_PROCESSES 5
#define NR_ROUNDS 150 /* at least */
#define NR_KILLS 10

static const char *const args[] = {"--tenant", "a:16m", "--threads", "3", NULL};

/* What the processes of a test tell its parent. */
struct sums {
	uint32_t nr_won;    /* keys that a process was the first to put */
	uint32_t nr_taken;  /* and those that one took away */
	uint32_t nr_rounds; /* the most of any */
	bool killed_enough;
};

static int start(void **state)
{
	static struct daemon d;

	daemon_start(&d, args);
	*state = &d;
	return 0;
}

static int stop(void **state)
{
	asker_drop();
	daemon_stop(*state);
	return 0;
}

static struct sums *sums_new(void)
{
	struct sums *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(s, MAP_FAILED);
	return s;
}

/* A sanitiser may have one of its own beside them. */
static uint32_t nr_tasks(pid_t pid)
{
	char path[64];
	struct dirent *e;
	uint32_t nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)))
		nr += e->d_name[0] != '.';
	closedir(dir);
	return nr;
}

static void so_many_threads_serve(void **state)
{
	struct daemon *d = *state;

	assert_int_equal(host_stat(d, "threads"), NR_THREADS);
	assert_true(nr_tasks(daemon_worker(d)) >= NR_THREADS);
}

static void max_of(uint32_t *max, uint32_t n)
{
	uint32_t is = __atomic_load_n(max, __ATOMIC_RELAXED);

	while (is < n &&
	       !__atomic_compare_exchange_n(max, &is, n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* One of them gets it: a key of a round, and later its value. */
static void race(struct link *l, int pool, struct sums *s, uint32_t round)
{
	int err = utmem_put(l->q, pool, &round, sizeof(round), "won", 3, UTMEM_SQE_IF_ABSENT);

	assert_true(!err || err == -EEXIST);
	__atomic_fetch_add(&s->nr_won, !err, __ATOMIC_RELAXED);
}

static void take_all(struct link *l, int pool, struct sums *s)
{
	uint32_t round;
	char got[8];

	for (round = 0; round < s->nr_rounds; round++) {
		ssize_t n = utmem_getdel(l->q, pool, &round, sizeof(round), got, sizeof(got));

		assert_true(n == 3 || n == -ENOENT);
		__atomic_fetch_add(&s->nr_taken, n == 3, __ATOMIC_RELAXED);
	}
}

/* And one of its own, which nobody else touches. */
static void own_key(struct link *l, int pool, uint32_t me, uint32_t round)
{
	uint32_t key[2] = {me, round % 16}, got = 0;

	assert_int_equal(utmem_put(l->q, pool, key, sizeof(key), &round, sizeof(round), 0), 0);
	assert_int_equal(utmem_get(l->q, pool, key, sizeof(key), &got, sizeof(got)), sizeof(got));
	assert_int_equal(got, round);
}

static int pool_of(struct link *l)
{
	int pool = utmem_pool_open(l->q, "p", UTMEM_POOL_CREATE);

	assert_true(pool >= 0);
	return pool;
}

static void put_for_a_while(const struct daemon *d, struct sums *s, uint32_t me)
{
	uint32_t round = 0;
	struct link l;
	int pool;

	link_up(&l, d, "a");
	pool = pool_of(&l);
	while (round < NR_ROUNDS || !__atomic_load_n(&s->killed_enough, __ATOMIC_RELAXED)) {
		race(&l, pool, s, round);
		own_key(&l, pool, me, round);
		max_of(&s->nr_rounds, ++round);
	}
	link_down(&l);
}

static void take_what_is_there(const struct daemon *d, struct sums *s, uint32_t me)
{
	struct link l;

	(void)me;
	link_up(&l, d, "a");
	take_all(&l, pool_of(&l), s);
	link_down(&l);
}

static void in_processes(const struct daemon *d, struct sums *s, pid_t pids[NR_PROCESSES],
			 void (*f)(const struct daemon *d, struct sums *s, uint32_t me))
{
	uint32_t i;

	for (i = 0; i < NR_PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i])
			continue;
		f(d, s, i);
		_exit(0);
	}
}

static void await_all(const pid_t pids[NR_PROCESSES])
{
	uint32_t i;
	int status;

	for (i = 0; i < NR_PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void every_key_is_won_and_taken_once(struct daemon *d, int nr_kills)
{
	struct sums *s = sums_new();
	pid_t pids[NR_PROCESSES];

	asker_drop();
	in_processes(d, s, pids, put_for_a_while);
	while (nr_kills--)
		worker_kill(d);
	__atomic_store_n(&s->killed_enough, true, __ATOMIC_RELAXED);
	await_all(pids);
	assert_int_equal(s->nr_won, s->nr_rounds);
	asker_drop();
	in_processes(d, s, pids, take_what_is_there);
	await_all(pids);
	assert_int_equal(s->nr_taken, s->nr_rounds);
	await_tenant_stat(d, "a", "clients", 0);
	munmap(s, sizeof(*s));
}

static void processes_of_several_threads_share_a_pool(void **state)
{
	every_key_is_won_and_taken_once(*state, 0);
}

static void each_request_takes_effect_once_though_the_worker_dies(void **state)
{
	struct daemon *d = *state;

	every_key_is_won_and_taken_once(d, NR_KILLS);
	assert_int_equal(host_stat(d, "worker_deaths"), NR_KILLS);
	assert_true(nr_tasks(daemon_worker(d)) >= NR_THREADS);
}

/* More windows than threads: each of them is found asleep by some. */
static void a_window_that_comes_to_a_sleeping_thread_is_served(void **state)
{
	struct daemon *d = *state;
	struct link l[2 * NR_THREADS];
	uint32_t i;

	for (i = 0; i < 2 * NR_THREADS; i++) {
		await_sleep(d);
		link_up(&l[i], d, "a");
		assert_int_equal(put(&l[i], pool_of(&l[i]), "key", "value"), 0);
	}
	for (i = 0; i < 2 * NR_THREADS; i++) {
		await_sleep(d);
		assert_value(&l[i], 0, "key", "value");
		link_down(&l[i]);
	}
}

/* It is started again by the old supervisor: every thread had stopped between two turns. */
static void an_upgrade_takes_all_threads_along(void **state)
{
	struct daemon *d = *state;
	pid_t worker = daemon_worker(d);
	struct link l[NR_THREADS];
	uint32_t i;

	for (i = 0; i < NR_THREADS; i++) {
		link_up(&l[i], d, "a");
		assert_int_equal(put(&l[i], pool_of(&l[i]), "key", "value"), 0);
	}
	assert_non_null(strstr(daemon_ask(d, "{\"cmd\":\"upgrade\"}"), "\"ok\""));
	assert_int_not_equal(worker_await(d, worker), worker);
	for (i = 0; i < NR_THREADS; i++) {
		assert_value(&l[i], 0, "key", "value");
		link_down(&l[i]);
	}
	assert_int_equal(host_stat(d, "worker_deaths"), 0);
}

#define DAEMON_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAEMON_TEST(so_many_threads_serve),
		DAEMON_TEST(processes_of_several_threads_share_a_pool),
		DAEMON_TEST(each_request_takes_effect_once_though_the_worker_dies),
		DAEMON_TEST(a_window_that_comes_to_a_sleeping_thread_is_served),
		DAEMON_TEST(an_upgrade_takes_all_threads_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
