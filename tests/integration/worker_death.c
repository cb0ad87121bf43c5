// SPDX-License-Identifier: MIT
/*
 * The worker is killed, at rest and at work: its successor goes on where it was. A
 * process, a VM and an operator's tenants notice a pause and nothing else.
 */
#include <utmem.h>

#include "tests/integration/peer.h"
#include "tests/integration/worker.h"

#define NR_KILLS 20

static const char *const args[] = {"--tenant", "a:32m", "--tenant", "b:1m", NULL};

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

static void idle_worker_is_followed_and_its_death_is_told(void **state)
{
	struct daemon *d = *state;
	uint64_t epoch = host_stat(d, "epoch"), kept = host_stat(d, "kept_fds");
	pid_t worker = daemon_worker(d);

	assert_int_equal(host_stat(d, "worker_deaths"), 0);
	assert_int_equal(host_stat(d, "death_signal"), 0);
	assert_int_not_equal(worker_kill(d), worker);
	assert_int_not_equal(host_stat(d, "epoch"), epoch);
	assert_int_equal(host_stat(d, "kept_fds"), kept);
	assert_int_equal(host_stat(d, "worker_starts"), 2);
	assert_int_equal(host_stat(d, "worker_deaths"), 1);
	assert_int_equal(host_stat(d, "death_signal"), SIGKILL);
	assert_true(host_stat(d, "death_time") > 0);
	assert_true(host_stat(d, "recovery_usecs") > 0);
	assert_true(log_has(d, "killed by SIGKILL"));
	assert_true(log_has(d, "(start 2) serves"));
}

static void tenants_are_as_the_operator_left_them(void **state)
{
	struct daemon *d = *state;

	daemon_ask(d, "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"x\",\"quota\":1048576}}");
	daemon_ask(d, "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"a\",\"quota\":4096}}");
	daemon_ask(d, "{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"b\"}}");
	worker_kill(d);
	worker_kill(d);
	assert_int_equal(tenant_stat(d, "x", "quota_bytes"), 1048576);
	assert_int_equal(tenant_stat(d, "a", "quota_bytes"), 4096);
	assert_int_equal(host_stat(d, "tenants"), 2);
	assert_int_equal(try_connect(d, "b.sock", SOCK_SEQPACKET), -ENOENT);
	close(must_connect(d, "x.sock", SOCK_SEQPACKET));
}

/* ---- a process ---- */

struct link {
	struct utmem *u;
	struct utmem_queue *q;
	int pool;
};

static int link_try_up(struct link *l, const struct daemon *d)
{
	char name[80];
	int err;

	snprintf(name, sizeof(name), "unix:%s/a.sock", d->dir);
	err = utmem_connect(&l->u, name);
	if (err)
		return err;
	err = utmem_queue_init(l->u, &l->q, NULL);
	if (err) {
		utmem_disconnect(l->u);
		return err;
	}
	l->pool = utmem_pool_open(l->q, "p", UTMEM_POOL_CREATE);
	return 0;
}

static void link_up(struct link *l, const struct daemon *d)
{
	assert_int_equal(link_try_up(l, d), 0);
	assert_true(l->pool >= 0);
}

static void link_down(struct link *l)
{
	utmem_queue_exit(l->q);
	utmem_disconnect(l->u);
}

static void put_number(struct link *l, uint32_t key, uint32_t value)
{
	assert_int_equal(utmem_put(l->q, l->pool, &key, sizeof(key), &value, sizeof(value), 0), 0);
}

static void assert_number(struct link *l, uint32_t key, uint32_t value)
{
	uint32_t got = 0;

	assert_int_equal(utmem_get(l->q, l->pool, &key, sizeof(key), &got, sizeof(got)),
			 sizeof(got));
	assert_int_equal(got, value);
}

static void value_of_a_process_is_there_after_it(void **state)
{
	struct daemon *d = *state;
	struct link l;

	link_up(&l, d);
	put_number(&l, 1, 10);
	worker_kill(d);
	assert_number(&l, 1, 10);
	put_number(&l, 1, 11);
	assert_number(&l, 1, 11);
	assert_true(host_stat(d, "recovered") >= 1);
	assert_int_equal(host_stat(d, "torn"), 0);
	link_down(&l);
	await_tenant_stat(d, "a", "clients", 0);
}

/* Every answer is as if nobody had died: puts, gets, and each value taken exactly once. */
static void process_that_works_notices_nothing(void **state)
{
	struct daemon *d = *state;
	pid_t killer;
	uint32_t i, got;
	struct link l;

	link_up(&l, d);
	killer = worker_killer(d, NR_KILLS);
	for (i = 0; i < 1000 || !has_ended(killer); i++) {
		uint32_t key = i % 512;

		put_number(&l, key, i);
		assert_number(&l, key, i);
		assert_int_equal(utmem_getdel(l.q, l.pool, &key, sizeof(key), &got, sizeof(got)),
				 sizeof(got));
		assert_int_equal(got, i);
		assert_int_equal(utmem_exists(l.q, l.pool, &key, sizeof(key)), -ENOENT);
	}
	link_down(&l);
	asker_drop();
	assert_int_equal(host_stat(d, "worker_deaths"), NR_KILLS);
	await_tenant_stat(d, "a", "clients", 0);
}

/* The one that was accepted, and not deposited in the next call, may be cut; nothing else. */
static void processes_come_and_go_meanwhile(void **state)
{
	struct daemon *d = *state;
	uint64_t kept = host_stat(d, "kept_fds");
	uint32_t i, nr_cut = 0;
	struct link l;
	pid_t killer;
	int err;

	killer = worker_killer(d, NR_KILLS);
	for (i = 0; i < 100 || !has_ended(killer); i++) {
		err = link_try_up(&l, d);
		if (err) {
			assert_true(err == -ECONNRESET || err == -EPIPE);
			nr_cut++;
			continue;
		}
		assert_true(l.pool >= 0);
		put_number(&l, 1, i);
		assert_number(&l, 1, i);
		assert_int_equal(utmem_pool_close(l.q, l.pool), 0);
		link_down(&l);
	}
	assert_true(nr_cut <= NR_KILLS);
	asker_drop();
	await_tenant_stat(d, "a", "clients", 0);
	assert_int_equal(host_stat(d, "kept_fds"), kept);
}

/* ---- by hand: what lies in a socket or a ring when it dies ---- */

/* The worker is stopped, so that it dies with the request in its socket. */
static void request_in_the_socket_is_answered_by_the_next(void **state)
{
	struct utmem_sock_msg m = {.type = UTMEM_OP_CREATE_QUEUE | 7 << UTMEM_SOCK_SERIAL_SHIFT,
				   .queue = {.sq_entries = 8, .cq_entries = 16}};
	int fds[PEER_FDS_MAX];
	struct daemon *d = *state;
	struct fake_client c;
	uint32_t nr;
	pid_t worker;

	fake_client_start(&c, d, "a.sock");
	worker = daemon_worker(d);
	kill(worker, SIGSTOP);
	assert_int_equal(send(c.sock, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
	kill(worker, SIGKILL);
	assert_int_equal(receive_fds(c.sock, &m, sizeof(m), fds, &nr), sizeof(m));
	assert_int_equal(m.error, 0);
	assert_int_equal(m.type >> UTMEM_SOCK_SERIAL_SHIFT, 7);
	assert_int_equal(nr, 1);
	close(fds[0]);
	worker_await(d, worker);
	assert_int_equal(tenant_stat(d, "a", "queues"), 1);
	/* A connection without a window is kept, too. */
	fake_client_end(&c);
	c.sock = must_connect(d, "a.sock", SOCK_SEQPACKET);
	await_tenant_stat(d, "a", "clients", 1);
	worker_kill(d);
	m = hello_msg();
	assert_int_equal(exchange(c.sock, &m, fds, &nr), 0);
	assert_int_equal(nr, 2);
	close(fds[0]);
	close(fds[1]);
	close(c.sock);
	await_tenant_stat(d, "a", "clients", 0);
}

/* The supervisor is stopped, so that nobody listens while the doorbell rings. */
static void doorbell_that_rang_for_nobody_is_heard(void **state)
{
	struct daemon *d = *state;
	struct fake_client c;
	struct fake_queue q;
	pid_t worker;

	fake_client_start(&c, d, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 64), 0);
	worker = daemon_worker(d);
	await_sleep(d);
	kill(d->pid, SIGSTOP);
	kill(worker, SIGKILL);
	submit_nops(&q, 32);
	ring(c.doorbell);
	kill(d->pid, SIGCONT);
	await_completions(&q, 32);
	worker_await(d, worker);
	/* And from then on as ever. */
	await_sleep(d);
	submit_nops(&q, 1);
	ring(c.doorbell);
	await_completions(&q, 1);
	close(q.wake);
	fake_client_end(&c);
	await_tenant_stat(d, "a", "clients", 0);
}

/* ---- a VM ---- */

static void vm_keeps_its_connection_its_window_and_its_driver(void **state)
{
	struct daemon *d = *state;
	uint64_t until = now_ms() + DEADLINE_MS, hello = 77;
	struct utmem_control *control;
	struct fake_vm vm;
	char byte;
	int i;

	fake_vm_start(&vm, d, "a.ivshmem", 2);
	control = (void *)(vm.window + UTMEM_PAGE);
	for (i = 0; i < 3; i++) {
		uint32_t epoch = ((struct utmem_window_hdr *)vm.window)->epoch;

		utmem_store_release(&control->guest.hello, ++hello);
		ring(vm.doorbell);
		worker_kill(d);
		while (utmem_load_acquire(&control->host.hello_ack) != hello)
			assert_true(now_ms() < until);
		assert_int_equal(tenant_stat(d, "a", "vm"), 1);
		assert_int_not_equal(((struct utmem_window_hdr *)vm.window)->epoch, epoch);
		assert_int_equal(control->host.state, UTMEM_HOST_RUNNING);
	}
	assert_int_equal(recv(vm.sock, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	fake_vm_end(&vm);
	await_tenant_stat(d, "a", "vm", 0);
}

static void vm_that_ended_meanwhile_makes_room(void **state)
{
	struct daemon *d = *state;
	pid_t worker = daemon_worker(d);
	struct fake_vm vm;

	fake_vm_start(&vm, d, "a.ivshmem", 2);
	kill(d->pid, SIGSTOP);
	kill(worker, SIGKILL);
	fake_vm_end(&vm);
	kill(d->pid, SIGCONT);
	worker_await(d, worker);
	await_tenant_stat(d, "a", "vm", 0);
	fake_vm_start(&vm, d, "a.ivshmem", 2);
	fake_vm_end(&vm);
	await_tenant_stat(d, "a", "vm", 0);
}

/* ---- how it ends ---- */

static void sigterm_while_no_worker_lives_ends_it_in_good_order(void **state)
{
	struct daemon *d = *state;
	struct fake_client c;
	struct fake_queue q;
	uint32_t n;

	fake_client_start(&c, d, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 64), 0);
	kill(d->pid, SIGSTOP);
	kill(daemon_worker(d), SIGKILL);
	submit_nops(&q, 64);
	kill(d->pid, SIGTERM);
	kill(d->pid, SIGCONT);
	assert_int_equal(daemon_wait(d), 0);
	assert_int_equal(utmem_cq_peek(&q.cq, &n), 0);
	assert_int_equal(n, 64);
	close(q.wake);
	fake_client_end(&c);
	daemon_remove(d);
	daemon_start(d, args);
}

static void sigterm_to_the_worker_changes_nothing(void **state)
{
	struct daemon *d = *state;
	pid_t worker = daemon_worker(d);

	kill(worker, SIGTERM);
	kill(worker, SIGINT);
	assert_int_equal(daemon_worker(d), worker);
	assert_int_equal(host_stat(d, "worker_deaths"), 0);
}

static void worker_dies_with_its_supervisor(void **state)
{
	struct daemon *d = *state;
	pid_t worker = daemon_worker(d);
	struct pollfd ended = {(int)syscall(SYS_pidfd_open, worker, 0), POLLIN, 0};

	kill(d->pid, SIGKILL);
	daemon_wait(d);
	assert_int_equal(poll(&ended, 1, DEADLINE_MS), 1);
	close(ended.fd);
	assert_true(daemon_try_start(d, args));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(idle_worker_is_followed_and_its_death_is_told),
		TEST(tenants_are_as_the_operator_left_them),
		TEST(value_of_a_process_is_there_after_it),
		TEST(process_that_works_notices_nothing),
		TEST(processes_come_and_go_meanwhile),
		TEST(request_in_the_socket_is_answered_by_the_next),
		TEST(doorbell_that_rang_for_nobody_is_heard),
		TEST(vm_keeps_its_connection_its_window_and_its_driver),
		TEST(vm_that_ended_meanwhile_makes_room),
		TEST(sigterm_while_no_worker_lives_ends_it_in_good_order),
		TEST(sigterm_to_the_worker_changes_nothing),
		TEST(worker_dies_with_its_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
