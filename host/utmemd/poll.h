/* SPDX-License-Identifier: MIT */
/*
 * How long a serving thread that finds no work looks for more before it sleeps: a window that
 * learns, and a budget. No I/O and no clock: whoever calls says what time it is, in ns of a
 * monotonic clock. Caller: serve.c, on the server's thread; poller_tune() while that rests.
 *
 * The window grows when a doorbell came so soon after the thread went to sleep that a longer
 * look may have seen it, and shrinks when a whole window found nothing (as KVM's halt_poll_ns
 * does). How soon is soon cannot be told well, for what is seen is the doorbell and the time that
 * waking took; so a thread that reached its ceiling in vain waits for twice as many soon wake-ups
 * before it tries again, and work just beyond the ceiling costs next to nothing.
 *
 * The budget is a bucket of time, which polling without finding takes from, whatever comes of it
 * in the end. It is refilled at seven eighths of the budget and holds the last eighth, a burst:
 * so in no second, wherever it begins, is more polled than the budget says.
 */
#ifndef UTMEMD_POLL_H
#define UTMEMD_POLL_H

#include <stdbool.h>
#include <stdint.h>

#define POLL_START_NS 10000ull /* the least window, but for none and a lower ceiling */
/* From a doorbell until the thread that it wakes runs, on a busy machine. */
#define POLL_WAKE_NS 500000ull
#define POLL_SOON_MAX 64u	  /* wake-ups that a disappointed thread waits for, at most */
#define POLL_TRUST_MAX 4u	  /* windows in vain that finds before them make up for, at most */
#define POLL_CPU_PERCENT_MAX 100u /* no limit */

struct poll_counters {
	uint64_t polled_ns; /* looked for work, and there was none */
	uint64_t nr_finds;  /* times looking on found some */
	uint64_t slept_ns;
	uint64_t nr_sleeps;
	uint64_t nr_bell_wakes; /* sleeps that a doorbell has ended */
	uint64_t nr_other_wakes;
};

struct poller {
	uint64_t ceiling_ns; /* of the window */
	uint32_t percent;    /* of wall time, 0 .. POLL_CPU_PERCENT_MAX */
	uint64_t window_ns;  /* now */
	uint64_t worked;     /* when there was work last */
	uint64_t seen;	     /* up to here time is accounted for */
	bool polling;	     /* the next look is one more than sleeping takes */
	bool in_vain;	     /* a whole window found nothing, and that is not learned from yet */
	uint32_t trust;	     /* windows in vain that change nothing */
	uint32_t nr_soon;    /* wake-ups in a row */
	uint32_t nr_wanted;  /* of these, before the window grows */
	int64_t credit;	     /* of the bucket, in units of poll.c's */
	uint64_t refilled;   /* when */
	struct poll_counters counters;
};

/* With the ceiling as window, and a full bucket. */
void poller_init(struct poller *p, uint64_t ceiling_ns, uint32_t percent, uint64_t now);
/* Another ceiling is another window; what was learned is forgotten. Time that was spent stays spent. */
void poller_tune(struct poller *p, uint64_t ceiling_ns, uint32_t percent);

/* A look has found nothing. Return: look again, else sleep. */
bool poller_goes_on(struct poller *p, uint64_t now);
/* What was done since the last look is neither work nor looking for it. */
void poller_skip(struct poller *p, uint64_t now);
/* It is about to sleep. */
static inline void poller_sleeps(struct poller *p)
{
	p->counters.nr_sleeps++;
}
/* It was asleep since the last look; @rung: a doorbell has ended it. */
void poller_woke(struct poller *p, uint64_t now, bool rung);

void poller_learn_find(struct poller *p);

/* A look has found work, and that is done now. */
static inline void poller_worked(struct poller *p, uint64_t now)
{
	if (p->polling)
		poller_learn_find(p);
	p->worked = p->seen = now;
}

#endif /* UTMEMD_POLL_H */
