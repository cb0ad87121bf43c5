// SPDX-License-Identifier: MIT
/*
 * Usage: driver-load POOL SEED TURNS
 * PUT, GET, DEL of random keys and values, many in flight, each answer compared with a model of
 * the pool that nobody else uses. TURNS 0: for ever. Prints "loaded" after the first turn, and "goes
 * on" after one in which SIGUSR1 came; the exit code says whether every answer was right.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libutmem/include/utmem.h"

#define KEYS 256
#define DEPTH 32
#define VALUE_MAX 4096
#define KEY_ROOM 64

/* A request under way, and what the model says about its answer. */
struct flying {
	uint8_t op;
	uint32_t key;
	uint32_t version; /* stored when it takes effect; 0: nothing */
};

struct load {
	struct utmem_queue *q;
	int pool;
	uint64_t seed;
	uint32_t stored[KEYS]; /* version of the value under the key; 0: nothing */
	uint32_t newest;       /* version that was last given to a value */
	uint8_t *buf[DEPTH];
	struct flying flying[DEPTH];
};

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint32_t draw(struct load *l, uint32_t below)
{
	l->seed = mix(l->seed);
	return (uint32_t)(l->seed >> 32) % below;
}

/* A value is a function of key and version. Return: its length. */
static uint32_t value_make(uint32_t key, uint32_t version, uint8_t *out)
{
	uint64_t x = mix((uint64_t)key << 32 | version);
	uint32_t len = x % (VALUE_MAX + 1);

	for (uint32_t i = 0; i < len; i++)
		out[i] = (uint8_t)(x >> i % 8 * 8 ^ i);
	return len;
}

static bool value_is(uint32_t key, uint32_t version, const uint8_t *got, int len)
{
	static uint8_t want[VALUE_MAX];

	return len == (int)value_make(key, version, want) && !memcmp(got, want, (size_t)len);
}

/* Every seventh key is too long to lie in the request. */
static size_t key_make(uint32_t key, char *out, size_t room)
{
	return (size_t)snprintf(out, room, "key-%u%s", key,
				key % 7 ? "" : "-a-long-one-that-lies-in-the-data-area");
}

/* Prepare request @i; the queue's order makes the model's state now the one that it meets. */
static int prepare(struct load *l, uint32_t i)
{
	struct flying *f = &l->flying[i];
	uint32_t *stored = &l->stored[f->key = draw(l, KEYS)];
	struct utmem_sqe *sqe = utmem_get_sqe(l->q);
	char key[KEY_ROOM];
	size_t key_len = key_make(f->key, key, sizeof(key));

	f->version = *stored;
	switch (draw(l, 4)) {
	case 0:
		f->op = UTMEM_OP_DEL;
		*stored = 0;
		return utmem_prep_del(l->q, sqe, l->pool, key, key_len);
	case 1:
		f->op = UTMEM_OP_PUT;
		*stored = ++l->newest;
		return utmem_prep_put(l->q, sqe, l->pool, key, key_len, l->buf[i],
				      value_make(f->key, *stored, l->buf[i]), 0);
	default:
		f->op = UTMEM_OP_GET;
		return utmem_prep_get(l->q, sqe, l->pool, key, key_len, l->buf[i], VALUE_MAX, 0);
	}
}

static bool answer_is_right(const struct load *l, uint32_t i, int res)
{
	const struct flying *f = &l->flying[i];

	if (f->op == UTMEM_OP_PUT)
		return !res;
	if (!f->version)
		return res == -ENOENT;
	return f->op == UTMEM_OP_DEL ? !res : value_is(f->key, f->version, l->buf[i], res);
}

static int reap(struct load *l, uint32_t i)
{
	const struct utmem_cqe *cqe;
	int err = utmem_wait_cqe(l->q, &cqe);

	if (err)
		return err;
	if (!answer_is_right(l, i, cqe->res)) {
		printf("op %u key %u version %u: answer %d\n", l->flying[i].op, l->flying[i].key,
		       l->flying[i].version, cqe->res);
		return -EILSEQ;
	}
	utmem_cqe_seen(l->q, cqe);
	return 0;
}

static int turn(struct load *l)
{
	uint32_t i, n = 1 + draw(l, DEPTH);
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = prepare(l, i);
	if (!err)
		err = utmem_submit(l->q);
	for (i = 0; i < n && err >= 0; i++)
		err = reap(l, i);
	return err < 0 ? err : 0;
}

/* Blocked, so that it interrupts no wait */
static void question_block(sigset_t *question)
{
	sigemptyset(question);
	sigaddset(question, SIGUSR1);
	sigprocmask(SIG_BLOCK, question, NULL);
}

static bool question_came(const sigset_t *question)
{
	struct timespec now = {0};

	return sigtimedwait(question, NULL, &now) == SIGUSR1;
}

static int load_run(struct load *l, unsigned long turns)
{
	sigset_t question;
	bool asked;
	int err = 0;

	question_block(&question);
	for (unsigned long i = 0; !err && (!turns || i < turns); i++) {
		asked = question_came(&question);
		err = turn(l);
		if (!err && (!i || asked))
			puts(i ? "goes on" : "loaded");
	}
	return err;
}

static int load_init(struct load *l, struct utmem *u, char **argv)
{
	/* Fits a window of 1 MiB. */
	struct utmem_queue_params params = {.data_len = 2 * DEPTH * VALUE_MAX};
	int err = utmem_queue_init(u, &l->q, &params);

	if (err)
		return err;
	l->seed = strtoull(argv[2], NULL, 0);
	l->pool = utmem_pool_open(l->q, argv[1], UTMEM_POOL_CREATE);
	if (l->pool < 0)
		return l->pool;
	for (uint32_t i = 0; i < DEPTH; i++) {
		l->buf[i] = utmem_buf_alloc(l->q, VALUE_MAX);
		if (!l->buf[i])
			return -ENOMEM;
	}
	return utmem_pool_flush(l->q, l->pool);
}

int main(int argc, char **argv)
{
	static struct load l;
	struct utmem *u;
	int err;

	if (argc != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	err = utmem_connect(&u, "dev:/dev/utmem0");
	if (!err)
		err = load_init(&l, u, argv);
	if (!err)
		err = load_run(&l, strtoul(argv[3], NULL, 0));
	if (err) {
		printf("failed: %s\n", strerrorname_np(-err));
		return 1;
	}
	utmem_queue_exit(l.q);
	utmem_disconnect(u);
	return 0;
}
