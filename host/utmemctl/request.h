/* SPDX-License-Identifier: MIT */
/* One request to the daemon. Caller: commands.c. */
#ifndef UTMEMCTL_REQUEST_H
#define UTMEMCTL_REQUEST_H

struct cJSON;

/*
 * Ask the daemon at @run_dir. @args is consumed, NULL is allowed. 0 and *result
 * (the caller's, may be NULL), or 1 and the reason is on stderr.
 */
int request_send(const char *run_dir, const char *cmd, struct cJSON *args, struct cJSON **result);

#endif /* UTMEMCTL_REQUEST_H */
