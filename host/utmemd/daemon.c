// SPDX-License-Identifier: MIT
/*
 * Owns the daemon's set-up and tear-down, its timer and its signals. Called by
 * main.c, on the daemon's one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/utmemd/arena.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

/* ---- run dir ---- */

#define LOCK_NAME "utmemd.lock"

static int dir_open(const char *dir)
{
	int fd, err;

	if (mkdir(dir, 0755) && errno != EEXIST)
		goto err_errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;

err_errno:
	err = -errno;
	log_error("%s: %s", dir, strerror(-err));
	return err;
}

/*
 * A file that nobody else can open: whoever can read the directory could lock that. It
 * stays, or a daemon that waits for it might lock a file that has no name any more.
 */
static int lock_open(int dir_fd, const char *dir)
{
	int err, fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	err = -errno;
	if (err == -EWOULDBLOCK)
		log_error("%s: sockets in use by another utmemd", dir);
	else
		log_error("%s/" LOCK_NAME ": %s", dir, strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

/* The lock goes with the process, however that ends. */
static int run_dir_open(struct daemon *d)
{
	int dir_fd = dir_open(d->opt->run_dir);

	if (dir_fd < 0)
		return dir_fd;
	d->lock_fd = lock_open(dir_fd, d->opt->run_dir);
	close(dir_fd);
	return d->lock_fd < 0 ? d->lock_fd : 0;
}

static void run_dir_close(struct daemon *d)
{
	close(d->lock_fd);
}

/* ---- what serves ---- */

static int service_open(struct daemon *d)
{
	uint32_t epoch = 0;
	int err;

	/* Never the same as the life before; 0 would look unset. */
	if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch))
		return -errno;
	err = utmem_service_init(&d->service, d->engine, epoch | 1);
	if (err)
		log_error("service: %s", strerror(-err));
	return err;
}

static int engine_open(struct daemon *d)
{
	int err = arena_open(&d->memory, d->opt);

	if (err)
		return err;
	err = utmem_engine_find(d->opt->engine)->open(&d->engine, &d->memory);
	if (err) {
		log_error("engine %s: %s", d->opt->engine, strerror(-err));
		arena_close(&d->memory);
	}
	return err;
}

static void engine_close(struct daemon *d)
{
	utmem_ops(d->engine)->close(d->engine);
	arena_close(&d->memory);
}

/* ---- timer ---- */

static void beat(struct source *s, uint32_t events)
{
	struct daemon *d = owner_of(s, struct daemon, beat);
	struct listener *l;
	struct window *w;
	struct tenant *t;
	uint64_t nr;

	(void)events;
	if (read(s->fd, &nr, sizeof(nr)) != sizeof(nr))
		return;
	LIST_FOREACH(w, &d->windows, link)
	{
		utmem_window_heartbeat(w->served);
	}
	LIST_FOREACH(l, &d->listeners, link)
	{
		listener_resume(l);
	}
	TAILQ_FOREACH(t, &d->tenants, link)
	{
		log_quota_refill(&t->log, t->name);
	}
}

static int beat_open(struct daemon *d)
{
	time_t s = (time_t)(d->opt->heartbeat_ms / 1000);
	long ns = (long)(d->opt->heartbeat_ms % 1000) * 1000000;
	struct itimerspec every = {.it_interval = {s, ns}, .it_value = {s, ns}};
	int err;

	d->beat = (struct source){.ready = beat};
	d->beat.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (d->beat.fd < 0)
		return -errno;
	err = timerfd_settime(d->beat.fd, 0, &every, NULL) ? -errno : 0;
	if (!err)
		err = loop_add(&d->loop, &d->beat, EPOLLIN);
	if (err)
		close(d->beat.fd);
	return err;
}

static void beat_close(struct daemon *d)
{
	loop_remove(&d->loop, &d->beat);
	close(d->beat.fd);
}

/* ---- signals ---- */

static void end_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

/* From here on the signal's own action holds: a second one ends us at once. */
static void signalled(struct source *s, uint32_t events)
{
	struct daemon *d = owner_of(s, struct daemon, signals);
	struct signalfd_siginfo info;
	sigset_t set;

	(void)events;
	if (read(s->fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("%s: serving what is in the rings, then ending",
		 info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	d->ending = true;
	end_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int signals_open(struct daemon *d)
{
	sigset_t set;
	int err;

	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an errno to us */
	end_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->signals = (struct source){.ready = signalled};
	d->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (d->signals.fd < 0)
		return -errno;
	err = loop_add(&d->loop, &d->signals, EPOLLIN);
	if (err)
		close(d->signals.fd);
	return err;
}

static void signals_close(struct daemon *d)
{
	loop_remove(&d->loop, &d->signals);
	close(d->signals.fd);
}

/* ---- all of it ---- */

static int events_open(struct daemon *d)
{
	int err = loop_init(&d->loop);

	if (err)
		goto err_log;
	err = signals_open(d);
	if (err)
		goto err_loop;
	err = beat_open(d);
	if (!err)
		return 0;
	signals_close(d);
err_loop:
	loop_exit(&d->loop);
err_log:
	log_error("event loop: %s", strerror(-err));
	return err;
}

static void events_close(struct daemon *d)
{
	beat_close(d);
	signals_close(d);
	loop_exit(&d->loop);
}

static void tenants_close(struct daemon *d)
{
	while (!TAILQ_EMPTY(&d->tenants))
		tenant_close(TAILQ_FIRST(&d->tenants));
}

static int tenants_open(struct daemon *d)
{
	uint32_t i;
	int err;

	for (i = 0; i < d->opt->nr_tenants; i++) {
		const struct tenant_option *t = &d->opt->tenants[i];

		err = tenant_open(d, t->name, t->quota);
		if (err) {
			log_error("tenant %s: %s", t->name, strerror(-err));
			tenants_close(d);
			return err;
		}
	}
	return 0;
}

/* A tenant costs three descriptors for each process and one for each of its queues: take what we may. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int daemon_init(struct daemon *d, const struct options *opt)
{
	int err;

	memset(d, 0, sizeof(*d));
	d->opt = opt;
	TAILQ_INIT(&d->tenants);
	LIST_INIT(&d->windows);
	LIST_INIT(&d->listeners);
	raise_fd_limit();

	err = run_dir_open(d);
	if (err)
		return err;
	err = engine_open(d);
	if (err)
		goto err_run_dir;
	err = service_open(d);
	if (err)
		goto err_engine;
	err = events_open(d);
	if (err)
		goto err_service;
	err = tenants_open(d);
	if (err)
		goto err_events;
	err = control_open(&d->control, d);
	if (!err)
		return 0;

	tenants_close(d);
err_events:
	events_close(d);
err_service:
	utmem_service_exit(d->service);
err_engine:
	engine_close(d);
err_run_dir:
	run_dir_close(d);
	return err;
}

void daemon_exit(struct daemon *d)
{
	control_close(&d->control);
	tenants_close(d);
	events_close(d);
	utmem_service_exit(d->service);
	engine_close(d);
	run_dir_close(d);
}
