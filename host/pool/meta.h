/* SPDX-License-Identifier: MIT */
/*
 * What lies beside the arena and says what is in it: which segments hold records, and
 * whose each store is. With it an engine finds its pools again after its process died.
 *
 *	header | segment table | store table
 *
 * Every word that changes is changed by one store; an entry of several words counts from
 * the release store of its state on, which comes last. Zero is "never used". It is
 * sparse: only the pages of entries that were ever used are touched.
 *
 * Owner: host/pool. The engine's thread. Without a meta region every call does nothing.
 */
#ifndef UTMEM_POOL_META_H
#define UTMEM_POOL_META_H

#include "tenant.h"

#define META_MAGIC 0x6174656d6d656d74ull /* "tmemmeta" */
#define META_VERSION 1u
#define META_PAGE 4096u
#define META_STORES_MAX 65536u

/* Explicit values: a word that has lost its meaning is none of them. */
enum meta_closed {
	META_IN_USE = 0x6f70656e,
	META_CLOSED = 0x73687574,
};

struct meta_header {
	/* written once; under the checksum */
	uint64_t magic;
	uint32_t version;
	uint32_t durable; /* 0, 1 */
	uint64_t arena_len;
	uint32_t seg_len, nr_segs;
	uint64_t salt; /* of all checksums here and in the arena: nobody can forge one */
	uint64_t checksum;
	/* one store each */
	_Alignas(64) uint64_t last_pool_id;
	uint32_t seq;	    /* of a value, not long ago */
	uint32_t nr_stores; /* entries of the store table that were ever used */
	uint32_t closed;    /* enum meta_closed */
	uint32_t resv;
};
_Static_assert(sizeof(struct meta_header) <= META_PAGE, "the header is the first page");

/* A word of the segment table: state (8 bits) | head (4) | ephemeral (1) | when it was opened (48). */
enum meta_segment {
	META_SEGMENT_FREE = 1, /* as is 0: nothing in it counts */
	META_SEGMENT_FULL = 2,
	META_SEGMENT_OPEN = 3,	/* a head appends to it */
	META_SEGMENT_CLEAN = 4, /* the cleaner's cursor is in it */
	META_SEGMENT_DROP = 5,	/* the dropping one is */
};
#define META_SEGMENT_STATE 0xffull
#define META_SEGMENT_HEAD_SHIFT 8
#define META_SEGMENT_HEAD 0xfull
#define META_SEGMENT_EPHEMERAL (1ull << 12)
#define META_SEGMENT_WHEN_SHIFT 16

enum meta_store_state {
	META_STORE_FREE = 0x66726565,
	META_STORE_LIVE = 0x6c697665,	  /* its pool's, unless a younger one is */
	META_STORE_EMPTYING = 0x656d7074, /* the same, and none of its records counts */
	META_STORE_INCOMING =
		0x696e636f, /* a restore's, not yet its pool's: as DYING to who comes next */
	META_STORE_DYING = 0x6479696e, /* none of its records counts; they are yet to be buried */
};

/* What a store holds the values of: all that is needed to make the pool again. */
struct meta_store {
	uint32_t state;	   /* enum meta_store_state; not under the checksum */
	uint32_t kind;	   /* META_KIND_* */
	uint64_t checksum; /* of all that follows but the options, and kind */
	uint64_t serial;   /* no other store of the arena has or had it; the younger one has more */
	uint64_t pool_id;
	uint32_t owner;
	uint32_t resv;
	char tenant[UTMEM_POOL_NAME_LEN];
	char pool[UTMEM_POOL_NAME_LEN];
	/* may change: compress (2 bits) | dedup (1) | compress_least (29) | checksum of these (32) */
	uint64_t options;
	uint8_t more[80];
};
_Static_assert(sizeof(struct meta_store) == 256, "an entry lies within a sector of the disk");

#define META_KIND_EPHEMERAL 1u
#define META_KIND_SHARED 2u
#define META_KIND_GUEST_SHARED 4u

/* The engine's view of it. */
struct meta {
	struct meta_header *hdr; /* NULL: there is none */
	uint64_t *segs;
	struct meta_store *stores;
	bool found; /* it had been formatted */
	bool begun; /* from here on it is written */
	bool durable;
	uint64_t salt;
	uint64_t last_serial; /* of a store */
	uint64_t nr_opened;   /* segments, ever */
};

/*
 * Look at what is there, and change nothing: 0, -EINVAL (its length, or that of the arena),
 * -EUCLEAN (damaged), -EPROTONOSUPPORT (newer).
 */
int utpool_meta_init(struct meta *m, const struct utmem_memory *mem);
/* Format it, if it is new. From here on it says that it is in use, and every call below counts. 0. */
int utpool_meta_begin(struct meta *m, const struct utmem_memory *mem);
/* The engine is closed in good order. */
void utpool_meta_end(struct meta *m);

/* A segment's state (but for OPEN); the same again costs nothing. */
void utpool_meta_segment(struct meta *m, uint32_t idx, enum meta_segment state);
void utpool_meta_segment_open(struct meta *m, uint32_t idx, uint32_t head, bool ephemeral);

void utpool_meta_pool_id(struct meta *m, uint64_t last);
void utpool_meta_seq(struct meta *m, uint32_t seq);

/* Store @id is a new content of @p, and has that serial. */
void utpool_meta_store_add(struct meta *m, uint32_t id, uint64_t serial,
			   const struct utmem_pool *p);
/* Its pool's options. */
void utpool_meta_store_options(struct meta *m, uint32_t id, const struct utmem_pool_options *o);
struct utmem_pool_options utpool_meta_options(const struct meta_store *entry);
void utpool_meta_store_state(struct meta *m, uint32_t id, enum meta_store_state state);
/* Write the checksums of an entry. Is what it says whole? */
void utpool_meta_store_seal(const struct meta *m, struct meta_store *st);
bool utpool_meta_store_valid(const struct meta *m, const struct meta_store *st);

#endif /* UTMEM_POOL_META_H */
