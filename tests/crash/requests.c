// SPDX-License-Identifier: MIT
/* One request, from being made to its answer. Called by client.c, on the client's thread. */
#include <errno.h>
#include <string.h>

#include "tests/crash/client.h"

#define NS 1000000000ll
#define STREAM 3u /* any: a queue has one value in parts at a time */

static void give_up(struct client_queue *q, const char *call, int err)
{
	if (!q->dead)
		journal_failed(call, err);
	q->dead = true;
	run_ring(q->client->run);
}

/* ---- making ---- */

static int entry_pool(const struct client_queue *q, const struct entry *e)
{
	return e->ephemeral ? q->cache : q->store;
}

uint32_t entry_max(const struct entry *e)
{
	uint32_t no = (uint32_t)e->value.key, i;

	for (i = 0; no >= lengths[i].keys; i++)
		no -= lengths[i].keys;
	return lengths[i].max;
}

/* The next place in the order of answers; NULL: there is no room. @len: of its buffer. */
static struct op *op_new(struct client_queue *q, enum kind kind, struct entry *e, uint32_t len,
			 struct utmem_sqe **sqe)
{
	struct op *op = &q->ops[(q->first + q->nr) % DEPTH];
	void *buf = NULL;

	if (q->dead || q->nr == DEPTH)
		return NULL;
	if (len) {
		buf = utmem_buf_alloc(q->q, len);
		if (!buf)
			return NULL;
	}
	*sqe = utmem_get_sqe(q->q);
	if (!*sqe) {
		utmem_buf_free(q->q, buf);
		return NULL;
	}
	*op = (struct op){.kind = kind, .entry = e, .buf = buf, .cap = len};
	q->nr++;
	return op;
}

static void made(struct client_queue *q, const char *call, int err)
{
	if (err)
		give_up(q, call, err);
}

static struct value value_new(struct client_queue *q, struct entry *e)
{
	uint32_t max = entry_max(e);

	return (struct value){
		.key = e->value.key,
		.version = ++e->last_version,
		.len = pick(q->client, 16) ? pick(q->client, max + 1) : max,
	};
}

static uint8_t put_flags(enum put_if cond)
{
	static const uint8_t flags[] = {0, UTMEM_SQE_IF_ABSENT, UTMEM_SQE_IF_PRESENT};

	return flags[cond];
}

bool request_put(struct client_queue *q, struct entry *e, enum put_if cond)
{
	struct value v = value_new(q, e);
	struct utmem_sqe *sqe;
	struct op *op = op_new(q, OP_PUT, e, v.len, &sqe);
	char key[KEY_TEXT_MAX];
	size_t len = value_key(e->value.key, key);

	if (!op)
		return false;
	op->value = v;
	op->cond = cond;
	if (v.len)
		value_fill(&v, 0, op->buf, v.len);
	made(q, "utmem_prep_put",
	     utmem_prep_put(q->q, sqe, entry_pool(q, e), key, len, op->buf, v.len,
			    put_flags(cond)));
	return true;
}

bool request_read(struct client_queue *q, struct entry *e, uint64_t off)
{
	uint32_t max = entry_max(e);
	struct utmem_sqe *sqe;
	struct op *op = op_new(q, OP_GET, e, max < BUF_MAX ? max : BUF_MAX, &sqe);
	char key[KEY_TEXT_MAX];
	size_t len = value_key(e->value.key, key);

	if (!op)
		return false;
	op->off = off;
	made(q, "utmem_prep_get",
	     utmem_prep_get(q->q, sqe, entry_pool(q, e), key, len, op->buf, op->cap, off));
	return true;
}

bool request_simple(struct client_queue *q, struct entry *e, enum kind kind)
{
	uint32_t max = kind == OP_GETDEL ? entry_max(e) : 0;
	struct utmem_sqe *sqe;
	struct op *op = op_new(q, kind, e, max, &sqe);
	int pool = entry_pool(q, e), err;
	char key[KEY_TEXT_MAX];
	size_t len = value_key(e->value.key, key);

	if (!op)
		return false;
	if (kind == OP_GETDEL)
		err = utmem_prep_getdel(q->q, sqe, pool, key, len, op->buf, op->cap);
	else if (kind == OP_DEL)
		err = utmem_prep_del(q->q, sqe, pool, key, len);
	else
		err = utmem_prep_exists(q->q, sqe, pool, key, len);
	made(q, "utmem_prep_*", err);
	return true;
}

/* ---- a value in parts ---- */

static bool parts_begin(struct client_queue *q, struct entry *e)
{
	struct utmem_sqe *sqe;
	struct op *op = op_new(q, OP_BEGIN, e, 0, &sqe);
	struct parts *p = &q->parts;
	char key[KEY_TEXT_MAX];
	size_t len = value_key(e->value.key, key);

	if (!op)
		return false;
	*p = (struct parts){.entry = e, .value = value_new(q, e)};
	made(q, "utmem_prep_put_begin",
	     utmem_prep_put_begin(q->q, sqe, entry_pool(q, e), key, len, p->value.len, STREAM));
	return true;
}

static bool parts_append(struct client_queue *q, struct parts *p)
{
	uint32_t left = p->value.len - p->sent, n = left < BUF_MAX ? left : BUF_MAX;
	struct utmem_sqe *sqe;
	struct op *op = op_new(q, OP_PART, p->entry, n, &sqe);

	if (!op)
		return false;
	value_fill(&p->value, p->sent, op->buf, n);
	made(q, "utmem_prep_put_part", utmem_prep_put_part(q->q, sqe, STREAM, op->buf, n, p->sent));
	p->sent += n;
	return true;
}

static bool parts_end(struct client_queue *q, struct parts *p, enum kind kind)
{
	struct utmem_sqe *sqe;
	struct op *op = op_new(q, kind, p->entry, 0, &sqe);
	int err;

	if (!op)
		return false;
	op->value = p->value;
	err = kind == OP_COMMIT ? utmem_prep_put_commit(q->q, sqe, STREAM, 0)
				: utmem_prep_put_abort(q->q, sqe, STREAM);
	made(q, "utmem_prep_put_*", err);
	p->entry = NULL;
	return true;
}

bool request_parts(struct client_queue *q, struct entry *e)
{
	struct parts *p = &q->parts;

	if (!p->entry)
		return parts_begin(q, e);
	if (p->sent < p->value.len)
		return pick(q->client, 64) ? parts_append(q, p) : parts_end(q, p, OP_ABORT);
	return parts_end(q, p, OP_COMMIT);
}

/* ---- answers ---- */

static void must_be_0(const char *call, int res)
{
	if (res)
		journal_failed(call, res);
}

static void judge(const struct op *op, int res)
{
	switch (op->kind) {
	case OP_PUT:
	case OP_COMMIT:
		journal_put(op->entry, &op->value, op->cond, res);
		break;
	case OP_GET:
		journal_get(op->entry, res, op->off, op->buf, op->cap);
		break;
	case OP_DEL:
		journal_del(op->entry, res);
		break;
	case OP_GETDEL:
		journal_getdel(op->entry, res, op->buf);
		break;
	case OP_EXISTS:
		journal_exists(op->entry, res);
		break;
	case OP_BEGIN:
		must_be_0("PUT_BEGIN", res);
		break;
	case OP_PART:
		must_be_0("PUT_PART", res);
		break;
	case OP_ABORT:
		must_be_0("PUT_ABORT", res);
		break;
	}
}

static void answered(struct client_queue *q)
{
	struct run *r = q->client->run;

	q->first = (q->first + 1) % DEPTH;
	q->nr--;
	if (__atomic_add_fetch(&r->answers, 1, __ATOMIC_SEQ_CST) ==
	    __atomic_load_n(&r->answers_want, __ATOMIC_SEQ_CST))
		run_ring(r);
}

/* Wait for the oldest answer. NULL: it did not come, and that was said. */
static const struct utmem_cqe *next_answer(struct client_queue *q)
{
	const struct utmem_cqe *cqe;
	int err;

	do
		err = utmem_wait_cqe_timeout(q->q, &cqe, DEADLINE_S * NS);
	while (err == -EINTR);
	if (!err)
		return cqe;
	give_up(q, "utmem_wait_cqe", err);
	return NULL;
}

void requests_submit(struct client_queue *q)
{
	int n = q->dead ? 0 : utmem_submit(q->q);

	if (n < 0)
		give_up(q, "utmem_submit", n);
}

void requests_reap(struct client_queue *q, uint32_t left)
{
	const struct utmem_cqe *cqe;
	struct op *op;

	while (!q->dead && q->nr > left) {
		cqe = next_answer(q);
		if (!cqe)
			return;
		op = &q->ops[q->first];
		judge(op, cqe->res);
		utmem_cqe_seen(q->q, cqe);
		utmem_buf_free(q->q, op->buf);
		answered(q);
	}
}

void requests_race(struct client_queue *a, struct client_queue *b, struct entry *e)
{
	struct client_queue *queues[2] = {a, b};
	const void *bufs[2];
	int res[2], i;

	for (i = 0; i < 2; i++)
		if (!request_simple(queues[i], e, OP_GETDEL))
			return;
	for (i = 0; i < 2; i++)
		requests_submit(queues[i]);
	for (i = 0; i < 2; i++) {
		const struct utmem_cqe *cqe = a->dead || b->dead ? NULL : next_answer(queues[i]);

		if (!cqe)
			return;
		res[i] = cqe->res;
		bufs[i] = queues[i]->ops[queues[i]->first].buf;
		utmem_cqe_seen(queues[i]->q, cqe);
	}
	journal_race(e, res, bufs);
	for (i = 0; i < 2; i++) {
		utmem_buf_free(queues[i]->q, queues[i]->ops[queues[i]->first].buf);
		answered(queues[i]);
	}
}
