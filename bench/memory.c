// SPDX-License-Identifier: MIT
/*
 * `utmem-bench memory`: what an item costs beyond its key and value, as charged and as
 * resident. density.c asks the same.
 */
#include "bench/memory.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#include "bench/report.h"
#include "bench/resident.h"
#include "bench/scenario.h"
#include "bench/stack.h"

#define VALUE_MAX (64u << 10)

static int fill(struct utmem_pool *pool, struct utmem_engine *engine, const struct memory_cost *c)
{
	static char value[VALUE_MAX];
	const struct utmem_engine_ops *ops = utmem_ops(engine);

	memset(value, 'u', sizeof(value));
	for (uint64_t i = 0; i < c->items; i++) {
		struct bench_key bytes = bench_key(i);
		struct utmem_key key = {.data = &bytes, .len = sizeof(bytes)};
		int err;

		key.hash = ops->hash(engine, key.data, key.len);
		err = ops->put(pool, &key, value, (uint32_t)c->value, UTMEM_PUT_ALWAYS);
		if (err)
			return err;
	}
	return 0;
}

static int measure(struct stack *s, struct memory_cost *c, uint64_t resident_before)
{
	struct utmem_pool_spec spec = {.name = "bench", .create = true};
	const struct utmem_engine_ops *ops = utmem_ops(s->engine);
	struct utmem_pool_counters pool_counters;
	struct utmem_engine_stat engine_stat;
	double items = (double)c->items, payload = (double)(c->value + BENCH_KEY_LEN);
	struct utmem_pool *pool;
	bool readonly = false;
	int err = ops->pool_open(s->tenant, s->tenant, &spec, &pool, &readonly);

	if (err)
		return err;
	err = fill(pool, s->engine, c);
	if (!err) {
		ops->pool_stat(pool, &pool_counters);
		ops->stat(s->engine, &engine_stat);
		c->charged = (double)pool_counters.used_bytes / items - payload;
		c->resident = (double)(resident_bytes() - resident_before) / items - payload;
		c->index = (double)engine_stat.index_bytes / items;
	}
	ops->pool_close(pool);
	return err;
}

static void print_json(const struct options *o, const struct memory_cost *c)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "scenario", "memory");
	cJSON_AddStringToObject(object, "engine", o->engine);
	cJSON_AddNumberToObject(object, "items", (double)c->items);
	cJSON_AddNumberToObject(object, "key", BENCH_KEY_LEN);
	cJSON_AddNumberToObject(object, "value", (double)c->value);
	cJSON_AddNumberToObject(object, "charged_beyond_payload", c->charged);
	cJSON_AddNumberToObject(object, "resident_beyond_payload", c->resident);
	cJSON_AddNumberToObject(object, "index_bytes_per_item", c->index);
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

static void print_text(const struct options *o, const struct memory_cost *c)
{
	printf("engine %s, %llu items of %u-byte keys and %llu-byte values; bytes per item beyond "
	       "key and value:\n",
	       o->engine, (unsigned long long)c->items, BENCH_KEY_LEN,
	       (unsigned long long)c->value);
	printf("charged  %6.1f\nresident %6.1f  (of which index and other private memory: %.1f)\n",
	       c->charged, c->resident, c->index);
}

int memory_measure(const struct options *o, struct memory_cost *c)
{
	uint64_t before = resident_bytes();
	struct stack s;
	int err;

	c->items = o->items ? o->items : MEMORY_ITEMS_DEFAULT;
	c->value = o->value == OPTIONS_VALUE_DEFAULT ? MEMORY_VALUE_DEFAULT : o->value;
	if (c->value > VALUE_MAX)
		return -E2BIG;
	err = stack_open(&s, o->engine, stack_arena_len(c->items, c->value));
	if (err)
		return err;
	err = measure(&s, c, before);
	stack_close(&s);
	return err;
}

static int run(const struct options *o)
{
	struct memory_cost c;
	int err = memory_measure(o, &c);

	if (err) {
		fprintf(stderr, "utmem-bench: memory: %s\n", strerror(-err));
		return 1;
	}
	if (o->json)
		print_json(o, &c);
	else
		print_text(o, &c);
	return 0;
}

const struct scenario scenario_memory = {
	.name = "memory",
	.summary = "bytes per item beyond key and value, as charged and as resident",
	.run = run,
};
