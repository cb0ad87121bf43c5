/* SPDX-License-Identifier: MIT */
/*
 * A saved pool as bytes; utmem-save(5) has the layout. Little-endian everywhere.
 *
 *	head | frame ... | END (or FAILED)
 *
 * Each frame's checksum is seeded with the one before it, the first with the head's: a
 * frame that is missing, twice or in another place is as wrong as one with a flipped bit,
 * and the last checksum stands for all.
 *
 * Owner: host/pool. Callers: utmemd, utmemctl. Pure functions over buffers; any thread.
 */
#ifndef UTMEM_POOL_SAVE_FORMAT_H
#define UTMEM_POOL_SAVE_FORMAT_H

#include "pool.h"

#define SAVE_VERSION 1u
#define SAVE_HEAD_LEN 256u
#define SAVE_OPTIONS_LEN 56u /* with the NUL */
#define SAVE_FRAME_HEADER_LEN 24u
#define SAVE_DATA_MAX (256u << 10) /* of a frame; a longer value comes in parts */
#define SAVE_FRAME_MAX (SAVE_FRAME_HEADER_LEN + UTMEM_POOL_KEY_MAX + SAVE_DATA_MAX)
#define SAVE_END_LEN (SAVE_FRAME_HEADER_LEN + 24u)
#define SAVE_WHY_MAX 255u /* of a FAILED frame's text */

enum save_type {
	SAVE_VALUE = 1,	 /* a key and its whole value */
	SAVE_OPEN = 2,	 /* a key and the length of its value, whose parts follow */
	SAVE_PART = 3,	 /* the next bytes of the open value; VALUEs may come between */
	SAVE_END = 4,	 /* all is there: what the totals and the checksum say */
	SAVE_FAILED = 5, /* the saving host gave up; data is why */
};

struct save_totals {
	uint64_t nr_items, key_bytes, value_bytes;
};

struct save_head {
	char tenant[UTMEM_POOL_NAME_LEN];
	char pool[UTMEM_POOL_NAME_LEN];
	char options[SAVE_OPTIONS_LEN]; /* NAME=VALUE, with blanks between */
	struct utmem_pool_kind kind;
	uint64_t time;		   /* seconds since 1970 */
	struct save_totals totals; /* what is to come; END has what came */
};

struct save_frame {
	enum save_type type;
	const void *key;
	uint32_t key_len;
	uint64_t value_len; /* of VALUE and OPEN */
	const void *data;
	uint32_t data_len;
};

/* What both sides know of the frames so far. */
struct save_chain {
	uint64_t checksum; /* of the frame before, or of the head */
	struct save_totals totals;
};

/* ---- writing ---- */

void utmem_save_put_head(struct save_chain *c, const struct save_head *h,
			 uint8_t out[SAVE_HEAD_LEN]);
/* Room for @f at @out: header, key and data. Return: bytes written. @f->data may be at its place. */
size_t utmem_save_put_frame(struct save_chain *c, const struct save_frame *f, uint8_t *out);
size_t utmem_save_put_end(struct save_chain *c, uint8_t out[SAVE_END_LEN]);
/* At most SAVE_WHY_MAX bytes of @why. */
size_t utmem_save_put_failed(struct save_chain *c, const char *why,
			     uint8_t out[SAVE_FRAME_HEADER_LEN + SAVE_WHY_MAX]);

/* ---- reading ---- */

struct save_reader {
	struct save_head head; /* once has_head is set */
	struct save_chain chain;
	uint64_t open_left; /* of the open value */
	bool has_head;
	bool ended; /* END came, and it was right: nothing may follow */
};

/*
 * Take the head or one frame from the front of @buf. Return: its bytes; @f->type is 0 for the
 * head, and key and data point into @buf. 0: it is not all there. -EPROTO: no saved pool;
 * -EOPNOTSUPP: of a newer version; -EBADMSG: damaged; -ECANCELED: FAILED, and @f->data is
 * why. A reader that has failed is of no further use. A file whose end comes before
 * @r->ended is set was cut short.
 */
int64_t utmem_save_read(struct save_reader *r, const uint8_t *buf, size_t len,
			struct save_frame *f);

/* What to tell people about an error of utmem_save_read(); -ENODATA: cut short. */
const char *utmem_save_strerror(int err);

#endif /* UTMEM_POOL_SAVE_FORMAT_H */
