/* SPDX-License-Identifier: MIT */
/*
 * Reaching a lost host again. To close a lane and to open one waits for the host,
 * which may hang: a thread does it, so that Redis goes on.
 */
#ifndef UTMEM_REDIS_RECONNECT_H
#define UTMEM_REDIS_RECONNECT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "redis-module/lane.h"
#include "redis-module/options.h"

struct reconnect {
	bool running; /* the main thread's, as lane and err are unless it runs */
	pthread_t thread;
	atomic_bool done;
	const struct options *opt;
	struct lane lane;
	int err;
};

/*
 * Close and open @lane, which no request uses and nobody may use until
 * reconnect_finish(). When no thread can be had, -errno, and nothing has changed.
 */
int reconnect_start(struct reconnect *rc, struct lane *lane, const struct options *opt);
/* -EINPROGRESS; or @lane is back, and open when the result is 0. */
int reconnect_finish(struct reconnect *rc, struct lane *lane);

#endif /* UTMEM_REDIS_RECONNECT_H */
