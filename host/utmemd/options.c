// SPDX-License-Identifier: MIT
/*
 * Owns the table of options: flags, the configuration file, --help and every
 * message about a wrong value come out of it. Called by main.c once, at start.
 */
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/ring/utmem_abi.h"
#include "host/utmemd/option_value.h"
#include "host/utmemd/options.h"
#include "host/utmemd/poll.h"
#include "host/utmemd/pool_options.h"

#define SECTION "utmemd" /* of the configuration file */

#define AT(field) offsetof(struct options, field)
#define MIB (1ull << 20)
#define TIB (1ull << 40)

static const struct option_def table[] = {
	{"config", "FILE", OPTION_TEXT, AT(config), NULL, 0, 0, NULL,
	 "read options from FILE; flags come after it and win"},
	{"run-dir", "DIR", OPTION_TEXT, AT(run_dir), "/run/utmem", 0, 0, NULL,
	 "where the sockets are; made when missing"},
	{"state-dir", "DIR", OPTION_TEXT, AT(state_dir), NULL, 0, 0, NULL,
	 "keep tenants, quotas, pools and grants there; made when missing"},
	{"socket-mode", "MODE", OPTION_OCTAL, AT(socket_mode), "0660", 0, 0777, NULL,
	 "permissions of the tenants' sockets"},
	{"arena", "SIZE", OPTION_SIZE, AT(arena), "1g", MIB, TIB, NULL, "memory for all values"},
	{"arena-file", "PATH", OPTION_TEXT, AT(arena_file), NULL, 0, 0, NULL,
	 "keep the values in that file, which is made when missing"},
	{"arena-pages", "SIZE", OPTION_CHOICE, AT(arena_pages), "4k", 0, 0, "4k 2m",
	 "pages of an arena without a file: 4k, or the host's huge pages, 2m"},
	{"overcommit", NULL, OPTION_SWITCH, AT(overcommit), "no", 0, 0, NULL,
	 "allow an arena larger than the memory that is available now"},
	{"tenant", "NAME:QUOTA[:WEIGHT]", OPTION_TENANT, 0, NULL, 0, 0, NULL,
	 "a tenant, the most it may hold, and its weight [100]; repeatable"},
	{"window", "SIZE", OPTION_POW2, AT(window), "64m", UTMEM_WINDOW_LEN_MIN, TIB, NULL,
	 "shared memory of a VM"},
	{"client-window", "SIZE", OPTION_POW2, AT(client_window), "64m", UTMEM_WINDOW_LEN_MIN, TIB,
	 NULL, "shared memory of a process on the host: its default and its most"},
	{"client-memory", "SIZE", OPTION_SIZE, AT(client_memory), "1g", UTMEM_WINDOW_LEN_MIN, TIB,
	 NULL, "shared memory of all processes of one tenant together"},
	{"save-memory", "SIZE", OPTION_SIZE, AT(save_memory), "64m", MIB, TIB, NULL,
	 "of one save: what waits for its reader, or was overwritten before its turn"},
	{"vectors", "N", OPTION_COUNT, AT(vectors), "2", 1, 32, NULL,
	 "interrupt vectors of a VM's device, as in QEMU's vectors="},
	{"max-queues", "N", OPTION_COUNT, AT(max_queues), "64", 2, UTMEM_QUEUES_MAX, NULL,
	 "queues in one window, the admin queue included"},
	{"max-clients", "N", OPTION_COUNT, AT(max_clients), "64", 1, 65536, NULL,
	 "processes connected to one tenant's socket"},
	{"threads", "N", OPTION_COUNT, AT(threads), "1", 1, THREADS_MAX, NULL,
	 "that serve, each its own windows"},
	{"poll-usecs", "N", OPTION_COUNT, AT(knobs.poll_usecs), "50", 0, 1000000, NULL,
	 "how long to look for more work before sleeping, at most"},
	{"poll-cpu-percent", "N", OPTION_COUNT, AT(knobs.poll_cpu_percent), "100", 0,
	 POLL_CPU_PERCENT_MAX, NULL,
	 "of its time that each thread may look for work and find none; 100: no limit"},
	{"doorbell", "HOW", OPTION_CHOICE, AT(doorbell), "auto", 0, 0, "auto mmio hypercall",
	 "how VMs wake a thread: by hypercall where the host allows, mmio alone, or hypercall"},
	{"heartbeat-ms", "N", OPTION_COUNT, AT(heartbeat_ms), "1000", 10, 60000, NULL,
	 "period of the sign of life in every window"},
	{"pressure", "WHEN", OPTION_PRESSURE, AT(pressure), "off", 0, 0, NULL,
	 "when ephemeral pools shrink: off, or some|full:STALL/WINDOW in ms"},
	{"pressure-step", "SIZE", OPTION_SIZE, AT(pressure_step), "64m", MIB, TIB, NULL,
	 "by how much, each time"},
	{"pressure-file", "PATH", OPTION_TEXT, AT(pressure_file), "/proc/pressure/memory", 0, 0,
	 NULL, "where the kernel, or a FIFO, says it"},
	{"engine", "NAME", OPTION_CHOICE, AT(engine), "pool", 0, 0, "pool null",
	 "what stores: pool, or null (nothing; to measure the rest)"},
	{"compress", "HOW", OPTION_CHOICE, AT(compress), "none", 0, 0, POOL_COMPRESS_WORDS,
	 "values of new pools that are not read: none, lz4 or zstd"},
	{"dedup", "HOW", OPTION_CHOICE, AT(dedup), "off", 0, 0, POOL_DEDUP_WORDS,
	 "equal values of new pools are stored once: off, or tenant (within one)"},
	{"log-level", "LEVEL", OPTION_CHOICE, AT(log_level), "info", 0, 0, "error warn info debug",
	 "the least important lines that are written"},
};

#define NR_OPTIONS (sizeof(table) / sizeof(table[0]))
#define FLAG_HELP NR_OPTIONS
#define FLAG_VERSION (NR_OPTIONS + 1)

static const struct option_def *find_option(const char *name)
{
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
	}
	return NULL;
}

/* ---- the file ---- */

struct file {
	struct options *o;
	char error[2 * OPTION_WHY_LEN]; /* of the first wrong line */
};

/* For inih: 0 says that this line is wrong. */
static int file_line(void *user, const char *section, const char *name, const char *value)
{
	struct file *f = user;
	const struct option_def *def = find_option(name);
	char why[OPTION_WHY_LEN], error[sizeof(f->error)];

	if (strcmp(section, SECTION))
		snprintf(error, sizeof(error), "%s: not in section [" SECTION "]", name);
	else if (!def || !strcmp(name, "config"))
		snprintf(error, sizeof(error), "%s: unknown option", name);
	else if (!value)
		snprintf(error, sizeof(error), "%s: has no value", name);
	else if (option_set(f->o, def, value, why))
		snprintf(error, sizeof(error), "%s: %.200s %s", name, value, why);
	else
		return 1;
	if (!f->error[0])
		memcpy(f->error, error, sizeof(error));
	return 0;
}

static int read_file(struct options *o, const char *path)
{
	struct file f = {.o = o};
	int line = ini_parse(path, file_line, &f);

	if (!line)
		return 0;
	if (line == -1)
		fprintf(stderr, "utmemd: %s: %s\n", path, strerror(errno));
	else if (line < 0)
		fprintf(stderr, "utmemd: %s: cannot be read: no memory\n", path);
	else
		fprintf(stderr, "utmemd: %s:%d: %s\n", path, line,
			f.error[0] ? f.error : "not of the form: option = value");
	return -EINVAL;
}

/* ---- flags ---- */

static void print_help(void)
{
	char flag[64];
	size_t i;

	printf("usage: utmemd [OPTION ...]\n"
	       "Keeps the keys and values of VMs and processes in memory of this host.\n\n");
	for (i = 0; i < NR_OPTIONS; i++) {
		const struct option_def *def = &table[i];

		snprintf(flag, sizeof(flag), "--%s%s%s", def->name, def->arg ? " " : "",
			 def->arg ? def->arg : "");
		printf("  %-22s %s", flag, def->help);
		if (def->by_default && def->type != OPTION_SWITCH)
			printf(" [%s]", def->by_default);
		printf("\n");
	}
	printf("  %-22s %s\n", "--help", "this text");
	printf("  %-22s %s\n", "--version", "which utmemd this is");
	printf("\nSizes take k, m, g or t. In the file, section [" SECTION "], the same names "
	       "without --.\nSee utmemd(8), utmemd.conf(5), utmemctl(1).\n");
}

static void flags_init(struct option flags[NR_OPTIONS + 3])
{
	size_t i;

	memset(flags, 0, (NR_OPTIONS + 3) * sizeof(*flags));
	for (i = 0; i < NR_OPTIONS; i++) {
		flags[i].name = table[i].name;
		flags[i].has_arg = table[i].arg ? required_argument : no_argument;
		flags[i].val = (int)i;
	}
	flags[FLAG_HELP] = (struct option){"help", no_argument, NULL, (int)FLAG_HELP};
	flags[FLAG_VERSION] = (struct option){"version", no_argument, NULL, (int)FLAG_VERSION};
}

static enum options_result apply_flag(struct options *o, size_t i)
{
	const char *value = optarg ? optarg : "yes";
	char why[OPTION_WHY_LEN];

	if (!option_set(o, &table[i], value, why))
		return OPTIONS_RUN;
	fprintf(stderr, "utmemd: --%s: %s %s\n", table[i].name, value, why);
	return OPTIONS_WRONG;
}

/* The file has to be read first, so flags are walked through twice: for --config, then for the rest. */
static enum options_result read_flags(struct options *o, int argc, char **argv, bool for_config)
{
	struct option flags[NR_OPTIONS + 3];
	enum options_result result;
	int i;

	flags_init(flags);
	optind = 0;
	opterr = for_config; /* unknown flags are told once */
	while ((i = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		bool is_config = i == (int)(find_option("config") - table);

		if (i == '?')
			return OPTIONS_WRONG;
		if (i == (int)FLAG_HELP) {
			print_help();
			return OPTIONS_DONE;
		}
		if (i == (int)FLAG_VERSION) {
			printf("utmemd " UTMEM_BUILD_VERSION " (" UTMEM_BUILD_COMMIT ")\n");
			return OPTIONS_DONE;
		}
		if (is_config != for_config)
			continue;
		result = apply_flag(o, (size_t)i);
		if (result != OPTIONS_RUN)
			return result;
	}
	if (optind == argc)
		return OPTIONS_RUN;
	fprintf(stderr, "utmemd: %s: not an option\n", argv[optind]);
	return OPTIONS_WRONG;
}

static int set_defaults(struct options *o)
{
	char why[OPTION_WHY_LEN];
	size_t i;

	for (i = 0; i < NR_OPTIONS; i++) {
		if (table[i].by_default && option_set(o, &table[i], table[i].by_default, why))
			return -ENOMEM;
	}
	return 0;
}

/* What each option alone cannot say. */
static enum options_result check_together(const struct options *o)
{
	const char *why = NULL;

	if (o->client_memory < o->client_window)
		why = "--client-memory: has no room for one --client-window";
	else if (o->arena_file && strcmp(o->arena_pages, "4k"))
		why = "--arena-pages: the pages of --arena-file are its file system's";
	if (!why)
		return OPTIONS_RUN;
	fprintf(stderr, "utmemd: %s\n", why);
	return OPTIONS_WRONG;
}

enum options_result options_init(struct options *o, int argc, char **argv)
{
	enum options_result result;

	memset(o, 0, sizeof(*o));
	if (set_defaults(o)) {
		fprintf(stderr, "utmemd: no memory\n");
		return OPTIONS_WRONG;
	}
	result = read_flags(o, argc, argv, true);
	if (result != OPTIONS_RUN)
		return result;
	if (o->config && read_file(o, o->config))
		return OPTIONS_WRONG;
	result = read_flags(o, argc, argv, false);
	return result == OPTIONS_RUN ? check_together(o) : result;
}

void options_exit(struct options *o)
{
	free(o->config);
	free(o->run_dir);
	free(o->state_dir);
	free(o->arena_file);
	free(o->arena_pages);
	free(o->doorbell);
	free(o->pressure_file);
	free(o->engine);
	free(o->compress);
	free(o->dedup);
	free(o->log_level);
	free(o->tenants);
}

int options_log_level(const struct options *o)
{
	return option_choice(find_option("log-level")->choices, o->log_level);
}

/* ---- knobs ---- */

static const struct {
	const char *name;
	const char *unit;
} knobs[] = {
	{"poll-usecs", "us"},
	{"poll-cpu-percent", "%"},
};

#define NR_KNOBS (sizeof(knobs) / sizeof(knobs[0]))

bool options_knob(const struct knobs *k, size_t i, struct knob *out)
{
	const struct options o = {.knobs = *k};
	const struct option_def *def;

	if (i >= NR_KNOBS)
		return false;
	def = find_option(knobs[i].name);
	*out = (struct knob){
		.name = def->name,
		.unit = knobs[i].unit,
		.by_default = def->by_default,
		.min = def->min,
		.max = def->max,
	};
	memcpy(&out->value, (const char *)&o + def->off, sizeof(out->value));
	return true;
}

static bool is_knob(const char *name)
{
	size_t i;

	for (i = 0; i < NR_KNOBS; i++) {
		if (!strcmp(knobs[i].name, name))
			return true;
	}
	return false;
}

int options_knob_set(struct knobs *k, const char *name, const char *value, char why[OPTION_WHY_LEN])
{
	struct options o = {.knobs = *k};
	int err;

	if (!is_knob(name)) {
		snprintf(why, OPTION_WHY_LEN, "is no knob");
		return -ENOENT;
	}
	err = option_set(&o, find_option(name), value, why);
	if (!err)
		*k = o.knobs;
	return err;
}
