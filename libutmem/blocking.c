// SPDX-License-Identifier: MIT
/*
 * Blocking calls: the asynchronous ones and a wait, with buffers of their own in
 * the data area for values that lie anywhere. A value too long for one buffer goes
 * in parts, two of them in flight: one is copied here while the host copies the
 * other. Called by applications, on the queue's thread.
 *
 * A signal does not end a wait in here: the host may be writing into our buffers.
 */
#include "libutmem/internal.h"

#define PART_MAX ((size_t)1 << 20) /* longer parts only leave the caches */
#define PARTS 2			   /* in flight */
#define RESTARTS_MAX 16		   /* of a get whose value changes while it is read in parts */
#define SLOT_WAIT_NS 100000
/* The last one, so that callers' own multi-part PUTs may count from 0. */
#define STREAM ((uint16_t)(UTMEM_STREAMS_PER_QUEUE - 1))

/* One blocking call. Requests complete in order, so two counts say which ones have. */
struct call {
	struct utmem_queue *q;
	int pool;
	const void *key;
	size_t key_len;
	char *buf[PARTS];
	unsigned int nr_bufs;
	size_t part_len;
	uint32_t nr_sent, nr_done;
	struct utmem_cqe cqe; /* the latest completion */
};

static int call_init(struct call *c, struct utmem_queue *q, int pool, const void *key,
		     size_t key_len)
{
	*c = (struct call){.q = q, .pool = pool, .key = key, .key_len = key_len};
	return utmem_inflight(q) ? -EBUSY : q->error;
}

static void call_exit(struct call *c)
{
	while (c->nr_bufs)
		utmem_buf_free(c->q, c->buf[--c->nr_bufs]);
}

/* One buffer of @len bytes, or as much as there is in one piece. -ENOMEM: callers' buffers leave nothing. */
static int call_buf(struct call *c, size_t len)
{
	while (!(c->buf[0] = utmem_buf_alloc(c->q, len))) {
		if (len <= UTMEM_BUF_UNIT)
			return -ENOMEM;
		len /= 2;
	}
	c->nr_bufs = 1;
	c->part_len = len;
	return 0;
}

/* Buffers for parts of a value of @len bytes: two equal ones, if there is room for two. */
static int call_bufs(struct call *c, size_t len)
{
	size_t most = utmem_buf_max(c->q) / PARTS & ~(size_t)(UTMEM_BUF_UNIT - 1);
	int err;

	if (most > PART_MAX)
		most = PART_MAX;
	err = call_buf(c, len < most ? len : most);
	if (err || len <= c->part_len)
		return err;
	c->buf[1] = utmem_buf_alloc(c->q, c->part_len);
	c->nr_bufs += c->buf[1] != NULL;
	return 0;
}

static uint32_t call_inflight(const struct call *c)
{
	return c->nr_sent - c->nr_done;
}

/*
 * The host completes a request a moment before it gives back its slot, so a short
 * ring may look full. Nothing wakes us for that: wait for a completion that cannot
 * come, which also tells when the host is gone.
 */
static int call_sqe(struct call *c, struct utmem_sqe **sqe)
{
	int err;

	while (!(*sqe = utmem_get_sqe(c->q))) {
		err = utmem_queue_wait(c->q, utmem_queue_published(c->q) + 1, SLOT_WAIT_NS);
		if (err != -ETIME && err != -EINTR)
			return err ? err : -EPROTO;
	}
	return 0;
}

static int call_flush(struct call *c)
{
	int rc = utmem_flush(c->q);

	c->nr_sent += rc > 0 ? (uint32_t)rc : 0;
	return rc < 0 ? rc : 0;
}

/* Hand over the one request that has been prepared. */
static int call_send(struct call *c, int prep_err)
{
	int err = call_flush(c);

	return err ? err : prep_err;
}

/* Wait for the next completion. Return: 0 and c->cqe is it, or why there is none. */
static int call_reap(struct call *c)
{
	const struct utmem_cqe *cqe;
	int err;

	do
		err = utmem_wait_cqe(c->q, &cqe);
	while (err == -EINTR);
	if (err)
		return err;
	/* The host could still write there: look at a copy. */
	c->cqe = *(const volatile struct utmem_cqe *)cqe;
	utmem_cqe_seen(c->q, cqe);
	c->nr_done++;
	/* Callers take a result for a length. */
	if (c->cqe.res > 0 && (uint64_t)c->cqe.res > c->q->u->limits.max_value_len)
		return utmem_queue_end(c->q, -EPROTO);
	return 0;
}

/* Nothing may write into our buffers any more. Return: 0, or the first thing that went wrong. */
static int call_drain(struct call *c)
{
	int err, first = 0;

	while (call_inflight(c)) {
		err = call_reap(c);
		if (err)
			return err;
		if (!first && c->cqe.res < 0)
			first = c->cqe.res;
	}
	return first;
}

/* Run the one request that has been prepared. Return: its result, or -errno. */
static int call_run(struct call *c, int prep_err)
{
	int err = call_flush(c);

	if (!err)
		err = call_reap(c);
	if (err)
		return err;
	return prep_err ? prep_err : c->cqe.res;
}

/* ---- put ---- */

static int put_whole(struct call *c, const void *value, size_t len, uint8_t flags)
{
	struct utmem_sqe *sqe;
	int err = call_sqe(c, &sqe);

	if (err)
		return err;
	if (len)
		memcpy(c->buf[0], value, len);
	err = utmem_prep_put(c->q, sqe, c->pool, c->key, c->key_len, c->buf[0], len, flags);
	return call_run(c, err);
}

static int put_begin(struct call *c, size_t len, uint8_t flags)
{
	struct utmem_sqe *sqe;
	int err = call_sqe(c, &sqe);

	if (err)
		return err;
	err = utmem_prep_put_begin(c->q, sqe, c->pool, c->key, c->key_len, len, STREAM);
	if (!err)
		sqe->flags = flags & UTMEM_SQE_RESERVED;
	return call_run(c, err);
}

static int put_part(struct call *c, unsigned int i, const char *part, size_t len, uint64_t off)
{
	struct utmem_sqe *sqe;
	int err = call_sqe(c, &sqe);

	if (err)
		return err;
	memcpy(c->buf[i % c->nr_bufs], part, len);
	err = utmem_prep_put_part(c->q, sqe, STREAM, c->buf[i % c->nr_bufs], len, off);
	return call_send(c, err);
}

/* A part's buffer is free again when the part nr_bufs before it has completed. */
static int put_parts(struct call *c, const char *value, size_t len)
{
	size_t off, n;
	int err = 0, rest;

	for (off = 0; off < len && !err; off += n) {
		n = len - off < c->part_len ? len - off : c->part_len;
		if (call_inflight(c) == c->nr_bufs) {
			err = call_reap(c);
			if (!err && c->cqe.res < 0)
				err = c->cqe.res;
		}
		if (!err)
			err = put_part(c, (unsigned int)(off / c->part_len), value + off, n, off);
	}
	rest = call_drain(c);
	return err ? err : rest;
}

static int put_commit(struct call *c, uint8_t flags)
{
	struct utmem_sqe *sqe;
	int err = call_sqe(c, &sqe);

	if (err)
		return err;
	err = utmem_prep_put_commit(c->q, sqe, STREAM, flags & (uint8_t)~UTMEM_SQE_RESERVED);
	return call_run(c, err);
}

static void put_abort(struct call *c)
{
	struct utmem_sqe *sqe;

	if (call_sqe(c, &sqe) == 0)
		call_run(c, utmem_prep_put_abort(c->q, sqe, STREAM));
}

static int put_long(struct call *c, const void *value, size_t len, uint8_t flags)
{
	int err = put_begin(c, len, flags);

	if (err < 0)
		return err;
	err = put_parts(c, value, len);
	if (!err)
		err = put_commit(c, flags);
	if (err < 0)
		put_abort(c);
	return err;
}

int utmem_put(struct utmem_queue *q, int pool, const void *key, size_t key_len, const void *value,
	      size_t len, uint8_t flags)
{
	struct call c;
	int rc = call_init(&c, q, pool, key, key_len);

	if (rc)
		return rc;
	if (len > q->u->limits.max_value_len)
		return -E2BIG;
	c.buf[0] = utmem_buf_alloc(q, len);
	c.nr_bufs = c.buf[0] != NULL;
	if (c.nr_bufs) {
		rc = put_whole(&c, value, len, flags);
	} else {
		rc = call_bufs(&c, len);
		if (!rc)
			rc = put_long(&c, value, len, flags);
	}
	call_exit(&c);
	return rc < 0 ? rc : 0;
}

/* ---- get ---- */

/* A get of a value in parts: which one, and how far. */
struct parts {
	char *out;
	uint64_t want;	/* bytes to copy */
	uint64_t total; /* of the whole value */
	uint64_t sent, got;
	uint32_t version;
};

static size_t part_at(const struct call *c, const struct parts *p, uint64_t off)
{
	return p->want - off < c->part_len ? (size_t)(p->want - off) : c->part_len;
}

/* Parts begin at multiples of part_len, so the offset says which buffer. */
static char *buf_at(const struct call *c, uint64_t off)
{
	return c->buf[off / c->part_len % c->nr_bufs];
}

static int get_send(struct call *c, struct parts *p)
{
	size_t len = part_at(c, p, p->sent);
	struct utmem_sqe *sqe;
	int err = call_sqe(c, &sqe);

	if (err)
		return err;
	err = utmem_prep_get(c->q, sqe, c->pool, c->key, c->key_len, buf_at(c, p->sent), len,
			     p->sent);
	p->sent += len;
	return call_send(c, err);
}

/* -EAGAIN: this part is of another value than the first one was. */
static int get_take(struct call *c, struct parts *p)
{
	size_t len = part_at(c, p, p->got);
	int err = call_reap(c);

	if (err)
		return err;
	if (c->cqe.res < 0)
		return c->cqe.res == -ENOENT ? -EAGAIN : c->cqe.res;
	if (utmem_cqe_version(&c->cqe) != p->version || (uint64_t)c->cqe.res != p->total - p->got)
		return -EAGAIN;
	memcpy(p->out + p->got, buf_at(c, p->got), len);
	p->got += len;
	return 0;
}

/* The rest of a value whose first part is there: send ahead while there are buffers. */
static int get_rest(struct call *c, struct parts *p)
{
	int err = 0;

	while (!err && p->got < p->want) {
		while (!err && p->sent < p->want && call_inflight(c) < c->nr_bufs)
			err = get_send(c, p);
		if (!err)
			err = get_take(c, p);
	}
	call_drain(c);
	return err;
}

/* The first part tells length and version. Return: length of the value, or -errno. */
static ssize_t get_first(struct call *c, struct parts *p, void *buf, size_t len)
{
	size_t part = len < c->part_len ? len : c->part_len;
	struct utmem_sqe *sqe;
	int rc = call_sqe(c, &sqe);

	if (rc)
		return rc;
	rc = utmem_prep_get(c->q, sqe, c->pool, c->key, c->key_len, c->buf[0], part, 0);
	rc = call_run(c, rc);
	if (rc < 0)
		return rc;
	*p = (struct parts){.out = buf,
			    .want = (size_t)rc < len ? (size_t)rc : len,
			    .total = (uint64_t)rc,
			    .version = utmem_cqe_version(&c->cqe)};
	p->got = p->sent = p->want < part ? p->want : part;
	if (p->got)
		memcpy(buf, c->buf[0], p->got);
	return rc;
}

static ssize_t get(struct call *c, void *buf, size_t len)
{
	struct parts p = {.out = buf};
	ssize_t total;
	int err;

	for (int i = 0; i < RESTARTS_MAX; i++) {
		total = get_first(c, &p, buf, len);
		if (total < 0)
			return total;
		err = get_rest(c, &p);
		if (err != -EAGAIN)
			return err ? err : total;
	}
	return -EAGAIN;
}

ssize_t utmem_get(struct utmem_queue *q, int pool, const void *key, size_t key_len, void *buf,
		  size_t len)
{
	struct call c;
	ssize_t rc = call_init(&c, q, pool, key, key_len);

	if (rc)
		return rc;
	rc = call_bufs(&c, len);
	if (!rc)
		rc = get(&c, buf, len);
	call_exit(&c);
	return rc;
}

/* One request, and therefore one buffer: in parts, somebody could put between the last part and the delete. */
ssize_t utmem_getdel(struct utmem_queue *q, int pool, const void *key, size_t key_len, void *buf,
		     size_t len)
{
	size_t most = utmem_buf_max(q);
	struct utmem_sqe *sqe;
	struct call c;
	ssize_t rc = call_init(&c, q, pool, key, key_len);

	if (rc)
		return rc;
	rc = call_buf(&c, len < most ? len : most);
	if (rc)
		return rc;
	rc = call_sqe(&c, &sqe);
	if (!rc) {
		len = len < c.part_len ? len : c.part_len;
		rc = utmem_prep_getdel(q, sqe, pool, key, key_len, c.buf[0], len);
		rc = call_run(&c, (int)rc);
	}
	if (rc > 0)
		memcpy(buf, c.buf[0], (size_t)rc < len ? (size_t)rc : len);
	call_exit(&c);
	return rc;
}

/* ---- requests without a value ---- */

typedef int prep_key_fn(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
			size_t key_len);

static int run_key(struct utmem_queue *q, int pool, const void *key, size_t key_len,
		   prep_key_fn *prep)
{
	struct utmem_sqe *sqe;
	struct call c;
	int rc = call_init(&c, q, pool, key, key_len);

	if (!rc)
		rc = call_sqe(&c, &sqe);
	return rc ? rc : call_run(&c, prep(q, sqe, pool, key, key_len));
}

int utmem_del(struct utmem_queue *q, int pool, const void *key, size_t key_len)
{
	int rc = run_key(q, pool, key, key_len, utmem_prep_del);

	return rc < 0 ? rc : 0;
}

ssize_t utmem_exists(struct utmem_queue *q, int pool, const void *key, size_t key_len)
{
	return run_key(q, pool, key, key_len, utmem_prep_exists);
}

static int prep_flush(struct utmem_queue *q, struct utmem_sqe *sqe, int pool, const void *key,
		      size_t key_len)
{
	(void)key;
	(void)key_len;
	return utmem_prep_flush(q, sqe, pool);
}

int utmem_pool_flush(struct utmem_queue *q, int pool)
{
	int rc = run_key(q, pool, NULL, 0, prep_flush);

	return rc < 0 ? rc : 0;
}
