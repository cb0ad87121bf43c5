// SPDX-License-Identifier: MIT
/*
 * Owns the watch on the host's memory. An event shrinks ephemeral pools by one step, in
 * slices; while a step is under way further events are counted and no more. Called by
 * daemon.c and by the loop, on the daemon's main thread.
 *
 * The source is a file in which a PSI trigger is set (Linux, Documentation/accounting/psi.rst):
 * /proc/pressure/memory, or a cgroup's memory.pressure; EPOLLPRI is an event, at most one in
 * a window. Or it is a FIFO into which another monitor writes: a byte or more is an event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/pressure.h"
#include "host/utmemd/reclaim.h"
#include "host/utmemd/size.h"

/* ---- steps ---- */

static void step_begin(struct pressure *p, uint64_t bytes)
{
	uint64_t one = 1;

	p->step = (struct utmem_reclaim){.bytes = bytes};
	if (write(p->steps.fd, &one, sizeof(one)) != sizeof(one))
		p->step.bytes = 0;
}

/* The eventfd stays readable until the step is done: a slice of it in every look at sockets. */
static void step_ready(struct source *s, uint32_t events)
{
	struct pressure *p = owner_of(s, struct pressure, steps);
	struct daemon *d = owner_of(p, struct daemon, pressure);
	uint64_t before = p->step.released_bytes, nr;

	(void)events;
	if (reclaim_slice(d, &p->step)) {
		p->released_bytes += p->step.released_bytes - before;
		return;
	}
	p->released_bytes += p->step.released_bytes - before;
	p->step.bytes = 0;
	if (read(s->fd, &nr, sizeof(nr)) != sizeof(nr))
		log_debug("pressure: a step has ended twice");
}

/* ---- events ---- */

static void unwatch(struct pressure *p, struct daemon *d)
{
	loop_remove(&d->loop, &p->events);
	close(p->events.fd);
	p->events.fd = -1;
}

/* Once for as long as the host is short: what is done then is counted, and said at the end. */
static void event_log(const struct daemon *d)
{
	char step[SIZE_TEXT_LEN], used[SIZE_TEXT_LEN];
	struct utmem_engine_stat stat;

	utmem_ops(d->engine)->stat(d->engine, &stat);
	size_round(step, d->opt->pressure_step);
	size_round(used, stat.arena_bytes - stat.free_bytes);
	log_warn("pressure: the host is short of memory: of %s, ephemeral pools give back %s with "
		 "each event",
		 used, step);
}

static void event_ready(struct source *s, uint32_t events)
{
	struct pressure *p = owner_of(s, struct pressure, events);
	struct daemon *d = owner_of(p, struct daemon, pressure);
	char bytes[64];

	if (p->is_fifo && read(s->fd, bytes, sizeof(bytes)) <= 0)
		return;
	if (!p->is_fifo && events & EPOLLERR) {
		log_warn("pressure: %s: is gone, not watched any more", d->opt->pressure_file);
		unwatch(p, d);
		return;
	}
	d->counters.nr_pressure_events++;
	p->nr_calm_beats = 0;
	if (!p->nr_events++)
		event_log(d);
	if (!p->step.bytes)
		step_begin(p, d->opt->pressure_step);
}

void pressure_beat(struct pressure *p)
{
	char bytes[SIZE_TEXT_LEN];

	if (!p->nr_events || ++p->nr_calm_beats < PRESSURE_CALM_BEATS)
		return;
	size_round(bytes, p->released_bytes);
	log_info("pressure: over after %u events, %s given back", p->nr_events, bytes);
	p->nr_events = 0;
	p->released_bytes = 0;
}

/* ---- the source ---- */

static int set_trigger(int fd, const struct pressure_option *o)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s %u %u", o->is_full ? "full" : "some", o->stall_us,
			 o->window_us);

	/* the NUL is part of it */
	return write(fd, text, (size_t)n + 1) == n + 1 ? 0 : -errno;
}

/* Return: a descriptor, or -errno. */
static int source_open(struct pressure *p, const struct options *opt)
{
	int fd = open(opt->pressure_file, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	p->is_fifo = !fstat(fd, &st) && S_ISFIFO(st.st_mode);
	err = p->is_fifo ? 0 : set_trigger(fd, &opt->pressure);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int watch(struct pressure *p, struct daemon *d)
{
	int err;

	p->events = (struct source){.fd = source_open(p, d->opt), .ready = event_ready};
	if (p->events.fd < 0)
		return p->events.fd;
	err = loop_add(&d->loop, &p->events, p->is_fifo ? EPOLLIN : EPOLLPRI);
	if (!err)
		return 0;
	close(p->events.fd);
	p->events.fd = -1;
	return err;
}

static int steps_open(struct pressure *p, struct daemon *d)
{
	int err;

	p->steps = (struct source){.ready = step_ready};
	p->steps.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->steps.fd < 0)
		return -errno;
	err = loop_add(&d->loop, &p->steps, EPOLLIN);
	if (err)
		close(p->steps.fd);
	return err;
}

int pressure_open(struct pressure *p, struct daemon *d)
{
	int err;

	memset(p, 0, sizeof(*p));
	p->events.fd = -1;
	if (!d->opt->pressure.window_us)
		return 0;
	err = steps_open(p, d);
	if (err) {
		log_error("pressure: %s", strerror(-err));
		return err;
	}
	err = watch(p, d);
	if (!err)
		return 0;
	log_warn("pressure: %s: %s%s, not watched", d->opt->pressure_file, strerror(-err),
		 err == -EINVAL ? " (without CAP_SYS_RESOURCE a window is a multiple of 2000 ms)"
				: "");
	return 0;
}

void pressure_close(struct pressure *p, struct daemon *d)
{
	if (!d->opt->pressure.window_us)
		return;
	if (p->events.fd >= 0)
		unwatch(p, d);
	loop_remove(&d->loop, &p->steps);
	close(p->steps.fd);
}
