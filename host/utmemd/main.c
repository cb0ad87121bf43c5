// SPDX-License-Identifier: MIT
/*
 * utmemd: options, then the daemon from start to end, on one thread. Exit codes: 0
 * ended in good order, 1 could not start, 2 wrong options.
 */
#include <systemd/sd-daemon.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/serve.h"

static int run(const struct options *opt)
{
	static struct daemon d;

	if (daemon_init(&d, opt))
		return 1;
	log_always("ready");
	sd_notify(0, "READY=1");
	serve(&d);
	sd_notify(0, "STOPPING=1");
	serve_out(&d);
	daemon_exit(&d);
	log_info("ended");
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt;
	int status = 2;

	switch (options_init(&opt, argc, argv)) {
	case OPTIONS_RUN:
		log_init((enum log_level)options_log_level(&opt));
		status = run(&opt);
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
