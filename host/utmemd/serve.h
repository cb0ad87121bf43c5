/* SPDX-License-Identifier: MIT */
/* A serving thread between its start and its end. */
#ifndef UTMEMD_SERVE_H
#define UTMEMD_SERVE_H

#include <stdbool.h>

struct daemon;
struct server;

/* In which the main thread differs from the others. */
struct serve_ways {
	bool (*over)(const struct server *v);
	void (*look)(struct server *v);	 /* awake: at what else there is to do */
	void (*sleep)(struct server *v); /* until there is an event */
	void (*awake)(struct server *v); /* optional: NEED_KICK is no longer set */
};

/* Turn, look and sleep until it is over. On the server's thread. */
void serve_by(struct server *v, const struct serve_ways *ways);

/* The main thread: serve until d->ending or d->leaving. */
void serve(struct daemon *d);
/* Refuse new queues and serve what is in the rings. The other threads have ended. */
void serve_out(struct daemon *d);

#endif /* UTMEMD_SERVE_H */
