/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is it worth waiting for more? Pure decisions from what has been seen: no lock, no clock, integers
 * only. Callers: utmem_batch.c (requests that come to the driver) and utmem_irq.c (completions), each
 * under its lock; tests/unit/dev_adapt.c with a clock of its own.
 *
 * Two things are learned. How fast they come: a moving average of the gap, in which a gap longer than
 * twice the wait counts as just that, so that one idle hour is forgotten as fast as one idle
 * millisecond. And whether waiting helps: a process that submits one request and looks for the
 * answer is as fast as the host answers, but sends nothing while it is made to wait. So after each
 * wait for which nobody came, more and more occasions are passed by.
 */
#ifndef UTMEM_ADAPT_H
#define UTMEM_ADAPT_H

#include <linux/types.h>

#define UTMEM_ADAPT_EXPECT 2u	/* fewer callers than this are not waited for */
#define UTMEM_ADAPT_WEIGHT 8u	/* a new gap counts for one in so many */
#define UTMEM_ADAPT_VAIN_MAX 5u /* so often in vain: 2^5 - 1 occasions are passed by */
#define UTMEM_ADAPT_QUIET 4u	/* silent for so many gaps, or for 1/4 of the wait: nobody comes */

struct utmem_adapt {
	__u64 last_ns; /* when the last ones came */
	__u32 gap_ns;  /* from one call to the next, on average */
	__u32 size8;   /* how many a call brings, on average, times 8 */
	__u32 vain;    /* waits in a row for which nobody came */
	__u32 skip;    /* occasions still to be passed by */
};

/* Nothing known is as nobody coming. */
static inline void utmem_adapt_init(struct utmem_adapt *a)
{
	a->last_ns = 0;
	a->gap_ns = ~0u;
	a->size8 = UTMEM_ADAPT_WEIGHT;
	a->vain = 0;
	a->skip = 0;
}

/* Longer gaps are not told apart. @usecs: the longest wait, at most UTMEM_BATCH_USECS_MAX. */
static inline __u32 utmem_adapt_ceiling(__u32 usecs)
{
	return 2000u * usecs;
}

static inline __u32 utmem_adapt_since(__u64 then_ns, __u64 now_ns, __u32 usecs)
{
	__u64 ns = now_ns - then_ns;

	return ns < utmem_adapt_ceiling(usecs) ? (__u32)ns : utmem_adapt_ceiling(usecs);
}

/* @nr gaps of @sample_ns. */
static inline void utmem_adapt_learn(struct utmem_adapt *a, __u32 sample_ns, __u32 nr, __u32 usecs)
{
	__u32 weight = nr < UTMEM_ADAPT_WEIGHT ? nr : UTMEM_ADAPT_WEIGHT;
	__u32 gap = a->gap_ns, most = utmem_adapt_ceiling(usecs);

	if (gap > most)
		gap = most;
	if (sample_ns < gap)
		a->gap_ns = gap - (gap - sample_ns) / UTMEM_ADAPT_WEIGHT * weight;
	else
		a->gap_ns = gap + (sample_ns - gap) / UTMEM_ADAPT_WEIGHT * weight;
}

/* One call has come, with @n. */
static inline void utmem_adapt_call(struct utmem_adapt *a, __u64 now_ns, __u32 n, __u32 usecs)
{
	utmem_adapt_learn(a, utmem_adapt_since(a->last_ns, now_ns, usecs), 1, usecs);
	a->size8 = a->size8 - a->size8 / UTMEM_ADAPT_WEIGHT + n;
	a->last_ns = now_ns;
}

static inline __u32 utmem_adapt_size(const struct utmem_adapt *a)
{
	__u32 size = a->size8 / UTMEM_ADAPT_WEIGHT;

	return size ? size : 1;
}

/*
 * @n have come since @then_ns without a call, of one source among perhaps several: it may be faster
 * than we thought, and proves nothing about slower.
 */
static inline void utmem_adapt_unseen(struct utmem_adapt *a, __u64 then_ns, __u64 now_ns, __u32 n,
				      __u32 usecs)
{
	__u32 calls = n / utmem_adapt_size(a) + 1;
	__u32 sample = utmem_adapt_since(then_ns, now_ns, usecs) / calls;

	if (sample < a->gap_ns)
		utmem_adapt_learn(a, sample, calls, usecs);
	a->last_ns = now_ns;
}

/* @n > 0 have come since the last ones, evenly as far as we know. */
static inline void utmem_adapt_several(struct utmem_adapt *a, __u64 now_ns, __u32 n, __u32 usecs)
{
	utmem_adapt_learn(a, utmem_adapt_since(a->last_ns, now_ns, usecs) / n, n, usecs);
	a->last_ns = now_ns;
}

/* How many calls will come within @usecs, at most @max. */
static inline __u32 utmem_adapt_expect(const struct utmem_adapt *a, __u32 usecs, __u32 max)
{
	__u32 calls = 1000u * usecs / (a->gap_ns ? a->gap_ns : 1);

	return calls < max ? calls : max;
}

/*
 * How many to wait for when @have are there. @first: these are the first. Return: at most @max; not
 * above @have: do not wait.
 */
static inline __u32 utmem_adapt_limit(struct utmem_adapt *a, __u32 have, int first, __u32 max,
				      __u32 usecs)
{
	__u32 calls = utmem_adapt_expect(a, usecs, max);
	__u64 limit = have + (__u64)calls * utmem_adapt_size(a);

	if (have >= max || calls < UTMEM_ADAPT_EXPECT)
		return have < max ? have : max;
	if (first && a->skip) {
		a->skip--;
		return have;
	}
	return limit < max ? (__u32)limit : max;
}

/* The longest silence, ns, after which nobody else is waited for. */
static inline __u64 utmem_adapt_quiet(const struct utmem_adapt *a, __u32 usecs)
{
	__u64 gaps = (__u64)UTMEM_ADAPT_QUIET * a->gap_ns, part = 1000u * usecs / UTMEM_ADAPT_QUIET;

	return gaps > part ? gaps : part;
}

/* A wait has ended. @came: somebody else came meanwhile. */
static inline void utmem_adapt_waited(struct utmem_adapt *a, int came)
{
	if (came)
		a->vain = 0;
	else if (a->vain < UTMEM_ADAPT_VAIN_MAX)
		a->vain++;
	a->skip = (1u << a->vain) - 1;
}

#endif /* UTMEM_ADAPT_H */
