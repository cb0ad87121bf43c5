// SPDX-License-Identifier: MIT
/*
 * The checksum at the end of a record, in a durable arena.
 * Called by whoever writes a record, and by recovery; on the engine's thread.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "seal.h"

/* What changes in the life of a record is left out. */
static uint32_t seal_of(struct record *r, uint32_t value_len, uint64_t salt, uint64_t serial)
{
	struct record h = *r;

	h.state = 0;
	h.value_len = value_len;
	h.used = 0;
	return (uint32_t)XXH3_64bits_withSeed(record_key(r), h.key_len + record_payload_len(&h),
					      XXH3_64bits_withSeed(&h, sizeof(h), salt ^ serial));
}

static uint8_t *place(struct record *r, uint32_t value_len)
{
	struct record h = *r;

	h.value_len = value_len;
	return (uint8_t *)r + record_size(h.key_len, record_payload_len(&h));
}

void utpool_seal_set(struct record *r, uint32_t value_len, uint64_t salt, uint64_t serial)
{
	uint32_t seal = seal_of(r, value_len, salt, serial);

	memcpy(place(r, value_len), &seal, SEAL_LEN);
}

bool utpool_seal_valid(struct record *r, uint64_t salt, uint64_t serial)
{
	uint32_t seal = seal_of(r, r->value_len, salt, serial);

	return !memcmp(place(r, r->value_len), &seal, SEAL_LEN);
}
