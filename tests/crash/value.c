// SPDX-License-Identifier: MIT
/* Values that say whose they are. Called by clients and the journal, on any thread. */
#include "tests/crash/value.h"

#include <stdio.h>
#include <string.h>

size_t value_key(uint64_t key, char out[KEY_TEXT_MAX])
{
	return (size_t)snprintf(out, KEY_TEXT_MAX, "key-%016llx%s", (unsigned long long)key,
				key % 3 ? "" : "-which-is-a-long-one");
}

static uint64_t word_at(const struct value *v, uint64_t no)
{
	uint64_t state = v->key * 0x9e3779b97f4a7c15ull ^ (uint64_t)v->version << 32 ^ v->len;

	state += no * 0xd1342543de82ef95ull;
	return next_random(&state);
}

/* The next bytes of the word at @off, @n at most. Return: how many. */
static uint32_t piece_at(const struct value *v, uint64_t off, uint32_t n, uint8_t out[8])
{
	uint64_t word = word_at(v, off / sizeof(word));
	uint32_t skip = (uint32_t)(off % sizeof(word)), len = sizeof(word) - skip;

	memcpy(out, (uint8_t *)&word + skip, len);
	return len < n ? len : n;
}

void value_fill(const struct value *v, uint64_t off, void *buf, uint32_t n)
{
	uint8_t *to = buf, piece[8];
	uint32_t len;

	for (; n; n -= len, to += len, off += len) {
		len = piece_at(v, off, n, piece);
		memcpy(to, piece, len);
	}
}

bool value_is(const struct value *v, uint64_t off, const void *buf, uint32_t n)
{
	const uint8_t *from = buf;
	uint8_t piece[8];
	uint32_t len;

	for (; n; n -= len, from += len, off += len) {
		len = piece_at(v, off, n, piece);
		if (memcmp(from, piece, len))
			return false;
	}
	return true;
}
