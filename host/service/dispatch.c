// SPDX-License-Identifier: MIT
/*
 * A trusted request becomes a pool operation, and its outcome an answer. Nothing
 * is checked here but what depends on earlier requests: which multi-part PUTs are
 * open, and how far. do_*() decides; what could be seen to happen twice is then written down as pending,
 * and act_*() does it, now and (after a death) again. Called by drain.c, in submission order, draining thread.
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

/* What the condition in @r's flags says when @found is what the engine said of the key. */
static int condition(const struct request *r, int found)
{
	if (found && found != -ENOENT)
		return found;
	if (r->sqe.flags & UTMEM_SQE_IF_ABSENT)
		return found ? 0 : -EEXIST;
	return found;
}

static void pending(const struct request *r, struct queue *q, uint32_t res)
{
	utsvc_ledger_pending(q->ledger, &r->sqe, r->key.data, (int32_t)res);
}

static struct answer act_put(const struct request *r, struct queue *q)
{
	int err = utmem_ops(r->pool)->put(r->pool, &r->key, r->data, r->sqe.len, UTMEM_PUT_ALWAYS);

	UTMEM_FAIL_POINT("service_put_acted");
	if (!err)
		q->window->counters.value_bytes_in += r->sqe.len;
	return answer(err);
}

/* A condition is decided once: after the PUT has acted the key says nothing about it any more. */
static struct answer do_put(const struct request *r, struct queue *q)
{
	int err;

	if (!r->sqe.flags)
		return act_put(r, q);
	err = condition(r, utmem_ops(r->pool)->find(r->pool, &r->key));
	if (err)
		return answer(err);
	pending(r, q, 0);
	return act_put(r, q);
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

/* Of DEL and GETDEL: what is not there any more was removed by this very request. */
static struct answer act_del(const struct request *r, struct queue *q)
{
	int err = utmem_ops(r->pool)->del(r->pool, &r->key);

	UTMEM_FAIL_POINT("service_del_acted");
	return answer(err && err != -ENOENT ? err : q->ledger->pending.res);
}

static struct answer do_del(const struct request *r, struct queue *q)
{
	int err = utmem_ops(r->pool)->find(r->pool, &r->key);

	if (err)
		return answer(err);
	pending(r, q, 0);
	return act_del(r, q);
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

/* The value lies in the data area before it is written down that it may go. */
static struct answer do_getdel(const struct request *r, struct queue *q)
{
	struct utmem_get_result got;
	int err = utmem_ops(r->pool)->get(r->pool, &r->key, 0, r->data, r->sqe.len, &got);

	if (!err && got.value_len > r->sqe.len)
		err = -E2BIG;
	if (err)
		return answer(err);
	pending(r, q, (uint32_t)got.value_len);
	q->window->counters.value_bytes_out += got.value_len;
	return act_del(r, q);
}

/* A stream that the ledger does not know when we die is aborted by the engine, and begun again. */
static struct answer do_begin(const struct request *r, struct queue *q)
{
	struct utmem_stream **s = &q->streams[r->sqe.stream];
	int err;

	if (ledger_stream_is_open(q->ledger, r->sqe.stream))
		return answer(-EBUSY);
	err = utmem_ops(r->pool)->stream_begin(r->pool, &r->key, r->sqe.arg, s);
	UTMEM_FAIL_POINT("service_begin_acted");
	if (err) {
		*s = NULL;
		return answer(err);
	}
	utsvc_ledger_stream_begin(q->ledger, &r->sqe, utmem_ops(*s)->stream_id(*s));
	return answer(0);
}

static struct answer do_part(const struct request *r, struct queue *q)
{
	uint16_t id = r->sqe.stream;
	struct utmem_stream *s = q->streams[id];
	uint32_t filled = ledger_stream_filled(q->ledger, id);
	int err;

	if (!ledger_stream_is_open(q->ledger, id) || r->sqe.arg != filled ||
	    !range_inside(filled, r->sqe.len, q->ledger->streams[id].total))
		return answer(-EINVAL);
	err = utsvc_stream_right(q, id);
	if (err)
		return answer(err);
	err = utmem_ops(s)->stream_append(s, r->data, r->sqe.len);
	UTMEM_FAIL_POINT("service_part_acted");
	if (err)
		return answer(err);
	utsvc_ledger_stream_part(q->ledger, id, r->sqe.len);
	q->window->counters.value_bytes_in += r->sqe.len;
	return answer(0);
}

/* The stream ends with the request that is being executed, or goes on. */
static void stream_ends(struct queue *q, uint16_t id, bool ends)
{
	if (ends)
		q->streams[id] = NULL;
	utmem_store_release(&q->ledger->streams[id].ended, ends ? q->ledger->done : LEDGER_NONE);
}

/* A stream that is gone when it is done again had been committed. */
static struct answer act_commit(const struct request *r, struct queue *q)
{
	struct utmem_stream *s = q->streams[r->sqe.stream];
	int err = s ? utmem_ops(s)->stream_commit(s, UTMEM_PUT_ALWAYS) : 0;

	UTMEM_FAIL_POINT("service_commit_acted");
	stream_ends(q, r->sqe.stream, !err);
	return answer(err);
}

/* A commit that fails leaves the stream open: the submitter aborts it, or commits otherwise. */
static struct answer do_commit(const struct request *r, struct queue *q)
{
	uint16_t id = r->sqe.stream;
	struct utmem_stream *s = q->streams[id];
	int err;

	if (!ledger_stream_is_open(q->ledger, id) ||
	    ledger_stream_filled(q->ledger, id) != q->ledger->streams[id].total)
		return answer(-EINVAL);
	err = utsvc_stream_right(q, id);
	if (err)
		return answer(err);
	err = r->sqe.flags ? condition(r, utmem_ops(s)->stream_find_key(s)) : 0;
	if (err)
		return answer(err);
	pending(r, q, 0);
	return act_commit(r, q);
}

static struct answer act_abort(const struct request *r, struct queue *q)
{
	struct utmem_stream *s = q->streams[r->sqe.stream];

	if (s)
		utmem_ops(s)->stream_abort(s);
	UTMEM_FAIL_POINT("service_abort_acted");
	stream_ends(q, r->sqe.stream, true);
	return answer(0);
}

static struct answer do_abort(const struct request *r, struct queue *q)
{
	if (!ledger_stream_is_open(q->ledger, r->sqe.stream))
		return answer(-EINVAL);
	pending(r, q, 0);
	return act_abort(r, q);
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

/* What a pending request does. The others are the same when they are done twice in a row, and nobody comes between. */
static struct answer (*const acts[UTMEM_OP_NR])(const struct request *r, struct queue *q) = {
	[UTMEM_OP_PUT] = act_put,	  [UTMEM_OP_DEL] = act_del,
	[UTMEM_OP_GETDEL] = act_del,	  [UTMEM_OP_PUT_COMMIT] = act_commit,
	[UTMEM_OP_PUT_ABORT] = act_abort,
};

struct answer utsvc_request_redo(const struct request *r, struct queue *q)
{
	return acts[r->sqe.opcode](r, q);
}
