/* SPDX-License-Identifier: MIT */
/*
 * What lies in the arena: records, one after the other.
 *
 *	VALUE	header | key | value
 *	LARGE	header | key | struct large_ref; several may share one
 *	STREAM	header | key | struct stream_ref: a large value that is not yet whole
 *	CHUNK	header | struct chunk_id | a part of a large or shared value
 *
 * The value of a packed VALUE or CHUNK is a struct packed_head and what a compressor made
 * of it (pack.c).
 *
 * and, in a durable arena, a checksum of 4 bytes at the end (seal.c).
 *
 * A record becomes valid by the release store of its first word, after all the rest; until
 * then that word is zero, as is the one after the last record of a segment. So whoever
 * walks over it sees whole records, and where they end, at every moment. Afterwards only
 * `state` and `used` change (and the bytes of a chunk of a value that is not yet whole).
 *
 * Owner: host/pool. Nothing in a record is a pointer. The engine's thread.
 */
#ifndef UTMEM_POOL_RECORD_H
#define UTMEM_POOL_RECORD_H

#include <string.h>

#include "pool.h"

#define RECORD_ALIGN 4u

enum record_state {
	RECORD_LIVE = 1,
	RECORD_DEAD = 2, /* overwritten, deleted, evicted or moved: to be cleaned */
};

enum record_type {
	RECORD_VALUE = 1,
	RECORD_LARGE = 2,
	RECORD_CHUNK = 3,
	RECORD_STREAM = 4,
};

struct record {
	union {
		uint32_t head; /* 0: nothing is here (yet) */
		struct {
			uint32_t state : 2;
			uint32_t value_len : 30; /* of the whole value; of a CHUNK: of its part;
						    of one that is packed: as stored */
		};
	};
	uint32_t seq; /* grows with each new value of the engine, and wraps; of a CHUNK: its
				value's birth */
	uint32_t type : 3;
	uint32_t used : 1;   /* read since eviction or a look for cold values last came by */
	uint32_t packed : 1; /* value_len bytes are a struct packed_head and what follows */
	uint32_t store : 16; /* id of the struct store it belongs to; not in CHUNK and STREAM */
	uint32_t key_len : 11;
};
_Static_assert(sizeof(struct record) == 12, "a record header costs 12 bytes per value");
_Static_assert(UTMEM_POOL_VALUE_MAX < 1u << 30, "value_len holds every length");
_Static_assert(UTMEM_POOL_KEY_MAX < 1u << 11, "key_len holds every length");

/* What a reader is told of seq: the same for two reads only if they saw the same value. */
#define RECORD_VERSION_MASK 0xffffffu

/* How a packed value begins. */
struct packed_head {
	uint32_t full_len : 30; /* of the value that was packed */
	uint32_t algorithm : 2; /* enum utmem_compress */
};
_Static_assert(sizeof(struct packed_head) == 4, "a packed value costs 4 bytes more");

/* A chunk's key: which large value it belongs to, and where in it. */
struct chunk_id {
	uint32_t large;
	uint32_t no;
};

/* Which struct large has the chunks. Its id is given out again, but with another birth. */
struct large_ref {
	uint32_t id;
	uint32_t birth;
};

struct stream_ref {
	struct large_ref large;
	uint64_t pool_id; /* a pool may be flushed, and have another store, before the commit */
};

static inline uint8_t *record_key(struct record *r)
{
	return (uint8_t *)(r + 1);
}

static inline uint8_t *record_value(struct record *r)
{
	return record_key(r) + r->key_len;
}

static inline uint32_t record_round(uint64_t len)
{
	return (uint32_t)((len + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1));
}

/* Bytes in the arena of a record with that key and payload, without a checksum. */
static inline uint32_t record_size(uint32_t key_len, uint32_t payload_len)
{
	return record_round(sizeof(struct record) + (uint64_t)key_len + payload_len);
}

/* Bytes after the key. */
static inline uint32_t record_payload_len(const struct record *r)
{
	if (r->type == RECORD_LARGE)
		return sizeof(struct large_ref);
	return r->type == RECORD_STREAM ? sizeof(struct stream_ref) : r->value_len;
}

/* Does a key of a store lead to it? */
static inline bool record_has_store(const struct record *r)
{
	return r->type == RECORD_VALUE || r->type == RECORD_LARGE;
}

/* All the rest is written: from here on it is valid. */
static inline void record_publish(struct record *r, uint32_t value_len)
{
	__atomic_store_n(&r->head, RECORD_LIVE | value_len << 2, __ATOMIC_RELEASE);
}

static inline uint64_t load_word(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Most keys are 8 .. 32 bytes long: two or four words, that may overlap, are faster than a call. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (len < 8 || len > 32) {
		memcpy(to, from, len);
		return;
	}
	if (len > 16) {
		memcpy(to + 8, from + 8, 8);
		memcpy(to + len - 16, from + len - 16, 8);
	}
	memcpy(to, from, 8);
	memcpy(to + len - 8, from + len - 8, 8);
}

static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint64_t diff;

	if (len < 8 || len > 32)
		return !memcmp(a, b, len);
	diff = load_word(a) ^ load_word(b);
	diff |= load_word(a + len - 8) ^ load_word(b + len - 8);
	if (len > 16) {
		diff |= load_word(a + 8) ^ load_word(b + 8);
		diff |= load_word(a + len - 16) ^ load_word(b + len - 16);
	}
	return !diff;
}

static inline bool record_has_key(struct record *r, const struct utmem_key *key)
{
	return r->key_len == key->len &&
	       bytes_equal(record_key(r), (const uint8_t *)key->data, key->len);
}

/* What a packed record says of itself: to be checked. Keys end anywhere, so it is not aligned. */
static inline struct packed_head record_packed_head(struct record *r)
{
	struct packed_head head;

	memcpy(&head, record_value(r), sizeof(head));
	return head;
}

/* Bytes of the value (or part) that whoever put it sees. */
static inline uint32_t record_full_len(struct record *r)
{
	if (!r->packed || r->value_len < sizeof(struct packed_head))
		return r->value_len;
	return record_packed_head(r).full_len;
}

/* A VALUE as it was put. */
static inline bool record_is_plain(const struct record *r)
{
	return r->type == RECORD_VALUE && !r->packed;
}

/* In a LARGE or STREAM; keys end anywhere, so it is not aligned. */
static inline struct large_ref record_large(struct record *r)
{
	struct large_ref ref;

	memcpy(&ref, record_value(r), sizeof(ref));
	return ref;
}

static inline struct chunk_id record_chunk(struct record *r)
{
	struct chunk_id id;

	memcpy(&id, record_key(r), sizeof(id));
	return id;
}

#endif /* UTMEM_POOL_RECORD_H */
