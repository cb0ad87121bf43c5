// SPDX-License-Identifier: MIT
/*
 * Owns the thread that reaches a lost host again, and the lane while that runs.
 * Called by turn.c on Redis' main thread; work() alone is on the other.
 */
#include <errno.h>
#include <signal.h>

#include "redis-module/reconnect.h"

static void *work(void *arg)
{
	struct reconnect *rc = arg;
	const char *step;

	lane_close(&rc->lane);
	rc->err = lane_open(&rc->lane, rc->opt, &step);
	atomic_store(&rc->done, true);
	return NULL;
}

/* The list's head points to itself: it is empty, and stays with its lane. */
static void lane_move(struct lane *to, struct lane *from)
{
	*to = *from;
	TAILQ_INIT(&to->held);
	lane_forget(from);
}

int reconnect_start(struct reconnect *rc, struct lane *lane, const struct options *opt)
{
	sigset_t all, old;
	int err;

	rc->opt = opt;
	atomic_store(&rc->done, false);
	lane_move(&rc->lane, lane);
	/* Redis' signals are for Redis' thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&rc->thread, NULL, work, rc);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		lane_move(lane, &rc->lane);
		return -err;
	}
	rc->running = true;
	return 0;
}

int reconnect_finish(struct reconnect *rc, struct lane *lane)
{
	if (!atomic_load(&rc->done))
		return -EINPROGRESS;
	pthread_join(rc->thread, NULL);
	rc->running = false;
	lane_move(lane, &rc->lane);
	return rc->err;
}
