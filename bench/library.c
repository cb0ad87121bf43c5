// SPDX-License-Identifier: MIT
/*
 * libutmem over any transport: unix (with a utmemd of its own), local, or one that
 * exists already. One queue, one pool, one thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/daemon.h"
#include "bench/lane.h"
#include "bench/stack.h"
#include "bench/target.h"

struct library {
	struct target base;
	struct bench_daemon daemon;
	bool has_daemon;
	bool pause;
	struct utmem *u;
	struct lane lane;
};

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

static int library_open(struct target **out, const struct options *o, uint64_t items)
{
	static const struct utmem_queue_params defaults;
	struct library *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l)
		return err;
	l->base = target_utmem;
	l->pause = o->pause;
	err = transport_open(l, o, items, lane_data_len(o->value, o->depth));
	if (err)
		goto free_library;
	err = lane_open(&l->lane, l->u, &defaults, o->value, o->depth);
	if (err)
		goto close_transport;
	l->lane.miss_ok = !strcmp(o->engine, "null");
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

	utmem_pool_destroy(l->lane.q, l->lane.pool);
	lane_close(&l->lane);
	transport_close(l);
	free(l);
}

/* Ends with our own host asleep, so that it does not spin beside the floor's round. */
static int library_run(struct target *t, const struct load *load, struct result *out)
{
	struct library *l = (struct library *)t;
	int err;

	if (l->pause)
		err = drive(&lane_port_asleep, &l->lane, load, out);
	else
		err = drive(&lane_port, &l->lane, load, out);
	return !err && l->has_daemon ? lane_settle(&l->lane) : err;
}

static uint64_t library_doorbells(struct target *t)
{
	struct utmem_stats stats = {0};

	utmem_queue_stats(((struct library *)t)->lane.q, &stats);
	return stats.doorbells;
}

const struct target target_utmem = {
	.name = "utmem",
	.open = library_open,
	.close = library_close,
	.run = library_run,
	.doorbells = library_doorbells,
};
