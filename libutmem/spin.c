// SPDX-License-Identifier: MIT
/*
 * Decides how long waits look before they sleep, from what came of those before.
 * Owns nothing but its numbers. Called by wait.c, on the queue's thread.
 */
#include <stdbool.h>

#include "libutmem/spin.h"

void utmem_spin_init(struct utmem_spin *s, uint64_t max_ns)
{
	*s = (struct utmem_spin){
		.max_ns = max_ns, .look_ns = max_ns, .next_rest = UTMEM_SPIN_REST_MIN};
}

uint64_t utmem_spin_begin(struct utmem_spin *s)
{
	if (s->rest)
		s->rest--;
	if (s->look_ns)
		return s->look_ns;
	return s->rest ? 0 : s->max_ns;
}

void utmem_spin_found(struct utmem_spin *s, uint64_t ns)
{
	uint64_t twice = ns < s->max_ns / 2 ? 2 * ns : s->max_ns;
	uint64_t more = s->look_ns + s->look_ns / 8;

	s->look_ns = twice > more ? twice : more < s->max_ns ? more : s->max_ns;
	s->rest = 0;
	s->next_rest = UTMEM_SPIN_REST_MIN;
}

static void begin_rest(struct utmem_spin *s)
{
	s->rest = s->next_rest;
	if (s->next_rest < UTMEM_SPIN_REST_MAX)
		s->next_rest *= 2;
}

void utmem_spin_slept(struct utmem_spin *s, uint64_t looked, uint64_t ns)
{
	bool whole = looked >= s->max_ns;
	bool soon = !whole && ns <= s->max_ns + UTMEM_SPIN_WAKE;

	/* A sleep that is soon over may hide an answer that is always late: it shortens a rest, and ends none. */
	if (soon && s->rest) {
		s->rest /= 2;
	} else if (soon) {
		s->look_ns = s->max_ns;
		return;
	}
	s->look_ns /= 2;
	if (s->look_ns < UTMEM_SPIN_LOOK_MIN)
		s->look_ns = 0;
	if (whole || (looked && !s->look_ns))
		begin_rest(s);
}
