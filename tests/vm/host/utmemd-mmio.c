// SPDX-License-Identifier: MIT
/*
 * A utmemd that hears no hypercall, for an upgrade to it: itself, beside it and named .real, with
 * one word more.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 64

int main(int argc, char **argv)
{
	char path[4096];
	char *words[WORDS_MAX + 3];

	if (argc > WORDS_MAX)
		return 2;
	memcpy(words, argv, (size_t)argc * sizeof(*argv));
	words[argc++] = (char *)"--doorbell";
	words[argc++] = (char *)"mmio";
	words[argc] = NULL;
	snprintf(path, sizeof(path), "%s.real", argv[0]);
	execv(path, words);
	return 1;
}
