/* SPDX-License-Identifier: MIT */
/*
 * Values are compressed, and read when they are: a struct packed_head and what LZ4 or
 * zstd made of the value.
 *
 * Owner: host/pool. Memory is taken when it is first needed, kept until exit, and where
 * there is none values stay as they are. The engine's thread.
 */
#ifndef UTMEM_POOL_PACK_H
#define UTMEM_POOL_PACK_H

#include "record.h"
#include "tenant.h"

/* A packed value is kept when it takes at most so much of the plain one. */
#define PACK_KEEP_PERCENT 88u
/* Values that are packed are cold: a slower level than 1 is worth it, beyond 3 little is gained. */
#define PACK_ZSTD_LEVEL 3

struct packer {
	struct utmem_engine *engine;
	uint32_t record_max; /* bytes: no value in one record is longer */
	uint8_t *packed;     /* what the last utpool_pack() made */
	uint8_t *plain;	     /* a value that is read in part, or compared */
	void *lz4;
	void *zstd_memory[2];
	struct ZSTD_CCtx_s *zstd_pack;
	struct ZSTD_DCtx_s *zstd_unpack;
	size_t zstd_len[2]; /* bytes of zstd_memory */
};

void utpool_packer_init(struct packer *pk, struct utmem_engine *e, uint32_t record_max);
void utpool_packer_exit(struct packer *pk);
/* Memory for packing that way, and for reading it. 0, -ENOMEM. */
int utpool_packer_prepare(struct packer *pk, enum utmem_compress how);

/*
 * Pack @len bytes at @from, of which only what is kept counts. Return: length of the
 * payload at pk->packed; 0: it is not worth it, or there is no memory for it.
 */
uint32_t utpool_pack(struct packer *pk, enum utmem_compress how, const uint8_t *from, uint32_t len);

/*
 * Copy bytes [off, off + len) of the value that was packed in @r. They lie in it, as far
 * as its head says, which must be @full_len. 0, -EIO: it is damaged; -ENOMEM. @to may be memory
 * that its owner changes meanwhile: neither decoder takes a length or a place from what it wrote.
 */
int utpool_unpack(struct packer *pk, struct record *r, uint32_t full_len, uint32_t off, uint8_t *to,
		  uint32_t len);

/* The whole value of @r where it can be read until the next call of unpack: NULL as above. */
const uint8_t *utpool_pack_content(struct packer *pk, struct record *r);

#endif /* UTMEM_POOL_PACK_H */
