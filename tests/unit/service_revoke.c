// SPDX-License-Identifier: MIT
/* What is lent can be taken back: the next request of who has it is refused. */
#include "tests/unit/service_rig.h"

/* web1's pool "lent", with k in it, and web2's handle 0 on it. */
struct lending {
	struct rig *rig;
	struct rig_queue own, far;
	struct utmem_pool *pool;
};

static int open_lent(struct lending *l, uint32_t flags)
{
	struct utmem_admin_pool p = {.queue_id = l->far.id,
				     .flags = UTMEM_POOL_SHARED | flags,
				     .owner = 1000,
				     .name = "lent",
				     .tenant = "web1"};
	int err = utmem_window_admin(l->rig->win[1].w, UTMEM_OP_POOL_OPEN, &p, sizeof(p));

	return err ? err : p.handle;
}

static void lend(struct lending *l, void **state, bool readonly)
{
	uint32_t flags = UTMEM_POOL_CREATE | UTMEM_POOL_SHARED;

	l->rig = *state;
	rig_queue(&l->own, &l->rig->win[0], 8, 16, UTMEM_PAGE);
	rig_queue(&l->far, &l->rig->win[1], 8, 16, UTMEM_PAGE);
	assert_int_equal(rig_pool(&l->rig->win[0], l->own.id, "lent", flags), 0);
	l->pool = &l->rig->engine.pools[0];
	fake_pool_grant(l->pool, l->rig->other, readonly);
	assert_int_equal(open_lent(l, 0), 0);
	assert_int_equal(rig_put(l->rig, &l->own, "k", "v"), 0);
}

static int far_admin(struct lending *l, uint8_t opcode)
{
	struct utmem_admin_pool p = {.queue_id = l->far.id};

	return utmem_window_admin(l->rig->win[1].w, opcode, &p, sizeof(p));
}

static int far_stat(struct lending *l)
{
	struct utmem_pool_stat s = {.queue_id = l->far.id};
	int err = utmem_window_admin(l->rig->win[1].w, UTMEM_OP_POOL_STAT, &s, sizeof(s));

	return err ? err : (int)s.flags;
}

static int stream_op(struct lending *l, uint8_t opcode, const char *key, uint64_t arg,
		     const char *part)
{
	struct utmem_sqe *sqe = key ? rig_key_sqe(&l->far, opcode, key) : rig_sqe(&l->far, opcode);

	sqe->arg = arg;
	if (part) {
		sqe->len = (uint32_t)strlen(part);
		memcpy(l->far.data, part, sqe->len);
	}
	return rig_do(l->rig, &l->far).res;
}

static void the_next_request_after_a_revoke_is_refused(void **state)
{
	struct lending l;

	lend(&l, state, false);
	assert_int_equal(rig_put(l.rig, &l.far, "k", "vv"), 0);
	assert_int_equal(fake_pool_revoke(l.pool, l.rig->other), 0);
	assert_int_equal(rig_get(l.rig, &l.far, "k"), -EACCES);
	assert_int_equal(rig_put(l.rig, &l.far, "k", "v"), -EACCES);
	assert_int_equal(far_stat(&l), -EACCES);
	assert_int_equal(far_admin(&l, UTMEM_OP_POOL_DESTROY), -EACCES);
	assert_int_equal(open_lent(&l, 0), -EACCES);
	assert_int_equal(rig_get(l.rig, &l.own, "k"), 2); /* the owner's goes on */
	assert_int_equal(far_admin(&l, UTMEM_OP_POOL_CLOSE), 0);
	assert_int_equal(l.pool->refs, 1);
}

static void all_requests_behind_a_revoke_are_refused_whatever_their_number(void **state)
{
	struct lending l;
	uint32_t i;

	lend(&l, state, false);
	for (i = 0; i < 8; i++)
		rig_get_sqe(&l.far, "k", 8);
	utmem_sq_publish(&l.far.sq);
	fake_pool_revoke(l.pool, l.rig->other);
	utmem_service_turn(l.rig->s);
	for (i = 0; i < 8; i++)
		assert_int_equal(rig_cqe(&l.far).res, -EACCES);
}

static void a_right_that_is_given_back_holds_for_the_same_handle(void **state)
{
	struct lending l;

	lend(&l, state, false);
	fake_pool_revoke(l.pool, l.rig->other);
	assert_int_equal(rig_get(l.rig, &l.far, "k"), -EACCES);
	fake_pool_grant(l.pool, l.rig->other, true);
	assert_int_equal(rig_get(l.rig, &l.far, "k"), 1);
	assert_int_equal(rig_put(l.rig, &l.far, "k", "vv"), -EACCES);
	assert_int_equal(far_stat(&l), UTMEM_POOL_SHARED | UTMEM_POOL_READONLY);
	fake_pool_grant(l.pool, l.rig->other, false);
	assert_int_equal(rig_put(l.rig, &l.far, "k", "vv"), 0);
	assert_int_equal(far_stat(&l), UTMEM_POOL_SHARED);
}

static void a_handle_that_was_opened_readonly_stays_so(void **state)
{
	struct lending l;
	struct utmem_sqe *sqe;

	lend(&l, state, false);
	assert_int_equal(open_lent(&l, UTMEM_POOL_READONLY), 1);
	sqe = rig_put_sqe(&l.far, "k", "vv");
	sqe->pool = 1;
	assert_int_equal(rig_do(l.rig, &l.far).res, -EACCES);
}

static void requests_to_ones_own_pools_ask_for_no_right(void **state)
{
	struct lending l;
	unsigned int before;

	lend(&l, state, false);
	before = l.rig->engine.nr_rights;
	assert_int_equal(rig_put(l.rig, &l.own, "k", "v"), 0);
	assert_int_equal(rig_get(l.rig, &l.own, "k"), 1);
	assert_int_equal(l.rig->engine.nr_rights, before);
	assert_int_equal(rig_get(l.rig, &l.far, "k"), 1);
	assert_int_equal(l.rig->engine.nr_rights, before + 1);
}

static void value_in_parts_ends_at_once_with_the_right_to_write_it(void **state)
{
	struct lending l;

	lend(&l, state, false);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_BEGIN, "s", 4, NULL), 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 0, "ab"), 0);
	fake_pool_grant(l.pool, l.rig->other, true);
	utmem_service_rights_changed(l.rig->s);
	assert_int_equal(l.rig->engine.nr_streams, 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 2, "cd"), -EACCES);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_ABORT, NULL, 0, NULL), 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_ABORT, NULL, 0, NULL), -EINVAL);
	assert_int_equal(rig_get(l.rig, &l.far, "s"), -ENOENT);
}

static void value_in_parts_ends_with_its_next_part_when_nobody_was_told(void **state)
{
	struct lending l;

	lend(&l, state, false);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_BEGIN, "s", 4, NULL), 0);
	fake_pool_revoke(l.pool, l.rig->other);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 0, "ab"), -EACCES);
	assert_int_equal(l.rig->engine.nr_streams, 0);
	fake_pool_grant(l.pool, l.rig->other, false);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 0, "ab"), -ESTALE);
	/* another begins in its place, once it is given up */
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_ABORT, NULL, 0, NULL), 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_BEGIN, "s", 2, NULL), 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 0, "ab"), 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_COMMIT, NULL, 0, NULL), 0);
	assert_int_equal(rig_get(l.rig, &l.own, "s"), 2);
}

static void changed_rights_end_nothing_that_is_still_allowed(void **state)
{
	struct lending l;

	lend(&l, state, false);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_BEGIN, "s", 2, NULL), 0);
	utmem_service_rights_changed(l.rig->s);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 0, "ab"), 0);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_COMMIT, NULL, 0, NULL), 0);
}

static void handles_on_pools_of_a_tenant_that_goes_are_stale_until_closed(void **state)
{
	struct lending l;

	lend(&l, state, false);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_BEGIN, "s", 4, NULL), 0);
	assert_true(utmem_service_shares(l.rig->s, l.rig->tenant));
	utmem_service_forsake(l.rig->s, l.rig->tenant);
	assert_false(utmem_service_shares(l.rig->s, l.rig->tenant));
	assert_int_equal(l.pool->refs, 1);
	assert_int_equal(l.rig->engine.nr_streams, 0);
	assert_int_equal(rig_get(l.rig, &l.far, "k"), -ESTALE);
	assert_int_equal(rig_put(l.rig, &l.far, "k", "v"), -ESTALE);
	assert_int_equal(stream_op(&l, UTMEM_OP_PUT_PART, NULL, 0, "ab"), -ESTALE);
	assert_int_equal(far_stat(&l), -ESTALE);
	assert_int_equal(far_admin(&l, UTMEM_OP_POOL_DESTROY), -ESTALE);
	/* its number is not given to another pool meanwhile */
	assert_int_equal(rig_pool(&l.rig->win[1], l.far.id, "mine", UTMEM_POOL_CREATE), 1);
	assert_int_equal(far_admin(&l, UTMEM_OP_POOL_CLOSE), 0);
	assert_int_equal(rig_get(l.rig, &l.far, "k"), -EACCES);
	assert_int_equal(rig_pool(&l.rig->win[1], l.far.id, "more", UTMEM_POOL_CREATE), 0);
}

static void a_queue_with_a_stale_handle_ends_in_good_order(void **state)
{
	struct lending l;

	lend(&l, state, false);
	utmem_service_forsake(l.rig->s, l.rig->tenant);
	assert_int_equal(rig_destroy(&l.rig->win[1], l.far.id), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_next_request_after_a_revoke_is_refused),
		RIG_TEST(all_requests_behind_a_revoke_are_refused_whatever_their_number),
		RIG_TEST(a_right_that_is_given_back_holds_for_the_same_handle),
		RIG_TEST(a_handle_that_was_opened_readonly_stays_so),
		RIG_TEST(requests_to_ones_own_pools_ask_for_no_right),
		RIG_TEST(value_in_parts_ends_at_once_with_the_right_to_write_it),
		RIG_TEST(value_in_parts_ends_with_its_next_part_when_nobody_was_told),
		RIG_TEST(changed_rights_end_nothing_that_is_still_allowed),
		RIG_TEST(handles_on_pools_of_a_tenant_that_goes_are_stale_until_closed),
		RIG_TEST(a_queue_with_a_stale_handle_ends_in_good_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
