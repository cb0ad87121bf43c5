// SPDX-License-Identifier: MIT
/* Data requests one by one: what is refused, with which error, and what the others answer. */
#include "tests/unit/service_rig.h"

#define DATA_LEN (16u * UTMEM_PAGE)

static struct rig *rig_of(void **state, struct rig_queue *q)
{
	struct rig *rig = *state;

	rig_queue(q, &rig->win[0], 64, 128, DATA_LEN);
	assert_int_equal(rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_CREATE), 0);
	return rig;
}

/* Handle 0 is pool "p"; every request below names it and key "k" unless it says otherwise. */
#define BEGIN(rig, q)          \
	struct rig_queue q[1]; \
	struct rig *rig = rig_of(state, q)

static uint64_t malformed(const struct rig *rig)
{
	struct utmem_service_counters c;

	utmem_service_stat(rig->s, &c);
	return c.nr_malformed;
}

static void unknown_opcodes_are_not_supported(void **state)
{
	BEGIN(rig, q);
	const uint8_t opcodes[] = {UTMEM_OP_NR,	       UTMEM_OP_RESERVE,      127,
				   UTMEM_OP_POOL_STAT, UTMEM_OP_CREATE_QUEUE, 255};
	unsigned int i;

	for (i = 0; i < sizeof(opcodes); i++) {
		rig_sqe(q, opcodes[i]);
		assert_int_equal(rig_do(rig, q).res, -EOPNOTSUPP);
	}
	assert_int_equal(malformed(rig), sizeof(opcodes));
}

static void unknown_flags_are_not_supported(void **state)
{
	BEGIN(rig, q);

	rig_put_sqe(q, "k", "v")->flags = UTMEM_SQE_RESERVED;
	assert_int_equal(rig_do(rig, q).res, -EOPNOTSUPP);
	rig_put_sqe(q, "k", "v")->flags = 0x80;
	assert_int_equal(rig_do(rig, q).res, -EOPNOTSUPP);
	rig_get_sqe(q, "k", 8)->flags = UTMEM_SQE_IF_ABSENT;
	assert_int_equal(rig_do(rig, q).res, -EOPNOTSUPP);
	rig_put_sqe(q, "k", "v")->flags = UTMEM_SQE_IF_ABSENT | UTMEM_SQE_IF_PRESENT;
	assert_int_equal(rig_do(rig, q).res, -EINVAL);
	assert_int_equal(rig_get(rig, q, "k"), -ENOENT);
}

static void unattached_pools_are_not_permitted(void **state)
{
	BEGIN(rig, q);
	const uint16_t handles[] = {1, UTMEM_POOLS_PER_QUEUE - 1, UTMEM_POOLS_PER_QUEUE, 0xffff};
	unsigned int i;

	rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k"); /* something to find behind the last handle */
	assert_int_equal(rig_do(rig, q).res, 0);
	for (i = 0; i < 4; i++) {
		rig_get_sqe(q, "k", 8)->pool = handles[i];
		assert_int_equal(rig_do(rig, q).res, -EACCES);
	}
}

static void offset_and_length_beyond_the_data_area_are_malformed(void **state)
{
	BEGIN(rig, q);
	const uint32_t bad[][2] = {{DATA_LEN, 1},     {DATA_LEN + 1, 0}, {1, DATA_LEN},
				   {0, DATA_LEN + 1}, {~0u, 1},		 {~0u, ~0u >> 4},
				   {4096, 0u - 4096u}};
	struct utmem_sqe *sqe;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sqe = rig_get_sqe(q, "k", bad[i][1]);
		sqe->data_off = bad[i][0];
		assert_int_equal(rig_do(rig, q).res, -EINVAL);
	}
	sqe = rig_put_sqe(q, "k", "");
	sqe->data_off = DATA_LEN;
	assert_int_equal(rig_do(rig, q).res, 0);
	sqe = rig_put_sqe(q, "k", "v");
	sqe->data_off = DATA_LEN - 1;
	assert_int_equal(rig_do(rig, q).res, 0);
}

static void long_keys_beyond_the_data_area_are_malformed(void **state)
{
	BEGIN(rig, q);
	const uint32_t offs[] = {DATA_LEN - 32, DATA_LEN, ~0u, 0u - 33u};
	struct utmem_sqe *sqe;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		sqe = rig_get_sqe(q, "k", 8);
		memset(sqe->key, 0, sizeof(sqe->key));
		sqe->key_len = 33;
		sqe->key_off = offs[i];
		assert_int_equal(rig_do(rig, q).res, -EINVAL);
	}
}

static void key_length_is_1_to_1024(void **state)
{
	BEGIN(rig, q);
	char key[UTMEM_KEY_MAX + 2];

	rig_key_sqe(q, UTMEM_OP_PUT, "");
	assert_int_equal(rig_do(rig, q).res, -EINVAL);
	memset(key, 'x', sizeof(key));
	key[UTMEM_KEY_MAX + 1] = 0;
	rig_put_sqe(q, key, "v");
	assert_int_equal(rig_do(rig, q).res, -E2BIG);
	key[UTMEM_KEY_MAX] = 0;
	assert_int_equal(rig_put(rig, q, key, "long"), 0);
	key[UTMEM_KEY_INLINE + 1] = 0;
	assert_int_equal(rig_put(rig, q, key, "thirtythree"), 0);
	key[UTMEM_KEY_INLINE] = 0;
	assert_int_equal(rig_put(rig, q, key, "inline"), 0);
	memset(key, 'x', UTMEM_KEY_MAX);
	assert_int_equal(rig_get(rig, q, key), 4);
	key[UTMEM_KEY_INLINE + 1] = 0;
	assert_int_equal(rig_get(rig, q, key), 11);
	key[UTMEM_KEY_INLINE] = 0;
	assert_int_equal(rig_get(rig, q, key), 6);
}

static void bytes_after_an_inline_key_are_ignored(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(rig_put(rig, q, "key", "value"), 0);
	memset(rig_get_sqe(q, "key", 64)->key + 3, 0xaa, 29);
	assert_int_equal(rig_do(rig, q).res, 5);
}

static void bytes_after_a_long_keys_offset_must_be_zero(void **state)
{
	BEGIN(rig, q);
	const char *key = "a key that has more than thirty-two bytes";

	assert_int_equal(rig_put(rig, q, key, "value"), 0);
	rig_get_sqe(q, key, 64)->key_resv[6] = 1;
	assert_int_equal(rig_do(rig, q).res, -EINVAL);
}

static void values_over_512_mib_are_too_big(void **state)
{
	BEGIN(rig, q);
	struct utmem_sqe *sqe = rig_put_sqe(q, "k", "");

	sqe->len = (512u << 20) + 1;
	assert_int_equal(rig_do(rig, q).res, -E2BIG);
	rig_put_sqe(q, "k", "")->len = 512u << 20; /* allowed, but not in this data area */
	assert_int_equal(rig_do(rig, q).res, -EINVAL);
	rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k")->arg = UTMEM_VALUE_MAX + 1;
	assert_int_equal(rig_do(rig, q).res, -E2BIG);
	rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k")->arg = ~0ull;
	assert_int_equal(rig_do(rig, q).res, -E2BIG);
	rig_key_sqe(q, UTMEM_OP_PUT_BEGIN, "k")->arg =
		UTMEM_VALUE_MAX; /* the engine's word: quota */
	assert_int_equal(rig_do(rig, q).res, -ENOSPC);
}

/* For each opcode: every field that it does not name, set. */
static void fields_that_are_not_named_must_be_zero(void **state)
{
	enum { P = 1, L = 2, O = 4, K = 8, S = 16, A = 32, B = 64 };
	static const struct {
		uint8_t opcode, unnamed;
	} ops[] = {
		{UTMEM_OP_NOP, P | L | O | K | S | A | B},
		{UTMEM_OP_PUT, S | A},
		{UTMEM_OP_GET, S},
		{UTMEM_OP_DEL, L | O | S | A},
		{UTMEM_OP_EXISTS, L | O | S | A},
		{UTMEM_OP_GETDEL, S | A},
		{UTMEM_OP_FLUSH, L | O | K | S | A | B},
		{UTMEM_OP_PUT_BEGIN, L | O},
		{UTMEM_OP_PUT_PART, P | K | B},
		{UTMEM_OP_PUT_COMMIT, P | L | O | K | A | B},
		{UTMEM_OP_PUT_ABORT, P | L | O | K | A | B},
	};
	BEGIN(rig, q);
	unsigned int i, bit;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		for (bit = 1; bit <= B; bit <<= 1) {
			struct utmem_sqe *sqe;

			if (!(ops[i].unnamed & bit))
				continue;
			sqe = ops[i].unnamed & K ? rig_sqe(q, ops[i].opcode)
						 : rig_key_sqe(q, ops[i].opcode, "k");
			sqe->pool = bit == P;
			sqe->len = bit == L;
			sqe->data_off = bit == O;
			sqe->stream = bit == S;
			sqe->arg = bit == A;
			if (bit == K)
				sqe->key_len = 1;
			if (bit == B)
				sqe->key[31] = 1;
			assert_int_equal(rig_do(rig, q).res, -EINVAL);
		}
	}
}

static void readonly_handles_read_and_do_not_change(void **state)
{
	BEGIN(rig, q);
	const uint8_t changes[] = {UTMEM_OP_PUT, UTMEM_OP_DEL, UTMEM_OP_GETDEL, UTMEM_OP_PUT_BEGIN};
	int ro = rig_pool(&rig->win[0], q->id, "p", UTMEM_POOL_READONLY);
	unsigned int i;

	assert_int_equal(ro, 1);
	assert_int_equal(rig_put(rig, q, "k", "v"), 0);
	for (i = 0; i < sizeof(changes); i++) {
		rig_key_sqe(q, changes[i], "k")->pool = (uint16_t)ro;
		assert_int_equal(rig_do(rig, q).res, -EACCES);
	}
	rig_sqe(q, UTMEM_OP_FLUSH)->pool = (uint16_t)ro;
	assert_int_equal(rig_do(rig, q).res, -EACCES);
	rig_get_sqe(q, "k", 8)->pool = (uint16_t)ro;
	assert_int_equal(rig_do(rig, q).res, 1);
	rig_key_sqe(q, UTMEM_OP_EXISTS, "k")->pool = (uint16_t)ro;
	assert_int_equal(rig_do(rig, q).res, 1);
}

static void get_gives_the_bytes_from_an_offset_and_says_more(void **state)
{
	BEGIN(rig, q);
	struct utmem_sqe *sqe;
	struct utmem_cqe cqe;

	assert_int_equal(rig_put(rig, q, "k", "0123456789"), 0);
	memset(q->data, 0, 64);
	sqe = rig_get_sqe(q, "k", 4);
	sqe->arg = 3;
	sqe->data_off = 8;
	sqe->user_data = 0xfeedfacecafebeefull;
	cqe = rig_do(rig, q);
	assert_true(cqe.user_data == 0xfeedfacecafebeefull);
	assert_int_equal(cqe.res, 7);
	assert_true(cqe.flags & UTMEM_CQE_MORE);
	assert_memory_equal(q->data + 8, "3456\0", 5);
	sqe = rig_get_sqe(q, "k", 7);
	sqe->arg = 3;
	cqe = rig_do(rig, q);
	assert_int_equal(cqe.res, 7);
	assert_false(cqe.flags & UTMEM_CQE_MORE);
	rig_get_sqe(q, "k", 7)->arg = 10;
	assert_int_equal(rig_do(rig, q).res, 0);
	rig_get_sqe(q, "k", 7)->arg = ~0ull;
	assert_int_equal(rig_do(rig, q).res, 0);
}

static void versions_are_the_same_until_the_value_changes(void **state)
{
	BEGIN(rig, q);
	uint32_t first, second, third;

	assert_int_equal(rig_put(rig, q, "k", "one"), 0);
	rig_get_sqe(q, "k", 8);
	first = rig_do(rig, q).flags >> UTMEM_CQE_VERSION_SHIFT;
	rig_key_sqe(q, UTMEM_OP_EXISTS, "k");
	second = rig_do(rig, q).flags >> UTMEM_CQE_VERSION_SHIFT;
	assert_int_equal(rig_put(rig, q, "k", "two"), 0);
	rig_get_sqe(q, "k", 8);
	third = rig_do(rig, q).flags >> UTMEM_CQE_VERSION_SHIFT;
	assert_int_equal(first, second);
	assert_int_not_equal(first, third);
}

static void exists_answers_the_length(void **state)
{
	BEGIN(rig, q);
	struct utmem_cqe cqe;

	assert_int_equal(rig_put(rig, q, "k", "four"), 0);
	rig_key_sqe(q, UTMEM_OP_EXISTS, "k");
	cqe = rig_do(rig, q);
	assert_int_equal(cqe.res, 4);
	assert_false(cqe.flags & UTMEM_CQE_MORE);
	rig_key_sqe(q, UTMEM_OP_EXISTS, "l");
	assert_int_equal(rig_do(rig, q).res, -ENOENT);
}

static void getdel_with_too_little_room_deletes_nothing(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(rig_put(rig, q, "k", "12345"), 0);
	rig_key_sqe(q, UTMEM_OP_GETDEL, "k")->len = 4;
	assert_int_equal(rig_do(rig, q).res, -E2BIG);
	rig_key_sqe(q, UTMEM_OP_GETDEL, "k")->len = 5;
	assert_int_equal(rig_do(rig, q).res, 5);
	assert_memory_equal(q->data, "12345", 5);
	assert_int_equal(rig_get(rig, q, "k"), -ENOENT);
	rig_key_sqe(q, UTMEM_OP_GETDEL, "k")->len = 5;
	assert_int_equal(rig_do(rig, q).res, -ENOENT);
}

static void put_conditions_reach_the_engine(void **state)
{
	BEGIN(rig, q);

	rig_put_sqe(q, "k", "v")->flags = UTMEM_SQE_IF_PRESENT;
	assert_int_equal(rig_do(rig, q).res, -ENOENT);
	rig_put_sqe(q, "k", "v")->flags = UTMEM_SQE_IF_ABSENT;
	assert_int_equal(rig_do(rig, q).res, 0);
	rig_put_sqe(q, "k", "vv")->flags = UTMEM_SQE_IF_ABSENT;
	assert_int_equal(rig_do(rig, q).res, -EEXIST);
	assert_int_equal(rig_get(rig, q, "k"), 1);
	rig_put_sqe(q, "k", "vv")->flags = UTMEM_SQE_IF_PRESENT;
	assert_int_equal(rig_do(rig, q).res, 0);
	assert_int_equal(rig_get(rig, q, "k"), 2);
}

static void flush_drops_everything_in_the_pool(void **state)
{
	BEGIN(rig, q);

	assert_int_equal(rig_put(rig, q, "a", "v"), 0);
	assert_int_equal(rig_put(rig, q, "b", "v"), 0);
	rig_sqe(q, UTMEM_OP_FLUSH);
	assert_int_equal(rig_do(rig, q).res, 0);
	assert_int_equal(rig_get(rig, q, "a"), -ENOENT);
	assert_int_equal(rig_get(rig, q, "b"), -ENOENT);
}

static void requests_of_one_batch_take_effect_in_order(void **state)
{
	BEGIN(rig, q);
	const int expect[] = {-ENOENT, 0, 3, 0, -ENOENT, 0, 3};
	unsigned int i;

	rig_get_sqe(q, "k", 8)->data_off = 64;
	rig_put_sqe(q, "k", "one");
	rig_get_sqe(q, "k", 8)->data_off = 64;
	rig_key_sqe(q, UTMEM_OP_DEL, "k");
	rig_get_sqe(q, "k", 8)->data_off = 64;
	rig_put_sqe(q, "k", "two");
	rig_get_sqe(q, "k", 8)->data_off = 64;
	utmem_sq_publish(&q->sq);
	assert_int_equal(utmem_service_turn(rig->s), 7);
	for (i = 0; i < 7; i++)
		assert_int_equal(rig_cqe(q).res, expect[i]);
}

static void engine_errors_are_the_answer(void **state)
{
	BEGIN(rig, q);

	rig->engine.put_error = -ENOSPC;
	assert_int_equal(rig_put(rig, q, "k", "v"), -ENOSPC);
	assert_int_equal(malformed(rig), 0);
}

static void bytes_of_values_are_counted(void **state)
{
	BEGIN(rig, q);
	struct utmem_service_counters c;

	assert_int_equal(rig_put(rig, q, "k", "0123456789"), 0);
	rig_get_sqe(q, "k", 4);
	assert_int_equal(rig_do(rig, q).res, 10);
	rig_key_sqe(q, UTMEM_OP_GETDEL, "k")->len = 10;
	assert_int_equal(rig_do(rig, q).res, 10);
	utmem_service_stat(rig->s, &c);
	assert_int_equal(c.value_bytes_in, 10);
	assert_int_equal(c.value_bytes_out, 14);
	assert_int_equal(c.nr_requests, 3);
	assert_int_equal(c.nr_batches, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(unknown_opcodes_are_not_supported),
		RIG_TEST(unknown_flags_are_not_supported),
		RIG_TEST(unattached_pools_are_not_permitted),
		RIG_TEST(offset_and_length_beyond_the_data_area_are_malformed),
		RIG_TEST(long_keys_beyond_the_data_area_are_malformed),
		RIG_TEST(key_length_is_1_to_1024),
		RIG_TEST(bytes_after_an_inline_key_are_ignored),
		RIG_TEST(bytes_after_a_long_keys_offset_must_be_zero),
		RIG_TEST(values_over_512_mib_are_too_big),
		RIG_TEST(fields_that_are_not_named_must_be_zero),
		RIG_TEST(readonly_handles_read_and_do_not_change),
		RIG_TEST(get_gives_the_bytes_from_an_offset_and_says_more),
		RIG_TEST(versions_are_the_same_until_the_value_changes),
		RIG_TEST(exists_answers_the_length),
		RIG_TEST(getdel_with_too_little_room_deletes_nothing),
		RIG_TEST(put_conditions_reach_the_engine),
		RIG_TEST(flush_drops_everything_in_the_pool),
		RIG_TEST(requests_of_one_batch_take_effect_in_order),
		RIG_TEST(engine_errors_are_the_answer),
		RIG_TEST(bytes_of_values_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
