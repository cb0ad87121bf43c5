// SPDX-License-Identifier: MIT
/*
 * Values over unix:, through libutmem and the real daemon: who sees them, who
 * does not, and how often anybody rings.
 */
#include "tests/integration/link.h"

static const char *const args[] = {"--tenant", "a:16m", "--tenant", "b:16m", NULL};

static int start(void **state)
{
	static struct daemon d;

	daemon_start(&d, args);
	*state = &d;
	return 0;
}

static int stop(void **state)
{
	daemon_stop(*state);
	return 0;
}

/* Run @f in another process; its asserts end it. */
static void in_child(void (*f)(struct daemon *d), struct daemon *d)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		f(d);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void value_outlives_the_process_that_stored_it(void **state)
{
	struct link l;
	int pool;

	link_up(&l, *state, "a");
	pool = utmem_pool_open(l.q, "kept", UTMEM_POOL_CREATE);
	assert_true(pool >= 0);
	assert_int_equal(put(&l, pool, "key", "value"), 0);
	link_down(&l);

	link_up(&l, *state, "a");
	pool = utmem_pool_open(l.q, "kept", 0);
	assert_true(pool >= 0);
	assert_value(&l, pool, "key", "value");
	assert_int_equal(utmem_pool_destroy(l.q, pool), 0);
	link_down(&l);
}

static void two_processes_share_a_pool_of_their_tenant(void **state)
{
	struct link one, two;
	int p1, p2;

	link_up(&one, *state, "a");
	link_up(&two, *state, "a");
	p1 = utmem_pool_open(one.q, "both", UTMEM_POOL_CREATE);
	p2 = utmem_pool_open(two.q, "both", 0);
	assert_true(p1 >= 0 && p2 >= 0);
	assert_int_equal(put(&one, p1, "key", "from one"), 0);
	assert_value(&two, p2, "key", "from one");
	assert_int_equal(put(&two, p2, "key", "from two"), 0);
	assert_value(&one, p1, "key", "from two");
	assert_int_equal(utmem_pool_destroy(one.q, p1), 0);
	link_down(&one);
	link_down(&two);
}

static void pools_of_one_name_in_two_tenants_are_two_pools(void **state)
{
	struct link a, b;
	char byte;
	int pa, pb;

	link_up(&a, *state, "a");
	link_up(&b, *state, "b");
	pa = utmem_pool_open(a.q, "same", UTMEM_POOL_CREATE);
	assert_int_equal(utmem_pool_open(b.q, "same", 0), -ENOENT);
	pb = utmem_pool_open(b.q, "same", UTMEM_POOL_CREATE);
	assert_true(pa >= 0 && pb >= 0);
	assert_int_equal(put(&a, pa, "key", "of a"), 0);
	assert_int_equal(utmem_get(b.q, pb, "key", 3, &byte, 1), -ENOENT);
	assert_true(utmem_pool_open(b.q, "a:same", 0) < 0);
	assert_int_equal(utmem_pool_destroy(a.q, pa), 0);
	assert_int_equal(utmem_pool_destroy(b.q, pb), 0);
	link_down(&a);
	link_down(&b);
}

static void shared_pool_needs_the_operators_word(void **state)
{
	struct daemon *d = *state;
	struct link a, b;
	int pa, pb;

	link_up(&a, d, "a");
	link_up(&b, d, "b");
	pa = utmem_pool_open(a.q, "lent", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED);
	assert_true(pa >= 0);
	assert_int_equal(put(&a, pa, "key", "value"), 0);
	assert_int_equal(utmem_pool_open(b.q, "a:lent", UTMEM_POOL_SHARED), -EACCES);
	assert_non_null(strstr(daemon_ask(d, "{\"cmd\":\"pool grant\",\"args\":{\"tenant\":\"a\","
					     "\"pool\":\"lent\",\"to\":\"b\",\"readonly\":true}}"),
			       "\"ok\":true"));
	pb = utmem_pool_open(b.q, "a:lent", UTMEM_POOL_SHARED);
	assert_true(pb >= 0);
	assert_value(&b, pb, "key", "value");
	assert_int_equal(put(&b, pb, "key", "mine"), -EACCES);
	assert_value(&a, pa, "key", "value");
	assert_int_equal(utmem_pool_destroy(a.q, pa), 0);
	link_down(&a);
	link_down(&b);
}

static const char *set_pool(struct daemon *d, const char *options)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"cmd\":\"pool set\",\"args\":{\"tenant\":\"a\",\"pool\":\"set\",%s}}", options);
	return daemon_ask(d, request);
}

static void pool_has_the_options_that_it_was_given_last(void **state)
{
	struct daemon *d = *state;
	const char *list;
	struct link a;
	int pool;

	link_up(&a, d, "a");
	pool = utmem_pool_open(a.q, "set", UTMEM_POOL_CREATE);
	assert_true(pool >= 0);
	assert_non_null(
		strstr(daemon_ask(d, "{\"cmd\":\"pool list\"}"),
		       "\"compress\":\"none\",\"compress_least_bytes\":256,\"dedup\":\"off\""));
	assert_non_null(
		strstr(set_pool(d, "\"compress\":\"zstd\",\"dedup\":\"tenant\""), "\"ok\":true"));
	assert_non_null(strstr(set_pool(d, "\"compress_least\":64"), "\"ok\":true"));
	assert_non_null(strstr(set_pool(d, "\"compress_least\":63"), "not 64 .. 536870911 bytes"));
	assert_non_null(strstr(set_pool(d, "\"dedup\":\"off\",\"compress\":\"zip\""),
			       "none of: none lz4 zstd"));
	assert_non_null(strstr(set_pool(d, "\"dedup\":\"all\""), "none of: off tenant"));
	assert_non_null(strstr(set_pool(d, "\"dedup\":1"), "missing or no string"));
	list = daemon_ask(d, "{\"cmd\":\"pool list\"}");
	assert_non_null(strstr(
		list, "\"compress\":\"zstd\",\"compress_least_bytes\":64,\"dedup\":\"tenant\""));
	assert_non_null(strstr(list, "\"ratio\":1"));
	assert_int_equal(utmem_pool_destroy(a.q, pool), 0);
	link_down(&a);
}

/* The process of the other tenant keeps it, against all but force; then its handle leads nowhere. */
static void tenant_whose_pool_another_uses_is_removed_by_force_alone(void **state)
{
	static const char remove[] = "{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"c\"}}";
	static const char force[] =
		"{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"c\",\"force\":true}}";
	struct daemon *d = *state;
	struct link b, c;
	int pool;

	daemon_ask(d, "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"c\",\"quota\":1048576}}");
	link_up(&b, d, "b");
	link_up(&c, d, "c");
	pool = utmem_pool_open(c.q, "lent", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED);
	assert_int_equal(put(&c, pool, "key", "value"), 0);
	daemon_ask(d, "{\"cmd\":\"pool grant\",\"args\":{\"tenant\":\"c\",\"pool\":\"lent\","
		      "\"to\":\"b\"}}");
	pool = utmem_pool_open(b.q, "c:lent", UTMEM_POOL_SHARED);
	assert_true(pool >= 0);
	assert_non_null(strstr(daemon_ask(d, remove), "tenant c is attached"));
	link_down(&c);
	await_tenant_stat(d, "c", "clients", 0);
	assert_non_null(strstr(daemon_ask(d, remove), "another tenant is attached"));
	assert_value(&b, pool, "key", "value");
	assert_non_null(strstr(daemon_ask(d, force), "\"ok\":true"));
	assert_int_equal(put(&b, pool, "key", "value"), -ESTALE);
	/* nothing of the next tenant of that name is reached through it */
	daemon_ask(d, "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"c\",\"quota\":1048576}}");
	assert_int_equal(put(&b, pool, "key", "value"), -ESTALE);
	assert_int_equal(utmem_pool_close(b.q, pool), 0);
	assert_int_equal(put(&b, pool, "key", "value"), -EACCES);
	assert_non_null(strstr(daemon_ask(d, remove), "\"ok\":true"));
	link_down(&b);
}

static void expect_no_access(struct daemon *d)
{
	struct link l;

	assert_int_equal(setgid(65534) || setuid(65534), 0);
	link_up(&l, d, "a");
	assert_int_equal(utmem_pool_open(l.q, "owned", 0), -EACCES);
	assert_true(utmem_pool_open(l.q, "theirs", UTMEM_POOL_CREATE) >= 0);
	link_down(&l);
}

static void pool_belongs_to_the_uid_that_made_it_and_to_root(void **state)
{
	struct daemon *d = *state;
	char path[80];
	struct link l;
	int pool;

	if (geteuid())
		skip();
	link_up(&l, d, "a");
	pool = utmem_pool_open(l.q, "owned", UTMEM_POOL_CREATE);
	assert_true(pool >= 0);
	snprintf(path, sizeof(path), "%s/a.sock", d->dir);
	assert_int_equal(chmod(path, 0666), 0);
	in_child(expect_no_access, d);
	chmod(path, 0660);
	assert_int_equal(utmem_pool_destroy(l.q, pool), 0);
	/* Not when it asks to make one: it would take theirs for its own. */
	assert_int_equal(utmem_pool_open(l.q, "theirs", UTMEM_POOL_CREATE), -EACCES);
	pool = utmem_pool_open(l.q, "theirs", 0);
	assert_true(pool >= 0);
	assert_int_equal(utmem_pool_destroy(l.q, pool), 0);
	link_down(&l);
}

static void persistent_pool_refuses_what_does_not_fit_and_ephemeral_drops(void **state)
{
	static char value[1 << 20];
	char key[16];
	int kept, cache, i, refused = 0;
	struct link l;

	link_up(&l, *state, "a");
	kept = utmem_pool_open(l.q, "kept", UTMEM_POOL_CREATE);
	for (i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%d", i);
		refused +=
			utmem_put(l.q, kept, key, strlen(key), value, sizeof(value), 0) == -ENOSPC;
	}
	assert_true(refused > 3);
	assert_int_equal(utmem_pool_destroy(l.q, kept), 0);

	cache = utmem_pool_open(l.q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	for (i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(utmem_put(l.q, cache, key, strlen(key), value, sizeof(value), 0),
				 0);
	}
	assert_true(host_stat(*state, "evicted") > 20);
	assert_int_equal(utmem_pool_destroy(l.q, cache), 0);
	link_down(&l);
}

/* A smaller quota is in force at once. */
static void quota_follows_the_operator_while_a_process_is_attached(void **state)
{
	struct daemon *d = *state;
	static char value[64 << 10];
	struct link l;
	int pool;

	link_up(&l, d, "b");
	pool = utmem_pool_open(l.q, "p", UTMEM_POOL_CREATE);
	daemon_ask(d, "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"b\",\"quota\":4096}}");
	assert_int_equal(utmem_put(l.q, pool, "k", 1, value, sizeof(value), 0), -ENOSPC);
	daemon_ask(d, "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"b\",\"quota\":16777216}}");
	assert_int_equal(utmem_put(l.q, pool, "k", 1, value, sizeof(value), 0), 0);
	assert_true(tenant_stat(d, "b", "used_bytes") >= sizeof(value));
	assert_int_equal(utmem_pool_destroy(l.q, pool), 0);
	link_down(&l);
	await_tenant_stat(d, "b", "used_bytes", 0);
}

static void killed_process_leaves_its_values_and_nothing_else(void **state)
{
	struct daemon *d = *state;
	uint32_t before;
	struct link l;
	int pipe_fds[2];
	char byte;
	pid_t pid;
	int pool;

	await_tenant_stat(d, "a", "clients", 0);
	before = daemon_nr_fds(d);
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (!pid) {
		link_up(&l, d, "a");
		pool = utmem_pool_open(l.q, "left", UTMEM_POOL_CREATE);
		if (put(&l, pool, "key", "value") || write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		for (;;) /* until it is killed, mid-batch */
			put(&l, pool, "more", "value");
	}
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	await_tenant_stat(d, "a", "clients", 0);
	assert_int_equal(tenant_stat(d, "a", "queues"), 0);
	await_nr_fds(d, before);

	link_up(&l, d, "a");
	pool = utmem_pool_open(l.q, "left", 0);
	assert_value(&l, pool, "key", "value");
	assert_int_equal(utmem_pool_destroy(l.q, pool), 0);
	link_down(&l);
}

/* ---- doorbells ---- */

static void fill_batch(struct link *l, uint32_t nr)
{
	while (nr--)
		utmem_prep_nop(utmem_get_sqe(l->q));
}

static void reap(struct link *l, uint32_t nr)
{
	const struct utmem_cqe *cqe;

	while (nr--) {
		assert_int_equal(utmem_wait_cqe_timeout(l->q, &cqe, DEADLINE_MS * 1000000ll), 0);
		utmem_cqe_seen(l->q, cqe);
	}
}

static void sleeping_host_is_rung_once_for_a_batch(void **state)
{
	struct daemon *d = *state;
	uint64_t before, wakes, others;
	struct utmem_stats s;
	struct link l;
	uint32_t i;

	link_up(&l, d, "a");
	before = tenant_stat(d, "a", "doorbells");
	wakes = host_stat(d, "bell_wakes");
	for (i = 0; i < 50; i++) {
		await_sleep(d);
		fill_batch(&l, 64);
		assert_int_equal(utmem_submit(l.q), 64);
		reap(&l, 64);
	}
	utmem_queue_stats(l.q, &s);
	assert_int_equal(s.kicks, 50);
	assert_int_equal(tenant_stat(d, "a", "doorbells"), before + 50);
	/* but for those that came when something else had woken it just before */
	wakes = host_stat(d, "bell_wakes") - wakes;
	assert_in_range(wakes, 40, 50);
	others = host_stat(d, "other_wakes");
	assert_true(host_stat(d, "sleeps") >= host_stat(d, "bell_wakes") + others);
	link_down(&l);
}

#define NR_AWAKE 1000u

/* A second's polling after each batch: it sleeps only where this machine stood still so long. */
static void host_that_is_awake_is_not_rung(void **state)
{
	static const char *const polling[] = {"--tenant", "a:16m", "--poll-usecs", "1000000", NULL};
	struct utmem_stats s;
	struct daemon d;
	uint64_t sleeps;
	struct link l;
	uint32_t i;

	(void)state;
	daemon_start(&d, polling);
	link_up(&l, &d, "a");
	await_sleep(&d);
	fill_batch(&l, 1);
	utmem_submit(l.q);
	reap(&l, 1);
	sleeps = host_stat(&d, "sleeps");
	for (i = 0; i < NR_AWAKE; i++) {
		fill_batch(&l, 16);
		assert_int_equal(utmem_submit(l.q), 16);
		reap(&l, 16);
	}
	utmem_queue_stats(l.q, &s);
	sleeps = host_stat(&d, "sleeps") - sleeps;
	assert_true(s.kicks >= 1);
	assert_true(s.kicks <= 1 + sleeps);
	assert_true(s.kicks < NR_AWAKE / 10);
	assert_true(tenant_stat(&d, "a", "requests") >= 1 + 16 * NR_AWAKE);
	assert_true(host_stat(&d, "poll_finds") > 0);
	assert_true(host_stat(&d, "polled_ns") > 0);
	link_down(&l);
	daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_outlives_the_process_that_stored_it),
		cmocka_unit_test(two_processes_share_a_pool_of_their_tenant),
		cmocka_unit_test(pools_of_one_name_in_two_tenants_are_two_pools),
		cmocka_unit_test(shared_pool_needs_the_operators_word),
		cmocka_unit_test(pool_has_the_options_that_it_was_given_last),
		cmocka_unit_test(tenant_whose_pool_another_uses_is_removed_by_force_alone),
		cmocka_unit_test(pool_belongs_to_the_uid_that_made_it_and_to_root),
		cmocka_unit_test(persistent_pool_refuses_what_does_not_fit_and_ephemeral_drops),
		cmocka_unit_test(quota_follows_the_operator_while_a_process_is_attached),
		cmocka_unit_test(killed_process_leaves_its_values_and_nothing_else),
		cmocka_unit_test(sleeping_host_is_rung_once_for_a_batch),
		cmocka_unit_test(host_that_is_awake_is_not_rung),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
