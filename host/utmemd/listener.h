/* SPDX-License-Identifier: MIT */
/* A unix socket in the run dir that accepts. Callers: tenant.c, control.c. */
#ifndef UTMEMD_LISTENER_H
#define UTMEMD_LISTENER_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/un.h>

#include "host/utmemd/loop.h"

struct daemon;

struct listener {
	struct source src;
	struct daemon *daemon;
	struct sockaddr_un addr;
	/* Required. Takes @fd, which is non-blocking. */
	void (*accepted)(struct listener *l, int fd);
	bool paused;
	LIST_ENTRY(listener) link; /* daemon.listeners */
};

/*
 * RUN_DIR/@name. A stale socket there is replaced; the run dir's lock says that it
 * is stale. 0, or -errno and the reason is in the log.
 */
int listener_open(struct listener *l, struct daemon *d, const char *name, int type, mode_t mode,
		  void (*accepted)(struct listener *l, int fd));
/* What an earlier worker opened there: takes @fd when it succeeds. */
int listener_adopt(struct listener *l, struct daemon *d, const char *name, int fd,
		   void (*accepted)(struct listener *l, int fd));
/* Does RUN_DIR/@name still lead to a socket? */
bool listener_is_there(const struct daemon *d, const char *name);
/* The other way round: path and fd stay as they are. */
void listener_release(struct listener *l);
void listener_close(struct listener *l);
/* After a pause: there may be descriptors again. */
void listener_resume(struct listener *l);

#endif /* UTMEMD_LISTENER_H */
