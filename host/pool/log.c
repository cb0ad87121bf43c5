// SPDX-License-Identifier: MIT
/*
 * The arena as a log of segments: append, bury, and which segment is how full.
 * Called by put, large values and the cleaner, on the engine's thread.
 */
#include <errno.h>

#include "index.h"
#include "log.h"
#include "seal.h"

uint32_t utpool_log_segment_shift(uint64_t arena_len)
{
	uint32_t shift = __builtin_ctz(LOG_SEGMENT_MIN);

	while ((1u << shift) < LOG_SEGMENT_MAX &&
	       ((uint64_t)LOG_SEGMENTS_WANTED << (shift + 1)) <= arena_len)
		shift++;
	return shift;
}

/*
 * What may live is less than the arena: the reserve, what open segments have not yet
 * filled, the ends of segments, and dead bytes for the cleaner to gain from: a tenth of a
 * large arena. (With 1/32, cleaning a persistent pool copied 15 bytes for each one put.)
 */
static uint64_t capacity(const struct log *log)
{
	uint32_t nr = log->nr_segs - LOG_RESERVE - LOG_HEADS;
	uint64_t most = ((uint64_t)nr << log->seg_shift) / 32 * 31;
	uint64_t cheap = ((uint64_t)log->nr_segs << log->seg_shift) / 10 * 9;

	return most < cheap ? most : cheap;
}

int utpool_log_init(struct log *log, struct utmem_engine *e, struct meta *meta)
{
	uint64_t len = e->mem.arena_len;
	uint32_t i;

	memset(log, 0, sizeof(*log));
	if (len > INDEX_ARENA_MAX)
		return -E2BIG;
	if (len / LOG_SEGMENT_MIN < LOG_SEGMENTS_LEAST)
		return -EINVAL;
	log->engine = e;
	log->meta = meta;
	log->trailer_len = meta->durable ? SEAL_LEN : 0;
	log->base = e->mem.arena;
	log->seg_shift = utpool_log_segment_shift(len);
	log->seg_len = 1u << log->seg_shift;
	log->nr_segs = (uint32_t)(len >> log->seg_shift);
	log->record_max = log->seg_len / LOG_RECORDS_PER_SEGMENT;
	log->low_water = LOG_RESERVE + 1 + log->nr_segs / 128;
	log->capacity_bytes = capacity(log);
	log->segs = utpool_alloc(e, log->nr_segs * sizeof(*log->segs), _Alignof(struct segment));
	if (!log->segs)
		return -ENOMEM;

	list_init(&log->hot);
	list_init(&log->cold);
	list_init(&log->aged);
	for (i = 0; i < LOG_CLASSES; i++)
		list_init(&log->full[i]);
	for (i = 0; i < log->nr_segs; i++) {
		memset(&log->segs[i], 0, sizeof(log->segs[i]));
		list_init(&log->segs[i].age);
		list_add_tail(&log->cold, &log->segs[i].link);
	}
	log->nr_free = log->nr_segs;
	log->epoch = 1;
	return 0;
}

void utpool_log_exit(struct log *log)
{
	utpool_free(log->engine, log->segs, log->nr_segs * sizeof(*log->segs));
}

static uint32_t segment_idx(const struct log *log, const struct segment *seg)
{
	return (uint32_t)(seg - log->segs);
}

static void segment_free(struct log *log, struct segment *seg)
{
	utpool_meta_segment(log->meta, segment_idx(log, seg), META_SEGMENT_FREE);
	list_del(&seg->link);
	list_del(&seg->age);
	log->freed_bytes += seg->fill;
	seg->fill = 0;
	seg->dead = 0;
	seg->looked = 0;
	seg->rests = 0;
	seg->life++;
	seg->state = SEGMENT_FREE;
	list_add_head(&log->hot, &seg->link);
	log->nr_hot++;
	log->nr_free++;
}

void utpool_log_file(struct log *log, struct segment *seg)
{
	uint32_t class = log_class(log, segment_live(seg));

	if (!segment_live(seg)) {
		segment_free(log, seg);
		return;
	}
	utpool_meta_segment(log->meta, segment_idx(log, seg), META_SEGMENT_FULL);
	seg->state = SEGMENT_FULL;
	list_del(&seg->link);
	list_add_tail(&log->full[class], &seg->link);
	log->full_mask |= 1ull << class;
}

void utpool_log_close(struct log *log, enum log_head head)
{
	struct segment *seg = log->heads[head];

	if (!seg)
		return;
	log->heads[head] = NULL;
	if (seg->ephemeral)
		list_add_tail(&log->aged, &seg->age);
	utpool_log_file(log, seg);
}

static bool may_open(const struct log *log, enum log_head head)
{
	bool cleaning = head == LOG_CLEAN || head == LOG_CLEAN_EPHEMERAL;

	return log->nr_free > (cleaning ? 0 : LOG_RESERVE);
}

void utpool_log_owe(struct log *log, uint64_t bytes)
{
	log->owed_bytes += bytes;
	if (log->owed_bytes > (uint64_t)log->nr_segs << log->seg_shift)
		log->owed_bytes = (uint64_t)log->nr_segs << log->seg_shift;
}

/* A segment of what is owed went back, or found a use. */
static void pay(struct log *log)
{
	log->owed_bytes -= log->owed_bytes < log->seg_len ? log->owed_bytes : log->seg_len;
}

/* Present pages first: a fault costs more than a copy. */
static void open_segment(struct log *log, enum log_head head)
{
	bool hot = !list_empty(&log->hot);
	struct list *l = list_after(hot ? &log->hot : &log->cold, NULL);
	struct segment *seg = list_entry(l, struct segment, link);

	list_del(l);
	log->nr_free--;
	log->nr_hot -= hot;
	if (hot)
		pay(log);
	log->nr_opened++;
	seg->state = SEGMENT_OPEN;
	seg->ephemeral = head == LOG_PUT_EPHEMERAL || head == LOG_CLEAN_EPHEMERAL;
	log->heads[head] = seg;
	if (!hot && log->engine->mem.prepare)
		log->engine->mem.prepare(log->engine->mem.ctx, log_segment_off(log, seg),
					 log->seg_len);
	log_record(log, log_segment_off(log, seg))->head = 0; /* what was in it has no beginning */
	utpool_meta_segment_open(log->meta, segment_idx(log, seg), head, seg->ephemeral);
}

bool utpool_log_open(struct log *log, enum log_head head)
{
	if (!may_open(log, head))
		return false;
	utpool_log_close(log, head);
	open_segment(log, head);
	return true;
}

struct segment *utpool_log_sparsest(struct log *log, uint32_t gain)
{
	struct segment *seg;
	struct list *l;

	for (; log->full_mask; log->full_mask &= log->full_mask - 1) {
		l = list_after(&log->full[__builtin_ctzll(log->full_mask)], NULL);
		if (!l)
			continue;
		seg = list_entry(l, struct segment, link);
		return log->seg_len - segment_live(seg) >= gain ? seg : NULL;
	}
	return NULL;
}

void utpool_log_take(struct segment *seg)
{
	list_del(&seg->link);
	list_del(&seg->age);
	seg->state = SEGMENT_TAKEN;
}

void utpool_log_pin(struct segment *seg)
{
	seg->state = SEGMENT_TAKEN;
}

void utpool_log_tick(struct log *log, bool idle)
{
	if (!idle)
		log->nr_idle = 0;
	else if (log->nr_idle < LOG_IDLE_CALLS)
		log->nr_idle++;
	log->nr_ticks += log->nr_idle < LOG_IDLE_CALLS ? 1 : LOG_IDLE_TICKS;
	if (log->nr_ticks < LOG_EPOCH_TICKS)
		return;
	log->epoch += log->epoch == UINT32_MAX ? 2 : 1;
	log->demand = log->nr_opened;
	log->nr_opened = 0;
	log->nr_ticks = 0;
}

/* Some stay in any case: what is freed now is filled again a moment later. */
static uint32_t keep_least(const struct log *log)
{
	return 2 * log->low_water;
}

static uint32_t keep_now(const struct log *log)
{
	uint32_t lately = log->demand > log->nr_opened ? log->demand : log->nr_opened;
	uint32_t most = log->nr_segs / LOG_KEEP_PART;

	return keep_least(log) + (lately < most ? lately : most);
}

bool utpool_log_keeps_spare(const struct log *log)
{
	return log->nr_hot > keep_least(log);
}

bool utpool_log_release(struct log *log)
{
	if (log->nr_hot <= keep_now(log) &&
	    (log->owed_bytes < log->seg_len || log->nr_hot <= keep_least(log)))
		return false;
	return utpool_log_give_back(log);
}

bool utpool_log_give_back(struct log *log)
{
	struct segment *seg;

	if (!log->nr_hot)
		return false;
	seg = list_entry(log->hot.prev, struct segment, link);
	list_del(&seg->link);
	list_add_head(&log->cold, &seg->link);
	log->nr_hot--;
	log->released_bytes += log->seg_len;
	pay(log);
	if (log->engine->mem.release)
		log->engine->mem.release(log->engine->mem.ctx, log_segment_off(log, seg),
					 log->seg_len);
	return true;
}
