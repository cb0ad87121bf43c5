/* SPDX-License-Identifier: MIT */
/*
 * Operations on an engine as data: made at random from a seed, printed as lines, and cut
 * down to the least sequence that still fails. What they mean is pool_model.c's affair.
 */
#ifndef UTMEM_TEST_POOL_OPS_H
#define UTMEM_TEST_POOL_OPS_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_fixture.h"

#define NR_TENANTS 2u
#define POOLS_EACH 2u /* of each tenant: persistent, ephemeral */
#define NR_POOLS (NR_TENANTS * POOLS_EACH)
#define NR_KEYS 300u
#define NR_SLOTS 4u /* streams at a time */
#define VALUE_MAX (96u * KIB)

enum what {
	DO_PUT,
	DO_GET,
	DO_DEL,
	DO_BEGIN,
	DO_APPEND,
	DO_COMMIT,
	DO_ABORT,
	DO_FLUSH,
	DO_DESTROY,
	DO_QUOTA,
	DO_MAINTAIN,
	DO_FAIL, /* allocations, from the one of number len on: one, or all until the next of these */
	DO_REOPEN, /* the engine: closed in good order, or (cond) found by another after its death */
	DO_OPTIONS, /* of a pool: how values are stored in less; then a pause of len calls */
	DO_RECLAIM, /* len bytes, of everybody or (cond) of one; to the end, or (slot) one call of it */
	DO_WEIGHT,
	DO_CHECK,
	NR_WHAT,
};

/* An operation says all of itself: without those before it, it means the same. */
struct op {
	uint8_t what, pool, cond, slot;
	uint8_t hint; /* 0: as the key has it; 1: ask for the index before; 2: and for the record */
	uint8_t hint_pool;
	uint16_t key;
	uint32_t len, off, id; /* id: what the value looks like */
};

/* How often each is done, in 1000, and how large things are. */
struct op_mix {
	const char *name;
	size_t arena;
	uint64_t quota;
	uint16_t weight[NR_WHAT];
	bool all_fail; /* DO_FAIL also fails all that follow */
	bool lasts;    /* the memory outlives its engine */
	bool durable;
	bool options; /* DO_OPTIONS, and values that it helps with */
};

static inline uint32_t pick(uint64_t *random, uint32_t n)
{
	return (uint32_t)(next_random(random) % n);
}

/* Mostly small, some long, a few in chunks. */
static inline uint32_t pick_len(uint64_t *random)
{
	switch (pick(random, 32)) {
	case 0:
		return 0;
	case 1:
		return pick(random, VALUE_MAX);
	case 2 ... 7:
		return pick(random, 4 * KIB);
	default:
		return pick(random, 300);
	}
}

/* Contents of which there are many: equal values have equal lengths. */
static const uint32_t common_len[] = {0, 255, 256, 300, 1000, 3000, 4000, 20000};
#define NR_COMMON (sizeof(common_len) / sizeof(common_len[0]))

enum content { CONTENT_RANDOM, CONTENT_TEXT, CONTENT_COMMON, CONTENT_COMMON_TEXT, NR_CONTENTS };

static inline enum content op_content(const struct op_mix *mix, uint64_t id)
{
	return mix->options ? id % NR_CONTENTS : CONTENT_RANDOM;
}

static inline void fill_text(uint8_t *buf, uint32_t len, uint64_t seed)
{
	char word[32];
	uint32_t i, n = (uint32_t)snprintf(word, sizeof(word), "value %lu, ", (unsigned long)seed);

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)word[i % n];
}

/* The value that operation @id stores. */
static inline void fill_content(const struct op_mix *mix, uint8_t *buf, uint32_t len, uint64_t id)
{
	enum content kind = op_content(mix, id);

	if (kind >= CONTENT_COMMON)
		id = id / NR_CONTENTS % NR_COMMON;
	if (kind == CONTENT_TEXT || kind == CONTENT_COMMON_TEXT)
		fill_text(buf, len, id);
	else
		fill_value(buf, len, id);
}

static inline uint8_t pick_what(const struct op_mix *mix, uint64_t *random)
{
	uint32_t at = pick(random, 1000), sum = 0;
	uint8_t what;

	for (what = 0; what < NR_WHAT - 1; what++) {
		sum += mix->weight[what];
		if (at < sum)
			break;
	}
	return what;
}

static inline void op_make(struct op *op, const struct op_mix *mix, uint64_t *random, uint32_t id)
{
	*op = (struct op){
		.what = pick_what(mix, random),
		.pool = (uint8_t)pick(random, NR_POOLS),
		.cond = (uint8_t)(pick(random, 4) ? UTMEM_PUT_ALWAYS : pick(random, 3)),
		.slot = (uint8_t)pick(random, NR_SLOTS),
		.hint = (uint8_t)(pick(random, 4) ? 0 : 1 + pick(random, 2)),
		.hint_pool = (uint8_t)pick(random, NR_POOLS),
		.key = (uint16_t)pick(random, NR_KEYS),
		.len = pick_len(random),
		.id = id,
	};
	if (op_content(mix, id) >= CONTENT_COMMON)
		op->len = common_len[id / NR_CONTENTS % NR_COMMON];
	if (pick(random, 2))
		op->off = pick(random, op->len + 2);
	if (op->what == DO_QUOTA)
		op->len = (uint32_t)(mix->quota / 8 * (1 + pick(random, 8)));
	if (op->what == DO_REOPEN)
		op->cond = (uint8_t)pick(random, 2);
	if (op->what == DO_OPTIONS) {
		op->cond = (uint8_t)pick(random, 3);
		op->len = pick(random, 200);
	}
	if (op->what == DO_RECLAIM) {
		op->cond = (uint8_t)pick(random, 2);
		op->len = pick(random, (uint32_t)(mix->arena >> pick(random, 6)));
	}
	if (op->what == DO_WEIGHT)
		op->len = UTMEM_WEIGHT_MIN + pick(random, UTMEM_WEIGHT_MAX);
	if (op->what == DO_FAIL) {
		op->len = 1 + pick(random, 8);
		op->cond = mix->all_fail && pick(random, 4) == 0;
	}
}

static inline struct op *ops_make(const struct op_mix *mix, uint64_t seed, uint32_t nr)
{
	struct op *ops = malloc(nr * sizeof(*ops));
	uint64_t random = seed;
	uint32_t i;

	assert_non_null(ops);
	for (i = 0; i < nr; i++)
		op_make(&ops[i], mix, &random, i);
	return ops;
}

static inline void op_print(const struct op *op, uint32_t no)
{
	static const char *const conds[] = {"", " if-absent", " if-present"};
	static const char *const names[] = {"put",	"get",	 "del",	   "begin",   "append",
					    "commit",	"abort", "flush",  "destroy", "quota",
					    "maintain", "fail",	 "reopen", "options", "reclaim",
					    "weight",	"check"};

	fprintf(stderr, "%6u  %-8s", no, names[op->what]);
	if (op->what <= DO_BEGIN)
		fprintf(stderr, " pool %u key %u len %u off %u hint %u/%u id %u", op->pool, op->key,
			op->len, op->off, op->hint, op->hint_pool, op->id);
	if (op->what >= DO_BEGIN && op->what <= DO_ABORT)
		fprintf(stderr, " slot %u len %u", op->slot, op->len);
	if (op->what == DO_FLUSH || op->what == DO_DESTROY)
		fprintf(stderr, " pool %u", op->pool);
	if (op->what == DO_QUOTA)
		fprintf(stderr, " tenant %u bytes %u", op->pool / POOLS_EACH, op->len);
	if (op->what == DO_MAINTAIN)
		fprintf(stderr, " budget %u", op->len);
	if (op->what == DO_FAIL)
		fprintf(stderr, " allocation %u%s", op->len, op->cond ? " and all after it" : "");
	if (op->what == DO_OPTIONS)
		fprintf(stderr, " pool %u compress %u dedup %u pause %u", op->pool, op->cond,
			op->slot % 2, op->len);
	if (op->what == DO_RECLAIM)
		fprintf(stderr, " %s %u bytes %u%s", op->cond ? "tenant" : "anybody",
			op->pool / POOLS_EACH, op->len, op->slot ? " begun" : "");
	if (op->what == DO_WEIGHT)
		fprintf(stderr, " tenant %u is %u", op->pool / POOLS_EACH, op->len);
	if (op->what == DO_REOPEN)
		fprintf(stderr, " after %s, streams %#x go on", op->cond ? "death" : "close",
			op->id % (1u << NR_SLOTS));
	fprintf(stderr, "%s\n", op->what == DO_PUT || op->what == DO_COMMIT ? conds[op->cond] : "");
}

/* ---- in a process of its own, so that a crash is a result, too ---- */

struct replay {
	const struct op_mix *mix;
	/* Does all of them; *at says which one. An assertion that fails ends the process. */
	void (*run)(const struct op_mix *mix, const struct op *ops, uint32_t nr,
		    volatile uint32_t *at);
};

/* cmocka's own handlers would jump back into the tests. */
static inline void child_prepare(bool quiet)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
	size_t i;

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	if (quiet && (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)))
		_exit(2);
}

/* Return: the number of the operation that failed, @nr when the end did; -1: none. */
static inline int64_t replay(const struct replay *r, const struct op *ops, uint32_t nr, bool quiet)
{
	volatile uint32_t *at =
		mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t failed = -1;
	pid_t pid;
	int status;

	assert_ptr_not_equal(at, MAP_FAILED);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		child_prepare(quiet);
		r->run(r->mix, ops, nr, at);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		failed = *at;
	munmap((void *)at, sizeof(*at));
	return failed;
}

/* ---- delta debugging ---- */

#define SHRINK_REPLAYS_MAX 2000u

/* Leave out [from, from + len); keep it so when it still fails. Return: how many are left. */
static inline uint32_t shrink_without(const struct replay *r, struct op *ops, uint32_t nr,
				      uint32_t from, uint32_t len)
{
	struct op *rest = malloc((nr + !nr) * sizeof(*rest));
	uint32_t left = nr - len;
	int64_t at;

	assert_non_null(rest);
	memcpy(rest, ops, from * sizeof(*ops));
	memcpy(rest + from, ops + from + len, (left - from) * sizeof(*ops));
	at = replay(r, rest, left, true);
	if (at >= 0) {
		/* what comes after the failure is not needed */
		nr = at < left ? (uint32_t)at + 1 : left;
		memcpy(ops, rest, nr * sizeof(*ops));
	}
	free(rest);
	return nr;
}

/* Ever smaller pieces are left out, as long as it fails without them. Return: how many are left. */
static inline uint32_t shrink(const struct replay *r, struct op *ops, uint32_t nr)
{
	uint32_t len = nr / 2, from, left, replays = 0;

	for (; len; len /= 2) {
		for (from = 0; from + len <= nr && replays < SHRINK_REPLAYS_MAX; replays++) {
			left = shrink_without(r, ops, nr, from, len);
			if (left == nr)
				from += len;
			nr = left;
		}
	}
	return nr;
}

/* Print the least sequence that fails, and fail again with it in the open. (Not where only the end did.) */
static inline uint32_t shrink_and_show(const struct replay *r, struct op *ops, int64_t at,
				       uint32_t nr)
{
	uint32_t i, nr_all = nr;

	if (at < nr)
		nr = shrink(r, ops, (uint32_t)at + 1);
	fprintf(stderr, "%s: the least sequence that fails, %u operations:\n", r->mix->name, nr);
	for (i = 0; i < nr && at < nr_all; i++)
		op_print(&ops[i], i);
	replay(r, ops, nr, false);
	return nr;
}

#endif /* UTMEM_TEST_POOL_OPS_H */
