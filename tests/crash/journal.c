// SPDX-License-Identifier: MIT
/* Judges answers by what was acknowledged before. Called by clients, each on its own thread. */
#include "tests/crash/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 20u	/* violations that are printed; all are counted */
#define STALE_DEPTH 64u /* older versions that are tried before bytes are called torn */

struct tally tally;

static void count(uint64_t *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static bool may_show(void)
{
	static uint32_t shown;

	return __atomic_add_fetch(&shown, 1, __ATOMIC_RELAXED) <= SHOWN_MAX;
}

/* @n is one of tally's; from here on nothing is known of the key. */
static void violation(uint64_t *n, const char *kind, struct entry *e, const char *call, int res)
{
	count(n);
	if (may_show())
		fprintf(stderr,
			"%s: %s of key %llx answers %d; the journal has %s version %u, "
			"%u bytes\n",
			kind, call, (unsigned long long)e->value.key, res,
			e->there ? "it in" : "it deleted after", e->value.version, e->value.len);
	e->unknown = true;
}

static void lost(struct entry *e, const char *call, int res)
{
	violation(&tally.lost, "lost", e, call, res);
}

static void torn(struct entry *e, const char *call, int res)
{
	violation(&tally.torn, "torn", e, call, res);
}

static void duplicated(struct entry *e, const char *call, int res)
{
	violation(&tally.duplicated, "duplicated", e, call, res);
}

static void failed(struct entry *e, const char *call, int res)
{
	violation(&tally.failed, "failed", e, call, res);
}

void journal_failed(const char *call, int err)
{
	count(&tally.failed);
	if (may_show())
		fprintf(stderr, "failed: %s: %s\n", call, strerror(-err));
}

static void forget(struct entry *e)
{
	e->there = false;
	e->unknown = false;
	count(&tally.acked);
}

/* Not there: what an ephemeral value may be at any time. */
static bool gone(struct entry *e, int res)
{
	if (res != -ENOENT || !e->there || !e->ephemeral)
		return false;
	e->there = false;
	return true;
}

void journal_put(struct entry *e, const struct value *v, enum put_if cond, int res)
{
	bool absent_answer = cond == PUT_IF_PRESENT && res == -ENOENT;

	if (res == -EEXIST && cond == PUT_IF_ABSENT) {
		if (!e->there && !e->unknown)
			duplicated(e, "PUT IF_ABSENT", res);
		return;
	}
	if (absent_answer && !gone(e, res) && e->there && !e->unknown)
		lost(e, "PUT IF_PRESENT", res);
	if (absent_answer)
		return;
	if (res)
		return failed(e, "PUT", res);
	if (!e->unknown && e->there && cond == PUT_IF_ABSENT && !e->ephemeral)
		lost(e, "PUT IF_ABSENT", res);
	if (!e->unknown && !e->there && cond == PUT_IF_PRESENT)
		duplicated(e, "PUT IF_PRESENT", res);
	e->value = *v;
	e->there = true;
	e->unknown = false;
	count(&tally.acked);
}

void journal_del(struct entry *e, int res)
{
	if (res && res != -ENOENT)
		return failed(e, "DEL", res);
	if (!e->unknown && !gone(e, res) && e->there != !res)
		duplicated(e, "DEL", res);
	forget(e);
}

void journal_all_gone(struct entry *e, const char *call, int res)
{
	if (res)
		return failed(e, call, res);
	forget(e);
}

/* An older version is an acknowledged PUT that was lost; anything else is torn. */
static void wrong_bytes(struct entry *e, const char *call, uint32_t len, uint64_t off,
			const void *buf, uint32_t n)
{
	struct value old = {.key = e->value.key, .len = len};
	uint32_t i;

	for (i = 1; n && i <= STALE_DEPTH && i < e->value.version; i++) {
		old.version = e->value.version - i;
		if (value_is(&old, off, buf, n))
			return lost(e, call, (int)len);
	}
	torn(e, call, (int)len);
}

/* @e is there, and so says the answer: @len bytes from @off on, of which @n are in @buf. */
static void judge_bytes(struct entry *e, const char *call, uint32_t len, uint64_t off,
			const void *buf, uint32_t n)
{
	uint64_t total = off >= e->value.len ? 0 : e->value.len - off;

	if (len != total || !value_is(&e->value, off, buf, n))
		wrong_bytes(e, call, (uint32_t)(len + off), off, buf, n);
}

void journal_getdel(struct entry *e, int res, const void *buf)
{
	if (res < 0 && res != -ENOENT)
		return failed(e, "GETDEL", res);
	if (!e->unknown && !gone(e, res)) {
		if (e->there && res == -ENOENT)
			lost(e, "GETDEL", res);
		else if (!e->there && res >= 0)
			duplicated(e, "GETDEL", res);
		else if (e->there)
			judge_bytes(e, "GETDEL", (uint32_t)res, 0, buf, (uint32_t)res);
	}
	forget(e);
}

void journal_get(struct entry *e, int res, uint64_t off, const void *buf, uint32_t cap)
{
	if (e->unknown || gone(e, res))
		return;
	if (res < 0 && res != -ENOENT)
		failed(e, "GET", res);
	else if (e->there && res == -ENOENT)
		lost(e, "GET", res);
	else if (!e->there && res >= 0)
		duplicated(e, "GET", res);
	else if (e->there)
		judge_bytes(e, "GET", (uint32_t)res, off, buf,
			    (uint32_t)res < cap ? (uint32_t)res : cap);
}

void journal_exists(struct entry *e, int res)
{
	if (e->unknown || gone(e, res))
		return;
	if (res < 0 && res != -ENOENT)
		failed(e, "EXISTS", res);
	else if (e->there && res != (int)e->value.len)
		lost(e, "EXISTS", res);
	else if (!e->there && res >= 0)
		duplicated(e, "EXISTS", res);
}

void journal_race(struct entry *e, const int res[2], const void *const buf[2])
{
	int winner = res[0] >= 0 ? 0 : 1;

	if (!e->unknown && res[0] >= 0 && res[1] >= 0)
		duplicated(e, "GETDEL on two queues", res[1]);
	journal_getdel(e, res[winner], buf[winner]);
	if (res[!winner] < 0 && res[!winner] != -ENOENT)
		failed(e, "GETDEL on two queues", res[!winner]);
}
