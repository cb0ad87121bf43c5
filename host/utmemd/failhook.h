/* SPDX-License-Identifier: MIT */
/* Fail points of a build for tests (host/pool/failpoint.h), chosen by the environment. Caller: main.c. */
#ifndef UTMEMD_FAILHOOK_H
#define UTMEMD_FAILHOOK_H

/*
 * UTMEM_FAIL_POINT=NAME[:NTH]: the process kills itself when it comes to that point for the
 * NTH time (1). The supervisor hands it to its first worker alone. UTMEM_FAIL_FILE=PATH: each
 * worker takes the same from that file, and removes it, if it is there. Nothing in other builds.
 */
void failhook_init(void);

#endif /* UTMEMD_FAILHOOK_H */
