// SPDX-License-Identifier: MIT
/* The BPF program: whom a hypercall wakes, what it counts, and what is left of it for the next process. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/kvm/doorbell.h"
#include "tests/hypercall.h"

#define NR_SERVERS 3u
#define TOKEN 0x1122334455667788ull
#define SKIPPED 77
#define NOBODY 65534

static const struct doorbell_ways *const ops = &doorbell_by_tracepoint;

/* The first of what is kept. */
static int program_of(const struct doorbell_way *y)
{
	int fds[DOORBELL_FDS_MAX];

	assert_true(ops->fds(y, fds) >= 1);
	return fds[0];
}

static void call(const struct doorbell_way *y, const struct hypercall *h)
{
	assert_int_equal(hypercall_run(program_of(y), h), 0);
}

static void ring(const struct doorbell_way *y, uint64_t token)
{
	assert_int_equal(hypercall_ring(program_of(y), token), 0);
}

static bool is_woken(const struct doorbell_way *y, uint32_t server)
{
	struct pollfd fd = {.fd = ops->wait_fd(y, server), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void assert_counts(const struct doorbell_way *y, uint64_t rung, uint64_t awake,
			  uint64_t bad_token, uint64_t foreign)
{
	struct doorbell_counters c;

	ops->stat(y, &c);
	assert_int_equal(c.nr_rung, rung);
	assert_int_equal(c.nr_awake, awake);
	assert_int_equal(c.nr_bad_token, bad_token);
	assert_int_equal(c.nr_foreign, foreign);
}

static void join(struct doorbell_way *y, uint64_t token, uint32_t server, uint32_t tgid)
{
	const struct doorbell_guest g = {.token = token, .server = server, .tgid = tgid};

	assert_int_equal(ops->join(y, &g), 0);
}

static int way_open(void **state)
{
	struct doorbell_way *y;
	int err = ops->open(&y, NR_SERVERS);

	*state = err ? NULL : y;
	return err;
}

static int way_close(void **state)
{
	ops->close(*state);
	return 0;
}

static void a_ring_wakes_the_server_of_its_token_once_for_each_sleep(void **state)
{
	struct doorbell_way *y = *state;
	uint32_t sleeps;

	join(y, TOKEN, 1, 0);
	for (sleeps = 1; sleeps <= 3; sleeps++) {
		ops->sleep(y, 1);
		assert_false(is_woken(y, 1));
		ring(y, TOKEN);
		ring(y, TOKEN);
		ring(y, TOKEN);
		assert_true(is_woken(y, 1));
		assert_false(is_woken(y, 0));
		assert_false(is_woken(y, 2));
		assert_counts(y, sleeps, 2 * sleeps, 0, 0);
		assert_int_equal(ops->rung(y, TOKEN), sleeps);
		ops->awake(y, 1);
		ops->take(y, 1);
		assert_false(is_woken(y, 1));
	}
}

static void a_server_that_is_awake_is_not_woken(void **state)
{
	struct doorbell_way *y = *state;

	join(y, TOKEN, 0, 0);
	ring(y, TOKEN);
	ops->sleep(y, 0);
	ops->awake(y, 0);
	ring(y, TOKEN);
	assert_false(is_woken(y, 0));
	assert_counts(y, 0, 2, 0, 0);
	assert_int_equal(ops->rung(y, TOKEN), 0);
}

static void all_servers_asleep(struct doorbell_way *y)
{
	uint32_t i;

	for (i = 0; i < NR_SERVERS; i++)
		ops->sleep(y, i);
}

static void assert_nobody_woken(const struct doorbell_way *y)
{
	uint32_t i;

	for (i = 0; i < NR_SERVERS; i++)
		assert_false(is_woken(y, i));
}

static void a_token_that_is_nobodys_only_counts(void **state)
{
	const uint64_t bad[] = {0, 1, TOKEN - 1, TOKEN + 1, (uint32_t)TOKEN, TOKEN << 32, ~0ull};
	struct doorbell_way *y = *state;
	uint32_t i;

	join(y, TOKEN, 0, 0);
	all_servers_asleep(y);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ring(y, bad[i]);
	assert_nobody_woken(y);
	assert_counts(y, 0, 0, sizeof(bad) / sizeof(*bad), 0);
}

static void other_hypercalls_are_not_even_counted(void **state)
{
	const uint64_t other[] = {0,
				  1,
				  5,
				  11,
				  UTMEM_HC_DOORBELL - 1,
				  UTMEM_HC_DOORBELL + 1,
				  UTMEM_HC_DOORBELL | 1ull << 32,
				  ~0ull};
	struct doorbell_way *y = *state;
	struct hypercall h = {.a0 = TOKEN};
	uint32_t i;

	join(y, TOKEN, 0, 0);
	all_servers_asleep(y);
	for (i = 0; i < sizeof(other) / sizeof(*other); i++) {
		h.nr = other[i];
		call(y, &h);
	}
	assert_nobody_woken(y);
	assert_counts(y, 0, 0, 0, 0);
}

/* Every register but those that are named is of no matter. */
static void whatever_the_registers_hold_is_counted_once(void **state)
{
	struct doorbell_way *y = *state;
	struct doorbell_counters c;
	uint64_t nr_ours = 0;
	struct hypercall h;
	uint32_t i, k;

	join(y, TOKEN, 2, 0);
	srandom(4);
	for (i = 0; i < 20000; i++) {
		uint64_t *word = (uint64_t *)&h;

		for (k = 0; k < sizeof(h) / sizeof(*word); k++)
			word[k] = (uint64_t)random() << 33 ^ (uint64_t)random() << 16 ^
				  (uint64_t)random();
		if (i & 1)
			h.nr = UTMEM_HC_DOORBELL;
		if (i & 2)
			h.a0 = TOKEN;
		nr_ours += h.nr == UTMEM_HC_DOORBELL;
		call(y, &h);
	}
	ops->stat(y, &c);
	assert_int_equal(c.nr_rung + c.nr_awake + c.nr_bad_token + c.nr_foreign, nr_ours);
	assert_int_equal(c.nr_rung, 0);
	assert_nobody_woken(y);
}

static void a_token_is_of_use_to_its_own_process_alone(void **state)
{
	struct doorbell_way *y = *state;

	if (!in_first_pid_ns())
		skip();
	join(y, TOKEN, 0, 1);
	join(y, TOKEN + 1, 1, (uint32_t)getpid());
	all_servers_asleep(y);
	ring(y, TOKEN);
	assert_nobody_woken(y);
	assert_counts(y, 0, 0, 0, 1);
	ring(y, TOKEN + 1);
	assert_true(is_woken(y, 1));
	assert_counts(y, 1, 0, 0, 1);
}

static void who_has_left_rings_nobody(void **state)
{
	struct doorbell_way *y = *state;

	join(y, TOKEN, 0, 0);
	all_servers_asleep(y);
	ops->leave(y, TOKEN);
	ops->leave(y, TOKEN);
	ring(y, TOKEN);
	assert_nobody_woken(y);
	assert_counts(y, 0, 0, 1, 0);
	assert_int_equal(ops->rung(y, TOKEN), 0);
}

/* A thread may go to sleep and find work many times before it looks at what woke it. */
static void wake_ups_that_nobody_takes_are_still_one(void **state)
{
	struct doorbell_way *y = *state;
	uint32_t i, nr = 4 * DOORBELL_RING_LEN / 16;

	join(y, TOKEN, 0, 0);
	for (i = 0; i < nr; i++) {
		ops->sleep(y, 0);
		ring(y, TOKEN);
	}
	assert_counts(y, nr, 0, 0, 0);
	assert_true(is_woken(y, 0));
	ops->take(y, 0);
	assert_false(is_woken(y, 0));
	ops->sleep(y, 0);
	ring(y, TOKEN);
	assert_true(is_woken(y, 0));
}

static void tokens_end_at_their_limit(void **state)
{
	struct doorbell_way *y = *state;
	struct doorbell_guest g = {.token = DOORBELL_TOKENS_MAX + 1};
	uint64_t token;

	for (token = 1; token <= DOORBELL_TOKENS_MAX; token++)
		join(y, token, 0, 0);
	assert_int_equal(ops->join(y, &g), -ENOSPC);
	ops->leave(y, 1);
	assert_int_equal(ops->join(y, &g), 0);
}

/* ---- from process to process ---- */

/* Descriptors of its own, as a supervisor has them; then the first process is gone. */
static uint32_t keep_and_close(struct doorbell_way *y, int kept[DOORBELL_FDS_MAX])
{
	uint32_t i, nr = ops->fds(y, kept);

	for (i = 0; i < nr; i++)
		kept[i] = dup(kept[i]);
	ops->close(y);
	return nr;
}

static void the_next_process_goes_on_with_what_was_kept(void **state)
{
	struct doorbell_way *y = *state;
	int kept[DOORBELL_FDS_MAX];
	uint32_t nr;

	join(y, TOKEN, 0, 0);
	join(y, TOKEN + 1, 1, 0);
	join(y, TOKEN + 2, 2, 0);
	all_servers_asleep(y); /* it dies asleep, and with a wake-up on the way */
	ring(y, TOKEN);
	nr = keep_and_close(y, kept);
	assert_int_equal(ops->resume(&y, NR_SERVERS, kept, nr), 0);
	*state = y;
	assert_nobody_woken(y);
	ring(y, TOKEN + 1);
	assert_nobody_woken(y);
	assert_counts(y, 1, 1, 0, 0);

	join(y, TOKEN + 1, 2, 0);
	ops->sweep(y);
	all_servers_asleep(y);
	ring(y, TOKEN);
	ring(y, TOKEN + 2);
	assert_nobody_woken(y);
	assert_counts(y, 1, 1, 2, 0);
	ring(y, TOKEN + 1);
	assert_true(is_woken(y, 2));
}

static void what_is_not_what_is_kept_is_refused(void **state)
{
	struct doorbell_way *y = *state, *other;
	int fds[DOORBELL_FDS_MAX];
	uint32_t nr = ops->fds(y, fds);

	assert_int_equal(ops->resume(&other, NR_SERVERS, fds, nr - 1), -EINVAL);
	assert_int_equal(ops->resume(&other, NR_SERVERS, fds, nr + 2), -EINVAL);
	assert_int_equal(ops->resume(&other, NR_SERVERS, fds, 0), -EINVAL);
	assert_true(ops->resume(&other, NR_SERVERS, (int[DOORBELL_FDS_MAX]){0}, nr) < 0);
}

/* As the worker does, which has given its capabilities away. */
static int without_privilege(struct doorbell_way *y)
{
	const struct doorbell_guest g = {.token = TOKEN};
	struct doorbell_way *fresh;
	int err;

	if (setgid(NOBODY) || setuid(NOBODY))
		return 1;
	if (ops->open(&fresh, 1) != -EPERM)
		return 2;
	err = ops->listen(y);
	if (err && err != -ENOENT)
		return 3;
	if (ops->join(y, &g))
		return 4;
	ops->sleep(y, 0);
	ring(y, TOKEN);
	if (!is_woken(y, 0) || ops->rung(y, TOKEN) != 1)
		return 5;
	ops->leave(y, TOKEN);
	return 0;
}

static void all_but_open_works_without_privilege(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(without_privilege(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define WAY_TEST(f) cmocka_unit_test_setup_teardown(f, way_open, way_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WAY_TEST(a_ring_wakes_the_server_of_its_token_once_for_each_sleep),
		WAY_TEST(a_server_that_is_awake_is_not_woken),
		WAY_TEST(a_token_that_is_nobodys_only_counts),
		WAY_TEST(other_hypercalls_are_not_even_counted),
		WAY_TEST(whatever_the_registers_hold_is_counted_once),
		WAY_TEST(a_token_is_of_use_to_its_own_process_alone),
		WAY_TEST(who_has_left_rings_nobody),
		WAY_TEST(wake_ups_that_nobody_takes_are_still_one),
		WAY_TEST(tokens_end_at_their_limit),
		WAY_TEST(the_next_process_goes_on_with_what_was_kept),
		WAY_TEST(what_is_not_what_is_kept_is_refused),
		WAY_TEST(all_but_open_works_without_privilege),
	};
	struct doorbell_way *y;
	int err = ops->open(&y, 1);

	if (err == -EPERM || err == -EACCES) {
		printf("BPF is not permitted here: %s\n", strerror(-err));
		return SKIPPED;
	}
	if (!err)
		ops->close(y);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
