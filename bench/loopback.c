// SPDX-License-Identifier: MIT
/* `utmem-bench loopback`: client and service on this machine, against the floor. */
#include <string.h>

#include "bench/compare.h"
#include "bench/report.h"
#include "bench/scenario.h"

static int run(const struct options *o)
{
	report_columns(o, target_floor.name);
	if (!strcmp(o->transport, "thread"))
		return compare("loopback", o, &target_floor, &target_thread);
	return compare("loopback", o, &target_floor, &target_utmem);
}

const struct scenario scenario_loopback = {
	.name = "loopback",
	.summary = "client and service over --transport, against the floor of the same run",
	.run = run,
};
