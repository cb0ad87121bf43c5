/* SPDX-License-Identifier: MIT */
/*
 * The only code that touches indices which two parties share. Owner: this
 * directory. Callers: libutmem and utmem.ko (guest side), host/service (host
 * side), each on the one thread that owns the queue at that moment.
 *
 * Four views of a queue, one for each end of each ring:
 *
 *	guest			       host
 *	utmem_sq	 -- SQ -->     utmem_sq_reader	 reserve/publish/cancel | peek/copy/release
 *	utmem_cq	<-- CQ --      utmem_cq_writer	 peek/release		| reserve/publish
 *
 * A view keeps the geometry and its own indices in private memory. What it reads
 * of the peer's index is checked against its own; an index that lies makes the
 * view `broken`, every later call on it says -EPROTO, and nothing else happens.
 *
 * Barriers. Each letter names a pair; ABI.md draws them.
 *  A  publish SQ tail (release)	 with  peek SQ tail (acquire): the SQE and the
 *     data before the tail. Without it the host copies a half-written request.
 *  B  release SQ head (release)	 with  reserve SQ head (acquire): the host's
 *     copy before the slot is reused. Without it the guest overwrites a request
 *     that is being copied.
 *  C  publish CQ tail (release)	 with  peek CQ tail (acquire): the CQE and a
 *     GET's bytes before the tail. Without it the guest reads an old completion.
 *  D  release CQ head (release)	 with  reserve CQ head (acquire): the guest's
 *     copy before the slot is reused.
 *  E  full barrier, SQ tail store | svc.flags load	with
 *  F  full barrier, svc.flags store | SQ tail load. Without either, the submitter
 *     can see "awake" while the host sees "nothing to do": it sleeps on work. The
 *     same pair makes one doorbell enough for each sleep: a submitter that reads a
 *     sleep S which has been rung for has read it before the host stored the next
 *     one, so the look after that store sees its tail; and the host gets there, for
 *     a doorbell that follows a read of S ends S.
 *  G  full barrier, CQ tail store | need_wake load	with
 *  H  full barrier, need_wake store | CQ tail load. The same for a waiter.
 */
#ifndef UTMEM_RING_H
#define UTMEM_RING_H

#include "utmem_abi.h"
#include "utmem_barrier.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- geometry ---- */

static inline bool utmem_is_pow2(__u32 n)
{
	return n && !(n & (n - 1));
}

/**
 * utmem_geometry_init - the layout of a queue of that shape at window offset @off
 * @off: bytes in the window, a multiple of UTMEM_PAGE
 * @sq_entries, @cq_entries: powers of two within their limits, cq >= sq
 * @data_len: bytes, a multiple of UTMEM_PAGE, at most UTMEM_DATA_LEN_MAX
 *
 * Return: 0, or -EINVAL and *geo is as before. Any thread.
 */
static inline int utmem_geometry_init(struct utmem_geometry *geo, __u64 off, __u32 sq_entries,
				      __u32 cq_entries, __u32 data_len)
{
	__u32 cq_off, data_off;

	if (!utmem_is_pow2(sq_entries) || sq_entries < UTMEM_SQ_ENTRIES_MIN ||
	    sq_entries > UTMEM_SQ_ENTRIES_MAX)
		return -EINVAL;
	if (!utmem_is_pow2(cq_entries) || cq_entries < sq_entries ||
	    cq_entries > UTMEM_CQ_ENTRIES_MAX)
		return -EINVAL;
	if (data_len % UTMEM_PAGE || data_len > UTMEM_DATA_LEN_MAX || off % UTMEM_PAGE)
		return -EINVAL;

	cq_off = UTMEM_PAGE + sq_entries * (__u32)sizeof(struct utmem_sqe);
	data_off = cq_off + cq_entries * (__u32)sizeof(struct utmem_cqe);
	data_off = (data_off + UTMEM_PAGE - 1) & ~(UTMEM_PAGE - 1);

	geo->off = off;
	geo->len = (__u64)data_off + data_len;
	geo->sq_entries = sq_entries;
	geo->cq_entries = cq_entries;
	geo->sq_off = UTMEM_PAGE;
	geo->cq_off = cq_off;
	geo->data_off = data_off;
	geo->data_len = data_len;
	return 0;
}

/**
 * utmem_geometry_check - is @geo what utmem_geometry_init() makes, inside @window_len bytes?
 *
 * For the side that was told a geometry. Return: 0 or -EPROTO. Any thread.
 */
static inline int utmem_geometry_check(const struct utmem_geometry *geo, __u64 window_len)
{
	struct utmem_geometry own;

	memset(&own, 0, sizeof(own));
	if (utmem_geometry_init(&own, geo->off, geo->sq_entries, geo->cq_entries, geo->data_len))
		return -EPROTO;
	if (memcmp(&own, geo, sizeof(own)))
		return -EPROTO;
	if (geo->off > window_len || geo->len > window_len - geo->off)
		return -EPROTO;
	return 0;
}

/* ---- one end of one ring ---- */

/*
 * What the four views share. `own` is this end's index, `peer` the last value of
 * the other end's that passed the check. For a producer own - peer entries are
 * in flight; for a consumer peer - own are waiting.
 */
struct utmem_ring_end {
	__u32 own;
	__u32 peer;
	__u32 entries;
	__u32 mask;
	bool broken;
};

static inline void utmem_end_init(struct utmem_ring_end *e, __u32 entries, __u32 start)
{
	e->own = start;
	e->peer = start;
	e->entries = entries;
	e->mask = entries - 1;
	e->broken = false;
}

/* The one place where an index becomes a slot. */
static inline __u32 utmem_slot(const struct utmem_ring_end *e, __u32 idx)
{
	return idx & e->mask;
}

/*
 * A producer accepts a consumer index that lies between the last one and what it
 * has published; a consumer accepts a producer index that lies between the last
 * one and a full ring. Both also catch an index that runs backwards.
 */
static inline int utmem_end_accept(struct utmem_ring_end *e, __u32 seen, __u32 most)
{
	if (seen - e->peer > most - e->peer)
		e->broken = true;
	if (e->broken)
		return -EPROTO;
	e->peer = seen;
	return 0;
}

/* ---- guest: submission ---- */

struct utmem_sq {
	struct utmem_ring_end end;
	__u32 published;
	struct utmem_ring_page *page;
	struct utmem_sqe *sqes;
};

/* @queue: this queue's first byte, mapped; @start: index both ends begin at (0 for a new queue). */
static inline void utmem_sq_init(struct utmem_sq *sq, void *queue, const struct utmem_geometry *geo,
				 __u32 start)
{
	utmem_end_init(&sq->end, geo->sq_entries, start);
	sq->published = start;
	sq->page = (struct utmem_ring_page *)queue;
	sq->sqes = (struct utmem_sqe *)((char *)queue + geo->sq_off);
}

/**
 * utmem_sq_reserve - a zeroed slot for the next request, or NULL
 *
 * NULL: the ring is full, or broken (sq->end.broken tells). The slot is the
 * caller's until publish or cancel. Owner thread.
 */
static inline struct utmem_sqe *utmem_sq_reserve(struct utmem_sq *sq)
{
	struct utmem_sqe *sqe;

	if (sq->end.broken)
		return NULL;
	if (sq->end.own - sq->end.peer >= sq->end.entries) {
		__u32 head = utmem_load_acquire(&sq->page->sq_head); /* B */

		if (utmem_end_accept(&sq->end, head, sq->published))
			return NULL;
		if (sq->end.own - sq->end.peer >= sq->end.entries)
			return NULL;
	}
	sqe = &sq->sqes[utmem_slot(&sq->end, sq->end.own++)];
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

/* Reserved and not yet published. */
static inline __u32 utmem_sq_pending(const struct utmem_sq *sq)
{
	return sq->end.own - sq->published;
}

/**
 * utmem_sq_publish - hand every reserved request to the host
 *
 * Return: how many. What follows is utmem_kick_needed(). Owner thread.
 */
static inline __u32 utmem_sq_publish(struct utmem_sq *sq)
{
	__u32 n = utmem_sq_pending(sq);

	if (n) {
		sq->published = sq->end.own;
		utmem_store_release(&sq->page->sq_tail, sq->published); /* A */
	}
	return n;
}

/* Give back the last @n reserved, unpublished slots. */
static inline void utmem_sq_cancel(struct utmem_sq *sq, __u32 n)
{
	if (n > utmem_sq_pending(sq))
		n = utmem_sq_pending(sq);
	sq->end.own -= n;
}

/* Published and not yet executed, or -EPROTO. Reads the host's index. */
static inline int utmem_sq_unserved(struct utmem_sq *sq, __u32 *n)
{
	__u32 head = utmem_load_acquire(&sq->page->sq_head); /* B */

	if (utmem_end_accept(&sq->end, head, sq->published))
		return -EPROTO;
	*n = sq->published - head;
	return 0;
}

/* ---- host: submission ---- */

struct utmem_sq_reader {
	struct utmem_ring_end end;
	struct utmem_ring_page *page;
	const struct utmem_sqe *sqes;
};

static inline void utmem_sq_reader_init(struct utmem_sq_reader *r, void *queue,
					const struct utmem_geometry *geo, __u32 start)
{
	utmem_end_init(&r->end, geo->sq_entries, start);
	r->page = (struct utmem_ring_page *)queue;
	r->sqes = (const struct utmem_sqe *)((char *)queue + geo->sq_off);
}

/*
 * A later life of the host goes on at @start of its private memory; requests before @seen were
 * accepted in the life before.
 */
static inline void utmem_sq_reader_resume(struct utmem_sq_reader *r, void *queue,
					  const struct utmem_geometry *geo, __u32 start, __u32 seen)
{
	utmem_sq_reader_init(r, queue, geo, start);
	r->end.peer = seen;
}

/**
 * utmem_sq_peek - how many requests wait
 * @n: out, 0 .. entries
 *
 * Return: 0, or -EPROTO: the tail is beyond head + entries, or ran backwards.
 */
static inline int utmem_sq_peek(struct utmem_sq_reader *r, __u32 *n)
{
	__u32 tail = utmem_load_acquire(&r->page->sq_tail); /* A */

	if (utmem_end_accept(&r->end, tail, r->end.own + r->end.entries))
		return -EPROTO;
	*n = tail - r->end.own;
	return 0;
}

/* Copy the @i-th waiting request (i < what peek said). The copy is the only thing to look at. */
static inline void utmem_sq_copy(const struct utmem_sq_reader *r, __u32 i, struct utmem_sqe *out)
{
	memcpy(out, &r->sqes[utmem_slot(&r->end, r->end.own + i)], sizeof(*out));
	/* each byte was read before this: the compiler cannot go back for a field of the copy */
	utmem_compiler_barrier();
}

/* @n requests have taken effect, and their completions are published. */
static inline void utmem_sq_release(struct utmem_sq_reader *r, __u32 n)
{
	r->end.own += n;
	utmem_store_release(&r->page->sq_head, r->end.own); /* B */
}

/* ---- host: completion ---- */

struct utmem_cq_writer {
	struct utmem_ring_end end;
	__u32 published;
	struct utmem_ring_page *page;
	struct utmem_cqe *cqes;
};

static inline void utmem_cq_writer_init(struct utmem_cq_writer *w, void *queue,
					const struct utmem_geometry *geo, __u32 start)
{
	utmem_end_init(&w->end, geo->cq_entries, start);
	w->published = start;
	w->page = (struct utmem_ring_page *)queue;
	w->cqes = (struct utmem_cqe *)((char *)queue + geo->cq_off);
}

/*
 * A later life of the host goes on at @start. How far the guest had reaped is not known: whatever a
 * ring of that size permits is accepted, and a lie costs its author completions.
 */
static inline void utmem_cq_writer_resume(struct utmem_cq_writer *w, void *queue,
					  const struct utmem_geometry *geo, __u32 start)
{
	utmem_cq_writer_init(w, queue, geo, start);
	w->end.peer = start - geo->cq_entries;
}

/*
 * Hand over every filled completion, which may have been done before: never less than the guest
 * has seen. The waiter is to be woken whatever he asked for.
 */
static inline void utmem_cq_republish(struct utmem_cq_writer *w)
{
	w->published = w->end.own;
	utmem_store_release(&w->page->cq_tail, w->published); /* C */
}

/**
 * utmem_cq_room - how many completions fit
 *
 * The host executes no more requests than this: a guest that never reaps stops
 * only its own queue. Return: 0, or -EPROTO when cq_head lies.
 */
static inline int utmem_cq_room(struct utmem_cq_writer *w, __u32 *n)
{
	__u32 head = utmem_load_acquire(&w->page->cq_head); /* D */

	if (utmem_end_accept(&w->end, head, w->published))
		return -EPROTO;
	*n = w->end.entries - (w->end.own - w->end.peer);
	return 0;
}

/* Fill the next completion; the caller has seen room for it. */
static inline void utmem_cq_fill(struct utmem_cq_writer *w, __u64 user_data, __s32 res, __u32 flags)
{
	struct utmem_cqe *cqe = &w->cqes[utmem_slot(&w->end, w->end.own++)];

	cqe->user_data = user_data;
	cqe->res = res;
	cqe->flags = flags;
}

/**
 * utmem_cq_publish - hand every filled completion to the guest
 *
 * Return: true when a waiter asked to be woken by one of them.
 */
static inline bool utmem_cq_publish(struct utmem_cq_writer *w)
{
	__u32 before = w->published, idx;

	if (w->end.own == before)
		return false;
	w->published = w->end.own;
	utmem_store_release(&w->page->cq_tail, w->published); /* C */
	utmem_full_barrier();				      /* G */
	if (!utmem_load_acquire(&w->page->need_wake))
		return false;
	idx = utmem_load_relaxed(&w->page->wake_idx);
	/* idx in (before, published]: each armed wait is signalled by one publish only */
	return idx - before - 1 < w->published - before;
}

/* ---- guest: completion ---- */

struct utmem_cq {
	struct utmem_ring_end end;
	struct utmem_ring_page *page;
	const struct utmem_cqe *cqes;
};

static inline void utmem_cq_init(struct utmem_cq *cq, void *queue, const struct utmem_geometry *geo,
				 __u32 start)
{
	utmem_end_init(&cq->end, geo->cq_entries, start);
	cq->page = (struct utmem_ring_page *)queue;
	cq->cqes = (const struct utmem_cqe *)((char *)queue + geo->cq_off);
}

/* How many completions wait. Return: 0, or -EPROTO. */
static inline int utmem_cq_peek(struct utmem_cq *cq, __u32 *n)
{
	__u32 tail = utmem_load_acquire(&cq->page->cq_tail); /* C */

	if (utmem_end_accept(&cq->end, tail, cq->end.own + cq->end.entries))
		return -EPROTO;
	*n = tail - cq->end.own;
	return 0;
}

/* The @i-th waiting completion (i < what peek said), valid until its release. */
static inline const struct utmem_cqe *utmem_cq_at(const struct utmem_cq *cq, __u32 i)
{
	return &cq->cqes[utmem_slot(&cq->end, cq->end.own + i)];
}

static inline void utmem_cq_release(struct utmem_cq *cq, __u32 n)
{
	cq->end.own += n;
	utmem_store_release(&cq->page->cq_head, cq->end.own); /* D */
}

/* ---- doorbell: a submitter and a host that sleeps ---- */

/**
 * utmem_kick_needed - the sleep of the host that must be ended, or 0: it is awake
 *
 * Guest, after publish. Whoever rings keeps the value and need not ring again while
 * it comes back; who shares that memory with others stores the value after he has
 * rung. Two submitters who ring at once are harmless.
 */
static inline __u32 utmem_kick_needed(const struct utmem_svc_line *svc)
{
	__u32 sleep;

	utmem_full_barrier(); /* E */
	sleep = utmem_load_relaxed(&svc->flags);
	return sleep & UTMEM_SVC_NEED_KICK ? sleep : 0;
}

/* Guest: a guess without a barrier, for who decides how to wait; never whether to ring. */
static inline bool utmem_host_sleeps(const struct utmem_svc_line *svc)
{
	return (utmem_load_relaxed(&svc->flags) & UTMEM_SVC_NEED_KICK) != 0;
}

/**
 * utmem_kick_arm - say that this is going to be sleep number @nr
 * @nr: another one each time, from a count that the host keeps in private memory
 *
 * Host. Every queue must be looked at once more after this, and no doorbell be taken
 * between this and the sleep: it may be the only one that is rung for it.
 */
static inline void utmem_kick_arm(struct utmem_svc_line *svc, __u32 nr)
{
	utmem_store_relaxed(&svc->flags, nr << UTMEM_SVC_SLEEP_SHIFT | UTMEM_SVC_NEED_KICK);
	utmem_full_barrier(); /* F */
}

/* Host: awake. */
static inline void utmem_kick_disarm(struct utmem_svc_line *svc)
{
	utmem_store_relaxed(&svc->flags, 0u);
}

/* ---- wake-up: a waiter and a host that completes ---- */

/*
 * Guest: ask to be woken when cq_tail reaches @idx. It must be looked at once more
 * after this, and only then may the caller sleep. One waiter per queue.
 */
static inline void utmem_wake_arm(struct utmem_ring_page *page, __u32 idx)
{
	utmem_store_relaxed(&page->wake_idx, idx);
	utmem_store_release(&page->need_wake, 1u);
	utmem_full_barrier(); /* H */
}

static inline void utmem_wake_disarm(struct utmem_ring_page *page)
{
	utmem_store_relaxed(&page->need_wake, 0u);
}

/* ---- the driver's look at a queue that a process owns ---- */

/*
 * The driver owns no end of such a queue: it sleeps and wakes on the process's
 * behalf. All four words may lie (two are the process's, two the host's); the
 * answers are clamped so that a lie costs its author a wake-up and no more.
 */
struct utmem_watch {
	__u32 unserved; /* requests without a completion, at most sq_entries */
	__u32 ready;	/* completions not yet reaped, at most cq_entries */
	__u32 coming;	/* as many once all that is submitted is answered, at most cq_entries */
	__u32 cq_head;	/* what utmem_wake_arm() counts from */
	__u32 sq_tail;	/* requests ever submitted */
};

static inline void utmem_watch_read(struct utmem_watch *w, const struct utmem_ring_page *page,
				    const struct utmem_geometry *geo)
{
	__u32 head = utmem_load_acquire(&page->sq_head); /* B */
	__u32 tail = utmem_load_acquire(&page->sq_tail);

	w->unserved = tail - head > geo->sq_entries ? geo->sq_entries : tail - head;
	w->sq_tail = tail;
	w->cq_head = utmem_load_relaxed(&page->cq_head);
	/* One completion for each request: both count from the same 0. */
	w->coming = tail - w->cq_head > geo->cq_entries ? geo->cq_entries : tail - w->cq_head;
	tail = utmem_load_acquire(&page->cq_tail); /* C */
	w->ready = tail - w->cq_head > geo->cq_entries ? geo->cq_entries : tail - w->cq_head;
}

/* ---- a queue's state ---- */

/* Host: end (or open) the queue in the guest's eyes. */
static inline void utmem_state_store(struct utmem_ring_page *page, __u32 state, __s32 error)
{
	utmem_store_relaxed(&page->error, error);
	utmem_store_release(&page->state, state);
}

/* Guest: 0 while LIVE, else the -errno that ended it. */
static inline int utmem_state_error(const struct utmem_ring_page *page)
{
	__s32 error;

	if (utmem_load_acquire(&page->state) == UTMEM_QUEUE_LIVE)
		return 0;
	error = utmem_load_relaxed(&page->error);
	return error < 0 && error >= -4095 ? error : -EPROTO;
}

#ifdef __cplusplus
}
#endif

#endif /* UTMEM_RING_H */
