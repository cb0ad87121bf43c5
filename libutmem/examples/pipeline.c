// SPDX-License-Identifier: MIT
/*
 * Many requests in flight: puts go out in batches with one doorbell each, and
 * completions are reaped as they come, so that ring and data area never run dry.
 * Then all values are read back the same way and compared.
 *
 * Usage: pipeline [TRANSPORT [COUNT]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utmem.h>

#define VALUE_LEN 1000
#define BATCH 32

struct pipeline {
	struct utmem_queue *q;
	int pool;
	bool reading;
	uint32_t count, sent, done, wrong;
};

/* What lies in flight: user_data points here until the completion. */
struct item {
	uint32_t nr;
	char *buf;
};

static void value_fill(char *buf, uint32_t nr)
{
	for (size_t i = 0; i < VALUE_LEN; i++)
		buf[i] = (char)(nr * 31 + i * 7);
}

static bool value_check(const char *buf, uint32_t nr)
{
	char want[VALUE_LEN];

	value_fill(want, nr);
	return memcmp(buf, want, VALUE_LEN) == 0;
}

/* Prepare the next request. false: no room, submit and reap first. */
static bool send_one(struct pipeline *p)
{
	char *buf = utmem_buf_alloc(p->q, VALUE_LEN);
	struct utmem_sqe *sqe = buf ? utmem_get_sqe(p->q) : NULL;
	struct item *item = sqe ? malloc(sizeof(*item)) : NULL;
	char key[16];
	size_t len;

	if (!item) {
		/* A request that was taken and not prepared is a NOP without an item. */
		utmem_buf_free(p->q, buf);
		return false;
	}
	*item = (struct item){.nr = p->sent, .buf = buf};
	len = (size_t)snprintf(key, sizeof(key), "key %" PRIu32, item->nr);
	if (p->reading) {
		utmem_prep_get(p->q, sqe, p->pool, key, len, buf, VALUE_LEN, 0);
	} else {
		value_fill(buf, item->nr);
		utmem_prep_put(p->q, sqe, p->pool, key, len, buf, VALUE_LEN, 0);
	}
	utmem_sqe_set_data(sqe, item);
	p->sent++;
	return true;
}

static void finish(struct pipeline *p, const struct utmem_cqe *cqe)
{
	struct item *item = utmem_cqe_get_data(cqe);

	if (!item)
		return;
	if (p->reading)
		p->wrong += cqe->res != VALUE_LEN || !value_check(item->buf, item->nr);
	else
		p->wrong += cqe->res < 0;
	utmem_buf_free(p->q, item->buf);
	free(item);
	p->done++;
}

static int reap(struct pipeline *p)
{
	const struct utmem_cqe *cqes[BATCH];
	int nr = utmem_peek_batch_cqe(p->q, cqes, BATCH);

	for (int i = 0; i < nr; i++)
		finish(p, cqes[i]);
	if (nr > 0)
		utmem_cq_advance(p->q, (unsigned int)nr);
	return nr;
}

static int run(struct pipeline *p)
{
	int rc;

	p->sent = p->done = 0;
	while (p->done < p->count) {
		for (int i = 0; i < BATCH && p->sent < p->count; i++)
			if (!send_one(p))
				break;
		/* Wait only for what must come before there is room again. */
		rc = utmem_submit_and_wait(p->q, utmem_inflight(p->q) ? 1 : 0);
		if (rc >= 0)
			rc = reap(p);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
	return 0;
}

static int pipeline(struct utmem_queue *q, uint32_t count)
{
	struct pipeline p = {.q = q, .count = count};
	struct utmem_stats stats;
	int err;

	p.pool = utmem_pool_open(q, "pipeline", UTMEM_POOL_CREATE);
	if (p.pool < 0)
		return p.pool;
	err = run(&p);
	p.reading = true;
	if (!err)
		err = run(&p);
	if (!err)
		err = utmem_queue_stats(q, &stats);
	if (err)
		return err;
	printf("%" PRIu32 " values put and read back, %" PRIu32 " wrong; %" PRIu64
	       " requests in %" PRIu64 " submits, %" PRIu64 " doorbells\n",
	       p.count, p.wrong, stats.submitted, stats.submits, stats.doorbells);
	if (!p.wrong)
		err = utmem_pool_destroy(q, p.pool);
	return p.wrong ? -EIO : err;
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
	struct utmem_queue_params params = {.sq_entries = 64, .data_len = 128 * 1024};
	struct utmem_queue *q = NULL;
	struct utmem *u;
	int err;

	err = utmem_connect(&u, argc > 1 ? argv[1] : "local:");
	if (!err)
		err = utmem_queue_init(u, &q, &params);
	if (!err)
		err = pipeline(q, count);
	if (err)
		fprintf(stderr, "pipeline: %s\n", strerror(-err));
	utmem_queue_exit(q);
	utmem_disconnect(u);
	return err ? 1 : 0;
}
