// SPDX-License-Identifier: MIT
/*
 * The process dies at every place where it may: at fail points that random operations come
 * by, all bytes of arena and meta are copied, a new engine opens the copy, and finds what the
 * model says. What was in progress has happened wholly or not at all. At fail points of that
 * opening, the same again.
 */
#include "pool_fixture.h"

#ifndef UTMEM_FAIL_POINTS
#error "fail points are needed: see tests/build.mk"
#endif

#define ARENA (2 * MIB)
#define NR_STEPS 6000u
#define NR_POOLS 3u /* the last one is ephemeral */
#define NR_KEYS 90u
#define VALUE_MAX (40u * KIB)
#define KEY_NONE UINT32_MAX
#define POINTS_MAX 64u

struct model_value {
	bool there;
	uint32_t len;
	uint64_t seed;
};

struct model_pool {
	struct utmem_pool *pool; /* NULL: it is destroyed */
	struct model_value value[NR_KEYS];
};

enum model_op {
	OP_NONE,
	OP_PUT, /* a commit, too */
	OP_DEL,
	OP_FLUSH,
	OP_DESTROY,
	OP_CREATE,
	OP_BEGIN,
	OP_APPEND,
	OP_ABORT,
};

struct model_stream {
	struct utmem_stream *s; /* NULL: there is none */
	uint32_t id, pool, key;
	uint64_t filled;
	struct model_value value;
};

struct model {
	struct fixture f, heir, second;
	struct model_pool pools[NR_POOLS];
	struct model_stream stream;
	uint64_t random, seed;
	uint64_t quota;
	uint32_t one_long_in; /* so many values */
	/* in progress */
	enum model_op op;
	uint32_t op_pool, op_key; /* KEY_NONE: all of the pool */
	struct model_value op_value;
	/* which fail points were come by, and looked at */
	const char *points[POINTS_MAX];
	uint64_t passed[POINTS_MAX];
	uint32_t nr_points;
	uint64_t nr_looks, nr_second_looks;
	uint8_t want[VALUE_MAX], got[VALUE_MAX];
};

static struct model *model;

static uint32_t pick(uint32_t n)
{
	return (uint32_t)(next_random(&model->random) % n);
}

static struct utmem_key key_of(struct fixture *f, uint32_t no)
{
	static char text[NR_KEYS][40];

	snprintf(text[no], sizeof(text[no]), "k%02u%.*s", no, (int)(no % 30),
		 "..............................");
	return make_key(f, text[no], (uint32_t)strlen(text[no]));
}

static const char *pool_name(uint32_t i)
{
	static const char *const names[NR_POOLS] = {"store", "other", "cache"};

	return names[i];
}

/* ---- what a new engine finds ---- */

static struct utmem_pool *find_pool(struct fixture *f, uint32_t i)
{
	return utpool_pool_by_name(f->tenant, pool_name(i));
}

/* Is the value of the key what @v says? */
static bool is_value(struct fixture *f, struct utmem_pool *p, uint32_t no,
		     const struct model_value *v)
{
	struct utmem_key key = key_of(f, no);
	struct utmem_get_result out;
	int err = p ? f->ops->get(p, &key, 0, model->got, VALUE_MAX, &out) : -ENOENT;

	if (err) {
		assert_int_equal(err, -ENOENT);
		return !v->there;
	}
	if (!v->there || out.value_len != v->len)
		return false;
	fill_value(model->want, v->len, v->seed);
	return !memcmp(model->got, model->want, v->len);
}

static bool in_progress(uint32_t i, uint32_t no)
{
	return model->op_pool == i &&
	       (((model->op == OP_PUT || model->op == OP_DEL || model->op == OP_BEGIN) &&
		 model->op_key == no) ||
		model->op == OP_FLUSH || model->op == OP_DESTROY);
}

/* Of a key that nobody is working on: as in the model, or (ephemeral) evicted. */
static void look_at_settled(struct fixture *f, struct utmem_pool *p, uint32_t i, uint32_t no)
{
	const struct model_value gone = {0};

	if (is_value(f, p, no, &model->pools[i].value[no]))
		return;
	assert_true(i == NR_POOLS - 1);
	assert_true(is_value(f, p, no, &gone));
}

/* A put that finds no room takes the old value away, before or instead. */
static void look_at_key_in_progress(struct fixture *f, struct utmem_pool *p, uint32_t i,
				    uint32_t no)
{
	const struct model_value gone = {0};

	assert_true(is_value(f, p, no, &model->pools[i].value[no]) ||
		    is_value(f, p, no, &model->op_value) || is_value(f, p, no, &gone));
}

/* All of them, or none. */
static void look_at_pool_in_progress(struct fixture *f, struct utmem_pool *p, uint32_t i)
{
	uint32_t no;

	if (!p || !counters(f, p).nr_items)
		return;
	for (no = 0; no < NR_KEYS; no++)
		look_at_settled(f, p, i, no);
}

static void look_at_pool(struct fixture *f, uint32_t i)
{
	struct utmem_pool *p = find_pool(f, i);
	uint32_t no;

	if (model->op_pool == i && (model->op == OP_FLUSH || model->op == OP_DESTROY)) {
		look_at_pool_in_progress(f, p, i);
		return;
	}
	if (!(model->op_pool == i && model->op == OP_CREATE))
		assert_true(!p == !model->pools[i].pool);
	for (no = 0; no < NR_KEYS; no++) {
		if (in_progress(i, no))
			look_at_key_in_progress(f, p, i, no);
		else
			look_at_settled(f, p, i, no);
	}
}

/* It is there, and goes on after the bytes that were acknowledged; or it has just become a value. */
static void look_at_stream(struct fixture *f)
{
	struct model_stream *ms = &model->stream;
	struct utmem_pool *p = find_pool(f, ms->pool);
	struct utmem_stream *s;
	bool ending =
		(model->op == OP_PUT && model->op_key == ms->key && model->op_pool == ms->pool) ||
		model->op == OP_ABORT;
	int err;

	if (!ms->s)
		return;
	err = f->ops->stream_adopt(f->engine, ms->id, ms->filled, &s);
	if (!p || (model->op_pool == ms->pool && model->op == OP_DESTROY && err)) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	if (err) {
		assert_int_equal(err, -ENOENT);
		assert_true(ending);
		assert_true(model->op == OP_ABORT || is_value(f, p, ms->key, &ms->value));
		return;
	}
	fill_value(model->want, ms->value.len, ms->value.seed);
	assert_int_equal(f->ops->stream_append(s, model->want + ms->filled,
					       ms->value.len - (uint32_t)ms->filled),
			 0);
	err = f->ops->stream_commit(s, UTMEM_PUT_ALWAYS);
	assert_true(!err || err == -ENOSPC);
	if (!err)
		assert_true(is_value(f, p, ms->key, &ms->value));
}

static void look(struct fixture *f)
{
	uint32_t i;

	check(f);
	for (i = 0; i < NR_POOLS; i++)
		look_at_pool(f, i);
	look_at_stream(f);
	check(f);
	f->ops->streams_settle(f->engine);
	f->ops->maintain(f->engine, 256 * KIB);
	check(f);
}

/* ---- dying ---- */

static void note_point(const char *name)
{
	uint32_t i = 0;

	while (i < model->nr_points && strcmp(model->points[i], name) != 0)
		i++;
	if (i == model->nr_points) {
		assert_true(i < POINTS_MAX);
		model->points[model->nr_points++] = name;
	}
	model->passed[i]++;
}

/* The first times that a point is passed, and sometimes later. */
static bool wants_look(const char *name)
{
	uint32_t i = 0;

	note_point(name);
	while (strcmp(model->points[i], name) != 0)
		i++;
	return model->passed[i] < 20 || !pick(model->passed[i] < 2000 ? 40 : 400);
}

/* The opening engine dies as well. */
static void on_second_point(const char *name)
{
	void (*hook)(const char *) = utmem_fail_hook;

	if (!wants_look(name))
		return;
	utmem_fail_hook = NULL;
	fixture_copy(&model->second, &model->heir);
	fixture_start(&model->second, model->quota);
	look(&model->second);
	model->second.ops->close(model->second.engine);
	model->nr_second_looks++;
	utmem_fail_hook = hook;
}

static void on_point(const char *name)
{
	if (!wants_look(name))
		return;
	fixture_copy(&model->heir, &model->f);
	utmem_fail_hook = on_second_point;
	assert_int_equal(model->heir.ops->open(&model->heir.engine, &model->heir.mem), 0);
	utmem_fail_hook = NULL;
	assert_int_equal(model->heir.ops->tenant_add(model->heir.engine, "t", model->quota,
						     &model->heir.tenant),
			 0);
	look(&model->heir);
	model->heir.ops->close(model->heir.engine);
	assert_int_equal(model->heir.heap_bytes, 0);
	model->nr_looks++;
	utmem_fail_hook = on_point;
}

/* ---- operations ---- */

static void begin_op(enum model_op op, uint32_t pool, uint32_t key, const struct model_value *v)
{
	model->op = op;
	model->op_pool = pool;
	model->op_key = key;
	model->op_value = v ? *v : (struct model_value){0};
	utmem_fail_hook = on_point;
}

static void end_op(void)
{
	utmem_fail_hook = NULL;
	model->op = OP_NONE;
	model->op_pool = NR_POOLS;
}

static struct model_value new_value(void)
{
	struct model_value v = {.there = true, .seed = ++model->seed};

	v.len = pick(model->one_long_in) ? pick(600) : pick(VALUE_MAX);
	fill_value(model->want, v.len, v.seed);
	return v;
}

static void do_put(uint32_t i, uint32_t no)
{
	struct utmem_key key = key_of(&model->f, no);
	struct model_value v = new_value();
	uint8_t *bytes = malloc(v.len + 1);
	int err;

	memcpy(bytes, model->want, v.len);
	begin_op(OP_PUT, i, no, &v);
	err = model->f.ops->put(model->pools[i].pool, &key, bytes, v.len, UTMEM_PUT_ALWAYS);
	end_op();
	free(bytes);
	assert_true(!err || err == -ENOSPC);
	model->pools[i].value[no] = err ? (struct model_value){0} : v;
}

static void do_del(uint32_t i, uint32_t no)
{
	struct utmem_key key = key_of(&model->f, no);

	begin_op(OP_DEL, i, no, NULL);
	model->f.ops->del(model->pools[i].pool, &key);
	end_op();
	model->pools[i].value[no].there = false;
}

static void forget_pool(uint32_t i)
{
	memset(model->pools[i].value, 0, sizeof(model->pools[i].value));
}

static void do_flush(uint32_t i)
{
	begin_op(OP_FLUSH, i, KEY_NONE, NULL);
	assert_int_equal(model->f.ops->flush(model->pools[i].pool), 0);
	end_op();
	forget_pool(i);
}

static void do_create(uint32_t i)
{
	begin_op(OP_CREATE, i, KEY_NONE, NULL);
	model->pools[i].pool = open_pool(&model->f, pool_name(i), i == NR_POOLS - 1);
	end_op();
}

/* Its stream, too, is of no more use. */
static void do_destroy(uint32_t i)
{
	struct utmem_pool *p = model->pools[i].pool;

	begin_op(OP_DESTROY, i, KEY_NONE, NULL);
	assert_int_equal(model->f.ops->pool_destroy(p), 0);
	end_op();
	forget_pool(i);
	model->pools[i].pool = NULL;
	model->f.ops->pool_close(p);
	if (model->stream.s && model->stream.pool == i) {
		begin_op(OP_ABORT, i, KEY_NONE, NULL);
		model->f.ops->stream_abort(model->stream.s);
		end_op();
		model->stream.s = NULL;
	}
}

static void stream_begins(uint32_t i, uint32_t no)
{
	struct model_stream *ms = &model->stream;
	struct utmem_key key = key_of(&model->f, no);
	struct utmem_stream *s;
	int err;

	*ms = (struct model_stream){.pool = i, .key = no, .value = new_value()};
	ms->value.len = pick(8) ? pick(VALUE_MAX) : 0;
	begin_op(OP_BEGIN, i, no, &model->pools[i].value[no]);
	err = model->f.ops->stream_begin(model->pools[i].pool, &key, ms->value.len, &s);
	end_op();
	assert_true(!err || err == -ENOSPC);
	if (err)
		model->pools[i].value[no].there = false;
	ms->s = s;
	ms->id = s ? model->f.ops->stream_id(s) : 0;
}

static void stream_appends(void)
{
	struct model_stream *ms = &model->stream;
	uint32_t len = 1 + pick(ms->value.len - (uint32_t)ms->filled);
	uint8_t *bytes = malloc(VALUE_MAX);

	fill_value(bytes, ms->value.len, ms->value.seed);
	begin_op(OP_APPEND, ms->pool, KEY_NONE, NULL);
	assert_int_equal(model->f.ops->stream_append(ms->s, bytes + ms->filled, len), 0);
	end_op();
	free(bytes);
	ms->filled += len;
}

static void stream_ends(void)
{
	struct model_stream *ms = &model->stream;
	struct model_value *v = &model->pools[ms->pool].value[ms->key];
	bool commit = pick(4);
	int err = 0;

	begin_op(commit ? OP_PUT : OP_ABORT, ms->pool, ms->key, &ms->value);
	if (commit)
		err = model->f.ops->stream_commit(ms->s, UTMEM_PUT_ALWAYS);
	else
		model->f.ops->stream_abort(ms->s);
	end_op();
	assert_true(!err || err == -ENOSPC);
	if (err) {
		v->there = false;
		return;
	}
	if (commit)
		*v = ms->value;
	ms->s = NULL;
}

static void do_stream(uint32_t i, uint32_t no)
{
	struct model_stream *ms = &model->stream;

	if (!ms->s)
		stream_begins(i, no);
	else if (ms->filled < ms->value.len)
		stream_appends();
	else
		stream_ends();
}

static void do_maintain(void)
{
	begin_op(OP_NONE, NR_POOLS, KEY_NONE, NULL);
	model->f.ops->maintain(model->f.engine, 64 * KIB);
	end_op();
}

static void do_reopen(void)
{
	uint32_t i;

	begin_op(OP_NONE, NR_POOLS, KEY_NONE, NULL);
	model->f.ops->close(model->f.engine);
	utmem_fail_hook = NULL;
	fixture_start(&model->f, model->quota);
	for (i = 0; i < NR_POOLS; i++) {
		if (!model->pools[i].pool)
			continue;
		model->pools[i].pool = open_pool(&model->f, pool_name(i), i == NR_POOLS - 1);
	}
	if (model->stream.s)
		assert_int_equal(model->f.ops->stream_adopt(model->f.engine, model->stream.id,
							    model->stream.filled, &model->stream.s),
				 0);
	end_op();
}

static void step(void)
{
	uint32_t i = pick(NR_POOLS), no = pick(NR_KEYS), what = pick(1000);

	if (!model->pools[i].pool)
		do_create(i);
	else if (what < 600)
		do_put(i, no);
	else if (what < 750)
		do_del(i, no);
	else if (what < 930)
		do_stream(i, no);
	else if (what < 938)
		do_flush(i);
	else if (what < 942)
		do_destroy(i);
	else if (what < 945)
		do_reopen();
	else
		do_maintain();
}

static void run(uint64_t quota, uint32_t one_long_in, uint64_t seed, bool durable)
{
	uint32_t n, i;

	model = calloc(1, sizeof(*model));
	assert_non_null(model);
	model->random = seed;
	model->quota = quota;
	model->one_long_in = one_long_in;
	fixture_open_lasting(&model->f, ARENA, quota, durable);
	fixture_map(&model->heir, ARENA, durable);
	fixture_map(&model->second, ARENA, durable);
	model->op_pool = NR_POOLS;
	for (n = 0; n < NR_STEPS; n++)
		step();
	print_message("seed %lu: died %lu times, and %lu times while opening, at:\n",
		      (unsigned long)seed, (unsigned long)model->nr_looks,
		      (unsigned long)model->nr_second_looks);
	for (i = 0; i < model->nr_points; i++)
		print_message("  %s (passed %lu times)\n", model->points[i],
			      (unsigned long)model->passed[i]);
	assert_true(model->nr_points >= 15);
	fixture_close(&model->f);
	fixture_unmap(&model->heir);
	fixture_unmap(&model->second);
	free(model);
}

static void death_anywhere_leaves_what_was_acknowledged(void **state)
{
	(void)state;
	run(16 * MIB, 12, 1, false);
}

static void death_anywhere_when_quota_is_short(void **state)
{
	(void)state;
	run(120 * KIB, 12, 2, false);
}

static void death_anywhere_when_arena_is_short(void **state)
{
	(void)state;
	run(16 * MIB, 2, 3, false);
}

static void death_anywhere_in_a_durable_arena(void **state)
{
	(void)state;
	run(16 * MIB, 3, 4, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(death_anywhere_leaves_what_was_acknowledged),
		cmocka_unit_test(death_anywhere_when_quota_is_short),
		cmocka_unit_test(death_anywhere_when_arena_is_short),
		cmocka_unit_test(death_anywhere_in_a_durable_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
