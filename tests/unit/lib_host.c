// SPDX-License-Identifier: MIT
/*
 * unix: a queue whose host lies, sleeps, stops or dies. Each ends that queue with
 * its error, or is put right; no wait outlives its host.
 */
#include <poll.h>

#include "tests/unit/lib_fake.h"

struct rig {
	struct fake f;
	struct utmem *u;
	struct utmem_queue *q;
};

static int rig_queue(struct rig *r)
{
	struct utmem_queue_params params = {.sq_entries = 4, .cq_entries = 8, .data_len = 65536};

	return utmem_queue_init(r->u, &r->q, &params);
}

static void rig_start(struct rig *r, fake_hook *hook)
{
	fake_start(&r->f, hook, F_SEAL_SHRINK);
	assert_int_equal(utmem_connect(&r->u, r->f.transport), 0);
}

static void rig_open(struct rig *r)
{
	rig_start(r, NULL);
	assert_int_equal(rig_queue(r), 0);
}

static void rig_close(struct rig *r)
{
	utmem_queue_exit(r->q);
	utmem_disconnect(r->u);
	fake_stop(&r->f);
}

static void send_nops(struct rig *r, unsigned int n)
{
	while (n--) {
		struct utmem_sqe *sqe = utmem_get_sqe(r->q);

		assert_non_null(sqe);
		utmem_prep_nop(sqe);
	}
	assert_true(utmem_submit(r->q) > 0);
}

/* The queue has ended with @err, for every call. */
static void expect_ended(struct rig *r, int err)
{
	const struct utmem_cqe *cqe;

	assert_int_equal(utmem_peek_cqe(r->q, &cqe), err);
	assert_null(cqe);
	assert_int_equal(utmem_peek_batch_cqe(r->q, &cqe, 1), err);
	assert_int_equal(utmem_wait_cqe(r->q, &cqe), err);
	assert_int_equal(utmem_wait_cqe_timeout(r->q, &cqe, 0), err);
	assert_int_equal(utmem_submit(r->q), err);
	assert_int_equal(utmem_flush(r->q), err);
	assert_int_equal(utmem_event_arm(r->q), err);
	assert_null(utmem_get_sqe(r->q));
	assert_int_equal(utmem_sq_space_left(r->q), 0);
}

/* ---- answers that come more than once ---- */

static unsigned int nr_copies;

/* Copies of the answer before it, as from a host that was interrupted after it had answered. */
static size_t old_answers_first(struct fake *f, struct utmem_sock_msg *m, int *fds,
				unsigned int *nr)
{
	struct utmem_sock_msg old = *m;
	unsigned int i;

	if (m->type == UTMEM_SOCK_HELLO) {
		m->hello.features |= UTMEM_FEAT_SOCK_SERIAL;
		return sizeof(*m);
	}
	old.type -= 1u << UTMEM_SOCK_SERIAL_SHIFT;
	for (i = 0; i < nr_copies; i++)
		fake_send(f->peer, &old, sizeof(old), fds, *nr);
	return sizeof(*m);
}

static void a_second_copy_of_an_answer_is_dropped_with_its_fds(void **state)
{
	unsigned int before = nr_open_fds();
	struct rig r;

	(void)state;
	nr_copies = 16;
	rig_start(&r, old_answers_first);
	assert_int_equal(rig_queue(&r), 0);
	assert_int_equal(utmem_pool_open(r.q, "p", UTMEM_POOL_CREATE), 3);
	rig_close(&r);
	assert_int_equal(r.f.nr_destroyed, 1);
	assert_int_equal(nr_open_fds(), before);
}

static void a_host_that_repeats_itself_for_ever_is_eproto(void **state)
{
	unsigned int before = nr_open_fds();
	struct rig r;

	(void)state;
	nr_copies = 17;
	rig_start(&r, old_answers_first);
	assert_int_equal(rig_queue(&r), -EPROTO);
	utmem_disconnect(r.u);
	fake_stop(&r.f);
	assert_int_equal(nr_open_fds(), before);
}

/* ---- what the host says about a queue ---- */

static struct utmem_geometry *lie;

static size_t lying_geometry(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	if (m->type == UTMEM_OP_CREATE_QUEUE)
		m->queue.geo = *lie;
	return sizeof(*m);
}

static void a_lying_geometry_is_eproto_and_the_queue_is_given_back(void **state)
{
	struct utmem_geometry good, bad;
	unsigned int before = nr_open_fds();
	struct rig r;

	(void)state;
	/* What the fake gives for this shape when it does not lie. */
	rig_open(&r);
	good = r.f.geo;
	rig_close(&r);

	lie = &bad;
	for (int i = 0; i < 7; i++) {
		bad = good;
		switch (i) {
		case 0:
			bad.off = FAKE_WINDOW_LEN;
			break;
		case 1:
			bad.off = FAKE_WINDOW_LEN - UTMEM_PAGE;
			break;
		case 2:
			bad.data_len *= 2;
			bad.len += bad.data_len / 2;
			break;
		case 3:
			bad.data_off -= UTMEM_PAGE;
			break;
		case 4:
			bad.off = 0; /* on the header */
			break;
		case 5:
			bad.off = UTMEM_PAGE; /* on the control page */
			break;
		default:
			utmem_geometry_init(&bad, good.off, 8, 8,
					    good.data_len); /* another shape */
			break;
		}
		rig_start(&r, lying_geometry);
		assert_int_equal(rig_queue(&r), -EPROTO);
		assert_null(r.q);
		assert_int_equal(r.f.nr_destroyed, 1);
		rig_close(&r);
	}
	assert_int_equal(nr_open_fds(), before);
}

static size_t svc_slot(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)fds, (void)nr;
	if (m->type == UTMEM_OP_CREATE_QUEUE)
		m->queue.svc_slot = f->hdr->nr_svc;
	return sizeof(*m);
}

static size_t fds_for_everything(struct fake *f, struct utmem_sock_msg *m, int *fds,
				 unsigned int *nr)
{
	if (m->type != UTMEM_SOCK_HELLO)
		fds[(*nr)++] = dup(f->wake);
	return sizeof(*m);
}

static size_t no_wake_fd(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f;
	if (m->type == UTMEM_OP_CREATE_QUEUE)
		close(fds[--*nr]);
	return sizeof(*m);
}

static void odd_queue_replies_are_eproto(void **state)
{
	fake_hook *hooks[] = {svc_slot, fds_for_everything, no_wake_fd};
	unsigned int before = nr_open_fds();
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		rig_start(&r, hooks[i]);
		assert_int_equal(rig_queue(&r), -EPROTO);
		rig_close(&r);
	}
	assert_int_equal(nr_open_fds(), before);
}

static size_t odd_pool(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	if (m->type != UTMEM_OP_POOL_OPEN)
		return sizeof(*m);
	if (!strcmp(m->pool.name, "fds"))
		fds[(*nr)++] = dup(f->wake);
	if (!strcmp(m->pool.name, "handle"))
		m->pool.handle = UTMEM_POOLS_PER_QUEUE;
	if (!strcmp(m->pool.name, "error"))
		m->error = -EACCES;
	return !strcmp(m->pool.name, "short") ? 8 : sizeof(*m);
}

static void odd_pool_replies_are_eproto_and_a_refusal_leaves_the_connection(void **state)
{
	unsigned int before;
	struct rig r;

	(void)state;
	rig_start(&r, odd_pool);
	assert_int_equal(rig_queue(&r), 0);
	/* A later reply says that the fake has closed its own copies of what it sent before. */
	assert_int_equal(utmem_pool_open(r.q, "good", 0), 3);
	before = nr_open_fds();
	assert_int_equal(utmem_pool_open(r.q, "error", 0), -EACCES);
	assert_int_equal(utmem_pool_open(r.q, "handle", 0), -EPROTO);
	assert_int_equal(utmem_pool_open(r.q, "fds", 0), -EPROTO);
	assert_int_equal(utmem_pool_open(r.q, "good", 0), 3);
	assert_int_equal(nr_open_fds(), before);
	/* Out of step: nothing that comes now can be matched to a request. */
	assert_int_equal(utmem_pool_open(r.q, "short", 0), -EPROTO);
	assert_int_equal(utmem_pool_open(r.q, "good", 0), -EPROTO);
	rig_close(&r);
}

static size_t check_pool(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	if (m->type == UTMEM_OP_POOL_OPEN &&
	    (strcmp(m->pool.tenant, "web1") || strcmp(m->pool.name, "cache") ||
	     m->pool.queue_id != 1 || m->pool.flags != UTMEM_POOL_READONLY))
		m->error = -EINVAL;
	return sizeof(*m);
}

static void tenant_and_pool_are_parted_at_the_colon(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, check_pool);
	assert_int_equal(rig_queue(&r), 0);
	assert_int_equal(utmem_pool_open(r.q, "web1:cache", UTMEM_POOL_READONLY), 3);
	rig_close(&r);
}

/* ---- the end of a queue ---- */

static void a_broken_queue_says_so(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	send_nops(&r, 2);
	utmem_state_store(fake_page(&r.f), UTMEM_QUEUE_BROKEN, -EPROTO);
	expect_ended(&r, -EPROTO);
	rig_close(&r);
}

static void a_queue_lost_with_its_epoch_is_econnreset(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	utmem_state_store(fake_page(&r.f), UTMEM_QUEUE_GONE, -ECONNRESET);
	expect_ended(&r, -ECONNRESET);
	rig_close(&r);
}

static void a_state_with_an_odd_error_is_eproto(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	utmem_state_store(fake_page(&r.f), 77, 1234);
	expect_ended(&r, -EPROTO);
	rig_close(&r);
}

static void a_host_that_stopped_is_eshutdown(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	utmem_state_store(fake_page(&r.f), UTMEM_QUEUE_GONE, -ECONNRESET);
	r.f.control->host.state = UTMEM_HOST_STOPPED;
	expect_ended(&r, -ESHUTDOWN);
	rig_close(&r);
}

static void what_completed_before_the_end_is_delivered_first(void **state)
{
	const struct utmem_cqe *cqe;
	struct utmem_sqe sqe;
	struct rig r;

	(void)state;
	rig_open(&r);
	send_nops(&r, 3);
	fake_complete(&r.f, 11, 0, &sqe);
	utmem_state_store(fake_page(&r.f), UTMEM_QUEUE_BROKEN, -EPROTO);
	assert_int_equal(utmem_wait_cqe(r.q, &cqe), 0);
	assert_int_equal(cqe->res, 11);
	utmem_cqe_seen(r.q, cqe);
	expect_ended(&r, -EPROTO);
	rig_close(&r);
}

static void more_completions_than_requests_are_eproto(void **state)
{
	struct utmem_ring_page *page;
	struct rig r;

	(void)state;
	rig_open(&r);
	page = fake_page(&r.f);
	send_nops(&r, 1);
	page->cq_tail = 2;
	expect_ended(&r, -EPROTO);
	rig_close(&r);
}

static void a_completion_index_beyond_the_ring_is_eproto(void **state)
{
	struct utmem_ring_page *page;
	struct rig r;

	(void)state;
	rig_open(&r);
	page = fake_page(&r.f);
	send_nops(&r, 1);
	page->cq_tail = (uint32_t)-1;
	expect_ended(&r, -EPROTO);
	rig_close(&r);
}

static void a_submission_index_that_lies_is_eproto(void **state)
{
	struct utmem_ring_page *page;
	struct rig r;

	(void)state;
	rig_open(&r);
	page = fake_page(&r.f);
	send_nops(&r, 4);
	page->sq_head = 5;
	assert_null(utmem_get_sqe(r.q));
	expect_ended(&r, -EPROTO);
	rig_close(&r);
}

static size_t die_after_create(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	(void)f, (void)fds, (void)nr;
	return m->type == UTMEM_OP_POOL_OPEN ? 0 : sizeof(*m);
}

static void *ask_for_a_pool(void *arg)
{
	struct rig *r = arg;

	/* On another queue's behalf this would be another thread's call; the fake dies of it. */
	return (void *)(intptr_t)utmem_pool_open(r->q, "any", 0);
}

/* A rig whose host has died: without a word in the window. */
static void rig_open_dead(struct rig *r)
{
	rig_start(r, die_after_create);
	assert_int_equal(rig_queue(r), 0);
	send_nops(r, 1);
	assert_true((intptr_t)ask_for_a_pool(r) < 0);
}

static void a_wait_for_ever_ends_when_the_host_dies(void **state)
{
	const struct utmem_cqe *cqe;
	struct rig r;

	(void)state;
	rig_open_dead(&r);
	assert_int_equal(utmem_wait_cqe(r.q, &cqe), -EPIPE);
	expect_ended(&r, -EPIPE);
	rig_close(&r);
}

static void *wait_for_ever(void *arg)
{
	struct rig *r = arg;
	const struct utmem_cqe *cqe;

	return (void *)(intptr_t)utmem_wait_cqe(r->q, &cqe);
}

/* need_wake says that the waiter is about to sleep, or sleeps. */
static void until_armed(struct rig *r)
{
	struct utmem_ring_page *page = fake_page(&r->f);

	while (!utmem_load_acquire(&page->need_wake))
		sched_yield();
}

static void a_sleeper_is_woken_by_the_death_of_its_host(void **state)
{
	pthread_t waiter;
	struct rig r;
	void *rc;

	(void)state;
	rig_open(&r);
	send_nops(&r, 1);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_ever, &r), 0);
	until_armed(&r);
	shutdown(r.f.peer, SHUT_RDWR);
	pthread_join(waiter, &rc);
	assert_int_equal((intptr_t)rc, -EPIPE);
	rig_close(&r);
}

static void a_sleeper_is_woken_by_its_completion(void **state)
{
	struct utmem_stats stats;
	struct utmem_sqe sqe;
	pthread_t waiter;
	struct rig r;
	void *rc;

	(void)state;
	rig_open(&r);
	send_nops(&r, 1);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_ever, &r), 0);
	until_armed(&r);
	fake_complete(&r.f, 0, 0, &sqe);
	pthread_join(waiter, &rc);
	assert_int_equal((intptr_t)rc, 0);
	assert_int_equal(utmem_queue_stats(r.q, &stats), 0);
	assert_true(stats.waits + stats.spins == 1);
	rig_close(&r);
}

static void a_stale_wake_up_does_not_end_a_wait(void **state)
{
	struct utmem_sqe sqe;
	uint64_t one = 1;
	pthread_t waiter;
	struct rig r;
	void *rc;

	(void)state;
	rig_open(&r);
	send_nops(&r, 1);
	assert_int_equal(write(r.f.wake, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_ever, &r), 0);
	/* It has taken the stale one back before it sleeps again. */
	while (read(r.f.wake, &one, sizeof(one)) == sizeof(one))
		assert_int_equal(write(r.f.wake, &one, sizeof(one)), sizeof(one));
	until_armed(&r);
	fake_complete(&r.f, 0, 0, &sqe);
	pthread_join(waiter, &rc);
	assert_int_equal((intptr_t)rc, 0);
	rig_close(&r);
}

/* ---- doorbells ---- */

static void a_submit_rings_once_and_only_when_the_host_sleeps(void **state)
{
	struct utmem_stats stats;
	struct rig r;

	(void)state;
	rig_open(&r);
	send_nops(&r, 3);
	assert_int_equal(fake_rings(&r.f), 1);
	assert_int_equal(utmem_submit(r.q), 0);
	assert_int_equal(utmem_flush(r.q), 0);
	assert_int_equal(fake_rings(&r.f), 0);
	utmem_kick_disarm(&r.f.control->svc[0]);
	send_nops(&r, 1);
	assert_int_equal(fake_rings(&r.f), 0);
	assert_int_equal(utmem_queue_stats(r.q, &stats), 0);
	assert_int_equal(stats.submitted, 4);
	assert_int_equal(stats.submits, 2);
	assert_int_equal(stats.kicks, 1);
	assert_int_equal(stats.doorbells, 1);
	rig_close(&r);
}

static void a_sleep_is_rung_for_once_however_often_is_submitted(void **state)
{
	struct utmem_stats stats;
	struct rig r;

	(void)state;
	rig_open(&r);
	for (uint32_t nr = 1; nr <= 2; nr++) {
		utmem_kick_arm(&r.f.control->svc[0], nr);
		send_nops(&r, 1);
		send_nops(&r, 1);
		assert_int_equal(utmem_flush(r.q), 0);
		assert_int_equal(utmem_event_arm(r.q), 0);
		assert_int_equal(fake_rings(&r.f), 1);
	}
	assert_int_equal(utmem_queue_stats(r.q, &stats), 0);
	assert_int_equal(stats.kicks, 2);
	rig_close(&r);
}

static void a_full_doorbell_counter_is_no_error(void **state)
{
	uint64_t most = UINT64_MAX - 1;
	struct rig r;

	(void)state;
	rig_open(&r);
	assert_int_equal(write(r.f.doorbell, &most, sizeof(most)), sizeof(most));
	send_nops(&r, 1);
	rig_close(&r);
}

/* ---- event fd ---- */

static bool readable(const struct rig *r)
{
	struct pollfd fd = {.fd = utmem_event_fd(r->q), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void the_event_fd_is_readable_after_arm_and_completion(void **state)
{
	const struct utmem_cqe *cqe;
	struct utmem_sqe sqe;
	struct rig r;

	(void)state;
	rig_open(&r);
	send_nops(&r, 3);
	fake_complete(&r.f, 0, 0, &sqe);
	assert_false(readable(&r)); /* not armed */
	assert_int_equal(utmem_event_arm(r.q), 1);
	assert_int_equal(utmem_peek_cqe(r.q, &cqe), 0);
	utmem_cqe_seen(r.q, cqe);
	assert_int_equal(utmem_event_arm(r.q), 0);
	assert_false(readable(&r));
	fake_complete(&r.f, 0, 0, &sqe);
	assert_true(readable(&r));
	utmem_event_clear(r.q);
	assert_false(readable(&r));
	fake_complete(&r.f, 0, 0, &sqe); /* one arm, one wake-up */
	assert_false(readable(&r));
	assert_int_equal(utmem_event_arm(r.q), 1);
	rig_close(&r);
}

static void the_event_fd_is_readable_when_the_host_is_dead(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	send_nops(&r, 1);
	assert_int_equal(utmem_event_arm(r.q), 0);
	assert_false(readable(&r));
	shutdown(r.f.peer, SHUT_RDWR);
	assert_true(readable(&r));
	utmem_event_clear(r.q);
	assert_true(readable(&r)); /* there is no way back from that */
	expect_ended(&r, -EPIPE);
	rig_close(&r);
}

/* ---- waits with a timeout ---- */

static void timeouts_are_eagain_at_zero_and_etime_after_that(void **state)
{
	const struct utmem_cqe *cqe;
	struct utmem_sqe sqe;
	struct rig r;

	(void)state;
	rig_open(&r);
	send_nops(&r, 1);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, 0), -EAGAIN);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, 1), -ETIME);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, 1000000), -ETIME);
	assert_null(cqe);
	fake_complete(&r.f, 5, 0, &sqe);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, 0), 0);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, 1), 0);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, INT64_MAX), 0);
	assert_int_equal(utmem_wait_cqe_timeout(r.q, &cqe, INT64_MIN), 0);
	assert_int_equal(cqe->res, 5);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lying_geometry_is_eproto_and_the_queue_is_given_back),
		cmocka_unit_test(odd_queue_replies_are_eproto),
		cmocka_unit_test(odd_pool_replies_are_eproto_and_a_refusal_leaves_the_connection),
		cmocka_unit_test(tenant_and_pool_are_parted_at_the_colon),
		cmocka_unit_test(a_broken_queue_says_so),
		cmocka_unit_test(a_queue_lost_with_its_epoch_is_econnreset),
		cmocka_unit_test(a_state_with_an_odd_error_is_eproto),
		cmocka_unit_test(a_host_that_stopped_is_eshutdown),
		cmocka_unit_test(what_completed_before_the_end_is_delivered_first),
		cmocka_unit_test(more_completions_than_requests_are_eproto),
		cmocka_unit_test(a_completion_index_beyond_the_ring_is_eproto),
		cmocka_unit_test(a_submission_index_that_lies_is_eproto),
		cmocka_unit_test(a_wait_for_ever_ends_when_the_host_dies),
		cmocka_unit_test(a_sleeper_is_woken_by_the_death_of_its_host),
		cmocka_unit_test(a_sleeper_is_woken_by_its_completion),
		cmocka_unit_test(a_stale_wake_up_does_not_end_a_wait),
		cmocka_unit_test(a_submit_rings_once_and_only_when_the_host_sleeps),
		cmocka_unit_test(a_sleep_is_rung_for_once_however_often_is_submitted),
		cmocka_unit_test(a_full_doorbell_counter_is_no_error),
		cmocka_unit_test(the_event_fd_is_readable_after_arm_and_completion),
		cmocka_unit_test(the_event_fd_is_readable_when_the_host_is_dead),
		cmocka_unit_test(a_second_copy_of_an_answer_is_dropped_with_its_fds),
		cmocka_unit_test(a_host_that_repeats_itself_for_ever_is_eproto),
		cmocka_unit_test(timeouts_are_eagain_at_zero_and_etime_after_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
