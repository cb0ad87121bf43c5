// SPDX-License-Identifier: MIT
/*
 * Owns the words in which people say how a pool's values are stored. Called at start
 * and by commands, on the daemon's one thread.
 */
#include <errno.h>

#include "host/utmemd/option_value.h"
#include "host/utmemd/pool_options.h"

int pool_options_set_compress(struct utmem_pool_options *o, const char *word)
{
	int i = option_choice(POOL_COMPRESS_WORDS, word);

	if (i < 0)
		return -EINVAL;
	o->compress = (enum utmem_compress)i;
	return 0;
}

int pool_options_set_dedup(struct utmem_pool_options *o, const char *word)
{
	int i = option_choice(POOL_DEDUP_WORDS, word);

	if (i < 0)
		return -EINVAL;
	o->dedup = i;
	return 0;
}

const char *pool_options_compress(const struct utmem_pool_options *o)
{
	static const char *const words[] = {"none", "lz4", "zstd"};

	return words[o->compress];
}

const char *pool_options_dedup(const struct utmem_pool_options *o)
{
	return o->dedup ? "tenant" : "off";
}
