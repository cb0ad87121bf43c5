// SPDX-License-Identifier: MIT
/*
 * A value in parts, as an object: which key, how long, how far.
 * Called by the engines' stream operations, on the engine's thread.
 */
#include <errno.h>
#include <string.h>

#include "stream.h"

int utpool_stream_alloc(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
			struct utmem_stream **out)
{
	struct utmem_engine *e = p->tenant->engine;
	struct utmem_stream *s;
	int err = utpool_key_check(key);

	if (err)
		return err;
	if (total > UTMEM_POOL_VALUE_MAX)
		return -E2BIG;
	if (p->destroyed)
		return -ESTALE;
	s = utpool_alloc(e, sizeof(*s) + key->len, _Alignof(struct utmem_stream));
	if (!s)
		return -ENOMEM;

	memset(s, 0, sizeof(*s));
	s->ops = p->ops;
	s->pool = p;
	s->total = total;
	s->hash = key->hash;
	s->key_len = key->len;
	memcpy(s->key, key->data, key->len);
	list_add_tail(&e->streams, &s->link);
	utpool_pool_ref(p);
	*out = s;
	return 0;
}

void utpool_stream_free(struct utmem_stream *s)
{
	struct utmem_pool *p = s->pool;

	list_del(&s->link);
	utpool_free(p->tenant->engine, s, sizeof(*s) + s->key_len);
	utpool_pool_unref(p);
}

uint32_t utpool_stream_id(const struct utmem_stream *s)
{
	return s->id;
}

struct utmem_stream *utpool_stream_find(struct utmem_engine *e, uint32_t id)
{
	struct list *l = NULL;

	while ((l = list_after(&e->streams, l)))
		if (list_entry(l, struct utmem_stream, link)->id == id)
			return list_entry(l, struct utmem_stream, link);
	return NULL;
}

void utpool_streams_settle(struct utmem_engine *e)
{
	struct list *l = list_after(&e->streams, NULL), *next;
	struct utmem_stream *s;

	for (; l; l = next) {
		next = list_after(&e->streams, l);
		s = list_entry(l, struct utmem_stream, link);
		if (s->orphan)
			e->ops->stream_abort(s);
	}
}

int utpool_stream_check_append(const struct utmem_stream *s, uint32_t len)
{
	if (s->pool->destroyed)
		return -ESTALE;
	return len > s->total - s->filled ? -EINVAL : 0;
}

int utpool_stream_check_commit(const struct utmem_stream *s)
{
	if (s->pool->destroyed)
		return -ESTALE;
	return s->filled == s->total ? 0 : -EINVAL;
}
