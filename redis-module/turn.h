/* SPDX-License-Identifier: MIT */
/*
 * Redis' event loop, as the batch sees it: one hand-over before each sleep, the
 * queue's fd, and a watch on the host. batch.c and turn.c are two halves of one
 * owner; the functions below are between them.
 */
#ifndef UTMEM_REDIS_TURN_H
#define UTMEM_REDIS_TURN_H

#include "redis-module/batch.h"

/* turn.c */
int turn_watch(struct batch *b);    /* the queue's fd wakes the event loop: 0 or -errno */
void turn_unwatch(struct batch *b); /* a lane that is down does not */
void turn_needed(struct batch *b);  /* something is prepared: the loop must not sleep on it */

/* batch.c */
void batch_feed(struct batch *b);
int batch_submit(struct batch *b); /* 0, or the lane is down: why */
int batch_reap(struct batch *b);   /* how many completions */
void batch_down(struct batch *b, int err);

#endif /* UTMEM_REDIS_TURN_H */
