// SPDX-License-Identifier: MIT
/* What prep refuses, what it leaves behind then, and long keys in flight. */
#include "tests/unit/lib_fake.h"

struct rig {
	struct fake f;
	struct utmem *u;
	struct utmem_queue *q;
	char *buf; /* the longest buffer */
	size_t max;
};

static void rig_open(struct rig *r, uint32_t sq, uint32_t cq)
{
	struct utmem_queue_params params = {
		.sq_entries = sq, .cq_entries = cq, .data_len = 64 << 10};

	fake_start(&r->f, NULL, F_SEAL_SHRINK);
	assert_int_equal(utmem_connect(&r->u, r->f.transport), 0);
	assert_int_equal(utmem_queue_init(r->u, &r->q, &params), 0);
	r->max = utmem_buf_max(r->q);
	r->buf = utmem_buf_alloc(r->q, r->max);
	assert_non_null(r->buf);
}

static void rig_close(struct rig *r)
{
	utmem_queue_exit(r->q);
	utmem_disconnect(r->u);
	fake_stop(&r->f);
}

static struct utmem_sqe *sqe_of(struct rig *r)
{
	struct utmem_sqe *sqe = utmem_get_sqe(r->q);

	assert_non_null(sqe);
	sqe->user_data = 0x1234;
	return sqe;
}

/* The request is a NOP with nothing in it but its user_data. */
static void expect_nop(const struct utmem_sqe *sqe)
{
	const struct utmem_sqe nop = {.opcode = UTMEM_OP_NOP, .user_data = 0x1234};

	assert_memory_equal(sqe, &nop, sizeof(nop));
}

#define REFUSED(err, call)                   \
	do {                                 \
		assert_int_equal(call, err); \
		expect_nop(sqe);             \
	} while (0)

static void what_cannot_be_is_refused_and_leaves_a_nop(void **state)
{
	char key[UTMEM_KEY_MAX + 1] = "k", *end;
	struct utmem_sqe *sqe;
	struct rig r;

	(void)state;
	rig_open(&r, 8, 8);
	sqe = sqe_of(&r);
	end = r.buf + r.max;
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, -1, key, 1, r.buf, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, UTMEM_POOLS_PER_QUEUE, key, 1, r.buf, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 0, r.buf, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, NULL, 1, r.buf, 1, 0));
	REFUSED(-E2BIG, utmem_prep_put(r.q, sqe, 0, key, UTMEM_KEY_MAX + 1, r.buf, 1, 0));
	REFUSED(-E2BIG, utmem_prep_put(r.q, sqe, 0, key, SIZE_MAX, r.buf, 1, 0));
	REFUSED(-E2BIG, utmem_prep_put(r.q, sqe, 0, key, 1, r.buf, UTMEM_VALUE_MAX + 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 1, r.buf, r.max + 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 1, end, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 1, end - 1, 2, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 1, r.buf - 1, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 1, key, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put(r.q, sqe, 0, key, 1, NULL, 1, 0));
	REFUSED(-EINVAL, utmem_prep_get(r.q, sqe, 0, key, 1, r.buf, SIZE_MAX, 0));
	REFUSED(-EINVAL, utmem_prep_get(r.q, sqe, 0, key, 1, end, 1, 0));
	REFUSED(-EINVAL, utmem_prep_getdel(r.q, sqe, 0, key, 1, r.buf - 64, 64));
	REFUSED(-EINVAL, utmem_prep_del(r.q, sqe, 64, key, 1));
	REFUSED(-EINVAL, utmem_prep_exists(r.q, sqe, 0, key, 0));
	REFUSED(-EINVAL, utmem_prep_flush(r.q, sqe, -1));
	REFUSED(-EINVAL, utmem_prep_reserve(r.q, sqe, 1000, 1));
	REFUSED(-EINVAL, utmem_prep_put_begin(r.q, sqe, 0, key, 1, 1, UTMEM_STREAMS_PER_QUEUE));
	REFUSED(-E2BIG, utmem_prep_put_begin(r.q, sqe, 0, key, 1, UTMEM_VALUE_MAX + 1, 0));
	REFUSED(-EINVAL, utmem_prep_put_part(r.q, sqe, 16, r.buf, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put_part(r.q, sqe, 0, end, 1, 0));
	REFUSED(-EINVAL, utmem_prep_put_commit(r.q, sqe, 16, 0));
	REFUSED(-EINVAL, utmem_prep_put_abort(r.q, sqe, 16));
	utmem_prep_nop(sqe);
	expect_nop(sqe);
	rig_close(&r);
}

static void requests_carry_what_they_were_given(void **state)
{
	uint32_t off;
	struct utmem_sqe *sqe;
	char key[UTMEM_KEY_INLINE];
	struct rig r;

	(void)state;
	rig_open(&r, 8, 8);
	memset(key, 'k', sizeof(key));
	sqe = sqe_of(&r);
	off = (uint32_t)(r.max - 100);
	assert_int_equal(utmem_prep_put(r.q, sqe, 63, key, sizeof(key), r.buf + off, 100,
					UTMEM_SQE_IF_ABSENT),
			 0);
	assert_int_equal(sqe->opcode, UTMEM_OP_PUT);
	assert_int_equal(sqe->flags, UTMEM_SQE_IF_ABSENT);
	assert_int_equal(sqe->pool, 63);
	assert_int_equal(sqe->len, 100);
	assert_int_equal(sqe->data_off, off);
	assert_int_equal(sqe->key_len, sizeof(key));
	assert_int_equal(sqe->user_data, 0x1234);
	assert_memory_equal(sqe->key, key, sizeof(key));
	/* Once more, as something else: nothing of before is left. */
	assert_int_equal(utmem_prep_put_begin(r.q, sqe, 1, "abc", 3, UTMEM_VALUE_MAX, 15), 0);
	assert_int_equal(sqe->opcode, UTMEM_OP_PUT_BEGIN);
	assert_int_equal(sqe->arg, UTMEM_VALUE_MAX);
	assert_int_equal(sqe->stream, 15);
	assert_int_equal(sqe->flags + sqe->len + sqe->data_off, 0);
	assert_int_equal(sqe->key[3], 0);
	assert_int_equal(utmem_prep_put_part(r.q, sqe, 2, r.buf, r.max, 77), 0);
	assert_int_equal(sqe->opcode, UTMEM_OP_PUT_PART);
	assert_int_equal(sqe->arg, 77);
	assert_int_equal(sqe->len, r.max);
	assert_int_equal(sqe->key_len, 0);
	assert_int_equal(utmem_prep_put_commit(r.q, sqe, 2, UTMEM_SQE_IF_PRESENT), 0);
	assert_int_equal(sqe->opcode, UTMEM_OP_PUT_COMMIT);
	assert_int_equal(sqe->flags, UTMEM_SQE_IF_PRESENT);
	assert_int_equal(utmem_prep_get(r.q, sqe, 0, "k", 1, NULL, 0, 1ull << 40), 0);
	assert_int_equal(sqe->arg, 1ull << 40);
	utmem_sqe_set_data(sqe, &r);
	assert_int_equal(sqe->user_data, (uintptr_t)&r);
	rig_close(&r);
}

/* ---- long keys ---- */

static void fill_key(char *key, size_t len, unsigned int i)
{
	for (size_t b = 0; b < len; b++)
		key[b] = (char)('a' + (i * 7 + b) % 26);
}

/* Is that key where the host will look for it? */
static void expect_key(struct rig *r, const struct utmem_sqe *sqe, unsigned int i)
{
	const char *data = (char *)fake_page(&r->f) + r->f.geo.data_off;
	char key[UTMEM_KEY_MAX];

	fill_key(key, sqe->key_len, i);
	assert_true(sqe->key_len > UTMEM_KEY_INLINE);
	assert_true((uint64_t)sqe->key_off + sqe->key_len <= r->f.geo.data_len);
	assert_true(sqe->key_off >= r->max); /* not among the buffers */
	assert_memory_equal(data + sqe->key_off, key, sqe->key_len);
}

static void reap(struct rig *r)
{
	const struct utmem_cqe *cqe;

	assert_int_equal(utmem_wait_cqe(r->q, &cqe), 0);
	utmem_cqe_seen(r->q, cqe);
}

static void a_key_of_33_bytes_lies_in_the_data_area_until_completion(void **state)
{
	char key[UTMEM_KEY_INLINE + 1];
	struct utmem_sqe sqe;
	struct rig r;

	(void)state;
	rig_open(&r, 2, 4);
	fill_key(key, sizeof(key), 0);
	/* Far more than fit at once: each one's room comes back. */
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(utmem_prep_del(r.q, sqe_of(&r), 0, key, sizeof(key)), 0);
		assert_int_equal(utmem_submit(r.q), 1);
		fake_complete(&r.f, 0, 0, &sqe);
		expect_key(&r, &sqe, 0);
		reap(&r);
	}
	rig_close(&r);
}

static void random_long_keys_stay_whole_while_in_flight(void **state)
{
	unsigned int sent = 0, done = 0, refused = 0;
	uint32_t seed = 12345;
	struct utmem_sqe sqe;
	struct rig r;

	(void)state;
	rig_open(&r, 64, 128);
	while (done < 20000) {
		char key[UTMEM_KEY_MAX];
		struct utmem_sqe *s;
		size_t len;

		seed = seed * 1664525 + 1013904223;
		len = seed >> 8 & 1 ? seed % UTMEM_KEY_MAX + 1 : seed % 64 + 1;
		s = seed >> 16 & 3 ? utmem_get_sqe(r.q) : NULL;
		if (s) {
			fill_key(key, len, sent);
			/* With one request at a time there is always room. */
			assert_int_equal(utmem_prep_del(r.q, s, 0, key, len), 0);
			s->user_data = sent++;
			assert_int_equal(utmem_submit(r.q), 1);
			continue;
		}
		refused += sent - done == 0 ? 0 : utmem_sq_space_left(r.q) == 0;
		if (sent == done)
			continue;
		fake_complete(&r.f, 0, 0, &sqe);
		assert_int_equal(sqe.user_data, done);
		if (sqe.key_len > UTMEM_KEY_INLINE)
			expect_key(&r, &sqe, done);
		reap(&r);
		done++;
	}
	assert_true(refused > 0);
	assert_int_equal(utmem_inflight(r.q), sent - done);
	rig_close(&r);
}

static void room_for_keys_limits_requests_and_comes_back(void **state)
{
	char key[UTMEM_KEY_MAX];
	unsigned int nr = 0;
	struct utmem_sqe *s, sqe;
	struct rig r;

	(void)state;
	rig_open(&r, 64, 128);
	while ((s = utmem_get_sqe(r.q))) {
		fill_key(key, sizeof(key), nr);
		assert_int_equal(utmem_prep_del(r.q, s, 0, key, sizeof(key)), 0);
		nr++;
	}
	assert_true(nr >= 4 && nr < 64);
	assert_int_equal(utmem_sq_space_left(r.q), 0);
	assert_int_equal(utmem_submit(r.q), nr);
	for (unsigned int i = 0; i < nr; i++) {
		fake_complete(&r.f, 0, 0, &sqe);
		expect_key(&r, &sqe, i);
		reap(&r);
		assert_true(utmem_sq_space_left(r.q) > 0);
	}
	assert_int_equal(utmem_sq_space_left(r.q), 64);
	rig_close(&r);
}

static void without_room_a_second_prepared_key_is_eagain(void **state)
{
	struct utmem_sqe *s[64];
	char key[UTMEM_KEY_MAX];
	unsigned int i, nr;
	struct rig r;

	(void)state;
	rig_open(&r, 64, 64);
	memset(key, 'x', sizeof(key));
	/* Reserved ahead of their keys, so that only prep can see that the room is used up. */
	for (i = 0; i < 64; i++)
		s[i] = sqe_of(&r);
	for (nr = 0; nr < 64; nr++)
		if (utmem_prep_del(r.q, s[nr], 0, key, sizeof(key)))
			break;
	assert_true(nr >= 4 && nr < 64);
	assert_int_equal(utmem_prep_del(r.q, s[nr], 0, key, sizeof(key)), -EAGAIN);
	expect_nop(s[nr]);
	assert_int_equal(utmem_prep_del(r.q, s[nr], 0, key, UTMEM_KEY_INLINE), 0);
	rig_close(&r);
}

static void keys_prepared_out_of_order_live_long_enough(void **state)
{
	char key[UTMEM_KEY_MAX];
	struct utmem_sqe *s[4], sqe;
	struct rig r;

	(void)state;
	rig_open(&r, 4, 8);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 4; i++)
			s[i] = sqe_of(&r);
		for (unsigned int i = 4; i-- > 0;) {
			fill_key(key, 400, i);
			assert_int_equal(utmem_prep_del(r.q, s[i], 0, key, 400), 0);
		}
		assert_int_equal(utmem_submit(r.q), 4);
		for (unsigned int i = 0; i < 4; i++) {
			fake_complete(&r.f, 0, 0, &sqe);
			expect_key(&r, &sqe, i);
			reap(&r);
		}
	}
	rig_close(&r);
}

static void requests_prepared_again_and_again_keep_their_last_key(void **state)
{
	struct utmem_sqe *s[2], *more[7], sqe;
	char key[1000];
	struct rig r;

	(void)state;
	rig_open(&r, 8, 8);
	s[0] = sqe_of(&r);
	s[1] = sqe_of(&r);
	/* More often than there can be requests in flight; the last one is s[0]'s. */
	for (unsigned int i = 0; i < 49; i++) {
		fill_key(key, 40, i % 2);
		assert_int_equal(utmem_prep_del(r.q, s[i % 2], 0, key, 40), 0);
	}
	assert_int_equal(utmem_submit(r.q), 2);
	fake_complete(&r.f, 0, 0, &sqe);
	expect_key(&r, &sqe, 0);
	reap(&r);
	/* Once round the ring, as far as there is room: nothing of it lies on the other's key. */
	memset(key, 'x', sizeof(key));
	for (int i = 0; i < 7; i++)
		more[i] = sqe_of(&r);
	for (int i = 0; i < 7; i++)
		utmem_prep_del(r.q, more[i], 0, key, i < 6 ? 600 : 100);
	fake_complete(&r.f, 0, 0, &sqe);
	expect_key(&r, &sqe, 1);
	reap(&r);
	rig_close(&r);
}

static void a_long_key_for_a_request_of_another_queue_is_einval(void **state)
{
	struct utmem_sqe foreign = {0}, *s;
	char key[100] = "k";
	struct rig r;

	(void)state;
	rig_open(&r, 4, 8);
	memset(key, 'k', sizeof(key));
	assert_int_equal(utmem_prep_del(r.q, &foreign, 0, key, sizeof(key)), -EINVAL);
	s = sqe_of(&r);
	assert_int_equal(utmem_submit(r.q), 1);
	assert_int_equal(utmem_prep_del(r.q, s, 0, key, sizeof(key)), -EINVAL); /* too late */
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_is_refused_and_leaves_a_nop),
		cmocka_unit_test(requests_carry_what_they_were_given),
		cmocka_unit_test(a_key_of_33_bytes_lies_in_the_data_area_until_completion),
		cmocka_unit_test(random_long_keys_stay_whole_while_in_flight),
		cmocka_unit_test(room_for_keys_limits_requests_and_comes_back),
		cmocka_unit_test(without_room_a_second_prepared_key_is_eagain),
		cmocka_unit_test(keys_prepared_out_of_order_live_long_enough),
		cmocka_unit_test(requests_prepared_again_and_again_keep_their_last_key),
		cmocka_unit_test(a_long_key_for_a_request_of_another_queue_is_einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
