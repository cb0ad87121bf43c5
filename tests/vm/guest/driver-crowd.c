// SPDX-License-Identifier: MIT
/*
 * Usage: driver-crowd kill N | hold N
 * kill: N processes, one after the other, that are killed while they wait for the host to give
 * them a queue. hold: N queues of one process, until it is killed; prints "held" when it has them.
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/vm/guest/driver.h"

static void create_queue(void)
{
	struct utmem_ioc_queue io = raw_shape(8, 1, 0);

	if (ioctl(raw_device(), UTMEM_IOC_QUEUE_CREATE, &io))
		die("QUEUE_CREATE");
}

static void kill_one(void)
{
	pid_t pid = fork();

	if (!pid) {
		create_queue();
		_exit(0);
	}
	wait_in_call(pid, SYS_ioctl);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	bool hold = argc == 3 && !strcmp(argv[1], "hold");

	if (argc != 3)
		return 2;
	for (int n = atoi(argv[2]); n > 0; n--) {
		if (hold)
			create_queue();
		else
			kill_one();
	}
	if (!hold)
		return 0;
	printf("held\n");
	fflush(stdout);
	pause();
	return 0;
}
