// SPDX-License-Identifier: MIT
/*
 * utmemd: options, then one of two roles: the supervisor, which the operator starts,
 * or a worker, which the supervisor starts. Exit codes: 0 ended in good order, 1 could
 * not start, 2 wrong options.
 */
#include "host/utmemd/failhook.h"
#include "host/utmemd/log.h"
#include "host/utmemd/options.h"
#include "host/utmemd/spawn.h"
#include "host/utmemd/supervisor.h"
#include "host/utmemd/worker.h"

int main(int argc, char **argv)
{
	struct options opt;
	int link, status = 2;
	bool is_worker = spawn_is_worker(&argc, argv, &link);

	switch (options_init(&opt, argc, argv)) {
	case OPTIONS_RUN:
		log_init((enum log_level)options_log_level(&opt));
		if (is_worker)
			failhook_init();
		status = is_worker ? work(&opt, link) : supervise(&opt, argc, argv);
		break;
	case OPTIONS_DONE:
		status = 0;
		break;
	case OPTIONS_WRONG:
		break;
	}
	options_exit(&opt);
	return status;
}
