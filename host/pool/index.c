// SPDX-License-Identifier: MIT
/*
 * Key hash -> record: an extendible hash table of small leaves.
 * Called by stores (put, get, eviction, cleaner), on the engine's thread.
 */
#include <errno.h>

#include "index.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Replaced leaves are made this full: 6 of 8 slots. */
#define LEAF_FILL 6u
/* A leaf whose buckets hold fewer than this on average is replaced by a smaller one. */
#define LEAF_SPARSE 2u
/* How often a leaf is made larger still when an unlucky set of hashes does not fit. */
#define LEAF_TRIES 4u

/* Of a longer value the processor's own prefetcher sees the rest coming. */
#define PREFETCH_VALUE_MOST 128u

static size_t leaf_size(uint32_t nr_buckets)
{
	return sizeof(struct leaf) + nr_buckets * sizeof(struct bucket);
}

static size_t dir_size(uint32_t depth)
{
	return sizeof(struct index_dir) << depth;
}

static struct leaf *leaf_alloc(struct utmem_engine *e, uint32_t nr_buckets, uint32_t depth)
{
	struct leaf *leaf = utpool_alloc(e, leaf_size(nr_buckets), _Alignof(struct leaf));

	if (!leaf)
		return NULL;
	memset(leaf, 0, leaf_size(nr_buckets));
	leaf->nr_buckets = nr_buckets;
	leaf->depth = depth;
	return leaf;
}

static void leaf_free(struct utmem_engine *e, struct leaf *leaf)
{
	e->index_age++;
	utpool_free(e, leaf, leaf_size(leaf->nr_buckets));
}

int utpool_index_init(struct index *ix, struct utmem_engine *e, const struct log *log)
{
	struct leaf *leaf = leaf_alloc(e, 1, 0);

	ix->engine = e;
	ix->log = log;
	ix->depth = 0;
	ix->nr_exited = 0;
	ix->dir = utpool_alloc(e, dir_size(0), sizeof(void *));
	if (leaf && ix->dir) {
		ix->dir[0].leaf = leaf;
		ix->dir[0].nr_buckets = leaf->nr_buckets;
		return 0;
	}
	if (ix->dir)
		utpool_free(e, ix->dir, dir_size(0));
	if (leaf)
		leaf_free(e, leaf);
	ix->dir = NULL;
	return -ENOMEM;
}

/* The first @depth bits of @hash; a shift by 64 is undefined, hence in two. */
static uint64_t dir_slot(uint32_t depth, uint64_t hash)
{
	return hash >> 1 >> (63 - depth);
}

static const struct index_dir *dir_of(const struct index *ix, uint64_t hash)
{
	return &ix->dir[dir_slot(ix->depth, hash)];
}

static struct leaf *leaf_of(const struct index *ix, uint64_t hash)
{
	return dir_of(ix, hash)->leaf;
}

/* Point every directory slot of the leaf that @hash (with @depth bits) leads to at @leaf. */
static void dir_set(struct index *ix, uint64_t hash, uint32_t depth, struct leaf *leaf)
{
	uint64_t nr = 1ull << (ix->depth - depth);
	uint64_t first = dir_slot(ix->depth, hash) & ~(nr - 1);
	uint64_t i;

	for (i = first; i < first + nr; i++) {
		ix->dir[i].leaf = leaf;
		ix->dir[i].nr_buckets = leaf->nr_buckets;
	}
}

bool utpool_index_exit(struct index *ix, uint32_t nr)
{
	struct leaf *leaf;

	for (; ix->dir && nr; nr--) {
		leaf = ix->dir[ix->nr_exited].leaf;
		ix->nr_exited += 1ull << (ix->depth - leaf->depth);
		leaf_free(ix->engine, leaf);
		if (ix->nr_exited >> ix->depth) {
			utpool_free(ix->engine, ix->dir, dir_size(ix->depth));
			ix->dir = NULL;
		}
	}
	return !ix->dir;
}

/* ---- an index of a known size ---- */

/* Leaves of so many items are at most filled to begin with: it grows before it is split. */
#define RESERVE_LEAF_ITEMS (LEAF_BUCKETS_MAX * LEAF_FILL * 2 / 3)

static void leaves_free(struct index *ix, struct index_dir *dir, uint32_t depth, uint64_t nr)
{
	while (nr)
		leaf_free(ix->engine, dir[--nr].leaf);
	utpool_free(ix->engine, dir, dir_size(depth));
}

/* A directory in which every slot has a leaf of its own. NULL: no memory. */
static struct index_dir *dir_make(struct index *ix, uint32_t depth, uint32_t nr_buckets)
{
	struct index_dir *dir = utpool_alloc(ix->engine, dir_size(depth), sizeof(void *));
	uint64_t i;

	if (!dir)
		return NULL;
	for (i = 0; i >> depth == 0; i++) {
		dir[i].leaf = leaf_alloc(ix->engine, nr_buckets, depth);
		dir[i].nr_buckets = nr_buckets;
		if (!dir[i].leaf) {
			leaves_free(ix, dir, depth, i);
			return NULL;
		}
	}
	return dir;
}

int utpool_index_reserve(struct index *ix, uint64_t nr)
{
	struct index_dir *dir;
	uint32_t depth = 0;

	while (nr >> depth > RESERVE_LEAF_ITEMS && depth < INDEX_DEPTH_MAX)
		depth++;
	dir = dir_make(ix, depth, (uint32_t)(nr >> depth) / LEAF_FILL + 1);
	if (!dir)
		return -ENOMEM;
	leaves_free(ix, ix->dir, ix->depth, 1);
	ix->dir = dir;
	ix->depth = depth;
	return 0;
}

void utpool_index_prefetch_hash(const struct index *ix, uint64_t hash)
{
	struct utmem_key key = {.hash = hash};

	utpool_index_prefetch(ix, &key);
}

/* ---- one leaf ---- */

/* The two buckets of an entry; the same one twice while the leaf has only one. */
struct places {
	uint32_t a, b;
};

static inline struct places places_of(uint32_t nr, uint64_t entry)
{
	uint32_t low = entry >> INDEX_LOC_BITS & 0xfff;
	uint32_t high = entry >> (INDEX_LOC_BITS + 12) & 0x1fff;
	struct places at;

	at.a = low * nr >> 12;
	at.b = at.a + (nr > 1 ? 1 + (high * (nr - 1) >> 13) : 0);
	if (at.b >= nr)
		at.b -= nr;
	return at;
}

/* A free slot, or NULL; *nr_free is how many there are. */
static uint64_t *free_slot(struct bucket *b, uint32_t *nr_free)
{
	uint64_t *slot = NULL;
	uint32_t i;

	*nr_free = 0;
	for (i = 0; i < BUCKET_SLOTS; i++) {
		if (b->slot[i])
			continue;
		slot = &b->slot[i];
		++*nr_free;
	}
	return slot;
}

/* Both buckets of @entry are full: move one of their entries to its other bucket. */
static uint64_t *make_slot(struct leaf *leaf, struct places at)
{
	uint32_t i, nr_free, here, there;
	struct places alt;
	uint64_t *slot, *to;

	for (i = 0; i < 2 * BUCKET_SLOTS; i++) {
		here = i < BUCKET_SLOTS ? at.a : at.b;
		slot = &leaf->bucket[here].slot[i % BUCKET_SLOTS];
		alt = places_of(leaf->nr_buckets, *slot);
		there = alt.a == here ? alt.b : alt.a;
		to = free_slot(&leaf->bucket[there], &nr_free);
		if (to) {
			*to = *slot;
			return slot;
		}
	}
	return NULL;
}

static bool leaf_place(struct leaf *leaf, uint64_t entry)
{
	struct places at = places_of(leaf->nr_buckets, entry);
	uint32_t free_a, free_b;
	uint64_t *a = free_slot(&leaf->bucket[at.a], &free_a);
	uint64_t *b = free_slot(&leaf->bucket[at.b], &free_b);
	uint64_t *slot = free_b > free_a ? b : a;

	if (!slot)
		slot = make_slot(leaf, at);
	if (!slot)
		return false;
	*slot = entry;
	leaf->nr_items++;
	return true;
}

/* Which entries of a leaf a new one takes: a bit for each slot. */
struct leaf_mask {
	uint8_t slots[2 * LEAF_BUCKETS_MAX];
};

static bool leaf_copy(struct leaf *to, const struct leaf *from, const struct leaf_mask *mask)
{
	uint32_t b, i;

	for (b = 0; b < from->nr_buckets; b++)
		for (i = 0; i < BUCKET_SLOTS; i++)
			if (mask->slots[b] >> i & 1 && !leaf_place(to, from->bucket[b].slot[i]))
				return false;
	return true;
}

/* Buckets for so many entries and some room. */
static uint32_t buckets_for(uint32_t nr_items)
{
	return nr_items / LEAF_FILL + 1;
}

/* The same for entries of @old that are about half of it: as much as that says of a full one's half. */
static uint32_t buckets_for_part(const struct leaf *old, uint32_t nr_items)
{
	uint32_t nr = buckets_for(nr_items), least = old->nr_buckets * 5 / 8;

	return nr > least ? nr : least;
}

static uint32_t buckets_more(uint32_t nr_buckets)
{
	return nr_buckets + nr_buckets / 8 + 1;
}

/* A new leaf with the entries of @mask; NULL: no memory, or it would be too long. */
static struct leaf *leaf_make(struct utmem_engine *e, const struct leaf *from,
			      const struct leaf_mask *mask, uint32_t nr_buckets, uint32_t depth)
{
	struct leaf *leaf;
	uint32_t tries;

	for (tries = 0; tries < LEAF_TRIES && nr_buckets <= 2 * LEAF_BUCKETS_MAX; tries++) {
		leaf = leaf_alloc(e, nr_buckets, depth);
		if (!leaf)
			return NULL;
		if (leaf_copy(leaf, from, mask))
			return leaf;
		leaf_free(e, leaf);
		nr_buckets = buckets_more(nr_buckets);
	}
	return NULL;
}

static void mask_all(const struct leaf *leaf, struct leaf_mask *mask)
{
	uint32_t b, i;

	memset(mask, 0, sizeof(*mask));
	for (b = 0; b < leaf->nr_buckets; b++)
		for (i = 0; i < BUCKET_SLOTS; i++)
			if (leaf->bucket[b].slot[i])
				mask->slots[b] |= 1u << i;
}

/* ---- growing and shrinking: one leaf at a time ---- */

static int leaf_resize(struct index *ix, uint64_t hash, uint32_t nr_buckets)
{
	struct leaf *old = leaf_of(ix, hash), *leaf;
	struct leaf_mask mask;

	mask_all(old, &mask);
	leaf = leaf_make(ix->engine, old, &mask, nr_buckets, old->depth);
	if (!leaf)
		return -ENOSPC;
	dir_set(ix, hash, leaf->depth, leaf);
	leaf_free(ix->engine, old);
	return 0;
}

/* The only step that is not bounded by a leaf: it copies 8 bytes for each ~700 items. */
static int dir_double(struct index *ix)
{
	uint64_t i, nr = 1ull << ix->depth;
	struct index_dir *dir;

	if (ix->depth == INDEX_DEPTH_MAX)
		return -ENOSPC;
	dir = utpool_alloc(ix->engine, dir_size(ix->depth + 1), sizeof(void *));
	if (!dir)
		return -ENOSPC;
	for (i = 0; i < 2 * nr; i++)
		dir[i] = ix->dir[i / 2];
	utpool_free(ix->engine, ix->dir, dir_size(ix->depth));
	ix->dir = dir;
	ix->depth++;
	return 0;
}

static uint64_t record_hash(const struct index *ix, uint64_t entry)
{
	struct record *r = log_record(ix->log, index_off(entry));

	return utpool_hash(ix->engine, record_key(r), r->key_len);
}

static void prefetch_records(const struct index *ix, const struct bucket *b)
{
	uint32_t i;

	for (i = 0; i < BUCKET_SLOTS; i++)
		if (b->slot[i])
			__builtin_prefetch(log_record(ix->log, index_off(b->slot[i])));
}

/* Leave those in @mask whose next hash bit is set. Return: how many. */
static uint32_t mask_upper(const struct index *ix, const struct leaf *leaf, struct leaf_mask *mask)
{
	uint32_t b, i, nr = 0;

	for (b = 0; b < leaf->nr_buckets; b++) {
		if (b + 2 < leaf->nr_buckets)
			prefetch_records(ix, &leaf->bucket[b + 2]);
		for (i = 0; i < BUCKET_SLOTS; i++) {
			if (!(mask->slots[b] >> i & 1))
				continue;
			if (record_hash(ix, leaf->bucket[b].slot[i]) >> (63 - leaf->depth) & 1)
				nr++;
			else
				mask->slots[b] &= ~(1u << i);
		}
	}
	return nr;
}

static void mask_invert(const struct leaf *leaf, struct leaf_mask *mask)
{
	struct leaf_mask all;
	uint32_t b;

	mask_all(leaf, &all);
	for (b = 0; b < leaf->nr_buckets; b++)
		mask->slots[b] ^= all.slots[b];
}

/* All entries of a leaf are in one half: the other one, where @hash leads, gets an empty leaf. */
static int leaf_narrow(struct index *ix, struct leaf *leaf, uint64_t hash)
{
	struct leaf *empty = leaf_alloc(ix->engine, 1, leaf->depth + 1);

	if (!empty)
		return -ENOSPC;
	leaf->depth++;
	dir_set(ix, hash, leaf->depth, empty);
	return 0;
}

/* @nr_upper entries, those in @mask, go to a leaf of the upper half, the others to one of the lower. */
static int leaf_divide(struct index *ix, struct leaf *old, uint64_t hash, struct leaf_mask *mask,
		       uint32_t nr_upper)
{
	uint32_t depth = old->depth + 1;
	uint64_t bit = 1ull << (64 - depth);
	struct leaf *upper, *lower;

	upper = leaf_make(ix->engine, old, mask, buckets_for_part(old, nr_upper), depth);
	if (!upper)
		return -ENOSPC;
	mask_invert(old, mask);
	lower = leaf_make(ix->engine, old, mask, buckets_for_part(old, old->nr_items - nr_upper),
			  depth);
	if (!lower) {
		leaf_free(ix->engine, upper);
		return -ENOSPC;
	}
	dir_set(ix, hash | bit, depth, upper);
	dir_set(ix, hash & ~bit, depth, lower);
	leaf_free(ix->engine, old);
	return 0;
}

/*
 * As deep as it takes: keys that come in the order of their hashes, as those of a saved pool do,
 * fill but a corner of a leaf. To copy it for each useless split made it longer and longer.
 */
static int leaf_split(struct index *ix, uint64_t hash)
{
	struct leaf *old = leaf_of(ix, hash);
	struct leaf_mask mask;
	uint32_t nr_upper;
	uint64_t bit;
	int err = 0;

	while (!err && leaf_of(ix, hash) == old) {
		if (old->depth == ix->depth && dir_double(ix))
			return -ENOSPC;
		bit = 1ull << (63 - old->depth);
		mask_all(old, &mask);
		nr_upper = mask_upper(ix, old, &mask);
		if (nr_upper && nr_upper < old->nr_items)
			return leaf_divide(ix, old, hash, &mask, nr_upper);
		err = leaf_narrow(ix, old, nr_upper ? hash & ~bit : hash | bit);
	}
	return err;
}

/*
 * A leaf need not be full for an entry to find no place: where eviction has just come by, one
 * end of it is empty and the other is not. It grows all the same.
 */
static int leaf_grow(struct index *ix, uint64_t hash)
{
	struct leaf *leaf = leaf_of(ix, hash);
	uint32_t nr_buckets = buckets_for(leaf->nr_items), more = buckets_more(leaf->nr_buckets);

	if (nr_buckets < more)
		nr_buckets = more;
	if (nr_buckets > LEAF_BUCKETS_MAX)
		return leaf_split(ix, hash);
	return leaf_resize(ix, hash, nr_buckets);
}

/* ---- the table ---- */

#ifdef __SSE2__
/* The tags of 4 slots, each in 32 bits. */
static inline __m128i tags_of(const uint64_t *slot)
{
	__m128 low = _mm_load_ps((const float *)slot),
	       high = _mm_load_ps((const float *)(slot + 2));
	__m128i upper = _mm_castps_si128(_mm_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 3, 1)));

	return _mm_srli_epi32(upper, INDEX_LOC_BITS - 32);
}

static inline __m128i tags_equal(const struct bucket *b, __m128i want)
{
	return _mm_packs_epi32(_mm_cmpeq_epi32(tags_of(b->slot), want),
			       _mm_cmpeq_epi32(tags_of(b->slot + 4), want));
}

/* Which of the 8 slots of @a (bits 0 .. 7) and of @b (bits 8 .. 15) have @tag? Half of GET was this loop. */
static inline uint32_t buckets_match(const struct bucket *a, const struct bucket *b, uint32_t tag)
{
	__m128i want = _mm_set1_epi32((int)tag);

	return (uint32_t)_mm_movemask_epi8(
		_mm_packs_epi16(tags_equal(a, want), tags_equal(b, want)));
}
#else
static inline uint32_t buckets_match(const struct bucket *a, const struct bucket *b, uint32_t tag)
{
	uint32_t i, mask = 0;

	for (i = 0; i < BUCKET_SLOTS; i++) {
		mask |= (uint32_t)(index_tag(a->slot[i]) == tag) << i;
		mask |= (uint32_t)(index_tag(b->slot[i]) == tag) << (i + BUCKET_SLOTS);
	}
	return mask;
}
#endif

/* Where a key may be. */
struct candidates {
	struct bucket *bucket[2];
	uint32_t mask; /* as buckets_match() says */
};

static inline void candidates_locate(const struct index *ix, uint64_t hash, struct candidates *c)
{
	const struct index_dir *dir = dir_of(ix, hash);
	struct places at = places_of(dir->nr_buckets, index_entry(hash, 0));

	c->bucket[0] = &dir->leaf->bucket[at.a];
	c->bucket[1] = &dir->leaf->bucket[at.b];
}

static inline struct candidates candidates_of(const struct index *ix, const struct utmem_key *key)
{
	struct candidates c = {
		{(struct bucket *)key->hint.place[0], (struct bucket *)key->hint.place[1]}, 0};

	if (!index_hint_valid(ix, &key->hint))
		candidates_locate(ix, key->hash, &c);
	c.mask = buckets_match(c.bucket[0], c.bucket[1], index_tag(index_entry(key->hash, 0)));
	return c;
}

/* The first of them; c->mask is not 0. */
static inline uint64_t *candidate(const struct candidates *c)
{
	uint32_t i = (uint32_t)__builtin_ctz(c->mask);

	/* not a branch: which of the two it is, nobody can predict */
	return &c->bucket[i / BUCKET_SLOTS]->slot[i % BUCKET_SLOTS];
}

uint64_t *utpool_index_search(const struct index *ix, const struct utmem_key *key)
{
	struct candidates c = candidates_of(ix, key);
	uint64_t *slot;

	for (; c.mask; c.mask &= c.mask - 1) {
		slot = candidate(&c);
		if (record_has_key(log_record(ix->log, index_off(*slot)), key))
			return slot;
	}
	return NULL;
}

uint64_t *utpool_index_find_at(const struct index *ix, uint64_t hash, uint64_t off)
{
	const struct utmem_key key = {.hash = hash};
	struct candidates c = candidates_of(ix, &key);

	for (; c.mask; c.mask &= c.mask - 1)
		if (*candidate(&c) == index_entry(hash, off))
			return candidate(&c);
	return NULL;
}

uint64_t *utpool_index_find_same(const struct index *ix, uint64_t hash, uint64_t off)
{
	struct utmem_key key = {.hash = hash};
	struct candidates c = candidates_of(ix, &key);
	struct record *r = log_record(ix->log, off);

	for (; c.mask; c.mask &= c.mask - 1) {
		key.data = record_key(r);
		key.len = r->key_len;
		if (record_has_key(log_record(ix->log, index_off(*candidate(&c))), &key))
			return candidate(&c);
	}
	return NULL;
}

int utpool_index_insert(struct index *ix, uint64_t hash, uint64_t off)
{
	uint64_t entry = index_entry(hash, off);
	uint32_t tries;
	int err;

	for (tries = 0; tries < LEAF_TRIES; tries++) {
		if (leaf_place(leaf_of(ix, hash), entry))
			return 0;
		err = leaf_grow(ix, hash);
		if (err)
			return err;
	}
	return -ENOSPC;
}

void utpool_index_remove(struct index *ix, uint64_t hash, uint64_t *slot)
{
	struct leaf *leaf = leaf_of(ix, hash);

	*slot = 0;
	leaf->nr_items--;
	/* a leaf that stays large for want of memory is no error */
	if (leaf->nr_buckets > LEAF_FILL && leaf->nr_items < leaf->nr_buckets * LEAF_SPARSE)
		leaf_resize(ix, hash, buckets_for(leaf->nr_items));
}

uint64_t *utpool_index_first(const struct index *ix)
{
	struct leaf *leaf = ix->dir[0].leaf;
	uint32_t i = 0;

	while (!leaf->bucket[i / BUCKET_SLOTS].slot[i % BUCKET_SLOTS])
		i++;
	return &leaf->bucket[i / BUCKET_SLOTS].slot[i % BUCKET_SLOTS];
}

static uint32_t reverse_bits(uint32_t i, uint32_t nr_bits)
{
	uint32_t reversed = 0;

	for (; nr_bits; nr_bits--, i >>= 1)
		reversed = reversed << 1 | (i & 1);
	return reversed;
}

/*
 * The buckets of a leaf in an order that leaves no end of it empty while the other is full: the
 * numbers below a power of two with their bits reversed, as far as there is such a bucket.
 * Return: the @nr-th of them or the next; *nr is where to go on, or 0 after the last.
 */
static const struct bucket *scan_bucket(const struct leaf *leaf, uint32_t *nr)
{
	uint32_t nr_bits = leaf->nr_buckets > 1 ? 32 - __builtin_clz(leaf->nr_buckets - 1) : 0;
	uint32_t here = reverse_bits(*nr, nr_bits), next;

	/* it may have shrunk meanwhile */
	if (here >= leaf->nr_buckets)
		here = 0;
	do {
		next = ++*nr >> nr_bits ? 0 : reverse_bits(*nr, nr_bits);
	} while (next >= leaf->nr_buckets);
	if (!next)
		*nr = 0;
	return &leaf->bucket[here];
}

uint32_t utpool_index_scan(const struct index *ix, struct index_hand *hand,
			   uint64_t off[BUCKET_SLOTS], bool *leaf_end)
{
	struct leaf *leaf = leaf_of(ix, hand->prefix);
	const struct bucket *b = scan_bucket(leaf, &hand->bucket);
	uint32_t i, n = 0;

	prefetch_records(ix, b);
	for (i = 0; i < BUCKET_SLOTS; i++)
		if (b->slot[i])
			off[n++] = index_off(b->slot[i]);
	*leaf_end = !hand->bucket;
	if (*leaf_end) {
		/* wraps to 0 after the last leaf; a sole leaf is its own successor */
		hand->prefix = leaf->depth ? hand->prefix + (1ull << (64 - leaf->depth)) : 0;
	}
	return n;
}

uint32_t utpool_index_hashes(const struct index *ix, uint64_t hash, uint64_t out[INDEX_LEAF_MAX],
			     uint64_t *last)
{
	const struct leaf *leaf = leaf_of(ix, hash);
	uint64_t low = leaf->depth ? UINT64_MAX >> leaf->depth : UINT64_MAX;
	uint32_t b, i, n = 0;

	*last = hash | low;
	for (b = 0; b < leaf->nr_buckets; b++) {
		if (b + 2 < leaf->nr_buckets)
			prefetch_records(ix, &leaf->bucket[b + 2]);
		for (i = 0; i < BUCKET_SLOTS; i++)
			if (leaf->bucket[b].slot[i])
				out[n++] = record_hash(ix, leaf->bucket[b].slot[i]);
	}
	return n;
}

uint32_t utpool_index_find_hash(const struct index *ix, uint64_t hash,
				uint64_t off[2 * BUCKET_SLOTS])
{
	const struct utmem_key key = {.hash = hash};
	struct candidates c = candidates_of(ix, &key);
	uint32_t n = 0;

	if (c.bucket[0] == c.bucket[1])
		c.mask &= (1u << BUCKET_SLOTS) - 1;
	for (; c.mask; c.mask &= c.mask - 1)
		if (record_hash(ix, *candidate(&c)) == hash)
			off[n++] = index_off(*candidate(&c));
	return n;
}

void utpool_index_prefetch(const struct index *ix, struct utmem_key *key)
{
	struct candidates c;

	candidates_locate(ix, key->hash, &c);
	__builtin_prefetch(c.bucket[0]);
	__builtin_prefetch(c.bucket[1]);
	key->hint = (struct utmem_key_hint){
		ix, ix->engine->index_age, {c.bucket[0], c.bucket[1]}, NULL};
}

void utpool_index_prefetch_record(const struct index *ix, struct utmem_key *key, uint32_t len)
{
	uint32_t at = 0, last = (uint32_t)sizeof(struct record) + key->len - 1;
	struct candidates c = candidates_of(ix, key);
	const char *r;

	if (!c.mask)
		return;
	key->hint = (struct utmem_key_hint){
		ix, ix->engine->index_age, {c.bucket[0], c.bucket[1]}, candidate(&c)};
	r = (const char *)log_record(ix->log, index_off(*candidate(&c)));
	last += len < PREFETCH_VALUE_MOST ? len : PREFETCH_VALUE_MOST;
	/* by length, not line by line: where lines begin cannot be predicted */
	do {
		__builtin_prefetch(r + at);
		at += 64;
	} while (at < last);
	__builtin_prefetch(r + last);
}
