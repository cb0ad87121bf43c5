/* SPDX-License-Identifier: MIT */
/*
 * What the killer and its clients share: how far they are, and what is asked of them.
 * Owner: tests/crash. Everything here is atomic or written before the threads start.
 */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#define NR_CLIENTS 3u
#define DEADLINE_S 30 /* longer than anything takes; only a broken host gets there */

struct run {
	const char *transport;
	uint64_t seed;
	uint64_t answers;	    /* of all clients */
	uint64_t answers_want;	    /* at which event_fd is rung */
	uint32_t sweep;		    /* the number of the sweep that is asked for */
	uint32_t swept[NR_CLIENTS]; /* the last that each client has done */
	bool hold;		    /* after its sweep a client waits; under run.c's lock */
	uint32_t stop;
	int event_fd; /* answers_want is reached, a sweep is over, a client gave up */
};

void run_ring(const struct run *r);
void run_hold(struct run *r, bool hold);
void run_wait_hold(struct run *r);
static inline uint32_t run_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* A client's thread: from connecting to the last sweep. @arg: struct client_start. */
struct client_start {
	struct run *run;
	uint32_t no;
};
void *client_main(void *arg);
/* One that comes, stores a value, reads it and goes, again and again. @arg: the same. */
void *comer_main(void *arg);

#endif /* CRASH_RUN_H */
