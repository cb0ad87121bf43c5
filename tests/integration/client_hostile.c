// SPDX-License-Identifier: MIT
/*
 * A process that sends random packets and scribbles over its window, while an
 * honest one of another tenant is served. A fixed number of steps from a fixed
 * seed, so that a failure comes again.
 */
#include "tests/integration/peer.h"

#define NR_PACKETS 20000
#define NR_SCRIBBLES 20000
#define NR_CONNECTIONS 20

static const char *const args[] = {"--tenant",	      "evil:8m", "--tenant", "good:8m",
				   "--client-window", "1m",	 NULL};

static uint64_t seed = 42;

static uint32_t random_number(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % below;
}

static void random_bytes(void *p, size_t len)
{
	uint8_t *bytes = p;

	while (len--)
		*bytes++ = (uint8_t)random_number(256);
}

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

static void honest_tenant_is_served(const struct daemon *d)
{
	struct fake_client c;
	struct fake_queue q;

	fake_client_start(&c, d, "good.sock");
	assert_int_equal(fake_queue_create(&c, &q, 8), 0);
	submit_nops(&q, 8);
	ring(c.doorbell);
	await_completions(&q, 8);
	close(q.wake);
	fake_client_end(&c);
}

/* Half of them nearly right: a known type, small numbers, some words random. */
static size_t random_packet(struct utmem_sock_msg *m)
{
	uint32_t i, nr = random_number(6);

	if (random_number(2)) {
		random_bytes(m, sizeof(*m));
		return random_number(2) ? sizeof(*m) : random_number(sizeof(*m) + 1);
	}
	memset(m, 0, sizeof(*m));
	m->type = UTMEM_OP_CREATE_QUEUE + random_number(6);
	m->queue.sq_entries = 1u << random_number(17);
	m->queue.cq_entries = 2u << random_number(17);
	if (m->type >= UTMEM_OP_POOL_OPEN) {
		memset(&m->pool, 0, sizeof(m->pool));
		m->pool.queue_id = random_number(8);
		m->pool.handle = (uint16_t)random_number(3);
		m->pool.flags = random_number(256);
		m->pool.name[0] = (char)('a' + random_number(4));
	}
	for (i = 0; i < nr; i++)
		((uint32_t *)m)[2 + random_number(sizeof(*m) / 4 - 2)] = random_number(70);
	return sizeof(*m);
}

/* Takes what comes back, closes what comes with it. */
static bool drain_answer(int sock)
{
	struct utmem_sock_msg m;
	int fds[PEER_FDS_MAX];
	uint32_t nr;
	ssize_t n = receive_fds(sock, &m, sizeof(m), fds, &nr);

	while (nr)
		close(fds[--nr]);
	return n > 0;
}

static void random_packets_are_answered_and_leave_nothing(void **state)
{
	struct daemon *d = *state;
	uint32_t before = daemon_nr_fds(d);
	struct utmem_sock_msg m;
	struct fake_client c;
	uint32_t i, round;

	for (round = 0; round < NR_CONNECTIONS; round++) {
		fake_client_start(&c, d, "evil.sock");
		for (i = 0; i < NR_PACKETS / NR_CONNECTIONS; i++) {
			size_t len = random_packet(&m);

			if (random_number(8))
				assert_int_equal(send(c.sock, &m, len, MSG_NOSIGNAL), len);
			else
				send_with_fd(c.sock, &m, len, STDIN_FILENO);
			assert_true(drain_answer(c.sock));
		}
		fake_client_end(&c);
		honest_tenant_is_served(d);
	}
	await_tenant_stat(d, "evil", "clients", 0);
	await_tenant_stat(d, "good", "clients", 0);
	await_nr_fds(d, before);
}

/* Anything, before HELLO and in its place. */
static void random_first_packets_end_the_connection_or_begin_it(void **state)
{
	struct daemon *d = *state;
	uint32_t before = daemon_nr_fds(d);
	struct utmem_sock_msg m;
	uint32_t i;

	for (i = 0; i < 500; i++) {
		int sock = must_connect(d, "evil.sock", SOCK_SEQPACKET);

		m = hello_msg();
		((uint8_t *)&m)[random_number(sizeof(m))] ^= (uint8_t)(1u << random_number(8));
		send(sock, &m, random_number(4) ? sizeof(m) : random_number(sizeof(m)),
		     MSG_NOSIGNAL);
		if (random_number(2))
			drain_answer(sock);
		close(sock);
	}
	honest_tenant_is_served(d);
	await_nr_fds(d, before);
}

/* Everything in the window that a peer can write: header, control page, rings, entries. */
static void scribbling_over_the_window_ends_only_its_own_queues(void **state)
{
	struct daemon *d = *state;
	struct fake_client c;
	struct fake_queue q;
	uint32_t i;

	fake_client_start(&c, d, "evil.sock");
	for (i = 0; i < NR_SCRIBBLES; i++) {
		uint32_t off = random_number(4) ? random_number(1 << 14) : random_number(c.len - 8);

		if (i % 64 == 0 && !fake_queue_create(&c, &q, 8))
			close(q.wake);
		random_bytes(c.window + off, 1 + random_number(8));
		if (i % 16 == 0)
			ring(c.doorbell);
		if (i % 1000 == 0)
			honest_tenant_is_served(d);
	}
	fake_client_end(&c);
	honest_tenant_is_served(d);
	await_tenant_stat(d, "evil", "clients", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_packets_are_answered_and_leave_nothing),
		cmocka_unit_test(random_first_packets_end_the_connection_or_begin_it),
		cmocka_unit_test(scribbling_over_the_window_ends_only_its_own_queues),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
