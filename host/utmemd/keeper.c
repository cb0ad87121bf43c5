// SPDX-License-Identifier: MIT
/*
 * Owns the form of messages between worker and supervisor. Called by supervisor.c
 * and by deposit.c, each on its process' one thread; keeps no state.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "host/utmemd/fdpass.h"
#include "host/utmemd/keeper.h"

_Static_assert(FDPASS_MAX >= KEEPER_FDS_MAX, "a message has room for what is under one key");

int keeper_send(int link, const struct keeper_msg *m, const int *fds, uint32_t nr_fds)
{
	int err;

	do
		err = fdpass_send_wait(link, m, sizeof(*m), fds, nr_fds);
	while (err == -EINTR);
	return err;
}

int keeper_say(int link, enum keeper_type type)
{
	struct keeper_msg m = {.type = type};

	return keeper_send(link, &m, NULL, 0);
}

/* A key is a name for the service manager, too: none of the bytes that it forbids. */
static bool key_is_sane(const char *key)
{
	const char *end = memchr(key, '\0', KEEPER_KEY_MAX);

	for (; end && key < end; key++) {
		if (*key <= ' ' || *key > '~' || *key == ':' || *key == '#')
			return false;
	}
	return end;
}

static bool is_sane(const struct keeper_msg *m, ssize_t len)
{
	return len == sizeof(*m) && key_is_sane(m->key) && m->meta_len <= KEEPER_META_MAX;
}

int keeper_recv(int link, struct keeper_msg *m, int *fds, uint32_t *nr_fds, bool wait)
{
	bool whole;
	ssize_t len;

	do
		len = fdpass_recv_fds(link, m, sizeof(*m), fds, nr_fds, &whole, wait);
	while (len == -EINTR);
	if (len == -EAGAIN)
		return 0;
	if (len < 0)
		return (int)len;
	if (!len)
		return -ECONNRESET;
	if (!is_sane(m, len)) {
		fdpass_close(fds, *nr_fds);
		return -EPROTO;
	}
	return whole ? 1 : -EMFILE;
}
