// SPDX-License-Identifier: MIT
/*
 * Fills requests. A request is checked here as far as the library can know, so
 * that a caller's mistake has a name before it travels.
 * Called by applications, on the queue's thread.
 */
#include "libutmem/internal.h"

/* user_data stays: some callers set it first. */
static void sqe_fill(struct utmem_sqe *sqe, uint8_t opcode, int pool)
{
	uint64_t user_data = sqe->user_data;

	*sqe = (struct utmem_sqe){.opcode = opcode, .pool = (uint16_t)pool, .user_data = user_data};
}

static int sqe_fail(struct utmem_sqe *sqe, int err)
{
	sqe_fill(sqe, UTMEM_OP_NOP, 0);
	return err;
}

static bool pool_valid(int pool)
{
	return pool >= 0 && pool < (int)UTMEM_POOLS_PER_QUEUE;
}

/* Which request @sqe is, as the ring counts; false: it is not one that waits for submit here. */
static bool sqe_idx(const struct utmem_queue *q, const struct utmem_sqe *sqe, uint32_t *idx)
{
	const struct utmem_ring_end *end = &q->sq.end;
	uint32_t back = (end->own - 1 - (uint32_t)(sqe - q->sq.sqes)) & end->mask;

	*idx = end->own - 1 - back;
	return sqe >= q->sq.sqes && sqe < q->sq.sqes + end->entries &&
	       back < utmem_sq_pending(&q->sq);
}

static int fill_key(struct utmem_queue *q, struct utmem_sqe *sqe, const void *key, size_t len)
{
	uint32_t idx, off;
	int err;

	if (!len || !key)
		return -EINVAL;
	if (len > q->u->limits.max_key_len)
		return -E2BIG;
	if (len <= UTMEM_KEY_INLINE) {
		memcpy(sqe->key, key, len);
	} else {
		if (!sqe_idx(q, sqe, &idx))
			return -EINVAL;
		err = utmem_keys_put(&q->keys, idx, key, (uint32_t)len, &off);
		if (err)
			return err;
		sqe->key_off = off;
	}
	sqe->key_len = (uint16_t)len;
	return 0;
}

/* A value, or the room for one: in this queue's buffers, all of it. */
static int fill_buf(struct utmem_queue *q, struct utmem_sqe *sqe, const void *buf, size_t len)
{
	uintptr_t off = (uintptr_t)buf - (uintptr_t)q->data;

	if (!len)
		return 0;
	if (off >= q->keys.off || len > q->keys.off - off)
		return -EINVAL;
	sqe->data_off = (uint32_t)off;
	sqe->len = (uint32_t)len;
	return 0;
}

/* What most requests are: a pool, a key, perhaps a buffer. The key is last: only it takes room. */
static int fill(struct utmem_queue *q, struct utmem_sqe *sqe, uint8_t opcode, int pool,
		const void *key, size_t key_len, const void *buf, size_t len)
{
	int err;

	if (!pool_valid(pool))
		return sqe_fail(sqe, -EINVAL);
	sqe_fill(sqe, opcode, pool);
	err = fill_buf(q, sqe, buf, len);
	if (!err)
		err = fill_key(q, sqe, key, key_len);
	return err ? sqe_fail(sqe, err) : 0;
}

void utmem_prep_nop(struct utmem_sqe *sqe)
{
	sqe_fill(sqe, UTMEM_OP_NOP, 0);
}

int utmem_prep_put(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		   size_t key_len, const void *buf, size_t len, uint8_t flags)
{
	int err;

	if (len > q->u->limits.max_value_len)
		return sqe_fail(sqe, -E2BIG);
	err = fill(q, sqe, UTMEM_OP_PUT, pool, key, key_len, buf, len);
	if (!err)
		sqe->flags = flags;
	return err;
}

int utmem_prep_get(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		   size_t key_len, void *buf, size_t len, uint64_t offset)
{
	int err = fill(q, sqe, UTMEM_OP_GET, pool, key, key_len, buf, len);

	if (!err)
		sqe->arg = offset;
	return err;
}

int utmem_prep_getdel(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		      size_t key_len, void *buf, size_t len)
{
	return fill(q, sqe, UTMEM_OP_GETDEL, pool, key, key_len, buf, len);
}

int utmem_prep_del(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		   size_t key_len)
{
	return fill(q, sqe, UTMEM_OP_DEL, pool, key, key_len, NULL, 0);
}

int utmem_prep_exists(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		      size_t key_len)
{
	return fill(q, sqe, UTMEM_OP_EXISTS, pool, key, key_len, NULL, 0);
}

int utmem_prep_flush(struct utmem_queue *q, struct utmem_sqe *sqe, int pool)
{
	(void)q;
	if (!pool_valid(pool))
		return sqe_fail(sqe, -EINVAL);
	sqe_fill(sqe, UTMEM_OP_FLUSH, pool);
	return 0;
}

int utmem_prep_reserve(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, uint64_t bytes)
{
	(void)q;
	if (!pool_valid(pool))
		return sqe_fail(sqe, -EINVAL);
	sqe_fill(sqe, UTMEM_OP_RESERVE, pool);
	sqe->arg = bytes;
	return 0;
}

int utmem_prep_put_begin(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
			 size_t key_len, uint64_t total, uint16_t stream)
{
	int err;

	if (stream >= UTMEM_STREAMS_PER_QUEUE)
		return sqe_fail(sqe, -EINVAL);
	if (total > q->u->limits.max_value_len)
		return sqe_fail(sqe, -E2BIG);
	err = fill(q, sqe, UTMEM_OP_PUT_BEGIN, pool, key, key_len, NULL, 0);
	if (err)
		return err;
	sqe->stream = stream;
	sqe->arg = total;
	return 0;
}

static int fill_stream(struct utmem_sqe *sqe, uint8_t opcode, uint16_t stream)
{
	if (stream >= UTMEM_STREAMS_PER_QUEUE)
		return sqe_fail(sqe, -EINVAL);
	sqe_fill(sqe, opcode, 0);
	sqe->stream = stream;
	return 0;
}

int utmem_prep_put_part(struct utmem_queue *q, struct utmem_sqe *sqe, uint16_t stream,
			const void *buf, size_t len, uint64_t offset)
{
	int err = fill_stream(sqe, UTMEM_OP_PUT_PART, stream);

	if (err)
		return err;
	err = fill_buf(q, sqe, buf, len);
	if (err)
		return sqe_fail(sqe, err);
	sqe->arg = offset;
	return 0;
}

int utmem_prep_put_commit(struct utmem_queue *q, struct utmem_sqe *sqe, uint16_t stream,
			  uint8_t flags)
{
	int err = fill_stream(sqe, UTMEM_OP_PUT_COMMIT, stream);

	(void)q;
	if (!err)
		sqe->flags = flags;
	return err;
}

int utmem_prep_put_abort(struct utmem_queue *q, struct utmem_sqe *sqe, uint16_t stream)
{
	(void)q;
	return fill_stream(sqe, UTMEM_OP_PUT_ABORT, stream);
}
