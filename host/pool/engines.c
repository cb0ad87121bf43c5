// SPDX-License-Identifier: MIT
/*
 * Which engines there are, and what a name may look like.
 * Called by whoever opens an engine or takes names from outside; any thread.
 */
#include <string.h>

#include "pool.h"

static const struct utmem_engine_ops *const engines[] = {
	&utmem_engine_pool,
	&utmem_engine_null,
};

const struct utmem_engine_ops *utmem_engine_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		if (!strcmp(engines[i]->name, name))
			return engines[i];
	return NULL;
}

/* not isalnum(): a name must not mean something else in another locale */
static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool utmem_name_valid(const char *name)
{
	size_t len;

	for (len = 0; name[len]; len++)
		if (len == UTMEM_POOL_NAME_LEN - 1 || !name_char(name[len]))
			return false;
	return len > 0;
}
