/* SPDX-License-Identifier: MIT */
/* One option: what the table says of it, and how its value is read. Caller: options.c. */
#ifndef UTMEMD_OPTION_VALUE_H
#define UTMEMD_OPTION_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "host/utmemd/options.h"

enum option_type {
	OPTION_TEXT,
	OPTION_CHOICE, /* one word of `choices` */
	OPTION_SIZE,   /* bytes, with k, m, g, t */
	OPTION_POW2,   /* the same, and a power of two */
	OPTION_COUNT,
	OPTION_OCTAL,
	OPTION_SWITCH,	 /* alone as a flag, yes or no in the file */
	OPTION_TENANT,	 /* NAME:QUOTA[:WEIGHT], repeatable */
	OPTION_PRESSURE, /* off, some:STALL/WINDOW, full:STALL/WINDOW */
};

struct option_def {
	const char *name; /* --name, and the key in the file */
	const char *arg;
	enum option_type type;
	size_t off; /* in struct options */
	const char *by_default;
	uint64_t min, max;
	const char *choices;
	const char *help;
};

/* Set it in @o. On failure (-errno) @why goes on from "VALUE ", and *o is as before. */
int option_set(struct options *o, const struct option_def *def, const char *value, char *why);
/* Index of @word in @words, which blanks separate; -1 when it is none of them. */
int option_choice(const char *words, const char *word);

#endif /* UTMEMD_OPTION_VALUE_H */
