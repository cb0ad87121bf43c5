// SPDX-License-Identifier: MIT
/*
 * Owns how a size is read and written. Called by options.c and by utmemctl; keeps
 * no state, any thread.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/size.h"

static const char units[] = "kmgt";

int size_parse(const char *text, uint64_t *out)
{
	const char *unit = NULL;
	unsigned int shift = 0;
	uint64_t n;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (*end) {
		unit = strchr(units, tolower((unsigned char)*end));
		if (!unit || end[1])
			return -EINVAL;
		shift = 10u * (unsigned int)(unit - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*out = n << shift;
	return 0;
}

void size_format(char text[SIZE_TEXT_LEN], uint64_t bytes)
{
	int unit = -1;

	while (bytes && !(bytes & 1023) && units[unit + 1]) {
		bytes >>= 10;
		unit++;
	}
	snprintf(text, SIZE_TEXT_LEN, "%" PRIu64 "%.1s", bytes, unit < 0 ? "" : &units[unit]);
}

void size_round(char text[SIZE_TEXT_LEN], uint64_t bytes)
{
	double n = (double)bytes;
	int unit = -1;

	while (n >= 1024 && units[unit + 1]) {
		n /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, SIZE_TEXT_LEN, "%" PRIu64, bytes);
	else
		snprintf(text, SIZE_TEXT_LEN, "%.1f%c", n, units[unit]);
}
