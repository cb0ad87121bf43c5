// SPDX-License-Identifier: MIT
/*
 * The compressors: LZ4 and zstd, one call for one value, in memory of the engine's.
 * Called by get, large values and the cleaner, on the engine's thread.
 */
#include <errno.h>
#include <lz4.h>
#define ZSTD_STATIC_LINKING_ONLY /* contexts in memory that the caller gives */
#include <zstd.h>

#include "pack.h"

#define ALIGN _Alignof(max_align_t)

void utpool_packer_init(struct packer *pk, struct utmem_engine *e, uint32_t record_max)
{
	*pk = (struct packer){.engine = e, .record_max = record_max};
	pk->zstd_len[0] = ZSTD_estimateCCtxSize(PACK_ZSTD_LEVEL);
	pk->zstd_len[1] = ZSTD_estimateDCtxSize();
}

static void release(struct packer *pk, void *p, size_t len)
{
	if (p)
		utpool_free(pk->engine, p, len);
}

void utpool_packer_exit(struct packer *pk)
{
	release(pk, pk->packed, pk->record_max);
	release(pk, pk->plain, pk->record_max);
	release(pk, pk->lz4, (size_t)LZ4_sizeofState());
	release(pk, pk->zstd_memory[0], pk->zstd_len[0]);
	release(pk, pk->zstd_memory[1], pk->zstd_len[1]);
}

static bool have(struct packer *pk, void *memory, size_t len)
{
	void **p = memory;

	if (!*p)
		*p = utpool_alloc(pk->engine, len, ALIGN);
	return *p;
}

static bool have_zstd_pack(struct packer *pk)
{
	if (!have(pk, &pk->zstd_memory[0], pk->zstd_len[0]))
		return false;
	if (!pk->zstd_pack)
		pk->zstd_pack = ZSTD_initStaticCCtx(pk->zstd_memory[0], pk->zstd_len[0]);
	return pk->zstd_pack;
}

static bool have_zstd_unpack(struct packer *pk)
{
	if (!have(pk, &pk->zstd_memory[1], pk->zstd_len[1]))
		return false;
	if (!pk->zstd_unpack)
		pk->zstd_unpack = ZSTD_initStaticDCtx(pk->zstd_memory[1], pk->zstd_len[1]);
	return pk->zstd_unpack;
}

static bool have_for_packing(struct packer *pk, enum utmem_compress how)
{
	if (!have(pk, &pk->packed, pk->record_max))
		return false;
	if (how == UTMEM_COMPRESS_LZ4)
		return have(pk, &pk->lz4, (size_t)LZ4_sizeofState());
	return have_zstd_pack(pk);
}

int utpool_packer_prepare(struct packer *pk, enum utmem_compress how)
{
	if (how == UTMEM_COMPRESS_NONE)
		return 0;
	if (!have_for_packing(pk, how) || !have(pk, &pk->plain, pk->record_max))
		return -ENOMEM;
	return how == UTMEM_COMPRESS_LZ4 || have_zstd_unpack(pk) ? 0 : -ENOMEM;
}

/* Return: bytes written, @most at most; 0: it did not fit. */
static uint32_t compress(struct packer *pk, enum utmem_compress how, const uint8_t *from,
			 uint32_t len, uint8_t *to, uint32_t most)
{
	size_t n;

	if (how == UTMEM_COMPRESS_LZ4)
		return (uint32_t)LZ4_compress_fast_extState(pk->lz4, (const char *)from, (char *)to,
							    (int)len, (int)most, 1);
	n = ZSTD_compressCCtx(pk->zstd_pack, to, most, from, len, PACK_ZSTD_LEVEL);
	return ZSTD_isError(n) ? 0 : (uint32_t)n;
}

uint32_t utpool_pack(struct packer *pk, enum utmem_compress how, const uint8_t *from, uint32_t len)
{
	struct packed_head head = {.full_len = len, .algorithm = how};
	uint32_t most = (uint32_t)((uint64_t)len * PACK_KEEP_PERCENT / 100), n;

	if (most <= sizeof(head) || !have_for_packing(pk, how))
		return 0;
	n = compress(pk, how, from, len, pk->packed + sizeof(head), most - sizeof(head));
	if (!n)
		return 0;
	memcpy(pk->packed, &head, sizeof(head));
	return n + sizeof(head);
}

/* Both decoders keep to the exact bounds of what they read and write, whatever is in there. */
static int decompress(struct packer *pk, struct record *r, uint8_t *to, uint32_t full_len)
{
	struct packed_head head = record_packed_head(r);
	const uint8_t *from = record_value(r) + sizeof(head);
	uint32_t len = r->value_len - sizeof(head);

	switch (head.algorithm) {
	case UTMEM_COMPRESS_LZ4:
		return LZ4_decompress_safe((const char *)from, (char *)to, (int)len,
					   (int)full_len) == (int)full_len
			       ? 0
			       : -EIO;
	case UTMEM_COMPRESS_ZSTD:
		if (!have_zstd_unpack(pk))
			return -ENOMEM;
		return ZSTD_decompressDCtx(pk->zstd_unpack, to, full_len, from, len) == full_len
			       ? 0
			       : -EIO;
	default:
		return -EIO;
	}
}

int utpool_unpack(struct packer *pk, struct record *r, uint32_t full_len, uint32_t off, uint8_t *to,
		  uint32_t len)
{
	int err;

	if (r->value_len < sizeof(struct packed_head) || full_len > pk->record_max ||
	    record_full_len(r) != full_len)
		return -EIO;
	if (len == full_len)
		return decompress(pk, r, to, full_len);
	if (!have(pk, &pk->plain, pk->record_max))
		return -ENOMEM;
	err = decompress(pk, r, pk->plain, full_len);
	if (!err)
		memcpy(to, pk->plain + off, len);
	return err;
}

const uint8_t *utpool_pack_content(struct packer *pk, struct record *r)
{
	uint32_t len;

	if (!r->packed)
		return record_value(r);
	len = record_full_len(r);
	if (len > pk->record_max || !have(pk, &pk->plain, pk->record_max) ||
	    utpool_unpack(pk, r, len, 0, pk->plain, len))
		return NULL;
	return pk->plain;
}
