// SPDX-License-Identifier: MIT
/*
 * The ivshmem server, seen by a device that is written here: what it says, to
 * whom, and what is left when the device goes.
 */
#include "tests/integration/peer.h"

#define WINDOW (1u << 20)

static const char *const args[] = {"--tenant", "a:16m", "--tenant", "b:16m",
				   "--window", "1m",	NULL};

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

static void greeting_is_version_id_memory_host_and_own_vectors(void **state)
{
	static const uint8_t want[6][8] = {
		{0},						  /* protocol version */
		{1},						  /* id of the VM */
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, /* -1: memory */
		{0},						  /* the host's one vector */
		{1},
		{1}, /* the VM's two */
	};
	int fd, sock = must_connect(*state, "a.ivshmem", SOCK_STREAM);
	uint8_t bytes[8];
	uint32_t i, nr_fds;

	for (i = 0; i < 6; i++) {
		assert_int_equal(receive_fds(sock, bytes, 8, &fd, &nr_fds), 8);
		assert_memory_equal(bytes, want[i], 8);
		assert_int_equal(nr_fds, i >= 2);
		if (nr_fds)
			close(fd);
	}
	assert_int_equal(recv(sock, bytes, 8, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(sock);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void memory_has_the_size_of_the_option_and_cannot_be_resized(void **state)
{
	struct fake_vm vm;

	fake_vm_start(&vm, *state, "a.ivshmem", 2);
	assert_int_equal(vm.len, WINDOW);
	assert_int_equal(fcntl(vm.memfd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ftruncate(vm.memfd, 4096), -1);
	assert_int_equal(ftruncate(vm.memfd, 2 * WINDOW), -1);
	fake_vm_end(&vm);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void window_header_is_there_before_the_greeting_ends(void **state)
{
	const struct utmem_window_hdr *hdr;
	struct fake_vm vm;

	fake_vm_start(&vm, *state, "a.ivshmem", 2);
	hdr = (const void *)vm.window;
	assert_true(hdr->magic == UTMEM_MAGIC);
	assert_int_equal(hdr->abi_major, UTMEM_ABI_MAJOR);
	assert_int_equal(hdr->window_len, WINDOW);
	assert_int_equal(hdr->host_peer, 0);
	assert_int_equal(hdr->nr_svc, 1);
	assert_int_equal(hdr->heartbeat_ms, 1000);
	assert_true(hdr->features & UTMEM_FEAT_DOORBELL_MMIO);
	assert_false(hdr->features & UTMEM_FEAT_DOORBELL_EVENTFD);
	assert_true(hdr->admin.len);
	fake_vm_end(&vm);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void peer_that_closes_at_any_message_leaves_nothing(void **state)
{
	struct daemon *d = *state;
	uint32_t heard, before = daemon_nr_fds(d);

	for (heard = 0; heard <= 6; heard++) {
		int fd, sock = must_connect(d, "a.ivshmem", SOCK_STREAM);
		uint32_t i;

		for (i = 0; i < heard; i++) {
			vm_hear(sock, &fd);
			if (fd >= 0)
				close(fd);
		}
		close(sock);
		await_tenant_stat(d, "a", "vm", 0);
		await_nr_fds(d, before);
	}
}

static void second_vm_on_one_socket_is_refused_and_the_first_lives(void **state)
{
	struct daemon *d = *state;
	uint64_t refused = host_stat(d, "refused");
	struct fake_vm vm;
	int sock;

	fake_vm_start(&vm, d, "a.ivshmem", 2);
	sock = must_connect(d, "a.ivshmem", SOCK_STREAM);
	assert_ended(sock);
	close(sock);
	assert_int_equal(host_stat(d, "refused"), refused + 1);
	assert_int_equal(tenant_stat(d, "a", "vm"), 1);
	assert_int_equal(((struct utmem_control *)(vm.window + UTMEM_PAGE))->host.state,
			 UTMEM_HOST_RUNNING);
	fake_vm_end(&vm);
	await_tenant_stat(d, "a", "vm", 0);
}

/* The end of the one and the start of the other are both there when the daemon looks. */
static void vm_that_starts_again_at_once_is_let_in(void **state)
{
	struct daemon *d = *state;
	pid_t worker = daemon_worker(d);
	struct fake_vm vm;
	uint32_t i;

	for (i = 0; i < 20; i++) {
		fake_vm_start(&vm, d, "a.ivshmem", 2);
		kill(worker, SIGSTOP);
		fake_vm_end(&vm);
		vm.sock = must_connect(d, "a.ivshmem", SOCK_STREAM);
		kill(worker, SIGCONT);
		assert_int_equal(vm_hear(vm.sock, &vm.memfd), 0);
		close(vm.sock);
		await_tenant_stat(d, "a", "vm", 0);
	}
}

static void two_vms_do_not_share_a_window(void **state)
{
	struct fake_vm a, b;
	struct stat sa, sb;

	fake_vm_start(&a, *state, "a.ivshmem", 2);
	fake_vm_start(&b, *state, "b.ivshmem", 2);
	fstat(a.memfd, &sa);
	fstat(b.memfd, &sb);
	assert_true(sa.st_ino != sb.st_ino);
	memset(a.window + WINDOW / 2, 0x5a, 4096);
	assert_int_equal(b.window[WINDOW / 2], 0);
	fake_vm_end(&a);
	assert_int_equal(tenant_stat(*state, "b", "vm"), 1);
	fake_vm_end(&b);
	await_tenant_stat(*state, "a", "vm", 0);
	await_tenant_stat(*state, "b", "vm", 0);
}

static void next_vm_finds_none_of_the_one_before_it(void **state)
{
	struct fake_vm vm;
	size_t i;

	fake_vm_start(&vm, *state, "a.ivshmem", 2);
	memset(vm.window + WINDOW / 2, 0x5a, WINDOW / 2);
	fake_vm_end(&vm);
	fake_vm_start(&vm, *state, "a.ivshmem", 2);
	for (i = WINDOW / 2; i < WINDOW; i++)
		assert_int_equal(vm.window[i], 0);
	fake_vm_end(&vm);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void vm_that_talks_is_let_go(void **state)
{
	struct daemon *d = *state;
	uint32_t before = daemon_nr_fds(d);
	struct fake_vm vm;

	fake_vm_start(&vm, d, "a.ivshmem", 2);
	send_with_fd(vm.sock, "12345678", 8, STDIN_FILENO);
	assert_ended(vm.sock);
	fake_vm_end(&vm);
	await_nr_fds(d, before);
}

static void doorbell_that_was_filled_and_made_blocking_does_not_stop_the_daemon(void **state)
{
	struct daemon *d = *state;
	uint64_t most = UINT64_MAX - 1;
	struct fake_vm vm;

	fake_vm_start(&vm, d, "a.ivshmem", 2);
	fcntl(vm.doorbell, F_SETFL, fcntl(vm.doorbell, F_GETFL) & ~O_NONBLOCK);
	assert_int_equal(write(vm.doorbell, &most, sizeof(most)), sizeof(most));
	assert_int_equal(tenant_stat(d, "a", "vm"), 1);
	assert_int_equal(tenant_stat(d, "a", "doorbells"), 1);
	fake_vm_end(&vm);
	await_tenant_stat(d, "a", "vm", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greeting_is_version_id_memory_host_and_own_vectors),
		cmocka_unit_test(memory_has_the_size_of_the_option_and_cannot_be_resized),
		cmocka_unit_test(window_header_is_there_before_the_greeting_ends),
		cmocka_unit_test(peer_that_closes_at_any_message_leaves_nothing),
		cmocka_unit_test(second_vm_on_one_socket_is_refused_and_the_first_lives),
		cmocka_unit_test(vm_that_starts_again_at_once_is_let_in),
		cmocka_unit_test(two_vms_do_not_share_a_window),
		cmocka_unit_test(next_vm_finds_none_of_the_one_before_it),
		cmocka_unit_test(vm_that_talks_is_let_go),
		cmocka_unit_test(
			doorbell_that_was_filled_and_made_blocking_does_not_stop_the_daemon),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
