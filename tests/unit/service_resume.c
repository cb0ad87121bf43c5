// SPDX-License-Identifier: MIT
/*
 * Requests and deaths: whatever a guest asks, and wherever in it the service dies, each
 * request is completed once, in order, with the outcome that one life would have given it.
 */
#include "tests/unit/service_death.h"

#define NR_KEYS 6u
#define NR_STREAMS 3u
#define VALUE_MAX 48u
#define BATCH_MAX 12u
#define SLICE 64u /* of the data area, for each request of a batch */

/* ---- what one life would do ---- */

struct model_stream {
	bool open;
	unsigned int key;
	uint32_t total, filled;
	char value[VALUE_MAX];
};

struct expected {
	uint8_t opcode;
	int res;
	char value[VALUE_MAX]; /* of a GET or GETDEL that hits */
};

struct model {
	bool there[NR_KEYS];
	uint32_t len[NR_KEYS];
	char value[NR_KEYS][VALUE_MAX];
	struct model_stream streams[NR_STREAMS];
	uint32_t seed, nr_values;
	struct expected expected[BATCH_MAX];
};

static uint32_t rnd(struct model *m, uint32_t below)
{
	m->seed = m->seed * 1664525u + 1013904223u;
	return (m->seed >> 8) % below;
}

/* Every other key lies in the data area. */
static void key_name(char *name, size_t len, unsigned int key)
{
	snprintf(name, len, key % 2 ? "k%u" : "a key of more than thirty-two bytes, number %u",
		 key);
}

/* Another value each time, so that none can stand for another. */
static uint32_t new_value(struct model *m, char *value)
{
	snprintf(value, VALUE_MAX, "value %u %.*s", ++m->nr_values, (int)rnd(m, 20),
		 "....................");
	return (uint32_t)strlen(value);
}

static int model_condition(const struct model *m, unsigned int key, uint8_t flags)
{
	if (flags & UTMEM_SQE_IF_ABSENT && m->there[key])
		return -EEXIST;
	return flags & UTMEM_SQE_IF_PRESENT && !m->there[key] ? -ENOENT : 0;
}

static void model_set(struct model *m, unsigned int key, const char *value, uint32_t len)
{
	m->there[key] = true;
	m->len[key] = len;
	memcpy(m->value[key], value, len);
}

/* ---- one random request: into the ring, and into the model ---- */

struct guest {
	struct rig *rig;
	struct rig_queue q;
	struct model m;
	uint64_t nr_asked, nr_answered;
};

static struct utmem_sqe *ask(struct guest *g, uint8_t opcode, unsigned int key, unsigned int n)
{
	struct utmem_sqe *sqe = rig_sqe(&g->q, opcode);
	char name[80];

	sqe->user_data = g->nr_asked++;
	g->m.expected[n].opcode = opcode;
	if (key == NR_KEYS)
		return sqe;
	key_name(name, sizeof(name), key);
	sqe->key_len = (uint16_t)strlen(name);
	if (sqe->key_len <= UTMEM_KEY_INLINE) {
		memcpy(sqe->key, name, sqe->key_len);
	} else {
		sqe->key_off = UTMEM_PAGE + n * SLICE * 2;
		memcpy(g->q.data + sqe->key_off, name, sqe->key_len);
	}
	return sqe;
}

static int ask_put(struct guest *g, unsigned int key, unsigned int n)
{
	struct utmem_sqe *sqe = ask(g, UTMEM_OP_PUT, key, n);
	char value[VALUE_MAX];
	int err;

	sqe->data_off = n * SLICE;
	sqe->len = new_value(&g->m, value);
	sqe->flags = (uint8_t)rnd(&g->m, 3);
	memcpy(g->q.data + sqe->data_off, value, sqe->len);
	err = model_condition(&g->m, key, sqe->flags);
	if (!err)
		model_set(&g->m, key, value, sqe->len);
	return err;
}

/* GET and GETDEL; the latter with a buffer that is too small, too. */
static int ask_read(struct guest *g, uint8_t opcode, unsigned int key, unsigned int n)
{
	struct utmem_sqe *sqe = ask(g, opcode, key, n);
	struct model *m = &g->m;

	sqe->data_off = n * SLICE;
	sqe->len = opcode == UTMEM_OP_GETDEL && !rnd(m, 4) ? 3 : VALUE_MAX;
	if (!m->there[key])
		return -ENOENT;
	if (opcode == UTMEM_OP_GETDEL && m->len[key] > sqe->len)
		return -E2BIG;
	memcpy(m->expected[n].value, m->value[key], m->len[key]);
	m->there[key] = opcode == UTMEM_OP_GET;
	return (int)m->len[key];
}

static int ask_del(struct guest *g, unsigned int key, unsigned int n)
{
	bool was = g->m.there[key];

	ask(g, UTMEM_OP_DEL, key, n);
	g->m.there[key] = false;
	return was ? 0 : -ENOENT;
}

static int ask_exists(struct guest *g, unsigned int key, unsigned int n)
{
	ask(g, UTMEM_OP_EXISTS, key, n);
	return g->m.there[key] ? (int)g->m.len[key] : -ENOENT;
}

static int ask_flush(struct guest *g, unsigned int n)
{
	ask(g, UTMEM_OP_FLUSH, NR_KEYS, n);
	memset(g->m.there, 0, sizeof(g->m.there));
	return 0;
}

static int ask_begin(struct guest *g, uint16_t id, unsigned int key, unsigned int n)
{
	struct model_stream *st = &g->m.streams[id];
	struct utmem_sqe *sqe = ask(g, UTMEM_OP_PUT_BEGIN, key, n);

	sqe->stream = id;
	sqe->arg = 1 + rnd(&g->m, VALUE_MAX - 1);
	if (st->open)
		return -EBUSY;
	*st = (struct model_stream){.open = true, .key = key, .total = (uint32_t)sqe->arg};
	return 0;
}

/* The next bytes, as many as are missing or fewer; now and then bytes that are not the next. */
static int ask_part(struct guest *g, uint16_t id, unsigned int n)
{
	struct model_stream *st = &g->m.streams[id];
	struct utmem_sqe *sqe = ask(g, UTMEM_OP_PUT_PART, NR_KEYS, n);
	uint32_t left = st->open ? st->total - st->filled : 1, i;

	sqe->stream = id;
	sqe->data_off = n * SLICE;
	sqe->len = left > 4 && rnd(&g->m, 2) ? left / 2 : left;
	sqe->arg = st->filled + !rnd(&g->m, 8);
	for (i = 0; i < sqe->len; i++)
		g->q.data[sqe->data_off + i] = (uint8_t)rnd(&g->m, 256);
	if (!st->open || sqe->arg != st->filled)
		return -EINVAL;
	memcpy(st->value + st->filled, g->q.data + sqe->data_off, sqe->len);
	st->filled += sqe->len;
	return 0;
}

static int ask_commit(struct guest *g, uint16_t id, unsigned int n)
{
	struct model_stream *st = &g->m.streams[id];
	struct utmem_sqe *sqe = ask(g, UTMEM_OP_PUT_COMMIT, NR_KEYS, n);
	int err;

	sqe->stream = id;
	sqe->flags = (uint8_t)rnd(&g->m, 3);
	if (!st->open || st->filled != st->total)
		return -EINVAL;
	err = model_condition(&g->m, st->key, sqe->flags);
	if (err)
		return err;
	model_set(&g->m, st->key, st->value, st->total);
	st->open = false;
	return 0;
}

static int ask_abort(struct guest *g, uint16_t id, unsigned int n)
{
	struct model_stream *st = &g->m.streams[id];
	bool was = st->open;

	ask(g, UTMEM_OP_PUT_ABORT, NR_KEYS, n)->stream = id;
	st->open = false;
	return was ? 0 : -EINVAL;
}

static int ask_malformed(struct guest *g, unsigned int n)
{
	ask(g, UTMEM_OP_NOP, NR_KEYS, n)->arg = 1;
	return -EINVAL;
}

static int ask_any(struct guest *g, unsigned int n)
{
	unsigned int key = rnd(&g->m, NR_KEYS);
	uint16_t id = (uint16_t)rnd(&g->m, NR_STREAMS);

	switch (rnd(&g->m, 17)) {
	case 0:
	case 1:
	case 2:
		return ask_put(g, key, n);
	case 3:
		return ask_read(g, UTMEM_OP_GET, key, n);
	case 4:
	case 5:
		return ask_read(g, UTMEM_OP_GETDEL, key, n);
	case 6:
	case 7:
		return ask_del(g, key, n);
	case 8:
		return ask_exists(g, key, n);
	case 9:
	case 10:
		return ask_begin(g, id, key, n);
	case 11:
	case 12:
		return ask_part(g, id, n);
	case 13:
	case 14:
		return ask_commit(g, id, n);
	case 15:
		return rnd(&g->m, 3) ? ask_abort(g, id, n) : ask_flush(g, n);
	default:
		return ask_malformed(g, n);
	}
}

/* ---- batches, and their answers ---- */

static void check_answer(struct guest *g, const struct utmem_cqe *cqe, unsigned int n)
{
	const struct expected *e = &g->m.expected[n];

	assert_int_equal(cqe->user_data, g->nr_answered++);
	if (cqe->res != e->res)
		fail_msg("opcode %u after a death at %s: %d, and not %d", e->opcode, death.last,
			 cqe->res, e->res);
	if (e->res > 0 && (e->opcode == UTMEM_OP_GET || e->opcode == UTMEM_OP_GETDEL))
		assert_memory_equal(g->q.data + n * SLICE, e->value, e->res);
}

static void run_batch(struct guest *g)
{
	unsigned int nr = 1 + rnd(&g->m, BATCH_MAX), n, turns = 0;
	struct utmem_cqe cqe;

	for (n = 0; n < nr; n++)
		g->m.expected[n].res = ask_any(g, n);
	assert_int_equal(utmem_sq_publish(&g->q.sq), nr);
	for (n = 0; n < nr;) {
		assert_true(turns++ < 64);
		/* the words that were scribbled on are right again after the next turn */
		if (death_turn(g->rig))
			continue;
		while (rig_ready(&g->q)) {
			cqe = rig_cqe(&g->q);
			check_answer(g, &cqe, n++);
		}
	}
	assert_int_equal(utmem_state_error(g->q.page), 0);
}

static void check_rest(struct guest *g)
{
	unsigned int key;

	death_plan(0, NULL);
	death_turn(g->rig); /* a process may have died when all was answered */
	assert_int_equal(rig_ready(&g->q), 0);
	for (key = 0; key < NR_KEYS; key++) {
		g->m.expected[0].res = ask_read(g, UTMEM_OP_GET, key, 0);
		if (g->m.there[key])
			g->m.expected[0].res = (int)g->m.len[key];
		utmem_sq_publish(&g->q.sq);
		death_turn(g->rig);
		g->m.expected[0].opcode = UTMEM_OP_GET;
		struct utmem_cqe cqe = rig_cqe(&g->q);

		check_answer(g, &cqe, 0);
	}
}

static void guest_init(struct guest *g, struct rig *rig, uint32_t seed)
{
	memset(g, 0, sizeof(*g));
	g->rig = rig;
	g->m.seed = seed;
	rig_queue(&g->q, &rig->win[0], 16, 16, 2 * UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], g->q.id, "p", UTMEM_POOL_CREATE), 0);
}

/* Batches of one guest with that seed; the process dies at the @at-th fail point. Return: points passed. */
static uint32_t life(uint32_t seed, uint32_t nr_batches, uint32_t at)
{
	struct rig *rig = malloc(sizeof(*rig));
	struct guest *g = malloc(sizeof(*g));
	uint32_t passed;

	death_plan(0, NULL);
	rig_init(rig);
	guest_init(g, rig, seed);
	death_plan(at, NULL);
	while (nr_batches--)
		run_batch(g);
	passed = death.nr_passed;
	check_rest(g);
	rig_exit(rig);
	free(g);
	free(rig);
	return passed;
}

static void a_death_at_every_point_changes_no_outcome(void **state)
{
	uint32_t seed, at, nr;

	(void)state;
	for (seed = 1; seed <= 12; seed++) {
		nr = life(seed, 4, 0);
		assert_true(nr > 50);
		for (at = 1; at <= nr; at++)
			life(seed, 4, at);
	}
}

/* ---- several deaths ---- */

static uint32_t
	death_every; /* so many fail points, a prime; more than a second life passes before its first request */

static void again_hook(const char *name)
{
	if (++death.nr_passed % death_every)
		return;
	death.last = name;
	longjmp(death.grave, 1);
}

static void deaths_in_the_second_life_change_no_outcome(void **state)
{
	static const uint32_t primes[] = {29, 31, 37, 41, 43, 53, 61, 71, 83, 101};
	struct rig *rig = *state;
	struct guest *g = malloc(sizeof(*g));
	uint32_t i, batch;

	guest_init(g, rig, 99);
	for (i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
		death_plan(0, NULL);
		death_every = primes[i];
		utmem_fail_hook = again_hook;
		for (batch = 0; batch < 60; batch++) {
			death.now_ms += 20000; /* no quarantine */
			run_batch(g);
		}
	}
	check_rest(g);
	free(g);
}

/* ---- two queues ---- */

/* Whoever would serve the other queue first would lose its GETDEL, or find the value again. */
static void what_was_in_progress_comes_before_other_queues(void **state)
{
	struct rig *rig = *state;
	struct rig_queue first, second;
	struct utmem_cqe cqe;

	rig_queue(&first, &rig->win[0], 4, 4, UTMEM_PAGE);
	rig_queue(&second, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], first.id, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(rig_pool(&rig->win[0], second.id, "p", UTMEM_POOL_CREATE), 0);
	rig_put_sqe(&second, "k", "value");
	utmem_sq_publish(&second.sq);
	death_plan(1, "service_put_acted");
	assert_true(death_turn(rig)); /* the value is there, and nobody has been told */
	rig_key_sqe(&first, UTMEM_OP_GETDEL, "k")->len = 64;
	utmem_sq_publish(&first.sq);
	assert_false(death_turn(rig));
	assert_int_equal(rig_cqe(&second).res, 0);
	cqe = rig_cqe(&first);
	assert_int_equal(cqe.res, 5);
	assert_memory_equal(first.data, "value", 5);
	assert_int_equal(rig_get(rig, &first, "k"), -ENOENT);
}

static void requests_after_the_batch_are_served_in_the_second_life(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;
	uint32_t i;

	rig_queue(&q, &rig->win[0], 64, 64, UTMEM_PAGE);
	for (i = 0; i < 50; i++)
		rig_sqe(&q, UTMEM_OP_NOP)->user_data = i;
	utmem_sq_publish(&q.sq);
	death_plan(20, "service_done");
	assert_true(death_turn(rig));
	assert_false(death_turn(rig));
	for (i = 0; i < 50; i++)
		assert_int_equal(rig_cqe(&q).user_data, i);
	assert_int_equal(rig_ready(&q), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_death_at_every_point_changes_no_outcome),
		DEATH_TEST(deaths_in_the_second_life_change_no_outcome),
		DEATH_TEST(what_was_in_progress_comes_before_other_queues),
		DEATH_TEST(requests_after_the_batch_are_served_in_the_second_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
