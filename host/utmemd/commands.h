/* SPDX-License-Identifier: MIT */
/* What the operator can ask for. Caller: control.c. */
#ifndef UTMEMD_COMMANDS_H
#define UTMEMD_COMMANDS_H

#include <stdbool.h>

struct cJSON;
struct daemon;
struct transfer;

/*
 * The answer to @request, the caller's; NULL when there is no memory. @request may be anything, or
 * NULL. *transfer is left alone, or what gets the connection after the answer.
 */
struct cJSON *command_run(struct daemon *d, const struct cJSON *request,
			  struct transfer **transfer);
/* The one command that another worker answers, in its time: control.c's. */
bool command_is_upgrade(const struct cJSON *request);
/* An answer of that form: @err 0 with @result, which is consumed and may be NULL, else @why. */
struct cJSON *command_reply(int err, const char *why, struct cJSON *result);

#endif /* UTMEMD_COMMANDS_H */
