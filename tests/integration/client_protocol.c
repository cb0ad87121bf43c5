// SPDX-License-Identifier: MIT
/*
 * The socket of processes, spoken to by hand: what a wrong message is answered
 * with, and that nothing stays behind of whoever sent it.
 */
#include "tests/integration/peer.h"

static const char *const args[] = {
	"--tenant", "a:16m",	    "--tenant", "b:16m", "--client-window", "1m", "--max-clients",
	"4",	    "--max-queues", "8",	NULL};

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

/* Who was connected in the test before is gone. */
static int nobody(void **state)
{
	await_tenant_stat(*state, "a", "clients", 0);
	return 0;
}

/* ---- HELLO ---- */

static void hello_gives_a_sealed_window_and_a_doorbell(void **state)
{
	const struct utmem_window_hdr *hdr;
	struct fake_client c;

	fake_client_start(&c, *state, "a.sock");
	hdr = (const void *)c.window;
	assert_int_equal(c.len, 1 << 20);
	assert_int_equal(fcntl(c.memfd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_true(hdr->magic == UTMEM_MAGIC);
	assert_true(hdr->features & UTMEM_FEAT_DOORBELL_EVENTFD);
	assert_false(hdr->features & UTMEM_FEAT_DOORBELL_MMIO);
	assert_int_equal(hdr->admin.len, 0);
	fake_client_end(&c);
}

static void hello_gives_the_window_that_was_asked_for(void **state)
{
	struct utmem_sock_msg m = hello_msg();
	int fds[PEER_FDS_MAX], sock = must_connect(*state, "a.sock", SOCK_SEQPACKET);
	struct stat st;
	uint32_t nr;

	m.hello.window_len = UTMEM_WINDOW_LEN_MIN;
	assert_int_equal(exchange(sock, &m, fds, &nr), 0);
	assert_int_equal(nr, 2);
	assert_int_equal(m.hello.window_len, UTMEM_WINDOW_LEN_MIN);
	fstat(fds[0], &st);
	assert_int_equal(st.st_size, UTMEM_WINDOW_LEN_MIN);
	close(fds[0]);
	close(fds[1]);
	close(sock);
}

static const struct bad_hello {
	const char *what;
	size_t off, len;
	uint64_t value;
	int error;
} bad_hellos[] = {
#define FIELD(f) offsetof(struct utmem_sock_msg, f), sizeof(((struct utmem_sock_msg *)0)->f)
	{"magic", FIELD(hello.magic), 1, -EPROTO},
	{"newer major", FIELD(hello.abi_major), UTMEM_ABI_MAJOR + 1, -EPROTO},
	{"major 0", FIELD(hello.abi_major), 0, -EPROTO},
	{"resv0", FIELD(hello.resv0), 1, -EINVAL},
	{"resv[0]", FIELD(hello.resv[0]), 1, -EINVAL},
	{"resv[1]", FIELD(hello.resv[1]), 1, -EINVAL},
	{"window no power of two", FIELD(hello.window_len), 3 << 18, -EINVAL},
	{"window too small", FIELD(hello.window_len), UTMEM_WINDOW_LEN_MIN / 2, -EINVAL},
	{"window too large", FIELD(hello.window_len), 2 << 20, -E2BIG},
	{"window enormous", FIELD(hello.window_len), 1ull << 63, -E2BIG},
	{"error is not 0", FIELD(error), 1, -EINVAL},
	{"no HELLO", FIELD(type), UTMEM_OP_CREATE_QUEUE, -EPROTO},
	{"unknown type", FIELD(type), 77, -EPROTO},
};

static void bad_hello_is_answered_and_ends_the_connection(void **state)
{
	uint32_t before = daemon_nr_fds(*state);
	size_t i;

	for (i = 0; i < sizeof(bad_hellos) / sizeof(bad_hellos[0]); i++) {
		const struct bad_hello *bad = &bad_hellos[i];
		int sock = must_connect(*state, "a.sock", SOCK_SEQPACKET);
		struct utmem_sock_msg m = hello_msg();
		int err;

		memcpy((char *)&m + bad->off, &bad->value, bad->len);
		err = ask(sock, &m);
		if (err != bad->error)
			fail_msg("%s: %d, not %d", bad->what, err, bad->error);
		assert_ended(sock);
		close(sock);
	}
	await_nr_fds(*state, before);
}

static void answer_to_another_major_says_ours(void **state)
{
	int sock = must_connect(*state, "a.sock", SOCK_SEQPACKET);
	struct utmem_sock_msg m = hello_msg();

	m.hello.abi_major = 99;
	assert_int_equal(ask(sock, &m), -EPROTO);
	assert_int_equal(m.hello.abi_major, UTMEM_ABI_MAJOR);
	assert_int_equal(m.hello.abi_minor, UTMEM_ABI_MINOR);
	close(sock);
}

static void second_hello_is_refused_and_the_connection_lives(void **state)
{
	struct utmem_sock_msg m = hello_msg();
	struct fake_client c;

	fake_client_start(&c, *state, "a.sock");
	assert_int_equal(ask(c.sock, &m), -EINVAL);
	assert_int_equal(tenant_stat(*state, "a", "clients"), 1);
	fake_client_end(&c);
	await_tenant_stat(*state, "a", "clients", 0);
}

/* ---- messages ---- */

static void wrong_length_is_answered_and_the_connection_lives(void **state)
{
	static const size_t lengths[] = {
		0,   1, 8, sizeof(struct utmem_sock_msg) - 1, sizeof(struct utmem_sock_msg) + 1,
		4096};
	struct utmem_sock_msg reply;
	struct fake_queue q;
	struct fake_client c;
	char bytes[4096];
	size_t i;

	memset(bytes, 0xff, sizeof(bytes));
	fake_client_start(&c, *state, "a.sock");
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_int_equal(send(c.sock, bytes, lengths[i], 0), lengths[i]);
		assert_int_equal(recv(c.sock, &reply, sizeof(reply), 0), sizeof(reply));
		assert_int_equal(reply.error, -EINVAL);
	}
	assert_int_equal(fake_queue_create(&c, &q, 8), 0);
	close(q.wake);
	fake_client_end(&c);
}

static void descriptors_nobody_asked_for_are_closed(void **state)
{
	uint32_t before;
	struct utmem_sock_msg m = {.type = UTMEM_OP_POOL_STAT};
	struct fake_client c;
	int i;

	fake_client_start(&c, *state, "a.sock");
	before = daemon_nr_fds(*state);
	for (i = 0; i < 50; i++) {
		m.error = 0;
		send_with_fd(c.sock, &m, sizeof(m), STDIN_FILENO);
		assert_int_equal(recv(c.sock, &m, sizeof(m), 0), sizeof(m));
		assert_int_equal(m.error, -EINVAL);
	}
	assert_int_equal(daemon_nr_fds(*state), before);
	fake_client_end(&c);
}

static void unknown_requests_are_not_supported(void **state)
{
	/* HELLO is never numbered. */
	static const uint32_t types[] = {0,
					 UTMEM_OP_GET,
					 UTMEM_OP_CREATE_QUEUE - 1,
					 UTMEM_OP_POOL_STAT + 1,
					 255,
					 256 + UTMEM_SOCK_HELLO,
					 UINT32_MAX};
	struct fake_client c;
	size_t i;

	fake_client_start(&c, *state, "a.sock");
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct utmem_sock_msg m = {.type = types[i]};

		assert_int_equal(ask(c.sock, &m), -EOPNOTSUPP);
	}
	fake_client_end(&c);
}

static void reserved_words_of_requests_are_refused(void **state)
{
	struct utmem_sock_msg m = {.type = UTMEM_OP_CREATE_QUEUE,
				   .queue = {.sq_entries = 8, .cq_entries = 8, .resv = {0, 1}}};
	struct fake_client c;

	fake_client_start(&c, *state, "a.sock");
	assert_int_equal(ask(c.sock, &m), -EINVAL);
	m = (struct utmem_sock_msg){.type = UTMEM_OP_POOL_OPEN,
				    .pool = {.flags = UTMEM_POOL_CREATE, .resv0 = 1}};
	strcpy(m.pool.name, "p");
	assert_int_equal(ask(c.sock, &m), -EINVAL);
	fake_client_end(&c);
}

/* ---- queues ---- */

static void queues_end_at_max_queues_and_come_back(void **state)
{
	struct utmem_sock_msg m = {.type = UTMEM_OP_DESTROY_QUEUE};
	struct fake_queue q[8];
	struct fake_client c;
	uint32_t i, before;

	fake_client_start(&c, *state, "a.sock");
	before = daemon_nr_fds(*state);
	for (i = 0; i < 7; i++)
		assert_int_equal(fake_queue_create(&c, &q[i], 8), 0);
	assert_int_equal(tenant_stat(*state, "a", "queues"), 7);
	assert_int_equal(fake_queue_create(&c, &q[7], 8), -EMFILE);
	assert_int_equal(daemon_nr_fds(*state), before + 7);
	for (i = 0; i < 7; i++) {
		m = (struct utmem_sock_msg){.type = UTMEM_OP_DESTROY_QUEUE,
					    .queue.queue_id = q[i].id};
		assert_int_equal(ask(c.sock, &m), 0);
		close(q[i].wake);
	}
	assert_int_equal(daemon_nr_fds(*state), before);
	m = (struct utmem_sock_msg){.type = UTMEM_OP_DESTROY_QUEUE, .queue.queue_id = q[0].id};
	assert_int_equal(ask(c.sock, &m), -ENOENT);
	assert_int_equal(fake_queue_create(&c, &q[0], 8), 0);
	close(q[0].wake);
	fake_client_end(&c);
}

static void requests_are_served_and_waiters_are_woken(void **state)
{
	struct fake_client c;
	struct fake_queue q;
	uint32_t i;

	fake_client_start(&c, *state, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 8), 0);
	for (i = 0; i < 100; i++) {
		submit_nops(&q, 8);
		ring(c.doorbell);
		await_completions(&q, 8);
	}
	close(q.wake);
	fake_client_end(&c);
}

/* Its end of the wake-up is a file of its own: what it does to it, it does to itself. */
static void wake_up_that_is_never_read_does_not_stop_the_daemon(void **state)
{
	struct fake_client c;
	struct fake_queue q;
	uint32_t i, n;

	fake_client_start(&c, *state, "a.sock");
	assert_int_equal(fake_queue_create(&c, &q, 8), 0);
	fcntl(q.wake, F_SETFL, fcntl(q.wake, F_GETFL) & ~O_NONBLOCK);
	for (i = 0; i < 100; i++) {
		uint64_t until = now_ms() + DEADLINE_MS;

		submit_nops(&q, 1);
		utmem_wake_arm(q.cq.page, q.cq.end.own + 1);
		ring(c.doorbell);
		do {
			assert_int_equal(utmem_cq_peek(&q.cq, &n), 0);
		} while (!n && now_ms() < until);
		assert_int_equal(n, 1);
		utmem_cq_release(&q.cq, 1);
	}
	assert_true(tenant_stat(*state, "a", "wakes") >= 100);
	close(q.wake);
	fake_client_end(&c);
}

/* ---- what is left ---- */

static void death_with_requests_in_flight_frees_everything(void **state)
{
	struct daemon *d = *state;
	uint32_t before = daemon_nr_fds(d);
	uint64_t requests = tenant_stat(d, "a", "requests");
	struct fake_client c;
	struct fake_queue q;
	uint32_t i;

	for (i = 0; i < 20; i++) {
		fake_client_start(&c, d, "a.sock");
		assert_int_equal(fake_queue_create(&c, &q, 8), 0);
		submit_nops(&q, 8);
		close(q.wake);
		fake_client_end(&c);
	}
	await_tenant_stat(d, "a", "clients", 0);
	assert_int_equal(tenant_stat(d, "a", "queues"), 0);
	assert_true(tenant_stat(d, "a", "requests") >= requests);
	await_nr_fds(d, before);
}

static void fifth_process_of_four_is_refused_until_one_goes(void **state)
{
	uint64_t refused = host_stat(*state, "refused");
	struct fake_client c[4], other;
	int i, sock;

	for (i = 0; i < 4; i++)
		fake_client_start(&c[i], *state, "a.sock");
	sock = must_connect(*state, "a.sock", SOCK_SEQPACKET);
	assert_ended(sock);
	close(sock);
	assert_int_equal(host_stat(*state, "refused"), refused + 1);
	fake_client_start(&other, *state, "b.sock"); /* another tenant is not concerned */
	fake_client_end(&other);
	fake_client_end(&c[0]);
	await_tenant_stat(*state, "a", "clients", 3);
	fake_client_start(&c[0], *state, "a.sock");
	for (i = 0; i < 4; i++)
		fake_client_end(&c[i]);
}

static void peer_that_does_not_read_its_answers_is_let_go(void **state)
{
	struct utmem_sock_msg m = {.type = UTMEM_OP_POOL_STAT};
	struct fake_client c;

	fake_client_start(&c, *state, "a.sock");
	while (send(c.sock, &m, sizeof(m), MSG_NOSIGNAL) > 0)
		;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	await_tenant_stat(*state, "a", "clients", 0);
	fake_client_end(&c);
}

#define TEST(name) cmocka_unit_test_setup(name, nobody)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hello_gives_a_sealed_window_and_a_doorbell),
		TEST(hello_gives_the_window_that_was_asked_for),
		TEST(bad_hello_is_answered_and_ends_the_connection),
		TEST(answer_to_another_major_says_ours),
		TEST(second_hello_is_refused_and_the_connection_lives),
		TEST(wrong_length_is_answered_and_the_connection_lives),
		TEST(descriptors_nobody_asked_for_are_closed),
		TEST(unknown_requests_are_not_supported),
		TEST(reserved_words_of_requests_are_refused),
		TEST(queues_end_at_max_queues_and_come_back),
		TEST(requests_are_served_and_waiters_are_woken),
		TEST(wake_up_that_is_never_read_does_not_stop_the_daemon),
		TEST(death_with_requests_in_flight_frees_everything),
		TEST(fifth_process_of_four_is_refused_until_one_goes),
		TEST(peer_that_does_not_read_its_answers_is_let_go),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
