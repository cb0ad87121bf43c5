/* SPDX-License-Identifier: MIT */
/* What follows "loadmodule utmem.so": pairs of a name and a value. */
#ifndef UTMEM_REDIS_OPTIONS_H
#define UTMEM_REDIS_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#define OPTION_STRING_MAX 256	/* bytes of a string option, its NUL included */
#define OPTION_UNSET UINT64_MAX /* of a number: not given, the device's own value holds */

struct options {
	char transport[OPTION_STRING_MAX];
	char pool[OPTION_STRING_MAX];
	uint64_t entries;    /* requests in flight */
	uint64_t data_len;   /* bytes for values in flight */
	uint64_t spin_usecs; /* how long a turn looks for completions before it sleeps */
	uint64_t timeout_ms; /* a host silent for so long is down */
	/* Over dev: alone; OPTION_UNSET unless given. */
	uint64_t batch_max;   /* requests per doorbell */
	uint64_t batch_usecs; /* longest wait for more of them */
	uint64_t batch_mode;  /* UTMEM_MODE_* */
	uint64_t irq_max;     /* completions per interrupt */
	uint64_t irq_usecs;   /* longest wait for more of them */
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
