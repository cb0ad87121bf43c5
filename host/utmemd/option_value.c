// SPDX-License-Identifier: MIT
/*
 * Owns how the text of an option becomes its value, and what is said of a wrong
 * one. Called by options.c, at start.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/option_value.h"
#include "host/utmemd/size.h"

static int set_text(char **slot, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}

int option_choice(const char *words, const char *word)
{
	size_t len = strlen(word);
	int i = 0;

	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == len && !strncmp(words, word, n))
			return i;
		words += n + (words[n] == ' ');
		i++;
	}
	return -1;
}

static int in_range(const struct option_def *def, uint64_t n, char *why)
{
	char min[SIZE_TEXT_LEN], max[SIZE_TEXT_LEN];

	if (n >= def->min && n <= def->max)
		return 0;
	size_format(min, def->min);
	size_format(max, def->max);
	if (def->type == OPTION_OCTAL)
		snprintf(max, sizeof(max), "0%o", (unsigned int)def->max);
	snprintf(why, OPTION_WHY_LEN, "is not in %s .. %s", min, max);
	return -ERANGE;
}

static int set_number(const struct option_def *def, uint64_t *slot, const char *value, char *why)
{
	static const char *const forms[] = {
		[OPTION_SIZE] = "is no size: digits and at most one of k, m, g, t",
		[OPTION_POW2] = "is no size: digits and at most one of k, m, g, t",
		[OPTION_COUNT] = "is no number",
		[OPTION_OCTAL] = "is no octal number",
	};
	bool digits = value[0] && !value[strspn(value, "0123456789")];
	uint64_t n = 0;
	char *end;
	int err;

	if (def->type == OPTION_OCTAL) {
		n = strtoull(value, &end, 8);
		err = digits && !*end ? 0 : -EINVAL;
	} else {
		err = def->type != OPTION_COUNT || digits ? size_parse(value, &n) : -EINVAL;
	}
	if (err) {
		snprintf(why, OPTION_WHY_LEN, "%s",
			 err == -ERANGE ? "is too large" : forms[def->type]);
		return err;
	}
	if (def->type == OPTION_POW2 && (n & (n - 1))) {
		snprintf(why, OPTION_WHY_LEN, "is not a power of two");
		return -EINVAL;
	}
	err = in_range(def, n, why);
	if (!err)
		*slot = n;
	return err;
}

/* A later word on the same tenant replaces its quota and weight. */
static int set_tenant(struct options *o, const struct tenant_option *t)
{
	struct tenant_option *more;
	uint32_t i;

	for (i = 0; i < o->nr_tenants; i++) {
		if (!strcmp(o->tenants[i].name, t->name)) {
			o->tenants[i] = *t;
			return 0;
		}
	}
	more = reallocarray(o->tenants, o->nr_tenants + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	o->tenants = more;
	o->tenants[o->nr_tenants++] = *t;
	return 0;
}

/* Of @text, the digits up to @end; UINT32_MAX when that is no number or too large a one. */
static uint32_t parse_count(const char *text, const char *end)
{
	size_t len = (size_t)(end - text);

	if (!len || len > 9 || strspn(text, "0123456789") < len)
		return UINT32_MAX;
	return (uint32_t)strtoul(text, NULL, 10);
}

/* QUOTA or QUOTA:WEIGHT */
static int parse_allowance(struct tenant_option *t, const char *text, char *why)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char quota[32] = "";

	if (len < sizeof(quota))
		memcpy(quota, text, len);
	t->weight = colon ? parse_count(colon + 1, colon + strlen(colon)) : 0;
	if (size_parse(quota, &t->quota)) {
		snprintf(why, OPTION_WHY_LEN,
			 "has no valid quota: digits and at most one of k, m, g, t");
		return -EINVAL;
	}
	if (colon && (t->weight < UTMEM_WEIGHT_MIN || t->weight > UTMEM_WEIGHT_MAX)) {
		snprintf(why, OPTION_WHY_LEN, "has no valid weight: %u .. %u", UTMEM_WEIGHT_MIN,
			 UTMEM_WEIGHT_MAX);
		return -EINVAL;
	}
	return 0;
}

static int parse_tenant(struct options *o, const char *value, char *why)
{
	struct tenant_option t = {0};
	const char *colon = strchr(value, ':');
	int err;

	if (!colon) {
		snprintf(why, OPTION_WHY_LEN, "is not NAME:QUOTA");
		return -EINVAL;
	}
	if ((size_t)(colon - value) < sizeof(t.name))
		memcpy(t.name, value, colon - value);
	if (!utmem_name_valid(t.name)) {
		snprintf(why, OPTION_WHY_LEN, "has no valid name: 1 .. %u of A-Z a-z 0-9 . _ -",
			 UTMEM_POOL_NAME_LEN - 1);
		return -EINVAL;
	}
	err = parse_allowance(&t, colon + 1, why);
	if (err)
		return err;
	snprintf(why, OPTION_WHY_LEN, "cannot be kept: no memory");
	return set_tenant(o, &t);
}

/* What the kernel takes for a trigger, in milliseconds. */
#define WINDOW_MS_MIN 500u
#define WINDOW_MS_MAX 10000u

static int parse_pressure(struct pressure_option *p, const char *value, char *why)
{
	const char *colon = strchr(value, ':'), *slash = colon ? strchr(colon, '/') : NULL;
	uint32_t stall, window;
	int which = -1;

	if (!strcmp(value, "off")) {
		*p = (struct pressure_option){0};
		return 0;
	}
	if (slash && !strncmp(value, "some:", 5))
		which = 0;
	else if (slash && !strncmp(value, "full:", 5))
		which = 1;
	if (which < 0) {
		snprintf(why, OPTION_WHY_LEN, "is neither off nor some|full:STALL/WINDOW");
		return -EINVAL;
	}
	stall = parse_count(colon + 1, slash);
	window = parse_count(slash + 1, slash + strlen(slash));
	if (window < WINDOW_MS_MIN || window > WINDOW_MS_MAX || !stall || stall > window) {
		snprintf(why, OPTION_WHY_LEN,
			 "has no window of %u .. %u ms, or no stall of 1 ms to all of it",
			 WINDOW_MS_MIN, WINDOW_MS_MAX);
		return -ERANGE;
	}
	*p = (struct pressure_option){which == 1, stall * 1000, window * 1000};
	return 0;
}

int option_set(struct options *o, const struct option_def *def, const char *value, char *why)
{
	void *slot = (char *)o + def->off;
	int is_on;

	snprintf(why, OPTION_WHY_LEN, "cannot be kept: no memory");
	switch (def->type) {
	case OPTION_TENANT:
		return parse_tenant(o, value, why);
	case OPTION_PRESSURE:
		return parse_pressure(slot, value, why);
	case OPTION_CHOICE:
		if (option_choice(def->choices, value) < 0) {
			snprintf(why, OPTION_WHY_LEN, "is none of: %s", def->choices);
			return -EINVAL;
		}
		return set_text(slot, value);
	case OPTION_TEXT:
		if (!*value) {
			snprintf(why, OPTION_WHY_LEN, "is empty");
			return -EINVAL;
		}
		return set_text(slot, value);
	case OPTION_SWITCH:
		is_on = option_choice("no yes", value);
		if (is_on < 0) {
			snprintf(why, OPTION_WHY_LEN, "is neither yes nor no");
			return -EINVAL;
		}
		*(uint64_t *)slot = (uint64_t)is_on;
		return 0;
	default:
		return set_number(def, slot, value, why);
	}
}
