// SPDX-License-Identifier: MIT
/*
 * `utmem-bench density`: bytes per small item; and after a pool's arena was churned ten
 * times over with values of all sizes, how much of it lives, and how much slower puts are
 * than where nothing has to be cleaned. One thread.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "bench/memory.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/stack.h"

#define ARENA (1024ull << 20)
/* Without cleaning: the same keys, in an arena that is not full when the puts are over. */
#define ROOMY (2048ull << 20)
#define ROOMY_CHURN (1024ull << 20)
#define CHURN 10u /* times the arena */
#define TURN 32u  /* puts between two calls of maintain */
#define MAINTAIN_BYTES (64u << 10)

#define SIZE_MIN 32u
#define SIZE_OCTAVES 11u /* 32 B .. 64 KiB */
#define SIZE_LAST (SIZE_MIN << SIZE_OCTAVES)

enum { STORE, CACHE, NR_POOLS };

/*
 * What is churned: so many keys in each pool, chosen evenly. Values of 8.6 KiB in the mean:
 * alone, the store's and the cache's are more than there is room for. Mixed, two fifths of
 * the arena are the store's and stay; nine puts of ten go to the cache. The last one's ratios
 * are the headline; a store alone, overwritten evenly while it is as full as can be, is
 * the worst that can happen to a log.
 */
static const struct shape {
	const char *name;
	uint64_t keys[NR_POOLS];
} shapes[] = {
	{"persistent", {160000, 0}},
	{"ephemeral", {0, 480000}},
	{"mixed", {50000, 400000}},
};
#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

struct churn {
	struct stack stack;
	struct utmem_pool *pool[NR_POOLS];
	const struct shape *shape;
	uint64_t random;
	uint64_t puts, bytes, ns; /* of values that were stored */
};

struct outcome {
	double live_ratio;     /* live records / arena */
	double churn_ratio;    /* puts in a second: cleaning / not cleaning */
	double put_ns, copied; /* copied by the cleaner, for each byte put */
};

static int pools_open(struct churn *c)
{
	static const char *const names[] = {[STORE] = "store", [CACHE] = "cache"};
	const struct utmem_engine_ops *ops = utmem_ops(c->stack.engine);
	bool readonly;
	int err = 0;

	for (int i = 0; i < NR_POOLS && !err; i++) {
		struct utmem_pool_spec spec = {
			.name = names[i], .create = true, .kind.ephemeral = i == CACHE};

		err = ops->pool_open(c->stack.tenant, c->stack.tenant, &spec, &c->pool[i],
				     &readonly);
	}
	return err;
}

/* Pages are there before anything is timed: faults are no part of this. */
static int churn_open(struct churn *c, const struct options *o, const struct shape *shape,
		      uint64_t arena)
{
	int err = stack_open(&c->stack, o->engine, arena);

	if (err)
		return err;
	madvise(c->stack.memory.arena, arena, MADV_POPULATE_WRITE);
	c->shape = shape;
	c->random = 1;
	err = pools_open(c);
	if (err)
		stack_close(&c->stack);
	return err;
}

/* As many values between 32 and 64 bytes as between 32 and 64 KiB. */
static uint32_t pick_len(uint64_t *random)
{
	uint64_t r = bench_random(random);
	uint32_t low = SIZE_MIN << (r >> 32) % SIZE_OCTAVES;

	return low + (uint32_t)r % low;
}

static int put(struct churn *c, const char *value)
{
	const uint64_t *keys = c->shape->keys;
	uint64_t item = (bench_random(&c->random) >> 8) % (keys[STORE] + keys[CACHE]);
	const struct utmem_engine_ops *ops = utmem_ops(c->stack.engine);
	struct bench_key bytes = bench_key(item);
	struct utmem_key key = {.data = &bytes, .len = sizeof(bytes)};
	uint32_t len = pick_len(&c->random);
	int err;

	key.hash = ops->hash(c->stack.engine, key.data, key.len);
	err = ops->put(c->pool[item < keys[STORE] ? STORE : CACHE], &key, value, len,
		       UTMEM_PUT_ALWAYS);
	if (err == -ENOSPC) /* the old value is gone, and the next one finds room */
		return 0;
	c->puts++;
	c->bytes += len;
	return err;
}

/* Puts of @bytes in all. */
static int churn(struct churn *c, uint64_t bytes)
{
	static char value[SIZE_LAST];
	uint64_t begin;
	int err = 0;

	memset(value, 'u', sizeof(value));
	c->puts = c->bytes = 0;
	begin = bench_now();
	while (c->bytes < bytes && !err) {
		for (uint32_t i = 0; i < TURN && !err; i++)
			err = put(c, value);
		utmem_ops(c->stack.engine)->maintain(c->stack.engine, MAINTAIN_BYTES);
	}
	c->ns = bench_now() - begin;
	return err;
}

static int roomy_put_ns(const struct options *o, const struct shape *shape, double *out)
{
	struct churn c;
	int err = churn_open(&c, o, shape, ROOMY);

	if (err)
		return err;
	err = churn(&c, ROOMY_CHURN / 4);
	if (!err)
		err = churn(&c, ROOMY_CHURN);
	*out = (double)c.ns / (double)c.puts;
	stack_close(&c.stack);
	return err;
}

static int measure(const struct options *o, const struct shape *shape, struct outcome *out)
{
	struct utmem_engine_stat before, after;
	const struct utmem_engine_ops *ops;
	double roomy;
	struct churn c;
	int err = roomy_put_ns(o, shape, &roomy);

	if (!err)
		err = churn_open(&c, o, shape, ARENA);
	if (err)
		return err;
	ops = utmem_ops(c.stack.engine);
	err = churn(&c, 2 * ARENA);
	ops->stat(c.stack.engine, &before);
	if (!err)
		err = churn(&c, CHURN * ARENA);
	ops->stat(c.stack.engine, &after);
	out->put_ns = (double)c.ns / (double)c.puts;
	out->churn_ratio = roomy / out->put_ns;
	out->live_ratio = (double)after.live_bytes / (double)ARENA;
	out->copied = (double)(after.nr_cleaned_bytes - before.nr_cleaned_bytes) / (double)c.bytes;
	stack_close(&c.stack);
	return err;
}

static void print_json(const struct options *o, const struct memory_cost *c,
		       const struct outcome *out)
{
	const struct outcome *headline = &out[NR_SHAPES - 1];
	cJSON *object = cJSON_CreateObject(), *shape;

	cJSON_AddStringToObject(object, "scenario", "density");
	cJSON_AddStringToObject(object, "engine", o->engine);
	cJSON_AddNumberToObject(object, "bytes_per_item", c->resident);
	cJSON_AddNumberToObject(object, "bytes_per_item_charged", c->charged);
	cJSON_AddNumberToObject(object, "live_ratio", headline->live_ratio);
	cJSON_AddNumberToObject(object, "churn_ratio", headline->churn_ratio);
	for (size_t i = 0; i < NR_SHAPES; i++) {
		shape = cJSON_AddObjectToObject(object, shapes[i].name);
		cJSON_AddNumberToObject(shape, "live_ratio", out[i].live_ratio);
		cJSON_AddNumberToObject(shape, "churn_ratio", out[i].churn_ratio);
		cJSON_AddNumberToObject(shape, "put_ns", out[i].put_ns);
		cJSON_AddNumberToObject(shape, "copied_per_byte", out[i].copied);
	}
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

static void print_text(const struct options *o, const struct memory_cost *c,
		       const struct outcome *out)
{
	printf("engine %s, %llu items of %llu bytes: %.1f bytes per item beyond key and value "
	       "resident, %.1f charged\n",
	       o->engine, (unsigned long long)c->items, (unsigned long long)c->value, c->resident,
	       c->charged);
	printf("%llu MiB churned %u times with values of %u bytes to %u KiB:\n", ARENA >> 20, CHURN,
	       SIZE_MIN, SIZE_LAST >> 10);
	printf("%-11s %10s %11s %9s %15s\n", "pools", "live ratio", "churn ratio", "ns/put",
	       "copied per byte");
	for (size_t i = 0; i < NR_SHAPES; i++)
		printf("%-11s %10.3f %11.3f %9.0f %15.2f\n", shapes[i].name, out[i].live_ratio,
		       out[i].churn_ratio, out[i].put_ns, out[i].copied);
}

static int run(const struct options *o)
{
	struct outcome out[NR_SHAPES] = {0};
	struct memory_cost cost;
	int err = memory_measure(o, &cost);

	for (size_t i = 0; i < NR_SHAPES && !err; i++)
		err = measure(o, &shapes[i], &out[i]);
	if (err) {
		fprintf(stderr, "utmem-bench: density: %s\n", strerror(-err));
		return 1;
	}
	if (o->json)
		print_json(o, &cost, out);
	else
		print_text(o, &cost, out);
	return 0;
}

const struct scenario scenario_density = {
	.name = "density",
	.summary = "how densely an arena is used after much churn, and what that costs",
	.run = run,
};
