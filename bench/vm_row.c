// SPDX-License-Identifier: MIT
/* How a row of `utmem-bench vm` is printed, as a line of a table or as JSON. Called by vm_*.c. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#include "bench/vm.h"

struct vm_row vm_row(const char *row, const char *op, const struct vm_way *way, struct vm_series *s)
{
	return (struct vm_row){
		.row = row,
		.op = op,
		.way = way,
		.series = s,
		.ratio = NAN,
		.submit_ns = NAN,
		.insns = NAN,
		.rate = NAN,
	};
}

void vm_columns(const struct vm_bench *b)
{
	if (b->o->json)
		return;
	printf("# value %llu, transport %s, %u rounds; -: nobody could say\n",
	       (unsigned long long)b->o->value, b->o->transport, b->rounds);
	printf("%-9s %-16s %-4s %-9s %-6s %5s %22s %9s %9s %9s %9s %6s %8s %8s %8s %8s %9s %8s\n",
	       "row", "way", "op", "doorbell", "host", "batch", "Mops/s", "p50 ns", "p99 ns",
	       "p99.9 ns", "submit ns", "ratio", "bells/op", "exits/op", "all/op", "irqs/op",
	       "rate/s", "insns/op");
}

static double per_op(const struct vm_row *r, double count)
{
	return count / r->series->counts.requests;
}

static double percentile(const struct vm_row *r, uint32_t permille)
{
	return (double)histogram_percentile(&r->series->latency, permille);
}

static const char *host_name(const struct vm_row *r)
{
	return vm_host_sleeps(r->way) ? "asleep" : "awake";
}

/* A number in a column, or a dash. */
static void cell(int width, int digits, double v)
{
	if (isnan(v))
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, digits, v);
}

static void print_line(const struct vm_row *r)
{
	const struct vm_counts *c = &r->series->counts;
	struct spread mops = spread_of(r->series->mops, r->series->rounds);
	char text[64];

	snprintf(text, sizeof(text), "%.4g (%.4g-%.4g)", mops.median, mops.min, mops.max);
	printf("%-9s %-16s %-4s %-9s %-6s %5u %22s", r->row, r->way->name, r->op,
	       vm_bell_names[r->way->bell], host_name(r), r->way->batch, text);
	cell(9, 0, percentile(r, 500));
	cell(9, 0, percentile(r, 990));
	cell(9, 0, percentile(r, 999));
	cell(9, 0, r->submit_ns);
	cell(6, 2, r->ratio);
	cell(8, 4, per_op(r, c->bells));
	cell(8, 4, per_op(r, c->bell_exits));
	cell(8, 3, per_op(r, c->exits));
	cell(8, 4, per_op(r, c->irqs));
	cell(9, 0, r->rate);
	cell(8, 0, r->insns);
	putchar('\n');
	fflush(stdout);
}

static cJSON *begin_object(const struct vm_bench *b, const char *row, enum vm_bell bell)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "scenario", "vm");
	cJSON_AddStringToObject(object, "row", row);
	cJSON_AddStringToObject(object, "engine", b->o->engine);
	cJSON_AddStringToObject(object, "transport", b->o->transport);
	cJSON_AddStringToObject(object, "accel", b->o->accel);
	cJSON_AddStringToObject(object, "doorbell", vm_bell_names[bell]);
	return object;
}

static void end_object(cJSON *object)
{
	cJSON_AddStringToObject(object, "commit", UTMEM_BUILD_COMMIT);
	report_json(object);
}

/* What is not known is null: cJSON prints NAN so. */
static void add_numbers(cJSON *object, const struct vm_bench *b, const struct vm_row *r)
{
	const struct vm_counts *c = &r->series->counts;
	struct spread mops = spread_of(r->series->mops, r->series->rounds);
	const struct {
		const char *name;
		double value;
	} numbers[] = {
		{"value", (double)b->o->value},
		{"depth", r->way->depth},
		{"batch", r->way->batch},
		{"mops", mops.median},
		{"mops_min", mops.min},
		{"mops_max", mops.max},
		{"ns_per_op", 1000 / mops.median},
		{"p50_ns", percentile(r, 500)},
		{"p99_ns", percentile(r, 990)},
		{"p999_ns", percentile(r, 999)},
		{"p99_round_ns", spread_of(r->series->p99_ns, r->series->rounds).median},
		{"submit_ns", r->submit_ns},
		{"gbps", mops.median * (double)b->o->value / 1000},
		{"ratio", r->ratio},
		{"doorbells_per_op", per_op(r, c->bells)},
		{"doorbells_saved_per_op", per_op(r, c->saved)},
		{"hypercalls_per_op", per_op(r, c->hypercalls)},
		{"unanswered", c->unanswered},
		{"deferred_per_op", per_op(r, c->deferred)},
		{"exits_per_op", per_op(r, c->bell_exits)},
		{"all_exits_per_op", per_op(r, c->exits)},
		{"irqs_per_op", per_op(r, c->irqs)},
		{"guest_insns_per_op", r->insns},
		{"arrivals_per_second", r->rate},
		{"rounds", r->series->rounds},
		{"requests", c->requests},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cJSON_AddNumberToObject(object, numbers[i].name, numbers[i].value);
}

static void print_json(const struct vm_bench *b, const struct vm_row *r)
{
	cJSON *object = begin_object(b, r->row, r->way->bell);

	cJSON_AddStringToObject(object, "way", r->way->name);
	cJSON_AddStringToObject(object, "op", r->op);
	cJSON_AddStringToObject(object, "host", host_name(r));
	add_numbers(object, b, r);
	end_object(object);
}

void vm_print(const struct vm_bench *b, const struct vm_row *r)
{
	if (b->o->json)
		print_json(b, r);
	else
		print_line(r);
}

void vm_print_absent(const struct vm_bench *b, const char *row, enum vm_bell bell, const char *why)
{
	cJSON *object;

	if (!b->o->json) {
		printf("# %s, %s: not here: %s\n", row, vm_bell_names[bell], why);
		return;
	}
	object = begin_object(b, row, bell);
	cJSON_AddStringToObject(object, "absent", why);
	end_object(object);
}

void vm_print_verdict(const struct vm_bench *b, double rate, const char *most, double throughput,
		      const char *quickest, double latency)
{
	cJSON *object;

	if (!b->o->json) {
		printf("# %.0f/s: adaptive does %.2f of '%s', its p99 is %.2f of '%s'\n", rate,
		       throughput, most, latency, quickest);
		return;
	}
	object = begin_object(b, "verdict", vm_best_bell(b));
	cJSON_AddNumberToObject(object, "arrivals_per_second", rate);
	cJSON_AddStringToObject(object, "best_throughput", most);
	cJSON_AddNumberToObject(object, "throughput_ratio", throughput);
	cJSON_AddStringToObject(object, "best_p99", quickest);
	cJSON_AddNumberToObject(object, "p99_ratio", latency);
	end_object(object);
}
