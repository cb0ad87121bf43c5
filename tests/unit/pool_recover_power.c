// SPDX-License-Identifier: MIT
/*
 * Power is lost under a durable arena: of every sector, or piece of one, an older version is
 * found than of its neighbour. What can be read is some value that the key had once, whole;
 * the rest is dropped and counted, and the engine goes on.
 */
#include "pool_fixture.h"

#define ARENA (2 * MIB)
#define QUOTA (16 * MIB)
#define NR_POOLS 3u /* the last one is ephemeral */
#define NR_KEYS 60u
#define NR_VERSIONS 6u
#define OPS_PER_VERSION 250u
#define VALUE_MAX (30u * KIB)
#define SECTOR 512u

/* How every value begins. */
struct label {
	uint32_t pool, key, len, no;
};

struct world {
	struct fixture f, heir;
	struct fixture version[NR_VERSIONS]; /* memory, without an engine */
	struct utmem_pool *pools[NR_POOLS];
	uint64_t random;
	uint32_t no;
	uint64_t nr_read, nr_torn;
	uint8_t want[VALUE_MAX], got[VALUE_MAX];
};

static uint32_t pick(struct world *w, uint32_t n)
{
	return (uint32_t)(next_random(&w->random) % n);
}

static void pool_name(char name[16], uint32_t i)
{
	snprintf(name, 16, "pool%u", i);
}

static void open_pools(struct world *w, struct fixture *f)
{
	char name[16];
	uint32_t i;

	for (i = 0; i < NR_POOLS; i++) {
		pool_name(name, i);
		w->pools[i] = open_pool(f, name, i == NR_POOLS - 1);
	}
}

static void make_value(uint8_t *to, const struct label *l)
{
	fill_value(to, l->len, ((uint64_t)l->pool << 48) + ((uint64_t)l->key << 32) + l->no);
	memcpy(to, l, sizeof(*l));
}

static void do_put(struct world *w, struct fixture *f, uint32_t i, uint32_t no)
{
	struct label l = {.pool = i, .key = no, .no = ++w->no};
	struct utmem_stream *s;
	char key[16];

	l.len = sizeof(l) + (pick(w, 8) ? pick(w, 500) : pick(w, VALUE_MAX - sizeof(l)));
	make_value(w->want, &l);
	snprintf(key, sizeof(key), "key%u", no);
	if (pick(w, 10)) {
		put(f, w->pools[i], key, w->want, l.len);
		return;
	}
	if (stream_begin(f, w->pools[i], key, l.len, &s))
		return;
	assert_int_equal(f->ops->stream_append(s, w->want, l.len / 2), 0);
	assert_int_equal(f->ops->stream_append(s, w->want + l.len / 2, l.len - l.len / 2), 0);
	if (!pick(w, 4)) /* some are never ended */
		return;
	if (f->ops->stream_commit(s, UTMEM_PUT_ALWAYS))
		f->ops->stream_abort(s);
}

/* A pool whose name, and later whose store's id, goes to another one. */
static void do_replace(struct world *w, struct fixture *f, uint32_t i)
{
	char name[16];

	pool_name(name, i);
	assert_int_equal(f->ops->pool_destroy(w->pools[i]), 0);
	f->ops->pool_close(w->pools[i]);
	w->pools[i] = open_pool(f, name, i == NR_POOLS - 1);
}

static void step(struct world *w, struct fixture *f)
{
	uint32_t i = pick(w, NR_POOLS), no = pick(w, NR_KEYS), what = pick(w, 1000);
	char key[16];

	snprintf(key, sizeof(key), "key%u", no);
	if (what < 700)
		do_put(w, f, i, no);
	else if (what < 900)
		del(f, w->pools[i], key);
	else if (what < 915)
		assert_int_equal(f->ops->flush(w->pools[i]), 0);
	else if (what < 920)
		do_replace(w, f, i);
	else
		f->ops->maintain(f->engine, 64 * KIB);
}

static void look_at(struct world *w, struct fixture *f, uint32_t i, uint32_t no)
{
	struct utmem_get_result out;
	struct label l;
	char key[16];

	snprintf(key, sizeof(key), "key%u", no);
	if (get(f, w->pools[i], key, 0, w->got, VALUE_MAX, &out))
		return;
	assert_true(out.value_len >= sizeof(l));
	memcpy(&l, w->got, sizeof(l));
	assert_int_equal(l.pool, i);
	assert_int_equal(l.key, no);
	assert_int_equal(l.len, out.value_len);
	make_value(w->want, &l);
	assert_memory_equal(w->want, w->got, l.len);
	w->nr_read++;
}

static void look(struct world *w, struct fixture *f)
{
	uint32_t i, no;

	for (i = 0; i < NR_POOLS; i++)
		for (no = 0; no < NR_KEYS; no++)
			look_at(w, f, i, no);
}

/* Pieces of @len bytes (0: of any length) from versions at random. */
static void mix(struct world *w, uint8_t *to, bool meta, size_t total, uint32_t len)
{
	size_t at, n;
	uint32_t v;

	for (at = 0; at < total; at += n) {
		n = len ? len : 1 + pick(w, 3000);
		n = n < total - at ? n : total - at;
		/* mostly the newest: else nothing would be left */
		v = pick(w, 4) ? NR_VERSIONS - 1 : pick(w, NR_VERSIONS);
		memcpy(to + at,
		       (uint8_t *)(meta ? w->version[v].stock.meta : w->version[v].stock.arena) +
			       at,
		       n);
	}
}

static void lose_power(struct world *w, uint32_t piece)
{
	struct utmem_recovery r;
	uint32_t n;

	mix(w, w->heir.stock.arena, false, ARENA, piece);
	mix(w, w->heir.stock.meta, true, fixture_meta_used(&w->version[NR_VERSIONS - 1]), piece);
	fixture_start(&w->heir, QUOTA);
	w->heir.ops->recovery(w->heir.engine, &r);
	w->nr_torn += r.nr_torn;
	open_pools(w, &w->heir);
	look(w, &w->heir);
	check_but_reserve(&w->heir);
	w->heir.ops->streams_settle(w->heir.engine);
	for (n = 0; n < 100; n++)
		step(w, &w->heir);
	look(w, &w->heir);
	check_but_reserve(&w->heir);
	fixture_reopen(&w->heir, QUOTA);
	open_pools(w, &w->heir);
	look(w, &w->heir);
	check_but_reserve(&w->heir);
	w->heir.ops->close(w->heir.engine);
	assert_int_equal(w->heir.heap_bytes, 0);
}

static void run(uint32_t piece, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	uint32_t v, n;

	assert_non_null(w);
	w->random = seed;
	fixture_open_lasting(&w->f, ARENA, QUOTA, true);
	fixture_map(&w->heir, ARENA, true);
	open_pools(w, &w->f);
	for (v = 0; v < NR_VERSIONS; v++) {
		for (n = 0; n < OPS_PER_VERSION * (v ? 1 : 4); n++)
			step(w, &w->f);
		fixture_map(&w->version[v], ARENA, true);
		fixture_copy(&w->version[v], &w->f);
	}
	for (n = 0; n < 60; n++)
		lose_power(w, piece);
	print_message("seed %lu: %lu values read, %lu torn\n", (unsigned long)seed,
		      (unsigned long)w->nr_read, (unsigned long)w->nr_torn);
	assert_true(w->nr_read > 1000);
	assert_true(w->nr_torn > 100);
	for (v = 0; v < NR_VERSIONS; v++)
		fixture_unmap(&w->version[v]);
	fixture_unmap(&w->heir);
	fixture_close(&w->f);
	free(w);
}

static void pages_of_several_ages_give_no_torn_value(void **state)
{
	(void)state;
	run(4096, 1);
	run(4096, 2);
}

static void sectors_of_several_ages_give_no_torn_value(void **state)
{
	(void)state;
	run(SECTOR, 3);
	run(SECTOR, 4);
}

static void bytes_of_several_ages_give_no_torn_value(void **state)
{
	(void)state;
	run(0, 5);
	run(0, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_several_ages_give_no_torn_value),
		cmocka_unit_test(sectors_of_several_ages_give_no_torn_value),
		cmocka_unit_test(bytes_of_several_ages_give_no_torn_value),
	};

	return run_with_and_without_read(tests);
}
