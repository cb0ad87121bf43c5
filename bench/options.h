/* SPDX-License-Identifier: MIT */
/*
 * What the user asked for. Owner: bench; filled once by options.c before anything
 * runs, read by every scenario.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_DEPTH_MAX 4096u
#define OPTIONS_VALUE_DEFAULT 64u
#define OPTIONS_VM_ROWS "counts,paper,doorbell,insns,arrivals"

struct options {
	uint64_t value;	   /* bytes of a value */
	uint64_t depth;	   /* requests in flight */
	uint64_t batch;	   /* requests per submit; 0 = half of depth */
	uint64_t items;	   /* keys; 0 = as many as are about 256 MiB, at most 100,000 */
	uint64_t rounds;   /* of floor and system in turn */
	uint64_t seconds;  /* for each row, all rounds together */
	uint64_t requests; /* of each round instead; 0 = by time */
	uint64_t poll_usecs;
	const char *ops;       /* "put,get" */
	const char *sizes;     /* "64,1k": lengths of values, for scenarios that have many */
	const char *engine;    /* "pool" or "null" */
	const char *compress;  /* "none", "lz4" or "zstd": of the engine's pool */
	const char *dedup;     /* "off" or "tenant" */
	const char *transport; /* "unix", "local", "thread", or a libutmem transport with a colon */
	const char *accel;     /* what to print about the machine's virtualisation */
	const char *rows;      /* "counts,paper,...": what vm measures */
	bool pause;
	bool ask; /* vm: somebody answers on stdin who sees this guest from outside */
	bool json;
};

/* From argv[1] on. Return: 0; -1 after a message to stderr; 1 when help was printed. */
int options_parse(struct options *o, int argc, char **argv);
void options_help(void);
/* Are values to be stored in less than they have? */
bool options_pack(const struct options *o);
/* Is the @len bytes at @word one of @words, a list with commas? */
bool options_have(const char *words, const char *word, size_t len);
/* The first number of *@sizes into *@out, *@sizes to what follows it. Return: false at the end. */
bool options_next_size(const char **sizes, uint64_t *out);

#endif /* BENCH_OPTIONS_H */
