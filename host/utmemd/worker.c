// SPDX-License-Identifier: MIT
/*
 * Owns the worker's life: taking up what is kept, serving, and the two ways to end.
 * Called by main.c, on the worker's main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/serve.h"
#include "host/utmemd/worker.h"

/*
 * When to end is what the supervisor says: a terminal's ^C and a service manager reach this
 * process as well, and it would end before the supervisor knew why.
 */
static void signals_ignore(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an errno to us */
}

/* The supervisor has gone, and this process is about to be killed for it: not one more turn. */
static void supervisor_gone(void)
{
	_exit(1);
}

static void link_ready(struct source *s, uint32_t events)
{
	struct daemon *d = owner_of(s, struct daemon, link);
	int fds[KEEPER_FDS_MAX];
	struct keeper_msg m;
	uint32_t nr_fds;
	int err = keeper_recv(s->fd, &m, fds, &nr_fds, false);

	(void)events;
	if (!err)
		return;
	if (err < 0)
		supervisor_gone();
	if (m.type == KEEPER_STOP)
		d->ending = true;
	else if (m.type == KEEPER_LEAVE)
		d->leaving = true;
	else if (m.type == KEEPER_REFUSED)
		control_upgraded(&d->control, m.why);
}

static int link_open(struct daemon *d)
{
	int err;

	d->link = (struct source){.fd = d->deposit.link, .ready = link_ready};
	err = loop_add(&d->loop, &d->link, EPOLLIN);
	if (!err)
		err = keeper_say(d->deposit.link, KEEPER_READY);
	if (err)
		log_error("supervisor: %s", strerror(-err));
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void tell_ready(struct daemon *d)
{
	const struct keeper_life *life = &d->deposit.life;

	if (!life->resumed) {
		log_always("ready");
		return;
	}
	if (life->ended_ns)
		d->recovery.usecs = (now_ns() - life->ended_ns) / 1000;
	log_info("worker %d (start %" PRIu64 ") serves, %" PRIu64
		 " us after the one before it: %u descriptors, %" PRIu64 " values found, %" PRIu64
		 " torn",
		 (int)getpid(), life->nr_starts, d->recovery.usecs, d->deposit.nr_fds,
		 d->recovery.engine.nr_items, d->recovery.engine.nr_torn);
}

/* The operator who asked for another binary. */
static void tell_upgrade(struct daemon *d)
{
	struct keeper_life *life = &d->deposit.life;

	life->why[KEEPER_WHY_MAX - 1] = '\0';
	if (life->upgrade == UPGRADE_DONE)
		control_upgraded(&d->control, NULL);
	else
		control_upgraded(&d->control, *life->why ? life->why : "the upgrade was cut short");
}

int work(const struct options *opt, int link)
{
	static struct daemon d;

	signals_ignore();
	if (daemon_init(&d, opt, link))
		return 1;
	tell_ready(&d);
	if (link_open(&d))
		return 1;
	tell_upgrade(&d);
	if (crew_start(&d))
		return 1;
	serve(&d);
	crew_stop(&d);
	if (d.leaving)
		return 0; /* everything stays as it is, for the next one */
	serve_out(&d);
	daemon_exit(&d);
	log_info("ended");
	return 0;
}
