// SPDX-License-Identifier: MIT
/* utmem-bench: the table of scenarios, and which one runs. */
#include <stdio.h>
#include <string.h>

#include "bench/report.h"
#include "bench/scenario.h"

static const struct scenario *const scenarios[] = {
	&scenario_ring,	   &scenario_loopback, &scenario_engine,
	&scenario_memory,  &scenario_density,  &scenario_recover,
	&scenario_reclaim, &scenario_evict,    &scenario_vm,
};
#define NR_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static void help(void)
{
	printf("usage: utmem-bench SCENARIO [OPTION ...]\n\nscenarios:\n");
	for (size_t i = 0; i < NR_SCENARIOS; i++)
		printf("  %-20s %s\n", scenarios[i]->name, scenarios[i]->summary);
	printf("\noptions:\n");
	options_help();
}

static const struct scenario *find(const char *name)
{
	for (size_t i = 0; i < NR_SCENARIOS; i++)
		if (!strcmp(scenarios[i]->name, name))
			return scenarios[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct scenario *s = argc > 1 ? find(argv[1]) : NULL;
	struct options o;
	int rc;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")))
		return help(), 0;
	if (!s) {
		fprintf(stderr, "utmem-bench: name a scenario; --help lists them\n");
		return 2;
	}
	rc = options_parse(&o, argc, argv);
	if (rc)
		return rc < 0 ? 2 : 0;
	report_begin(&o, argc, argv);
	return s->run(&o);
}
