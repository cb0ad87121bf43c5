// SPDX-License-Identifier: MIT
/*
 * Owns sendmsg and recvmsg. Called by ivshmem.c and client.c, on the daemon's one
 * thread; keeps no state.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

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

int fdpass_send(int sock, const void *buf, size_t len, const int *fds, size_t nr_fds)
{
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	ssize_t n;

	if (nr_fds)
		attach_fds(&msg, &control, fds, nr_fds);
	n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EAGAIN;
}

/* Without room for control data the kernel closes what was sent along, and sets MSG_CTRUNC. */
ssize_t fdpass_recv(int sock, void *buf, size_t len, bool *whole)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	*whole = !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	return n;
}
