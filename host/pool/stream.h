/* SPDX-License-Identifier: MIT */
/*
 * A value in parts, as an object: which key, how long, how far.
 *
 * Owner: host/pool, for both engines. The engine's thread.
 */
#ifndef UTMEM_POOL_STREAM_H
#define UTMEM_POOL_STREAM_H

#include "tenant.h"

struct large;

struct utmem_stream {
	const struct utmem_engine_ops *ops;
	struct utmem_pool *pool; /* referenced */
	struct list link;	 /* engine->streams */
	struct large *large;	 /* the parts so far; NULL in the null engine, and once committed */
	uint64_t total, filled;	 /* bytes */
	uint64_t promised;	 /* arena room that its parts will still take */
	uint32_t id;		 /* of large; in the null engine: a number */
	bool orphan;		 /* found by open, and not yet adopted */
	uint64_t hash;
	uint32_t key_len;
	uint8_t key[];
};

/* A new stream: -EINVAL, -E2BIG, -ESTALE, -ENOMEM. */
int utpool_stream_alloc(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
			struct utmem_stream **out);
void utpool_stream_free(struct utmem_stream *s);

/* The same for every engine: these stand in the vtables as they are. */
uint32_t utpool_stream_id(const struct utmem_stream *s);
/* The stream of that id, or NULL. */
struct utmem_stream *utpool_stream_find(struct utmem_engine *e, uint32_t id);
void utpool_streams_settle(struct utmem_engine *e);

/* May @len more bytes come? May it be committed? 0, -EINVAL, -ESTALE. */
int utpool_stream_check_append(const struct utmem_stream *s, uint32_t len);
int utpool_stream_check_commit(const struct utmem_stream *s);

#endif /* UTMEM_POOL_STREAM_H */
