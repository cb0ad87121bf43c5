/* SPDX-License-Identifier: MIT */
/* Messages with file descriptors on a unix socket. */
#ifndef UTMEMD_FDPASS_H
#define UTMEMD_FDPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FDPASS_MAX 40u /* descriptors in one message of ours */

/* Send all of it or nothing, with @nr_fds <= FDPASS_MAX. 0 or -errno (-EAGAIN: the peer does not read). */
int fdpass_send(int sock, const void *buf, size_t len, const int *fds, size_t nr_fds);
/* The same, but waits for room, as long as the socket's own timeout says. */
int fdpass_send_wait(int sock, const void *buf, size_t len, const int *fds, size_t nr_fds);

/*
 * Receive one message, cut to @len. Descriptors that come with it never enter this
 * process. *whole is false when it was longer or brought descriptors. With @peek it
 * stays where it is.
 * Return: bytes, 0 at the end (or for an empty packet), -errno.
 */
ssize_t fdpass_recv(int sock, void *buf, size_t len, bool *whole, bool peek);

/*
 * Receive one message and up to FDPASS_MAX descriptors, which are the caller's. *whole is
 * false when something of it was lost. Return: bytes, 0 at the end, -errno.
 */
ssize_t fdpass_recv_fds(int sock, void *buf, size_t len, int *fds, uint32_t *nr_fds, bool *whole,
			bool wait);
void fdpass_close(const int *fds, uint32_t nr_fds);

#endif /* UTMEMD_FDPASS_H */
