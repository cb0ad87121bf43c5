// SPDX-License-Identifier: MIT
/* What the supervisor keeps: its table with its limits, and what it takes for a message. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/utmemd/dance.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/kept.h"

static struct keeper_msg message(const char *key)
{
	struct keeper_msg m = {.type = KEEPER_KEEP, .meta_len = 3};

	snprintf(m.key, sizeof(m.key), "%s", key);
	memcpy(m.meta, "abc", 3);
	return m;
}

static void open_some(int *fds, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int put(struct kept *k, const char *key, int *fds, uint32_t nr)
{
	struct keeper_msg m = message(key);

	open_some(fds, nr);
	return kept_put(k, &m, fds, nr);
}

static void what_is_put_is_found_and_dropped(void **state)
{
	int fds[2], more[1];
	struct kept_item *item;
	struct kept k;

	(void)state;
	kept_init(&k, 100);
	assert_int_equal(put(&k, "vm/a", fds, 2), 0);
	assert_int_equal(put(&k, "vm/b", more, 1), 0);
	assert_int_equal(k.nr_fds, 3);
	item = kept_find(&k, "vm/a");
	assert_non_null(item);
	assert_int_equal(item->meta_len, 3);
	assert_memory_equal(item->meta, "abc", 3);
	assert_int_equal(item->fds[1], fds[1]);
	assert_null(kept_find(&k, "vm/"));
	assert_ptr_equal(kept_first(&k, "vm/"), item);
	assert_null(kept_first(&k, "client/"));
	kept_drop(&k, item);
	assert_false(is_open(fds[0]) || is_open(fds[1]));
	assert_true(is_open(more[0]));
	kept_exit(&k);
	assert_false(is_open(more[0]));
	assert_int_equal(k.nr_fds, 0);
}

static void another_of_the_same_key_takes_its_place(void **state)
{
	int first[2], second[3];
	struct kept k;

	(void)state;
	kept_init(&k, 100);
	assert_int_equal(put(&k, "arena", first, 2), 0);
	assert_int_equal(put(&k, "arena", second, 3), 0);
	assert_false(is_open(first[0]) || is_open(first[1]));
	assert_int_equal(kept_find(&k, "arena")->fds[2], second[2]);
	assert_int_equal(k.nr_fds, 3);
	kept_exit(&k);
}

static void beyond_a_limit_nothing_is_kept_and_nothing_changes(void **state)
{
	int fds[KEEPER_FDS_MAX + 1], old[2], third[1], more[3];
	struct kept k;

	(void)state;
	kept_init(&k, 3);
	assert_int_equal(put(&k, "a", old, 2), 0);
	assert_int_equal(put(&k, "b", fds, 2), -ENOSPC);
	assert_false(is_open(fds[0]) || is_open(fds[1]));
	assert_int_equal(put(&k, "b", third, 1), 0);
	/* In the place of two there is room for two, and not for three. */
	assert_int_equal(put(&k, "a", more, 3), -ENOSPC);
	assert_true(is_open(old[0]) && is_open(old[1]) && is_open(third[0]));
	assert_int_equal(put(&k, "a", more, 2), 0);
	kept_exit(&k);
	kept_init(&k, 1000);
	assert_int_equal(put(&k, "none", fds, 0), -EINVAL);
	assert_int_equal(put(&k, "", fds, 1), -EINVAL);
	assert_int_equal(put(&k, "many", fds, KEEPER_FDS_MAX + 1), -EINVAL);
	assert_false(is_open(fds[0]) || is_open(fds[KEEPER_FDS_MAX]));
	assert_int_equal(put(&k, "many", fds, KEEPER_FDS_MAX), 0);
	kept_exit(&k);
}

/* ---- messages ---- */

struct link {
	int end[2];
	struct keeper_msg m;
	int fds[KEEPER_FDS_MAX];
	uint32_t nr_fds;
};

static void link_open(struct link *l)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->end), 0);
}

static int hear(struct link *l)
{
	return keeper_recv(l->end[1], &l->m, l->fds, &l->nr_fds, false);
}

static void message_carries_as_many_descriptors_as_a_vm_has(void **state)
{
	struct keeper_msg m = message("vm/a");
	int fds[KEEPER_FDS_MAX];
	struct link l;

	(void)state;
	link_open(&l);
	assert_int_equal(hear(&l), 0);
	open_some(fds, KEEPER_FDS_MAX);
	assert_int_equal(keeper_send(l.end[0], &m, fds, KEEPER_FDS_MAX), 0);
	fdpass_close(fds, KEEPER_FDS_MAX);
	assert_int_equal(hear(&l), 1);
	assert_int_equal(l.nr_fds, KEEPER_FDS_MAX);
	assert_memory_equal(&l.m, &m, sizeof(m));
	fdpass_close(l.fds, l.nr_fds);
	close(l.end[0]);
	assert_int_equal(hear(&l), -ECONNRESET);
	close(l.end[1]);
}

static void what_is_no_message_is_told_apart(void **state)
{
	static const char *const bad_keys[] = {"a:b", "a b", "a#b", "a\n", "\x80"};
	struct keeper_msg m = message("vm/a");
	struct link l;
	size_t i;

	(void)state;
	link_open(&l);
	assert_int_equal(send(l.end[0], &m, sizeof(m) - 1, 0), sizeof(m) - 1);
	assert_int_equal(hear(&l), -EPROTO);
	m.meta_len = KEEPER_META_MAX + 1;
	assert_int_equal(keeper_send(l.end[0], &m, NULL, 0), 0);
	assert_int_equal(hear(&l), -EPROTO);
	m.meta_len = KEEPER_META_MAX;
	assert_int_equal(keeper_send(l.end[0], &m, NULL, 0), 0);
	assert_int_equal(hear(&l), 1);
	for (i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
		m = message(bad_keys[i]);
		assert_int_equal(keeper_send(l.end[0], &m, NULL, 0), 0);
		assert_int_equal(hear(&l), -EPROTO);
	}
	memset(m.key, 'x', sizeof(m.key));
	assert_int_equal(keeper_send(l.end[0], &m, NULL, 0), 0);
	assert_int_equal(hear(&l), -EPROTO);
	close(l.end[0]);
	close(l.end[1]);
}

/* ---- the request of a socket ---- */

static void request_that_is_still_there_has_its_serial_again(void **state)
{
	struct utmem_sock_msg a = {.type = UTMEM_OP_POOL_STAT | 1 << UTMEM_SOCK_SERIAL_SHIFT};
	struct utmem_sock_msg b = {.type = UTMEM_OP_POOL_STAT | 2 << UTMEM_SOCK_SERIAL_SHIFT};
	struct dance d = {0};
	uint64_t first = dance_begin(&d, &a);

	(void)state;
	assert_int_equal(dance_begin(&d, &a), first);
	/* It was taken off the socket, and nobody lived to note it. */
	assert_int_not_equal(dance_begin(&d, &b), first);
	first = dance_begin(&d, &b);
	dance_end(&d);
	assert_int_not_equal(dance_begin(&d, &b), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_found_and_dropped),
		cmocka_unit_test(another_of_the_same_key_takes_its_place),
		cmocka_unit_test(beyond_a_limit_nothing_is_kept_and_nothing_changes),
		cmocka_unit_test(message_carries_as_many_descriptors_as_a_vm_has),
		cmocka_unit_test(what_is_no_message_is_told_apart),
		cmocka_unit_test(request_that_is_still_there_has_its_serial_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
