// SPDX-License-Identifier: MIT
/*
 * Owns every request between its start and its end: feeds the ring, submits once
 * a turn, reaps, waits. Called by commands.c and by turn.c, on Redis' main thread.
 */
#include <errno.h>

#include "redis-module/batch.h"
#include "redis-module/errors.h"
#include "redis-module/turn.h"

#define REAP_MAX 64 /* completions looked at in one go */

static void start_next(struct batch *b, struct command *c);

static bool is_error(int err)
{
	return err && err != -ENOENT && err != -EEXIST;
}

/* @r is in no list (or held). The last one of a command answers its client. */
static void finish(struct batch *b, struct request *r)
{
	struct command *c = r->command;

	b->counters.nr_errors += is_error(r->err);
	if (error_is_down(r->err))
		b->lost = r->err;
	if (--c->nr_left) {
		if (c->one_by_one)
			start_next(b, c);
		return;
	}
	if (c->bc)
		RedisModule_UnblockClient(c->bc, c);
}

static struct request *first_waiting(struct batch *b, struct request_list **list)
{
	*list = TAILQ_EMPTY(&b->ready) ? &b->fresh : &b->ready;
	return TAILQ_FIRST(*list);
}

/* Into the ring with what waits, in order; requests that are half done go first. */
void batch_feed(struct batch *b)
{
	struct request_list *list;
	struct request *r;

	while (!b->down && (r = first_waiting(b, &list))) {
		if (request_prepare(r, &b->lane)) {
			/* No room, and nobody who could make some: the ring has ended. */
			if (!b->nr_inflight)
				batch_down(b, -ECONNRESET);
			return;
		}
		TAILQ_REMOVE(list, r, link);
		b->nr_fresh -= list == &b->fresh;
		TAILQ_INSERT_TAIL(&b->inflight, r, link);
		b->nr_inflight++;
	}
}

static void start_request(struct batch *b, struct command *c)
{
	struct request *r = &c->reqs[c->nr_started++];

	request_start(r, &b->lane);
	TAILQ_INSERT_TAIL(&b->fresh, r, link);
	b->nr_fresh++;
}

/* Of a command whose requests go one by one. When the host is down, the rest ends here. */
static void start_next(struct batch *b, struct command *c)
{
	if (!b->down) {
		start_request(b, c);
		return;
	}
	while (c->nr_started < c->nr) {
		c->reqs[c->nr_started++].err = b->down;
		c->nr_left--;
	}
	if (c->bc)
		RedisModule_UnblockClient(c->bc, c);
}

void batch_start(struct batch *b, struct command *c)
{
	do
		start_request(b, c);
	while (!c->one_by_one && c->nr_started < c->nr);
	batch_feed(b);
	if (b->nr_fresh) {
		b->counters.nr_queued += c->nr_started < b->nr_fresh ? c->nr_started : b->nr_fresh;
		if (b->nr_fresh > b->counters.nr_queued_max)
			b->counters.nr_queued_max = b->nr_fresh;
	}
	turn_needed(b);
}

static void fail_list(struct batch *b, struct request_list *list)
{
	struct request *r;

	while ((r = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, r, link);
		/* The host may still write there: the data area goes with the queue, whole. */
		r->buf = NULL;
		r->err = b->down;
		finish(b, r);
	}
}

void batch_down(struct batch *b, int err)
{
	if (b->down)
		return;
	b->down = err;
	b->retry_us = 0;
	b->silent_us = 0;
	b->counters.nr_downs++;
	turn_unwatch(b);
	RedisModule_Log(NULL, "warning", "host is down (%d requests in flight): %s",
			(int)b->nr_inflight, error_text(err));
	fail_list(b, &b->inflight);
	fail_list(b, &b->ready);
	fail_list(b, &b->fresh);
	b->nr_inflight = 0;
	b->nr_fresh = 0;
	b->lost = 0; /* which the requests that failed just now have set */
}

int batch_submit(struct batch *b)
{
	int rc = 0;

	if (b->down)
		return b->down;
	if (b->lane.nr_prepared) {
		b->lane.nr_prepared = 0;
		rc = utmem_flush(b->lane.q);
	}
	if (rc < 0)
		batch_down(b, rc);
	return b->down;
}

/*
 * Completions come in order, so the oldest request is the one that this is about. What
 * the host wrote as user_data is compared and never followed. False: it lied.
 */
static bool digest(struct batch *b, const struct utmem_cqe *cqe)
{
	struct request *r = TAILQ_FIRST(&b->inflight);

	if (!r || utmem_cqe_get_data(cqe) != r)
		return false;
	TAILQ_REMOVE(&b->inflight, r, link);
	b->nr_inflight--;
	if (request_digest(r, &b->lane, cqe))
		finish(b, r);
	else
		TAILQ_INSERT_TAIL(&b->ready, r, link);
	return true;
}

int batch_reap(struct batch *b)
{
	const struct utmem_cqe *cqes[REAP_MAX];
	int nr, sum = 0;

	if (b->down)
		return 0;
	while ((nr = utmem_peek_batch_cqe(b->lane.q, cqes, REAP_MAX)) > 0) {
		for (int i = 0; i < nr; i++) {
			if (!digest(b, cqes[i])) {
				batch_down(b, -EPROTO);
				return sum;
			}
		}
		utmem_cq_advance(b->lane.q, (unsigned int)nr);
		sum += nr;
	}
	b->nr_completed += (unsigned int)sum;
	if (nr < 0 && nr != -EAGAIN)
		batch_down(b, nr);
	else if (b->lost)
		batch_down(b, b->lost);
	return sum;
}

void batch_wait(struct batch *b, struct command *c)
{
	int64_t timeout_ns = (int64_t)b->opt.timeout_ms * 1000000;
	const struct utmem_cqe *cqe;
	int rc;

	while (c->nr_left) {
		batch_feed(b);
		if (batch_submit(b))
			break;
		rc = utmem_wait_cqe_timeout(b->lane.q, &cqe, timeout_ns);
		if (rc < 0 && rc != -EINTR && rc != -EAGAIN) {
			batch_down(b, rc);
			break;
		}
		batch_reap(b);
	}
}

/* Requests wait, and none has been completed since the last cron tick. */
static bool seems_to_hang(const struct batch *b)
{
	return b->nr_inflight && b->nr_completed == b->nr_completed_seen;
}

const struct utmem_pool_stat *batch_pool_stat(struct batch *b)
{
	int err;

	if (b->down)
		b->pool_stat = (struct utmem_pool_stat){0};
	if (b->down || seems_to_hang(b))
		return &b->pool_stat;
	err = utmem_pool_stat(b->lane.q, b->lane.pool, &b->pool_stat);
	if (error_is_down(err))
		b->lost = err;
	return &b->pool_stat;
}
