// SPDX-License-Identifier: MIT
/*
 * What a tenant can cost the others: one budget in each turn, whatever it asks for and over
 * however many queues and windows. Turns and requests are counted, never the clock.
 */
#include "host/service/window.h"
#include "tests/unit/service_rig.h"

#define BIG_LEN (8u << 20)
#define BIG_QUEUES 320u

/* One more window of @tenant, with more room than the rig's. */
static void big_attach(struct rig *rig, struct rig_window *win, struct utmem_tenant *tenant)
{
	struct utmem_window_config cfg;

	memset(win, 0, sizeof(*win));
	win->base = rig_map(BIG_LEN);
	cfg = rig_config(rig, win, BIG_LEN);
	cfg.tenant = tenant;
	cfg.max_queues = BIG_QUEUES + 1;
	cfg.admin_queue = false;
	assert_int_equal(utmem_window_attach(rig->s, &win->w, &cfg), 0);
}

static void big_detach(struct rig_window *win)
{
	utmem_window_detach(win->w);
	munmap(win->base, BIG_LEN);
}

/* A queue with pool "p", in a window of either size. */
static void queue_with_pool(struct rig_queue *q, struct rig_window *win, uint32_t entries,
			    uint32_t data_len)
{
	struct utmem_admin_queue p = {
		.sq_entries = entries, .cq_entries = entries, .data_len = data_len};

	assert_int_equal(utmem_window_admin(win->w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)), 0);
	q->id = p.queue_id;
	rig_queue_init(q, win, &p.geo);
	assert_int_equal(rig_pool(win, q->id, "p", UTMEM_POOL_CREATE), 0);
}

/* @nr requests that name no bytes. */
static void fill(struct rig_queue *q, uint8_t opcode, uint32_t nr)
{
	while (nr--)
		rig_sqe(q, opcode);
	utmem_sq_publish(&q->sq);
}

static void fill_large(struct rig_queue *q, uint32_t nr, uint32_t len)
{
	while (nr--)
		rig_put_sqe(q, "large", "v")->len = len;
	utmem_sq_publish(&q->sq);
}

/* The neighbour asks for one thing; one turn must do. */
static void assert_victim_served(struct rig *rig, struct rig_queue *victim)
{
	rig_put_sqe(victim, "k", "v");
	utmem_sq_publish(&victim->sq);
	utmem_service_turn(rig->s);
	assert_int_equal(rig_cqe(victim).res, 0);
}

static void requests_without_bytes_spend_the_turn(void **state)
{
	const uint32_t batches = TENANT_TURN_BYTES / (REQUEST_BATCH * REQUEST_COST);
	struct rig *rig = *state;
	struct rig_queue q[BIG_QUEUES], victim;
	struct rig_window big;
	uint32_t i;

	assert_true(batches < BIG_QUEUES);
	queue_with_pool(&victim, &rig->win[1], 4, UTMEM_PAGE);
	big_attach(rig, &big, rig->tenant);
	for (i = 0; i < BIG_QUEUES; i++) {
		queue_with_pool(&q[i], &big, 2 * REQUEST_BATCH, 0);
		fill(&q[i], UTMEM_OP_NOP, 2 * REQUEST_BATCH);
	}
	assert_int_equal(utmem_service_turn(rig->s), batches * REQUEST_BATCH);
	assert_victim_served(rig, &victim);
	for (i = 0; i < BIG_QUEUES; i++) /* the others were first in the second turn */
		assert_int_equal(rig_ready(&q[i]) / REQUEST_BATCH,
				 i < 2 * batches - BIG_QUEUES ? 2 : 1);
	big_detach(&big);
}

static void malformed_requests_spend_the_turn(void **state)
{
	const uint32_t batches = TENANT_TURN_BYTES / (REQUEST_BATCH * REQUEST_COST);
	struct rig *rig = *state;
	struct rig_window big;
	struct rig_queue q;
	uint32_t i;

	big_attach(rig, &big, rig->tenant);
	for (i = 0; i < BIG_QUEUES; i++) {
		queue_with_pool(&q, &big, REQUEST_BATCH, 0);
		fill(&q, 77, REQUEST_BATCH);
	}
	assert_int_equal(utmem_service_turn(rig->s), batches * REQUEST_BATCH);
	big_detach(&big);
}

static void few_flushes_are_a_turn(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q[3];
	uint32_t i, done = 0;

	for (i = 0; i < 3; i++) {
		queue_with_pool(&q[i], &rig->win[0], 64, 0);
		fill(&q[i], UTMEM_OP_FLUSH, 64);
	}
	utmem_service_turn(rig->s);
	for (i = 0; i < 3; i++) {
		assert_true(rig_ready(&q[i]) <= QUEUE_TURN_BYTES / FLUSH_COST);
		done += rig_ready(&q[i]);
	}
	assert_int_equal(done, TENANT_TURN_BYTES / FLUSH_COST);
}

static void a_begin_costs_what_it_announces(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q, victim;
	uint32_t i;

	queue_with_pool(&q, &rig->win[0], 64, 0);
	queue_with_pool(&victim, &rig->win[1], 4, UTMEM_PAGE);
	for (i = 0; i < 16; i++) {
		struct utmem_sqe *sqe = rig_key_sqe(&q, UTMEM_OP_PUT_BEGIN, "k");

		sqe->arg = i ? QUEUE_TURN_BYTES : QUEUE_TURN_BYTES - REQUEST_COST - 1;
		sqe->stream = (uint16_t)i;
	}
	utmem_sq_publish(&q.sq);
	assert_int_equal(utmem_service_turn(rig->s), 2); /* the first leaves room for one more */
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_victim_served(rig, &victim);
	assert_int_equal(rig_ready(&q), 4);
}

/* One window with one queue does not wait for the one with many. */
static void windows_of_a_tenant_share_one_budget(void **state)
{
	const uint32_t len = 128 << 10, nr = 7, per_turn = TENANT_TURN_BYTES / len;
	struct rig *rig = *state;
	struct rig_queue q[8], victim;
	struct rig_window big;
	uint32_t i, turn, done;

	queue_with_pool(&victim, &rig->win[1], 4, UTMEM_PAGE);
	big_attach(rig, &big, rig->tenant);
	for (i = 0; i < 8; i++) {
		queue_with_pool(&q[i], i < nr ? &big : &rig->win[0], 32, len);
		fill_large(&q[i], 32, len);
	}
	for (turn = 1; turn <= 4; turn++) {
		assert_victim_served(rig, &victim);
		for (done = 0, i = 0; i < 8; i++)
			done += rig_ready(&q[i]);
		assert_int_equal(done, turn * per_turn);
	}
	for (i = 0; i < 8; i++) /* each had its turn by now, and none a second one */
		assert_int_equal(rig_ready(&q[i]), 4 * per_turn / 8);
	big_detach(&big);
}

static void tenants_do_not_share_a_budget(void **state)
{
	const uint32_t len = 128 << 10;
	struct rig *rig = *state;
	struct rig_queue q[2][3];
	uint32_t i, j;

	for (i = 0; i < 2; i++) {
		for (j = 0; j < 3; j++) {
			queue_with_pool(&q[i][j], &rig->win[i], 32, len);
			fill_large(&q[i][j], 32, len);
		}
	}
	assert_int_equal(utmem_service_turn(rig->s), 2 * TENANT_TURN_BYTES / len);
	for (i = 0; i < 2; i++)
		assert_int_equal(rig_ready(&q[i][0]) + rig_ready(&q[i][1]) + rig_ready(&q[i][2]),
				 TENANT_TURN_BYTES / len);
}

static void a_window_that_goes_leaves_the_others_their_turn(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q[4], own;
	struct rig_window big[2];
	uint32_t i;

	big_attach(rig, &big[0], rig->tenant);
	big_attach(rig, &big[1], rig->tenant);
	for (i = 0; i < 4; i++)
		queue_with_pool(&q[i], &big[i % 2], 4, UTMEM_PAGE);
	queue_with_pool(&own, &rig->win[0], 4, UTMEM_PAGE);
	big_detach(&big[0]);
	assert_int_equal(rig_put(rig, &q[1], "k", "v"), 0);
	assert_int_equal(rig_put(rig, &q[3], "k", "v"), 0);
	big_detach(&big[1]);
	assert_int_equal(rig_get(rig, &own, "k"), 1);
}

/* ---- what is in the rings of those that go ---- */

static void destroying_a_queue_of_large_values_is_bounded(void **state)
{
	const uint32_t len = 256 << 10;
	struct rig *rig = *state;
	struct rig_queue q;

	queue_with_pool(&q, &rig->win[0], 128, len);
	fill_large(&q, 128, len);
	assert_int_equal(rig_destroy(&rig->win[0], q.id), 0);
	assert_int_equal(q.page->sq_head, TENANT_LAST_BYTES / len);
}

static void destroying_a_queue_of_flushes_is_bounded(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;

	queue_with_pool(&q, &rig->win[0], 128, 0);
	fill(&q, UTMEM_OP_FLUSH, 128);
	assert_int_equal(rig_destroy(&rig->win[0], q.id), 0);
	assert_int_equal(q.page->sq_head, TENANT_LAST_BYTES / FLUSH_COST);
}

static void the_largest_ring_is_served_to_its_end_when_it_names_no_bytes(void **state)
{
	struct rig *rig = *state;
	struct rig_window big;
	struct rig_queue q;

	big_attach(rig, &big, rig->tenant);
	queue_with_pool(&q, &big, UTMEM_SQ_ENTRIES_MAX, 0);
	fill(&q, UTMEM_OP_NOP, UTMEM_SQ_ENTRIES_MAX);
	assert_int_equal(rig_destroy(&big, q.id), 0);
	assert_int_equal(q.page->sq_head, UTMEM_SQ_ENTRIES_MAX);
	big_detach(&big);
}

/* Between two turns: a window with many queues, many windows, or many DESTROY_QUEUE. */
static void those_that_go_at_once_share_one_budget(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q[4], victim;
	struct rig_window big;

	big_attach(rig, &big, rig->tenant);
	queue_with_pool(&q[0], &rig->win[0], 128, 0);
	queue_with_pool(&q[1], &rig->win[0], 128, 0);
	queue_with_pool(&q[2], &big, 128, 0);
	queue_with_pool(&victim, &rig->win[1], 4, UTMEM_PAGE);
	fill(&q[0], UTMEM_OP_FLUSH, TENANT_LAST_BYTES / FLUSH_COST + 1);
	fill(&q[1], UTMEM_OP_NOP, 1);
	fill(&q[2], UTMEM_OP_NOP, 1);
	rig_put_sqe(&victim, "k", "v");
	utmem_sq_publish(&victim.sq);
	assert_int_equal(rig_destroy(&rig->win[0], q[0].id), 0);
	assert_int_equal(rig_destroy(&rig->win[0], q[1].id), 0);
	utmem_window_detach(big.w);
	assert_int_equal(q[0].page->sq_head, TENANT_LAST_BYTES / FLUSH_COST);
	assert_int_equal(q[1].page->sq_head, 0);
	assert_int_equal(q[2].page->sq_head, 0);
	munmap(big.base, BIG_LEN);
	assert_int_equal(rig_destroy(&rig->win[1], victim.id),
			 0); /* another tenant's is another's */
	assert_int_equal(victim.page->sq_head, 1);

	utmem_service_turn(rig->s);
	queue_with_pool(&q[3], &rig->win[0], 4, 0);
	fill(&q[3], UTMEM_OP_NOP, 4);
	assert_int_equal(rig_destroy(&rig->win[0], q[3].id), 0);
	assert_int_equal(q[3].page->sq_head, 4);
}

/* ---- who is attached to whom ---- */

static int open_pool_of(struct rig_window *win, uint32_t id, const char *tenant)
{
	struct utmem_admin_pool p = {
		.queue_id = id, .flags = UTMEM_POOL_SHARED, .owner = 1000, .name = "lent"};

	snprintf(p.tenant, sizeof(p.tenant), "%s", tenant);
	assert_int_equal(utmem_window_admin(win->w, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), 0);
	return p.handle;
}

static void tenants_know_when_others_are_attached_to_their_pools(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q, n;

	assert_false(utmem_service_shares(rig->s, rig->tenant));
	rig_queue(&q, &rig->win[0], 4, 4, 0);
	rig_queue(&n, &rig->win[1], 4, 4, 0);
	assert_int_equal(
		rig_pool(&rig->win[0], q.id, "lent", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED), 0);
	assert_int_equal(rig_pool(&rig->win[1], n.id, "own", UTMEM_POOL_CREATE), 0);
	assert_false(utmem_service_shares(rig->s, rig->tenant));
	fake_pool_grant(&rig->engine.pools[0], rig->other, false);
	assert_int_equal(open_pool_of(&rig->win[1], n.id, "web1"), 1);
	assert_true(utmem_service_shares(rig->s, rig->tenant));
	assert_false(utmem_service_shares(rig->s, rig->other));
	assert_int_equal(rig_destroy(&rig->win[0], q.id), 0);
	assert_true(utmem_service_shares(rig->s, rig->tenant));
	assert_int_equal(rig_destroy(&rig->win[1], n.id), 0);
	assert_false(utmem_service_shares(rig->s, rig->tenant));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(requests_without_bytes_spend_the_turn),
		RIG_TEST(malformed_requests_spend_the_turn),
		RIG_TEST(few_flushes_are_a_turn),
		RIG_TEST(a_begin_costs_what_it_announces),
		RIG_TEST(windows_of_a_tenant_share_one_budget),
		RIG_TEST(tenants_do_not_share_a_budget),
		RIG_TEST(a_window_that_goes_leaves_the_others_their_turn),
		RIG_TEST(destroying_a_queue_of_large_values_is_bounded),
		RIG_TEST(destroying_a_queue_of_flushes_is_bounded),
		RIG_TEST(the_largest_ring_is_served_to_its_end_when_it_names_no_bytes),
		RIG_TEST(those_that_go_at_once_share_one_budget),
		RIG_TEST(tenants_know_when_others_are_attached_to_their_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
