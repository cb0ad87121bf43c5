/* SPDX-License-Identifier: MIT */
/*
 * What is kept goes to the service manager as well, where there is one that listens, and
 * comes back from it after the supervisor's own death. Caller: supervisor.c.
 *
 * A descriptor's name there is KEY#INDEX.COUNT, or KEY#meta for a memfd with the bytes.
 */
#ifndef UTMEMD_FDSTORE_H
#define UTMEMD_FDSTORE_H

#include "host/utmemd/kept.h"

/* Twice is once. */
void fdstore_add(struct kept_item *item);
void fdstore_remove(struct kept_item *item);
/* Everything that an earlier supervisor had given away; what is not whole is let go. */
void fdstore_take(struct kept *k);

#endif /* UTMEMD_FDSTORE_H */
