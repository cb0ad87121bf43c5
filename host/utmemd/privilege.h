/* SPDX-License-Identifier: MIT */
/* What a worker may still do once it has what it needs privilege for. Caller: daemon.c. */
#ifndef UTMEMD_PRIVILEGE_H
#define UTMEMD_PRIVILEGE_H

/*
 * Out of every set of this thread's capabilities, for good: all but those that let root reach
 * its own files, and that of CAP_SYS_RESOURCE (pressure.c). Before there are other threads. 0 or -errno.
 */
int privilege_drop(void);

#endif /* UTMEMD_PRIVILEGE_H */
