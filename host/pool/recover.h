/* SPDX-License-Identifier: MIT */
/*
 * Recovery, inside: what its two halves share. recover.c reads what is there and, at the end,
 * buries what is of no use; relink.c makes out of records what the engine knows of them.
 *
 * Owner: host/pool. The engine's thread, while it opens.
 */
#ifndef UTMEM_POOL_RECOVER_H
#define UTMEM_POOL_RECOVER_H

#include "engine.h"
#include "finds.h"
#include "view.h"

/* Values are linked by the first bits of their hashes: so much of an index is in the processor's cache. */
#define VALUES_BITS 6u
#define NR_VALUES (1u << VALUES_BITS)

struct recovery {
	struct pool_engine *e;
	struct utmem_recovery *out;
	struct finds values[NR_VALUES]; /* VALUE, and whole LARGE, of pools */
	struct finds larges;		/* LARGE and STREAM */
	struct finds shares; /* of these: those that lead to what another LARGE leads to */
	struct finds chunks;
	struct finds doomed; /* live records that are to be buried */
	struct finds ends;   /* of segments, where torn records follow */
	struct view view;
	uint32_t nr_large_ids; /* the highest one, and 1 */
};

static inline int recovery_doom(struct recovery *rec, uint64_t off)
{
	const struct find find = {.off = off};

	return finds_add(&rec->doomed, &find);
}

/*
 * As much as recovery looks at of the valid record at @off, until the next call: no more of the
 * value than what it says of itself, but for checksums. 0, or an error of the memory.
 */
static inline int recovery_look(struct recovery *rec, uint64_t off, struct record **out)
{
	uint32_t len, all;
	int err = view_at(&rec->view, off, sizeof(struct record), out);

	if (err)
		return err;
	all = log_record_len(&rec->e->log, *out);
	len = sizeof(struct record) + (*out)->key_len + sizeof(struct stream_ref);
	if (rec->e->meta.durable || len > all)
		len = all;
	return view_at(&rec->view, off, len, out);
}

/* A valid VALUE or LARGE of a pool is one of its values, which are linked later. -ENOMEM. */
int utpool_relink_add(struct recovery *rec, struct store *st, struct record *r, uint64_t off);
/* Large values and streams get their chunks; those that lack some are doomed. -ENOMEM. */
int utpool_relink_larges(struct recovery *rec);
/* Keys lead to values, the newest of each. -ENOMEM. */
int utpool_relink_values(struct recovery *rec);

#endif /* UTMEM_POOL_RECOVER_H */
