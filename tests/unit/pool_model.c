// SPDX-License-Identifier: MIT
/*
 * The engine against a trivial model: random operations on persistent and ephemeral
 * pools of two tenants, in an arena and quotas that are too small for all of them, stored
 * as they come or in less, and with allocations that fail. A sequence that fails is cut
 * down and printed.
 *
 * For longer: UTMEM_MODEL_SEED=N (the first), UTMEM_MODEL_RUNS=N (seeds of each kind),
 * UTMEM_MODEL_OPS=N (of each run).
 */
#include "pool_ops.h"

#define OPS_DEFAULT 200000u
#define CHECK_EVERY 4096u
#define RECLAIM_BUDGET (64u * KIB)
#define RECLAIM_CALLS_MOST 10000u

struct model_value {
	bool there;
	uint32_t len, version;
	uint64_t seed;
};

struct model_pool {
	struct utmem_pool *pool;
	struct model_value value[NR_KEYS];
};

struct model_stream {
	struct utmem_stream *stream; /* NULL: none */
	uint32_t len, done, id;
	uint8_t pool;
	uint16_t key;
	bool stale; /* its pool was destroyed */
};

struct model {
	struct fixture f;
	const struct op_mix *mix;
	struct fixture heir; /* memory for what another process finds */
	struct utmem_tenant *tenants[NR_TENANTS];
	struct model_pool pools[NR_POOLS];
	struct model_stream streams[NR_SLOTS];
	struct utmem_key_hint hints[NR_KEYS]; /* of some pool, from some time ago */
	uint64_t nr_failed;		      /* allocations, before this operation */
	uint64_t nr_refused, nr_missed, nr_packed, nr_shared;
	uint64_t used[NR_TENANTS]; /* after the operation before */
	uint8_t want[VALUE_MAX], got[VALUE_MAX];
};

static bool is_ephemeral(uint32_t pool)
{
	return pool % POOLS_EACH;
}

static bool alloc_failed(const struct model *m)
{
	return m->f.nr_failed > m->nr_failed;
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
static struct utmem_key op_key(struct model *m, const struct op *op)
{
	struct utmem_pool *p = m->pools[op->hint_pool].pool;
	struct utmem_key key = name_key(m, op->key);

	key.hint = m->hints[op->key];
	if (op->hint)
		m->f.ops->prefetch_index(p, &key);
	if (op->hint > 1)
		m->f.ops->prefetch_record(p, &key, op->off);
	m->hints[op->key] = key.hint;
	return key;
}

static struct model_value *op_value(struct model *m, const struct op *op)
{
	return &m->pools[op->pool].value[op->key];
}

/* ---- one operation each ---- */

static void missed(struct model *m, const struct op *op)
{
	struct model_value *v = op_value(m, op);

	assert_true(!v->there || is_ephemeral(op->pool));
	m->nr_missed += v->there;
	v->there = false;
}

static void do_get(struct model *m, const struct op *op)
{
	struct model_value *v = op_value(m, op);
	struct utmem_key key = op_key(m, op);
	struct utmem_get_result out;
	int err = m->f.ops->get(m->pools[op->pool].pool, &key, op->off, m->got, VALUE_MAX, &out);

	if (err == -ENOMEM) {
		/* there is none for unpacking it */
		assert_true(v->there && alloc_failed(m));
		return;
	}
	if (err) {
		assert_int_equal(err, -ENOENT);
		missed(m, op);
		return;
	}
	assert_true(v->there);
	assert_int_equal(out.value_len, v->len);
	if (v->version != UINT32_MAX)
		assert_int_equal(out.version, v->version);
	v->version = out.version;
	fill_content(m->mix, m->want, v->len, v->seed);
	if (op->off < v->len)
		assert_memory_equal(m->got, m->want + op->off, v->len - op->off);
}

/* Is it there? Where the model cannot know (an ephemeral value), it is told. */
static bool there(struct model *m, const struct op *op)
{
	struct utmem_key key = name_key(m, op->key);
	int err = m->f.ops->find(m->pools[op->pool].pool, &key);

	if (err) {
		assert_int_equal(err, -ENOENT);
		missed(m, op);
	}
	assert_int_equal(!err, op_value(m, op)->there);
	return !err;
}

/* Put-put-get: a put that finds no room has removed the old value, any other that fails nothing. */
static void refused(struct model *m, const struct op *op, int err)
{
	if (err == -ENOMEM) {
		assert_true(alloc_failed(m));
		return;
	}
	assert_int_equal(err, -ENOSPC);
	op_value(m, op)->there = false;
	m->nr_refused++;
}

static void after_put(struct model *m, const struct op *op, uint32_t len, uint64_t seed, bool was,
		      int err)
{
	struct model_value *v = op_value(m, op);

	if (op->cond == UTMEM_PUT_IF_ABSENT && was)
		assert_int_equal(err, -EEXIST);
	else if (op->cond == UTMEM_PUT_IF_PRESENT && !was)
		assert_int_equal(err, -ENOENT);
	else if (err)
		refused(m, op, err);
	else
		*v = (struct model_value){
			.there = true, .len = len, .version = UINT32_MAX, .seed = seed};
}

static void do_put(struct model *m, const struct op *op)
{
	bool was = there(m, op);
	struct utmem_key key = op_key(m, op);

	fill_content(m->mix, m->want, op->len, op->id);
	after_put(m, op, op->len, op->id, was,
		  m->f.ops->put(m->pools[op->pool].pool, &key, m->want, op->len, op->cond));
}

static void do_del(struct model *m, const struct op *op)
{
	bool was = there(m, op);
	struct utmem_key key = op_key(m, op);

	assert_int_equal(m->f.ops->del(m->pools[op->pool].pool, &key), was ? 0 : -ENOENT);
	op_value(m, op)->there = false;
}

static void do_begin(struct model *m, const struct op *op)
{
	struct model_stream *s = &m->streams[op->slot];
	struct utmem_key key = op_key(m, op);
	int err;

	if (s->stream)
		return;
	err = m->f.ops->stream_begin(m->pools[op->pool].pool, &key, op->len, &s->stream);
	if (err) {
		s->stream = NULL;
		refused(m, op, err);
		return;
	}
	s->pool = op->pool;
	s->key = op->key;
	s->len = op->len;
	s->id = op->id;
	s->done = 0;
	s->stale = false;
}

static void do_append(struct model *m, const struct op *op)
{
	struct model_stream *s = &m->streams[op->slot];
	uint32_t part = s->len - s->done < op->len ? s->len - s->done : op->len;
	int err;

	if (!s->stream)
		return;
	fill_content(m->mix, m->want, s->len, s->id);
	err = m->f.ops->stream_append(s->stream, m->want + s->done, part);
	assert_int_equal(err, s->stale ? -ESTALE : 0);
	s->done += err ? 0 : part;
}

static void do_commit(struct model *m, const struct op *op)
{
	struct model_stream *s = &m->streams[op->slot];
	struct op put = *op;
	bool was;
	int err;

	if (!s->stream)
		return;
	put.pool = s->pool;
	put.key = s->key;
	was = !s->stale && there(m, &put);
	err = m->f.ops->stream_commit(s->stream, op->cond);
	if (s->stale)
		assert_int_equal(err, -ESTALE);
	else if (s->done < s->len)
		assert_int_equal(err, -EINVAL);
	else
		after_put(m, &put, s->len, s->id, was, err);
	if (!err)
		s->stream = NULL;
}

static void do_abort(struct model *m, const struct op *op)
{
	struct model_stream *s = &m->streams[op->slot];

	if (s->stream)
		m->f.ops->stream_abort(s->stream);
	s->stream = NULL;
}

static void forget_pool(struct model *m, uint32_t pool)
{
	uint32_t no;

	for (no = 0; no < NR_KEYS; no++)
		m->pools[pool].value[no].there = false;
}

static void do_flush(struct model *m, const struct op *op)
{
	int err = m->f.ops->flush(m->pools[op->pool].pool);

	if (!err)
		forget_pool(m, op->pool);
	else
		assert_true(err == -ENOMEM && alloc_failed(m));
}

static int open_model_pool(struct model *m, uint32_t pool)
{
	struct utmem_pool_spec spec = {.name = is_ephemeral(pool) ? "cache" : "store",
				       .create = true,
				       .kind.ephemeral = is_ephemeral(pool)};
	struct utmem_tenant *t = m->tenants[pool / POOLS_EACH];

	return m->f.ops->pool_open(t, t, &spec, &m->pools[pool].pool, NULL);
}

static void do_destroy(struct model *m, const struct op *op)
{
	struct utmem_pool *old = m->pools[op->pool].pool;
	uint32_t i;

	assert_int_equal(m->f.ops->pool_destroy(old), 0);
	m->f.ops->pool_close(old);
	forget_pool(m, op->pool);
	for (i = 0; i < NR_SLOTS; i++)
		m->streams[i].stale |= m->streams[i].pool == op->pool;
	if (!open_model_pool(m, op->pool))
		return;
	assert_true(alloc_failed(m));
	m->f.fail_at = 0;
	assert_int_equal(open_model_pool(m, op->pool), 0);
}

static uint32_t op_tenant(const struct op *op)
{
	return op->pool / POOLS_EACH;
}

/* Who is over it has nothing more to drop. */
static void do_quota(struct model *m, const struct op *op)
{
	struct utmem_pool *cache = m->pools[op_tenant(op) * POOLS_EACH + 1].pool;
	struct utmem_tenant *t = m->tenants[op_tenant(op)];

	assert_int_equal(m->f.ops->tenant_quota(t, op->len), 0);
	if (tenant_used(&m->f, t) > op->len)
		assert_int_equal(counters(&m->f, cache).nr_items, 0);
}

static void do_maintain(struct model *m, const struct op *op)
{
	m->f.ops->maintain(m->f.engine, op->len);
}

static void do_fail(struct model *m, const struct op *op)
{
	m->f.fail_on = op->cond;
	/* every other of these ends what one before began */
	m->f.fail_at = op->id % 2 ? m->f.nr_allocs + op->len : 0;
}

/* ---- another engine finds what one has left ---- */

static const char *const tenant_names[NR_TENANTS] = {"t", "u"};

/* Allocations may fail in it; then the next try succeeds. */
static int try_open(struct model *m, const struct utmem_tenant_stat was[NR_TENANTS])
{
	int err = m->f.ops->open(&m->f.engine, &m->f.mem);
	uint32_t i;

	if (err)
		return err;
	for (i = 0; i < NR_TENANTS && !err; i++) {
		err = m->f.ops->tenant_add(m->f.engine, tenant_names[i], was[i].quota_bytes,
					   &m->tenants[i]);
		if (!err)
			assert_int_equal(m->f.ops->tenant_weight(m->tenants[i], was[i].weight), 0);
	}
	for (i = 0; i < NR_POOLS && !err; i++)
		err = open_model_pool(m, i);
	if (err)
		m->f.ops->close(m->f.engine);
	return err;
}

static void adopt_stream(struct model *m, struct model_stream *s, uint32_t stream_id)
{
	int err = m->f.ops->stream_adopt(m->f.engine, stream_id, s->done, &s->stream);

	if (!err)
		return;
	assert_true(s->stale || (err == -ENOMEM && alloc_failed(m)));
	s->stream = NULL;
}

/* Its process has died: there is what it wrote. (What it had in private goes, lest it be a leak.) */
static void die(struct model *m)
{
	struct utmem_memory left;

	fixture_copy(&m->heir, &m->f);
	m->f.ops->close(m->f.engine);
	left = m->f.stock;
	m->f.stock = m->heir.stock;
	m->heir.stock = left;
	fixture_take_memory(&m->f, m->f.ops);
}

static void open_again(struct model *m, const struct utmem_tenant_stat was[NR_TENANTS])
{
	int err = try_open(m, was);

	if (!err)
		return;
	assert_true(err == -ENOMEM && alloc_failed(m));
	assert_int_equal(m->f.heap_bytes, 0);
	m->f.fail_at = 0;
	assert_int_equal(try_open(m, was), 0);
}

static void assert_options(struct model *m, const struct utmem_pool_options was[NR_POOLS])
{
	struct utmem_pool_options o;
	uint32_t i;

	for (i = 0; i < NR_POOLS; i++) {
		o = m->f.ops->pool_options(m->pools[i].pool);
		assert_int_equal(o.compress, was[i].compress);
		assert_int_equal(o.dedup, was[i].dedup);
	}
}

static void do_reopen(struct model *m, const struct op *op)
{
	struct utmem_tenant_stat was[NR_TENANTS];
	struct utmem_pool_options options[NR_POOLS];
	uint32_t ids[NR_SLOTS], i;

	for (i = 0; i < NR_TENANTS; i++)
		m->f.ops->tenant_stat(m->tenants[i], &was[i]);
	for (i = 0; i < NR_POOLS; i++)
		options[i] = m->f.ops->pool_options(m->pools[i].pool);
	for (i = 0; i < NR_SLOTS; i++)
		ids[i] = m->streams[i].stream ? m->f.ops->stream_id(m->streams[i].stream) : 0;
	if (op->cond)
		die(m);
	else
		m->f.ops->close(m->f.engine);
	assert_int_equal(m->f.heap_bytes, 0);
	memset(m->hints, 0, sizeof(m->hints));
	open_again(m, was);
	assert_options(m, options);
	for (i = 0; i < NR_SLOTS; i++) {
		if (m->streams[i].stream && op->id >> i & 1)
			adopt_stream(m, &m->streams[i], ids[i]);
		else
			m->streams[i].stream = NULL;
	}
	m->f.ops->streams_settle(m->f.engine);
	check(&m->f);
}

/* Other options, or none; then a pause in which what is cold is looked for. */
static void do_options(struct model *m, const struct op *op)
{
	struct utmem_pool_options o = {.compress = op->cond, .dedup = op->slot % 2};
	struct utmem_pool *p = m->pools[op->pool].pool;
	struct utmem_pool_counters c;
	uint32_t i;
	int err = op->id % 2 ? m->f.ops->pool_options_set(p, &o) : 0;

	if (err)
		assert_true(err == -ENOMEM && alloc_failed(m));
	for (i = op->len; i; i--)
		m->f.ops->maintain(m->f.engine, 64 * KIB);
	c = counters(&m->f, p);
	m->nr_packed += c.nr_packed;
	m->nr_shared += c.nr_shared;
}

/* Nothing persistent goes, and nothing of a tenant that it is not asked of. */
static void check_reclaimed(struct model *m, const struct op *op, const uint64_t had[NR_POOLS])
{
	uint64_t has;
	uint32_t i;

	for (i = 0; i < NR_POOLS; i++) {
		has = counters(&m->f, m->pools[i].pool).nr_items;
		if (!is_ephemeral(i) || (op->cond && i / POOLS_EACH != op_tenant(op)))
			assert_int_equal(has, had[i]);
		else
			assert_true(has <= had[i]);
	}
}

static void do_reclaim(struct model *m, const struct op *op)
{
	struct utmem_reclaim r = {.tenant = op->cond ? m->tenants[op_tenant(op)] : NULL,
				  .bytes = op->len};
	uint64_t released = engine_stat(&m->f).released_bytes, had[NR_POOLS];
	uint32_t i;

	for (i = 0; i < NR_POOLS; i++)
		had[i] = counters(&m->f, m->pools[i].pool).nr_items;
	for (i = 0; m->f.ops->reclaim(m->f.engine, &r, RECLAIM_BUDGET) && !op->slot; i++)
		assert_true(i < RECLAIM_CALLS_MOST);
	assert_int_equal(engine_stat(&m->f).released_bytes - released, r.released_bytes);
	check_reclaimed(m, op, had);
}

static void do_weight(struct model *m, const struct op *op)
{
	assert_int_equal(m->f.ops->tenant_weight(m->tenants[op_tenant(op)], op->len), 0);
}

static void do_check(struct model *m, const struct op *op)
{
	(void)op;
	check(&m->f);
}

/* Nobody gets beyond his quota, or, where that was lowered, further beyond it. */
static void check_quotas(struct model *m)
{
	struct utmem_tenant_stat st;
	uint32_t i;

	for (i = 0; i < NR_TENANTS; i++) {
		m->f.ops->tenant_stat(m->tenants[i], &st);
		assert_true(st.used_bytes <= st.quota_bytes || st.used_bytes <= m->used[i]);
		m->used[i] = st.used_bytes;
	}
}

/* ---- a sequence ---- */

static void step(struct model *m, const struct op *op)
{
	static void (*const actions[NR_WHAT])(struct model * m, const struct op *op) = {
		[DO_PUT] = do_put,	 [DO_GET] = do_get,	      [DO_DEL] = do_del,
		[DO_BEGIN] = do_begin,	 [DO_APPEND] = do_append,     [DO_COMMIT] = do_commit,
		[DO_ABORT] = do_abort,	 [DO_FLUSH] = do_flush,	      [DO_DESTROY] = do_destroy,
		[DO_QUOTA] = do_quota,	 [DO_MAINTAIN] = do_maintain, [DO_FAIL] = do_fail,
		[DO_REOPEN] = do_reopen, [DO_OPTIONS] = do_options,   [DO_RECLAIM] = do_reclaim,
		[DO_WEIGHT] = do_weight, [DO_CHECK] = do_check,
	};

	m->nr_failed = m->f.nr_failed;
	actions[op->what](m, op);
	check_quotas(m);
}

static struct model *open_model(const struct op_mix *mix)
{
	struct model *m = calloc(1, sizeof(*m));
	uint32_t i;

	assert_non_null(m);
	m->mix = mix;
	if (mix->lasts) {
		fixture_map(&m->heir, mix->arena, mix->durable);
		fixture_open_lasting(&m->f, mix->arena, mix->quota, mix->durable);
	} else {
		fixture_open(&m->f, mix->arena, mix->quota);
	}
	m->tenants[0] = m->f.tenant;
	assert_int_equal(m->f.ops->tenant_add(m->f.engine, "u", mix->quota, &m->tenants[1]), 0);
	for (i = 0; i < NR_POOLS; i++)
		assert_int_equal(open_model_pool(m, i), 0);
	return m;
}

static void read_all(struct model *m)
{
	struct op op = {.what = DO_GET};

	for (op.pool = 0; op.pool < NR_POOLS; op.pool++)
		for (op.key = 0; op.key < NR_KEYS; op.key++)
			do_get(m, &op);
}

static void close_model(struct model *m)
{
	m->f.fail_at = 0;
	read_all(m);
	check(&m->f);
	settle(&m->f);
	check(&m->f);
	fixture_close(&m->f);
	if (m->heir.stock.arena)
		fixture_unmap(&m->heir);
	free(m);
}

static void run_ops(struct model *m, const struct op *ops, uint32_t nr, volatile uint32_t *at)
{
	for (*at = 0; *at < nr; (*at)++) {
		step(m, &ops[*at]);
		if (*at % CHECK_EVERY == 0)
			check(&m->f);
	}
}

static void run(const struct op_mix *mix, const struct op *ops, uint32_t nr, volatile uint32_t *at)
{
	struct model *m = open_model(mix);

	run_ops(m, ops, nr, at);
	/* a long run was worth something: there was want of room, and eviction */
	if (nr >= OPS_DEFAULT) {
		assert_true(m->nr_refused > 0 && m->nr_missed > 0);
		assert_int_equal(m->nr_packed > 0, mix->options);
		assert_int_equal(m->nr_shared > 0, mix->options);
	}
	close_model(m);
}

/* ---- the tests ---- */

static uint64_t number_from_env(const char *name, uint64_t preset)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : preset;
}

static void check_mix(const struct op_mix *mix)
{
	uint64_t seed = number_from_env("UTMEM_MODEL_SEED", 1);
	uint64_t last = seed + number_from_env("UTMEM_MODEL_RUNS", 1) - 1;
	uint32_t nr = (uint32_t)number_from_env("UTMEM_MODEL_OPS", OPS_DEFAULT);
	struct replay r = {.mix = mix, .run = run};
	struct op *ops;
	int64_t at;

	for (; seed <= last; seed++) {
		print_message("%s: seed %lu, %u operations\n", mix->name, (unsigned long)seed, nr);
		ops = ops_make(mix, seed, nr);
		at = replay(&r, ops, nr, true);
		if (at >= 0)
			shrink_and_show(&r, ops, at, nr);
		free(ops);
		if (at >= 0)
			fail_msg("%s: seed %lu fails at operation %ld", mix->name,
				 (unsigned long)seed, (long)at);
	}
}

/*
 * In 1000: put get del; begin append commit abort; flush destroy quota maintain; fail reopen;
 * options reclaim weight; check gets the rest.
 */
#define WEIGHTS_USUAL                                                   \
	{                                                               \
		500, 270, 130, 25, 40, 18, 4, 1, 1, 1, 7, 0, 0, 0, 1, 1 \
	}
#define WEIGHTS_LASTING                                                 \
	{                                                               \
		500, 270, 130, 25, 40, 18, 4, 1, 1, 1, 6, 0, 1, 0, 1, 1 \
	}
#define WEIGHTS_FAILING                                                  \
	{                                                                \
		480, 220, 130, 25, 40, 18, 4, 3, 3, 3, 6, 60, 1, 0, 1, 1 \
	}
#define WEIGHTS_PACKING                                                 \
	{                                                               \
		500, 270, 130, 25, 40, 18, 4, 1, 1, 1, 5, 0, 0, 2, 1, 1 \
	}
#define WEIGHTS_PACKING_LASTING                                         \
	{                                                               \
		500, 270, 130, 25, 40, 18, 4, 1, 1, 1, 4, 0, 1, 2, 1, 1 \
	}
#define WEIGHTS_PACKING_FAILING                                          \
	{                                                                \
		480, 220, 130, 25, 40, 18, 4, 3, 3, 3, 4, 60, 1, 2, 1, 1 \
	}

static void engine_agrees_with_model_when_quota_is_short(void **state)
{
	static const struct op_mix mix = {.name = "quota short",
					  .arena = 16 * MIB,
					  .quota = 700 * KIB,
					  .weight = WEIGHTS_USUAL};

	(void)state;
	check_mix(&mix);
}

static void engine_agrees_with_model_when_arena_is_short(void **state)
{
	static const struct op_mix mix = {
		.name = "arena short", .arena = MIB, .quota = 16 * MIB, .weight = WEIGHTS_USUAL};

	(void)state;
	check_mix(&mix);
}

static void engine_agrees_with_model_when_it_is_opened_again(void **state)
{
	static const struct op_mix mix = {.name = "opened again",
					  .arena = 2 * MIB,
					  .quota = 1300 * KIB,
					  .lasts = true,
					  .weight = WEIGHTS_LASTING};

	(void)state;
	check_mix(&mix);
}

static void durable_engine_agrees_with_model_when_it_is_opened_again(void **state)
{
	static const struct op_mix mix = {.name = "durable, opened again",
					  .arena = 2 * MIB,
					  .quota = 700 * KIB,
					  .lasts = true,
					  .durable = true,
					  .weight = WEIGHTS_LASTING};

	(void)state;
	check_mix(&mix);
}

static void engine_agrees_with_model_when_values_are_packed_and_shared(void **state)
{
	static const struct op_mix mix = {.name = "packed and shared",
					  .arena = 2 * MIB,
					  .quota = 900 * KIB,
					  .lasts = true,
					  .options = true,
					  .weight = WEIGHTS_PACKING_LASTING};

	(void)state;
	check_mix(&mix);
}

static void engine_agrees_with_model_when_packing_is_all_the_room_there_is(void **state)
{
	static const struct op_mix mix = {.name = "packing is all the room",
					  .arena = MIB,
					  .quota = 16 * MIB,
					  .options = true,
					  .weight = WEIGHTS_PACKING};

	(void)state;
	check_mix(&mix);
}

static void engine_agrees_with_model_when_allocations_fail(void **state)
{
	static const struct op_mix mix = {.name = "allocations fail",
					  .arena = 2 * MIB,
					  .quota = MIB,
					  .lasts = true,
					  .all_fail = true,
					  .weight = WEIGHTS_FAILING};

	(void)state;
	check_mix(&mix);
}

static void durable_engine_agrees_with_model_when_values_are_packed_and_shared(void **state)
{
	static const struct op_mix mix = {.name = "durable, packed and shared",
					  .arena = 2 * MIB,
					  .quota = 900 * KIB,
					  .lasts = true,
					  .durable = true,
					  .options = true,
					  .weight = WEIGHTS_PACKING_LASTING};

	(void)state;
	check_mix(&mix);
}

static void engine_agrees_with_model_when_allocations_for_packing_fail(void **state)
{
	static const struct op_mix mix = {.name = "allocations for packing fail",
					  .arena = 2 * MIB,
					  .quota = MIB,
					  .lasts = true,
					  .all_fail = true,
					  .options = true,
					  .weight = WEIGHTS_PACKING_FAILING};

	(void)state;
	check_mix(&mix);
}

/* ---- the shrinking itself: an engine with a bug that three operations show ---- */

static int forgetful_del(struct utmem_pool *p, const struct utmem_key *key)
{
	return ((const char *)key->data)[4] == '7' ? 0 : utmem_engine_pool.del(p, key);
}

static void run_forgetful(const struct op_mix *mix, const struct op *ops, uint32_t nr,
			  volatile uint32_t *at)
{
	struct model *m = open_model(mix);
	struct utmem_engine_ops broken = *m->f.ops;

	broken.del = forgetful_del;
	m->f.ops = &broken;
	run_ops(m, ops, nr, at);
}

static void planted_bug_is_found_and_cut_down_to_what_shows_it(void **state)
{
	static const struct op_mix mix = {
		.name = "planted", .arena = MIB, .quota = MIB, .weight = WEIGHTS_USUAL};
	struct replay r = {.mix = &mix, .run = run_forgetful};
	struct op *ops = ops_make(&mix, 1, 5000);
	int64_t at = replay(&r, ops, 5000, true);
	uint32_t nr;

	(void)state;
	assert_true(at >= 0);
	nr = shrink(&r, ops, (uint32_t)at + 1);
	/* a del of a key that is not there must say so, and this one does not */
	assert_int_equal(nr, 1);
	assert_int_equal(ops[0].what, DO_DEL);
	assert_int_equal(ops[0].key % 10, 7);
	free(ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_bug_is_found_and_cut_down_to_what_shows_it),
		cmocka_unit_test(engine_agrees_with_model_when_quota_is_short),
		cmocka_unit_test(engine_agrees_with_model_when_arena_is_short),
		cmocka_unit_test(engine_agrees_with_model_when_it_is_opened_again),
		cmocka_unit_test(durable_engine_agrees_with_model_when_it_is_opened_again),
		cmocka_unit_test(engine_agrees_with_model_when_values_are_packed_and_shared),
		cmocka_unit_test(engine_agrees_with_model_when_packing_is_all_the_room_there_is),
		cmocka_unit_test(
			durable_engine_agrees_with_model_when_values_are_packed_and_shared),
		cmocka_unit_test(engine_agrees_with_model_when_allocations_fail),
		cmocka_unit_test(engine_agrees_with_model_when_allocations_for_packing_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
