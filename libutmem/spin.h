/* SPDX-License-Identifier: MIT */
/*
 * How long a wait looks at the ring before it sleeps: decisions alone, no clock and no ring.
 * Owner: libutmem; caller: wait.c, on the queue's thread.
 *
 * It is never longer than the ceiling. An answer that it finds makes it an eighth longer, and at
 * least twice what the answer took. A sleep that is over so soon that the ceiling might have found
 * the answer makes it the ceiling. A look in vain halves it, down to none. Then it rests: for so
 * many waits there is no look, and after them one at the ceiling tries whether it pays again; each
 * that does not doubles the next rest.
 */
#ifndef UTMEM_SPIN_H
#define UTMEM_SPIN_H

#include <stdint.h>

#define UTMEM_SPIN_LOOK_MIN 1000u /* ns; less is not worth reading the clock for: none */
#define UTMEM_SPIN_WAKE 30000u	  /* ns that it takes to be woken: a sleep's end tells no better */
#define UTMEM_SPIN_REST_MIN 16u	  /* waits */
#define UTMEM_SPIN_REST_MAX 256u
#define UTMEM_SPIN_NO_ANSWER UINT64_MAX /* ns: a timeout or a signal came first */

struct utmem_spin {
	uint64_t max_ns;    /* the ceiling; 0: never look */
	uint64_t look_ns;   /* of the next wait, unless it tries the ceiling */
	uint32_t rest;	    /* waits before the ceiling is tried again */
	uint32_t next_rest; /* the same, when that is in vain */
};

void utmem_spin_init(struct utmem_spin *s, uint64_t max_ns);

/* How long the wait that begins now is to look; 0: not at all. */
uint64_t utmem_spin_begin(struct utmem_spin *s);

/* The wait has ended without a sleep, @ns after it began. */
void utmem_spin_found(struct utmem_spin *s, uint64_t ns);

/* It has slept after @looked ns of looking, and ended @ns after it began, or UTMEM_SPIN_NO_ANSWER. */
void utmem_spin_slept(struct utmem_spin *s, uint64_t looked, uint64_t ns);

#endif /* UTMEM_SPIN_H */
