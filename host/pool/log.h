/* SPDX-License-Identifier: MIT */
/*
 * The arena as a log: segments, the open ones that records are appended to, and how
 * much of each is still alive.
 *
 * Owner: host/pool. It knows lengths and offsets, not what a record means; who cleans
 * what, and when, is clean.c. The engine's thread.
 *
 *	free (hot: pages present | cold: pages given back)
 *	  -> open (a head) -> full -> [taken by the cleaner] -> free
 */
#ifndef UTMEM_POOL_LOG_H
#define UTMEM_POOL_LOG_H

#include "list.h"
#include "record.h"
#include "tenant.h"

#define LOG_SEGMENT_MIN (64u << 10)
#define LOG_SEGMENT_MAX (2u << 20)
/* Small arenas have small segments: about this many, so that a few open ones are no loss. */
#define LOG_SEGMENTS_WANTED 128u
#define LOG_SEGMENTS_LEAST 16u
/* The longest record, as a part of a segment: bounds what the end of a segment wastes. */
#define LOG_RECORDS_PER_SEGMENT 16u
/* Only the cleaner may take these: each of its two cursors may need one to go on. */
#define LOG_RESERVE 2u
/* Full segments are sorted by how much of them is alive, in so many steps. */
#define LOG_CLASSES 64u

#define LOG_NONE UINT64_MAX

/* New records and cleaned (older) ones, of persistent and of ephemeral pools, do not mix. */
enum log_head {
	LOG_PUT,
	LOG_PUT_EPHEMERAL,
	LOG_CLEAN,
	LOG_CLEAN_EPHEMERAL,
	LOG_HEADS,
};

enum segment_state {
	SEGMENT_FREE,
	SEGMENT_OPEN,
	SEGMENT_FULL,
	SEGMENT_TAKEN, /* by the cleaner */
};

struct segment {
	struct list link; /* a free list, or log->full[class] */
	struct list age;  /* log->aged: full and ephemeral */
	uint32_t fill;	  /* bytes appended */
	uint32_t dead;	  /* bytes of them that are dead */
	uint8_t state;
	bool ephemeral;
};

struct log {
	struct utmem_engine *engine;
	uint8_t *base;
	struct segment *segs;
	uint32_t nr_segs, seg_len, seg_shift;
	uint32_t record_max; /* bytes */
	uint32_t nr_free, nr_hot;
	uint32_t low_water; /* below this many free segments, cleaning goes with every put */
	struct list hot, cold;
	struct list full[LOG_CLASSES]; /* sparsest first */
	struct list aged;	       /* oldest first */
	struct segment *heads[LOG_HEADS];
	uint64_t filled_bytes;	 /* appended, in all segments */
	uint64_t live_bytes;	 /* of these, not marked dead */
	uint64_t capacity_bytes; /* so much may live: the rest keeps cleaning cheap */
};

/* -EINVAL: the arena is too small for LOG_SEGMENTS_LEAST; -E2BIG; -ENOMEM. */
int utpool_log_init(struct log *log, struct utmem_engine *e);
void utpool_log_exit(struct log *log);

/* Room for a record of @len bytes, to be written at once. LOG_NONE: no segment is to be had. */
uint64_t utpool_log_append(struct log *log, enum log_head head, uint32_t len);
/* Mark a live record dead. A full segment without any life is free from here on. */
void utpool_log_bury(struct log *log, uint64_t off);
/* End the open segment of @head, if it has one. */
void utpool_log_close(struct log *log, enum log_head head);

/* The full segment with the least life, or NULL when none would give back @gain bytes. */
struct segment *utpool_log_sparsest(struct log *log, uint32_t gain);
/* Take a full segment to empty it, out of every list; or only keep it from being freed. */
void utpool_log_take(struct segment *seg);
void utpool_log_pin(struct segment *seg);
/* Where it belongs: the class of its life, or free when nothing in it lives. */
void utpool_log_file(struct log *log, struct segment *seg);

/* Give one free segment's pages back to the host; false when few enough are kept. */
bool utpool_log_release(struct log *log);

static inline struct record *log_record(const struct log *log, uint64_t off)
{
	return (struct record *)(log->base + off);
}

static inline struct segment *log_segment(const struct log *log, uint64_t off)
{
	return &log->segs[off >> log->seg_shift];
}

static inline uint64_t log_segment_off(const struct log *log, const struct segment *seg)
{
	return (uint64_t)(seg - log->segs) << log->seg_shift;
}

static inline uint32_t segment_live(const struct segment *seg)
{
	return seg->fill - seg->dead;
}

#endif /* UTMEM_POOL_LOG_H */
