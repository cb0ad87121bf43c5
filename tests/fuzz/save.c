// SPDX-License-Identifier: MIT
/*
 * libFuzzer target: the reader of saved pools, before whom anything may come.
 *
 * The input's first byte says what: bytes as they are; frames of any shape with checksums that
 * are right, as a lying writer makes them; or a saved pool that was whole, and then was cut or
 * had bits flipped, which must never be taken for whole.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/pool/save_format.h"

#define ROOM ((size_t)64 << 10)

#define MUST(cond)                                                                                \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

struct input {
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct input *in, size_t len)
{
	const uint8_t *at = in->at;

	MUST(len <= in->left);
	in->at += len;
	in->left -= len;
	return at;
}

static uint32_t take_number(struct input *in, size_t len)
{
	uint32_t v = 0;

	memcpy(&v, in->at, len < in->left ? len : in->left);
	in->at += len < in->left ? len : in->left;
	in->left -= len < in->left ? len : in->left;
	return v;
}

/* What every frame that is believed must be. */
static void look(const struct save_frame *f, const uint8_t *from, size_t len)
{
	const uint8_t *key = f->key, *data = f->data;
	uint32_t i, sum = 0;

	MUST(f->key_len <= UTMEM_POOL_KEY_MAX && f->data_len <= SAVE_DATA_MAX);
	MUST(!f->key_len || (key >= from && key + f->key_len <= from + len));
	MUST(!f->data_len || (data >= from && data + f->data_len <= from + len));
	for (i = 0; i < f->key_len; i++)
		sum += key[i];
	for (i = 0; i < f->data_len; i++)
		sum += data[i];
	MUST(sum < UINT32_MAX);
}

/* Return: was it a whole saved pool? In a heap block of its size, so that a byte beyond is seen. */
static bool read_all(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	struct save_reader r = {0};
	struct save_frame f;
	size_t at = 0;
	int64_t n;

	MUST(copy);
	memcpy(copy, bytes, len);
	while ((n = utmem_save_read(&r, copy + at, len - at, &f)) > 0) {
		look(&f, copy + at, (size_t)n);
		at += (size_t)n;
	}
	MUST(at <= len &&
	     (n >= 0 || n == -EPROTO || n == -EOPNOTSUPP || n == -EBADMSG || n == -ECANCELED));
	free(copy);
	return !n && r.ended && at == len;
}

/* Frames as the input wants them, @lying or well-formed. Return: bytes. */
static size_t write_frames(struct input *in, uint8_t *out, bool lying)
{
	static const uint8_t none[SAVE_END_LEN];
	struct save_head head = {.tenant = "t", .pool = "p"};
	struct save_chain c;
	size_t len = SAVE_HEAD_LEN;

	utmem_save_put_head(&c, &head, out);
	while (in->left > 8 && len < ROOM / 2) {
		struct save_frame f = {.type = take_number(in, 1) % 8};

		f.key_len = take_number(in, 1) % 40;
		f.data_len = take_number(in, 1);
		f.value_len = take_number(in, 1) & 1 ? f.data_len : take_number(in, 3);
		if (!lying) {
			f.type = SAVE_VALUE;
			f.key_len++;
			f.value_len = f.data_len;
		}
		f.key = none;
		f.data = none;
		if (f.data_len > sizeof(none) || f.key_len > sizeof(none)) {
			f.data_len = (uint32_t)(in->left < f.data_len ? in->left : f.data_len);
			f.data = take(in, f.data_len);
			f.value_len = lying ? f.value_len : f.data_len;
		}
		len += utmem_save_put_frame(&c, &f, out + len);
	}
	return len + utmem_save_put_end(&c, out + len);
}

/* One thing goes wrong with what was right. */
static void spoil(struct input *in, uint8_t *bytes, size_t *len)
{
	uint32_t where = take_number(in, 4);

	if (where & 1)
		*len = (where >> 1) % *len;
	else
		bytes[(where >> 4) % *len] ^= (uint8_t)(1u << (where >> 1 & 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len}, spoiler = {data, len};
	static uint8_t bytes[ROOM];
	size_t written;

	switch (take_number(&in, 1) % 3) {
	case 0:
		read_all(in.at, in.left);
		break;
	case 1:
		read_all(bytes, write_frames(&in, bytes, true));
		break;
	default:
		written = write_frames(&in, bytes, false);
		MUST(read_all(bytes, written));
		spoil(&spoiler, bytes, &written);
		MUST(!read_all(bytes, written));
	}
	return 0;
}
