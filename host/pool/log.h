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

#include "failpoint.h"
#include "list.h"
#include "meta.h"
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
/*
 * Calls of maintain after which the number of segments opened meanwhile is what is kept
 * ready. A polling host calls it every 50 ns or more: what is kept longer than some ms
 * of idleness is not needed. At most so large a part of the arena is kept.
 */
#define LOG_EPOCH_TICKS 32768u
#define LOG_KEEP_PART 4u
/*
 * After so many calls in a row between which nothing came, each counts as many: an idle
 * engine has given back what it kept, and can be left alone, after some 800 calls.
 */
#define LOG_IDLE_CALLS 256u
#define LOG_IDLE_TICKS (LOG_EPOCH_TICKS / 256)
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
	uint32_t life;	  /* how often it was freed */
	uint32_t looked;  /* bytes of fill in which nothing is left to be packed or shared */
	uint32_t rests;	  /* the epoch in which this is not to be done (again); 0: any time */
	uint8_t state;
	bool ephemeral;
};

struct log {
	struct utmem_engine *engine;
	struct meta *meta; /* knows the segments too */
	uint8_t *base;
	struct segment *segs;
	uint32_t nr_segs, seg_len, seg_shift;
	uint32_t record_max;  /* bytes */
	uint32_t trailer_len; /* of every record: its checksum, in a durable arena */
	uint32_t nr_free, nr_hot;
	uint32_t nr_ticks, nr_opened; /* since the epoch began */
	uint32_t epoch;		      /* never 0 */
	uint32_t nr_idle;	      /* calls in a row, LOG_IDLE_CALLS at most */
	uint32_t demand;	      /* nr_opened of the epoch before */
	uint64_t owed_bytes;	      /* to be given back, whatever the demand */
	uint64_t released_bytes;      /* ever */
	uint32_t low_water; /* below this many free segments, cleaning goes with every put */
	struct list hot, cold;
	struct list full[LOG_CLASSES]; /* sparsest first */
	uint64_t full_mask;	       /* a class whose bit is not set has no segment */
	struct list aged;	       /* oldest first */
	struct segment *heads[LOG_HEADS];
	uint64_t appended_bytes; /* ever, copies by the cleaner included */
	uint64_t freed_bytes;	 /* of these, in segments that were freed since */
	uint64_t live_bytes;	 /* of the others, not marked dead */
	uint64_t capacity_bytes; /* so much may live: the rest keeps cleaning cheap */
};

/* How long segments of an arena of that length are: 1 << shift. */
uint32_t utpool_log_segment_shift(uint64_t arena_len);

/* -EINVAL: the arena is too small for LOG_SEGMENTS_LEAST; -E2BIG; -ENOMEM. */
int utpool_log_init(struct log *log, struct utmem_engine *e, struct meta *meta);
void utpool_log_exit(struct log *log);

/* Open another segment for @head, with log_append() below. False: none is to be had. */
bool utpool_log_open(struct log *log, enum log_head head);
/* End the open segment of @head, if it has one. */
void utpool_log_close(struct log *log, enum log_head head);

/* The full segment with the least life, or NULL when none would give back @gain bytes. */
struct segment *utpool_log_sparsest(struct log *log, uint32_t gain);
/* Take a full segment to empty it, out of every list; or only keep it from being freed. */
void utpool_log_take(struct segment *seg);
void utpool_log_pin(struct segment *seg);
/* Where it belongs: the class of its life, or free when nothing in it lives. */
void utpool_log_file(struct log *log, struct segment *seg);

/*
 * Give one free segment's pages back to the host; false when few enough are kept. About
 * as many are as were lately opened: releasing and faulting in again costs 200 us a MiB.
 */
bool utpool_log_release(struct log *log);
/* The same, even if none is then kept. */
bool utpool_log_give_back(struct log *log);
/* @bytes of what is freed from now on are to be given back and not kept, unless they find a use before. */
void utpool_log_owe(struct log *log, uint64_t bytes);
/* A moment has passed (@idle: and nothing came): LOG_EPOCH_TICKS of them are what "lately" means. */
void utpool_log_tick(struct log *log, bool idle);
/* Will later ticks let a segment be released? */
bool utpool_log_keeps_spare(const struct log *log);

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

/* Bytes in the arena of a record with that key and payload. */
static inline uint32_t log_record_size(const struct log *log, uint32_t key_len,
				       uint32_t payload_len)
{
	return record_size(key_len, payload_len) + log->trailer_len;
}

/* The same of a record that is there. */
static inline uint32_t log_record_len(const struct log *log, const struct record *r)
{
	return log_record_size(log, r->key_len, record_payload_len(r));
}

static inline uint32_t segment_live(const struct segment *seg)
{
	return seg->fill - seg->dead;
}

/* Bytes in segments that are not free. */
static inline uint64_t log_filled(const struct log *log)
{
	return log->appended_bytes - log->freed_bytes;
}

static inline uint32_t log_class(const struct log *log, uint32_t live)
{
	return (uint32_t)((uint64_t)live * (LOG_CLASSES - 1) >> log->seg_shift);
}

/* Room for a record of @len bytes, to be written at once. LOG_NONE: no segment is to be had. */
static inline uint64_t log_append(struct log *log, enum log_head head, uint32_t len)
{
	struct segment *seg = log->heads[head];
	uint64_t off;

	if (!seg || seg->fill + len > log->seg_len) {
		if (!utpool_log_open(log, head))
			return LOG_NONE;
		seg = log->heads[head];
	}
	off = log_segment_off(log, seg) + seg->fill;
	seg->fill += len;
	/* old bytes may lie there: the end of the segment's records goes on before the record is valid */
	if (seg->fill < log->seg_len)
		log_record(log, off + len)->head = 0;
	log->appended_bytes += len;
	log->live_bytes += len;
	return off;
}

/* Mark a live record of @len bytes dead. A full segment without any life is free from here on. */
static inline void log_bury(struct log *log, uint64_t off, uint32_t len)
{
	struct segment *seg = log_segment(log, off);
	uint32_t live = segment_live(seg) - len;

	UTMEM_FAIL_POINT("pool_bury");
	log_record(log, off)->state = RECORD_DEAD;
	UTMEM_FAIL_POINT("pool_buried");
	seg->dead += len;
	log->live_bytes -= len;
	if (seg->state == SEGMENT_FULL &&
	    (!live || log_class(log, live) != log_class(log, live + len)))
		utpool_log_file(log, seg);
}

#endif /* UTMEM_POOL_LOG_H */
