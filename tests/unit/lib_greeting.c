// SPDX-License-Identifier: MIT
/* unix: a host that misbehaves while it greets is refused, and nothing of it stays open. */
#include "tests/unit/lib_fake.h"

#define SEALED F_SEAL_SHRINK

/* Connect to a fake with that hook: the error is @want, and no fd leaks. */
static void expect_connect(fake_hook *hook, int seals, int want)
{
	unsigned int before = nr_open_fds();
	struct utmem *u;
	struct fake f;

	fake_start(&f, hook, seals);
	assert_int_equal(utmem_connect(&u, f.transport), want);
	assert_true(want ? !u : u != NULL);
	utmem_disconnect(u);
	fake_stop(&f);
	assert_int_equal(nr_open_fds(), before);
}

static void a_good_host_is_accepted(void **state)
{
	struct utmem_limits limits;
	struct utmem *u;
	struct fake f;

	(void)state;
	fake_start(&f, NULL, SEALED);
	assert_int_equal(utmem_connect(&u, f.transport), 0);
	assert_int_equal(utmem_limits(u, &limits), 0);
	assert_int_equal(limits.window_len, FAKE_WINDOW_LEN);
	assert_int_equal(limits.max_queues, 4);
	assert_int_equal(limits.max_sq_entries, 1024);
	assert_int_equal(limits.max_data_len, 1 << 20);
	assert_int_equal(limits.max_key_len, UTMEM_KEY_MAX);
	assert_int_equal(limits.max_value_len, UTMEM_VALUE_MAX);
	assert_int_equal(limits.epoch, 7);
	assert_true(limits.features & UTMEM_FEAT_DOORBELL_EVENTFD);
	utmem_disconnect(u);
	fake_stop(&f);
}

static size_t close_instead(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)m, (void)fds, (void)nr;
	return 0;
}

static void a_peer_that_closes_in_the_greeting_is_econnreset(void **state)
{
	(void)state;
	expect_connect(close_instead, SEALED, -ECONNRESET);
}

static size_t close_the_first(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)m, (void)fds, (void)nr;
	return f->nr_accepted > 1 ? sizeof(*m) : 0;
}

static void a_connection_that_is_lost_in_the_greeting_is_made_again(void **state)
{
	(void)state;
	expect_connect(close_the_first, SEALED, 0);
}

static size_t refuse(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	m->error = -ENOMEM;
	return sizeof(*m);
}

static void a_refusal_is_handed_through_and_its_fds_closed(void **state)
{
	(void)state;
	expect_connect(refuse, SEALED, -ENOMEM);
}

static size_t short_reply(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	return sizeof(*m) - 1;
}

static size_t other_type(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	m->type = UTMEM_OP_POOL_STAT;
	return sizeof(*m);
}

static size_t odd_error(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	m->error = 5;
	return sizeof(*m);
}

static void a_malformed_reply_is_eproto(void **state)
{
	(void)state;
	expect_connect(short_reply, SEALED, -EPROTO);
	expect_connect(other_type, SEALED, -EPROTO);
	expect_connect(odd_error, SEALED, -EPROTO);
}

static size_t hello_magic(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	m->hello.magic ^= 1;
	return sizeof(*m);
}

static size_t hello_major(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	m->hello.abi_major = UTMEM_ABI_MAJOR + 1;
	return sizeof(*m);
}

static size_t window_magic(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->magic = 0;
	return sizeof(*m);
}

static size_t window_major(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->abi_major = UTMEM_ABI_MAJOR + 1;
	return sizeof(*m);
}

static void wrong_magic_or_a_newer_major_is_eproto(void **state)
{
	(void)state;
	expect_connect(hello_magic, SEALED, -EPROTO);
	expect_connect(hello_major, SEALED, -EPROTO);
	expect_connect(window_magic, SEALED, -EPROTO);
	expect_connect(window_major, SEALED, -EPROTO);
}

static size_t newer_minor(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->abi_minor = m->hello.abi_minor = UTMEM_ABI_MINOR + 1;
	f->hdr->hdr_len += 64;
	return sizeof(*m);
}

static void a_newer_minor_is_accepted(void **state)
{
	(void)state;
	expect_connect(newer_minor, SEALED, 0);
}

static size_t larger_window(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	m->hello.window_len = f->hdr->window_len = 2 * FAKE_WINDOW_LEN;
	return sizeof(*m);
}

static size_t header_differs(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->window_len = FAKE_WINDOW_LEN / 2;
	return sizeof(*m);
}

static size_t no_power_of_two(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	m->hello.window_len = f->hdr->window_len = 3 * UTMEM_WINDOW_LEN_MIN;
	if (ftruncate(f->memfd, 3 * UTMEM_WINDOW_LEN_MIN))
		abort();
	return sizeof(*m);
}

static void a_window_of_another_size_than_told_is_eproto(void **state)
{
	(void)state;
	expect_connect(larger_window, SEALED, -EPROTO);
	expect_connect(header_differs, SEALED, -EPROTO);
}

static void a_window_that_could_shrink_is_eproto(void **state)
{
	(void)state;
	expect_connect(NULL, 0, -EPROTO);
	expect_connect(NULL, F_SEAL_GROW, -EPROTO);
	expect_connect(no_power_of_two, 0, -EPROTO);
}

static size_t no_file(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)nr;
	close(fds[0]);
	fds[0] = dup(f->wake);
	return sizeof(*m);
}

static void a_window_that_is_no_memfd_is_eproto(void **state)
{
	(void)state;
	expect_connect(no_file, SEALED, -EPROTO);
}

static size_t one_fd_more(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	fds[(*nr)++] = dup(f->wake);
	return sizeof(*m);
}

static size_t many_fds(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	while (*nr < FAKE_FDS_MAX)
		fds[(*nr)++] = dup(f->wake);
	return sizeof(*m);
}

static size_t one_fd_less(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f;
	close(fds[--*nr]);
	return sizeof(*m);
}

static size_t no_fds(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f;
	while (*nr)
		close(fds[--*nr]);
	return sizeof(*m);
}

static void fds_that_nobody_asked_for_are_closed_and_eproto(void **state)
{
	(void)state;
	expect_connect(one_fd_more, SEALED, -EPROTO);
	expect_connect(many_fds, SEALED, -EPROTO);
}

static void missing_fds_are_eproto(void **state)
{
	(void)state;
	expect_connect(one_fd_less, SEALED, -EPROTO);
	expect_connect(no_fds, SEALED, -EPROTO);
}

static size_t control_outside(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->control_off = FAKE_WINDOW_LEN;
	return sizeof(*m);
}

static size_t control_on_header(struct fake *f, struct utmem_sock_msg *m, int *fds,
				unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->control_off = 0;
	return sizeof(*m);
}

static size_t too_many_svc(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	f->hdr->nr_svc = UTMEM_SVC_MAX + 1;
	while (*nr < 1 + f->hdr->nr_svc)
		fds[(*nr)++] = dup(f->wake);
	return sizeof(*m);
}

static size_t key_limit(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	f->hdr->max_key_len = UTMEM_KEY_MAX + 1;
	return sizeof(*m);
}

static void limits_beyond_the_contract_are_eproto(void **state)
{
	(void)state;
	expect_connect(control_outside, SEALED, -EPROTO);
	expect_connect(control_on_header, SEALED, -EPROTO);
	expect_connect(too_many_svc, SEALED, -EPROTO);
	expect_connect(key_limit, SEALED, -EPROTO);
}

static void paths_fail_as_connect_says(void **state)
{
	char transport[200], dir[] = "/tmp/utmem-path.XXXXXX", path[64];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct utmem *u = (void *)1;
	int fd;

	(void)state;
	assert_int_equal(utmem_connect(&u, "unix:/nowhere/utmem.sock"), -ENOENT);
	assert_null(u);
	assert_int_equal(utmem_connect(&u, "unix:"), -EINVAL);
	memset(transport, 'x', sizeof(transport));
	memcpy(transport, "unix:/", 6);
	transport[5 + sizeof(addr.sun_path)] = 0;
	assert_int_equal(utmem_connect(&u, transport), -ENAMETOOLONG);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	snprintf(transport, sizeof(transport), "unix:%s", path);
	assert_int_equal(utmem_connect(&u, transport), -ECONNREFUSED);
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void unknown_transports_are_einval(void **state)
{
	struct utmem *u = (void *)1;

	(void)state;
	assert_int_equal(utmem_connect(&u, "tcp:localhost"), -EINVAL);
	assert_null(u);
	assert_int_equal(utmem_connect(&u, ""), -EINVAL);
	assert_int_equal(utmem_connect(&u, NULL), -EINVAL);
	assert_int_equal(utmem_connect(&u, "local"), -EINVAL);
}

static void a_device_that_is_none_is_refused(void **state)
{
	struct utmem *u;

	(void)state;
	assert_int_equal(utmem_connect(&u, "dev:/nowhere/utmem0"), -ENOENT);
	assert_int_equal(utmem_connect(&u, "dev:/dev/null"), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_host_is_accepted),
		cmocka_unit_test(a_peer_that_closes_in_the_greeting_is_econnreset),
		cmocka_unit_test(a_connection_that_is_lost_in_the_greeting_is_made_again),
		cmocka_unit_test(a_refusal_is_handed_through_and_its_fds_closed),
		cmocka_unit_test(a_malformed_reply_is_eproto),
		cmocka_unit_test(wrong_magic_or_a_newer_major_is_eproto),
		cmocka_unit_test(a_newer_minor_is_accepted),
		cmocka_unit_test(a_window_of_another_size_than_told_is_eproto),
		cmocka_unit_test(a_window_that_could_shrink_is_eproto),
		cmocka_unit_test(a_window_that_is_no_memfd_is_eproto),
		cmocka_unit_test(fds_that_nobody_asked_for_are_closed_and_eproto),
		cmocka_unit_test(missing_fds_are_eproto),
		cmocka_unit_test(limits_beyond_the_contract_are_eproto),
		cmocka_unit_test(paths_fail_as_connect_says),
		cmocka_unit_test(unknown_transports_are_einval),
		cmocka_unit_test(a_device_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
