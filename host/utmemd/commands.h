/* SPDX-License-Identifier: MIT */
/* What the operator can ask for. Caller: control.c. */
#ifndef UTMEMD_COMMANDS_H
#define UTMEMD_COMMANDS_H

struct cJSON;
struct daemon;
struct transfer;

/*
 * The answer to @request, the caller's; NULL when there is no memory. @request may be anything, or
 * NULL. *transfer is left alone, or what gets the connection after the answer.
 */
struct cJSON *command_run(struct daemon *d, const struct cJSON *request,
			  struct transfer **transfer);

#endif /* UTMEMD_COMMANDS_H */
