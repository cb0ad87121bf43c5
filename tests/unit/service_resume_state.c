// SPDX-License-Identifier: MIT
/*
 * A window's second life as a whole: what is kept, what is lost and says so, requests that kill
 * again and again, ledgers that cannot be believed.
 */
#include "tests/unit/service_death.h"

/* Queue @q of window 0 with pool "p", and a neighbour @n in window 1. */
static struct rig *rig_of(void **state, struct rig_queue *q, struct rig_queue *n)
{
	struct rig *rig = *state;

	rig_queue(q, &rig->win[0], 16, 16, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), 0);
	rig_queue(n, &rig->win[1], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[1], n->id, "p", UTMEM_POOL_CREATE), 0);
	return rig;
}

#define BEGIN(rig, q, n)             \
	struct rig_queue q[1], n[1]; \
	struct rig *rig = rig_of(state, q, n)

/* Another process goes on, as after an upgrade; it serves nothing yet. */
static void leave_and_resume(struct rig *rig)
{
	utmem_service_leave(rig->s);
	fake_orphan(&rig->engine);
	death_resume(rig);
}

/* Publish what is reserved, die @nr times in it at @point. */
static void die_in_it(struct rig *rig, struct rig_queue *q, const char *point, unsigned int nr)
{
	utmem_sq_publish(&q->sq);
	while (nr--) {
		death_plan(1, point);
		assert_true(death_turn(rig));
	}
	death_plan(0, NULL);
}

static int finish(struct rig *rig, struct rig_queue *q, uint8_t opcode)
{
	rig_sqe(q, opcode);
	return rig_do(rig, q).res;
}

/* ---- what is kept ---- */

static void a_service_that_left_is_followed_without_a_trace(void **state)
{
	BEGIN(rig, q, n);
	struct utmem_window_hdr hdr;
	struct utmem_sqe *sqe;

	rig->win[0].control->guest.hello = 0;
	assert_int_equal(rig_put(rig, q, "k", "value"), 0);
	utmem_window_heartbeat(rig->win[0].w);
	utmem_window_draining(rig->win[0].w);
	rig_get_sqe(q, "k", 64);
	utmem_sq_publish(&q->sq);
	leave_and_resume(rig);
	memcpy(&hdr, rig->win[0].base, sizeof(hdr));
	assert_int_equal(hdr.epoch, death.epoch);
	assert_int_equal(hdr.doorbell_token, 0x1122334455667788ull);
	assert_int_equal(rig->win[0].control->host.state, UTMEM_HOST_RUNNING);
	assert_int_equal(rig->win[0].control->host.heartbeat, 1);
	assert_int_equal(q->page->state, UTMEM_QUEUE_LIVE);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(rig_cqe(q).res, 5);
	sqe = rig_put_sqe(q, "l", "v");
	assert_int_equal(sqe->opcode, UTMEM_OP_PUT);
	assert_int_equal(rig_do(rig, q).res, 0);
	assert_int_equal(rig->engine.nr_attached, 2);
}

static void a_ledger_of_zeros_begins_a_new_window(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(RIG_WINDOW_LEN)};
	struct utmem_window_config cfg;
	struct rig_queue q;

	win.ledger = rig_map(utmem_ledger_len(RIG_QUEUES));
	win.control = (struct utmem_control *)(win.base + UTMEM_PAGE);
	cfg = rig_config(rig, &win, RIG_WINDOW_LEN);
	cfg.resume = true;
	assert_int_equal(utmem_window_attach(rig->s, &win.w, &cfg), 0);
	rig_queue(&q, &win, 4, 4, 0);
	assert_int_equal(finish(rig, &q, UTMEM_OP_NOP), 0);
	utmem_window_detach(win.w);
	munmap(win.base, RIG_WINDOW_LEN);
	munmap(win.ledger, utmem_ledger_len(RIG_QUEUES));
}

static void every_queue_is_woken_once_in_the_second_life(void **state)
{
	BEGIN(rig, q, n);
	uint32_t before = rig->win[0].nr_wakes;

	leave_and_resume(rig);
	assert_int_equal(rig->win[0].nr_wakes, before);
	assert_true(utmem_service_arm(rig->s)); /* there is that to do */
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig->win[0].nr_wakes, before + 2); /* queue 0 and q */
	assert_false(utmem_service_arm(rig->s));
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig->win[0].nr_wakes, before + 2);
}

static void a_queue_that_had_ended_stays_ended(void **state)
{
	BEGIN(rig, q, n);

	q->page->sq_tail = 5000;
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(utmem_state_error(q->page), -EPROTO);
	q->page->sq_tail = 0;
	leave_and_resume(rig);
	death_scribble(&rig->win[0]);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(utmem_state_error(q->page), -EPROTO);
	assert_int_equal(q->page->state, UTMEM_QUEUE_BROKEN);
	assert_int_equal(rig->engine.nr_attached, 1);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", 0), -EPROTO);
	assert_int_equal(rig_destroy(&rig->win[0], q->id), 0);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
}

static void a_tail_behind_what_was_served_ends_only_that_queue(void **state)
{
	BEGIN(rig, q, n);
	unsigned int i;

	for (i = 0; i < 4; i++)
		rig_sqe(q, UTMEM_OP_NOP);
	utmem_sq_publish(&q->sq);
	death_plan(3, "service_done");
	assert_true(death_turn(rig));
	q->page->sq_tail = 1; /* three are done */
	assert_false(death_turn(rig));
	assert_int_equal(utmem_state_error(q->page), -EPROTO);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
}

/* What was written down is what counts. @key is the one that @old becomes while nobody serves. */
static void change_behind_a_dead_service(struct rig *rig, struct rig_queue *q, const char *old,
					 const char *key)
{
	struct utmem_sqe *sqe;

	assert_int_equal(rig_put(rig, q, old, "v"), 0);
	assert_int_equal(rig_put(rig, q, key, "v"), 0);
	sqe = rig_key_sqe(q, UTMEM_OP_DEL, old);
	die_in_it(rig, q, "service_pending_stored", 1);
	if (sqe->key_len <= UTMEM_KEY_INLINE)
		memcpy(sqe->key, key, sqe->key_len);
	else
		memcpy(q->data + sqe->key_off, key, sqe->key_len);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(rig_cqe(q).res, 0);
	assert_int_equal(rig_get(rig, q, old), -ENOENT);
	assert_int_equal(rig_get(rig, q, key), 1);
}

static void requests_that_change_behind_a_dead_service_act_as_they_were(void **state)
{
	BEGIN(rig, q, n);

	change_behind_a_dead_service(rig, q, "k", "l");
	change_behind_a_dead_service(rig, q, "a key of more than thirty-two bytes, k",
				     "a key of more than thirty-two bytes, l");
}

static void room_of_the_life_before_is_zeroed_for_its_next_owner(void **state)
{
	BEGIN(rig, q, n);
	struct rig_queue next;
	unsigned int i;

	memset(q->data, 0x5a, UTMEM_PAGE);
	leave_and_resume(rig);
	assert_int_equal(rig_destroy(&rig->win[0], q->id), 0);
	rig_queue(&next, &rig->win[0], 16, 16, UTMEM_PAGE);
	assert_ptr_equal(next.data, q->data);
	for (i = 0; i < UTMEM_PAGE; i++)
		assert_int_equal(next.data[i], 0);
}

/* ---- what is lost ---- */

static void a_pool_that_is_gone_is_stale_and_can_be_closed(void **state)
{
	BEGIN(rig, q, n);
	struct utmem_admin_pool p = {.queue_id = q->id};
	struct utmem_pool_stat stat = {.queue_id = q->id};
	struct utmem_window *w;

	utmem_service_leave(rig->s);
	fake_orphan(&rig->engine);
	assert_int_equal(fake_ops.pool_destroy(fake_pool_find(rig->tenant, "p")), 0);
	death_resume(rig);
	w = rig->win[0].w;
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig_put(rig, q, "k", "v"), -ESTALE);
	assert_int_equal(rig_get(rig, q, "k"), -ESTALE);
	assert_int_equal(utmem_window_admin(w, UTMEM_OP_POOL_STAT, &stat, sizeof(stat)), -ESTALE);
	assert_int_equal(utmem_window_admin(w, UTMEM_OP_POOL_DESTROY, &p, sizeof(p)), -ESTALE);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), 1);
	assert_int_equal(utmem_window_admin(w, UTMEM_OP_POOL_CLOSE, &p, sizeof(p)), 0);
	assert_int_equal(rig_put(rig, q, "k", "v"), -EACCES);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(rig_put(rig, q, "k", "v"), 0);
}

/* A tenant may have so many queues with so many handles that each search would be felt. */
static void handles_are_open_again_without_a_search(void **state)
{
	BEGIN(rig, q, n);
	unsigned int i, opens, attached;
	char name[8];

	for (i = 1; i < UTMEM_POOLS_PER_QUEUE; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		assert_int_equal(rig_pool(&rig->win[0], q->id, name, UTMEM_POOL_CREATE), i);
	}
	opens = rig->engine.nr_opens;
	attached = rig->engine.nr_attached;
	leave_and_resume(rig);
	assert_int_equal(rig->engine.nr_opens, opens);
	assert_int_equal(rig->engine.nr_attached, attached);
	rig_put_sqe(q, "k", "v")->pool = UTMEM_POOLS_PER_QUEUE - 1;
	assert_int_equal(rig_do(rig, q).res, 0);
}

static int open_foreign(struct rig *rig, struct rig_queue *q)
{
	struct utmem_admin_pool p = {
		.queue_id = q->id, .flags = UTMEM_POOL_SHARED, .tenant = "web2", .name = "shared"};
	int err = utmem_window_admin(rig->win[0].w, UTMEM_OP_POOL_OPEN, &p, sizeof(p));

	return err ? err : p.handle;
}

static void anothers_pool_is_open_again_only_while_it_is_granted(void **state)
{
	BEGIN(rig, q, n);
	struct utmem_pool *pool;
	struct utmem_sqe *sqe;

	assert_int_equal(
		rig_pool(&rig->win[1], n->id, "shared", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED), 1);
	pool = fake_pool_find(rig->other, "shared");
	fake_pool_grant(pool, rig->tenant, false);
	assert_int_equal(open_foreign(rig, q), 1);
	fake_pool_grant(pool, rig->tenant, true); /* fewer rights than before */
	leave_and_resume(rig);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	sqe = rig_put_sqe(q, "k", "v");
	sqe->pool = 1;
	assert_int_equal(rig_do(rig, q).res, -EACCES);
	rig_get_sqe(q, "k", 8)->pool = 1;
	assert_int_equal(rig_do(rig, q).res, -ENOENT);
	pool->granted = NULL;
	leave_and_resume(rig);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	rig_get_sqe(q, "k", 8)->pool = 1;
	assert_int_equal(rig_do(rig, q).res, -EACCES);
	assert_int_equal(rig_put(rig, q, "k", "v"), 0); /* its own */
}

static void a_stream_that_the_engine_lost_is_stale_until_it_is_aborted(void **state)
{
	BEGIN(rig, q, n);
	struct utmem_sqe *sqe = rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k");

	sqe->arg = 4;
	assert_int_equal(rig_do(rig, q).res, 0);
	utmem_service_leave(rig->s);
	fake_orphan(&rig->engine);
	fake_streams_settle(&rig->engine);
	death_resume(rig);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	sqe = rig_sqe(q, UTMEM_OP_PUT_PART);
	sqe->len = 4;
	assert_int_equal(rig_do(rig, q).res, -ESTALE);
	/* its id is given to another stream, which is none of its business in the third life */
	rig->engine.last_stream_id = 0;
	sqe = rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "l");
	sqe->stream = 1;
	sqe->arg = 4;
	assert_int_equal(rig_do(rig, q).res, 0);
	leave_and_resume(rig);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	sqe = rig_sqe(q, UTMEM_OP_PUT_PART);
	sqe->len = 4;
	assert_int_equal(rig_do(rig, q).res, -ESTALE);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT), -EINVAL);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_ABORT), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_ABORT), -EINVAL);
}

static void a_stream_that_nobody_was_told_of_is_aborted(void **state)
{
	BEGIN(rig, q, n);

	rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k")->arg = 4;
	die_in_it(rig, q, "service_begin_acted", 1);
	assert_int_equal(rig->engine.nr_streams, 1);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(rig_cqe(q).res, 0);
	assert_int_equal(rig->engine.nr_streams, 1); /* and not two */
}

/* ---- quarantine ---- */

static void a_request_that_kills_once_less_is_served(void **state)
{
	BEGIN(rig, q, n);

	rig_put_sqe(q, "k", "v");
	die_in_it(rig, q, "service_put_acted", LEDGER_DEATHS_MAX - 1);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(rig_cqe(q).res, 0);
	assert_int_equal(utmem_state_error(q->page), 0);
}

static void a_request_that_kills_too_often_ends_its_queue_alone(void **state)
{
	BEGIN(rig, q, n);
	struct utmem_service_counters c;

	rig_sqe(q, UTMEM_OP_NOP);
	rig_put_sqe(q, "k", "v");
	death.now_ms = 1000;
	die_in_it(rig, q, "service_put_acted", 1);
	death.now_ms += LEDGER_DEATHS_MS;
	die_in_it(rig, q, "service_put_acted", LEDGER_DEATHS_MAX - 1);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig_cqe(q).res, 0); /* the one before was served */
	assert_int_equal(rig_ready(q), 0);
	assert_int_equal(utmem_state_error(q->page), -EIO);
	assert_int_equal(q->page->state, UTMEM_QUEUE_BROKEN);
	assert_non_null(strstr(rig->win[0].line, "died 5 times within 60 s in request 1"));
	utmem_service_stat(rig->s, &c);
	assert_int_equal(c.nr_broken, 1);
	assert_int_equal(rig_put(rig, n, "k", "v"), 0);
	assert_int_equal(rig_destroy(&rig->win[0], q->id), 0);
}

static void deaths_beyond_the_time_are_counted_anew(void **state)
{
	BEGIN(rig, q, n);

	rig_put_sqe(q, "k", "v");
	death.now_ms = 1000;
	/* it is the next life that counts a death, with its time */
	die_in_it(rig, q, "service_put_acted", LEDGER_DEATHS_MAX - 1);
	death.now_ms += LEDGER_DEATHS_MS + 1;
	die_in_it(rig, q, "service_put_acted", 1);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	assert_int_equal(rig_cqe(q).res, 0);
}

static void deaths_in_different_requests_are_not_added_up(void **state)
{
	BEGIN(rig, q, n);
	unsigned int i;

	for (i = 0; i < 3 * LEDGER_DEATHS_MAX; i++) {
		rig_put_sqe(q, "k", "v");
		die_in_it(rig, q, "service_put_acted", 1);
		assert_int_equal(utmem_service_turn(rig->s), 1);
		assert_int_equal(rig_cqe(q).res, 0);
	}
}

static void die_in_call(void *ctx)
{
	struct rig *rig = ctx;
	struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4};
	int err = utmem_window_admin_once(rig->win[0].w, 9, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p));

	assert_int_equal(err, -EIO);
}

/* Without a queue 0 a call is all that can be refused. */
static void a_call_that_kills_too_often_is_refused(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;
	unsigned int i;

	utmem_window_detach(rig->win[0].w);
	memset(rig->win[0].ledger, 0, utmem_ledger_len(RIG_QUEUES));
	struct utmem_window_config cfg = rig_config(rig, &rig->win[0], RIG_WINDOW_LEN);

	cfg.admin_queue = false;
	assert_int_equal(utmem_window_attach(rig->s, &rig->win[0].w, &cfg), 0);
	for (i = 0; i < LEDGER_DEATHS_MAX; i++) {
		death_plan(1, "service_queue_live");
		assert_true(death_comes(die_in_call, rig));
		death_bury(rig);
		death_resume(rig);
	}
	death_plan(1, "service_queue_live");
	assert_false(death_comes(die_in_call, rig));
	assert_non_null(strstr(rig->win[0].line, "died 5 times"));
	death_plan(0, NULL);
	rig_queue(&q, &rig->win[0], 4, 4, 0); /* others are not */
	assert_int_equal(finish(rig, &q, UTMEM_OP_NOP), 0);
}

/* ---- ledgers ---- */

static int resume_error(struct rig *rig, size_t ledger_len, uint64_t len)
{
	struct utmem_window_config cfg = rig_config(rig, &rig->win[0], len);
	struct utmem_window *w;

	cfg.resume = true;
	cfg.ledger_len = ledger_len;
	return utmem_window_attach(rig->s, &w, &cfg);
}

static void a_ledger_that_cannot_be_believed_is_refused(void **state)
{
	BEGIN(rig, q, n);
	const size_t len = utmem_ledger_len(RIG_QUEUES);
	struct ledger *l = rig->win[0].ledger, *whole = malloc(len);
	struct ledger_queue *lq = &l->queues[q->id];

	utmem_service_leave(rig->s);
	fake_orphan(&rig->engine);
	assert_int_equal(utmem_service_init(&rig->s, &rig->engine, 99), 0);
	memcpy(whole, l, len);
#define REFUSED(change, error)                                                   \
	do {                                                                     \
		change;                                                          \
		assert_int_equal(resume_error(rig, len, RIG_WINDOW_LEN), error); \
		assert_int_equal(rig->engine.nr_attached, 0);                    \
		memcpy(l, whole, len);                                           \
	} while (0)
	REFUSED(l->version++, -EPROTONOSUPPORT);
	REFUSED(l->window_len *= 2, -EINVAL);
	REFUSED(l->max_queues = 1, -EBADMSG);
	REFUSED(l->max_queues = RIG_QUEUES + 1, -EBADMSG);
	REFUSED(l->max_queues = ~0u, -EBADMSG);
	REFUSED(l->active = RIG_QUEUES, -EBADMSG);
	REFUSED(l->acting = 2, -EBADMSG);
	REFUSED(l->admin.state = 9, -EBADMSG);
	REFUSED(l->admin.made = 9, -EBADMSG);
	REFUSED((l->admin.made = LEDGER_MADE_QUEUE, l->admin.made_queue = RIG_QUEUES), -EBADMSG);
	REFUSED((l->admin.made = LEDGER_MADE_HANDLE, l->admin.made_queue = 1,
		 l->admin.made_handle = UTMEM_POOLS_PER_QUEUE),
		-EBADMSG);
	REFUSED(lq->state = 4, -EBADMSG);
	REFUSED(lq->state = UTMEM_QUEUE_BROKEN, -EBADMSG); /* of no error */
	REFUSED(lq->done += LEDGER_BATCH + 1, -EBADMSG);
	REFUSED(lq->released++, -EBADMSG);
	REFUSED(lq->geo.off += 1, -EBADMSG);
	REFUSED(lq->geo.off = RIG_WINDOW_LEN, -EBADMSG);
	REFUSED(lq->geo.len += UTMEM_PAGE, -EBADMSG);
	REFUSED(lq->geo = l->queues[0].geo, -EBADMSG); /* where queue 0 lies */
	REFUSED((l->queues[0].state = LEDGER_QUEUE_FREE, lq->geo = l->queues[0].geo), -EBADMSG);
	assert_int_equal(resume_error(rig, sizeof(struct ledger) - 1, RIG_WINDOW_LEN), -EINVAL);
	assert_int_equal(resume_error(rig, len - 1, RIG_WINDOW_LEN), -EBADMSG);
	assert_int_equal(resume_error(rig, len, RIG_WINDOW_LEN / 2), -EINVAL);
	utmem_service_exit(rig->s);
	death_resume(rig);
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig_put(rig, q, "k", "v"), 0);
	free(whole);
}

static void a_new_window_needs_a_ledger_that_is_long_enough(void **state)
{
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(RIG_WINDOW_LEN),
				 .ledger = rig_map(utmem_ledger_len(RIG_QUEUES))};
	struct utmem_window_config cfg = rig_config(rig, &win, RIG_WINDOW_LEN);

	cfg.ledger_len--;
	assert_int_equal(utmem_window_attach(rig->s, &win.w, &cfg), -EINVAL);
	cfg.ledger_len++;
	cfg.ledger = (char *)win.ledger + 8;
	assert_int_equal(utmem_window_attach(rig->s, &win.w, &cfg), -EINVAL);
	assert_int_equal(utmem_ledger_len(0), utmem_ledger_len(UTMEM_QUEUES_DEFAULT));
	assert_int_equal(utmem_ledger_len(UTMEM_QUEUES_MAX + 1), 0);
	munmap(win.base, RIG_WINDOW_LEN);
	munmap(win.ledger, utmem_ledger_len(RIG_QUEUES));
}

static size_t pages_of(void *ledger, size_t len)
{
	unsigned char there[UTMEM_QUEUES_MAX + 1];
	size_t i, nr = 0;

	assert_int_equal(mincore(ledger, len, there), 0);
	for (i = 0; i < len / UTMEM_PAGE; i++)
		nr += there[i] & 1;
	return nr;
}

static void queues_that_were_never_made_cost_no_page_of_the_ledger(void **state)
{
	struct rig *rig = *state;
	const size_t len = utmem_ledger_len(UTMEM_QUEUES_MAX);
	struct rig_window win = {.base = rig_map(RIG_WINDOW_LEN), .ledger = rig_map(len)};
	struct utmem_window_config cfg = rig_config(rig, &win, RIG_WINDOW_LEN);
	struct utmem_service *other;
	struct rig_queue q;

	cfg.max_queues = UTMEM_QUEUES_MAX;
	cfg.ledger_len = len;
	assert_int_equal(utmem_service_init(&other, &rig->engine, 1), 0);
	assert_int_equal(utmem_window_attach(other, &win.w, &cfg), 0);
	rig_queue(&q, &win, 4, 4, 0);
	assert_int_equal(pages_of(win.ledger, len), 3); /* header, queue 0, queue 1 */
	utmem_service_leave(other);
	assert_int_equal(utmem_service_init(&other, &rig->engine, 2), 0);
	cfg.resume = true;
	assert_int_equal(utmem_window_attach(other, &win.w, &cfg), 0);
	utmem_service_turn(other);
	assert_int_equal(pages_of(win.ledger, len), 3);
	utmem_window_detach(win.w);
	utmem_service_exit(other);
	munmap(win.base, RIG_WINDOW_LEN);
	munmap(win.ledger, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEATH_TEST(a_service_that_left_is_followed_without_a_trace),
		DEATH_TEST(a_ledger_of_zeros_begins_a_new_window),
		DEATH_TEST(every_queue_is_woken_once_in_the_second_life),
		DEATH_TEST(a_queue_that_had_ended_stays_ended),
		DEATH_TEST(a_tail_behind_what_was_served_ends_only_that_queue),
		DEATH_TEST(requests_that_change_behind_a_dead_service_act_as_they_were),
		DEATH_TEST(room_of_the_life_before_is_zeroed_for_its_next_owner),
		DEATH_TEST(a_pool_that_is_gone_is_stale_and_can_be_closed),
		DEATH_TEST(handles_are_open_again_without_a_search),
		DEATH_TEST(anothers_pool_is_open_again_only_while_it_is_granted),
		DEATH_TEST(a_stream_that_the_engine_lost_is_stale_until_it_is_aborted),
		DEATH_TEST(a_stream_that_nobody_was_told_of_is_aborted),
		DEATH_TEST(a_request_that_kills_once_less_is_served),
		DEATH_TEST(a_request_that_kills_too_often_ends_its_queue_alone),
		DEATH_TEST(deaths_beyond_the_time_are_counted_anew),
		DEATH_TEST(deaths_in_different_requests_are_not_added_up),
		DEATH_TEST(a_call_that_kills_too_often_is_refused),
		DEATH_TEST(a_ledger_that_cannot_be_believed_is_refused),
		DEATH_TEST(a_new_window_needs_a_ledger_that_is_long_enough),
		DEATH_TEST(queues_that_were_never_made_cost_no_page_of_the_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
