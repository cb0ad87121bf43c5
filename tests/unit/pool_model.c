// SPDX-License-Identifier: MIT
/*
 * The engine against a trivial model: random operations on persistent and ephemeral
 * pools of two tenants, in an arena that is too small for all of them; with values as they
 * come, and with every way to store them in less, changed all the time.
 */
#include "pool_fixture.h"

#define NR_TENANTS 2u
#define NR_POOLS 2u /* of each tenant: persistent, ephemeral */
#define NR_KEYS 300u
#define NR_OPS 200000u
#define VALUE_MAX (96u * KIB)

struct model_value {
	bool there;
	uint32_t len, version;
	uint64_t seed;
};

struct model_pool {
	struct utmem_pool *pool;
	bool ephemeral;
	struct model_value value[NR_KEYS];
};

struct model {
	struct fixture f;
	struct utmem_tenant *tenants[NR_TENANTS];
	struct model_pool pools[NR_TENANTS * NR_POOLS];
	uint64_t random, seed, op;
	uint64_t nr_refused, nr_missed, nr_packed, nr_shared;
	bool options;			      /* values are packed and shared, now and then */
	struct utmem_key_hint hints[NR_KEYS]; /* of some pool, from some time ago */
	uint8_t want[VALUE_MAX], got[VALUE_MAX];
};

static uint32_t pick(struct model *m, uint32_t n)
{
	return (uint32_t)(next_random(&m->random) % n);
}

static struct utmem_key name_key(struct model *m, uint32_t no)
{
	static char keys[NR_KEYS][64];

	/* lengths 5 .. 45 */
	snprintf(keys[no], sizeof(keys[no]), "k%04u%.*s", no, (int)(no % 41),
		 "........................................");
	return make_key(&m->f, keys[no], (uint32_t)strlen(keys[no]));
}

/* It may come with a hint; sometimes that is a new one. */
static struct utmem_key pick_key(struct model *m, uint32_t no)
{
	struct utmem_pool *p = m->pools[pick(m, NR_TENANTS * NR_POOLS)].pool;
	struct utmem_key key = name_key(m, no);

	key.hint = m->hints[no];
	if (!pick(m, 4)) {
		m->f.ops->prefetch_index(p, &key);
		if (pick(m, 4))
			m->f.ops->prefetch_record(p, &key, pick(m, 300));
	}
	m->hints[no] = key.hint;
	return key;
}

/* Mostly small, some long, a few in chunks. */
static uint32_t pick_len(struct model *m)
{
	switch (pick(m, 32)) {
	case 0:
		return 0;
	case 1:
		return pick(m, VALUE_MAX);
	case 2 ... 7:
		return pick(m, 4 * KIB);
	default:
		return pick(m, 300);
	}
}

/* Contents of which there are many: equal values have equal lengths. */
static const uint32_t common_len[] = {0, 255, 256, 300, 1000, 3000, 4000, 20000};

enum content { CONTENT_RANDOM, CONTENT_TEXT, CONTENT_COMMON, CONTENT_COMMON_TEXT, NR_CONTENTS };

static uint32_t pick_content_len(struct model *m)
{
	uint64_t kind = m->seed % NR_CONTENTS;

	if (!m->options || kind < CONTENT_COMMON)
		return pick_len(m);
	return common_len[m->seed / NR_CONTENTS % (sizeof(common_len) / sizeof(common_len[0]))];
}

static void fill_text(uint8_t *buf, uint32_t len, uint64_t seed)
{
	char word[32];
	uint32_t i, n = (uint32_t)snprintf(word, sizeof(word), "value %lu, ", (unsigned long)seed);

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)word[i % n];
}

static void fill_want(struct model *m, uint32_t len, uint64_t seed)
{
	uint64_t kind = m->options ? seed % NR_CONTENTS : CONTENT_RANDOM;

	if (kind >= CONTENT_COMMON)
		seed = seed / NR_CONTENTS % (sizeof(common_len) / sizeof(common_len[0]));
	if (kind == CONTENT_TEXT || kind == CONTENT_COMMON_TEXT)
		fill_text(m->want, len, seed);
	else
		fill_value(m->want, len, seed);
}

static void model_set(struct model *m, struct model_value *v, uint32_t len)
{
	v->there = true;
	v->len = len;
	v->seed = m->seed;
	v->version = UINT32_MAX; /* not yet seen */
}

static void check_get(struct model *m, struct model_pool *p, uint32_t no)
{
	struct utmem_key key = pick_key(m, no);
	struct model_value *v = &p->value[no];
	uint32_t off = v->len && pick(m, 2) ? pick(m, v->len + 2) : 0, n;
	struct utmem_get_result out;
	int err = m->f.ops->get(p->pool, &key, off, m->got, VALUE_MAX, &out);

	if (err) {
		assert_int_equal(err, -ENOENT);
		assert_true(!v->there || p->ephemeral);
		m->nr_missed += v->there;
		v->there = false;
		return;
	}
	assert_true(v->there);
	assert_int_equal(out.value_len, v->len);
	if (v->version != UINT32_MAX)
		assert_int_equal(out.version, v->version);
	v->version = out.version;
	n = off < v->len ? v->len - off : 0;
	fill_want(m, v->len, v->seed);
	assert_memory_equal(m->got, m->want + off, n);
}

/* Is it there? Where the model cannot know (an ephemeral value), it is told. */
static bool there(struct model *m, struct model_pool *p, uint32_t no)
{
	if (p->ephemeral && p->value[no].there)
		check_get(m, p, no);
	return p->value[no].there;
}

static void after_put(struct model *m, struct model_pool *p, uint32_t no, uint32_t len,
		      enum utmem_put_if cond, bool was, int err)
{
	if (cond == UTMEM_PUT_IF_ABSENT && was) {
		assert_int_equal(err, -EEXIST);
	} else if (cond == UTMEM_PUT_IF_PRESENT && !was) {
		assert_int_equal(err, -ENOENT);
	} else if (err) {
		assert_int_equal(err, -ENOSPC);
		p->value[no].there = false; /* put-put-get */
		m->nr_refused++;
	} else {
		model_set(m, &p->value[no], len);
	}
}

static void do_put(struct model *m, struct model_pool *p, uint32_t no)
{
	struct utmem_key key = pick_key(m, no);
	enum utmem_put_if cond = pick(m, 4) ? UTMEM_PUT_ALWAYS : pick(m, 3);
	bool was = there(m, p, no);
	uint32_t len;

	m->seed++;
	len = pick_content_len(m);
	fill_want(m, len, m->seed);
	after_put(m, p, no, len, cond, was, m->f.ops->put(p->pool, &key, m->want, len, cond));
}

static void do_stream(struct model *m, struct model_pool *p, uint32_t no)
{
	struct utmem_key key = pick_key(m, no);
	uint32_t len, done, part;
	const struct utmem_engine_ops *ops = m->f.ops;
	struct utmem_stream *s;
	bool was;
	int err;

	m->seed++;
	len = pick_content_len(m);
	fill_want(m, len, m->seed);
	err = ops->stream_begin(p->pool, &key, len, &s);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		p->value[no].there = false;
		m->nr_refused++;
		return;
	}
	for (done = 0; done < len; done += part) {
		part = 1 + pick(m, len - done);
		assert_int_equal(ops->stream_append(s, m->want + done, part), 0);
	}
	if (!pick(m, 4)) {
		ops->stream_abort(s);
		return;
	}
	was = there(m, p, no);
	err = ops->stream_commit(s, UTMEM_PUT_IF_ABSENT);
	if (err)
		ops->stream_abort(s);
	after_put(m, p, no, len, UTMEM_PUT_IF_ABSENT, was, err);
}

static void do_del(struct model *m, struct model_pool *p, uint32_t no)
{
	struct utmem_key key = pick_key(m, no);
	bool was = there(m, p, no);

	assert_int_equal(m->f.ops->del(p->pool, &key), was ? 0 : -ENOENT);
	p->value[no].there = false;
}

static void do_flush(struct model *m, struct model_pool *p)
{
	uint32_t no;

	assert_int_equal(m->f.ops->flush(p->pool), 0);
	for (no = 0; no < NR_KEYS; no++)
		p->value[no].there = false;
}

/* Other options, or none; then a pause in which what is cold is looked for. */
static void do_options(struct model *m, struct model_pool *p)
{
	struct utmem_pool_options o = {.compress = pick(m, 3), .dedup = pick(m, 2)};
	struct utmem_pool_counters c;
	uint32_t i;

	if (!m->options)
		return;
	if (pick(m, 2))
		assert_int_equal(m->f.ops->pool_options_set(p->pool, &o), 0);
	for (i = pick(m, 200); i; i--)
		m->f.ops->maintain(m->f.engine, 64 * KIB);
	c = counters(&m->f, p->pool);
	m->nr_packed += c.nr_packed;
	m->nr_shared += c.nr_shared;
}

static void check_quotas(struct model *m)
{
	struct utmem_tenant_stat st;
	uint32_t i;

	for (i = 0; i < NR_TENANTS; i++) {
		m->f.ops->tenant_stat(m->tenants[i], &st);
		assert_true(st.used_bytes <= st.quota_bytes);
	}
}

static void step(struct model *m)
{
	struct model_pool *p = &m->pools[pick(m, NR_TENANTS * NR_POOLS)];
	uint32_t no = pick(m, NR_KEYS), what = pick(m, 1000);

	if (what < 500)
		do_put(m, p, no);
	else if (what < 550)
		do_stream(m, p, no);
	else if (what < 850)
		check_get(m, p, no);
	else if (what < 997)
		do_del(m, p, no);
	else if (what < 998)
		do_flush(m, p);
	else if (what < 999)
		do_options(m, p);
	else
		m->f.ops->maintain(m->f.engine, 64 * KIB);
	check_quotas(m);
}

static void open_model(struct model *m, size_t arena_len, uint64_t quota)
{
	uint32_t i;

	memset(m, 0, sizeof(*m));
	fixture_open(&m->f, arena_len, quota);
	m->tenants[0] = m->f.tenant;
	assert_int_equal(m->f.ops->tenant_add(m->f.engine, "u", quota, &m->tenants[1]), 0);
	for (i = 0; i < NR_TENANTS * NR_POOLS; i++) {
		m->pools[i].ephemeral = i % NR_POOLS;
		m->pools[i].pool = open_pool_of(&m->f, m->tenants[i / NR_POOLS],
						i % NR_POOLS ? "cache" : "store", i % NR_POOLS);
	}
}

static void run(size_t arena_len, uint64_t quota, uint64_t seed, bool options)
{
	struct model *m = malloc(sizeof(*m));
	uint32_t i, no;

	assert_non_null(m);
	open_model(m, arena_len, quota);
	m->random = seed;
	m->options = options;
	print_message("seed %lu\n", (unsigned long)seed);
	for (m->op = 0; m->op < NR_OPS; m->op++) {
		step(m);
		if (m->op % 4096 == 0)
			check(&m->f);
	}
	for (i = 0; i < NR_TENANTS * NR_POOLS; i++)
		for (no = 0; no < NR_KEYS; no++)
			check_get(m, &m->pools[i], no);
	check(&m->f);
	/* the run was worth something: there was want of room, and eviction */
	assert_true(m->nr_refused > 0);
	assert_true(m->nr_missed > 0);
	assert_int_equal(m->nr_packed > 0, options);
	assert_int_equal(m->nr_shared > 0, options);
	settle(&m->f);
	check(&m->f);
	fixture_close(&m->f);
	free(m);
}

static void engine_agrees_with_model_when_quota_is_short(void **state)
{
	(void)state;
	run(16 * MIB, 700 * KIB, 1, false);
}

static void engine_agrees_with_model_when_values_are_packed_and_shared(void **state)
{
	(void)state;
	run(2 * MIB, 900 * KIB, 3, true);
}

static void engine_agrees_with_model_when_packing_is_all_the_room_there_is(void **state)
{
	(void)state;
	run(MIB, 16 * MIB, 4, true);
}

static void engine_agrees_with_model_when_arena_is_short(void **state)
{
	(void)state;
	run(MIB, 16 * MIB, 2, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_agrees_with_model_when_quota_is_short),
		cmocka_unit_test(engine_agrees_with_model_when_arena_is_short),
		cmocka_unit_test(engine_agrees_with_model_when_values_are_packed_and_shared),
		cmocka_unit_test(engine_agrees_with_model_when_packing_is_all_the_room_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
