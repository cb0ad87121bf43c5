// SPDX-License-Identifier: MIT
/*
 * Owns the hook of fail points. Set by a test, or by utmemd in a build for tests,
 * before the first thread; called on any.
 */
#include <stddef.h>

#include "failpoint.h"

#ifdef UTMEM_FAIL_POINTS
void (*utmem_fail_hook)(const char *name);
#else
/* A translation unit may not be empty. */
_Static_assert(1, "no fail points in this build");
#endif
