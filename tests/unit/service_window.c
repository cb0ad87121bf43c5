// SPDX-License-Identifier: MIT
/* A window: what the host announces, a guest's generations, sleeping and waking, the end. */
#include "host/service/window.h"
#include "tests/unit/service_rig.h"

#define MAX_LEN (4u << 20)

/* Attach a third window with one thing changed. */
static int attach(struct rig *rig, struct rig_window *win, const struct utmem_window_config *cfg)
{
	win->control = (struct utmem_control *)(win->base + UTMEM_PAGE);
	return utmem_window_attach(rig->s, &win->w, cfg);
}

static void the_header_announces_limits_and_the_admin_queue(void **state)
{
	struct rig *rig = *state;
	const struct utmem_window_hdr *hdr = (const void *)rig->win[0].base;
	static const uint64_t zero[16];

	assert_true(hdr->magic == UTMEM_MAGIC);
	assert_memory_equal(hdr, "utmemwin", 8);
	assert_int_equal(hdr->abi_major, UTMEM_ABI_MAJOR);
	assert_int_equal(hdr->abi_minor, UTMEM_ABI_MINOR);
	assert_int_equal(hdr->hdr_len, sizeof(*hdr));
	assert_int_equal(hdr->features, UTMEM_FEAT_DOORBELL_MMIO);
	assert_int_equal(hdr->window_len, RIG_WINDOW_LEN);
	assert_true(hdr->doorbell_token == 0x1122334455667788ull);
	assert_int_equal(hdr->epoch, 7);
	assert_int_equal(hdr->control_off, UTMEM_PAGE);
	assert_int_equal(hdr->nr_svc, 1);
	assert_int_equal(hdr->host_peer, 3);
	assert_int_equal(hdr->heartbeat_ms, 500);
	assert_int_equal(hdr->max_queues, 8);
	assert_int_equal(hdr->max_sq_entries, UTMEM_SQ_ENTRIES_MAX);
	assert_int_equal(hdr->max_data_len, RIG_WINDOW_LEN / 4);
	assert_int_equal(hdr->max_key_len, UTMEM_KEY_MAX);
	assert_int_equal(hdr->max_pools, UTMEM_POOLS_PER_QUEUE);
	assert_true(hdr->max_value_len == UTMEM_VALUE_MAX);
	assert_true(hdr->admin.off >= 2 * UTMEM_PAGE);
	assert_int_equal(utmem_geometry_check(&hdr->admin, RIG_WINDOW_LEN), 0);
	assert_memory_equal(hdr->resv, zero, sizeof(hdr->resv));
	assert_int_equal(rig->win[0].control->host.state, UTMEM_HOST_RUNNING);
}

/* Each worker says anew what it can hear, and may change its mind. */
static void a_resumed_window_offers_what_its_new_host_can(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(MAX_LEN)};
	struct utmem_window_config cfg = rig_config(rig, &win, MAX_LEN);
	struct utmem_window_hdr *hdr = (void *)win.base;
	void *ledger = rig_map(utmem_ledger_len(cfg.max_queues));

	cfg.ledger = ledger;
	cfg.ledger_len = utmem_ledger_len(cfg.max_queues);
	cfg.features = UTMEM_FEAT_DOORBELL_MMIO | UTMEM_FEAT_DOORBELL_HYPERCALL;
	assert_int_equal(attach(rig, &win, &cfg), 0);
	assert_true(hdr->features == cfg.features);
	utsvc_window_free(win.w);

	hdr->features = ~0ull; /* the guest's scribbles */
	cfg.resume = true;
	cfg.features = UTMEM_FEAT_DOORBELL_MMIO;
	cfg.doorbell_token = 1; /* the guest knows the first one */
	assert_int_equal(attach(rig, &win, &cfg), 0);
	assert_true(hdr->features == UTMEM_FEAT_DOORBELL_MMIO);
	assert_true(utmem_window_token(win.w) == 0x1122334455667788ull);
	assert_true(hdr->doorbell_token == utmem_window_token(win.w));

	utmem_window_offer(win.w, ~0ull);
	assert_true(hdr->features == (UTMEM_FEAT_DOORBELL_MMIO | UTMEM_FEAT_DOORBELL_HYPERCALL |
				      UTMEM_FEAT_DOORBELL_EVENTFD));
	utmem_window_offer(win.w, UTMEM_FEAT_DOORBELL_MMIO);
	assert_true(hdr->features == UTMEM_FEAT_DOORBELL_MMIO);
	utmem_window_detach(win.w);
	munmap(ledger, utmem_ledger_len(cfg.max_queues));
	munmap(win.base, MAX_LEN);
}

static void a_window_without_admin_queue_says_so(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(MAX_LEN)};
	struct utmem_window_config cfg = rig_config(rig, &win, MAX_LEN);
	const struct utmem_window_hdr *hdr = (const void *)win.base;
	struct utmem_admin_queue p = {.sq_entries = 2, .cq_entries = 2};

	cfg.admin_queue = false;
	assert_int_equal(attach(rig, &win, &cfg), 0);
	assert_int_equal(hdr->admin.len, 0);
	win.control->guest.hello = 5;
	assert_false(utmem_service_arm(rig->s));
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(win.control->host.hello_ack, 0);
	assert_int_equal(utmem_window_admin(win.w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)), 0);
	assert_int_equal(p.geo.off, 2 * UTMEM_PAGE);
	utmem_window_detach(win.w);
	munmap(win.base, MAX_LEN);
}

static void window_sizes_are_powers_of_two_from_256_kib(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(MAX_LEN)};
	struct utmem_window_config cfg = rig_config(rig, &win, MAX_LEN);
	const uint64_t bad[] = {0,
				UTMEM_PAGE,
				UTMEM_WINDOW_LEN_MIN / 2,
				UTMEM_WINDOW_LEN_MIN - UTMEM_PAGE,
				UTMEM_WINDOW_LEN_MIN + UTMEM_PAGE,
				MAX_LEN - 1};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cfg.len = bad[i];
		assert_int_equal(attach(rig, &win, &cfg), -EINVAL);
	}
	cfg.len = UTMEM_WINDOW_LEN_MIN;
	assert_int_equal(attach(rig, &win, &cfg), 0);
	utmem_window_detach(win.w);
	munmap(win.base, MAX_LEN);
}

static void queue_numbers_and_alignment_are_checked(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(MAX_LEN)};
	struct utmem_window_config cfg = rig_config(rig, &win, MAX_LEN);
	const struct utmem_window_hdr *hdr = (const void *)win.base;

	cfg.max_queues = 1;
	assert_int_equal(attach(rig, &win, &cfg), -EINVAL);
	cfg.max_queues = UTMEM_QUEUES_MAX + 1;
	assert_int_equal(attach(rig, &win, &cfg), -EINVAL);
	cfg.max_queues = UTMEM_QUEUES_MAX;
	cfg.base = win.base + 64;
	assert_int_equal(attach(rig, &win, &cfg), -EINVAL);
	cfg.base = win.base;
	cfg.max_data_len = 2 * UTMEM_PAGE + 5; /* whole pages are announced */
	assert_int_equal(attach(rig, &win, &cfg), 0);
	assert_int_equal(hdr->max_queues, UTMEM_QUEUES_MAX);
	assert_int_equal(hdr->max_data_len, 2 * UTMEM_PAGE);
	utmem_window_detach(win.w);
	cfg.max_queues = 0;
	cfg.max_data_len = 0;
	cfg.features = ~0ull;
	assert_int_equal(attach(rig, &win, &cfg), 0);
	assert_int_equal(hdr->max_queues, 64);
	assert_int_equal(hdr->max_data_len, MAX_LEN / 4);
	assert_int_equal(hdr->features & UTMEM_FEAT_RESERVE, 0);
	utmem_window_detach(win.w);
	munmap(win.base, MAX_LEN);
}

/* One admin request by queue 0, as the driver does it. */
static int admin(struct rig *rig, struct rig_queue *q, uint8_t opcode, void *payload, uint32_t len)
{
	struct utmem_sqe *sqe = rig_sqe(q, opcode);
	int res;

	sqe->len = len;
	memcpy(q->data, payload, len);
	res = rig_do(rig, q).res;
	memcpy(payload, q->data, len);
	return res;
}

static void hello(struct rig *rig, struct rig_window *win, struct rig_queue *q, uint64_t generation)
{
	const struct utmem_window_hdr *hdr = (const void *)win->base;

	utmem_store_release(&win->control->guest.hello, generation);
	assert_true(utmem_service_arm(rig->s));
	utmem_service_turn(rig->s);
	assert_true(utmem_load_acquire(&win->control->host.hello_ack) == generation);
	rig_queue_init(q, win, &hdr->admin);
}

static void a_new_generation_finds_an_empty_admin_queue_and_no_queues(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4};
	struct utmem_admin_pool pool = {.flags = UTMEM_POOL_CREATE, .name = "p"};
	struct utmem_window_stat before, after;
	struct rig_queue other, q;

	rig_queue(&other, &rig->win[1], 4, 4, UTMEM_PAGE);
	hello(rig, win, &q, 1);
	utmem_window_stat(win->w, &before);
	assert_int_equal(admin(rig, &q, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)), 0);
	pool.queue_id = p.queue_id;
	assert_int_equal(admin(rig, &q, UTMEM_OP_POOL_OPEN, &pool, sizeof(pool)), 0);
	assert_int_equal(rig->engine.nr_attached, 1);

	rig_sqe(&q, UTMEM_OP_NOP); /* the life before ends with a request in the ring */
	utmem_sq_publish(&q.sq);
	hello(rig, win, &q, 2);
	assert_int_equal(q.page->sq_tail | q.page->sq_head | q.page->cq_tail | q.page->cq_head, 0);
	assert_int_equal(utmem_state_error(q.page), 0);
	assert_int_equal(rig->engine.nr_attached, 0);
	assert_int_equal(win->nr_wakes, 0);
	utmem_window_stat(win->w, &after);
	assert_int_equal(after.nr_queues, 0);
	assert_int_equal(after.window_free, before.window_free);
	assert_int_equal(after.hello, 2);
	assert_int_equal(admin(rig, &q, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)), 0);
	assert_int_equal(utmem_state_error(other.page), 0);
}

static void any_other_generation_is_a_new_one(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;

	hello(rig, &rig->win[0], &q, 9);
	hello(rig, &rig->win[0], &q, 3);
	hello(rig, &rig->win[0], &q, ~0ull);
	hello(rig, &rig->win[0], &q, 0);
	assert_false(utmem_service_arm(rig->s));
}

static void features_that_were_not_offered_are_not_accepted(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;
	uint32_t lines = rig->win[0].nr_lines;

	rig->win[0].control->guest.features = UTMEM_FEAT_DOORBELL_MMIO;
	hello(rig, &rig->win[0], &q, 1);
	assert_int_equal(rig->win[0].nr_lines, lines + 1);
	rig->win[0].control->guest.features = UTMEM_FEAT_RESERVE;
	hello(rig, &rig->win[0], &q, 2);
	assert_int_equal(rig->win[0].nr_lines, lines + 3); /* says so */
	rig_sqe(&q, UTMEM_OP_NOP);
	assert_int_equal(rig_do(rig, &q).res, 0);
}

static void an_admin_queue_that_lies_ends_until_the_next_hello(void **state)
{
	struct rig *rig = *state;
	struct rig_queue data, q;

	hello(rig, &rig->win[0], &q, 1);
	rig_queue(&data, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], data.id, "p", UTMEM_POOL_CREATE), 0);
	q.page->sq_tail = 4711;
	assert_true(utmem_service_arm(rig->s));
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(utmem_state_error(q.page), -EPROTO);
	assert_int_equal(rig->win[0].nr_wakes, 1);
	assert_false(utmem_service_arm(rig->s));
	assert_int_equal(rig_put(rig, &data, "k", "v"), 0);
	hello(rig, &rig->win[0], &q, 2);
	assert_int_equal(utmem_state_error(q.page), 0);
	rig_sqe(&q, UTMEM_OP_NOP);
	assert_int_equal(rig_do(rig, &q).res, 0);
}

static void a_guest_that_scribbles_on_header_and_control_harms_itself(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q, n;
	struct utmem_window_stat stat;

	rig_queue(&q, &rig->win[0], 4, 4, UTMEM_PAGE);
	rig_queue(&n, &rig->win[1], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[1], n.id, "p", UTMEM_POOL_CREATE), 0);
	memset(rig->win[0].base, 0xff, 2 * UTMEM_PAGE);
	utmem_service_turn(rig->s);
	utmem_window_stat(rig->win[0].w, &stat);
	assert_int_equal(stat.window_len, RIG_WINDOW_LEN);
	assert_int_equal(stat.nr_queues, 0); /* its hello changed with the rest */
	rig_queue(&q, &rig->win[0], 4, 4, UTMEM_PAGE);
	rig_sqe(&q, UTMEM_OP_NOP);
	assert_int_equal(rig_do(rig, &q).res, 0);
	assert_int_equal(rig_put(rig, &n, "k", "v"), 0);
}

static void arming_sets_need_kick_and_finds_late_requests(void **state)
{
	struct rig *rig = *state;
	struct utmem_svc_line *svc[2] = {&rig->win[0].control->svc[0],
					 &rig->win[1].control->svc[0]};
	struct utmem_service_counters c;
	struct rig_queue q;

	rig_queue(&q, &rig->win[1], 4, 4, 0);
	while (utmem_service_turn(rig->s))
		;
	assert_false(utmem_kick_needed(svc[0]));
	assert_false(utmem_service_arm(rig->s));
	assert_true(utmem_kick_needed(svc[0]));
	assert_true(utmem_kick_needed(svc[1]));
	utmem_service_disarm(rig->s);
	assert_false(utmem_kick_needed(svc[0]));
	assert_false(utmem_kick_needed(svc[1]));

	rig_sqe(&q, UTMEM_OP_NOP);
	assert_false(utmem_service_arm(rig->s)); /* reserved is not published */
	utmem_sq_publish(&q.sq);
	assert_true(utmem_service_arm(rig->s));
	assert_false(utmem_kick_needed(svc[0]));
	assert_false(utmem_kick_needed(svc[1]));
	assert_int_equal(utmem_service_turn(rig->s), 1);
	utmem_service_stat(rig->s, &c);
	assert_int_equal(c.nr_arms, 3);
}

static void every_sleep_has_a_number_of_its_own(void **state)
{
	struct rig *rig = *state;
	const struct utmem_svc_line *svc = &rig->win[0].control->svc[0];
	uint32_t sleep, before = 0;

	for (unsigned int i = 0; i < 5; i++) {
		rig->engine.upkeep = i % 2; /* one that is given up at once counts as well */
		utmem_service_arm(rig->s);
		if (i % 2)
			continue;
		sleep = utmem_kick_needed(svc);
		assert_int_not_equal(sleep, 0);
		assert_int_equal(utmem_kick_needed(&rig->win[1].control->svc[0]), sleep);
		if (before)
			assert_int_equal(sleep - before, 2 << UTMEM_SVC_SLEEP_SHIFT);
		before = sleep;
		utmem_service_disarm(rig->s);
	}
}

/* What the guest writes there is not where the host counts. */
static void a_guest_that_scribbles_on_the_sleep_does_not_make_the_host_repeat_it(void **state)
{
	struct rig *rig = *state;
	struct utmem_svc_line *svc = &rig->win[0].control->svc[0];
	uint32_t sleep;

	assert_false(utmem_service_arm(rig->s));
	sleep = utmem_kick_needed(svc);
	utmem_service_disarm(rig->s);
	svc->flags = sleep - (1u << UTMEM_SVC_SLEEP_SHIFT);
	assert_false(utmem_service_arm(rig->s));
	assert_int_equal(utmem_kick_needed(svc), sleep + (1u << UTMEM_SVC_SLEEP_SHIFT));
}

static void the_sleeps_of_another_life_have_other_numbers(void **state)
{
	struct rig *rig = *state;
	struct utmem_engine engine;
	uint32_t first[2];

	fake_init(&engine);
	for (uint32_t epoch = 8; epoch < 10; epoch++) {
		struct rig_window win = {.base = rig_map(RIG_WINDOW_LEN)};
		struct utmem_window_config cfg = rig_config(rig, &win, RIG_WINDOW_LEN);
		struct utmem_service *s;

		win.control = (struct utmem_control *)(win.base + UTMEM_PAGE);
		cfg.tenant = fake_tenant(&engine, epoch == 8 ? "a" : "b", 1 << 20);
		assert_int_equal(utmem_service_init(&s, &engine, epoch), 0);
		assert_int_equal(utmem_window_attach(s, &win.w, &cfg), 0);
		assert_false(utmem_service_arm(s));
		first[epoch - 8] = utmem_kick_needed(&win.control->svc[0]);
		utmem_window_detach(win.w);
		utmem_service_exit(s);
		munmap(win.base, RIG_WINDOW_LEN);
	}
	fake_exit(&engine);
	/* so many sleeps it would take until the first life's numbers were the second's */
	assert_true((first[1] - first[0]) >> UTMEM_SVC_SLEEP_SHIFT > 1000000);
	assert_true((first[0] - first[1]) >> UTMEM_SVC_SLEEP_SHIFT > 1000000);
}

static void arming_finds_admin_requests(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;

	hello(rig, &rig->win[0], &q, 1);
	assert_false(utmem_service_arm(rig->s));
	rig_sqe(&q, UTMEM_OP_NOP);
	utmem_sq_publish(&q.sq);
	assert_true(utmem_service_arm(rig->s));
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_false(utmem_service_arm(rig->s));
}

static void background_work_is_done_in_parts_before_sleep(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;
	unsigned int before;

	rig_queue(&q, &rig->win[0], 4, 4, 0);
	rig->engine.upkeep = 3;
	rig_sqe(&q, UTMEM_OP_NOP);
	utmem_sq_publish(&q.sq);
	assert_int_equal(utmem_service_turn(rig->s), 1 + 1);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	before = rig->engine.nr_maintained;
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig->engine.nr_maintained, before); /* idle turns ask nobody */
	rig->engine.upkeep = 1;				     /* a quota was lowered meanwhile */
	assert_true(utmem_service_arm(rig->s));
	assert_false(utmem_service_arm(rig->s));
}

static void a_draining_window_serves_and_takes_no_new_queues(void **state)
{
	struct rig *rig = *state;
	struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4};
	struct rig_queue q;

	rig_queue(&q, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q.id, "p", UTMEM_POOL_CREATE), 0);
	utmem_window_draining(rig->win[0].w);
	assert_int_equal(rig->win[0].control->host.state, UTMEM_HOST_DRAINING);
	assert_int_equal(utmem_window_admin(rig->win[0].w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)),
			 -ESHUTDOWN);
	assert_int_equal(rig_put(rig, &q, "k", "v"), 0);
	assert_int_equal(utmem_window_admin(rig->win[1].w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)),
			 0);
}

static void detaching_serves_what_is_there_and_marks_the_end(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_service_counters c;
	struct rig_queue q, ended;
	uint32_t i;

	rig_queue(&q, win, 64, 64, UTMEM_PAGE);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), 0);
	rig_queue(&ended, win, 4, 4, 0);
	ended.page->sq_tail = 99;
	utmem_service_turn(rig->s);
	for (i = 0; i < 50; i++)
		rig_put_sqe(&q, "k", "v");
	utmem_sq_publish(&q.sq);
	utmem_window_detach(win->w);
	win->w = NULL;
	assert_int_equal(rig_ready(&q), 50);
	assert_int_equal(q.page->sq_head, 50);
	assert_int_equal(utmem_state_error(q.page), -ECONNRESET);
	assert_int_equal(q.page->state, UTMEM_QUEUE_GONE);
	assert_int_equal(utmem_state_error(ended.page), -EPROTO);
	assert_int_equal(win->control->host.state, UTMEM_HOST_STOPPED);
	assert_true(win->nr_wakes >= 2);
	assert_int_equal(rig->engine.nr_attached, 0);
	utmem_service_stat(rig->s, &c);
	assert_int_equal(c.nr_requests, 50); /* what gone windows did is not forgotten */
	assert_int_equal(utmem_service_turn(rig->s), 0);
}

static void a_guest_cannot_fill_the_log(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct rig_queue q;
	uint64_t i;

	for (i = 1; i <= WINDOW_LOG_BURST + 10; i++)
		hello(rig, win, &q, i);
	assert_int_equal(win->nr_lines, WINDOW_LOG_BURST);
	utmem_window_heartbeat(win->w);
	utmem_window_heartbeat(win->w);
	hello(rig, win, &q, i); /* and one that says how many were left out */
	assert_int_equal(win->nr_lines, WINDOW_LOG_BURST + 2);
	hello(rig, win, &q, i + 1);
	assert_int_equal(win->nr_lines, WINDOW_LOG_BURST + 3);
	hello(rig, win, &q, i + 2);
	assert_int_equal(win->nr_lines, WINDOW_LOG_BURST + 3);
}

static void the_heartbeat_counts_up(void **state)
{
	struct rig *rig = *state;

	utmem_window_heartbeat(rig->win[0].w);
	rig->win[0].control->host.heartbeat = 77; /* the guest's scribbling does not last */
	utmem_window_heartbeat(rig->win[0].w);
	assert_int_equal(rig->win[0].control->host.heartbeat, 2);
	assert_int_equal(rig->win[1].control->host.heartbeat, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_header_announces_limits_and_the_admin_queue),
		RIG_TEST(a_resumed_window_offers_what_its_new_host_can),
		RIG_TEST(a_window_without_admin_queue_says_so),
		RIG_TEST(window_sizes_are_powers_of_two_from_256_kib),
		RIG_TEST(queue_numbers_and_alignment_are_checked),
		RIG_TEST(a_new_generation_finds_an_empty_admin_queue_and_no_queues),
		RIG_TEST(any_other_generation_is_a_new_one),
		RIG_TEST(features_that_were_not_offered_are_not_accepted),
		RIG_TEST(an_admin_queue_that_lies_ends_until_the_next_hello),
		RIG_TEST(a_guest_that_scribbles_on_header_and_control_harms_itself),
		RIG_TEST(arming_sets_need_kick_and_finds_late_requests),
		RIG_TEST(every_sleep_has_a_number_of_its_own),
		RIG_TEST(a_guest_that_scribbles_on_the_sleep_does_not_make_the_host_repeat_it),
		RIG_TEST(the_sleeps_of_another_life_have_other_numbers),
		RIG_TEST(arming_finds_admin_requests),
		RIG_TEST(background_work_is_done_in_parts_before_sleep),
		RIG_TEST(a_draining_window_serves_and_takes_no_new_queues),
		RIG_TEST(detaching_serves_what_is_there_and_marks_the_end),
		RIG_TEST(a_guest_cannot_fill_the_log),
		RIG_TEST(the_heartbeat_counts_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
