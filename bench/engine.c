// SPDX-License-Identifier: MIT
/* `utmem-bench engine`: an engine without a ring, against LMDB with the same keys and batches. */
#include "bench/compare.h"
#include "bench/report.h"
#include "bench/scenario.h"

#define BATCH 32u /* requests of a turn, and of a transaction */

static int run(const struct options *o)
{
	struct options own = *o;
	const char *sizes = o->sizes;
	int rc = 0;

	own.depth = own.batch = BATCH;
	own.ops = "put,get,mix";
	own.transport = "none";
	report_columns(&own, target_lmdb.name);
	while (!rc && options_next_size(&sizes, &own.value))
		rc = compare("engine", &own, &target_lmdb, &target_direct);
	return rc;
}

const struct scenario scenario_engine = {
	.name = "engine",
	.summary = "the engine without a ring, for each of --sizes, against LMDB in the same run",
	.run = run,
};
