/* SPDX-License-Identifier: MIT */
/*
 * Places where a test may end the process: before and after every store that must be
 * found whole by whoever comes next.
 *
 * Owner: host/pool, for everybody on the host. Compiled in with -DUTMEM_FAIL_POINTS,
 * for tests alone; without it a point is nothing. Names are AREA_WHAT, each stands once.
 */
#ifndef UTMEM_POOL_FAILPOINT_H
#define UTMEM_POOL_FAILPOINT_H

#ifdef UTMEM_FAIL_POINTS
/* Called with a point's name, on whichever thread comes by; NULL: nobody listens. May not return. */
extern void (*utmem_fail_hook)(const char *name);
#define UTMEM_FAIL_POINT(name)                 \
	do {                                   \
		if (utmem_fail_hook)           \
			utmem_fail_hook(name); \
	} while (0)
#else
#define UTMEM_FAIL_POINT(name) \
	do {                   \
	} while (0)
#endif

#endif /* UTMEM_POOL_FAILPOINT_H */
