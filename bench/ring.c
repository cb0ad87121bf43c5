// SPDX-License-Identifier: MIT
/* `utmem-bench ring`: the floor alone. */
#include <stddef.h>

#include "bench/compare.h"
#include "bench/report.h"
#include "bench/scenario.h"

static int run(const struct options *o)
{
	struct options own = *o;

	own.engine = own.transport = "none";
	report_columns(&own, target_floor.name);
	return compare("ring", &own, &target_floor, NULL);
}

const struct scenario scenario_ring = {
	.name = "ring",
	.summary = "the bare ring between two threads, with a memcpy: the floor",
	.run = run,
};
