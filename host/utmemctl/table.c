// SPDX-License-Identifier: MIT
/*
 * Owns how values look to people. Called by commands.c. Only blanks between
 * columns; a member whose name ends in _bytes is a size, "ratio" has two digits after the point.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/utmemctl/table.h"
#include "host/utmemd/size.h"

#define CELL_LEN 80 /* a name is at most 63 */
#define COLUMNS_MAX 20
#define RATIO "ratio" /* two digits of it */

#define BYTES "_bytes"

static bool is_size(const char *name)
{
	size_t len = strlen(name), tail = strlen(BYTES);

	return len > tail && !strcmp(name + len - tail, BYTES);
}

static void cell_format(char cell[CELL_LEN], const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (cJSON_IsNumber(v) && is_size(name))
		size_round(cell, (uint64_t)cJSON_GetNumberValue(v));
	else if (cJSON_IsNumber(v) && !strcmp(name, RATIO))
		snprintf(cell, CELL_LEN, "%.2f", cJSON_GetNumberValue(v));
	else if (cJSON_IsNumber(v))
		snprintf(cell, CELL_LEN, "%" PRIu64, (uint64_t)cJSON_GetNumberValue(v));
	else if (cJSON_IsBool(v))
		snprintf(cell, CELL_LEN, "%s", cJSON_IsTrue(v) ? "yes" : "no");
	else
		snprintf(cell, CELL_LEN, "%s", cJSON_IsString(v) ? cJSON_GetStringValue(v) : "-");
}

static void title_format(char cell[CELL_LEN], const char *name)
{
	size_t len = strlen(name);

	if (is_size(name))
		len -= strlen(BYTES);
	snprintf(cell, CELL_LEN, "%.*s", (int)len, name);
}

struct column {
	const char *name;
	int width;
	bool right; /* numbers, to compare them by eye */
};

static void column_init(struct column *col, const char *name, const cJSON *rows)
{
	char cell[CELL_LEN];
	const cJSON *row;

	title_format(cell, name);
	*col = (struct column){name, (int)strlen(cell), true};
	cJSON_ArrayForEach(row, rows)
	{
		cell_format(cell, row, name);
		if ((int)strlen(cell) > col->width)
			col->width = (int)strlen(cell);
		if (!cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(row, name)))
			col->right = false;
	}
}

/* Nothing follows the last cell, so that no line ends in blanks. */
static void cell_print(const struct column *col, const char *cell, bool last)
{
	if (col->right)
		printf("%*s", col->width, cell);
	else
		printf("%-*s", last ? 0 : col->width, cell);
	printf(last ? "\n" : "  ");
}

void table_print(const cJSON *rows, const char *const *names)
{
	struct column cols[COLUMNS_MAX];
	char cell[CELL_LEN];
	const cJSON *row;
	int i, nr = 0;

	for (; names[nr] && nr < COLUMNS_MAX; nr++)
		column_init(&cols[nr], names[nr], rows);
	for (i = 0; i < nr; i++) {
		title_format(cell, names[i]);
		cell_print(&cols[i], cell, i == nr - 1);
	}
	cJSON_ArrayForEach(row, rows)
	{
		for (i = 0; i < nr; i++) {
			cell_format(cell, row, names[i]);
			cell_print(&cols[i], cell, i == nr - 1);
		}
	}
}

void list_print(const cJSON *o)
{
	char name[CELL_LEN], cell[CELL_LEN];
	const cJSON *v;

	cJSON_ArrayForEach(v, o)
	{
		title_format(name, v->string);
		cell_format(cell, o, v->string);
		printf("%-14s %s\n", name, cell);
	}
}
