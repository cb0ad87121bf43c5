// SPDX-License-Identifier: MIT
/*
 * The state machine of one key's request, and its buffer in the data area.
 * Called by batch.c, on Redis' main thread.
 */
#include <errno.h>
#include <string.h>

#include <redismodule.h>
#include "redis-module/request.h"

void request_start(struct request *r, const struct lane *lane)
{
	r->step = STEP_ONCE;
	if (r->kind == REQUEST_PUT && r->len > lane->part_len)
		r->step = STEP_BEGIN;
}

static void release_buf(struct request *r, struct lane *lane)
{
	if (r->held)
		TAILQ_REMOVE(&lane->held, r, link);
	r->held = false;
	utmem_buf_free(lane->q, r->buf);
	r->buf = NULL;
}

void request_exit(struct request *r, struct lane *lane)
{
	if (r->buf)
		release_buf(r, lane);
	RedisModule_Free(r->mem);
	r->mem = NULL;
}

void request_spill(struct lane *lane, struct request *r)
{
	r->mem = RedisModule_Alloc(r->len);
	memcpy(r->mem, r->buf, r->len);
	release_buf(r, lane);
}

const char *request_value(const struct request *r)
{
	if (r->mem)
		return r->mem;
	return r->buf ? r->buf : "";
}

/* How many bytes the next entry carries. */
static size_t next_len(const struct request *r, const struct lane *lane)
{
	uint64_t rest = r->len - r->done;

	if (r->kind == REQUEST_GET && r->step == STEP_ONCE)
		return lane->guess;
	if (r->kind != REQUEST_PUT && r->kind != REQUEST_GET)
		return 0;
	if (r->step != STEP_ONCE && r->step != STEP_PART)
		return 0;
	return rest < lane->part_len ? (size_t)rest : lane->part_len;
}

static int prep_put(struct request *r, struct lane *lane, struct utmem_sqe *sqe)
{
	struct utmem_queue *q = lane->q;

	switch (r->step) {
	case STEP_BEGIN:
		return utmem_prep_put_begin(q, sqe, lane->pool, r->key, r->key_len, r->len,
					    r->stream);
	case STEP_PART:
		lane->nr_parts++;
		return utmem_prep_put_part(q, sqe, r->stream, r->buf, r->buf_len, r->done);
	case STEP_COMMIT:
		return utmem_prep_put_commit(q, sqe, r->stream, r->flags);
	case STEP_ABORT:
		return utmem_prep_put_abort(q, sqe, r->stream);
	default:
		return utmem_prep_put(q, sqe, lane->pool, r->key, r->key_len, r->buf, r->buf_len,
				      r->flags);
	}
}

static int prep(struct request *r, struct lane *lane, struct utmem_sqe *sqe)
{
	struct utmem_queue *q = lane->q;

	switch (r->kind) {
	case REQUEST_PUT:
		return prep_put(r, lane, sqe);
	case REQUEST_GET:
		lane->nr_parts += r->step == STEP_PART;
		return utmem_prep_get(q, sqe, lane->pool, r->key, r->key_len, r->buf, r->buf_len,
				      r->done);
	case REQUEST_DEL:
		return utmem_prep_del(q, sqe, lane->pool, r->key, r->key_len);
	case REQUEST_EXISTS:
		return utmem_prep_exists(q, sqe, lane->pool, r->key, r->key_len);
	default:
		return utmem_prep_flush(q, sqe, lane->pool);
	}
}

/* The buffer for the next entry, filled for a PUT. */
static int reserve_buf(struct request *r, struct lane *lane)
{
	size_t len = next_len(r, lane);

	r->buf_len = len;
	if (!len)
		return 0;
	r->buf = lane_buf_alloc(lane, len);
	if (!r->buf)
		return -EAGAIN;
	if (r->kind == REQUEST_PUT)
		memcpy(r->buf, r->value + r->done, len);
	return 0;
}

int request_prepare(struct request *r, struct lane *lane)
{
	struct utmem_sqe *sqe;
	int stream = -1;

	if (!utmem_sq_space_left(lane->q))
		return -EAGAIN;
	if (r->step == STEP_BEGIN) {
		stream = lane_stream_open(lane);
		if (stream < 0)
			return stream;
		r->stream = (uint16_t)stream;
	}
	if (reserve_buf(r, lane))
		goto close_stream;
	sqe = utmem_get_sqe(lane->q);
	if (!sqe)
		goto free_buf;
	r->prep_err = prep(r, lane, sqe);
	utmem_sqe_set_data(sqe, r);
	lane->nr_prepared++;
	return 0;

free_buf:
	release_buf(r, lane);
close_stream:
	if (stream >= 0)
		lane_stream_close(lane, (unsigned int)stream);
	return -EAGAIN;
}

/* The stream is open, and something went wrong: close it, then say what. */
static bool put_abort(struct request *r, int err)
{
	r->err = err;
	r->step = STEP_ABORT;
	return false;
}

static bool digest_put(struct request *r, struct lane *lane, int res)
{
	if (r->buf)
		release_buf(r, lane);
	switch (r->step) {
	case STEP_BEGIN:
		if (res < 0)
			break;
		r->step = STEP_PART;
		return false;
	case STEP_PART:
		if (res < 0)
			return put_abort(r, res);
		r->done += r->buf_len;
		if (r->done == r->len)
			r->step = STEP_COMMIT;
		return false;
	case STEP_COMMIT:
		if (res < 0)
			return put_abort(r, res);
		break;
	case STEP_ABORT:
		res = r->err;
		break;
	default:
		r->err = res < 0 ? res : 0;
		return true;
	}
	r->err = res < 0 ? res : 0;
	lane_stream_close(lane, r->stream);
	return true;
}

static bool get_fail(struct request *r, struct lane *lane, int err)
{
	r->err = err;
	request_exit(r, lane);
	return true;
}

/* Another value stands there now than the one whose beginning we have. */
static bool get_restart(struct request *r, struct lane *lane)
{
	if (++r->nr_restarts > REQUEST_RESTARTS_MAX)
		return get_fail(r, lane, -EAGAIN);
	lane->nr_restarts++;
	request_exit(r, lane);
	r->done = 0;
	r->len = 0;
	r->step = STEP_ONCE;
	return false;
}

/* The first answer: the whole value, or its length and its beginning. */
static bool digest_get_first(struct request *r, struct lane *lane, uint64_t len, uint32_t version)
{
	if (len > lane->max_value_len)
		return get_fail(r, lane, -EPROTO);
	lane_guess_update(lane, len);
	r->len = len;
	r->version = version;
	if (len <= r->buf_len) {
		TAILQ_INSERT_TAIL(&lane->held, r, link);
		r->held = true;
		return true;
	}
	r->mem = RedisModule_TryAlloc(len);
	if (!r->mem)
		return get_fail(r, lane, -ENOMEM);
	memcpy(r->mem, r->buf, r->buf_len);
	r->done = r->buf_len;
	release_buf(r, lane);
	r->step = STEP_PART;
	lane->nr_regets++;
	return false;
}

static bool digest_get_part(struct request *r, struct lane *lane, uint64_t rest, uint32_t version)
{
	if (version != r->version || rest != r->len - r->done)
		return get_restart(r, lane);
	memcpy(r->mem + r->done, r->buf, r->buf_len);
	r->done += r->buf_len;
	release_buf(r, lane);
	return r->done == r->len;
}

static bool digest_get(struct request *r, struct lane *lane, const struct utmem_cqe *cqe)
{
	uint32_t version = utmem_cqe_version(cqe);

	if (cqe->res < 0)
		return get_fail(r, lane, cqe->res);
	if (r->step == STEP_ONCE)
		return digest_get_first(r, lane, (uint64_t)cqe->res, version);
	return digest_get_part(r, lane, (uint64_t)cqe->res, version);
}

bool request_digest(struct request *r, struct lane *lane, const struct utmem_cqe *cqe)
{
	struct utmem_cqe own = *cqe; /* the host may write on it meanwhile: look once */

	if (r->prep_err)
		own.res = r->prep_err;
	switch (r->kind) {
	case REQUEST_PUT:
		return digest_put(r, lane, own.res);
	case REQUEST_GET:
		return digest_get(r, lane, &own);
	default:
		r->err = own.res < 0 ? own.res : 0;
		r->len = own.res > 0 ? (uint64_t)own.res : 0;
		return true;
	}
}
