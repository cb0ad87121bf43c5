// SPDX-License-Identifier: MIT
/* Header lines, rows and JSON objects. Called by the scenarios and main.c, on the main thread. */
#include "bench/report.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct spread spread_of(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return (struct spread){
		.median = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2,
		.min = v[0],
		.max = v[n - 1],
	};
}

static void cpu_model(char *out, size_t len)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(out, len, "cpu not named");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
			snprintf(out, len, "%s", strchr(line, ':') + 2);
			out[strcspn(out, "\n")] = 0;
			break;
		}
	}
	if (f)
		fclose(f);
}

void report_begin(const struct options *o, int argc, char **argv)
{
	char model[128], date[64];
	time_t now = time(NULL);
	struct utsname host;

	if (o->json)
		return;
	printf("# command:");
	for (int i = 0; i < argc; i++)
		printf(" %s", argv[i]);
	cpu_model(model, sizeof(model));
	uname(&host);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", gmtime(&now));
	printf("\n# utmem %s, commit %s\n", UTMEM_BUILD_VERSION, UTMEM_BUILD_COMMIT);
	printf("# machine: %s, %ld CPUs, %s %s; accel %s\n", model, sysconf(_SC_NPROCESSORS_ONLN),
	       host.sysname, host.release, o->accel);
	printf("# date: %s\n", date);
}

void report_columns(const struct options *o, const char *yardstick)
{
	const char *stored = options_pack(o) ? " stored" : "";
	char column[32];

	if (o->json)
		return;
	snprintf(column, sizeof(column), "%s Mops/s", yardstick);
	printf("# engine %s, transport %s, host %s, depth %llu, batch %llu; medians of %llu rounds "
	       "(min-max)\n",
	       o->engine, o->transport, o->pause ? "asleep before each batch" : "awake",
	       (unsigned long long)o->depth, (unsigned long long)o->batch,
	       (unsigned long long)o->rounds);
	if (options_pack(o))
		printf("# compress %s, dedup %s, text\n", o->compress, o->dedup);
	printf("%-8s %-4s %8s %22s %9s %9s %9s %9s %7s %22s %6s %9s%s\n", "scenario", "op", "value",
	       "Mops/s", "ns/op", "p50 ns", "p99 ns", "p99.9 ns", "GB/s", column, "ratio",
	       "bells/op", stored);
}

static double gbps(const struct row *r)
{
	return r->mops.median * (double)r->o->value / 1000;
}

static void print_row(const struct row *r)
{
	char mops[64], yardstick[64], stored[32] = "";

	if (r->stored_ratio)
		snprintf(stored, sizeof(stored), " %6.2f", r->stored_ratio);
	snprintf(mops, sizeof(mops), "%.4g (%.4g-%.4g)", r->mops.median, r->mops.min, r->mops.max);
	snprintf(yardstick, sizeof(yardstick), "%.4g (%.4g-%.4g)", r->yardstick.median,
		 r->yardstick.min, r->yardstick.max);
	printf("%-8s %-4s %8llu %22s %9.0f %9llu %9llu %9llu %7.2f %22s %6.2f %9.4f%s\n",
	       r->scenario, r->op, (unsigned long long)r->o->value, mops, 1000 / r->mops.median,
	       (unsigned long long)histogram_percentile(r->latency, 500),
	       (unsigned long long)histogram_percentile(r->latency, 990),
	       (unsigned long long)histogram_percentile(r->latency, 999), gbps(r), yardstick,
	       r->mops.median / r->yardstick.median, r->doorbells_per_op, stored);
	fflush(stdout);
}

/* NAME_mops, NAME_mops_min, NAME_mops_max */
static void add_yardstick(cJSON *object, const struct row *r)
{
	char name[48];

	snprintf(name, sizeof(name), "%s_mops", r->yardstick_name);
	cJSON_AddNumberToObject(object, name, r->yardstick.median);
	snprintf(name, sizeof(name), "%s_mops_min", r->yardstick_name);
	cJSON_AddNumberToObject(object, name, r->yardstick.min);
	snprintf(name, sizeof(name), "%s_mops_max", r->yardstick_name);
	cJSON_AddNumberToObject(object, name, r->yardstick.max);
}

static void add_packing(cJSON *object, const struct row *r)
{
	if (!r->stored_ratio)
		return;
	cJSON_AddStringToObject(object, "compress", r->o->compress);
	cJSON_AddStringToObject(object, "dedup", r->o->dedup);
	cJSON_AddNumberToObject(object, "stored_ratio", r->stored_ratio);
}

static void print_json(const struct row *r)
{
	const struct {
		const char *name;
		double value;
	} numbers[] = {
		{"value", (double)r->o->value},
		{"depth", (double)r->o->depth},
		{"batch", (double)r->o->batch},
		{"mops", r->mops.median},
		{"mops_min", r->mops.min},
		{"mops_max", r->mops.max},
		{"ns_per_op", 1000 / r->mops.median},
		{"p50_ns", (double)histogram_percentile(r->latency, 500)},
		{"p99_ns", (double)histogram_percentile(r->latency, 990)},
		{"p999_ns", (double)histogram_percentile(r->latency, 999)},
		{"gbps", gbps(r)},
		{"ratio", r->mops.median / r->yardstick.median},
		{"doorbells_per_op", r->doorbells_per_op},
		{"rounds", r->rounds},
	};
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "scenario", r->scenario);
	cJSON_AddStringToObject(object, "op", r->op);
	cJSON_AddStringToObject(object, "engine", r->o->engine);
	cJSON_AddStringToObject(object, "transport", r->o->transport);
	cJSON_AddStringToObject(object, "accel", r->o->accel);
	cJSON_AddStringToObject(object, "host", r->o->pause ? "asleep" : "awake");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cJSON_AddNumberToObject(object, numbers[i].name, numbers[i].value);
	add_packing(object, r);
	add_yardstick(object, r);
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

void report_row(const struct row *row)
{
	if (row->o->json)
		print_json(row);
	else
		print_row(row);
}

void report_json(cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);

	if (text)
		puts(text);
	fflush(stdout);
	free(text);
	cJSON_Delete(object);
}
