/* SPDX-License-Identifier: MIT */
/*
 * One request and one reply over utmemd's socket, and the fds that come with it.
 * Caller: transport_unix.c, under the connection's lock.
 */
#ifndef UTMEM_LIB_SOCK_H
#define UTMEM_LIB_SOCK_H

#include "guest/ring/utmem_sock.h"

#define UTMEM_SOCK_FDS_MAX (1u + UTMEM_SVC_MAX) /* the window and every doorbell */
#define UTMEM_SOCK_TIMEOUT_MS 10000 /* a host that has not answered by then is taken for hung */

struct utmem_sock_fds {
	unsigned int nr;
	int fd[UTMEM_SOCK_FDS_MAX]; /* -1: has been taken */
};
void utmem_sock_fds_close(struct utmem_sock_fds *fds);

/* Return: a connected socket, or -errno as connect(2). */
int utmem_sock_open(const char *path);

/*
 * Send @msg, replace it by the reply. Where the server can do that, msg->type has a number that
 * no request before it had; replies with another one are late copies, and are dropped. On success @fds are the caller's.
 * Return: 0; msg->error, when that is what the host answers; else why there is no
 * reply: -ECONNRESET closed, -EPIPE, -ETIMEDOUT, -EPROTO malformed, -EMFILE its
 * fds are too many for this process. msg->error is then 0, and the socket is out of
 * step.
 */
int utmem_sock_call(int sock, struct utmem_sock_msg *msg, struct utmem_sock_fds *fds);

#endif /* UTMEM_LIB_SOCK_H */
