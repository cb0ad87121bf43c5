/* SPDX-License-Identifier: MIT */
/*
 * What was acknowledged, and whether an answer agrees with it. One entry for each key;
 * all requests for a key travel on one queue, whose answers come in order, so that an
 * entry is exact at each answer, however often the host died meanwhile.
 * Owner: tests/crash. An entry belongs to one client's thread; the tally to all.
 */
#ifndef CRASH_JOURNAL_H
#define CRASH_JOURNAL_H

#include <stdint.h>

#include "tests/crash/value.h"

struct entry {
	struct value value;    /* of the newest acknowledged PUT */
	uint32_t last_version; /* handed out, acknowledged or not */
	bool there;
	bool unknown;	/* an answer was wrong: nothing is held against the next ones */
	bool ephemeral; /* may go at any time, but never come back, be stale or torn */
};

enum put_if { PUT_ALWAYS, PUT_IF_ABSENT, PUT_IF_PRESENT };

/* How answers were found. All threads count into the one of the run. */
struct tally {
	uint64_t acked; /* PUT, DEL, GETDEL that took effect */
	uint64_t lost, torn, duplicated;
	uint64_t failed; /* calls that no client should see fail */
};
extern struct tally tally;

/* Of an answer: res is the CQE's. Each says what it thinks of it, and the entry follows. */
void journal_put(struct entry *e, const struct value *v, enum put_if cond, int res);
void journal_del(struct entry *e, int res);
void journal_getdel(struct entry *e, int res, const void *buf);
/* @cap: room in buf, which was to hold the value from @off on. */
void journal_get(struct entry *e, int res, uint64_t off, const void *buf, uint32_t cap);
void journal_exists(struct entry *e, int res);
/* The same key was asked for on two queues at once: one has it, and one only. */
void journal_race(struct entry *e, const int res[2], const void *const buf[2]);
/* Everything in its pool was dropped. */
void journal_all_gone(struct entry *e, const char *call, int res);
/* A call that must not fail did. */
void journal_failed(const char *call, int err);

#endif /* CRASH_JOURNAL_H */
