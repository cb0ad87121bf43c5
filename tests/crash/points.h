/* SPDX-License-Identifier: MIT */
/*
 * The fail points of the daemon, and which of them have killed a worker. Owner:
 * tests/crash. The killer's thread.
 */
#ifndef CRASH_POINTS_H
#define CRASH_POINTS_H

#include <stdint.h>

#define POINTS_MAX 256u
#define POINT_NAME_MAX 64u

struct points {
	struct point {
		char name[POINT_NAME_MAX];
		uint32_t nr_armed, nr_died;
	} point[POINTS_MAX];
	uint32_t nr;
};

/* One name a line. 0, or -1 after a message. */
int points_read(struct points *p, const char *path);
/* One of those that were armed least often; NULL: there are none. */
struct point *points_pick(struct points *p, uint64_t *random);
/* How many have killed, and the names of those that were armed in vain. */
void points_report(const struct points *p);

#endif /* CRASH_POINTS_H */
