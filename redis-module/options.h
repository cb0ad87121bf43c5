/* SPDX-License-Identifier: MIT */
/* What follows "loadmodule utmem.so": pairs of a name and a value. */
#ifndef UTMEM_REDIS_OPTIONS_H
#define UTMEM_REDIS_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#define OPTION_STRING_MAX 256 /* bytes of a string option, its NUL included */

struct options {
	char transport[OPTION_STRING_MAX];
	char pool[OPTION_STRING_MAX];
	uint64_t entries;    /* requests in flight */
	uint64_t data_len;   /* bytes for values in flight */
	uint64_t spin_usecs; /* how long a turn looks for completions before it sleeps */
	uint64_t timeout_ms; /* a host silent for so long is down */
};

void options_default(struct options *opt);

/**
 * options_set - take one option from its texts
 * @why: what is wrong, for the log; a string constant
 *
 * Return: 0, or -EINVAL and *opt is as before.
 */
int options_set(struct options *opt, const char *name, const char *value, const char **why);

#endif /* UTMEM_REDIS_OPTIONS_H */
