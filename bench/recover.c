// SPDX-License-Identifier: MIT
/*
 * `utmem-bench recover`: how long a process takes to find everything again that another
 * one, which died, had in an arena: mapping, then open. Processes of their own, for each
 * round, so that no page of it is mapped yet.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/memory.h"
#include "bench/report.h"
#include "bench/scenario.h"
#include "host/pool/memory.h"

#define VALUE_DEFAULT 1000u /* a million of them are a GiB */
#define ARENA_SPARE_PART 4u
#define ROUNDS_MAX 1000u /* as of --rounds */

struct found {
	double ms[2]; /* map, open */
	struct utmem_recovery recovery;
	int err;
};

static uint64_t arena_len(uint64_t items, uint64_t value)
{
	uint64_t len = items * (value + 64);

	return len + len / ARENA_SPARE_PART + (64 << 20);
}

static int put_all(struct utmem_engine *e, struct utmem_pool *pool, uint64_t items, uint64_t value)
{
	const struct utmem_engine_ops *ops = utmem_ops(e);
	char *buf = calloc(1, value + 1);
	int err = buf ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < items && !err; i++) {
		struct bench_key bytes = bench_key(i);
		struct utmem_key key = {.data = &bytes, .len = sizeof(bytes)};

		key.hash = ops->hash(e, key.data, key.len);
		err = ops->put(pool, &key, buf, (uint32_t)value, UTMEM_PUT_ALWAYS);
	}
	free(buf);
	return err;
}

/* In a process that then ends without a word to the engine. */
static int fill(int fd, uint64_t items, uint64_t value)
{
	struct utmem_pool_spec spec = {.name = "bench", .create = true};
	const struct utmem_engine_ops *ops = &utmem_engine_pool;
	struct utmem_memory memory;
	struct utmem_engine *e;
	struct utmem_tenant *t;
	struct utmem_pool *pool;
	bool readonly;
	int err = utmem_memory_map(&memory, fd, arena_len(items, value), 1);

	if (!err)
		err = ops->open(&e, &memory);
	if (!err)
		err = ops->tenant_add(e, "bench", memory.arena_len, &t);
	if (!err)
		err = ops->pool_open(t, t, &spec, &pool, &readonly);
	return err ? err : put_all(e, pool, items, value);
}

static void find(int fd, uint64_t len, struct found *out)
{
	struct utmem_memory memory;
	struct utmem_engine *e;
	uint64_t begin = bench_now(), mapped;

	out->err = utmem_memory_map(&memory, fd, len, 1);
	mapped = bench_now();
	if (!out->err)
		out->err = utmem_engine_pool.open(&e, &memory);
	out->ms[0] = (double)(mapped - begin) / 1e6;
	out->ms[1] = (double)(bench_now() - mapped) / 1e6;
	if (!out->err)
		utmem_engine_pool.recovery(e, &out->recovery);
}

/* Return: 0 or -errno of what @fill or @find said in a process of its own. */
static int in_child(int fd, const struct memory_cost *c, struct found *found)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		if (found->recovery.found)
			find(fd, arena_len(c->items, c->value), found);
		else
			found->err = fill(fd, c->items, c->value);
		_exit(0);
	}
	if (waitpid(pid, NULL, 0) != pid)
		return -errno;
	return found->err;
}

static void print(const struct options *o, const struct memory_cost *c, const struct found *f,
		  struct spread map, struct spread open)
{
	cJSON *object;

	if (!o->json) {
		printf("%llu items of %llu bytes, %.2f GiB alive, found after the death of their "
		       "process;\nmedians of %llu rounds (min-max)\n",
		       (unsigned long long)f->recovery.nr_items, (unsigned long long)c->value,
		       (double)f->recovery.bytes / (1 << 30), (unsigned long long)o->rounds);
		printf("map  %7.1f ms (%.1f-%.1f)\nopen %7.1f ms (%.1f-%.1f)\n", map.median,
		       map.min, map.max, open.median, open.min, open.max);
		return;
	}
	object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "scenario", "recover");
	cJSON_AddNumberToObject(object, "items", (double)f->recovery.nr_items);
	cJSON_AddNumberToObject(object, "value", (double)c->value);
	cJSON_AddNumberToObject(object, "bytes", (double)f->recovery.bytes);
	cJSON_AddNumberToObject(object, "map_ms", map.median);
	cJSON_AddNumberToObject(object, "open_ms", open.median);
	cJSON_AddNumberToObject(object, "open_ms_min", open.min);
	cJSON_AddNumberToObject(object, "open_ms_max", open.max);
	cJSON_AddNumberToObject(object, "rounds", (double)o->rounds);
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

static int measure(const struct options *o, const struct memory_cost *c, int fd, struct found *f)
{
	double map[ROUNDS_MAX], open[ROUNDS_MAX];
	uint32_t i, n = (uint32_t)o->rounds;
	int err = in_child(fd, c, f);

	f->recovery.found = true;
	for (i = 0; i < n && !err; i++) {
		err = in_child(fd, c, f);
		map[i] = f->ms[0];
		open[i] = f->ms[1];
	}
	if (!err && f->recovery.nr_items != c->items)
		err = -EBADMSG;
	if (!err)
		print(o, c, f, spread_of(map, n), spread_of(open, n));
	return err;
}

static int run(const struct options *o)
{
	struct memory_cost c = {.items = o->items ? o->items : MEMORY_ITEMS_DEFAULT,
				.value = o->value == OPTIONS_VALUE_DEFAULT ? VALUE_DEFAULT
									   : o->value};
	struct found *f =
		mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("utmem-bench", MFD_CLOEXEC), err;

	err = fd < 0 || f == MAP_FAILED ? -errno : measure(o, &c, fd, f);
	if (err)
		fprintf(stderr, "utmem-bench: recover: %s\n", strerror(-err));
	return err ? 1 : 0;
}

const struct scenario scenario_recover = {
	.name = "recover",
	.summary = "how long an engine takes to find everything after the death of its process",
	.run = run,
};
