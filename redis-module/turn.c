// SPDX-License-Identifier: MIT
/*
 * Owns the hooks in Redis' event loop: before it sleeps, after it slept, the
 * queue's fd, and cron. All of it runs on Redis' main thread.
 */
#include <errno.h>
#include <time.h>

#include "redis-module/errors.h"
#include "redis-module/turn.h"

#define ROUNDS_MAX 16	  /* of reap, feed, submit in one turn, so that Redis gets to its sockets */
#define POLL_MISSES_MAX 6 /* after so many in a row, one turn in 64 polls */
#define RETRY_USECS 1000000 /* between two attempts to reach a host that is down */

static struct batch *turning; /* server events carry no pointer of ours */

static int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void on_wake(void *arg)
{
	struct batch *b = arg;

	b->woken = false;
}

static void ask_for_turn(struct batch *b)
{
	if (b->woken)
		return;
	b->woken = RedisModule_EventLoopAddOneShot(on_wake, b) == REDISMODULE_OK;
}

/*
 * Commands of clients that this turn has unblocked run after our last look and
 * before the sleep. Without a new turn their requests would lie there unsubmitted.
 */
void turn_needed(struct batch *b)
{
	if (b->asleep)
		ask_for_turn(b);
}

/*
 * Look for completions for a while: cheaper than to sleep and be woken, as long
 * as the host is awake. It backs off while it finds nothing. Return: how many.
 */
static int poll_inline(struct batch *b)
{
	int64_t end;
	int nr;

	if (b->poll_skip) {
		b->poll_skip--;
		return 0;
	}
	b->counters.nr_inline_polls++;
	end = clock_us() + (int64_t)b->opt.spin_usecs;
	do {
		nr = batch_reap(b);
	} while (!nr && !b->down && clock_us() < end);
	if (nr) {
		b->counters.nr_inline_hits++;
		b->poll_misses = 0;
		return nr;
	}
	if (b->poll_misses < POLL_MISSES_MAX)
		b->poll_misses++;
	b->poll_skip = (1u << b->poll_misses) - 1;
	return 0;
}

/*
 * One turn: take what has come, hand over what is there, and leave only when
 * nothing is in flight or the fd is armed (after a last look) to wake the loop.
 */
static void turn(struct batch *b)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		batch_reap(b);
		batch_feed(b);
		if (batch_submit(b) || !b->nr_inflight)
			return;
		if (b->opt.spin_usecs && poll_inline(b))
			continue;
		if (!b->down && utmem_event_arm(b->lane.q) == 0) {
			b->counters.nr_arms++;
			return;
		}
	}
	ask_for_turn(b);
}

static void on_event_loop(RedisModuleCtx *ctx, RedisModuleEvent eid, uint64_t subevent, void *data)
{
	struct batch *b = turning;

	(void)ctx;
	(void)eid;
	(void)data;
	b->asleep = subevent == REDISMODULE_SUBEVENT_EVENTLOOP_BEFORE_SLEEP;
	if (!b->asleep || b->down)
		return;
	if (b->event || b->nr_inflight || b->nr_fresh || !TAILQ_EMPTY(&b->ready))
		turn(b);
	b->event = false;
}

/* The reaping is left to the turn that follows: replies are sent right after it. */
static void on_readable(int fd, void *arg, int mask)
{
	struct batch *b = arg;

	(void)fd;
	(void)mask;
	b->event = true;
	b->counters.nr_wakes++;
	utmem_event_clear(b->lane.q);
}

int turn_watch(struct batch *b)
{
	if (RedisModule_EventLoopAdd(utmem_event_fd(b->lane.q), REDISMODULE_EVENTLOOP_READABLE,
				     on_readable, b) == REDISMODULE_OK)
		return 0;
	return errno ? -errno : -EMFILE;
}

void turn_unwatch(struct batch *b)
{
	RedisModule_EventLoopDel(utmem_event_fd(b->lane.q), REDISMODULE_EVENTLOOP_READABLE);
}

/*
 * A hung host sends no error. What counts is the time in which cron itself has
 * seen requests in flight and none completed: a slow script stops cron, too.
 */
static void check_silence(struct batch *b, int64_t now)
{
	batch_reap(b);
	if (!b->nr_inflight || b->nr_completed != b->nr_completed_seen)
		b->silent_us = 0;
	else if (!b->silent_us)
		b->silent_us = now;
	else if (now - b->silent_us > (int64_t)b->opt.timeout_ms * 1000)
		batch_down(b, -ETIME);
	b->nr_completed_seen = b->nr_completed;
}

/* The attempt has ended, well or not: the next one is due a while from now. */
static void end_reconnect(struct batch *b, int64_t now)
{
	int err = reconnect_finish(&b->reconnect, &b->lane);

	if (err == -EINPROGRESS)
		return;
	b->retry_us = now + RETRY_USECS;
	if (err || turn_watch(b))
		return;
	b->down = 0;
	b->counters.nr_reconnects++;
	RedisModule_Log(NULL, "notice", "host is back");
}

/* Commands that have not been freed may have values in the lost lane. */
static void try_reconnect(struct batch *b, int64_t now)
{
	if (b->reconnect.running)
		end_reconnect(b, now);
	else if (!b->nr_live && now >= b->retry_us)
		reconnect_start(&b->reconnect, &b->lane, &b->opt);
}

static void on_cron(RedisModuleCtx *ctx, RedisModuleEvent eid, uint64_t subevent, void *data)
{
	struct batch *b = turning;

	(void)ctx;
	(void)eid;
	(void)subevent;
	(void)data;
	if (b->down)
		try_reconnect(b, clock_us());
	else
		check_silence(b, clock_us());
}

int batch_init(struct batch *b, const struct options *opt, const char **step)
{
	b->opt = *opt;
	TAILQ_INIT(&b->fresh);
	TAILQ_INIT(&b->ready);
	TAILQ_INIT(&b->inflight);
	return lane_open(&b->lane, opt, step);
}

static int hook(RedisModuleCtx *ctx)
{
	if (RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_EventLoop, on_event_loop) !=
	    REDISMODULE_OK)
		return -EOPNOTSUPP;
	if (RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_CronLoop, on_cron) !=
	    REDISMODULE_OK) {
		RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_EventLoop, NULL);
		return -EOPNOTSUPP;
	}
	return 0;
}

int batch_run(struct batch *b, RedisModuleCtx *ctx)
{
	int err = turn_watch(b);

	if (err)
		return err;
	turning = b;
	err = hook(ctx);
	if (err)
		turn_unwatch(b);
	return err;
}

int batch_exit(struct batch *b)
{
	/* A wake-up that is still queued names code of ours, as the thread does. */
	if (b->nr_live || b->woken || b->reconnect.running)
		return -EBUSY;
	if (!b->down)
		turn_unwatch(b);
	lane_close(&b->lane);
	return 0;
}
