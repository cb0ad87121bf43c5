// SPDX-License-Identifier: MIT
/*
 * A pool's new content comes, in a pool of its own that nobody can find, and becomes that of
 * the named pool in one step. So it is written, charged, cleaned and, if it comes to nothing,
 * dropped like any other.
 * Called through the vtable, on the engine's thread.
 */
#include <errno.h>

#include "engine.h"

/* May that content become @to's? */
static int check_target(const struct utmem_pool *to, struct utmem_pool_kind kind, bool create,
			bool replace)
{
	if (!to)
		return create ? 0 : -ENOENT;
	if (to->kind.ephemeral != kind.ephemeral)
		return -EINVAL;
	return to->counters.nr_items && !replace ? -EEXIST : 0;
}

/* Before anything is dropped for the sake of what could not fit in the end. */
static int check_quota(const struct utmem_tenant *t, struct utmem_restore_spec *spec)
{
	uint64_t fixed = t->used_bytes - t->evictable_bytes;
	uint64_t room = t->quota_bytes > fixed ? t->quota_bytes - fixed : 0;

	spec->missing = spec->need > room ? spec->need - room : 0;
	return spec->missing ? -ENOSPC : 0;
}

int utpool_restore_begin(struct utmem_tenant *t, struct utmem_restore_spec *spec,
			 struct utmem_pool **out)
{
	struct utmem_pool_spec pool = spec->pool;
	struct utmem_pool *to;
	int err;

	*out = NULL;
	if (!utmem_name_valid(pool.name))
		return -EINVAL;
	if (utpool_pool_incoming(t, pool.name))
		return -EBUSY;
	to = utpool_pool_by_name(t, pool.name);
	err = check_target(to, pool.kind, pool.create, spec->replace);
	if (!err)
		err = check_quota(t, spec);
	if (err)
		return err;
	if (to)
		pool.kind = to->kind;
	err = utpool_pool_alloc_incoming(t, &pool, to ? to->id : 0, out);
	if (!err && to)
		err = utpool_pool_options_set(*out, &to->options);
	if (err)
		goto abort;
	(*out)->create = !to;
	(*out)->replace = spec->replace;
	return 0;

abort:
	if (*out)
		utpool_restore_abort(*out);
	*out = NULL;
	return err;
}

static void swap64(uint64_t *a, uint64_t *b)
{
	uint64_t c = *a;

	*a = *b;
	*b = c;
}

/* The contents change places, with all that is counted of them. */
static void exchange(struct utmem_pool *to, struct utmem_pool *p)
{
	struct store *fresh = p->store, *old = to->store;
	uint64_t more = fresh->charged_bytes - old->charged_bytes;

	utpool_save_fail(to, -ECANCELED);
	to->counters.used_bytes += more;
	p->counters.used_bytes -= more;
	if (to->kind.ephemeral)
		to->tenant->evictable_bytes += more;
	swap64(&to->counters.nr_items, &p->counters.nr_items);
	swap64(&to->counters.key_bytes, &p->counters.key_bytes);
	swap64(&to->counters.value_bytes, &p->counters.value_bytes);
	swap64(&to->counters.nr_packed, &p->counters.nr_packed);
	swap64(&to->counters.nr_shared, &p->counters.nr_shared);
	swap64(&to->spared_bytes, &p->spared_bytes);
	to->store = fresh;
	fresh->pool = to;
	p->store = old;
	old->pool = p;
}

/* The one that was there at the beginning, or none as then. */
static bool target_stayed(const struct utmem_pool *to, const struct utmem_pool *p)
{
	return to ? to->id == p->id : p->create;
}

/* The content is stored as its pool's is; and may be shared from here on. */
static void keep_options(struct utmem_pool *p, const struct utmem_pool_options *o)
{
	struct pool_engine *e = engine_of(p);

	utpool_meta_store_options(&e->meta, p->store->id, o);
	if (o->dedup)
		utpool_cold_again(e);
}

int utpool_restore_commit(struct utmem_pool *p)
{
	struct utmem_pool *to = utpool_pool_by_name(p->tenant, p->name);
	int err;

	if (!target_stayed(to, p))
		return -ESTALE;
	err = check_target(to, p->kind, p->create, p->replace);
	if (err)
		return err;
	keep_options(p, to ? &to->options : &p->options);
	/* whoever comes after us finds this content, unless the other one is younger, and whole, too */
	utpool_meta_store_state(&engine_of(p)->meta, p->store->id, META_STORE_LIVE);
	if (to) {
		exchange(to, p);
		utpool_restore_abort(p);
		return 0;
	}
	if (p->kind.ephemeral)
		p->tenant->evictable_bytes += p->store->charged_bytes;
	utpool_pool_publish(p);
	utpool_pool_unref(p);
	return 0;
}

void utpool_restore_abort(struct utmem_pool *p)
{
	utpool_pool_destroy(p);
	utpool_pool_unref(p);
}
