// SPDX-License-Identifier: MIT
/*
 * How a pool's values are stored, as its owner wants it: checked, prepared, kept.
 * Called through the engines' vtables, on the engine's thread.
 */
#include <errno.h>

#include "tenant.h"

int utpool_options_check(struct utmem_pool_options *o)
{
	if (o->compress > UTMEM_COMPRESS_ZSTD)
		return -EINVAL;
	if (!o->compress_least)
		o->compress_least = UTMEM_COMPRESS_LEAST;
	return o->compress_least < UTMEM_COMPRESS_LEAST_MIN ||
			       o->compress_least > UTMEM_COMPRESS_LEAST_MAX
		       ? -EINVAL
		       : 0;
}

int utpool_pool_options_set(struct utmem_pool *p, const struct utmem_pool_options *o)
{
	struct utmem_pool_options options = *o;
	int err = utpool_options_check(&options);

	if (err)
		return err;
	if (p->destroyed)
		return -ESTALE;
	err = p->tenant->engine->hooks->options_prepare(p, &options);
	if (err)
		return err;
	p->options = options;
	p->marks_used = p->kind.ephemeral || options.compress || options.dedup;
	return 0;
}

struct utmem_pool_options utpool_pool_options(const struct utmem_pool *p)
{
	return p->options;
}

int utpool_default_options_set(struct utmem_engine *e, const struct utmem_pool_options *o)
{
	struct utmem_pool_options options = *o;
	int err = utpool_options_check(&options);

	if (!err)
		e->default_options = options;
	return err;
}
