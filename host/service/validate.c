// SPDX-License-Identifier: MIT
/*
 * A copied SQE becomes a request that can be trusted, or a -errno. All checks of
 * a data request stand here, and nowhere else. Called by drain.c, draining thread.
 */
#include <errno.h>

#include "host/service/queue.h"
#include "host/service/request.h"
#include "host/service/window.h"

_Static_assert(UTMEM_KEY_MAX == UTMEM_POOL_KEY_MAX, "ring and engine agree on keys");
_Static_assert(UTMEM_VALUE_MAX == UTMEM_POOL_VALUE_MAX, "ring and engine agree on values");
_Static_assert(UTMEM_NAME_LEN == UTMEM_POOL_NAME_LEN, "ring and engine agree on names");

/* Which fields an opcode names; the others must be zero. */
enum {
	SERVED = 1 << 0, /* it is implemented */
	POOL = 1 << 1,
	CHANGE = 1 << 2, /* of the pool: not without the right to write */
	KEY = 1 << 3,
	DATA = 1 << 4,	/* len bytes at data_off */
	VALUE = 1 << 5, /* they are a value, or a part of one */
	ARG = 1 << 6,
	STREAM = 1 << 7,
};

#define CONDITIONS (UTMEM_SQE_IF_ABSENT | UTMEM_SQE_IF_PRESENT)

/* RESERVE and UTMEM_SQE_RESERVED are not here: FEAT_RESERVE is not offered. */
static const struct rule {
	uint8_t uses;
	uint8_t flags;
} rules[UTMEM_OP_NR] = {
	[UTMEM_OP_NOP] = {SERVED, 0},
	[UTMEM_OP_PUT] = {SERVED | POOL | CHANGE | KEY | DATA | VALUE, CONDITIONS},
	[UTMEM_OP_GET] = {SERVED | POOL | KEY | DATA | ARG, 0},
	[UTMEM_OP_DEL] = {SERVED | POOL | CHANGE | KEY, 0},
	[UTMEM_OP_EXISTS] = {SERVED | POOL | KEY, 0},
	[UTMEM_OP_GETDEL] = {SERVED | POOL | CHANGE | KEY | DATA, 0},
	[UTMEM_OP_FLUSH] = {SERVED | POOL | CHANGE, 0},
	[UTMEM_OP_PUT_BEGIN] = {SERVED | POOL | CHANGE | KEY | ARG | STREAM, 0},
	[UTMEM_OP_PUT_PART] = {SERVED | DATA | VALUE | ARG | STREAM, 0},
	[UTMEM_OP_PUT_COMMIT] = {SERVED | STREAM, CONDITIONS},
	[UTMEM_OP_PUT_ABORT] = {SERVED | STREAM, 0},
};

static bool key_is_zero(const struct utmem_sqe *sqe)
{
	static const uint8_t zero[UTMEM_KEY_INLINE];

	return !sqe->key_len && !memcmp(sqe->key, zero, sizeof(zero));
}

/* Is every field that the opcode does not name zero? */
static bool rest_is_zero(const struct utmem_sqe *sqe, unsigned int uses)
{
	uint64_t rest = 0;

	if (!(uses & POOL))
		rest |= sqe->pool;
	if (!(uses & DATA))
		rest |= sqe->len | sqe->data_off;
	if (!(uses & ARG))
		rest |= sqe->arg;
	if (!(uses & STREAM))
		rest |= sqe->stream;
	return !rest && (uses & KEY || key_is_zero(sqe));
}

/* The batch has not got the engine yet, and only the engine knows what is lent. */
static int right_now(const struct queue *q, const struct handle *h, bool change)
{
	int err;

	if (!h->foreign)
		return handle_right(q, h, change);
	engine_lock(q->window->service);
	err = handle_right(q, h, change);
	engine_unlock(q->window->service);
	return err;
}

static int check_pool(struct request *r, const struct queue *q, unsigned int uses)
{
	const struct handle *h;

	if (r->sqe.pool >= UTMEM_POOLS_PER_QUEUE)
		return -EACCES;
	h = &q->handles[r->sqe.pool];
	r->pool = h->pool;
	return right_now(q, h, uses & CHANGE);
}

static int check_data(struct request *r, const struct queue *q, unsigned int uses)
{
	if (uses & VALUE && r->sqe.len > UTMEM_VALUE_MAX)
		return -E2BIG;
	if (!range_inside(r->sqe.data_off, r->sqe.len, q->data_len))
		return -EINVAL;
	r->data = q->data + r->sqe.data_off;
	return 0;
}

static int copy_long_key(struct request *r, const struct queue *q, uint8_t *long_key)
{
	uint32_t resv = 0, i;

	if (r->sqe.key_len > UTMEM_KEY_MAX)
		return -E2BIG;
	for (i = 0; i < sizeof(r->sqe.key_resv) / sizeof(r->sqe.key_resv[0]); i++)
		resv |= r->sqe.key_resv[i];
	if (resv || !range_inside(r->sqe.key_off, r->sqe.key_len, q->data_len))
		return -EINVAL;
	copy_once(long_key, q->data + r->sqe.key_off, r->sqe.key_len);
	r->key.data = long_key;
	return 0;
}

static int check_key(struct request *r, const struct queue *q, uint8_t *long_key)
{
	r->key.len = r->sqe.key_len;
	if (!r->key.len)
		return -EINVAL;
	if (r->key.len > UTMEM_KEY_INLINE)
		return copy_long_key(r, q, long_key);
	r->key.data = r->sqe.key;
	return 0;
}

/* Opcode, flags and the fields that point nowhere. */
static int check_entry(const struct utmem_sqe *sqe, const struct rule *rule)
{
	if (!(rule->uses & SERVED) || sqe->flags & ~rule->flags)
		return -EOPNOTSUPP;
	if (sqe->flags == CONDITIONS || !rest_is_zero(sqe, rule->uses))
		return -EINVAL;
	if (rule->uses & STREAM && sqe->stream >= UTMEM_STREAMS_PER_QUEUE)
		return -EINVAL;
	if (sqe->opcode == UTMEM_OP_PUT_BEGIN && sqe->arg > UTMEM_VALUE_MAX)
		return -E2BIG;
	return 0;
}

int utsvc_request_validate(struct request *r, const struct queue *q, uint8_t *long_key)
{
	const struct rule *rule;
	int err;

	if (r->sqe.opcode >= UTMEM_OP_NR)
		return -EOPNOTSUPP;
	rule = &rules[r->sqe.opcode];
	err = check_entry(&r->sqe, rule);
	if (!err && rule->uses & POOL)
		err = check_pool(r, q, rule->uses);
	if (!err && rule->uses & DATA)
		err = check_data(r, q, rule->uses);
	if (!err && rule->uses & KEY)
		err = check_key(r, q, long_key);
	return err;
}
