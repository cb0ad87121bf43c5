// SPDX-License-Identifier: MIT
/*
 * `utmem-bench evict`: hit ratios of a cache that is too small, under a Zipf trace: the
 * engine's two ways of eviction against random eviction and a plain FIFO that hold as many
 * values. All see the same requests; a miss is followed by a put.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/drive.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/stack.h"

#define ITEMS_DEFAULT 400000u
#define VALUE_DEFAULT 300u /* where --value is left at its default */
#define VALUE_MAX 4096u
#define CACHE_PART 10u	      /* of all items fit */
#define REQUESTS_PER_ITEM 10u /* the first half warms up */
#define NONE UINT32_MAX
#define BATCH 32u

/* ---- the trace ---- */

struct trace {
	uint32_t items;
	uint64_t requests;
	double *sum; /* [items]: probability of that item or one before it */
	uint64_t random;
};

static int trace_open(struct trace *t, uint32_t items, uint64_t requests, double skew)
{
	double total = 0;

	*t = (struct trace){.items = items, .requests = requests};
	t->sum = malloc(items * sizeof(*t->sum));
	if (!t->sum)
		return -ENOMEM;
	for (uint32_t i = 0; i < items; i++)
		t->sum[i] = total += pow(i + 1, -skew);
	for (uint32_t i = 0; i < items; i++)
		t->sum[i] /= total;
	return 0;
}

static void trace_restart(struct trace *t)
{
	t->random = 42;
}

static uint32_t trace_next(struct trace *t)
{
	double p = (double)(bench_random(&t->random) >> 11) / (double)(1ull << 53);
	uint32_t low = 0, high = t->items - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->sum[mid] < p)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- the engine ---- */

struct subject {
	struct stack s;
	struct utmem_pool *pool;
	uint32_t value;
	int error;
};

static int subject_open(struct subject *u, uint64_t arena_len, uint64_t quota, uint32_t value)
{
	struct utmem_pool_spec spec = {.name = "bench", .create = true, .kind.ephemeral = true};
	bool readonly = false;
	int err = stack_open(&u->s, "pool", arena_len);

	if (err)
		return err;
	u->value = value;
	u->error = 0;
	utmem_ops(u->s.engine)->tenant_quota(u->s.tenant, quota);
	err = utmem_ops(u->s.engine)
		      ->pool_open(u->s.tenant, u->s.tenant, &spec, &u->pool, &readonly);
	if (err)
		stack_close(&u->s);
	return err;
}

static bool subject_request(struct subject *u, uint32_t item)
{
	static const char value[VALUE_MAX];
	const struct utmem_engine_ops *ops = utmem_ops(u->s.engine);
	struct bench_key bytes = bench_key(item);
	struct utmem_key key = {.data = &bytes, .len = sizeof(bytes)};
	struct utmem_get_result got;

	key.hash = ops->hash(u->s.engine, key.data, key.len);
	if (!ops->get(u->pool, &key, 0, NULL, 0, &got))
		return true;
	if (ops->put(u->pool, &key, value, u->value, UTMEM_PUT_ALWAYS))
		u->error = -ENOSPC;
	return false;
}

static double subject_run(struct subject *u, struct trace *t)
{
	uint64_t hits = 0;

	trace_restart(t);
	for (uint64_t i = 0; i < t->requests; i++) {
		hits += subject_request(u, trace_next(t)) && i >= t->requests / 2;
		if (i % BATCH == 0)
			utmem_ops(u->s.engine)->maintain(u->s.engine, 256u << 10);
	}
	return (double)hits / ((double)t->requests / 2);
}

/* ---- what it is compared with ---- */

struct simulated {
	uint32_t capacity, used, hand;
	bool random; /* who goes; else the oldest */
	uint64_t state;
	uint32_t *slot_of; /* [items]; NONE: not there */
	uint32_t *item_of; /* [capacity] */
};

static bool simulated_request(struct simulated *c, uint32_t item)
{
	uint32_t slot;

	if (c->slot_of[item] != NONE)
		return true;
	if (c->used < c->capacity) {
		slot = c->used++;
	} else {
		slot = c->random ? (uint32_t)(bench_random(&c->state) % c->capacity)
				 : c->hand++ % c->capacity;
		c->slot_of[c->item_of[slot]] = NONE;
	}
	c->item_of[slot] = item;
	c->slot_of[item] = slot;
	return false;
}

/* Return: the hit ratio, or -1 when there is no memory. */
static double simulated_run(struct trace *t, uint32_t capacity, bool random)
{
	struct simulated c = {.capacity = capacity, .random = random, .state = 7};
	uint64_t hits = 0;

	c.slot_of = malloc(t->items * sizeof(uint32_t));
	c.item_of = malloc(capacity * sizeof(uint32_t));
	if (c.slot_of && c.item_of) {
		memset(c.slot_of, 0xff, t->items * sizeof(uint32_t));
		trace_restart(t);
		for (uint64_t i = 0; i < t->requests; i++)
			hits += simulated_request(&c, trace_next(t)) && i >= t->requests / 2;
	}
	free(c.slot_of);
	free(c.item_of);
	return c.slot_of && c.item_of ? (double)hits / ((double)t->requests / 2) : -1;
}

/* ---- rows ---- */

struct ratios {
	double skew;
	uint64_t capacity;
	double arena, quota, random, fifo;
};

/* Short of arena, then, with as many bytes, short of quota. */
static int run_engine(struct trace *t, struct ratios *r, uint32_t value)
{
	uint64_t bytes = (uint64_t)t->items / CACHE_PART * (value + BENCH_KEY_LEN + 24);
	struct utmem_pool_counters counters;
	struct subject u;
	int err = subject_open(&u, bytes * 8 / 7, UINT64_MAX, value);

	if (err)
		return err;
	r->arena = subject_run(&u, t);
	utmem_ops(u.pool)->pool_stat(u.pool, &counters);
	r->capacity = counters.nr_items;
	err = u.error;
	stack_close(&u.s);
	if (!err)
		err = subject_open(&u, bytes * 4, counters.used_bytes, value);
	if (err)
		return err;
	r->quota = subject_run(&u, t);
	err = u.error;
	stack_close(&u.s);
	return err;
}

static int measure(struct ratios *r, uint32_t items, uint64_t requests, uint32_t value)
{
	struct trace t;
	int err = trace_open(&t, items, requests, r->skew);

	if (err)
		return err;
	err = run_engine(&t, r, value);
	if (!err) {
		r->random = simulated_run(&t, (uint32_t)r->capacity, true);
		r->fifo = simulated_run(&t, (uint32_t)r->capacity, false);
		err = r->random < 0 || r->fifo < 0 ? -ENOMEM : 0;
	}
	free(t.sum);
	return err;
}

static void print_row(const struct options *o, const struct ratios *r)
{
	cJSON *object;

	if (!o->json) {
		printf("%5.2f %9llu %8.4f %8.4f %8.4f %8.4f %14.3f\n", r->skew,
		       (unsigned long long)r->capacity, r->arena, r->quota, r->random, r->fifo,
		       r->arena / r->random);
		return;
	}
	object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "scenario", "evict");
	cJSON_AddNumberToObject(object, "skew", r->skew);
	cJSON_AddNumberToObject(object, "held", (double)r->capacity);
	cJSON_AddNumberToObject(object, "hits_arena", r->arena);
	cJSON_AddNumberToObject(object, "hits_quota", r->quota);
	cJSON_AddNumberToObject(object, "hits_random", r->random);
	cJSON_AddNumberToObject(object, "hits_fifo", r->fifo);
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

static int run(const struct options *o)
{
	static const double skews[] = {0.7, 0.9, 1.0, 1.2};
	uint64_t items = o->items ? o->items : ITEMS_DEFAULT;
	uint64_t requests = o->requests ? o->requests : items * REQUESTS_PER_ITEM;
	uint64_t value = o->value == OPTIONS_VALUE_DEFAULT ? VALUE_DEFAULT : o->value;

	if (value > VALUE_MAX || items < 1000 || items > NONE - 1) {
		fprintf(stderr, "utmem-bench: evict: --value up to %u, --items from 1000\n",
			VALUE_MAX);
		return 2;
	}
	if (!o->json)
		printf("# %llu items of %llu bytes, %llu requests; share of hits in the second "
		       "half\n%5s %9s %8s %8s %8s %8s %14s\n",
		       (unsigned long long)items, (unsigned long long)value,
		       (unsigned long long)requests, "zipf", "held", "arena", "quota", "random",
		       "fifo", "arena/random");
	for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
		struct ratios r = {.skew = skews[i]};
		int err = measure(&r, (uint32_t)items, requests, (uint32_t)value);

		if (err) {
			fprintf(stderr, "utmem-bench: evict: %s\n", strerror(-err));
			return 1;
		}
		print_row(o, &r);
	}
	return 0;
}

const struct scenario scenario_evict = {
	.name = "evict",
	.summary = "hit ratios of ephemeral pools against random eviction and FIFO",
	.run = run,
};
