// SPDX-License-Identifier: MIT
/* How a daemon ends, and how the next one starts where it was. */
#include <sys/file.h>

#include "tests/integration/peer.h"

static const char *const args[] = {"--tenant", "a:16m", NULL};

static struct utmem_control *control_of(const struct fake_client *c)
{
	return (void *)(c->window + UTMEM_PAGE);
}

/* The requests are there when it hears of the end: it was stopped meanwhile. */
static void sigterm_serves_what_is_in_the_rings(void **state)
{
	struct fake_client c;
	struct fake_queue q;
	struct daemon d;
	pid_t worker;
	uint32_t n;

	(void)state;
	daemon_start(&d, args);
	fake_client_start(&c, &d, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 1024), 0);
	assert_int_equal(control_of(&c)->host.state, UTMEM_HOST_RUNNING);
	worker = daemon_worker(&d);
	kill(worker, SIGSTOP);
	submit_nops(&q, 1024);
	kill(d.pid, SIGTERM);
	kill(worker, SIGCONT);
	assert_int_equal(daemon_wait(&d), 0);
	assert_int_equal(utmem_cq_peek(&q.cq, &n), 0);
	assert_int_equal(n, 1024);
	assert_int_equal(control_of(&c)->host.state, UTMEM_HOST_STOPPED);
	assert_ended(c.sock);
	close(q.wake);
	fake_client_end(&c);
	daemon_remove(&d);
}

static void sigterm_ends_it_under_a_load_that_does_not(void **state)
{
	struct fake_client c;
	struct fake_queue q;
	struct daemon d;
	int status;
	pid_t load;

	(void)state;
	daemon_start(&d, args);
	fake_client_start(&c, &d, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 64), 0);
	load = fork();
	if (!load) {
		for (;;) {
			uint32_t n = 0;

			while (utmem_sq_reserve(&q.sq))
				;
			utmem_sq_publish(&q.sq);
			ring(c.doorbell);
			utmem_cq_peek(&q.cq, &n);
			utmem_cq_release(&q.cq, n);
		}
	}
	await_tenant_stat(&d, "a", "clients", 1);
	kill(d.pid, SIGTERM);
	status = daemon_wait(&d);
	kill(load, SIGKILL);
	waitpid(load, NULL, 0);
	assert_int_equal(status, 0);
	assert_int_equal(control_of(&c)->host.state, UTMEM_HOST_STOPPED);
	close(q.wake);
	fake_client_end(&c);
	daemon_remove(&d);
}

/* Both signals are there at once: the second is taken after the first was read. */
static void second_signal_ends_it_at_once(void **state)
{
	struct daemon d;
	int status;

	(void)state;
	daemon_start(&d, args);
	kill(d.pid, SIGSTOP);
	kill(d.pid, SIGTERM);
	kill(d.pid, SIGINT);
	kill(d.pid, SIGCONT);
	status = daemon_wait(&d);
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
	/* Its sockets are stale now: the next one takes their place. */
	assert_true(daemon_try_start(&d, args));
	assert_int_equal(tenant_stat(&d, "a", "clients"), 0);
	daemon_stop(&d);
}

static void sighup_changes_nothing(void **state)
{
	struct daemon d;

	(void)state;
	daemon_start(&d, args);
	kill(d.pid, SIGHUP);
	assert_int_equal(tenant_stat(&d, "a", "clients"), 0);
	daemon_stop(&d);
}

static void second_daemon_in_one_run_dir_is_refused(void **state)
{
	struct daemon d, second;

	(void)state;
	daemon_start(&d, args);
	second = d;
	assert_false(daemon_try_start(&second, args));
	assert_int_equal(WEXITSTATUS(daemon_wait(&second)), 1);
	assert_int_equal(tenant_stat(&d, "a", "clients"), 0);
	daemon_stop(&d);
}

/* Every local user may read the directory, and lock what he has read. */
static void lock_on_the_run_dir_keeps_nobody_out(void **state)
{
	struct daemon d;
	int dir;

	(void)state;
	daemon_dirs(&d);
	assert_int_equal(mkdir(d.dir, 0755), 0);
	dir = open(d.dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(dir, LOCK_EX), 0);
	assert_true(daemon_try_start(&d, args));
	close(dir);
	daemon_stop(&d);
}

static void lock_is_a_file_of_the_daemons_own(void **state)
{
	char path[64], elsewhere[64];
	struct daemon d;
	struct stat st;

	(void)state;
	daemon_dirs(&d);
	snprintf(path, sizeof(path), "%s/utmemd.lock", d.dir);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", d.base);
	assert_int_equal(mkdir(d.dir, 0755), 0);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_false(daemon_try_start(&d, args));
	assert_int_equal(WEXITSTATUS(daemon_wait(&d)), 1);
	assert_int_equal(stat(elsewhere, &st), -1);
	assert_int_equal(unlink(path), 0);
	assert_true(daemon_try_start(&d, args));
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	daemon_stop(&d);
}

static void killed_daemon_is_noticed_by_its_clients(void **state)
{
	struct fake_client c;
	struct daemon d;

	(void)state;
	daemon_start(&d, args);
	fake_client_start(&c, &d, "a.sock");
	kill(d.pid, SIGKILL);
	daemon_wait(&d);
	assert_ended(c.sock);
	fake_client_end(&c);
	assert_true(daemon_try_start(&d, args));
	fake_client_start(&c, &d, "a.sock");
	fake_client_end(&c);
	daemon_stop(&d);
}

static void removal_by_force_ends_connections_and_sockets(void **state)
{
	struct fake_client c;
	struct fake_vm vm;
	struct daemon d;
	uint32_t before;

	(void)state;
	daemon_start(&d, args);
	before = daemon_nr_fds(&d);
	daemon_ask(&d, "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"x\",\"quota\":1048576}}");
	fake_client_start(&c, &d, "x.sock");
	fake_vm_start(&vm, &d, "x.ivshmem", 2);
	assert_non_null(
		strstr(daemon_ask(&d, "{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"x\"}}"),
		       "\"errno\":-16"));
	assert_int_equal(tenant_stat(&d, "x", "clients"), 1);
	assert_non_null(strstr(daemon_ask(&d, "{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"x\","
					      "\"force\":true}}"),
			       "\"ok\":true"));
	assert_ended(c.sock);
	assert_ended(vm.sock);
	assert_int_equal(control_of(&c)->host.state, UTMEM_HOST_STOPPED);
	assert_int_equal(try_connect(&d, "x.sock", SOCK_SEQPACKET), -ENOENT);
	assert_int_equal(try_connect(&d, "x.ivshmem", SOCK_STREAM), -ENOENT);
	fake_client_end(&c);
	fake_vm_end(&vm);
	await_nr_fds(&d, before);
	daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sigterm_serves_what_is_in_the_rings),
		cmocka_unit_test(sigterm_ends_it_under_a_load_that_does_not),
		cmocka_unit_test(second_signal_ends_it_at_once),
		cmocka_unit_test(sighup_changes_nothing),
		cmocka_unit_test(second_daemon_in_one_run_dir_is_refused),
		cmocka_unit_test(lock_on_the_run_dir_keeps_nobody_out),
		cmocka_unit_test(lock_is_a_file_of_the_daemons_own),
		cmocka_unit_test(killed_daemon_is_noticed_by_its_clients),
		cmocka_unit_test(removal_by_force_ends_connections_and_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
