// SPDX-License-Identifier: MIT
// Several services, each on a thread of its own, share an engine by its lock alone: guests' values come
// back as they were, of what several take one gets it, and a queue is drained by its service's
// thread, while windows come and go, control requests are made and quotas change. Owner: host/service.

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "host/pool/memory.h"
#include "tests/unit/service_rig.h"

#define NR_SERVICES 3u
#define NR_GUESTS 6u /* two for each service */
#define NR_ROUNDS 150u
#define NR_KEYS 8u
#define SLOT_LEN 2048u
#define PART_LEN 1500u
#define ARENA_LEN (8u << 20) /* what the guests write goes through it several times */

/* Fair: whoever waits comes next, however often the other one comes back. */
struct ticket {
	uint32_t next, serving;
};

static void ticket_lock(void *ctx)
{
	struct ticket *t = ctx;
	uint32_t mine = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&t->serving, __ATOMIC_ACQUIRE) != mine)
		sched_yield();
}

static void ticket_unlock(void *ctx)
{
	struct ticket *t = ctx;

	__atomic_store_n(&t->serving, t->serving + 1, __ATOMIC_RELEASE);
}

struct server {
	struct utmem_service *s;
	struct ticket own; /* of s: its thread, or who comes from outside */
	struct rig_window win;
	pthread_t thread;
	uint32_t nr_strange_wakes; /* by another thread than the one that drains */
	const uint32_t *stop;
};

struct guest {
	struct rig_queue q;
	uint32_t id;
	int pool, shared;
	uint32_t nr_wrong;
	uint32_t (*taken)[NR_ROUNDS]; /* [NR_GUESTS]: how often each token was got */
	pthread_t thread;
};

struct test {
	struct utmem_memory mem;
	struct utmem_engine *engine;
	struct ticket engine_lock;
	struct utmem_tenant *tenant, *visitor;
	struct server servers[NR_SERVICES];
	struct guest guests[NR_GUESTS];
	uint32_t taken[NR_GUESTS][NR_ROUNDS];
	uint32_t nr_done; /* guests */
	uint32_t stop;
};

/* ---- a guest ---- */

static struct utmem_sqe *prepare(struct guest *g, uint8_t opcode, int pool, const char *key,
				 uint32_t slot)
{
	struct utmem_sqe *sqe = key ? rig_key_sqe(&g->q, opcode, key) : rig_sqe(&g->q, opcode);

	if (pool >= 0)
		sqe->pool = (uint16_t)pool;
	sqe->data_off = slot * SLOT_LEN;
	return sqe;
}

/* Publish what is prepared, and take its @n answers; those of every other batch by being woken. */
static void ask(struct guest *g, struct utmem_cqe *answers, uint32_t n)
{
	uint32_t ready = 0, i;

	utmem_sq_publish(&g->q.sq);
	utmem_wake_arm(g->q.page, g->q.cq.end.own + n);
	while (ready < n) {
		if (utmem_cq_peek(&g->q.cq, &ready))
			abort();
		if (ready < n)
			sched_yield();
	}
	utmem_wake_disarm(g->q.page);
	for (i = 0; i < n; i++)
		answers[i] = *utmem_cq_at(&g->q.cq, i);
	utmem_cq_release(&g->q.cq, n);
}

static int32_t ask_one(struct guest *g)
{
	struct utmem_cqe answer;

	ask(g, &answer, 1);
	return answer.res;
}

static void expect(struct guest *g, bool right)
{
	g->nr_wrong += !right;
}

static uint32_t value_len(const struct guest *g, uint32_t round, uint32_t k)
{
	return 1 + (g->id * 131 + round * 37 + k * 211) % SLOT_LEN;
}

static uint8_t value_byte(const struct guest *g, uint32_t round, uint32_t k)
{
	return (uint8_t)(g->id * 16 + round * 7 + k);
}

static void put_keys(struct guest *g, uint32_t round)
{
	struct utmem_cqe answers[NR_KEYS];
	uint32_t k;

	for (k = 0; k < NR_KEYS; k++) {
		char key[16];

		snprintf(key, sizeof(key), "%u.%u", g->id, k);
		prepare(g, UTMEM_OP_PUT, g->pool, key, k)->len = value_len(g, round, k);
		memset(g->q.data + k * SLOT_LEN, value_byte(g, round, k), value_len(g, round, k));
	}
	ask(g, answers, NR_KEYS);
	for (k = 0; k < NR_KEYS; k++)
		expect(g, !answers[k].res);
}

static void get_keys(struct guest *g, uint32_t round)
{
	struct utmem_cqe answers[NR_KEYS];
	uint32_t k;

	for (k = 0; k < NR_KEYS; k++) {
		char key[16];

		snprintf(key, sizeof(key), "%u.%u", g->id, k);
		prepare(g, UTMEM_OP_GET, g->pool, key, k)->len = SLOT_LEN;
	}
	memset(g->q.data, 0, NR_KEYS * SLOT_LEN);
	ask(g, answers, NR_KEYS);
	for (k = 0; k < NR_KEYS; k++) {
		const uint8_t *value = g->q.data + k * SLOT_LEN;
		uint32_t len = value_len(g, round, k);

		expect(g, answers[k].res == (int32_t)len);
		expect(g, value[0] == value_byte(g, round, k) &&
				  value[len - 1] == value_byte(g, round, k));
	}
}

static void put_parts(struct guest *g, uint32_t round)
{
	struct utmem_sqe *sqe = prepare(g, UTMEM_OP_PUT_BEGIN, g->pool, "parts", 0);
	uint32_t i;

	sqe->data_off = 0;
	sqe->arg = 2 * PART_LEN;
	expect(g, !ask_one(g));
	for (i = 0; i < 2; i++) {
		sqe = prepare(g, UTMEM_OP_PUT_PART, -1, NULL, i);
		memset(g->q.data + i * SLOT_LEN, value_byte(g, round, i), PART_LEN);
		sqe->arg = i * PART_LEN;
		sqe->len = PART_LEN;
		expect(g, !ask_one(g));
	}
	prepare(g, UTMEM_OP_PUT_COMMIT, -1, NULL, 0);
	expect(g, !ask_one(g));
	prepare(g, UTMEM_OP_EXISTS, g->pool, "parts", 0);
	expect(g, ask_one(g) == 2 * PART_LEN);
}

static void token_get(struct guest *g, uint32_t of, uint32_t round)
{
	char key[32];
	int32_t res;

	snprintf(key, sizeof(key), "token.%u.%u", of, round);
	prepare(g, UTMEM_OP_GETDEL, g->shared, key, 0)->len = SLOT_LEN;
	res = ask_one(g);
	expect(g, res == 1 || res == -ENOENT);
	if (res == 1)
		__atomic_fetch_add(&g->taken[of][round], 1, __ATOMIC_RELAXED);
}

static void tokens(struct guest *g, uint32_t round)
{
	char key[32];
	uint32_t of;

	snprintf(key, sizeof(key), "token.%u.%u", g->id, round);
	prepare(g, UTMEM_OP_PUT, g->shared, key, 0)->len = 1;
	expect(g, !ask_one(g));
	for (of = 0; of < NR_GUESTS; of++)
		token_get(g, of, round);
}

static void *guest_life(void *arg)
{
	struct guest *g = arg;
	uint32_t round;

	for (round = 0; round < NR_ROUNDS; round++) {
		put_keys(g, round);
		get_keys(g, round);
		tokens(g, round);
		if (round % 4 == 0)
			put_parts(g, round);
	}
	return NULL;
}

/* ---- a service's thread ---- */

static void *server_life(void *arg)
{
	struct server *v = arg;

	ticket_lock(&v->own);
	v->thread = pthread_self();
	while (!__atomic_load_n(v->stop, __ATOMIC_ACQUIRE)) {
		if (!utmem_service_turn(v->s) && !utmem_service_arm(v->s))
			utmem_service_disarm(v->s);
		ticket_unlock(&v->own);
		sched_yield();
		ticket_lock(&v->own);
	}
	ticket_unlock(&v->own);
	return NULL;
}

static void wake(void *ctx, uint32_t queue_id, uint32_t irq_vector)
{
	struct server *v = ctx;

	(void)queue_id;
	(void)irq_vector;
	v->nr_strange_wakes += !pthread_equal(pthread_self(), v->thread);
}

static void no_wake(void *ctx, uint32_t queue_id, uint32_t irq_vector)
{
	(void)ctx;
	(void)queue_id;
	(void)irq_vector;
}

/* ---- what comes from outside ---- */

static void window_open(struct utmem_service *s, struct rig_window *win,
			struct utmem_tenant *tenant, void (*woken)(void *, uint32_t, uint32_t),
			void *ctx)
{
	struct utmem_window_config cfg = {
		.base = win->base,
		.len = RIG_WINDOW_LEN,
		.tenant = tenant,
		.max_queues = RIG_QUEUES,
		.cb = {.wake = woken, .ctx = ctx},
	};

	assert_int_equal(utmem_window_attach(s, &win->w, &cfg), 0);
}

/* A window that comes, does a little, and goes, its last request in the ring. */
static void visit(struct server *v, struct rig_window *win, struct utmem_tenant *visitor)
{
	struct utmem_admin_pool p = {0};
	struct rig_queue q;

	memset(win->base, 0, RIG_WINDOW_LEN);
	window_open(v->s, win, visitor, no_wake, NULL);
	rig_queue(&q, win, 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(win, q.id, "visit", UTMEM_POOL_CREATE), 0);
	p.queue_id = q.id;
	assert_int_equal(utmem_window_admin(win->w, UTMEM_OP_POOL_DESTROY, &p, sizeof(p)), 0);
	assert_int_equal(rig_pool(win, q.id, "visit", UTMEM_POOL_CREATE), 0);
	rig_put_sqe(&q, "key", "value");
	utmem_sq_publish(&q.sq);
	utmem_window_detach(win->w);
	assert_int_equal(rig_cqe(&q).res, 0);
}

static void look(struct test *t, struct server *v)
{
	struct utmem_pool_stat p = {.queue_id = t->guests[v - t->servers].q.id};
	struct utmem_service_counters counters;
	struct utmem_window_stat stat;

	assert_int_equal(utmem_window_admin(v->win.w, UTMEM_OP_POOL_STAT, &p, sizeof(p)), 0);
	utmem_window_heartbeat(v->win.w);
	utmem_window_stat(v->win.w, &stat);
	utmem_service_stat(v->s, &counters);
	assert_int_equal(stat.nr_queues, NR_GUESTS / NR_SERVICES);
}

static void engine_call(struct test *t, uint32_t i)
{
	const struct utmem_engine_ops *ops = utmem_ops(t->engine);
	struct utmem_engine_stat stat;

	ticket_lock(&t->engine_lock);
	assert_int_equal(ops->tenant_quota(t->tenant, ARENA_LEN - i % 7), 0);
	ops->stat(t->engine, &stat);
	ticket_unlock(&t->engine_lock);
	assert_true(stat.nr_items > 0);
}

static void come_and_go_until_done(struct test *t)
{
	struct rig_window win = {.base = rig_map(RIG_WINDOW_LEN)};
	uint32_t i;

	for (i = 0; __atomic_load_n(&t->nr_done, __ATOMIC_ACQUIRE) < NR_GUESTS; i++) {
		struct server *v = &t->servers[i % NR_SERVICES];

		ticket_lock(&v->own);
		visit(v, &win, t->visitor);
		look(t, v);
		ticket_unlock(&v->own);
		engine_call(t, i);
	}
	assert_true(i > NR_SERVICES);
	munmap(win.base, RIG_WINDOW_LEN);
}

/* ---- set-up, in order; tear-down in reverse ---- */

static void engine_open(struct test *t)
{
	const struct utmem_engine_ops *ops = utmem_engine_find("pool");

	assert_int_equal(utmem_memory_open(&t->mem, ARENA_LEN, 1), 0);
	assert_int_equal(ops->open(&t->engine, &t->mem), 0);
	assert_int_equal(ops->tenant_add(t->engine, "guests", ARENA_LEN, &t->tenant), 0);
	assert_int_equal(ops->tenant_add(t->engine, "visitor", 1 << 20, &t->visitor), 0);
}

static void server_open(struct test *t, struct server *v)
{
	const struct utmem_engine_lock lock = {ticket_lock, ticket_unlock, &t->engine_lock};

	assert_int_equal(utmem_service_init(&v->s, t->engine, 1), 0);
	utmem_service_share_engine(v->s, &lock);
	v->stop = &t->stop;
	v->win.base = rig_map(RIG_WINDOW_LEN);
	window_open(v->s, &v->win, t->tenant, wake, v);
}

static void guest_open(struct test *t, uint32_t id)
{
	struct rig_window *win = &t->servers[id % NR_SERVICES].win;
	struct guest *g = &t->guests[id];
	char name[16];

	g->id = id;
	g->taken = t->taken;
	rig_queue(&g->q, win, 16, 16, NR_KEYS * SLOT_LEN);
	snprintf(name, sizeof(name), "own%u", id);
	g->pool = rig_pool(win, g->q.id, name, UTMEM_POOL_CREATE);
	g->shared = rig_pool(win, g->q.id, "all", UTMEM_POOL_CREATE | UTMEM_POOL_GUEST_SHARED);
	assert_int_equal(g->pool, 0);
	assert_int_equal(g->shared, 1);
}

static void *guest_run(void *arg)
{
	struct test *t = ((void **)arg)[0];

	guest_life(((void **)arg)[1]);
	__atomic_fetch_add(&t->nr_done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void run(struct test *t)
{
	void *args[NR_GUESTS][2];
	uint32_t i;

	for (i = 0; i < NR_SERVICES; i++)
		assert_int_equal(
			pthread_create(&t->servers[i].thread, NULL, server_life, &t->servers[i]),
			0);
	for (i = 0; i < NR_GUESTS; i++) {
		args[i][0] = t;
		args[i][1] = &t->guests[i];
		assert_int_equal(pthread_create(&t->guests[i].thread, NULL, guest_run, args[i]), 0);
	}
	come_and_go_until_done(t);
	for (i = 0; i < NR_GUESTS; i++)
		pthread_join(t->guests[i].thread, NULL);
	__atomic_store_n(&t->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_SERVICES; i++)
		pthread_join(t->servers[i].thread, NULL);
}

static void check(const struct test *t)
{
	struct utmem_service_counters c;
	uint32_t i, round;

	for (i = 0; i < NR_GUESTS; i++) {
		assert_int_equal(t->guests[i].nr_wrong, 0);
		for (round = 0; round < NR_ROUNDS; round++)
			assert_int_equal(t->taken[i][round], 1);
	}
	for (i = 0; i < NR_SERVICES; i++) {
		utmem_service_stat(t->servers[i].s, &c);
		assert_true(c.nr_wakes > NR_ROUNDS);
		assert_int_equal(t->servers[i].nr_strange_wakes, 0);
	}
}

static void test_close(struct test *t)
{
	uint32_t i;

	for (i = 0; i < NR_SERVICES; i++) {
		utmem_window_detach(t->servers[i].win.w);
		utmem_service_exit(t->servers[i].s);
		munmap(t->servers[i].win.base, RIG_WINDOW_LEN);
	}
	utmem_ops(t->engine)->close(t->engine);
	utmem_memory_close(&t->mem);
}

static void services_on_one_engine_keep_out_of_each_others_way(void **state)
{
	static struct test t;
	uint32_t i;

	(void)state;
	engine_open(&t);
	for (i = 0; i < NR_SERVICES; i++)
		server_open(&t, &t.servers[i]);
	for (i = 0; i < NR_GUESTS; i++)
		guest_open(&t, i);
	run(&t);
	check(&t);
	test_close(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_on_one_engine_keep_out_of_each_others_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
