// SPDX-License-Identifier: MIT
/*
 * Usage: driver-wait enter|poll|poll-bare
 * Sleeps for a completion that never comes, in ENTER or in poll() (of a file with or without a
 * queue), and says what ended it, what the file then says to everything else, and whether the
 * mapping is still there.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>

#include "tests/vm/guest/driver.h"

static sigjmp_buf fault;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(fault, 1);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static const char *touch(const struct raw *r)
{
	if (!r->page)
		return "none";
	if (sigsetjmp(fault, 1))
		return "gone";
	(void)*(volatile uint32_t *)&r->page->sq_tail;
	return "there";
}

static const char *error_name(int rc)
{
	return rc < 0 ? strerrorname_np(errno) : "none";
}

int main(int argc, char **argv)
{
	struct pollfd p = {.events = POLLIN};
	struct raw r = {0};
	int rc;

	if (argc != 2)
		return 2;
	signal(SIGBUS, on_fault);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
	r.fd = raw_device();
	if (strcmp(argv[1], "poll-bare"))
		raw_attach(&r, 8, 1, 0);
	printf("waiting\n");
	fflush(stdout);
	if (!strcmp(argv[1], "enter")) {
		rc = raw_enter(&r, 0, 1, 0, -1);
		printf("enter %s\n", error_name(rc));
	} else {
		p.fd = r.fd;
		rc = poll(&p, 1, -1);
		printf("poll %d %s%s\n", rc, p.revents & POLLERR ? "ERR" : "",
		       p.revents & POLLHUP ? " HUP" : "");
	}
	rc = raw_enter(&r, 0, 0, 0, 0);
	printf("again %s\n", error_name(rc));
	printf("mapping %s\n", touch(&r));
	return 0;
}
