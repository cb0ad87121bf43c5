// SPDX-License-Identifier: MIT
/*
 * Messages over utmemd's socket: every reply has the right length, the right
 * type, and no more fds than anybody would send; the others are closed.
 * Called by transport_unix.c, under the connection's lock.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "libutmem/sock.h"

#define FDS_RECEIVED_MAX 253 /* the most that the kernel passes in one message (SCM_MAX_FD) */
#define ERRNO_MAX 4095
#define COPIES_MAX 16 /* one for each time that a server was interrupted in the same place */

void utmem_sock_fds_close(struct utmem_sock_fds *fds)
{
	for (unsigned int i = 0; i < fds->nr; i++)
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
	fds->nr = 0;
}

static int set_timeouts(int sock)
{
	struct timeval tv = {.tv_sec = UTMEM_SOCK_TIMEOUT_MS / 1000,
			     .tv_usec = UTMEM_SOCK_TIMEOUT_MS % 1000 * 1000};

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		return -errno;
	return 0;
}

int utmem_sock_open(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock, err;

	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	err = set_timeouts(sock);
	if (!err && connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		err = errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (err) {
		close(sock);
		return err;
	}
	return sock;
}

/*
 * Take the fds of a message, UTMEM_SOCK_FDS_MAX at most; on failure none is left open.
 * -EPROTO: there were more. -EMFILE: this process may not have so many (the room for
 * them is the kernel's maximum, so nothing else cuts a message short).
 */
static int collect_fds(struct msghdr *mh, struct utmem_sock_fds *fds)
{
	int err = mh->msg_flags & MSG_CTRUNC ? -EMFILE : 0;
	struct cmsghdr *c;

	fds->nr = 0;
	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < nr; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (fds->nr < UTMEM_SOCK_FDS_MAX) {
				fds->fd[fds->nr++] = fd;
				continue;
			}
			close(fd);
			err = -EPROTO;
		}
	}
	if (err)
		utmem_sock_fds_close(fds);
	return err;
}

/* EINTR: a reply that is under way must be taken, or the next one would be taken for it. */
static ssize_t receive(int sock, struct msghdr *mh)
{
	ssize_t len;

	do
		len = recvmsg(sock, mh, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return len;
}

static int receive_reply(int sock, struct utmem_sock_msg *msg, struct utmem_sock_fds *fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_RECEIVED_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control)};
	ssize_t len = receive(sock, &mh);
	int err;

	if (len < 0)
		return (int)len;
	err = collect_fds(&mh, fds);
	if (err)
		return err;
	if (len == sizeof(*msg) && !(mh.msg_flags & MSG_TRUNC))
		return 0;
	utmem_sock_fds_close(fds);
	return len ? -EPROTO : -ECONNRESET;
}

static int send_request(int sock, const struct utmem_sock_msg *msg)
{
	ssize_t len;

	do
		len = send(sock, msg, sizeof(*msg), MSG_NOSIGNAL);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

/* A server that was interrupted answers again what it is not sure to have answered. */
static bool is_second_copy(const struct utmem_sock_msg *msg, const struct utmem_sock_msg *reply,
			   struct utmem_sock_fds *fds)
{
	uint32_t serial = msg->type >> UTMEM_SOCK_SERIAL_SHIFT;

	if (!serial || reply->type >> UTMEM_SOCK_SERIAL_SHIFT == serial)
		return false;
	utmem_sock_fds_close(fds);
	return true;
}

int utmem_sock_call(int sock, struct utmem_sock_msg *msg, struct utmem_sock_fds *fds)
{
	struct utmem_sock_msg reply;
	unsigned int copies = COPIES_MAX;
	int err;

	fds->nr = 0;
	msg->error = 0;
	err = send_request(sock, msg);
	do
		err = err ? err : receive_reply(sock, &reply, fds);
	while (!err && is_second_copy(msg, &reply, fds) && copies--);
	if (err)
		return err;
	if (reply.type != msg->type || reply.error > 0 || reply.error < -ERRNO_MAX)
		err = -EPROTO;
	if (!err) {
		*msg = reply;
		err = reply.error;
	}
	if (err)
		utmem_sock_fds_close(fds);
	return err;
}
