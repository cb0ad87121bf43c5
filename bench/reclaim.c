// SPDX-License-Identifier: MIT
/*
 * `utmem-bench reclaim`: how long it takes from the command until 1 GiB of ephemeral values
 * is memory of the host again, and how long others wait meanwhile; against the kernel's own
 * time for as much memory of the same kind.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/drive.h"
#include "bench/report.h"
#include "bench/resident.h"
#include "bench/scenario.h"
#include "bench/stack.h"

#define WANTED_BYTES (1ull << 30)
#define STORED_BYTES (WANTED_BYTES + WANTED_BYTES / 4)
#define ARENA_BYTES (2ull << 30)
#define VALUE_DEFAULT 4096u /* where --value is left at its default */
#define VALUE_MAX (1u << 20)
/* As utmemd does it: work between two looks at the clock, and how long one slice takes. */
#define UNIT_BYTES (64u << 10)
#define SLICE_NS 500000u

struct measured {
	uint64_t items, value;
	struct utmem_reclaim r;
	uint64_t ns, worst_ns; /* all of it; the longest slice */
	uint64_t resident_before, resident_after;
	uint64_t floor_ns, floor_bytes; /* the kernel's */
};

static int fill(struct stack *s, struct measured *m)
{
	struct utmem_pool_spec spec = {.name = "bench", .create = true, .kind.ephemeral = true};
	const struct utmem_engine_ops *ops = utmem_ops(s->engine);
	char *value = malloc(m->value + 1);
	struct utmem_pool *pool;
	bool readonly = false;
	int err = value ? ops->pool_open(s->tenant, s->tenant, &spec, &pool, &readonly) : -ENOMEM;

	if (err)
		goto free_value;
	memset(value, 'u', m->value + 1);
	for (uint64_t i = 0; i < m->items && !err; i++) {
		struct bench_key bytes = bench_key(i);
		struct utmem_key key = {.data = &bytes, .len = sizeof(bytes)};

		key.hash = ops->hash(s->engine, key.data, key.len);
		err = ops->put(pool, &key, value, (uint32_t)m->value, UTMEM_PUT_ALWAYS);
	}
	ops->pool_close(pool);
free_value:
	free(value);
	return err;
}

/* Slices, as between the turns of a daemon. */
static void reclaim(struct stack *s, struct measured *m)
{
	uint64_t begin = bench_now(), start, now = begin;
	bool more = true;

	m->r.bytes = WANTED_BYTES;
	while (more) {
		start = now;
		do {
			more = utmem_ops(s->engine)->reclaim(s->engine, &m->r, UNIT_BYTES);
			now = bench_now();
		} while (more && now - start < SLICE_NS);
		if (now - start > m->worst_ns)
			m->worst_ns = now - start;
	}
	m->ns = now - begin;
}

/* As much memory of the same kind, touched and given back in one call. */
static int measure_floor(struct measured *m)
{
	struct utmem_memory memory;
	uint64_t before, begin;
	int err = utmem_memory_open(&memory, WANTED_BYTES, 1);

	if (err)
		return err;
	memset(memory.arena, 'u', WANTED_BYTES);
	before = resident_bytes();
	begin = bench_now();
	memory.release(memory.ctx, 0, WANTED_BYTES);
	m->floor_ns = bench_now() - begin;
	m->floor_bytes = before - resident_bytes();
	utmem_memory_close(&memory);
	return 0;
}

static int measure(struct measured *m)
{
	struct stack s;
	int err = measure_floor(m);

	if (!err)
		err = stack_open(&s, "pool", ARENA_BYTES);
	if (err)
		return err;
	err = fill(&s, m);
	if (!err) {
		m->resident_before = resident_bytes();
		reclaim(&s, m);
		m->resident_after = resident_bytes();
	}
	stack_close(&s);
	return err;
}

static double mib_per_second(uint64_t bytes, uint64_t ns)
{
	return (double)bytes / (1 << 20) / ((double)ns / 1e9);
}

static void print_json(const struct measured *m)
{
	const struct {
		const char *name;
		double value;
	} numbers[] = {
		{"value", (double)m->value},
		{"items", (double)m->items},
		{"bytes", (double)m->r.released_bytes},
		{"seconds", (double)m->ns / 1e9},
		{"mib_per_second", mib_per_second(m->r.released_bytes, m->ns)},
		{"released_bytes", (double)(m->resident_before - m->resident_after)},
		{"dropped_bytes", (double)m->r.dropped_bytes},
		{"worst_pause_us", (double)m->worst_ns / 1e3},
		{"floor_bytes", (double)m->floor_bytes},
		{"floor_seconds", (double)m->floor_ns / 1e9},
		{"floor_mib_per_second", mib_per_second(m->floor_bytes, m->floor_ns)},
	};
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "scenario", "reclaim");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cJSON_AddNumberToObject(object, numbers[i].name, numbers[i].value);
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

static void print_text(const struct measured *m)
{
	printf("%llu ephemeral values of %llu bytes in an arena of %llu MiB\n",
	       (unsigned long long)m->items, (unsigned long long)m->value, ARENA_BYTES >> 20);
	printf("gave back %llu bytes in %.3f s (%.0f MiB/s), %llu of them values; resident memory "
	       "fell by %llu bytes\n",
	       (unsigned long long)m->r.released_bytes, (double)m->ns / 1e9,
	       mib_per_second(m->r.released_bytes, m->ns), (unsigned long long)m->r.dropped_bytes,
	       (unsigned long long)(m->resident_before - m->resident_after));
	printf("worst pause for others %.0f us (slices of %u us)\n", (double)m->worst_ns / 1e3,
	       SLICE_NS / 1000);
	printf("floor: the kernel alone gives back %llu bytes in %.3f s\n",
	       (unsigned long long)m->floor_bytes, (double)m->floor_ns / 1e9);
}

static int run(const struct options *o)
{
	struct measured m = {.value = o->value == OPTIONS_VALUE_DEFAULT ? VALUE_DEFAULT : o->value};
	int err = -E2BIG;

	/* 24 bytes and the key beside each value */
	m.items = STORED_BYTES / (m.value + BENCH_KEY_LEN + 24);
	if (m.value <= VALUE_MAX)
		err = measure(&m);
	if (err) {
		fprintf(stderr, "utmem-bench: reclaim: %s\n", strerror(-err));
		return 1;
	}
	if (o->json)
		print_json(&m);
	else
		print_text(&m);
	return 0;
}

const struct scenario scenario_reclaim = {
	.name = "reclaim",
	.summary = "time until 1 GiB of ephemeral values is the host's memory again",
	.run = run,
};
