// SPDX-License-Identifier: MIT
/*
 * A client's life: random requests on all of its queues, a sweep over all of its keys when
 * the killer asks for one, and now and then a pool opened and closed. Its own thread.
 */
#include "tests/crash/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct length_class lengths[NR_LENGTHS] = {
	[SMALL] = {180, 300},
	[MEDIUM] = {70, 8u << 10},
	[LONG] = {10, 60u << 10},
	[HUGE] = {2, 3u << 20}, /* in chunks, and only in parts */
};

#define BURST 16u /* requests of one submit, at most */
#define FIRST_HUGE (NR_KEYS - 2)

/* ---- opening ---- */

static void entries_init(struct client_queue *q, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < NR_KEYS; i++) {
		q->entries[i].value.key = id << 32 | i;
		q->entries[i].ephemeral = i % 4 == 3 && i < FIRST_HUGE;
	}
}

static int queue_open(struct client *c, uint32_t no)
{
	struct utmem_queue_params params = {.sq_entries = DEPTH, .data_len = DATA_LEN};
	struct client_queue *q = &c->queues[no];
	int err = utmem_queue_init(c->u, &q->q, &params);

	if (err)
		return err;
	q->client = c;
	entries_init(q, c->no * NR_QUEUES + no + 1);
	q->store = utmem_pool_open(q->q, "store", UTMEM_POOL_CREATE);
	q->cache = utmem_pool_open(q->q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	if (q->store < 0)
		return q->store;
	return q->cache < 0 ? q->cache : 0;
}

static int client_open(struct client *c)
{
	int err = utmem_connect(&c->u, c->run->transport);
	uint32_t i;

	for (i = 0; i < NR_QUEUES && !err; i++)
		err = queue_open(c, i);
	return err;
}

static void client_close(struct client *c)
{
	for (uint32_t i = 0; i < NR_QUEUES; i++)
		utmem_queue_exit(c->queues[i].q);
	utmem_disconnect(c->u);
}

/* ---- load ---- */

static enum put_if pick_condition(struct client *c)
{
	return pick(c, 3) ? PUT_ALWAYS : (enum put_if)pick(c, 3);
}

static bool random_request(struct client_queue *q)
{
	struct client *c = q->client;
	struct entry *e = &q->entries[pick(c, FIRST_HUGE)];
	uint32_t what = pick(c, 100);

	if (what < 40)
		return request_put(q, e, pick_condition(c));
	if (what < 60)
		return request_read(q, e, pick(c, 3) ? 0 : pick(c, entry_max(e) + 1));
	if (what < 70)
		return request_simple(q, e, OP_DEL);
	if (what < 80)
		return request_simple(q, e, OP_GETDEL);
	if (what < 85)
		return request_simple(q, e, OP_EXISTS);
	e = &q->entries[FIRST_HUGE + pick(c, NR_KEYS - FIRST_HUGE)];
	if (what < 98)
		return request_parts(q, e);
	if (what < 99)
		return request_read(q, e, pick(c, entry_max(e)));
	return request_simple(q, e, OP_DEL);
}

static void burst(struct client_queue *q)
{
	uint32_t n = 1 + pick(q->client, BURST);

	while (n-- && random_request(q))
		;
	requests_submit(q);
	requests_reap(q, pick(q->client, DEPTH));
}

static void drain(struct client *c)
{
	for (uint32_t i = 0; i < NR_QUEUES; i++)
		requests_reap(&c->queues[i], 0);
}

static void race(struct client *c)
{
	struct client_queue *a = &c->queues[0], *b = &c->queues[1];
	struct entry *e = &a->entries[pick(c, FIRST_HUGE)];

	drain(c);
	request_put(a, e, PUT_ALWAYS);
	requests_submit(a);
	requests_reap(a, 0);
	requests_race(a, b, e);
}

/* Requests that do not go through a queue's ring, beside what is in flight there. */
static void open_and_close(struct client_queue *q)
{
	struct utmem_pool_stat st;
	int pool, err;

	if (q->dead)
		return;
	pool = utmem_pool_open(q->q, "store", 0);
	if (pool < 0)
		return journal_failed("utmem_pool_open", pool);
	err = utmem_pool_stat(q->q, pool, &st);
	if (err)
		journal_failed("utmem_pool_stat", err);
	err = utmem_pool_close(q->q, pool);
	if (err)
		journal_failed("utmem_pool_close", err);
}

static void work(struct client *c)
{
	for (uint32_t i = 0; i < NR_QUEUES; i++)
		burst(&c->queues[i]);
	if (!pick(c, 32))
		race(c);
	if (!pick(c, 64))
		open_and_close(&c->queues[pick(c, NR_QUEUES)]);
}

/* ---- sweep: every key, whole ---- */

static void sweep_entry(struct client_queue *q, struct entry *e)
{
	uint32_t off = 0;

	do {
		while (!q->dead && !request_read(q, e, off)) {
			requests_submit(q);
			requests_reap(q, q->nr / 2);
		}
		off += BUF_MAX;
	} while (!q->dead && e->there && off < e->value.len);
}

static void sweep(struct client *c)
{
	uint32_t i, k;

	drain(c);
	for (i = 0; i < NR_QUEUES; i++)
		for (k = 0; k < NR_KEYS; k++)
			sweep_entry(&c->queues[i], &c->queues[i].entries[k]);
	for (i = 0; i < NR_QUEUES; i++)
		requests_submit(&c->queues[i]);
	drain(c);
}

/* ---- life ---- */

static bool dead(const struct client *c)
{
	for (uint32_t i = 0; i < NR_QUEUES; i++)
		if (c->queues[i].dead)
			return true;
	return false;
}

static void live(struct client *c)
{
	uint32_t swept = 0, asked;

	while (!dead(c) && !run_load(&c->run->stop)) {
		work(c);
		asked = run_load(&c->run->sweep);
		if (asked == swept)
			continue;
		sweep(c);
		swept = asked;
		__atomic_store_n(&c->run->swept[c->no], swept, __ATOMIC_RELEASE);
		run_ring(c->run);
		run_wait_hold(c->run);
	}
	drain(c);
}

void *client_main(void *arg)
{
	const struct client_start *start = arg;
	struct client *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return NULL;
	c->run = start->run;
	c->no = start->no;
	c->random = c->run->seed * NR_CLIENTS + c->no;
	err = client_open(c);
	if (err) {
		journal_failed("a client's start", err);
		run_ring(c->run);
	} else {
		live(c);
	}
	client_close(c);
	free(c);
	return NULL;
}
