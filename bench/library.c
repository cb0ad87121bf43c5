// SPDX-License-Identifier: MIT
/*
 * libutmem over any transport: unix (with a utmemd of its own), local, or one that
 * exists already. One queue, one pool, one thread.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/daemon.h"
#include "bench/rawclient.h"
#include "bench/stack.h"
#include "bench/target.h"
/* for the control page's NEED_KICK, which the API does not show */
#include "libutmem/internal.h"

#define SETTLE_NS 10000000000ull

struct library {
	struct target base;
	struct bench_daemon daemon;
	bool has_daemon;
	bool pause;
	bool miss_ok;
	struct utmem *u;
	struct utmem_queue *q;
	int pool;
	char *buf[BENCH_DEPTH_MAX];
	uint32_t value_len;
};

static int lib_fill(void *ctx, uint32_t slot, enum bench_op op, const struct bench_key *key)
{
	struct library *l = ctx;
	struct utmem_sqe *sqe = utmem_get_sqe(l->q);

	if (!sqe)
		return -EPROTO;
	if (op == BENCH_PUT)
		return utmem_prep_put(l->q, sqe, l->pool, key, sizeof(*key), l->buf[slot],
				      l->value_len, 0);
	return utmem_prep_get(l->q, sqe, l->pool, key, sizeof(*key), l->buf[slot], l->value_len, 0);
}

static int lib_submit(void *ctx)
{
	int n = utmem_submit(((struct library *)ctx)->q);

	return n < 0 ? n : 0;
}

static int lib_reap(void *ctx, uint32_t max)
{
	const struct utmem_cqe *cqes[64];
	struct library *l = ctx;
	int n, err = utmem_wait_cqe(l->q, cqes);

	if (err)
		return err;
	n = utmem_peek_batch_cqe(l->q, cqes, max < 64 ? max : 64);
	if (n < 0)
		return n;
	for (int i = 0; i < n && !err; i++)
		err = bench_failed(cqes[i], l->miss_ok);
	utmem_cq_advance(l->q, (unsigned int)n);
	return err ? err : n;
}

/* Until the host has said that it sleeps: nothing is in flight, so it will, unless others keep it awake. */
static int lib_settle(void *ctx)
{
	struct library *l = ctx;
	uint64_t deadline = bench_now() + SETTLE_NS;

	while (!utmem_kick_needed(l->q->svc)) {
		if (bench_now() > deadline)
			return -ETIMEDOUT;
		if (utmem_state_error(l->q->cq.page))
			return utmem_state_error(l->q->cq.page);
		sched_yield();
	}
	return 0;
}

static const struct port awake_port = {.fill = lib_fill, .submit = lib_submit, .reap = lib_reap};
static const struct port asleep_port = {
	.fill = lib_fill, .submit = lib_submit, .reap = lib_reap, .settle = lib_settle};

static int transport_open(struct library *l, const struct options *o, uint64_t items,
			  uint32_t data_len)
{
	uint64_t arena = stack_arena_len(items, o->value), window = 64 << 20;
	char local[64];
	int err;

	if (strchr(o->transport, ':'))
		return utmem_connect(&l->u, o->transport);
	if (!strcmp(o->transport, "local")) {
		snprintf(local, sizeof(local), "local:%llu", (unsigned long long)arena);
		return utmem_connect(&l->u, local);
	}
	/* a queue may have a quarter of its window */
	while (window / 4 < 2ull * data_len)
		window *= 2;
	err = daemon_start(&l->daemon, o, arena, window);
	if (err)
		return err;
	err = utmem_connect(&l->u, l->daemon.transport);
	if (err)
		daemon_stop(&l->daemon);
	else
		l->has_daemon = true;
	return err;
}

static void transport_close(struct library *l)
{
	utmem_disconnect(l->u);
	if (l->has_daemon)
		daemon_stop(&l->daemon);
}

static int queue_open(struct library *l, const struct options *o, uint32_t data_len)
{
	struct utmem_queue_params params = {
		.sq_entries = raw_entries(o->depth),
		.data_len = data_len,
	};
	int err = utmem_queue_init(l->u, &l->q, &params);

	if (err)
		return err;
	l->pool = utmem_pool_open(l->q, "bench", UTMEM_POOL_CREATE);
	err = l->pool < 0 ? l->pool : 0;
	for (uint64_t i = 0; i < o->depth && !err; i++) {
		l->buf[i] = utmem_buf_alloc(l->q, o->value ? o->value : 1);
		if (l->buf[i])
			memset(l->buf[i], 'u', o->value);
		else
			err = -ENOSPC;
	}
	if (err)
		utmem_queue_exit(l->q);
	return err;
}

static int library_open(struct target **out, const struct options *o, uint64_t items)
{
	struct library *l = calloc(1, sizeof(*l));
	uint32_t data_len = raw_data_len(o->value, o->depth) + UTMEM_PAGE;
	int err = -ENOMEM;

	if (!l)
		return err;
	l->base = target_utmem;
	l->value_len = (uint32_t)o->value;
	l->pause = o->pause;
	l->miss_ok = !strcmp(o->engine, "null");
	err = transport_open(l, o, items, data_len);
	if (err)
		goto free_library;
	err = queue_open(l, o, data_len);
	if (err)
		goto close_transport;
	*out = &l->base;
	return 0;

close_transport:
	transport_close(l);
free_library:
	fprintf(stderr, "utmem-bench: --transport %s: %s\n", o->transport, strerror(-err));
	free(l);
	return err;
}

static void library_close(struct target *t)
{
	struct library *l = (struct library *)t;

	utmem_pool_destroy(l->q, l->pool);
	for (uint32_t i = 0; i < BENCH_DEPTH_MAX; i++)
		utmem_buf_free(l->q, l->buf[i]);
	utmem_queue_exit(l->q);
	transport_close(l);
	free(l);
}

/* Ends with our own host asleep, so that it does not spin beside the floor's round. */
static int library_run(struct target *t, const struct load *load, struct result *out)
{
	struct library *l = (struct library *)t;
	int err;

	if (l->pause)
		err = drive(&asleep_port, l, load, out);
	else
		err = drive(&awake_port, l, load, out);
	return !err && l->has_daemon ? lib_settle(l) : err;
}

static uint64_t library_doorbells(struct target *t)
{
	struct utmem_stats stats = {0};

	utmem_queue_stats(((struct library *)t)->q, &stats);
	return stats.doorbells;
}

const struct target target_utmem = {
	.name = "utmem",
	.open = library_open,
	.close = library_close,
	.run = library_run,
	.doorbells = library_doorbells,
};
