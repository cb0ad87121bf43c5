// SPDX-License-Identifier: MIT
/* Out of descriptors or out of address space at any step: an error, and nothing of the attempt is left. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/lib_fake.h"

#define FDS_MAX 64

/* Allow @nr descriptors beyond those that are open. */
static void limit_fds(unsigned int nr)
{
	struct rlimit limit;
	int fd = dup(0);
	unsigned int next = (unsigned int)fd;

	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = next + nr;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void unlimit_fds(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Connect, make a queue, end both. Return: the first error. */
static int attempt(const char *transport)
{
	struct utmem_queue *q = NULL;
	struct utmem *u;
	int err = utmem_connect(&u, transport);

	if (!err)
		err = utmem_queue_init(u, &q, NULL);
	utmem_queue_exit(q);
	utmem_disconnect(u);
	return err;
}

static void local_is_emfile_until_there_are_enough_descriptors(void **state)
{
	unsigned int before = nr_open_fds(), nr;

	(void)state;
	for (nr = 0; nr < FDS_MAX; nr++) {
		int err;

		limit_fds(nr);
		err = attempt("local:");
		unlimit_fds();
		assert_int_equal(nr_open_fds(), before);
		if (!err)
			break;
		assert_int_equal(err, -EMFILE);
	}
	assert_true(nr > 0 && nr < FDS_MAX);
}

/* The host is a child, with a table of descriptors of its own. */
static pid_t host_fork(struct fake *f)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	fake_main(f);
	_exit(0);
}

static int attempt_with_host(unsigned int nr)
{
	struct fake f;
	pid_t pid;
	int err;

	fake_open(&f, NULL, F_SEAL_SHRINK);
	pid = host_fork(&f);
	limit_fds(nr);
	err = attempt(f.transport);
	unlimit_fds();
	/* The first fails before it connects, and the host would wait for ever. */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fake_close(&f);
	return err;
}

static void unix_is_emfile_until_there_are_enough_descriptors(void **state)
{
	unsigned int before = nr_open_fds(), nr;

	(void)state;
	for (nr = 0; nr < FDS_MAX; nr++) {
		int err = attempt_with_host(nr);

		assert_int_equal(nr_open_fds(), before);
		if (!err)
			break;
		assert_int_equal(err, -EMFILE);
	}
	/* The socket, the window (closed again), a doorbell, a wake-up and its epoll fd. */
	assert_true(nr >= 4 && nr < FDS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_is_emfile_until_there_are_enough_descriptors),
		cmocka_unit_test(unix_is_emfile_until_there_are_enough_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
