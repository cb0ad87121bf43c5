// SPDX-License-Identifier: MIT
/*
 * `utmem-bench recover`: how long a process takes to find everything again that another
 * one, which died, had in an arena. Processes of their own for each round, so that no page
 * of it is mapped yet. The yardstick of the same run is one that maps the arena and reads a
 * byte of each page; and what is not the machine's, but the engine's, is opening it again.
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
#include "guest/ring/utmem_abi.h"
#include "host/pool/memory.h"

#define VALUE_DEFAULT 1000u /* a million of them are a GiB */
#define ARENA_SPARE_PART 4u
#define ROUNDS_MAX 1000u /* as of --rounds */

enum time { MAP, OPEN, AGAIN, TOUCH, NR_TIMES };
static const char *const time_names[NR_TIMES] = {"map_ms", "open_ms", "again_ms", "touch_ms"};

/* Shared with the processes that find out. */
struct found {
	double ms[NR_TIMES];
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
static int fill(int fd, const struct memory_cost *c, struct found *out)
{
	struct utmem_pool_spec spec = {.name = "bench", .create = true};
	const struct utmem_engine_ops *ops = &utmem_engine_pool;
	struct utmem_memory memory;
	struct utmem_engine *e;
	struct utmem_tenant *t;
	struct utmem_pool *pool;
	bool readonly;
	int err = utmem_memory_map(&memory, fd, arena_len(c->items, c->value), 1);

	if (!err)
		err = ops->open(&e, &memory);
	if (!err)
		err = ops->tenant_add(e, "bench", memory.arena_len, &t);
	if (!err)
		err = ops->pool_open(t, t, &spec, &pool, &readonly);
	(void)out;
	return err ? err : put_all(e, pool, c->items, c->value);
}

static double ms_since(uint64_t *begin)
{
	uint64_t before = *begin;

	*begin = bench_now();
	return (double)(*begin - before) / 1e6;
}

static void touch(const struct utmem_memory *memory, uint64_t bytes)
{
	volatile const char *arena = memory->arena;

	for (uint64_t i = 0; i < bytes; i += UTMEM_PAGE)
		(void)arena[i];
}

static int find(int fd, const struct memory_cost *c, struct found *out)
{
	const struct utmem_engine_ops *ops = &utmem_engine_pool;
	uint64_t begin = bench_now();
	struct utmem_memory memory;
	struct utmem_engine *e;
	int err = utmem_memory_map(&memory, fd, arena_len(c->items, c->value), 1);

	out->ms[MAP] = ms_since(&begin);
	if (!err)
		err = ops->open(&e, &memory);
	out->ms[OPEN] = ms_since(&begin);
	if (err)
		return err;
	ops->recovery(e, &out->recovery);
	ops->close(e);
	begin = bench_now();
	err = ops->open(&e, &memory);
	out->ms[AGAIN] = ms_since(&begin);
	return err;
}

static int find_pages(int fd, const struct memory_cost *c, struct found *out)
{
	struct utmem_memory memory;
	uint64_t begin;
	int err = utmem_memory_map(&memory, fd, arena_len(c->items, c->value), 1);

	begin = bench_now();
	if (!err)
		touch(&memory, out->recovery.bytes);
	out->ms[TOUCH] = ms_since(&begin);
	return err;
}

/* In a process of its own. Return: what @f does. */
static int in_child(int (*f)(int fd, const struct memory_cost *c, struct found *out), int fd,
		    const struct memory_cost *c, struct found *out)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		out->err = f(fd, c, out);
		_exit(0);
	}
	out->err = -ECHILD;
	if (waitpid(pid, NULL, 0) != pid)
		return -errno;
	return out->err;
}

static void print_json(const struct options *o, const struct memory_cost *c, const struct found *f,
		       const struct spread *t)
{
	cJSON *object = cJSON_CreateObject();
	char name[32];

	cJSON_AddStringToObject(object, "scenario", "recover");
	cJSON_AddNumberToObject(object, "items", (double)f->recovery.nr_items);
	cJSON_AddNumberToObject(object, "value", (double)c->value);
	cJSON_AddNumberToObject(object, "bytes", (double)f->recovery.bytes);
	for (int i = 0; i < NR_TIMES; i++) {
		cJSON_AddNumberToObject(object, time_names[i], t[i].median);
		snprintf(name, sizeof(name), "%s_min", time_names[i]);
		cJSON_AddNumberToObject(object, name, t[i].min);
		snprintf(name, sizeof(name), "%s_max", time_names[i]);
		cJSON_AddNumberToObject(object, name, t[i].max);
	}
	cJSON_AddNumberToObject(object, "rounds", (double)o->rounds);
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

static void print_text(const struct options *o, const struct memory_cost *c, const struct found *f,
		       const struct spread *t)
{
	printf("%llu items of %llu bytes, %.2f GiB alive, found after the death of their process;\n"
	       "medians of %llu rounds (min-max), ms\n",
	       (unsigned long long)f->recovery.nr_items, (unsigned long long)c->value,
	       (double)f->recovery.bytes / (1 << 30), (unsigned long long)o->rounds);
	for (int i = 0; i < NR_TIMES; i++)
		printf("%-9s %8.1f (%.1f-%.1f)\n", time_names[i], t[i].median, t[i].min, t[i].max);
}

static int measure(const struct options *o, const struct memory_cost *c, int fd, struct found *f)
{
	static double ms[NR_TIMES][ROUNDS_MAX];
	struct spread spread[NR_TIMES];
	uint32_t i, n = (uint32_t)o->rounds;
	int t, err = in_child(fill, fd, c, f);

	for (i = 0; i < n && !err; i++) {
		err = in_child(find, fd, c, f);
		if (!err)
			err = in_child(find_pages, fd, c, f);
		for (t = 0; t < NR_TIMES; t++)
			ms[t][i] = f->ms[t];
	}
	if (!err && f->recovery.nr_items != c->items)
		err = -EBADMSG;
	if (err)
		return err;
	for (t = 0; t < NR_TIMES; t++)
		spread[t] = spread_of(ms[t], n);
	(o->json ? print_json : print_text)(o, c, f, spread);
	return 0;
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
