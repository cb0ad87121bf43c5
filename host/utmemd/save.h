/* SPDX-License-Identifier: MIT */
/* A pool goes out over an operator's connection. Caller: commands.c. */
#ifndef UTMEMD_SAVE_H
#define UTMEMD_SAVE_H

struct tenant;
struct transfer;
struct utmem_pool;

/*
 * Save @p as it is now. 0; -EBUSY (a save of it is under way), -EUSERS, -EOPNOTSUPP (the engine
 * stores nothing), -ENOMEM.
 */
int save_open(struct tenant *owner, struct utmem_pool *p, struct transfer **out);

#endif /* UTMEMD_SAVE_H */
