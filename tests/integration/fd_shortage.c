// SPDX-License-Identifier: MIT
/*
 * A daemon that runs out of descriptors, at every place where it needs one: it
 * refuses, drops what it had, and goes on. This proves the error paths of the VM's
 * and the process's set-up.
 */
#include "tests/integration/peer.h"

#define LIMIT_MIN 12 /* below it the daemon cannot start */
#define LIMIT_MAX 52 /* from here on everything has room */

static const char *const args[] = {"--tenant", "a:16m", "--heartbeat-ms", "10", NULL};

/* A greeting that may end anywhere, for want of descriptors over there. */
static bool vm_gets_all(const struct daemon *d)
{
	int fd, sock = try_connect(d, "a.ivshmem", SOCK_STREAM);
	uint32_t i, nr_fds, heard = 0;
	char bytes[8];

	for (i = 0; i < 6; i++) {
		if (receive_fds(sock, bytes, sizeof(bytes), &fd, &nr_fds) != sizeof(bytes))
			break;
		if (nr_fds)
			close(fd);
		heard++;
	}
	assert_true(heard == 0 || heard == 6); /* all or nothing */
	close(sock);
	return heard == 6;
}

static bool client_gets_all(const struct daemon *d)
{
	struct utmem_sock_msg m = hello_msg();
	int fds[PEER_FDS_MAX], sock = try_connect(d, "a.sock", SOCK_SEQPACKET);
	struct fake_client c = {.sock = sock};
	struct fake_queue q;
	uint32_t nr;
	int err;

	send(sock, &m, sizeof(m), MSG_NOSIGNAL);
	if (receive_fds(sock, &m, sizeof(m), fds, &nr) != sizeof(m) || m.error) {
		close(sock);
		return false;
	}
	assert_int_equal(nr, 2);
	c.memfd = fds[0];
	c.doorbell = fds[1];
	c.len = m.hello.window_len;
	c.window = mmap(NULL, c.len, PROT_READ | PROT_WRITE, MAP_SHARED, c.memfd, 0);
	err = fake_queue_create(&c, &q, 8);
	assert_true(!err || err == -EMFILE);
	if (!err)
		close(q.wake);
	fake_client_end(&c);
	return !err;
}

static void every_shortage_is_survived_and_leaves_no_descriptor(void **state)
{
	bool vm_seen[2] = {false}, client_seen[2] = {false};
	struct daemon d;
	rlim_t limit;

	(void)state;
	for (limit = LIMIT_MIN; limit <= LIMIT_MAX; limit++) {
		uint32_t before;

		daemon_dirs(&d);
		d.nofile = limit;
		if (!daemon_try_start(&d, args)) {
			assert_int_equal(WEXITSTATUS(daemon_wait(&d)), 1);
			daemon_remove(&d);
			continue;
		}
		vm_seen[vm_gets_all(&d)] = true;
		client_seen[client_gets_all(&d)] = true;
		if (limit == LIMIT_MAX) {
			before = daemon_nr_fds(&d);
			assert_true(vm_gets_all(&d));
			await_tenant_stat(&d, "a", "vm", 0);
			assert_true(client_gets_all(&d));
			await_nr_fds(&d, before);
		}
		daemon_stop(&d);
	}
	assert_true(vm_seen[false] && vm_seen[true]);
	assert_true(client_seen[false] && client_seen[true]);
}

/* Everybody who waits is served when somebody has gone; until then the daemon sleeps. */
static void accept_pauses_and_resumes(void **state)
{
	enum { NR = 40 };
	int socks[NR], i;
	char bytes[8];
	struct daemon d;
	uint32_t nr;

	(void)state;
	daemon_dirs(&d);
	d.nofile = 40;
	assert_true(daemon_try_start(&d, args));
	for (i = 0; i < NR; i++)
		socks[i] = must_connect(&d, "a.sock", SOCK_SEQPACKET);
	await_sleep(&d);
	for (i = 0; i < NR; i++) {
		struct utmem_sock_msg m = {.type = 77};

		/* A wrong first message ends the connection, which makes room for another. */
		send(socks[i], &m, sizeof(m), MSG_NOSIGNAL);
		assert_int_equal(receive_fds(socks[i], bytes, sizeof(bytes), NULL, &nr),
				 sizeof(bytes));
		close(socks[i]);
	}
	assert_true(host_stat(&d, "accept_pauses") > 0);
	daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shortage_is_survived_and_leaves_no_descriptor),
		cmocka_unit_test(accept_pauses_and_resumes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
