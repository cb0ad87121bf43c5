// SPDX-License-Identifier: MIT
/* Makes the text of which values are pieces. Called by calls.h, before anything is measured. */
#include "bench/text.h"

#include <stdlib.h>

static const char *const words[] = {
	"the",	   "of",      "and",	 "to",	    "a",       "in",	  "is",	     "that",
	"for",	   "it",      "as",	 "was",	    "with",    "be",	  "by",	     "on",
	"not",	   "which",   "at",	 "this",    "are",     "from",	  "or",	     "had",
	"one",	   "have",    "but",	 "when",    "there",   "host",	  "value",   "between",
	"session", "request", "memory",	 "guest",   "every",   "other",	  "answer",  "before",
	"page",	   "under",   "because", "written", "nothing", "machine", "neither", "through",
	"account", "window",  "without", "another", "morning", "letter",  "against", "question",
	"follow",  "measure", "several", "kitchen", "harbour", "weather", "quarter", "seventeen",
};
#define NR_WORDS (sizeof(words) / sizeof(words[0]))

/* Common words come more often, as in prose: evenly among the first so many, which is chosen evenly. */
static const char *next_word(uint64_t *random)
{
	uint64_t r = bench_random(random);

	return words[(r >> 40) % ((r >> 8) % NR_WORDS + 1)];
}

char *text_make(uint64_t value_len)
{
	uint64_t len = (TEXT_STEP << TEXT_PIECES_SHIFT) + value_len, at = 0, random = 1;
	char *text = malloc(len);

	while (text && at < len) {
		const char *word = next_word(&random);

		while (*word && at < len)
			text[at++] = *word++;
		if (at < len)
			text[at++] = ' ';
	}
	return text;
}
