// SPDX-License-Identifier: MIT
/*
 * Usage: driver-fault in|out
 * Calls the driver with an argument in memory whose faults nobody serves: ENTER, which reads its
 * argument, or QUEUE_CREATE, which finds it there and cannot write its answer. Prints "faulted" once
 * the call sits in that fault, serves it when a line comes on stdin, and says what the call returned.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>

#include "tests/vm/guest/driver.h"

static struct raw r;
static void *argument;
static bool out;

static void *call(void *unused)
{
	int rc = ioctl(r.fd, out ? UTMEM_IOC_QUEUE_CREATE : UTMEM_IOC_ENTER, argument);

	printf("%s\n", rc < 0 ? strerrorname_np(errno) : "done");
	return unused;
}

/* Faults of the argument's page, or only writes to it, are told and not served. */
static int faults_open(void)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features = out ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0};
	struct uffdio_register reg = {
		.range = {(uintptr_t)argument, UTMEM_PAGE},
		.mode = out ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		die("userfaultfd");
	return fd;
}

static void write_protect(int fd, uint64_t mode)
{
	struct uffdio_writeprotect wp = {.range = {(uintptr_t)argument, UTMEM_PAGE}, .mode = mode};

	if (ioctl(fd, UFFDIO_WRITEPROTECT, &wp))
		die("UFFDIO_WRITEPROTECT");
}

static void serve(int fd)
{
	struct uffdio_zeropage zero = {.range = {(uintptr_t)argument, UTMEM_PAGE}};

	if (out)
		write_protect(fd, 0);
	else if (ioctl(fd, UFFDIO_ZEROPAGE, &zero))
		die("UFFDIO_ZEROPAGE");
}

int main(int argc, char **argv)
{
	struct uffd_msg msg;
	pthread_t thread;
	int faults;

	if (argc != 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	out = !strcmp(argv[1], "out");
	argument =
		mmap(NULL, UTMEM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out) {
		r.fd = raw_device();
		*(struct utmem_ioc_queue *)argument = raw_shape(8, 1, 0);
	} else {
		raw_open(&r, 8, 1, 0);
	}
	faults = faults_open();
	if (out)
		write_protect(faults, UFFDIO_WRITEPROTECT_MODE_WP);
	if (pthread_create(&thread, NULL, call, NULL) ||
	    read(faults, &msg, sizeof(msg)) != sizeof(msg) || msg.event != UFFD_EVENT_PAGEFAULT)
		die("a fault");
	printf("faulted\n");
	getchar();
	serve(faults);
	pthread_join(thread, NULL);
	return 0;
}
