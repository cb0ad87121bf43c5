/* SPDX-License-Identifier: MIT */
/*
 * The threads that serve: each has a service of its own, with windows of its own, and all share
 * the engine. The first of them is the main thread, which has the event loop, too; the others do
 * nothing but turn and sleep.
 *
 * Everything in utmemd but a turn is done by the main thread while the others rest, which is between
 * two turns: so control, sockets and timers use engine, services and windows as if there was one thread.
 * What a turn calls back (wake, log, a save's sink) must not count on that.
 *
 * Order of locks: gate, each server's own (by their order), engine, the log's.
 *	gate	main thread while the others rest; they wait for its end there
 *	own	its thread during a turn, main thread while it rests
 *	engine	whoever's turn uses it; main thread's calls while the others rest need it not
 */
#ifndef UTMEMD_CREW_H
#define UTMEMD_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/service/service.h"
#include "host/utmemd/loop.h"
#include "host/utmemd/options.h"
#include "host/utmemd/poll.h"

struct daemon;

struct server {
	struct daemon *daemon;
	struct utmem_service *service;
	struct loop *loop;	 /* the doorbells of its windows, and, in the first one, all else */
	struct source hypercall; /* in the loop, where hypercalls are heard: hypercall.c */
	uint32_t nr_windows;
	struct poller poller;
	uint64_t nr_doorbells; /* that were taken; one at the end of a sleep has ended it */
	/* not of the first one: */
	struct loop own_loop;
	struct source kick; /* eventfd: look again, a window has come or it is the end */
	pthread_mutex_t own;
	pthread_t thread;
};

struct crew {
	struct server *servers; /* [nr] */
	uint32_t nr;
	uint32_t nr_started; /* threads, beside the main one */
	pthread_mutex_t gate, engine;
	bool rest; /* the main thread wants the others to, or has them; atomic */
	bool stop; /* atomic */
};

/* opt->threads services, no thread yet. The engine and the event loop are there. 0 or -errno. */
int crew_open(struct daemon *d);
/* Their windows have been detached, their threads have ended. */
void crew_close(struct daemon *d);

/*
 * All windows of the worker before have been attached: go on where it was. From here on the
 * threads turn, and the main one rests them for all it does. 0 or -errno.
 */
int crew_start(struct daemon *d);
/* Between two turns of each. Whatever comes next, the main thread is alone. */
void crew_stop(struct daemon *d);

/* Until crew_go_on() no other thread turns. Takes as long as the longest turn under way. */
void crew_rest(struct crew *crew);
void crew_go_on(struct crew *crew);

/* Who gets the next window: one with the fewest. */
struct server *crew_choose(struct crew *crew);
/* A window has come to @v: it is not armed, should its thread sleep. */
void server_kick(struct server *v);

/* One turn of each, by the main thread. Return: is there more to do? */
bool crew_turn(struct crew *crew);

/* ---- of all services ---- */

bool crew_shares(const struct crew *crew, const struct utmem_tenant *t);
void crew_forsake(struct crew *crew, const struct utmem_tenant *t);
void crew_rights_changed(struct crew *crew);
void crew_stat(const struct crew *crew, struct utmem_service_counters *out);
/* From the next turn on. */
void crew_tune(struct crew *crew, const struct knobs *knobs);

#endif /* UTMEMD_CREW_H */
