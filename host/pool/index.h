/* SPDX-License-Identifier: MIT */
/*
 * Key hash -> record, in 8 bytes each.
 *
 * Owner: host/pool; each store has one. An extendible hash table: a directory of
 * leaves by the hash's first bits; a leaf is a few cache-line buckets of 8 entries.
 * An entry lies in one of two buckets of its leaf (the emptier one when it came),
 * which its fingerprint names, so a leaf is rearranged without reading a record. A
 * leaf that is full is replaced by one a quarter larger; beyond LEAF_BUCKETS_MAX by
 * two. So no call moves more than one leaf, and 76 .. 95 % of the slots are in use.
 *
 * Fingerprints are hints: find() always compares the key. The engine's thread.
 */
#ifndef UTMEM_POOL_INDEX_H
#define UTMEM_POOL_INDEX_H

#include "log.h"
#include "record.h"
#include "tenant.h"

/* An entry: valid (1 bit) | fingerprint (25) | offset / RECORD_ALIGN (38). */
#define INDEX_LOC_BITS 38
#define INDEX_FP_BITS 25
#define INDEX_ARENA_MAX ((uint64_t)RECORD_ALIGN << INDEX_LOC_BITS) /* 1 TiB */

#define BUCKET_SLOTS 8u
#define LEAF_BUCKETS_MAX 128u
#define INDEX_DEPTH_MAX 28u
#define INDEX_LEAF_MAX (2 * LEAF_BUCKETS_MAX * BUCKET_SLOTS) /* entries of a leaf: never more */

struct bucket {
	uint64_t slot[BUCKET_SLOTS]; /* 0: free, as the valid bit says */
};

struct leaf {
	uint32_t nr_buckets;
	uint32_t nr_items;
	uint32_t depth; /* so many first bits do all its hashes share */
	_Alignas(64) struct bucket bucket[];
};

/* A leaf's size stands here too: a look-up that need not touch the leaf's first line for it is faster. */
struct index_dir {
	struct leaf *leaf;
	uint32_t nr_buckets;
};

struct index {
	struct utmem_engine *engine;
	const struct log *log;
	struct index_dir *dir; /* 1 << depth */
	uint32_t depth;
	uint64_t nr_exited; /* slots of dir whose leaves exit() has freed */
};

/* Where a scan goes on. Zero is the beginning. */
struct index_hand {
	uint64_t prefix; /* a hash of the leaf */
	uint32_t bucket;
};

int utpool_index_init(struct index *ix, struct utmem_engine *e, const struct log *log);
/* Free about @nr leaves; true when all is gone (dir is NULL then). */
bool utpool_index_exit(struct index *ix, uint32_t nr);

/* The same as index_find() below, without a look at the hint. */
uint64_t *utpool_index_search(const struct index *ix, const struct utmem_key *key);
/* The slot that holds exactly (@hash, @off), or NULL. */
uint64_t *utpool_index_find_at(const struct index *ix, uint64_t hash, uint64_t off);
/* Add an entry for a key that is not there. 0, -ENOSPC when no memory was to be had. */
int utpool_index_insert(struct index *ix, uint64_t hash, uint64_t off);
/* Make an empty index as large as @nr items want it. -ENOMEM: it is as before. */
int utpool_index_reserve(struct index *ix, uint64_t nr);
/* Ask for the buckets of @hash; the slot of a record with the same key as the one at @off, or NULL. */
void utpool_index_prefetch_hash(const struct index *ix, uint64_t hash);
uint64_t *utpool_index_find_same(const struct index *ix, uint64_t hash, uint64_t off);
void utpool_index_remove(struct index *ix, uint64_t hash, uint64_t *slot);
/* The first slot in use, of an index that is not empty and has one leaf (which any hash leads to). */
uint64_t *utpool_index_first(const struct index *ix);

/*
 * The offsets in the bucket at @hand, which goes on to the next one and around.
 * Return: how many. *leaf_end is set when that was the last bucket of a leaf.
 */
uint32_t utpool_index_scan(const struct index *ix, struct index_hand *hand,
			   uint64_t off[BUCKET_SLOTS], bool *leaf_end);

/*
 * The hashes of a leaf, in no order: the one that @hash leads to. *last is the highest hash that
 * does. Return: how many.
 */
uint32_t utpool_index_hashes(const struct index *ix, uint64_t hash, uint64_t out[INDEX_LEAF_MAX],
			     uint64_t *last);
/* The offsets of all records whose keys have that hash. Return: how many. */
uint32_t utpool_index_find_hash(const struct index *ix, uint64_t hash,
				uint64_t off[2 * BUCKET_SLOTS]);

/*
 * Ask for the buckets where @key may be, then for its record with the first @len bytes of the
 * value. Both leave what they found in the key's hint.
 */
void utpool_index_prefetch(const struct index *ix, struct utmem_key *key);
void utpool_index_prefetch_record(const struct index *ix, struct utmem_key *key, uint32_t len);

static inline uint64_t index_entry(uint64_t hash, uint64_t off)
{
	uint64_t fp = hash & ((1ull << INDEX_FP_BITS) - 1);

	return 1ull << 63 | fp << INDEX_LOC_BITS | off / RECORD_ALIGN;
}

static inline uint64_t index_off(uint64_t entry)
{
	return (entry & ((1ull << INDEX_LOC_BITS) - 1)) * RECORD_ALIGN;
}

/* What find() looks for: valid bit and fingerprint. */
static inline uint32_t index_tag(uint64_t entry)
{
	return (uint32_t)(entry >> INDEX_LOC_BITS);
}

static inline bool index_slot_has(const struct index *ix, uint64_t entry,
				  const struct utmem_key *key)
{
	return index_tag(entry) == index_tag(index_entry(key->hash, 0)) &&
	       record_has_key(log_record(ix->log, index_off(entry)), key);
}

/* No leaf was freed since: the buckets and the slot of the hint are still where the key may be. */
static inline bool index_hint_valid(const struct index *ix, const struct utmem_key_hint *hint)
{
	return hint->owner == ix && hint->age == ix->engine->index_age;
}

/* The slot of @key, valid until the next change to the index; or NULL. */
static inline uint64_t *index_find(const struct index *ix, const struct utmem_key *key)
{
	uint64_t *slot = (uint64_t *)key->hint.slot;

	if (index_hint_valid(ix, &key->hint) && slot && index_slot_has(ix, *slot, key))
		return slot;
	return utpool_index_search(ix, key);
}

#endif /* UTMEM_POOL_INDEX_H */
