// SPDX-License-Identifier: MIT
/*
 * The one table of options: parsing, defaults and --help come out of it.
 * Called by main.c, once.
 */
#include "bench/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_NUMBER, KIND_TEXT, KIND_SWITCH };

static const struct option_def {
	const char *name, *arg;
	enum kind kind;
	size_t at;
	uint64_t min, max;
	const char *preset, *help;
} table[] = {
#define AT(field) offsetof(struct options, field)
	{"value", "BYTES", KIND_NUMBER, AT(value), 0, 64 << 20, "64",
	 "length of a value; k and m are understood"},
	{"sizes", "LIST", KIND_TEXT, AT(sizes), 0, 0, "64,1k,4k,64k,1m",
	 "engine: lengths of values, one after the other"},
	{"depth", "N", KIND_NUMBER, AT(depth), 1, BENCH_DEPTH_MAX, "64", "requests in flight"},
	{"batch", "N", KIND_NUMBER, AT(batch), 0, BENCH_DEPTH_MAX, "0",
	 "requests per submit; 0: half of the depth"},
	{"ops", "LIST", KIND_TEXT, AT(ops), 0, 0, "put,get", "rows to measure: put, get"},
	{"engine", "NAME", KIND_TEXT, AT(engine), 0, 0, "pool",
	 "pool, or null: stores nothing, measures the rest"},
	{"compress", "HOW", KIND_TEXT, AT(compress), 0, 0, "none",
	 "engine: none, or compress cold values with lz4 or zstd; all are text then"},
	{"dedup", "HOW", KIND_TEXT, AT(dedup), 0, 0, "off",
	 "engine: off, or tenant: store equal values once; all are text then"},
	{"transport", "NAME", KIND_TEXT, AT(transport), 0, 0, "unix",
	 "unix: a utmemd of its own; local: in this thread; thread: a service thread and a bare "
	 "client; or a libutmem transport, e.g. dev:/dev/utmem0"},
	{"items", "N", KIND_NUMBER, AT(items), 0, 1ull << 32, "0",
	 "keys, loaded before; 0: about 256 MiB of values, at most 100000 (memory: 1000000)"},
	{"rounds", "N", KIND_NUMBER, AT(rounds), 1, 1000, "5",
	 "floor and system take turns so often; medians are printed"},
	{"seconds", "S", KIND_NUMBER, AT(seconds), 1, 3600, "2",
	 "time of a row's rounds of the system; its floor takes as long"},
	{"requests", "N", KIND_NUMBER, AT(requests), 0, 1ull << 40, "0",
	 "requests of a round, instead of a time"},
	{"poll-usecs", "N", KIND_NUMBER, AT(poll_usecs), 0, 1000000, "1000",
	 "how long the started utmemd stays awake without work"},
	{"pause", NULL, KIND_SWITCH, AT(pause), 0, 0, NULL,
	 "before each batch wait until the host sleeps (and poll-usecs is 0)"},
	{"rows", "LIST", KIND_TEXT, AT(rows), 0, 0, OPTIONS_VM_ROWS, "vm: what to measure"},
	{"ask", NULL, KIND_SWITCH, AT(ask), 0, 0, NULL,
	 "vm: ask on stdout, and read on stdin, what only the host can know or do (bench/vm.sh)"},
	{"accel", "NAME", KIND_TEXT, AT(accel), 0, 0, "none",
	 "what runs this guest, to be printed: kvm, tcg, none"},
	{"json", NULL, KIND_SWITCH, AT(json), 0, 0, NULL, "one JSON object per row, nothing else"},
#undef AT
};
#define OPTION_VALUE 0 /* what is a length, is one as --value */
#define NR_OPTIONS (sizeof(table) / sizeof(table[0]))

/* Is all of @text up to @stop, or to its end, one number that the option allows? */
static int parse_number(const struct option_def *d, const char *text, char stop, uint64_t *out)
{
	static const char suffixes[] = "kmg";
	char *end;
	uint64_t n = strtoull(text, &end, 10);
	const char *suffix = *end && *end != stop ? strchr(suffixes, *end) : NULL;
	unsigned int shift = suffix ? 10 * (unsigned int)(suffix - suffixes + 1) : 0;

	end += suffix ? 1 : 0;
	if (end == text || text[0] == '-' || (*end && *end != stop))
		return -1;
	if (n > d->max >> shift || n << shift < d->min)
		return -1;
	*out = n << shift;
	return 0;
}

static int set(struct options *o, const struct option_def *d, const char *text)
{
	void *field = (char *)o + d->at;

	switch (d->kind) {
	case KIND_SWITCH:
		*(bool *)field = true;
		return 0;
	case KIND_TEXT:
		*(const char **)field = text;
		return 0;
	case KIND_NUMBER:
		break;
	}
	if (!parse_number(d, text, 0, field))
		return 0;
	fprintf(stderr, "utmem-bench: --%s %s: not a number from %llu to %llu\n", d->name, text,
		(unsigned long long)d->min, (unsigned long long)d->max);
	return -1;
}

/* --name value or --name=value. Return: how many words were used, or -1. */
static int parse_one(struct options *o, char **word, int left)
{
	for (size_t i = 0; i < NR_OPTIONS; i++) {
		const struct option_def *d = &table[i];
		size_t len = strlen(d->name);

		if (strncmp(word[0], "--", 2) || strncmp(word[0] + 2, d->name, len))
			continue;
		if (d->kind != KIND_SWITCH && word[0][2 + len] == '=')
			return set(o, d, word[0] + 3 + len) ? -1 : 1;
		if (word[0][2 + len])
			continue;
		if (d->kind == KIND_SWITCH)
			return set(o, d, NULL) ? -1 : 1;
		if (left < 2)
			break;
		return set(o, d, word[1]) ? -1 : 2;
	}
	fprintf(stderr, "utmem-bench: %s: unknown option, or its value is missing\n", word[0]);
	return -1;
}

bool options_pack(const struct options *o)
{
	return strcmp(o->compress, "none") || strcmp(o->dedup, "off");
}

bool options_next_size(const char **sizes, uint64_t *out)
{
	const char *text = *sizes;

	if (!text || parse_number(&table[OPTION_VALUE], text, ',', out))
		return false;
	text = strchr(text, ',');
	*sizes = text ? text + 1 : NULL;
	return true;
}

bool options_have(const char *words, const char *word, size_t len)
{
	for (const char *w = words;; w++) {
		if (strcspn(w, ",") == len && !strncmp(w, word, len))
			return true;
		w = strchr(w, ',');
		if (!w)
			return false;
	}
}

/* Is the first of the list @word one of @words? */
static bool is_one_of(const char *word, const char *words)
{
	return options_have(words, word, strcspn(word, ","));
}

/* Is each of the list @list one of @words? */
static bool are_of(const char *list, const char *words)
{
	for (const char *w = list; w; w = strchr(w, ',') ? strchr(w, ',') + 1 : NULL)
		if (!is_one_of(w, words))
			return false;
	return true;
}

static const char *wrong_packing(const struct options *o)
{
	if (strchr(o->compress, ',') || !is_one_of(o->compress, "none,lz4,zstd"))
		return "--compress: none, lz4 or zstd";
	if (strchr(o->dedup, ',') || !is_one_of(o->dedup, "off,tenant"))
		return "--dedup: off or tenant";
	if (options_pack(o) && !strcmp(o->engine, "null"))
		return "--compress, --dedup: with --engine pool only";
	return NULL;
}

/* The ways that need a host of our own have no colon in their name. */
static const char *wrong_word(const struct options *o)
{
	bool own = !strchr(o->transport, ':');
	uint64_t size;

	for (const char *s = o->sizes; s;)
		if (!options_next_size(&s, &size))
			return "--sizes: lengths as for --value, with commas";
	if (!are_of(o->ops, "put,get"))
		return "--ops: put, get, or both with a comma";
	if (!are_of(o->rows, OPTIONS_VM_ROWS))
		return "--rows: of " OPTIONS_VM_ROWS;
	if (own && !is_one_of(o->transport, "unix,local,thread"))
		return "--transport: unix, local, thread, or a transport of libutmem";
	if (!is_one_of(o->engine, "pool,null"))
		return "--engine: pool or null";
	if (!strcmp(o->engine, "null") && (!own || !strcmp(o->transport, "local")))
		return "--engine null: with --transport unix or thread only";
	if (o->depth * (o->value + 64) > 1ull << 29)
		return "--depth times --value is more than 512 MiB";
	return wrong_packing(o);
}

/* What the single options cannot know of each other. */
static int settle(struct options *o)
{
	const char *wrong = wrong_word(o);

	if (!o->batch)
		o->batch = o->depth > 1 ? o->depth / 2 : 1;
	if (o->batch > o->depth)
		o->batch = o->depth;
	if (o->pause)
		o->poll_usecs = 0;
	if (wrong)
		fprintf(stderr, "utmem-bench: %s\n", wrong);
	return wrong ? -1 : 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
	int used;

	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < NR_OPTIONS; i++)
		if (table[i].preset)
			set(o, &table[i], table[i].preset);
	for (int i = 2; i < argc; i += used) {
		if (!strcmp(argv[i], "--help"))
			return options_help(), 1;
		used = parse_one(o, argv + i, argc - i);
		if (used < 0)
			return -1;
	}
	return settle(o);
}

void options_help(void)
{
	for (size_t i = 0; i < NR_OPTIONS; i++) {
		char head[40];

		snprintf(head, sizeof(head), "--%s %s", table[i].name,
			 table[i].arg ? table[i].arg : "");
		printf("  %-20s %s%s%s%s\n", head, table[i].help, table[i].preset ? " [" : "",
		       table[i].preset ? table[i].preset : "", table[i].preset ? "]" : "");
	}
}
