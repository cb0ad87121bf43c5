// SPDX-License-Identifier: MIT
/*
 * A trusted request becomes a pool operation, and its outcome an answer. Nothing
 * is checked here but what depends on earlier requests: which multi-part PUTs are
 * open, and how far. Called by drain.c, in submission order, draining thread.
 */
#include <errno.h>

#include "host/service/queue.h"
#include "host/service/request.h"
#include "host/service/window.h"

/* A length must fit a completion's s32 beside the errors. */
_Static_assert(UTMEM_VALUE_MAX <= INT32_MAX, "res holds every length");

static struct answer answer(int res)
{
	return (struct answer){.res = res};
}

static struct answer do_nop(const struct request *r, struct queue *q)
{
	(void)r;
	(void)q;
	return answer(0);
}

static enum utmem_put_if put_condition(const struct request *r)
{
	if (r->sqe.flags & UTMEM_SQE_IF_ABSENT)
		return UTMEM_PUT_IF_ABSENT;
	if (r->sqe.flags & UTMEM_SQE_IF_PRESENT)
		return UTMEM_PUT_IF_PRESENT;
	return UTMEM_PUT_ALWAYS;
}

static struct answer do_put(const struct request *r, struct queue *q)
{
	int err = utmem_ops(r->pool)->put(r->pool, &r->key, r->data, r->sqe.len, put_condition(r));

	if (!err)
		q->window->counters.value_bytes_in += r->sqe.len;
	return answer(err);
}

/* What a read answers: bytes from @off to the value's end, of which up to @len were copied. */
static struct answer read_answer(const struct utmem_get_result *got, uint64_t off, uint32_t len)
{
	uint64_t rest = off < got->value_len ? got->value_len - off : 0;

	return (struct answer){
		.res = (int32_t)rest,
		.flags =
			got->version << UTMEM_CQE_VERSION_SHIFT | (rest > len ? UTMEM_CQE_MORE : 0),
	};
}

static struct answer do_get(const struct request *r, struct queue *q)
{
	struct utmem_get_result got;
	struct answer a;
	int err;

	err = utmem_ops(r->pool)->get(r->pool, &r->key, r->sqe.arg, r->data, r->sqe.len, &got);
	if (err)
		return answer(err);
	a = read_answer(&got, r->sqe.arg, r->sqe.len);
	q->window->counters.value_bytes_out +=
		(uint32_t)a.res < r->sqe.len ? (uint32_t)a.res : r->sqe.len;
	return a;
}

static struct answer do_del(const struct request *r, struct queue *q)
{
	(void)q;
	return answer(utmem_ops(r->pool)->del(r->pool, &r->key));
}

static struct answer do_flush(const struct request *r, struct queue *q)
{
	(void)q;
	return answer(utmem_ops(r->pool)->flush(r->pool));
}

static struct answer do_exists(const struct request *r, struct queue *q)
{
	struct utmem_get_result got;
	int err = utmem_ops(r->pool)->get(r->pool, &r->key, 0, NULL, 0, &got);

	(void)q;
	if (err)
		return answer(err);
	return (struct answer){
		.res = (int32_t)got.value_len,
		.flags = got.version << UTMEM_CQE_VERSION_SHIFT,
	};
}

static struct answer do_getdel(const struct request *r, struct queue *q)
{
	struct utmem_get_result got;
	int err = utmem_ops(r->pool)->get(r->pool, &r->key, 0, r->data, r->sqe.len, &got);

	if (!err && got.value_len > r->sqe.len)
		err = -E2BIG;
	if (!err)
		err = utmem_ops(r->pool)->del(r->pool, &r->key);
	if (err)
		return answer(err);
	q->window->counters.value_bytes_out += got.value_len;
	return answer((int32_t)got.value_len);
}

static struct answer do_begin(const struct request *r, struct queue *q)
{
	struct stream *st = &q->streams[r->sqe.stream];
	int err;

	if (st->stream)
		return answer(-EBUSY);
	err = utmem_ops(r->pool)->stream_begin(r->pool, &r->key, r->sqe.arg, &st->stream);
	if (err) {
		st->stream = NULL;
		return answer(err);
	}
	st->total = r->sqe.arg;
	st->done = 0;
	st->handle = r->sqe.pool;
	return answer(0);
}

static struct answer do_part(const struct request *r, struct queue *q)
{
	struct stream *st = &q->streams[r->sqe.stream];
	int err;

	if (!st->stream || r->sqe.arg != st->done || !range_inside(st->done, r->sqe.len, st->total))
		return answer(-EINVAL);
	err = utmem_ops(st->stream)->stream_append(st->stream, r->data, r->sqe.len);
	if (err)
		return answer(err);
	st->done += r->sqe.len;
	q->window->counters.value_bytes_in += r->sqe.len;
	return answer(0);
}

/* A commit that fails leaves the stream open: the submitter aborts it, or commits otherwise. */
static struct answer do_commit(const struct request *r, struct queue *q)
{
	struct stream *st = &q->streams[r->sqe.stream];
	int err;

	if (!st->stream || st->done != st->total)
		return answer(-EINVAL);
	err = utmem_ops(st->stream)->stream_commit(st->stream, put_condition(r));
	if (!err)
		st->stream = NULL;
	return answer(err);
}

static struct answer do_abort(const struct request *r, struct queue *q)
{
	struct stream *st = &q->streams[r->sqe.stream];

	if (!st->stream)
		return answer(-EINVAL);
	utsvc_stream_close(st);
	return answer(0);
}

/* Only what utsvc_request_validate() lets through is ever called. */
static struct answer (*const actions[UTMEM_OP_NR])(const struct request *r, struct queue *q) = {
	[UTMEM_OP_NOP] = do_nop,	 [UTMEM_OP_PUT] = do_put,
	[UTMEM_OP_GET] = do_get,	 [UTMEM_OP_DEL] = do_del,
	[UTMEM_OP_EXISTS] = do_exists,	 [UTMEM_OP_GETDEL] = do_getdel,
	[UTMEM_OP_FLUSH] = do_flush,	 [UTMEM_OP_PUT_BEGIN] = do_begin,
	[UTMEM_OP_PUT_PART] = do_part,	 [UTMEM_OP_PUT_COMMIT] = do_commit,
	[UTMEM_OP_PUT_ABORT] = do_abort,
};

struct answer utsvc_request_dispatch(const struct request *r, struct queue *q)
{
	return actions[r->sqe.opcode](r, q);
}
