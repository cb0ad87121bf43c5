// SPDX-License-Identifier: MIT
/*
 * What windows cost the host, which no quota counts: how much at once, and that nothing is
 * left of them when their peers are gone, whatever those keep.
 */
#include "tests/integration/peer.h"

static const char *const args[] = {
	"--tenant", "a:16m",	"--tenant", "b:16m", "--client-window", "1m", "--client-memory",
	"3m",	    "--window", "1m",	    NULL};

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

static blkcnt_t blocks_of(int memfd)
{
	struct stat st;

	assert_int_equal(fstat(memfd, &st), 0);
	return st.st_blocks;
}

/* It says HELLO; *sock stays open when it got a window of @len. Return: the answer's error. */
static int hello(const struct daemon *d, const char *socket, uint64_t len, int *sock)
{
	struct utmem_sock_msg m = hello_msg();
	int fds[PEER_FDS_MAX], err;
	uint32_t nr;

	*sock = must_connect(d, socket, SOCK_SEQPACKET);
	m.hello.window_len = len;
	err = exchange(*sock, &m, fds, &nr);
	while (nr)
		close(fds[--nr]);
	if (err)
		close(*sock);
	return err;
}

static void process_that_left_keeps_no_page_of_its_window(void **state)
{
	struct fake_client c;
	struct fake_queue q;

	fake_client_start(&c, *state, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 8), 0);
	memset(c.window + q.geo.off + q.geo.len, 1, c.len - q.geo.off - q.geo.len);
	assert_true(blocks_of(c.memfd) * 512 > (blkcnt_t)c.len / 2);
	close(c.sock);
	await_tenant_stat(*state, "a", "clients", 0);
	assert_int_equal(blocks_of(c.memfd), 0);
	c.sock = dup(c.memfd);
	close(q.wake);
	fake_client_end(&c);
}

static void vm_that_left_keeps_no_page_of_its_window(void **state)
{
	struct fake_vm vm;

	fake_vm_start(&vm, *state, "a.ivshmem", 2);
	memset(vm.window + vm.len / 2, 1, vm.len / 2);
	close(vm.sock);
	await_tenant_stat(*state, "a", "vm", 0);
	assert_int_equal(blocks_of(vm.memfd), 0);
	vm.sock = dup(vm.memfd);
	fake_vm_end(&vm);
}

static void windows_of_a_tenants_processes_have_a_limit_together(void **state)
{
	const uint64_t least = UTMEM_WINDOW_LEN_MIN;
	struct daemon *d = *state;
	int socks[4], sock, i;

	for (i = 0; i < 2; i++)
		assert_int_equal(hello(d, "a.sock", 1 << 20, &socks[i]), 0);
	assert_int_equal(hello(d, "a.sock", least, &socks[2]), 0);
	assert_int_equal(hello(d, "a.sock", 1 << 20, &sock), -ENOSPC); /* 768k are left */
	assert_int_equal(hello(d, "a.sock", 1 << 19, &socks[3]), 0);
	assert_int_equal(hello(d, "a.sock", least, &sock), 0); /* to the last byte */
	close(socks[3]);
	await_tenant_stat(d, "a", "clients", 4);
	assert_int_equal(hello(d, "a.sock", 1 << 20, &socks[3]), -ENOSPC);
	assert_int_equal(hello(d, "b.sock", 1 << 20, &socks[3]),
			 0); /* another tenant's is its own */
	close(socks[3]);
	for (i = 0; i < 3; i++)
		close(socks[i]);
	close(sock);
	await_tenant_stat(d, "a", "clients", 0);
	await_tenant_stat(d, "b", "clients", 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(hello(d, "a.sock", 1 << 20, &socks[i]), 0);
	assert_int_equal(hello(d, "a.sock", least, &sock), -ENOSPC);
	for (i = 0; i < 3; i++)
		close(socks[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process_that_left_keeps_no_page_of_its_window),
		cmocka_unit_test(vm_that_left_keeps_no_page_of_its_window),
		cmocka_unit_test(windows_of_a_tenants_processes_have_a_limit_together),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
