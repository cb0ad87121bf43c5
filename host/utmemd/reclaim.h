/* SPDX-License-Identifier: MIT */
/*
 * Memory goes back to the host in slices, between which everybody else is served.
 * Callers: commands.c (the operator's word) and pressure.c (the host's).
 */
#ifndef UTMEMD_RECLAIM_H
#define UTMEMD_RECLAIM_H

#include <stdbool.h>

#include "host/pool/pool.h"

struct daemon;

/* The most that others wait for a slice, and for the unit of work that ends it. */
#define RECLAIM_SLICE_USECS 500u

/* One slice towards @r. Return: true when there is more to be had. */
bool reclaim_slice(struct daemon *d, struct utmem_reclaim *r);

#endif /* UTMEMD_RECLAIM_H */
