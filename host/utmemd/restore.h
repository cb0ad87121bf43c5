/* SPDX-License-Identifier: MIT */
/* A saved pool comes in over an operator's connection. Caller: commands.c. */
#ifndef UTMEMD_RESTORE_H
#define UTMEMD_RESTORE_H

#include <stdbool.h>

struct tenant;
struct transfer;

/*
 * Take a content for the pool @name of @owner: @create when it is not there, @replace what it
 * has. All else depends on what comes. 0, -EUSERS, -EOPNOTSUPP (the engine stores nothing),
 * -EINVAL (name), -ENOMEM.
 */
int restore_open(struct tenant *owner, const char *name, bool create, bool replace,
		 struct transfer **out);

#endif /* UTMEMD_RESTORE_H */
