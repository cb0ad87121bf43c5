/* SPDX-License-Identifier: MIT */
/* Sizes as people write them: 4096, 64k. Callers: options.c and utmemctl. */
#ifndef UTMEM_SIZE_H
#define UTMEM_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define SIZE_TEXT_LEN 24u

/* Digits and at most one of k, m, g, t (powers of 1024, either case). 0, -EINVAL, -ERANGE. */
int size_parse(const char *text, uint64_t *out);
/* The shortest exact form: "64m", "4097". */
void size_format(char text[SIZE_TEXT_LEN], uint64_t bytes);
/* For people: one decimal of the largest unit, "1.5g"; exact below 1k. */
void size_round(char text[SIZE_TEXT_LEN], uint64_t bytes);

#endif /* UTMEM_SIZE_H */
