// SPDX-License-Identifier: MIT
/*
 * Owns sendmsg and recvmsg. Called by ivshmem.c, client.c and keeper.c, on their
 * process' one thread; keeps no state.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/utmemd/fdpass.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

static void attach_fds(struct msghdr *msg, union control *control, const int *fds, size_t nr_fds)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nr_fds * sizeof(int));
}

static int send_all(int sock, const void *buf, size_t len, const int *fds, size_t nr_fds, int flags)
{
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	ssize_t n;

	if (nr_fds)
		attach_fds(&msg, &control, fds, nr_fds);
	n = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EAGAIN;
}

int fdpass_send(int sock, const void *buf, size_t len, const int *fds, size_t nr_fds)
{
	return send_all(sock, buf, len, fds, nr_fds, MSG_DONTWAIT);
}

int fdpass_send_wait(int sock, const void *buf, size_t len, const int *fds, size_t nr_fds)
{
	return send_all(sock, buf, len, fds, nr_fds, 0);
}

/* Without room for control data the kernel closes what was sent along, and sets MSG_CTRUNC. */
ssize_t fdpass_recv(int sock, void *buf, size_t len, bool *whole, bool peek)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));

	if (n < 0)
		return -errno;
	*whole = !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	return n;
}

/* There is room for one array of descriptors, and the kernel makes no more of them. */
static uint32_t take_fds(struct msghdr *msg, int *fds)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	size_t nr;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), nr * sizeof(int));
	return (uint32_t)nr;
}

ssize_t fdpass_recv_fds(int sock, void *buf, size_t len, int *fds, uint32_t *nr_fds, bool *whole,
			bool wait)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	union control control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));

	*nr_fds = 0;
	if (n < 0)
		return -errno;
	*nr_fds = take_fds(&msg, fds);
	*whole = !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	return n;
}

void fdpass_close(const int *fds, uint32_t nr_fds)
{
	while (nr_fds)
		close(fds[--nr_fds]);
}
