// SPDX-License-Identifier: MIT
/*
 * Owns the decision between looking on and sleeping. Called by serve.c for each look that
 * found nothing, on the server's thread; keeps no clock.
 */
#include <string.h>

#include "host/utmemd/poll.h"

#define NS_PER_S 1000000000ull

/*
 * The bucket counts in eighths of hundredths of ns, so that percents and eighths are whole numbers.
 * REFILL and CAPACITY add up to one second's budget.
 */
#define UNITS 800ll					    /* that a polled ns takes */
#define REFILL(percent) ((uint64_t)(percent)*7)		    /* units for a ns of wall time */
#define CAPACITY(percent) ((int64_t)(percent)*1000000000ll) /* units: an eighth of a second's */

/* ---- the budget ---- */

static bool is_limited(const struct poller *p)
{
	return p->percent < POLL_CPU_PERCENT_MAX;
}

static void refill(struct poller *p, uint64_t now)
{
	uint64_t passed = now - p->refilled;

	p->refilled = now;
	if (passed > NS_PER_S)
		passed = NS_PER_S; /* full in any case, and no overflow */
	p->credit += (int64_t)(passed * REFILL(p->percent));
	if (p->credit > CAPACITY(p->percent))
		p->credit = CAPACITY(p->percent);
}

static void charge(struct poller *p, uint64_t ns)
{
	p->counters.polled_ns += ns;
	if (is_limited(p))
		p->credit -= (int64_t)ns * UNITS;
}

/*
 * Many short looks that find nothing would be the worst use of a small budget: it is saved up for
 * a whole window, or, where that is longer than the bucket is deep, for a full bucket.
 */
static bool can_begin(const struct poller *p)
{
	int64_t wanted = CAPACITY(p->percent);

	if (!is_limited(p))
		return true;
	if (p->window_ns < (uint64_t)(wanted / UNITS))
		wanted = (int64_t)p->window_ns * UNITS;
	return p->percent && p->credit >= wanted;
}

/* The next look will take about as long as this one. */
static bool can_go_on(const struct poller *p, uint64_t look_ns)
{
	return !is_limited(p) || p->credit >= (int64_t)look_ns * UNITS;
}

/* ---- the window ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void grow(struct poller *p)
{
	uint64_t next = p->window_ns * 2;

	p->window_ns = least(next < POLL_START_NS ? POLL_START_NS : next, p->ceiling_ns);
}

static void shrink(struct poller *p)
{
	p->window_ns /= 2;
	if (p->window_ns < POLL_START_NS)
		p->window_ns = 0;
}

/* All of the ceiling was not enough: more wake-ups must come soon before it is tried again. */
static void lose_hope(struct poller *p)
{
	p->nr_soon = 0;
	p->nr_wanted = (uint32_t)least(p->nr_wanted ? p->nr_wanted * 2 : 1, POLL_SOON_MAX);
}

void poller_learn_find(struct poller *p)
{
	p->polling = false;
	p->counters.nr_finds++;
	p->trust += p->trust < POLL_TRUST_MAX;
	p->nr_soon = 0;
	p->nr_wanted /= 2;
}

/* A whole window found nothing, once. */
static void learn_miss(struct poller *p)
{
	if (p->trust) {
		p->trust--;
		return;
	}
	if (p->window_ns == p->ceiling_ns)
		lose_hope(p);
	shrink(p);
}

/* A sleep that a doorbell has ended, @idle ns after the last work. Return: longer looks are worth a try. */
static bool learn_bell(struct poller *p, uint64_t idle)
{
	bool soon = idle <= p->ceiling_ns + POLL_WAKE_NS;

	p->nr_soon = soon ? p->nr_soon + 1 : 0;
	return soon && p->window_ns < p->ceiling_ns && p->nr_soon >= p->nr_wanted;
}

/* ---- what the thread does ---- */

void poller_init(struct poller *p, uint64_t ceiling_ns, uint32_t percent, uint64_t now)
{
	memset(p, 0, sizeof(*p));
	p->worked = p->seen = p->refilled = now;
	p->credit = CAPACITY(percent);
	poller_tune(p, ceiling_ns, percent);
}

void poller_tune(struct poller *p, uint64_t ceiling_ns, uint32_t percent)
{
	if (p->ceiling_ns != ceiling_ns) {
		p->ceiling_ns = p->window_ns = ceiling_ns;
		p->in_vain = false;
		p->trust = p->nr_soon = p->nr_wanted = 0;
	}
	p->polling = false;
	p->percent = percent;
	if (p->credit > CAPACITY(percent))
		p->credit = CAPACITY(percent);
}

bool poller_goes_on(struct poller *p, uint64_t now)
{
	uint64_t look_ns = now - p->seen;
	bool over = now - p->worked >= p->window_ns;

	p->seen = now;
	refill(p, now);
	if (p->polling) {
		charge(p, look_ns);
		p->in_vain |= over;
		p->polling = !over && can_go_on(p, look_ns);
	} else {
		p->polling = !over && can_begin(p);
	}
	return p->polling;
}

void poller_skip(struct poller *p, uint64_t now)
{
	p->seen = now;
}

void poller_woke(struct poller *p, uint64_t now, bool rung)
{
	p->counters.slept_ns += now - p->seen;
	p->counters.nr_bell_wakes += rung;
	p->counters.nr_other_wakes += !rung;
	if (rung && learn_bell(p, now - p->worked))
		grow(p);
	else if (p->in_vain)
		learn_miss(p);
	p->in_vain = false;
	p->seen = now;
}
