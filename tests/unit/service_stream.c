// SPDX-License-Identifier: MIT
/* Multi-part PUTs: their order, their errors, and who ends them. */
#include "tests/unit/service_rig.h"

static struct rig *rig_of(void **state, struct rig_queue *q)
{
	struct rig *rig = *state;

	rig_queue(q, &rig->win[0], 64, 128, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), 0);
	return rig;
}

#define BEGIN(rig, q)          \
	struct rig_queue q[1]; \
	struct rig *rig = rig_of(state, q)

static int begin(struct rig *rig, struct rig_queue *q, uint16_t id, const char *key, uint64_t total)
{
	struct utmem_sqe *sqe = rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, key);

	sqe->stream = id;
	sqe->arg = total;
	return rig_do(rig, q).res;
}

static int part(struct rig *rig, struct rig_queue *q, uint16_t id, uint64_t off, const char *bytes)
{
	struct utmem_sqe *sqe = rig_sqe(q, UTMEM_OP_PUT_PART);

	sqe->stream = id;
	sqe->arg = off;
	sqe->len = (uint32_t)strlen(bytes);
	memcpy(q->data, bytes, sqe->len);
	return rig_do(rig, q).res;
}

static int finish(struct rig *rig, struct rig_queue *q, uint8_t opcode, uint16_t id, uint8_t flags)
{
	struct utmem_sqe *sqe = rig_sqe(q, opcode);

	sqe->stream = id;
	sqe->flags = flags;
	return rig_do(rig, q).res;
}

static void a_value_in_parts_is_visible_after_commit_and_whole(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 3, "k", 10), 0);
	assert_int_equal(part(rig, q, 3, 0, "01234"), 0);
	assert_int_equal(rig_get(rig, q, "k"), -ENOENT);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 3, 0), -EINVAL);
	assert_int_equal(part(rig, q, 3, 5, "56789"), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 3, 0), 0);
	assert_int_equal(rig_get(rig, q, "k"), 10);
	assert_memory_equal(q->data, "0123456789", 10);
	assert_int_equal(rig->engine.nr_streams, 0);
}

static void begin_on_an_open_stream_is_busy(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 0, "k", 4), 0);
	assert_int_equal(begin(rig, q, 0, "l", 4), -EBUSY);
	assert_int_equal(part(rig, q, 0, 0, "abcd"), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 0, 0), 0);
	assert_int_equal(rig_get(rig, q, "k"), 4);
	assert_int_equal(begin(rig, q, 0, "l", 2), 0); /* free again, and from the start */
	assert_int_equal(part(rig, q, 0, 0, "ab"), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 0, 0), 0);
}

static void parts_come_in_order_and_not_beyond_the_total(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 1, "k", 4), 0);
	assert_int_equal(part(rig, q, 1, 1, "b"), -EINVAL);
	assert_int_equal(part(rig, q, 1, ~0ull, "b"), -EINVAL);
	assert_int_equal(part(rig, q, 1, 0, "abcde"), -EINVAL);
	assert_int_equal(part(rig, q, 1, 0, "ab"), 0);
	assert_int_equal(part(rig, q, 1, 0, "ab"), -EINVAL);
	assert_int_equal(part(rig, q, 1, 2, "cde"), -EINVAL);
	assert_int_equal(part(rig, q, 1, 2, "cd"), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 1, 0), 0);
	assert_int_equal(rig_get(rig, q, "k"), 4);
	assert_memory_equal(q->data, "abcd", 4);
}

static void streams_that_are_not_open_are_malformed(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(part(rig, q, 2, 0, "a"), -EINVAL);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 2, 0), -EINVAL);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_ABORT, 2, 0), -EINVAL);
	assert_int_equal(begin(rig, q, UTMEM_STREAMS_PER_QUEUE, "k", 1), -EINVAL);
	assert_int_equal(begin(rig, q, 0xffff, "k", 1), -EINVAL);
	assert_int_equal(begin(rig, q, UTMEM_STREAMS_PER_QUEUE - 1, "k", 1), 0);
}

static void a_failed_begin_leaves_the_stream_closed(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 0, "k", 64 << 20), -ENOSPC);
	assert_int_equal(part(rig, q, 0, 0, "a"), -EINVAL);
	assert_int_equal(begin(rig, q, 0, "k", 1), 0);
}

static void a_failed_commit_leaves_the_stream_open_until_abort(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(rig_put(rig, q, "k", "old"), 0);
	assert_int_equal(begin(rig, q, 0, "k", 2), 0);
	assert_int_equal(part(rig, q, 0, 0, "ab"), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 0, UTMEM_SQE_IF_ABSENT), -EEXIST);
	assert_int_equal(begin(rig, q, 0, "k", 2), -EBUSY);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_ABORT, 0, 0), 0);
	assert_int_equal(rig_get(rig, q, "k"), 3);
	assert_int_equal(rig->engine.nr_streams, 0);
}

static void an_empty_value_in_parts_is_a_value(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 0, "k", 0), 0);
	assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, 0, 0), 0);
	assert_int_equal(rig_get(rig, q, "k"), 0);
}

static void all_streams_of_a_queue_are_independent(void **state)
{
	BEGIN(rig, q);
	char key[8], value[8];
	uint16_t i;

	for (i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(begin(rig, q, i, key, 3), 0);
	}
	for (i = UTMEM_STREAMS_PER_QUEUE; i-- > 0;) {
		snprintf(value, sizeof(value), "v%02u", i);
		assert_int_equal(part(rig, q, i, 0, value), 0);
		assert_int_equal(finish(rig, q, UTMEM_OP_PUT_COMMIT, i, 0), 0);
	}
	assert_int_equal(rig_get(rig, q, "k7"), 3);
	assert_memory_equal(q->data, "v07", 3);
}

static void closing_a_pool_aborts_its_streams_and_no_others(void **state)
{
	BEGIN(rig, q);
	struct utmem_admin_pool p = {.queue_id = q->id, .handle = 1};
	struct utmem_sqe *sqe;

	assert_int_equal(rig_pool(&rig->win[0], q->id, "second", UTMEM_POOL_CREATE), 1);
	assert_int_equal(begin(rig, q, 0, "k", 1), 0);
	sqe = rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k");
	sqe->pool = 1;
	sqe->stream = 1;
	sqe->arg = 1;
	assert_int_equal(rig_do(rig, q).res, 0);
	assert_int_equal(utmem_window_admin(rig->win[0].w, UTMEM_OP_POOL_CLOSE, &p, sizeof(p)), 0);
	assert_int_equal(rig->engine.nr_streams, 1);
	assert_int_equal(part(rig, q, 1, 0, "a"), -EINVAL);
	assert_int_equal(part(rig, q, 0, 0, "a"), 0);
}

static void destroying_a_queue_aborts_its_streams(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 0, "k", 1), 0);
	assert_int_equal(begin(rig, q, 1, "k", 1), 0);
	assert_int_equal(rig_destroy(&rig->win[0], q->id), 0);
	assert_int_equal(rig->engine.nr_streams, 0);
	assert_int_equal(rig->engine.nr_attached, 0);
}

static void breaking_a_queue_aborts_its_streams(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(begin(rig, q, 0, "k", 1), 0);
	q->page->sq_tail = 5000;
	assert_int_equal(utmem_service_turn(rig->s), 0);
	assert_int_equal(rig->engine.nr_streams, 0);
	assert_int_equal(rig->engine.nr_attached, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_value_in_parts_is_visible_after_commit_and_whole),
		RIG_TEST(begin_on_an_open_stream_is_busy),
		RIG_TEST(parts_come_in_order_and_not_beyond_the_total),
		RIG_TEST(streams_that_are_not_open_are_malformed),
		RIG_TEST(a_failed_begin_leaves_the_stream_closed),
		RIG_TEST(a_failed_commit_leaves_the_stream_open_until_abort),
		RIG_TEST(an_empty_value_in_parts_is_a_value),
		RIG_TEST(all_streams_of_a_queue_are_independent),
		RIG_TEST(closing_a_pool_aborts_its_streams_and_no_others),
		RIG_TEST(destroying_a_queue_aborts_its_streams),
		RIG_TEST(breaking_a_queue_aborts_its_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
