/* SPDX-License-Identifier: MIT */
/*
 * A small engine for tests of the service: keeps values in lists, counts what is
 * open, fails when it is told to. Not a test itself.
 */
#ifndef TEST_SERVICE_FAKE_H
#define TEST_SERVICE_FAKE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/pool/pool.h"

#define FAKE_POOLS 128
#define FAKE_TENANTS 4

struct fake_item {
	struct fake_item *next;
	uint8_t key[UTMEM_POOL_KEY_MAX];
	uint32_t key_len, version;
	uint64_t len;
	uint8_t value[];
};

struct utmem_tenant {
	const struct utmem_engine_ops *ops;
	struct utmem_engine *engine;
	const char *name;
	uint64_t quota;
};

struct utmem_pool {
	const struct utmem_engine_ops *ops;
	struct utmem_tenant *tenant;
	char name[UTMEM_POOL_NAME_LEN];
	struct utmem_pool_kind kind;
	struct utmem_tenant *granted;
	bool granted_readonly, destroyed, used;
	unsigned int refs;
	struct fake_item *items;
	struct utmem_pool_counters counters;
};

struct utmem_stream {
	const struct utmem_engine_ops *ops;
	struct utmem_pool *pool;
	struct fake_item *item;
	struct utmem_stream *next;
	uint64_t done;
	uint32_t id;
	bool orphan; /* who began it has died */
};

struct utmem_engine {
	const struct utmem_engine_ops *ops;
	struct utmem_tenant tenants[FAKE_TENANTS];
	struct utmem_pool pools[FAKE_POOLS];
	unsigned int nr_tenants, nr_attached, nr_streams, nr_prefetched, nr_maintained;
	unsigned int nr_rights; /* calls of pool_rights */
	unsigned int nr_opens;	/* of pool_open: a search by name */
	unsigned int upkeep;	/* maintain() says "more" so many times */
	struct utmem_stream *streams;
	uint32_t last_stream_id;
	int put_error;
	uint32_t version;
};

static struct fake_item **fake_find(struct utmem_pool *p, const struct utmem_key *key)
{
	struct fake_item **at = &p->items;

	while (*at && ((*at)->key_len != key->len || memcmp((*at)->key, key->data, key->len)))
		at = &(*at)->next;
	return at;
}

static void fake_unlink(struct fake_item **at)
{
	struct fake_item *item = *at;

	*at = item->next;
	free(item);
}

static struct fake_item *fake_item_new(struct utmem_pool *p, const struct utmem_key *key,
				       uint64_t len)
{
	struct fake_item *item = calloc(1, sizeof(*item) + len);

	memcpy(item->key, key->data, key->len);
	item->key_len = key->len;
	item->len = len;
	item->version = ++p->tenant->engine->version;
	return item;
}

static int fake_insert(struct utmem_pool *p, struct fake_item *item, enum utmem_put_if cond)
{
	struct utmem_key key = {.data = item->key, .len = item->key_len};
	struct fake_item **at = fake_find(p, &key);

	if (p->destroyed)
		return -ESTALE;
	if (*at && cond == UTMEM_PUT_IF_ABSENT)
		return -EEXIST;
	if (!*at && cond == UTMEM_PUT_IF_PRESENT)
		return -ENOENT;
	if (*at)
		fake_unlink(at);
	item->next = p->items;
	p->items = item;
	p->counters.nr_puts++;
	return 0;
}

static int fake_put(struct utmem_pool *p, const struct utmem_key *key, const void *value,
		    uint32_t len, enum utmem_put_if cond)
{
	struct fake_item *item = fake_item_new(p, key, len);
	int err = p->tenant->engine->put_error;

	memcpy(item->value, value, len);
	if (!err)
		err = fake_insert(p, item, cond);
	if (err)
		free(item);
	return err;
}

static int fake_get(struct utmem_pool *p, const struct utmem_key *key, uint64_t off, void *buf,
		    uint32_t len, struct utmem_get_result *out)
{
	struct fake_item *item = *fake_find(p, key);

	if (p->destroyed)
		return -ESTALE;
	if (!item)
		return -ENOENT;
	out->value_len = item->len;
	out->version = item->version;
	if (off < item->len && len)
		memcpy(buf, item->value + off, len < item->len - off ? len : item->len - off);
	return 0;
}

static int fake_del(struct utmem_pool *p, const struct utmem_key *key)
{
	struct fake_item **at = fake_find(p, key);

	if (p->destroyed)
		return -ESTALE;
	if (!*at)
		return -ENOENT;
	fake_unlink(at);
	p->counters.nr_dels++;
	return 0;
}

static int fake_has(struct utmem_pool *p, const struct utmem_key *key)
{
	if (p->destroyed)
		return -ESTALE;
	return *fake_find(p, key) ? 0 : -ENOENT;
}

static int fake_flush(struct utmem_pool *p)
{
	while (p->items)
		fake_unlink(&p->items);
	return p->destroyed ? -ESTALE : 0;
}

static int fake_stream_begin(struct utmem_pool *p, const struct utmem_key *key, uint64_t total,
			     struct utmem_stream **out)
{
	struct utmem_stream *s;

	if (p->destroyed)
		return -ESTALE;
	if (total > p->tenant->quota)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	s->ops = p->ops;
	s->pool = p;
	s->item = fake_item_new(p, key, total);
	s->id = ++p->tenant->engine->last_stream_id;
	s->next = p->tenant->engine->streams;
	p->tenant->engine->streams = s;
	p->tenant->engine->nr_streams++;
	*out = s;
	return 0;
}

static void fake_stream_free(struct utmem_stream *s)
{
	struct utmem_engine *e = s->pool->tenant->engine;
	struct utmem_stream **at = &e->streams;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	e->nr_streams--;
	free(s);
}

static int fake_stream_append(struct utmem_stream *s, const void *part, uint32_t len)
{
	if (len > s->item->len - s->done)
		return -EINVAL;
	memcpy(s->item->value + s->done, part, len);
	s->done += len;
	return 0;
}

static int fake_stream_commit(struct utmem_stream *s, enum utmem_put_if cond)
{
	int err = fake_insert(s->pool, s->item, cond);

	if (!err)
		fake_stream_free(s);
	return err;
}

static void fake_stream_abort(struct utmem_stream *s)
{
	free(s->item);
	fake_stream_free(s);
}

static int fake_stream_find_key(const struct utmem_stream *s)
{
	struct utmem_key key = {.data = s->item->key, .len = s->item->key_len};

	return fake_has(s->pool, &key);
}

static uint32_t fake_stream_id(const struct utmem_stream *s)
{
	return s->id;
}

static int fake_stream_adopt(struct utmem_engine *e, uint32_t id, uint64_t filled,
			     struct utmem_stream **out)
{
	struct utmem_stream *s = e->streams;

	while (s && s->id != id)
		s = s->next;
	if (!s || filled > s->done)
		return -ENOENT;
	s->done = filled;
	s->orphan = false;
	*out = s;
	return 0;
}

static void fake_streams_settle(struct utmem_engine *e)
{
	struct utmem_stream *s, *next;

	for (s = e->streams; s; s = next) {
		next = s->next;
		if (s->orphan)
			fake_stream_abort(s);
	}
}

/* Who used the engine has died: nothing is attached any more, and streams belong to nobody. */
static void __attribute__((unused)) fake_orphan(struct utmem_engine *e)
{
	struct utmem_stream *s;
	unsigned int i;

	for (i = 0; i < FAKE_POOLS; i++)
		e->pools[i].refs = 0;
	e->nr_attached = 0;
	for (s = e->streams; s; s = s->next)
		s->orphan = true;
}

static struct utmem_pool *fake_pool_find(struct utmem_tenant *t, const char *name)
{
	struct utmem_engine *e = t->engine;
	unsigned int i;

	for (i = 0; i < FAKE_POOLS; i++) {
		if (e->pools[i].used && !e->pools[i].destroyed && e->pools[i].tenant == t &&
		    !strcmp(e->pools[i].name, name))
			return &e->pools[i];
	}
	return NULL;
}

static struct utmem_pool *fake_pool_new(struct utmem_tenant *t, const struct utmem_pool_spec *spec)
{
	struct utmem_pool *p = t->engine->pools;

	while (p->used)
		p++;
	*p = (struct utmem_pool){.ops = t->ops, .tenant = t, .kind = spec->kind, .used = true};
	strcpy(p->name, spec->name);
	return p;
}

static int fake_pool_open(struct utmem_tenant *who, struct utmem_tenant *owner,
			  const struct utmem_pool_spec *spec, struct utmem_pool **out,
			  bool *readonly)
{
	struct utmem_pool *p = fake_pool_find(owner, spec->name);

	who->engine->nr_opens++;
	if (who != owner && (!p || !p->kind.shared || p->granted != who))
		return -EACCES;
	if (!p && !spec->create)
		return -ENOENT;
	if (p && spec->create && spec->excl)
		return -EEXIST;
	if (p && who == owner && p->kind.owner != spec->kind.owner && !p->kind.guest_shared &&
	    !spec->any_owner)
		return -EACCES;
	if (!p)
		p = fake_pool_new(owner, spec);
	if (who != owner && p->granted_readonly)
		*readonly = true;
	p->refs++;
	who->engine->nr_attached++;
	*out = p;
	return 0;
}

static int fake_pool_attach(struct utmem_tenant *who, struct utmem_pool *p)
{
	if (p->destroyed)
		return -ESTALE;
	if (who != p->tenant && p->granted != who)
		return -EACCES;
	p->refs++;
	who->engine->nr_attached++;
	return 0;
}

static void fake_pool_close(struct utmem_pool *p)
{
	p->tenant->engine->nr_attached--;
	p->refs--;
}

static int fake_pool_destroy(struct utmem_pool *p)
{
	if (p->destroyed)
		return -ESTALE;
	fake_flush(p);
	p->destroyed = true;
	return 0;
}

static int fake_pool_grant(struct utmem_pool *p, struct utmem_tenant *to, bool readonly)
{
	p->granted = to;
	p->granted_readonly = readonly;
	return 0;
}

static uint64_t fake_pool_id(const struct utmem_pool *p)
{
	return (uint64_t)(p - p->tenant->engine->pools) + 1;
}

static struct utmem_pool *fake_pool_of(struct utmem_engine *e, uint64_t id)
{
	struct utmem_pool *p = id && id <= FAKE_POOLS ? &e->pools[id - 1] : NULL;

	return p && p->used && !p->destroyed ? p : NULL;
}

static const char *fake_pool_name(const struct utmem_pool *p)
{
	return p->name;
}

static struct utmem_pool *fake_pool_next(struct utmem_tenant *t, struct utmem_pool *after)
{
	struct utmem_pool *p = after ? after + 1 : t->engine->pools;

	for (; p < t->engine->pools + FAKE_POOLS; p++) {
		if (p->used && !p->destroyed && p->tenant == t)
			return p;
	}
	return NULL;
}

static int fake_pool_revoke(struct utmem_pool *p, struct utmem_tenant *from)
{
	if (p->granted != from)
		return -ENOENT;
	p->granted = NULL;
	return 0;
}

static int fake_pool_rights(const struct utmem_pool *p, const struct utmem_tenant *who,
			    bool *readonly)
{
	*readonly = who != p->tenant && p->granted_readonly;
	p->tenant->engine->nr_rights++;
	if (p->destroyed)
		return -ESTALE;
	return who == p->tenant || who == p->granted ? 0 : -EACCES;
}

static struct utmem_tenant *fake_pool_tenant(const struct utmem_pool *p)
{
	return p->tenant;
}

static struct utmem_pool_kind fake_pool_kind(const struct utmem_pool *p)
{
	return p->kind;
}

static void fake_pool_stat(const struct utmem_pool *p, struct utmem_pool_counters *out)
{
	const struct fake_item *item;

	*out = p->counters;
	for (item = p->items; item; item = item->next) {
		out->nr_items++;
		out->key_bytes += item->key_len;
		out->value_bytes += item->len;
	}
}

static void fake_tenant_stat(struct utmem_tenant *t, struct utmem_tenant_stat *out)
{
	*out = (struct utmem_tenant_stat){.name = t->name, .quota_bytes = t->quota};
}

static struct utmem_tenant *fake_tenant_next(struct utmem_engine *e, struct utmem_tenant *after)
{
	struct utmem_tenant *t = after ? after + 1 : e->tenants;

	return t < e->tenants + e->nr_tenants ? t : NULL;
}

static uint64_t fake_hash(const struct utmem_engine *e, const void *key, uint32_t len)
{
	(void)e;
	return *(const uint8_t *)key + len;
}

static void fake_prefetch(const struct utmem_pool *p, struct utmem_key *key)
{
	(void)key;
	p->tenant->engine->nr_prefetched++;
}

static void fake_prefetch_record(const struct utmem_pool *p, struct utmem_key *key, uint32_t len)
{
	(void)len;
	fake_prefetch(p, key);
}

static bool fake_maintain(struct utmem_engine *e, size_t budget)
{
	(void)budget;
	e->nr_maintained++;
	if (!e->upkeep)
		return false;
	e->upkeep--;
	return true;
}

static const struct utmem_engine_ops fake_ops = {
	.name = "fake",
	.tenant_stat = fake_tenant_stat,
	.tenant_next = fake_tenant_next,
	.pool_open = fake_pool_open,
	.pool_attach = fake_pool_attach,
	.pool_close = fake_pool_close,
	.pool_destroy = fake_pool_destroy,
	.pool_grant = fake_pool_grant,
	.pool_revoke = fake_pool_revoke,
	.pool_rights = fake_pool_rights,
	.pool_id = fake_pool_id,
	.pool_find = fake_pool_of,
	.pool_name = fake_pool_name,
	.pool_next = fake_pool_next,
	.pool_tenant = fake_pool_tenant,
	.pool_kind = fake_pool_kind,
	.pool_stat = fake_pool_stat,
	.hash = fake_hash,
	.prefetch_index = fake_prefetch,
	.prefetch_record = fake_prefetch_record,
	.put = fake_put,
	.get = fake_get,
	.del = fake_del,
	.find = fake_has,
	.flush = fake_flush,
	.stream_begin = fake_stream_begin,
	.stream_append = fake_stream_append,
	.stream_commit = fake_stream_commit,
	.stream_abort = fake_stream_abort,
	.stream_find_key = fake_stream_find_key,
	.stream_id = fake_stream_id,
	.stream_adopt = fake_stream_adopt,
	.streams_settle = fake_streams_settle,
	.maintain = fake_maintain,
};

static void fake_init(struct utmem_engine *e)
{
	*e = (struct utmem_engine){.ops = &fake_ops};
}

static struct utmem_tenant *fake_tenant(struct utmem_engine *e, const char *name, uint64_t quota)
{
	struct utmem_tenant *t = &e->tenants[e->nr_tenants++];

	*t = (struct utmem_tenant){.ops = &fake_ops, .engine = e, .name = name, .quota = quota};
	return t;
}

static void fake_exit(struct utmem_engine *e)
{
	unsigned int i;

	for (i = 0; i < FAKE_POOLS; i++)
		fake_flush(&e->pools[i]);
}

#endif /* TEST_SERVICE_FAKE_H */
