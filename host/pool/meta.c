// SPDX-License-Identifier: MIT
/*
 * What lies beside the arena and says what is in it: which segments hold records, and
 * whose each store is.
 * Called by engine open and close, the log and stores, on the engine's thread.
 */
#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "failpoint.h"
#include "index.h"
#include "meta.h"

static size_t page_round(size_t len)
{
	return (len + META_PAGE - 1) & ~(size_t)(META_PAGE - 1);
}

static size_t segs_len(size_t arena_len)
{
	return page_round((arena_len >> utpool_log_segment_shift(arena_len)) * sizeof(uint64_t));
}

size_t utmem_meta_len(size_t arena_len)
{
	if (!arena_len || arena_len > INDEX_ARENA_MAX)
		return 0;
	return META_PAGE + segs_len(arena_len) + META_STORES_MAX * sizeof(struct meta_store);
}

static uint64_t header_checksum(const struct meta_header *hdr)
{
	return XXH3_64bits(hdr, offsetof(struct meta_header, checksum));
}

static uint64_t store_checksum(const struct meta *m, const struct meta_store *st)
{
	size_t from = offsetof(struct meta_store, serial);
	struct meta_store fixed = *st;

	fixed.options = 0;
	return XXH3_64bits_withSeed((const uint8_t *)&fixed + from, sizeof(fixed) - from,
				    m->salt ^ st->kind);
}

/* One word, so that it can change by one store. */
static uint64_t options_sealed(const struct meta *m, uint64_t serial, uint32_t word)
{
	return word | XXH3_64bits_withSeed(&word, sizeof(word), m->salt ^ serial) << 32;
}

void utpool_meta_store_seal(const struct meta *m, struct meta_store *st)
{
	st->checksum = store_checksum(m, st);
	st->options = options_sealed(m, st->serial, (uint32_t)st->options);
}

bool utpool_meta_store_valid(const struct meta *m, const struct meta_store *st)
{
	return st->checksum == store_checksum(m, st) &&
	       st->options == options_sealed(m, st->serial, (uint32_t)st->options);
}

static bool is_zero(const void *p, size_t len)
{
	const uint8_t *bytes = p;

	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

static uint32_t seg_len(const struct utmem_memory *mem)
{
	return 1u << utpool_log_segment_shift(mem->arena_len);
}

static int header_check(const struct meta_header *hdr, const struct utmem_memory *mem)
{
	if (hdr->magic != META_MAGIC)
		return -EUCLEAN;
	if (hdr->version > META_VERSION)
		return -EPROTONOSUPPORT;
	if (hdr->checksum != header_checksum(hdr) || hdr->durable > 1 ||
	    (hdr->closed != META_IN_USE && hdr->closed != META_CLOSED) ||
	    hdr->nr_stores > META_STORES_MAX)
		return -EUCLEAN;
	return hdr->arena_len == mem->arena_len && hdr->seg_len == seg_len(mem) ? 0 : -EINVAL;
}

static bool is_new(const struct meta *m, const struct utmem_memory *mem)
{
	return is_zero(m->segs, segs_len(mem->arena_len)) && is_zero(m->stores, META_PAGE);
}

int utpool_meta_init(struct meta *m, const struct utmem_memory *mem)
{
	int err;

	memset(m, 0, sizeof(*m));
	if (!mem->meta)
		return 0;
	if (mem->meta_len < utmem_meta_len(mem->arena_len))
		return -EINVAL;
	m->hdr = mem->meta;
	m->segs = (uint64_t *)((uint8_t *)mem->meta + META_PAGE);
	m->stores = (struct meta_store *)((uint8_t *)m->segs + segs_len(mem->arena_len));
	m->durable = mem->durable;
	m->salt = mem->seed;
	/* magic comes last: without it nothing was ever done, or it is the header that was lost */
	if (!m->hdr->magic)
		return is_new(m, mem) ? 0 : -EUCLEAN;
	err = header_check(m->hdr, mem);
	if (err)
		return err;
	m->found = true;
	m->durable = m->hdr->durable;
	m->salt = m->hdr->salt;
	return 0;
}

static void format(struct meta *m, const struct utmem_memory *mem)
{
	struct meta_header hdr = {
		.magic = META_MAGIC,
		.version = META_VERSION,
		.durable = m->durable,
		.arena_len = mem->arena_len,
		.seg_len = seg_len(mem),
		.nr_segs = (uint32_t)(mem->arena_len / seg_len(mem)),
		.salt = m->salt,
		.closed = META_IN_USE,
	};

	hdr.checksum = header_checksum(&hdr);
	memcpy((uint8_t *)m->hdr + sizeof(hdr.magic), (uint8_t *)&hdr + sizeof(hdr.magic),
	       sizeof(hdr) - sizeof(hdr.magic));
	UTMEM_FAIL_POINT("pool_meta_formatted");
	__atomic_store_n(&m->hdr->magic, hdr.magic, __ATOMIC_RELEASE);
}

int utpool_meta_begin(struct meta *m, const struct utmem_memory *mem)
{
	if (!m->hdr)
		return 0;
	if (!m->found)
		format(m, mem);
	UTMEM_FAIL_POINT("pool_meta_begin");
	__atomic_store_n(&m->hdr->closed, META_IN_USE, __ATOMIC_RELEASE);
	m->begun = true;
	return 0;
}

void utpool_meta_end(struct meta *m)
{
	if (!m->begun)
		return;
	UTMEM_FAIL_POINT("pool_meta_close");
	__atomic_store_n(&m->hdr->closed, META_CLOSED, __ATOMIC_RELEASE);
}

/* ---- segments ---- */

static void segment_store(struct meta *m, uint32_t idx, uint64_t word)
{
	UTMEM_FAIL_POINT("pool_segment_change");
	__atomic_store_n(&m->segs[idx], word, __ATOMIC_RELEASE);
	UTMEM_FAIL_POINT("pool_segment_changed");
}

void utpool_meta_segment(struct meta *m, uint32_t idx, enum meta_segment state)
{
	if (m->begun && (m->segs[idx] & META_SEGMENT_STATE) != state)
		segment_store(m, idx, (m->segs[idx] & ~META_SEGMENT_STATE) | state);
}

void utpool_meta_segment_open(struct meta *m, uint32_t idx, uint32_t head, bool ephemeral)
{
	m->nr_opened++;
	if (m->begun)
		segment_store(m, idx,
			      META_SEGMENT_OPEN | (uint64_t)head << META_SEGMENT_HEAD_SHIFT |
				      (ephemeral ? META_SEGMENT_EPHEMERAL : 0) |
				      m->nr_opened << META_SEGMENT_WHEN_SHIFT);
}

/* ---- pools and stores ---- */

void utpool_meta_pool_id(struct meta *m, uint64_t last)
{
	if (m->begun)
		__atomic_store_n(&m->hdr->last_pool_id, last, __ATOMIC_RELEASE);
}

void utpool_meta_seq(struct meta *m, uint32_t seq)
{
	if (m->begun)
		__atomic_store_n(&m->hdr->seq, seq, __ATOMIC_RELEASE);
}

static uint32_t kind_flags(const struct utmem_pool_kind *kind)
{
	return (kind->ephemeral ? META_KIND_EPHEMERAL : 0) | (kind->shared ? META_KIND_SHARED : 0) |
	       (kind->guest_shared ? META_KIND_GUEST_SHARED : 0);
}

static uint32_t options_word(const struct utmem_pool_options *o)
{
	return o->compress | (uint32_t)o->dedup << 2 | o->compress_least << 3;
}

struct utmem_pool_options utpool_meta_options(const struct meta_store *entry)
{
	struct utmem_pool_options o = {
		.compress = entry->options & 3,
		.dedup = entry->options >> 2 & 1,
		.compress_least = (uint32_t)entry->options >> 3,
	};

	return utpool_options_check(&o) ? (struct utmem_pool_options){0} : o;
}

void utpool_meta_store_options(struct meta *m, uint32_t id, const struct utmem_pool_options *o)
{
	if (m->begun)
		__atomic_store_n(&m->stores[id].options,
				 options_sealed(m, m->stores[id].serial, options_word(o)),
				 __ATOMIC_RELEASE);
}

void utpool_meta_store_add(struct meta *m, uint32_t id, uint64_t serial, const struct utmem_pool *p)
{
	struct meta_store entry = {
		.state = META_STORE_FREE,
		.kind = kind_flags(&p->kind),
		.serial = serial,
		.pool_id = p->id,
		.owner = p->kind.owner,
		.options = options_word(&p->options),
	};

	if (!m->begun)
		return;
	strcpy(entry.tenant, p->tenant->name);
	strcpy(entry.pool, p->name);
	utpool_meta_store_seal(m, &entry);
	m->stores[id] = entry;
	if (id >= m->hdr->nr_stores)
		__atomic_store_n(&m->hdr->nr_stores, id + 1, __ATOMIC_RELEASE);
	utpool_meta_store_state(m, id, p->incoming ? META_STORE_INCOMING : META_STORE_LIVE);
}

void utpool_meta_store_state(struct meta *m, uint32_t id, enum meta_store_state state)
{
	if (!m->begun)
		return;
	UTMEM_FAIL_POINT("pool_store_change");
	__atomic_store_n(&m->stores[id].state, state, __ATOMIC_RELEASE);
	UTMEM_FAIL_POINT("pool_store_changed");
}
