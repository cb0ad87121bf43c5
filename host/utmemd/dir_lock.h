/* SPDX-License-Identifier: MIT */
/* The directories that one daemon has for itself. Callers: supervisor.c, registry.c, arena_file.c. */
#ifndef UTMEMD_DIR_LOCK_H
#define UTMEMD_DIR_LOCK_H

#include <sys/types.h>

struct dir_use {
	mode_t mode;	  /* of the directory, when it has to be made */
	const char *lock; /* the name of a file in it */
	const char *busy; /* what is said when another daemon has it */
};

/* The sockets' and the registry's. */
extern const struct dir_use run_dir_use, state_dir_use;

/*
 * Make @dir if it is missing, and lock it. Return: the lock, which holds as long as any
 * process has the descriptor, or -errno and the reason is in the log.
 */
int dir_lock(const char *dir, const struct dir_use *use);
/* Without the lock: a descriptor of the directory, likewise. */
int dir_open(const char *dir, mode_t mode);

/*
 * Whose supervisor was killed has its worker killed, too, which takes a moment: wait so long for
 * an exclusive flock(2). 0, or -1 and errno.
 */
int lock_wait(int fd);

#endif /* UTMEMD_DIR_LOCK_H */
