/* SPDX-License-Identifier: MIT */
/*
 * Values that can be packed: 4096 different pieces of one text, of the words and repetitions that
 * prose has. Owner: bench. Caller: calls.h, on the driving thread.
 */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include "bench/drive.h"

#define TEXT_PIECES_SHIFT 12u
#define TEXT_STEP 64u /* bytes between the beginnings of two pieces */

/* A text of which every piece has @value_len bytes. The caller's, to be freed; NULL: no memory. */
char *text_make(uint64_t value_len);

/* The key's piece of it. */
static inline char *text_piece(char *text, const struct bench_key *key)
{
	return text + (key->word[0] >> (64 - TEXT_PIECES_SHIFT)) * TEXT_STEP;
}

#endif /* BENCH_TEXT_H */
