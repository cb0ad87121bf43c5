// SPDX-License-Identifier: MIT
/*
 * The null engine: real tenants, pools and streams, which store nothing. It answers
 * every request at once with what an empty pool would say, to measure all the rest.
 * Called through its vtable, on the engine's thread.
 */
#include <errno.h>
#include <string.h>

#include "stream.h"
#include "tenant.h"

static int null_pool_init(struct utmem_pool *p)
{
	(void)p;
	return 0;
}

static void null_pool_drop(struct utmem_pool *p)
{
	(void)p;
}

/* What is not stored cannot be stored in less. */
static int null_options_prepare(struct utmem_pool *p, const struct utmem_pool_options *o)
{
	(void)p;
	return o->compress || o->dedup ? -EOPNOTSUPP : 0;
}

static int null_default_options_set(struct utmem_engine *e, const struct utmem_pool_options *o)
{
	int err = null_options_prepare(NULL, o);

	return err ? err : utpool_default_options_set(e, o);
}

static void null_quota_fit(struct utmem_tenant *t)
{
	(void)t;
}

static const struct tenant_hooks null_hooks = {
	.pool_init = null_pool_init,
	.pool_drop = null_pool_drop,
	.options_prepare = null_options_prepare,
	.quota_fit = null_quota_fit,
};

static int null_open(struct utmem_engine **out, const struct utmem_memory *mem)
{
	struct utmem_engine *e = mem->alloc(mem->ctx, sizeof(*e), _Alignof(struct utmem_engine));

	*out = e;
	if (!e)
		return -ENOMEM;
	utpool_tenants_init(e, &utmem_engine_null, &null_hooks, mem);
	return 0;
}

static void null_close(struct utmem_engine *e)
{
	utpool_tenants_exit(e);
	e->mem.free(e->mem.ctx, e, sizeof(*e));
}

static void null_recovery(const struct utmem_engine *e, struct utmem_recovery *out)
{
	(void)e;
	memset(out, 0, sizeof(*out));
}

static void null_stat(struct utmem_engine *e, struct utmem_engine_stat *out)
{
	memset(out, 0, sizeof(*out));
	out->arena_bytes = e->mem.arena_len;
	out->free_bytes = e->mem.arena_len;
	out->index_bytes = e->private_bytes;
}

static int check(const struct utmem_pool *p, const struct utmem_key *key)
{
	int err = utpool_key_check(key);

	return err ? err : p->destroyed ? -ESTALE : 0;
}

static int null_put(struct utmem_pool *p, const struct utmem_key *key, const void *value,
		    uint32_t len, enum utmem_put_if cond)
{
	int err = check(p, key);

	(void)value;
	if (err)
		return err;
	if (len > UTMEM_POOL_VALUE_MAX)
		return -E2BIG;
	if (cond == UTMEM_PUT_IF_PRESENT)
		return -ENOENT;
	p->counters.nr_puts++;
	return 0;
}

static int null_get(struct utmem_pool *p, const struct utmem_key *key, uint64_t off, void *buf,
		    uint32_t len, struct utmem_get_result *out)
{
	int err = check(p, key);

	(void)off;
	(void)buf;
	(void)len;
	(void)out;
	if (err)
		return err;
	p->counters.nr_gets++;
	return -ENOENT;
}

static int null_del(struct utmem_pool *p, const struct utmem_key *key)
{
	int err = check(p, key);

	return err ? err : -ENOENT;
}

static int null_flush(struct utmem_pool *p)
{
	return p->destroyed ? -ESTALE : 0;
}

static int null_stream_begin(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
			     struct utmem_stream **out)
{
	int err;

	*out = NULL;
	err = utpool_stream_alloc(p, key, total, out);
	if (!err)
		(*out)->id = ++p->tenant->engine->last_stream_id;
	return err;
}

static int null_stream_adopt(struct utmem_engine *e, uint32_t id, uint64_t filled,
			     struct utmem_stream **out)
{
	struct utmem_stream *s = utpool_stream_find(e, id);

	*out = NULL;
	if (!s || filled > s->filled)
		return -ENOENT;
	s->filled = filled;
	*out = s;
	return 0;
}

static int null_stream_append(struct utmem_stream *s, const void *part, uint32_t len)
{
	int err = utpool_stream_check_append(s, len);

	(void)part;
	if (!err)
		s->filled += len;
	return err;
}

static int null_stream_commit(struct utmem_stream *s, enum utmem_put_if cond)
{
	int err = utpool_stream_check_commit(s);

	if (err)
		return err;
	if (cond == UTMEM_PUT_IF_PRESENT)
		return -ENOENT;
	s->pool->counters.nr_puts++;
	utpool_stream_free(s);
	return 0;
}

static int null_stream_find_key(const struct utmem_stream *s)
{
	(void)s;
	return -ENOENT;
}

static bool null_maintain(struct utmem_engine *e, size_t budget)
{
	(void)e;
	(void)budget;
	return false;
}

static bool null_reclaim(struct utmem_engine *e, struct utmem_reclaim *r, size_t budget)
{
	(void)e;
	(void)r;
	(void)budget;
	return false;
}

const struct utmem_engine_ops utmem_engine_null = {
	.name = "null",
	.open = null_open,
	.close = null_close,
	.recovery = null_recovery,
	.stat = null_stat,
	.tenant_add = utpool_tenant_add,
	.tenant_remove = utpool_tenant_remove,
	.tenant_quota = utpool_tenant_quota,
	.tenant_weight = utpool_tenant_weight,
	.tenant_stat = utpool_tenant_stat,
	.tenant_next = utpool_tenant_next,
	.pool_open = utpool_pool_open,
	.pool_attach = utpool_pool_attach,
	.pool_close = utpool_pool_unref,
	.pool_destroy = utpool_pool_destroy,
	.pool_grant = utpool_pool_grant,
	.pool_revoke = utpool_pool_revoke,
	.pool_rights = utpool_pool_rights,
	.grant_next = utpool_grant_next,
	.pool_id = utpool_pool_id,
	.pool_find = utpool_pool_find,
	.pool_name = utpool_pool_name,
	.pool_tenant = utpool_pool_tenant,
	.pool_kind = utpool_pool_kind,
	.pool_options_set = utpool_pool_options_set,
	.pool_options = utpool_pool_options,
	.default_options_set = null_default_options_set,
	.pool_stat = utpool_pool_stat,
	.pool_next = utpool_pool_next,
	.hash = utpool_hash,
	.put = null_put,
	.get = null_get,
	.del = null_del,
	.find = null_del, /* never there */
	.flush = null_flush,
	.stream_begin = null_stream_begin,
	.stream_append = null_stream_append,
	.stream_commit = null_stream_commit,
	.stream_abort = utpool_stream_free,
	.stream_find_key = null_stream_find_key,
	.stream_id = utpool_stream_id,
	.stream_adopt = null_stream_adopt,
	.streams_settle = utpool_streams_settle,
	.maintain = null_maintain,
	.reclaim = null_reclaim,
};
