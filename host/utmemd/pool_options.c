// SPDX-License-Identifier: MIT
/*
 * Owns the words in which people say how a pool's values are stored. Called at start
 * and by commands, on the daemon's main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- all of them ---- */

static int set_compress_least(struct utmem_pool_options *o, const char *digits)
{
	unsigned long n;

	if (!digits[0] || digits[strspn(digits, "0123456789")])
		return -EINVAL;
	n = strtoul(digits, NULL, 10); /* ULONG_MAX when it is more */
	if (n < UTMEM_COMPRESS_LEAST_MIN || n > UTMEM_COMPRESS_LEAST_MAX)
		return -EINVAL;
	o->compress_least = (uint32_t)n;
	return 0;
}

static int set_one(struct utmem_pool_options *o, const char *name, const char *value)
{
	if (!strcmp(name, "compress"))
		return pool_options_set_compress(o, value);
	if (!strcmp(name, "compress_least"))
		return set_compress_least(o, value);
	return strcmp(name, "dedup") ? -EINVAL : pool_options_set_dedup(o, value);
}

void pool_options_write(const struct utmem_pool_options *o, char text[POOL_OPTIONS_TEXT_LEN])
{
	snprintf(text, POOL_OPTIONS_TEXT_LEN, "compress=%s compress_least=%u dedup=%s",
		 pool_options_compress(o), o->compress_least, pool_options_dedup(o));
}

int pool_options_read(struct utmem_pool_options *o, const char *text)
{
	char copy[POOL_OPTIONS_TEXT_LEN], *rest = copy, *word, *value;
	int err = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		if (!value || set_one(o, word, value))
			err = -EINVAL;
	}
	return err;
}
