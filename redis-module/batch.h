/* SPDX-License-Identifier: MIT */
/*
 * The batch: requests of all clients on one lane, handed over once in a turn of
 * the event loop, answered as completions come.
 *
 * Redis' main thread alone; no locks. A request is in exactly one of: fresh (FIFO,
 * never in the ring), ready (between two of its entries), inflight, lane.held
 * (answered GET), or in no list.
 */
#ifndef UTMEM_REDIS_BATCH_H
#define UTMEM_REDIS_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <redismodule.h>

#include "redis-module/command.h"
#include "redis-module/lane.h"
#include "redis-module/options.h"
#include "redis-module/reconnect.h"

struct batch_counters {
	uint64_t nr_commands, nr_sync_commands;
	uint64_t nr_queued; /* requests that had to wait for room in the ring or the data area */
	uint64_t nr_queued_max;	  /* most of them at once */
	uint64_t nr_inline_polls; /* looks for completions before a sleep */
	uint64_t nr_inline_hits;  /* of those, the ones that found some */
	uint64_t nr_arms;	  /* sleeps with requests in flight */
	uint64_t nr_wakes;	  /* wake-ups by the queue's fd */
	uint64_t nr_errors;	  /* requests that ended with an error other than a miss */
	uint64_t nr_downs, nr_reconnects;
};

struct batch {
	struct options opt;
	struct lane lane;
	struct request_list fresh, ready, inflight;
	uint32_t nr_fresh, nr_inflight;
	uint32_t
		nr_live; /* commands that have not been freed; the lane stays while there are any */
	int down;	 /* 0, or the -errno that every command gets */
	int lost;	 /* a completion said that the lane is lost: why */
	struct reconnect reconnect;
	int64_t retry_us;			  /* when to connect again */
	uint64_t nr_completed, nr_completed_seen; /* in all, and as of the last cron tick */
	int64_t silent_us; /* cron has seen no progress since then; 0: it has */
	bool asleep; /* after the last look of this turn: what is prepared now needs a new turn */
	bool woken;  /* a new turn has been asked for */
	bool event;  /* the queue's fd was readable */
	uint32_t poll_skip, poll_misses; /* polling inline backs off while it finds nothing */
	struct batch_counters counters;
	struct utmem_pool_stat pool_stat; /* as last told by the host */
};

/**
 * batch_init - connect
 * @step: on failure, what could not be done
 *
 * Return: 0 or -errno.
 */
int batch_init(struct batch *b, const struct options *opt, const char **step);
/*
 * Hook into the event loop; the last thing that a module does to load, for Redis
 * forgets no hooks of one that fails. 0, or -errno and there are none.
 */
int batch_run(struct batch *b, RedisModuleCtx *ctx);
/* -EBUSY while commands or an attempt to reach the host are under way, and nothing has changed. */
int batch_exit(struct batch *b);

/* Start @c's requests; they are handed over before the event loop sleeps. When all have ended, c->bc is unblocked. */
void batch_start(struct batch *b, struct command *c);
/* Hand over what is prepared, and wait until @c (with bc NULL) has ended. Others' completions are served meanwhile. */
void batch_wait(struct batch *b, struct command *c);

/*
 * The pool's numbers. Asking waits for the host, so one that seems to hang is not
 * asked: its last numbers stand. While it is down they are 0.
 */
const struct utmem_pool_stat *batch_pool_stat(struct batch *b);

#endif /* UTMEM_REDIS_BATCH_H */
