/* SPDX-License-Identifier: MIT */
/* What the operator can ask for. Caller: control.c. */
#ifndef UTMEMD_COMMANDS_H
#define UTMEMD_COMMANDS_H

struct cJSON;
struct daemon;

/* The answer to @request, the caller's; NULL when there is no memory. @request may be anything, or NULL. */
struct cJSON *command_run(struct daemon *d, const struct cJSON *request);

#endif /* UTMEMD_COMMANDS_H */
