// SPDX-License-Identifier: MIT
/*
 * Owns the table of commands: words of the command line in, a request to the
 * daemon, its answer on stdout. Called by main.c, once.
 */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemctl/commands.h"
#include "host/utmemctl/policy.h"
#include "host/utmemctl/pools.h"
#include "host/utmemctl/request.h"
#include "host/utmemctl/table.h"
#include "host/utmemd/size.h"

static const char *const tenant_columns[] = {"name",  "used_bytes", "quota_bytes", "weight",
					     "pools", "vm",	    "clients",	   NULL};
static const char *const knob_columns[] = {"knob", "value", "unit", "range", "default", NULL};
static const char *const grant_columns[] = {"tenant", "right", NULL};
static const char *const pool_columns[] = {
	"tenant", "name",  "kind",	  "shared",	  "owner",   "compress",
	"dedup",  "items", "value_bytes", "stored_bytes", "ratio",   "used_bytes",
	"puts",	  "gets",  "hits",	  "evicted",	  "refused", NULL};
static const char *const traffic_columns[] = {"name",	   "vm",      "clients",   "queues",
					      "requests",  "batches", "doorbells", "wakes",
					      "malformed", "broken",  NULL};

#define KNOBS_MAX 16 /* in one command */

static int wrong(const char *what, const char *word)
{
	fprintf(stderr, "utmemctl: %s %s\n", what, word);
	return STATUS_USAGE;
}

static int send_only(const struct arguments *a, const char *cmd, cJSON *args)
{
	cJSON *result;
	int status = request_send(a->run_dir, cmd, args, &result);

	cJSON_Delete(result);
	return status;
}

/* Ask, and hand the answer to @print, or print it as it is. */
static int show(const struct arguments *a, const char *cmd, cJSON *args,
		void (*print)(const cJSON *result))
{
	cJSON *result;
	int status = request_send(a->run_dir, cmd, args, &result);
	char *text;

	if (status)
		return status;
	if (a->json) {
		text = cJSON_PrintUnformatted(result);
		printf("%s\n", text ? text : "null");
		free(text);
	} else {
		print(result);
	}
	cJSON_Delete(result);
	return 0;
}

/* ---- tenants ---- */

/* Return: 0 when it is none; what is too large for the daemon is sent as it is. */
static double number(const char *word)
{
	char *end;
	double n = strtod(word, &end);

	return *end || strspn(word, "0123456789") != strlen(word) ? 0 : n;
}

static int tenant_add(const struct arguments *a)
{
	cJSON *args;
	uint64_t quota;

	if (size_parse(a->words[3], &quota))
		return wrong("not a size (digits and at most one of k, m, g, t):", a->words[3]);
	args = cJSON_CreateObject();
	cJSON_AddStringToObject(args, "name", a->words[2]);
	cJSON_AddNumberToObject(args, "quota", (double)quota);
	if (a->nr_words == 5)
		cJSON_AddNumberToObject(args, "weight", number(a->words[4]));
	return send_only(a, "tenant add", args);
}

static int tenant_quota(const struct arguments *a)
{
	return policy_quota(a, a->words[2], a->words[3]);
}

static int quota(const struct arguments *a)
{
	return policy_quota(a, a->words[1], a->words[2]);
}

static int tenant_weight(const struct arguments *a)
{
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "name", a->words[2]);
	cJSON_AddNumberToObject(args, "weight", number(a->words[3]));
	return send_only(a, "tenant weight", args);
}

static int tenant_remove(const struct arguments *a)
{
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "name", a->words[2]);
	cJSON_AddBoolToObject(args, "force", a->force);
	return send_only(a, "tenant remove", args);
}

static void print_tenants(const cJSON *result)
{
	table_print(result, tenant_columns);
}

static int tenant_list(const struct arguments *a)
{
	return show(a, "tenant list", NULL, print_tenants);
}

/* ---- pools ---- */

static void print_pools(const cJSON *result)
{
	table_print(result, pool_columns);
}

static int pool_list(const struct arguments *a)
{
	return show(a, "pool list", NULL, print_pools);
}

cJSON *pool_args(char *word)
{
	char *pool = strchr(word, '/');
	cJSON *args;

	if (!pool) {
		wrong("not TENANT/POOL:", word);
		return NULL;
	}
	*pool = '\0';
	args = cJSON_CreateObject();
	cJSON_AddStringToObject(args, "tenant", word);
	cJSON_AddStringToObject(args, "pool", pool + 1);
	return args;
}

static int pool_grant(const struct arguments *a)
{
	const char *right = a->nr_words == 5 ? a->words[4] : "rw";
	cJSON *args;

	if (strcmp(right, "rw") && strcmp(right, "ro"))
		return wrong("neither ro nor rw:", right);
	args = pool_args(a->words[2]);
	if (!args)
		return STATUS_USAGE;
	cJSON_AddStringToObject(args, "to", a->words[3]);
	cJSON_AddBoolToObject(args, "readonly", !strcmp(right, "ro"));
	return send_only(a, "pool grant", args);
}

/* NAME=VALUE to a member of @args. Return: 0, or the exit code. */
static int add_option(cJSON *args, char *word)
{
	char *value = strchr(word, '=');
	uint64_t bytes;

	if (!value)
		return wrong("not OPTION=VALUE:", word);
	*value++ = '\0';
	if (!strcmp(word, "compress") || !strcmp(word, "dedup")) {
		cJSON_AddStringToObject(args, word, value);
		return 0;
	}
	if (strcmp(word, "compress_least"))
		return wrong("no such option (compress, compress_least, dedup):", word);
	if (size_parse(value, &bytes))
		return wrong("not a size (digits and at most one of k, m, g, t):", value);
	cJSON_AddNumberToObject(args, word, (double)bytes);
	return 0;
}

static int pool_set(const struct arguments *a)
{
	cJSON *args = pool_args(a->words[2]);
	int i, status = 0;

	if (!args)
		return STATUS_USAGE;
	for (i = 3; i < a->nr_words && !status; i++)
		status = add_option(args, a->words[i]);
	if (!status)
		return send_only(a, "pool set", args);
	cJSON_Delete(args);
	return status;
}

static int pool_revoke(const struct arguments *a)
{
	cJSON *args = pool_args(a->words[2]);

	if (!args)
		return STATUS_USAGE;
	cJSON_AddStringToObject(args, "from", a->words[3]);
	return send_only(a, "pool revoke", args);
}

static void print_grants(const cJSON *result)
{
	table_print(result, grant_columns);
}

static int pool_grants(const struct arguments *a)
{
	cJSON *args = pool_args(a->words[2]);

	return args ? show(a, "pool grants", args, print_grants) : STATUS_USAGE;
}

/* ---- memory ---- */

static int reclaim(const struct arguments *a)
{
	return policy_reclaim(a, a->words[1], a->nr_words == 3 ? a->words[2] : NULL);
}

/* ---- knobs ---- */

/* A copy of @result with one more member for people, or NULL. */
static cJSON *with_range(const cJSON *result)
{
	cJSON *row, *rows = cJSON_Duplicate(result, 1);
	char range[64];

	cJSON_ArrayForEach(row, rows)
	{
		snprintf(range, sizeof(range), "%.0f..%.0f",
			 cJSON_GetNumberValue(cJSON_GetObjectItem(row, "min")),
			 cJSON_GetNumberValue(cJSON_GetObjectItem(row, "max")));
		cJSON_AddStringToObject(row, "range", range);
	}
	return rows;
}

static void print_knobs(const cJSON *result)
{
	cJSON *rows = with_range(result);

	table_print(rows, knob_columns);
	cJSON_Delete(rows);
}

/* What a knob is, and which values it takes, is the daemon's to say. */
static int tune(const struct arguments *a)
{
	cJSON *args = a->nr_words > 1 ? cJSON_CreateObject() : NULL;
	int i;

	for (i = 1; i < a->nr_words; i++) {
		char *word = a->words[i], *value = strchr(word, '=');

		if (!value) {
			cJSON_Delete(args);
			return wrong("not KNOB=VALUE:", word);
		}
		*value++ = '\0';
		cJSON_AddStringToObject(args, word, value);
	}
	return show(a, "tune", args, print_knobs);
}

/* ---- stats ---- */

static void print_stats(const cJSON *result)
{
	list_print(cJSON_GetObjectItem(result, "host"));
	printf("\n");
	table_print(cJSON_GetObjectItem(result, "tenants"), traffic_columns);
}

static int stats(const struct arguments *a)
{
	return show(a, "stats", NULL, print_stats);
}

/* ---- upgrade ---- */

static int upgrade(const struct arguments *a)
{
	cJSON *result;
	int status = request_send(a->run_dir, a->words[0], NULL, &result);
	const char *version = cJSON_GetStringValue(cJSON_GetObjectItem(result, "version"));
	const char *commit = cJSON_GetStringValue(cJSON_GetObjectItem(result, "commit"));

	if (!status)
		printf("utmemd %s (%s) serves\n", version ? version : "?", commit ? commit : "?");
	cJSON_Delete(result);
	return status;
}

/* ---- the table ---- */

static const struct {
	const char *words[2]; /* the second may be NULL */
	int nr_min, nr_max;   /* words in all */
	int (*run)(const struct arguments *a);
	const char *usage;
	const char *help;
} commands[] = {
	{{"tenant", "add"},
	 4,
	 5,
	 tenant_add,
	 "tenant add NAME QUOTA [WEIGHT]",
	 "a new tenant and its sockets"},
	{{"tenant", "quota"}, 4, 4, tenant_quota, "tenant quota NAME QUOTA", "change its quota"},
	{{"quota", NULL}, 3, 3, quota, "quota NAME QUOTA", "the same"},
	{{"tenant", "weight"},
	 4,
	 4,
	 tenant_weight,
	 "tenant weight NAME WEIGHT",
	 "change what its share of a full arena is measured with, 1 to 1000"},
	{{"tenant", "remove"},
	 3,
	 3,
	 tenant_remove,
	 "tenant remove NAME [--force]",
	 "drop it with all it holds; --force also when somebody is connected"},
	{{"tenant", "list"}, 2, 2, tenant_list, "tenant list [--json]", "who there is"},
	{{"pool", "list"}, 2, 2, pool_list, "pool list [--json]", "what they hold"},
	{{"pool", "grant"},
	 4,
	 5,
	 pool_grant,
	 "pool grant TENANT/POOL TO [ro|rw]",
	 "let tenant TO attach to a shared pool; rw when not said"},
	{{"pool", "save"},
	 3,
	 4,
	 pool_save,
	 "pool save TENANT/POOL [FILE|-] [--quiet]",
	 "write a pool, as it is now, to FILE or stdout, while it is in use"},
	{{"pool", "restore"},
	 3,
	 4,
	 pool_restore,
	 "pool restore TENANT/POOL [FILE|-] [--create] [--replace] [--quiet]",
	 "read it back, all or nothing"},
	{{"pool", "verify"},
	 3,
	 3,
	 pool_verify,
	 "pool verify FILE|-",
	 "is it a whole saved pool? Needs no utmemd"},
	{{"pool", "set"},
	 4,
	 6,
	 pool_set,
	 "pool set TENANT/POOL OPTION=VALUE ...",
	 "compress=none|lz4|zstd, compress_least=SIZE, dedup=off|tenant"},
	{{"pool", "revoke"},
	 4,
	 4,
	 pool_revoke,
	 "pool revoke TENANT/POOL FROM",
	 "take that back, with the next request"},
	{{"pool", "grants"},
	 3,
	 3,
	 pool_grants,
	 "pool grants TENANT/POOL [--json]",
	 "to whom it is granted"},
	{{"reclaim", NULL},
	 2,
	 3,
	 reclaim,
	 "reclaim SIZE [TENANT] [--json]",
	 "give memory back to the host, dropping ephemeral values"},
	{{"tune", NULL},
	 1,
	 KNOBS_MAX + 1,
	 tune,
	 "tune [KNOB=VALUE ...] [--json]",
	 "show, and change, how utmemd looks for work; no knob: only show"},
	{{"stats", NULL}, 1, 1, stats, "stats [--json]", "what is counted"},
	{{"upgrade", NULL},
	 1,
	 1,
	 upgrade,
	 "upgrade",
	 "go on with the binary that is there now; peers notice a pause"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

void commands_help(void)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		printf("  %-36s %s\n", commands[i].usage, commands[i].help);
}

static int matches(size_t i, const struct arguments *a)
{
	const char *const *words = commands[i].words;

	if (!a->nr_words || strcmp(a->words[0], words[0]))
		return 0;
	return !words[1] || (a->nr_words > 1 && !strcmp(a->words[1], words[1]));
}

int command_run(const struct arguments *a)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++) {
		if (!matches(i, a))
			continue;
		if (a->nr_words < commands[i].nr_min || a->nr_words > commands[i].nr_max)
			return wrong("usage: utmemctl", commands[i].usage);
		return commands[i].run(a);
	}
	if (!a->nr_words)
		return wrong("no command;", "see utmemctl --help");
	return wrong("unknown command (see utmemctl --help):", a->words[0]);
}
