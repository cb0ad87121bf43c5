/* SPDX-License-Identifier: MIT */
/* The directory of the sockets, and the lock in it: one daemon for one run dir. Caller: supervisor.c. */
#ifndef UTMEMD_RUN_DIR_H
#define UTMEMD_RUN_DIR_H

/*
 * Make @dir if it is missing, and lock it. Return: the lock, which holds as long as any
 * process has the descriptor, or -errno and the reason is in the log.
 */
int run_dir_lock(const char *dir);

#endif /* UTMEMD_RUN_DIR_H */
