/* SPDX-License-Identifier: MIT */
/*
 * /dev/utmem0 without the library, for the driver-*.c programs: what a process says that
 * libutmem never would. Lines go to stdout: "ok NAME", "not ok NAME", or a remark.
 */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest/ring/utmem_ioctl.h"
#include "guest/ring/utmem_ring.h"

#define DEVICE "/dev/utmem0"
#define DEADLINE_SECONDS 30

static int failed;

static inline void report(bool good, const char *name)
{
	printf("%s %s\n", good ? "ok" : "not ok", name);
	if (!good)
		failed = 1;
}

static inline void report_is(const char *name, long long want, long long got)
{
	report(want == got, name);
	if (want != got)
		printf("want %lld, got %lld\n", want, got);
}

/* @rc as from a system call: -1 and errno. @want: an errno, 0 for success. */
static inline void report_errno(const char *name, int want, long rc)
{
	int got = rc < 0 ? errno : 0;

	report(want == got, name);
	if (want != got)
		printf("want %s, got %s\n", want ? strerrorname_np(want) : "success",
		       got ? strerrorname_np(got) : "success");
}

static inline void die(const char *what)
{
	printf("not ok %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A queue of this process, with its guest ends. */
struct raw {
	int fd;
	struct utmem_geometry geo;
	void *base;
	const struct utmem_control *control;
	const struct utmem_svc_line *svc;
	struct utmem_ring_page *page;
	struct utmem_sq sq;
	struct utmem_cq cq;
};

static inline int raw_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(DEVICE);
	return fd;
}

/* Fixed, and interrupts as the device has them */
static inline struct utmem_ioc_batch raw_knobs(uint32_t batch_max, uint32_t batch_usecs)
{
	return (struct utmem_ioc_batch){
		.batch_max = batch_max,
		.batch_usecs = batch_usecs,
		.batch_mode = UTMEM_BATCH_FIXED,
		.irq_max = UTMEM_BATCH_DEFAULT,
		.irq_usecs = UTMEM_BATCH_DEFAULT,
	};
}

static inline void raw_set(const struct raw *r, struct utmem_ioc_batch knobs)
{
	if (ioctl(r->fd, UTMEM_IOC_BATCH_SET, &knobs))
		die("BATCH_SET");
}

static inline struct utmem_ioc_queue raw_shape(uint32_t entries, uint32_t batch_max,
					       uint32_t batch_usecs)
{
	return (struct utmem_ioc_queue){
		.sq_entries = entries,
		.data_len = UTMEM_PAGE,
		.batch_max = batch_max,
		.batch_usecs = batch_usecs,
		.batch_mode = UTMEM_BATCH_FIXED,
		.irq_max = UTMEM_BATCH_DEFAULT,
		.irq_usecs = UTMEM_BATCH_DEFAULT,
	};
}

/* A queue for the open file r->fd. */
static inline void raw_attach(struct raw *r, uint32_t entries, uint32_t batch_max,
			      uint32_t batch_usecs)
{
	struct utmem_ioc_queue io = raw_shape(entries, batch_max, batch_usecs);

	if (ioctl(r->fd, UTMEM_IOC_QUEUE_CREATE, &io))
		die("QUEUE_CREATE");
	r->geo = io.geo;
	r->base =
		mmap(NULL, io.geo.len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, UTMEM_MMAP_QUEUE);
	r->control = mmap(NULL, UTMEM_PAGE, PROT_READ, MAP_SHARED, r->fd, UTMEM_MMAP_CONTROL);
	if (r->base == MAP_FAILED || r->control == MAP_FAILED)
		die("mmap");
	r->svc = &r->control->svc[io.svc_slot];
	r->page = r->base;
	utmem_sq_init(&r->sq, r->base, &r->geo, 0);
	utmem_cq_init(&r->cq, r->base, &r->geo, 0);
}

static inline void raw_open(struct raw *r, uint32_t entries, uint32_t batch_max,
			    uint32_t batch_usecs)
{
	r->fd = raw_device();
	raw_attach(r, entries, batch_max, batch_usecs);
}

static inline void raw_close(struct raw *r)
{
	munmap(r->base, r->geo.len);
	munmap((void *)(uintptr_t)r->control, UTMEM_PAGE);
	close(r->fd);
}

static inline void raw_publish_nops(struct raw *r, uint32_t n)
{
	while (n--)
		utmem_sq_reserve(&r->sq)->opcode = UTMEM_OP_NOP;
	utmem_sq_publish(&r->sq);
}

static inline int raw_enter(struct raw *r, uint32_t n, uint32_t min, uint32_t flags,
			    int64_t timeout_ns)
{
	struct utmem_ioc_enter e = {
		.to_submit = n, .min_complete = min, .flags = flags, .timeout_ns = timeout_ns};

	return ioctl(r->fd, UTMEM_IOC_ENTER, &e);
}

static inline struct utmem_ioc_stats raw_stats(const struct raw *r)
{
	struct utmem_ioc_stats stats;

	if (ioctl(r->fd, UTMEM_IOC_STATS, &stats))
		die("STATS");
	return stats;
}

static inline bool past_deadline(time_t since)
{
	return time(NULL) - since > DEADLINE_SECONDS;
}

/* Until a process or thread sleeps in system call @nr; the kernel says "running" while it does not. */
static inline void wait_in_call(pid_t tid, int nr)
{
	time_t since = time(NULL);
	char path[64];
	int now = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	while (now != nr) {
		FILE *f = fopen(path, "r");

		if (!f || past_deadline(since))
			die("somebody sleeps in the kernel");
		if (fscanf(f, "%d", &now) != 1)
			now = -1;
		fclose(f);
		sched_yield();
	}
}

/* Until the host sleeps; it takes part in nothing until it is rung. Return: that sleep, as in the ring. */
static inline uint32_t raw_wait_host_asleep(const struct raw *r)
{
	time_t since = time(NULL);
	uint32_t sleep;

	while (!(sleep = utmem_kick_needed(r->svc))) {
		if (past_deadline(since))
			die("the host goes to sleep");
		sched_yield();
	}
	return sleep;
}

/* What the driver has asked the host for, counted from here: 0, nothing. */
static inline uint32_t raw_armed(const struct raw *r)
{
	if (!utmem_load_acquire(&r->page->need_wake))
		return 0;
	return utmem_load_relaxed(&r->page->wake_idx) - utmem_load_relaxed(&r->page->cq_head);
}

/* The script says that it has done what was asked of it. */
static inline void wait_for_line(void)
{
	char line[16];

	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		die("the case says how it goes on");
}

/* Without the driver: until @n completions are there, then take them. */
static inline bool raw_spin(struct raw *r, uint32_t n)
{
	time_t since = time(NULL);
	uint32_t ready;

	do {
		if (utmem_cq_peek(&r->cq, &ready) || past_deadline(since))
			return false;
		sched_yield();
	} while (ready < n);
	utmem_cq_release(&r->cq, n);
	return true;
}

#endif /* TEST_DRIVER_H */
