// SPDX-License-Identifier: MIT
/* A saved pool as bytes: what is written is read back, and nothing else is believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/pool/save_format.h"

#define NR_FRAMES 7u /* of sample(), the head and END included */
#define ROOM 65536u

struct sample {
	uint8_t bytes[ROOM];
	size_t len;
	size_t border[NR_FRAMES + 1]; /* where frames begin, and the end */
};

static const struct save_head head = {
	.tenant = "web1",
	.pool = "sessions",
	.options = "compress=lz4",
	.kind = {.ephemeral = true, .guest_shared = true, .owner = 1000},
	.time = 1764028800,
	.totals = {3, 12, 2011},
};

static void add(struct sample *s, struct save_chain *c, uint32_t *nr, struct save_frame f)
{
	s->border[(*nr)++] = s->len;
	s->len += utmem_save_put_frame(c, &f, s->bytes + s->len);
}

static void sample(struct sample *s)
{
	static const uint8_t part[1000] = {1, 2, 3};
	struct save_chain c;
	uint32_t nr = 0;

	s->border[nr++] = 0;
	utmem_save_put_head(&c, &head, s->bytes);
	s->len = SAVE_HEAD_LEN;
	add(s, &c, &nr, (struct save_frame){SAVE_VALUE, "empty", 5, 0, NULL, 0});
	add(s, &c, &nr, (struct save_frame){SAVE_OPEN, "long", 4, 2000, NULL, 0});
	add(s, &c, &nr, (struct save_frame){SAVE_PART, NULL, 0, 0, part, 1000});
	add(s, &c, &nr, (struct save_frame){SAVE_VALUE, "key", 3, 11, "hello world", 11});
	add(s, &c, &nr, (struct save_frame){SAVE_PART, NULL, 0, 0, part, 1000});
	s->border[nr++] = s->len;
	s->len += utmem_save_put_end(&c, s->bytes + s->len);
	s->border[nr] = s->len;
	assert_int_equal(nr, NR_FRAMES);
}

/* All of it, fed as it lies there. Return: frames taken, or -errno; -ENODATA: cut short. */
static int64_t read_all(const uint8_t *bytes, size_t len)
{
	struct save_reader r = {0};
	struct save_frame f;
	int64_t n, nr = 0;

	while ((n = utmem_save_read(&r, bytes, len, &f)) > 0) {
		bytes += n;
		len -= (size_t)n;
		nr++;
	}
	if (n < 0)
		return n;
	return r.ended && !len ? nr : -ENODATA;
}

static void what_is_written_is_read(void **state)
{
	struct save_reader r = {0};
	struct save_frame f;
	struct sample s;
	int64_t n;

	(void)state;
	sample(&s);
	assert_int_equal(read_all(s.bytes, s.len), NR_FRAMES);
	assert_int_equal(utmem_save_read(&r, s.bytes, s.len, &f), SAVE_HEAD_LEN);
	assert_int_equal(f.type, 0);
	assert_memory_equal(&r.head, &head, sizeof(head));
	n = utmem_save_read(&r, s.bytes + SAVE_HEAD_LEN, s.len - SAVE_HEAD_LEN, &f);
	assert_int_equal(n, s.border[2] - s.border[1]);
	assert_int_equal(f.type, SAVE_VALUE);
	assert_int_equal(f.key_len, 5);
	assert_memory_equal(f.key, "empty", 5);
	assert_int_equal(f.data_len, 0);
}

/* The layout is the manual's, on every host: bytes, not structs. */
static void bytes_are_as_documented(void **state)
{
	static const uint8_t begins[] = {0x8b, 'u', 't', 'm', 'e', 'm',	 '\r', '\n', 1, 0, 0,
					 0,    5,   0,	 0,   0,   0xe8, 3,    0,    0, 0};
	struct sample s;

	(void)state;
	sample(&s);
	assert_memory_equal(s.bytes, begins, sizeof(begins));
	assert_string_equal((char *)s.bytes + 56, "web1");
	assert_string_equal((char *)s.bytes + 120, "sessions");
	assert_string_equal((char *)s.bytes + 184, "compress=lz4");
	assert_int_equal(s.bytes[s.border[4]], SAVE_VALUE);
	assert_int_equal(s.bytes[s.border[4] + 2], 3);
	assert_int_equal(s.bytes[s.border[4] + 4], 11);
	assert_int_equal(s.bytes[s.border[4] + 8], 11);
	assert_memory_equal(s.bytes + s.border[4] + 24, "keyhello world", 14);
	assert_int_equal(s.border[7] - s.border[6], 48);
	assert_int_equal(s.bytes[s.border[6] + 24], 3); /* items */
}

static void bytes_may_come_one_by_one(void **state)
{
	struct save_reader r = {0};
	struct save_frame f;
	struct sample s;
	size_t at = 0, have = 0;
	int64_t n;

	(void)state;
	sample(&s);
	while (!r.ended) {
		n = utmem_save_read(&r, s.bytes + at, have - at, &f);
		assert_true(n >= 0);
		at += (size_t)n;
		if (!n)
			have++;
		assert_true(have <= s.len);
	}
	assert_int_equal(at, s.len);
}

static void cut_anywhere_it_is_not_whole(void **state)
{
	struct sample s;
	size_t len;

	(void)state;
	sample(&s);
	for (len = 0; len < s.len; len++)
		assert_int_equal(read_all(s.bytes, len), -ENODATA);
}

static void any_flipped_bit_is_found(void **state)
{
	struct sample s;
	size_t bit;

	(void)state;
	sample(&s);
	for (bit = 0; bit < s.len * 8; bit++) {
		s.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(read_all(s.bytes, s.len) < 0);
		s.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(read_all(s.bytes, s.len), NR_FRAMES);
}

/* Each frame by itself is right; the order is not. */
static void frame_missing_twice_or_elsewhere_is_found(void **state)
{
	static uint8_t bytes[2 * ROOM];
	struct sample s;
	uint32_t i;

	(void)state;
	sample(&s);
	for (i = 1; i < NR_FRAMES; i++) {
		size_t from = s.border[i], to = s.border[i + 1];

		memcpy(bytes, s.bytes, from);
		memcpy(bytes + from, s.bytes + to, s.len - to);
		assert_true(read_all(bytes, s.len - (to - from)) < 0);
		memcpy(bytes + from, s.bytes + from, to - from);
		memcpy(bytes + to, s.bytes + from, s.len - from);
		assert_true(read_all(bytes, s.len + (to - from)) < 0);
	}
}

static void nothing_may_follow_the_end(void **state)
{
	struct sample s;

	(void)state;
	sample(&s);
	s.bytes[s.len] = 0;
	assert_int_equal(read_all(s.bytes, s.len + 1), -EBADMSG);
}

static void newer_version_and_other_kind_are_told_apart(void **state)
{
	struct sample s;

	(void)state;
	sample(&s);
	s.bytes[8] = SAVE_VERSION + 1;
	assert_int_equal(read_all(s.bytes, 12), -EOPNOTSUPP);
	s.bytes[8] = SAVE_VERSION;
	s.bytes[0] = 'x';
	assert_int_equal(read_all(s.bytes, 1), -EPROTO);
}

/* With checksums that are right: the writer lied. */
static int64_t read_frame(struct save_reader *r, struct save_frame f)
{
	static uint8_t bytes[SAVE_FRAME_MAX + 1];
	struct save_chain c = r->chain;
	struct save_frame got;
	size_t len = utmem_save_put_frame(&c, &f, bytes);

	return utmem_save_read(r, bytes, len, &got);
}

static void frames_out_of_shape_are_refused(void **state)
{
	static const uint8_t data[SAVE_DATA_MAX + 1];
	static const struct save_frame wrong[] = {
		{0, "k", 1, 1, data, 1},
		{6, "k", 1, 1, data, 1},
		{SAVE_VALUE, NULL, 0, 1, data, 1},
		{SAVE_VALUE, data, UTMEM_POOL_KEY_MAX + 1, 1, data, 1},
		{SAVE_VALUE, "k", 1, 2, data, 1},
		{SAVE_VALUE, "k", 1, SAVE_DATA_MAX + 1, data, SAVE_DATA_MAX + 1},
		{SAVE_OPEN, "k", 1, 0, NULL, 0},
		{SAVE_OPEN, "k", 1, UTMEM_POOL_VALUE_MAX + 1, NULL, 0},
		{SAVE_OPEN, "k", 1, 5, data, 5},
		{SAVE_PART, NULL, 0, 0, data, 1},
		{SAVE_END, NULL, 0, 0, data, 23},
		{SAVE_FAILED, NULL, 0, 0, data, SAVE_WHY_MAX + 1},
	};
	struct save_reader r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		r = (struct save_reader){.has_head = true};
		assert_int_equal(read_frame(&r, wrong[i]), -EBADMSG);
	}
	r = (struct save_reader){.has_head = true};
	assert_true(read_frame(&r, (struct save_frame){SAVE_OPEN, "k", 1, 5, NULL, 0}) > 0);
	assert_int_equal(read_frame(&r, (struct save_frame){SAVE_PART, NULL, 0, 0, data, 6}),
			 -EBADMSG);
	assert_int_equal(read_frame(&r, (struct save_frame){SAVE_OPEN, "l", 1, 5, NULL, 0}),
			 -EBADMSG);
	assert_int_equal(read_frame(&r, (struct save_frame){SAVE_END, NULL, 0, 0, data, 24}),
			 -EBADMSG);
}

static void the_longest_frame_is_read(void **state)
{
	static const uint8_t data[SAVE_DATA_MAX];
	struct save_reader r = {.has_head = true};

	(void)state;
	assert_int_equal(read_frame(&r, (struct save_frame){SAVE_VALUE, data, UTMEM_POOL_KEY_MAX,
							    SAVE_DATA_MAX, data, SAVE_DATA_MAX}),
			 SAVE_FRAME_MAX);
}

static void totals_that_do_not_add_up_are_refused(void **state)
{
	static const uint8_t none[24];
	struct save_reader r = {.has_head = true};

	(void)state;
	assert_true(read_frame(&r, (struct save_frame){SAVE_VALUE, "k", 1, 0, NULL, 0}) > 0);
	assert_int_equal(read_frame(&r, (struct save_frame){SAVE_END, NULL, 0, 0, none, 24}),
			 -EBADMSG);
}

static void failure_says_why(void **state)
{
	uint8_t bytes[SAVE_FRAME_HEADER_LEN + SAVE_WHY_MAX];
	struct save_reader r = {.has_head = true};
	struct save_chain c = {0};
	struct save_frame f;
	size_t len = utmem_save_put_failed(&c, "the pool was flushed", bytes);

	(void)state;
	assert_int_equal(utmem_save_read(&r, bytes, len, &f), -ECANCELED);
	assert_int_equal(f.data_len, 20);
	assert_memory_equal(f.data, "the pool was flushed", 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(bytes_are_as_documented),
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(cut_anywhere_it_is_not_whole),
		cmocka_unit_test(any_flipped_bit_is_found),
		cmocka_unit_test(frame_missing_twice_or_elsewhere_is_found),
		cmocka_unit_test(nothing_may_follow_the_end),
		cmocka_unit_test(newer_version_and_other_kind_are_told_apart),
		cmocka_unit_test(frames_out_of_shape_are_refused),
		cmocka_unit_test(the_longest_frame_is_read),
		cmocka_unit_test(totals_that_do_not_add_up_are_refused),
		cmocka_unit_test(failure_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
