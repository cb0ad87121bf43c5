/* SPDX-License-Identifier: MIT */
/*
 * The checksum at the end of a record, in a durable arena: a record of which a part is older
 * than the rest, after a power loss, does not have the right one. Nor has one that was
 * another store's.
 *
 * Owner: host/pool. The engine's thread.
 */
#ifndef UTMEM_POOL_SEAL_H
#define UTMEM_POOL_SEAL_H

#include "record.h"

#define SEAL_LEN 4u

/*
 * Write the checksum of @r, whose first word is yet to be written and will have @value_len;
 * or compare it. @serial is that of its store; 0: it belongs to none (CHUNK, STREAM).
 */
void utpool_seal_set(struct record *r, uint32_t value_len, uint64_t salt, uint64_t serial);
bool utpool_seal_valid(struct record *r, uint64_t salt, uint64_t serial);

#endif /* UTMEM_POOL_SEAL_H */
