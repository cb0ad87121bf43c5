/* SPDX-License-Identifier: MIT */
/* One request to the daemon. Caller: commands.c. */
#ifndef UTMEMCTL_REQUEST_H
#define UTMEMCTL_REQUEST_H

struct cJSON;

/*
 * Ask the daemon at @run_dir. @args is consumed; NULL: it changes nothing, and is asked again when
 * the connection is cut. 0 and *result
 * (the caller's, may be NULL), or 1 and the reason is on stderr.
 */
int request_send(const char *run_dir, const char *cmd, struct cJSON *args, struct cJSON **result);

/*
 * The same for a command after which the connection is used otherwise. Return: it, the caller's;
 * -1 and the reason is on stderr.
 */
int request_open(const char *run_dir, const char *cmd, struct cJSON *args);
/* A further line of the daemon's on such a connection. As request_send(). */
int request_answer(int fd, struct cJSON **result);

#endif /* UTMEMCTL_REQUEST_H */
