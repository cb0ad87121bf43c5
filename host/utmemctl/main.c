// SPDX-License-Identifier: MIT
/*
 * utmemctl: flags, then one command to the daemon. Exit codes: 0 done, 1 refused
 * or not reached, 2 wrong usage.
 */
#include <getopt.h>
#include <stdio.h>

#include "host/utmemctl/commands.h"

static void print_help(void)
{
	printf("usage: utmemctl [--run-dir DIR] COMMAND\n"
	       "Asks the utmemd whose sockets are in DIR [/run/utmem].\n\n");
	commands_help();
	printf("\nSizes take k, m, g or t. See utmemctl(1).\n");
}

int main(int argc, char **argv)
{
	static const struct option flags[] = {
		{"run-dir", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'},
		{"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{"quiet", no_argument, NULL, 'q'},
		{"create", no_argument, NULL, 'c'},
		{"replace", no_argument, NULL, 'r'},
		{0},
	};
	struct arguments args = {.run_dir = "/run/utmem"};
	int flag;

	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		switch (flag) {
		case 'd':
			args.run_dir = optarg;
			break;
		case 'j':
			args.json = 1;
			break;
		case 'f':
			args.force = 1;
			break;
		case 'q':
			args.quiet = 1;
			break;
		case 'c':
			args.create = 1;
			break;
		case 'r':
			args.replace = 1;
			break;
		case 'h':
			print_help();
			return 0;
		case 'v':
			printf("utmemctl " UTMEM_BUILD_VERSION " (" UTMEM_BUILD_COMMIT ")\n");
			return 0;
		default:
			return 2;
		}
	}
	args.words = argv + optind;
	args.nr_words = argc - optind;
	return command_run(&args);
}
