// SPDX-License-Identifier: MIT
/*
 * A saved pool as bytes: written, and read without trust. Called by whoever moves such
 * bytes (utmemd, utmemctl, tests), on any thread; keeps nothing but what it is given.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "save_format.h"

/* As PNG's: text modes and seven-bit lines are noticed at once. */
static const uint8_t magic[8] = {0x8b, 'u', 't', 'm', 'e', 'm', '\r', '\n'};

/* Where things are in the head. */
enum head_at {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_KIND = 12,
	AT_OWNER = 16,
	AT_RESV = 20,
	AT_TIME = 24,
	AT_TOTALS = 32,
	AT_TENANT = 56,
	AT_POOL = AT_TENANT + UTMEM_POOL_NAME_LEN,
	AT_OPTIONS = AT_POOL + UTMEM_POOL_NAME_LEN,
	AT_SUM = AT_OPTIONS + SAVE_OPTIONS_LEN + 8,
};
_Static_assert(AT_SUM + 8 == SAVE_HEAD_LEN, "the checksum ends the head");

enum kind_bit {
	KIND_EPHEMERAL = 1,
	KIND_SHARED = 2,
	KIND_GUEST_SHARED = 4,
	KIND_BITS = 7,
};

/* And in a frame. */
enum frame_at {
	AT_TYPE = 0,
	AT_ZERO = 1,
	AT_KEY_LEN = 2,
	AT_DATA_LEN = 4,
	AT_VALUE_LEN = 8,
	AT_FRAME_SUM = 16,
};

/* ---- numbers ---- */

static void put16(uint8_t *at, uint16_t v)
{
	v = htole16(v);
	memcpy(at, &v, sizeof(v));
}

static void put32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static void put64(uint8_t *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

static void put_totals(uint8_t *at, const struct save_totals *t)
{
	put64(at, t->nr_items);
	put64(at + 8, t->key_bytes);
	put64(at + 16, t->value_bytes);
}

static struct save_totals get_totals(const uint8_t *at)
{
	return (struct save_totals){get64(at), get64(at + 8), get64(at + 16)};
}

static void count(struct save_chain *c, const struct save_frame *f)
{
	if (f->type != SAVE_VALUE && f->type != SAVE_OPEN)
		return;
	c->totals.nr_items++;
	c->totals.key_bytes += f->key_len;
	c->totals.value_bytes += f->value_len;
}

/* ---- checksums ---- */

static uint64_t head_sum(const uint8_t *head)
{
	return XXH64(head, AT_SUM, 0);
}

/* Header (its checksum left out), key and data. */
static uint64_t frame_sum(const struct save_chain *c, const uint8_t *frame, size_t len)
{
	uint64_t header = XXH64(frame, AT_FRAME_SUM, c->checksum);

	return XXH64(frame + SAVE_FRAME_HEADER_LEN, len - SAVE_FRAME_HEADER_LEN, header);
}

/* ---- writing ---- */

static uint32_t kind_bits(struct utmem_pool_kind kind)
{
	return (kind.ephemeral ? KIND_EPHEMERAL : 0) | (kind.shared ? KIND_SHARED : 0) |
	       (kind.guest_shared ? KIND_GUEST_SHARED : 0);
}

void utmem_save_put_head(struct save_chain *c, const struct save_head *h,
			 uint8_t out[SAVE_HEAD_LEN])
{
	memset(out, 0, SAVE_HEAD_LEN);
	memcpy(out + AT_MAGIC, magic, sizeof(magic));
	put32(out + AT_VERSION, SAVE_VERSION);
	put32(out + AT_KIND, kind_bits(h->kind));
	put32(out + AT_OWNER, h->kind.owner);
	put64(out + AT_TIME, h->time);
	put_totals(out + AT_TOTALS, &h->totals);
	memcpy(out + AT_TENANT, h->tenant, strnlen(h->tenant, UTMEM_POOL_NAME_LEN - 1));
	memcpy(out + AT_POOL, h->pool, strnlen(h->pool, UTMEM_POOL_NAME_LEN - 1));
	memcpy(out + AT_OPTIONS, h->options, strnlen(h->options, SAVE_OPTIONS_LEN - 1));
	*c = (struct save_chain){.checksum = head_sum(out)};
	put64(out + AT_SUM, c->checksum);
}

size_t utmem_save_put_frame(struct save_chain *c, const struct save_frame *f, uint8_t *out)
{
	size_t len = SAVE_FRAME_HEADER_LEN + f->key_len + f->data_len;

	out[AT_TYPE] = (uint8_t)f->type;
	out[AT_ZERO] = 0;
	put16(out + AT_KEY_LEN, (uint16_t)f->key_len);
	put32(out + AT_DATA_LEN, f->data_len);
	put64(out + AT_VALUE_LEN, f->value_len);
	if (f->key_len)
		memcpy(out + SAVE_FRAME_HEADER_LEN, f->key, f->key_len);
	if (f->data_len)
		memmove(out + SAVE_FRAME_HEADER_LEN + f->key_len, f->data, f->data_len);
	c->checksum = frame_sum(c, out, len);
	put64(out + AT_FRAME_SUM, c->checksum);
	count(c, f);
	return len;
}

size_t utmem_save_put_end(struct save_chain *c, uint8_t out[SAVE_END_LEN])
{
	struct save_frame f = {.type = SAVE_END, .data_len = SAVE_END_LEN - SAVE_FRAME_HEADER_LEN};

	f.data = out + SAVE_FRAME_HEADER_LEN;
	put_totals(out + SAVE_FRAME_HEADER_LEN, &c->totals);
	return utmem_save_put_frame(c, &f, out);
}

size_t utmem_save_put_failed(struct save_chain *c, const char *why,
			     uint8_t out[SAVE_FRAME_HEADER_LEN + SAVE_WHY_MAX])
{
	struct save_frame f = {.type = SAVE_FAILED, .data = why};

	f.data_len = (uint32_t)strnlen(why, SAVE_WHY_MAX);
	return utmem_save_put_frame(c, &f, out);
}

/* ---- reading ---- */

/* A name or a text: it ends, and behind its end are zeroes alone. */
static bool get_text(char *to, const uint8_t *at, size_t room)
{
	size_t len = strnlen((const char *)at, room), i;

	for (i = len; i < room; i++)
		if (at[i])
			return false;
	memcpy(to, at, room);
	return len < room;
}

static int read_head(struct save_reader *r, const uint8_t *buf)
{
	struct save_head *h = &r->head;
	uint32_t kind = get32(buf + AT_KIND);

	if (get64(buf + AT_SUM) != head_sum(buf) || !get32(buf + AT_VERSION))
		return -EBADMSG;
	if (kind & ~(uint32_t)KIND_BITS || get32(buf + AT_RESV) ||
	    !get_text(h->tenant, buf + AT_TENANT, sizeof(h->tenant)) ||
	    !get_text(h->pool, buf + AT_POOL, sizeof(h->pool)) ||
	    !get_text(h->options, buf + AT_OPTIONS, sizeof(h->options)))
		return -EBADMSG;
	h->kind.ephemeral = kind & KIND_EPHEMERAL;
	h->kind.shared = kind & KIND_SHARED;
	h->kind.guest_shared = kind & KIND_GUEST_SHARED;
	h->kind.owner = get32(buf + AT_OWNER);
	h->time = get64(buf + AT_TIME);
	h->totals = get_totals(buf + AT_TOTALS);
	r->chain = (struct save_chain){.checksum = get64(buf + AT_SUM)};
	r->has_head = true;
	return 0;
}

/* What is wrong is told as soon as it is there: nobody waits for 256 bytes of another file. */
static int64_t take_head(struct save_reader *r, const uint8_t *buf, size_t len)
{
	int err;

	if (memcmp(buf, magic, len < sizeof(magic) ? len : sizeof(magic)))
		return -EPROTO;
	if (len >= AT_VERSION + 4 && get32(buf + AT_VERSION) > SAVE_VERSION)
		return -EOPNOTSUPP;
	if (len < SAVE_HEAD_LEN)
		return 0;
	err = read_head(r, buf);
	return err ? err : (int64_t)SAVE_HEAD_LEN;
}

static bool key_right(const struct save_frame *f, bool wanted)
{
	return wanted ? f->key_len && f->key_len <= UTMEM_POOL_KEY_MAX : !f->key_len;
}

/* Can there be a frame of that shape here? Asked before its data is there. */
static bool shape_right(const struct save_reader *r, const struct save_frame *f)
{
	bool named = f->type == SAVE_VALUE || f->type == SAVE_OPEN;

	if (!key_right(f, named) || f->data_len > SAVE_DATA_MAX || (!named && f->value_len))
		return false;
	switch (f->type) {
	case SAVE_VALUE:
		return f->value_len == f->data_len;
	case SAVE_OPEN:
		return !r->open_left && !f->data_len && f->value_len &&
		       f->value_len <= UTMEM_POOL_VALUE_MAX;
	case SAVE_PART:
		return f->data_len && f->data_len <= r->open_left;
	case SAVE_END:
		return !r->open_left && f->data_len == SAVE_END_LEN - SAVE_FRAME_HEADER_LEN;
	case SAVE_FAILED:
		return f->data_len <= SAVE_WHY_MAX;
	}
	return false;
}

static bool totals_equal(const struct save_totals *a, const struct save_totals *b)
{
	return a->nr_items == b->nr_items && a->key_bytes == b->key_bytes &&
	       a->value_bytes == b->value_bytes;
}

/* The frame is whole and as it was written. */
static int apply(struct save_reader *r, const struct save_frame *f)
{
	struct save_totals said;

	count(&r->chain, f);
	switch (f->type) {
	case SAVE_OPEN:
		r->open_left = f->value_len;
		return 0;
	case SAVE_PART:
		r->open_left -= f->data_len;
		return 0;
	case SAVE_END:
		said = get_totals(f->data);
		r->ended = true;
		return totals_equal(&said, &r->chain.totals) ? 0 : -EBADMSG;
	case SAVE_FAILED:
		return -ECANCELED;
	default:
		return 0;
	}
}

static int64_t take_frame(struct save_reader *r, const uint8_t *buf, size_t len,
			  struct save_frame *f)
{
	uint64_t sum;
	size_t all;
	int err;

	if (len < SAVE_FRAME_HEADER_LEN)
		return 0;
	f->type = buf[AT_TYPE];
	f->key_len = get16(buf + AT_KEY_LEN);
	f->data_len = get32(buf + AT_DATA_LEN);
	f->value_len = get64(buf + AT_VALUE_LEN);
	if (buf[AT_ZERO] || !shape_right(r, f))
		return -EBADMSG;
	all = SAVE_FRAME_HEADER_LEN + f->key_len + f->data_len;
	if (len < all)
		return 0;
	sum = frame_sum(&r->chain, buf, all);
	if (sum != get64(buf + AT_FRAME_SUM))
		return -EBADMSG;
	r->chain.checksum = sum;
	f->key = buf + SAVE_FRAME_HEADER_LEN;
	f->data = buf + SAVE_FRAME_HEADER_LEN + f->key_len;
	err = apply(r, f);
	return err ? err : (int64_t)all;
}

int64_t utmem_save_read(struct save_reader *r, const uint8_t *buf, size_t len, struct save_frame *f)
{
	memset(f, 0, sizeof(*f));
	if (!len)
		return 0;
	if (!r->has_head)
		return take_head(r, buf, len);
	return r->ended ? -EBADMSG : take_frame(r, buf, len, f);
}

const char *utmem_save_strerror(int err)
{
	switch (err) {
	case -EPROTO:
		return "not a saved pool";
	case -EOPNOTSUPP:
		return "saved by a newer version";
	case -EBADMSG:
		return "damaged";
	case -ENODATA:
		return "cut short";
	case -ECANCELED:
		return "the saving host gave up";
	default:
		return strerror(-err);
	}
}
