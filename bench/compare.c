// SPDX-License-Identifier: MIT
/*
 * Loads yardstick and system with the same keys, then lets them take turns, and prints
 * medians. Called by scenarios, on the main thread; neither spins while the other
 * is measured.
 */
#include "bench/compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/report.h"

#define ROUNDS_MAX 1000u
#define LOADED_BYTES (256ull << 20) /* of values, when --items does not say */
#define ITEMS_DEFAULT 100000u

struct comparison {
	const char *scenario;
	const struct options *o;
	uint64_t items;
	struct target *yardstick;
	struct target *system; /* NULL: the yardstick alone is shown */
};

static uint64_t nr_items(const struct options *o)
{
	uint64_t n = LOADED_BYTES / (o->value + 1);

	if (o->items)
		return o->items;
	return n > ITEMS_DEFAULT ? ITEMS_DEFAULT : n;
}

static int preload(struct target *t, const struct comparison *c)
{
	struct load load = {
		.op = BENCH_PUT,
		.depth = (uint32_t)c->o->depth,
		.batch = (uint32_t)c->o->batch,
		.items = c->items,
		.requests = c->items,
		.in_order = true,
	};
	struct result ignored = {0};

	if (c->o->pause)
		load.depth = load.batch;
	return t->run(t, &load, &ignored);
}

static struct load round_load(const struct options *o, enum bench_op op, uint64_t items)
{
	return (struct load){
		.op = op,
		.depth = (uint32_t)(o->pause ? o->batch : o->depth),
		.batch = (uint32_t)o->batch,
		.items = items,
		.requests = o->requests,
		.ns = o->requests ? 0 : o->seconds * 1000000000u / o->rounds,
	};
}

/* What the rounds of one target gave. */
struct series {
	double mops[ROUNDS_MAX];
	uint32_t rounds;
	uint64_t requests;
	struct histogram latency;
};

static int run_round(struct target *t, const struct load *load, struct series *s)
{
	struct result result = {0};
	int err = t->run(t, load, &result);

	if (err)
		return err;
	s->mops[s->rounds++] = (double)result.requests * 1000 / (double)(result.ns + !result.ns);
	s->requests += result.requests;
	histogram_merge(&s->latency, &result.latency);
	return 0;
}

static uint64_t doorbells(struct target *t)
{
	return t && t->doorbells ? t->doorbells(t) : 0;
}

static int measure(const struct comparison *c, enum bench_op op, const char *op_name)
{
	static struct series yardstick, system;
	struct series *shown = c->system ? &system : &yardstick;
	struct load load = round_load(c->o, op, c->items);
	uint64_t bells = doorbells(c->system);
	struct row row = {.scenario = c->scenario,
			  .op = op_name,
			  .o = c->o,
			  .yardstick_name = c->yardstick->name};
	int err = 0;

	memset(&yardstick, 0, sizeof(yardstick));
	memset(&system, 0, sizeof(system));
	if (op == BENCH_GET && options_pack(c->o)) /* what nobody has touched for long */
		c->system->pack(c->system);
	for (uint32_t i = 0; i < c->o->rounds && !err; i++) {
		err = run_round(c->yardstick, &load, &yardstick);
		if (!err && c->system)
			err = run_round(c->system, &load, &system);
	}
	if (err)
		return err;
	row.doorbells_per_op = (double)(doorbells(c->system) - bells) / (double)(shown->requests);
	row.rounds = shown->rounds;
	row.latency = &shown->latency;
	row.mops = spread_of(shown->mops, shown->rounds);
	row.yardstick = spread_of(yardstick.mops, yardstick.rounds);
	row.stored_ratio = options_pack(c->o) ? c->system->stored_ratio(c->system) : 0;
	report_row(&row);
	return 0;
}

static int measure_all(const struct comparison *c)
{
	int err = preload(c->yardstick, c);

	if (!err && c->system)
		err = preload(c->system, c);
	if (!err && options_have(c->o->ops, "put", 3))
		err = measure(c, BENCH_PUT, "put");
	if (!err && options_have(c->o->ops, "get", 3))
		err = measure(c, BENCH_GET, "get");
	if (!err && options_have(c->o->ops, "mix", 3))
		err = measure(c, BENCH_MIX, "mix");
	return err;
}

int compare(const char *scenario, const struct options *o, const struct target *yardstick,
	    const struct target *system)
{
	struct comparison c = {.scenario = scenario, .o = o, .items = nr_items(o)};
	int err;

	if (options_pack(o) && !(system && system->pack)) {
		fprintf(stderr, "utmem-bench: --compress, --dedup: not with %s\n", scenario);
		return 1;
	}
	if (yardstick->open(&c.yardstick, o, c.items))
		return 1;
	if (system && system->open(&c.system, o, c.items)) {
		c.yardstick->close(c.yardstick);
		return 1;
	}
	err = measure_all(&c);
	if (err)
		fprintf(stderr, "utmem-bench: a request failed: %s\n", strerror(-err));
	if (c.system)
		c.system->close(c.system);
	c.yardstick->close(c.yardstick);
	return err ? 1 : 0;
}
