// SPDX-License-Identifier: MIT
/*
 * The module's options: one table with names, limits and defaults.
 * Called by module.c while the module loads, on Redis' main thread.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libutmem/include/utmem.h"
#include "redis-module/options.h"

#define OPT(field) offsetof(struct options, field)

#define WORDS_MAX 2

static const struct option_row {
	const char *name;
	size_t off;
	const char *text;  /* default of a string; NULL: a number */
	uint64_t value;	   /* default of a number */
	uint64_t min, max; /* of a number */
	bool power_of_two;
	/* The words that stand for numbers, if any do. */
	struct {
		const char *text;
		uint64_t value;
	} words[WORDS_MAX];
} rows[] = {
	{.name = "transport", .off = OPT(transport), .text = "dev:/dev/utmem0"},
	{.name = "pool", .off = OPT(pool), .text = "redis"},
	{.name = "entries",
	 .off = OPT(entries),
	 .value = 1024,
	 .min = 2,
	 .max = 32768,
	 .power_of_two = true},
	{.name = "data-size",
	 .off = OPT(data_len),
	 .value = 8 << 20,
	 .min = 64 << 10,
	 .max = 1 << 30},
	{.name = "spin-usecs", .off = OPT(spin_usecs), .value = 20, .min = 0, .max = 1000},
	{.name = "timeout-ms",
	 .off = OPT(timeout_ms),
	 .value = 10000,
	 .min = 100,
	 .max = 3600 * 1000},
	{.name = "batch-max", .off = OPT(batch_max), .value = OPTION_UNSET, .min = 1, .max = 65536},
	{.name = "batch-usecs",
	 .off = OPT(batch_usecs),
	 .value = OPTION_UNSET,
	 .min = 0,
	 .max = 1000000},
	{.name = "batch-mode",
	 .off = OPT(batch_mode),
	 .value = OPTION_UNSET,
	 .words = {{"fixed", UTMEM_MODE_FIXED}, {"adaptive", UTMEM_MODE_ADAPTIVE}}},
	{.name = "irq-max", .off = OPT(irq_max), .value = OPTION_UNSET, .min = 1, .max = 65536},
	{.name = "irq-usecs",
	 .off = OPT(irq_usecs),
	 .value = OPTION_UNSET,
	 .min = 0,
	 .max = 1000000},
};
#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static char *text_of(struct options *opt, const struct option_row *row)
{
	return (char *)opt + row->off;
}

static uint64_t *number_of(struct options *opt, const struct option_row *row)
{
	return (uint64_t *)(void *)((char *)opt + row->off);
}

void options_default(struct options *opt)
{
	memset(opt, 0, sizeof(*opt));
	for (size_t i = 0; i < NR_ROWS; i++) {
		if (rows[i].text)
			strncpy(text_of(opt, &rows[i]), rows[i].text, OPTION_STRING_MAX - 1);
		else
			*number_of(opt, &rows[i]) = rows[i].value;
	}
}

/* "64k" -> 65536. Suffixes k, m, g. */
static int parse_number(const char *text, uint64_t *out)
{
	static const char suffixes[] = "kmg";
	const char *s;
	char *end;
	uint64_t v;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end) {
		unsigned int shift;

		s = strchr(suffixes, *end | 0x20);
		if (!s || !*s || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(s - suffixes + 1);
		if (v > UINT64_MAX >> shift)
			return -EINVAL;
		v <<= shift;
	}
	*out = v;
	return 0;
}

static int set_number(struct options *opt, const struct option_row *row, const char *value,
		      const char **why)
{
	uint64_t v;

	*why = "not a number";
	if (parse_number(value, &v))
		return -EINVAL;
	*why = "out of range";
	if (v < row->min || v > row->max)
		return -EINVAL;
	*why = "not a power of two";
	if (row->power_of_two && (v & (v - 1)))
		return -EINVAL;
	*number_of(opt, row) = v;
	return 0;
}

static int set_word(struct options *opt, const struct option_row *row, const char *value,
		    const char **why)
{
	for (size_t i = 0; i < WORDS_MAX; i++) {
		if (strcasecmp(value, row->words[i].text))
			continue;
		*number_of(opt, row) = row->words[i].value;
		return 0;
	}
	*why = "no such value";
	return -EINVAL;
}

static int set_text(struct options *opt, const struct option_row *row, const char *value,
		    const char **why)
{
	size_t len = strlen(value);

	*why = "empty or too long";
	if (!len || len >= OPTION_STRING_MAX)
		return -EINVAL;
	memcpy(text_of(opt, row), value, len + 1);
	return 0;
}

int options_set(struct options *opt, const char *name, const char *value, const char **why)
{
	for (size_t i = 0; i < NR_ROWS; i++) {
		if (strcasecmp(name, rows[i].name))
			continue;
		if (rows[i].text)
			return set_text(opt, &rows[i], value, why);
		if (rows[i].words[0].text)
			return set_word(opt, &rows[i], value, why);
		return set_number(opt, &rows[i], value, why);
	}
	*why = "no such option";
	return -EINVAL;
}
