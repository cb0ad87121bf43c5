// SPDX-License-Identifier: MIT
/* The list of fail points. Called by crash.c, on the main thread. */
#include "tests/crash/points.h"

#include <stdio.h>
#include <string.h>

#include "tests/crash/value.h"

int points_read(struct points *p, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[POINT_NAME_MAX];

	if (!f)
		return perror(path), -1;
	while (p->nr < POINTS_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			strcpy(p->point[p->nr++].name, line);
	}
	fclose(f);
	return 0;
}

struct point *points_pick(struct points *p, uint64_t *random)
{
	uint32_t start = p->nr ? (uint32_t)(next_random(random) >> 32) % p->nr : 0, i;
	struct point *best = NULL, *point;

	for (i = 0; i < p->nr; i++) {
		point = &p->point[(start + i) % p->nr];
		if (!best || point->nr_armed < best->nr_armed)
			best = point;
	}
	return best;
}

void points_report(const struct points *p)
{
	uint32_t i, killed = 0, armed = 0;

	for (i = 0; i < p->nr; i++) {
		armed += p->point[i].nr_armed > 0;
		killed += p->point[i].nr_died > 0;
	}
	printf("fail points: %u of %u armed ones killed, of %u; in vain:", killed, armed, p->nr);
	for (i = 0; i < p->nr; i++)
		if (p->point[i].nr_armed && !p->point[i].nr_died)
			printf(" %s", p->point[i].name);
	printf("\n");
}
