/* SPDX-License-Identifier: MIT */
/*
 * Values that say whose they are: every word depends on the key, the version, the
 * length and its place, so that no piece of one can pass for a piece of another.
 * Owner: tests/crash. Any thread.
 */
#ifndef CRASH_VALUE_H
#define CRASH_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_TEXT_MAX 48u

struct value {
	uint64_t key;
	uint32_t version; /* of that key, from 1 */
	uint32_t len;	  /* of the whole value */
};

/* The key as it is sent; every third one is longer than what fits into a request. Return: its length. */
size_t value_key(uint64_t key, char out[KEY_TEXT_MAX]);
/* Bytes [off, off + n) of @v. */
void value_fill(const struct value *v, uint64_t off, void *buf, uint32_t n);
bool value_is(const struct value *v, uint64_t off, const void *buf, uint32_t n);

/* splitmix64 */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

#endif /* CRASH_VALUE_H */
