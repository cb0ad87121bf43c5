/* SPDX-License-Identifier: MIT */
/* utmemctl's commands. Caller: main.c. */
#ifndef UTMEMCTL_COMMANDS_H
#define UTMEMCTL_COMMANDS_H

struct arguments {
	const char *run_dir;
	char **words; /* of the command line, without options */
	int nr_words;
	int json, force; /* 0 or 1 */
	int quiet, create, replace;
};

#define STATUS_USAGE 2

/* Exit code: 0 done, 1 refused or not reached, 2 wrong usage; the reason is on stderr. */
int command_run(const struct arguments *args);
void commands_help(void);

#endif /* UTMEMCTL_COMMANDS_H */
