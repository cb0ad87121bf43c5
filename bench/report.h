/* SPDX-License-Identifier: MIT */
/*
 * What is printed: a header that says where the numbers come from, and rows, as a
 * table or as JSON. Owner: bench. Called by scenarios on the main thread.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/drive.h"

struct spread {
	double median, min, max;
};

struct row {
	const char *scenario, *op;
	const struct options *o;
	const char *yardstick_name;
	struct spread mops, yardstick;
	const struct histogram *latency;
	double doorbells_per_op;
	double stored_ratio; /* 0: nothing was asked for that makes it other than 1 */
	uint32_t rounds;
};

/* Sorts @v. */
struct spread spread_of(double *v, uint32_t n);

void report_begin(const struct options *o, int argc, char **argv);
/* @yardstick: what the ratio is to. */
void report_columns(const struct options *o, const char *yardstick);
void report_row(const struct row *row);

/* For rows of another kind: a cJSON object, printed on one line and freed. */
struct cJSON;
void report_json(struct cJSON *object);

#endif /* BENCH_REPORT_H */
