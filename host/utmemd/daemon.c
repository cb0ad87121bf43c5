// SPDX-License-Identifier: MIT
/*
 * Owns the worker's set-up and tear-down, and its timer. Called by worker.c, on the
 * worker's main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/utmemd/arena.h"
#include "host/utmemd/client.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/ivshmem.h"
#include "host/utmemd/log.h"
#include "host/utmemd/pool_options.h"
#include "host/utmemd/privilege.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/tune.h"
#include "host/utmemd/window.h"

/* ---- what serves ---- */

static int services_open(struct daemon *d)
{
	int err;

	/* Never the same as the life before; 0 would look unset. */
	if (getrandom(&d->epoch, sizeof(d->epoch), 0) != sizeof(d->epoch))
		return -errno;
	d->epoch |= 1;
	err = crew_open(d);
	if (err)
		log_error("service: %s", strerror(-err));
	return err;
}

static void engine_close(struct daemon *d)
{
	arena_engine_close(d);
	arena_close(d);
}

/* Of pools that are made from here on. */
static int set_default_options(struct daemon *d)
{
	struct utmem_pool_options o = {0};
	int err;

	/* the table of options has let nothing else pass */
	pool_options_set_compress(&o, d->opt->compress);
	pool_options_set_dedup(&o, d->opt->dedup);
	err = utmem_ops(d->engine)->default_options_set(d->engine, &o);
	if (err)
		log_error("engine %s: neither --compress nor --dedup: %s", d->opt->engine,
			  strerror(-err));
	return err;
}

static int engine_open(struct daemon *d)
{
	int err = arena_open(d);

	if (err)
		return err;
	err = arena_engine_open(d);
	if (err) {
		arena_release(d);
		return err;
	}
	err = set_default_options(d);
	if (err)
		engine_close(d);
	return err;
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
	registry_beat(d);
	pressure_beat(&d->pressure);
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

/* ---- all of it ---- */

static int events_open(struct daemon *d)
{
	int err = loop_init(&d->loop);

	if (err)
		goto err_log;
	err = beat_open(d);
	if (!err)
		return 0;
	loop_exit(&d->loop);
err_log:
	log_error("event loop: %s", strerror(-err));
	return err;
}

static void events_close(struct daemon *d)
{
	beat_close(d);
	loop_exit(&d->loop);
}

static void tenants_close(struct daemon *d)
{
	while (!TAILQ_EMPTY(&d->tenants))
		tenant_close(TAILQ_FIRST(&d->tenants));
}

static int tenants_resume(struct daemon *d)
{
	struct kept_item *item;
	int err = 0;

	while (!err && (item = kept_first(&d->deposit.given, TENANT_KEY)))
		err = tenant_resume(d, item->key);
	return err;
}

static int connections_resume(struct daemon *d)
{
	struct kept_item *item;
	struct tenant *t;
	int err = 0;

	TAILQ_FOREACH(t, &d->tenants, link)
	{
		if (!err)
			err = vm_resume(t);
	}
	while (!err && (item = kept_first(&d->deposit.given, CLIENT_KEY)))
		err = client_resume(d, item->key);
	return err;
}

/* After a worker's death tenants are who they were then, whom the operator has removed not among them. */
static int tenants_open(struct daemon *d)
{
	int err = tenants_resume(d);

	if (!err)
		err = registry_apply(d);
	if (!err)
		err = connections_resume(d); /* who may use what is known by now */
	return err;
}

/* A socket that could never accept would leave whoever connects to wait for ever. */
static int check_descriptors(const struct daemon *d)
{
	int err, one_more = fcntl(d->deposit.link, F_DUPFD_CLOEXEC, 0);

	if (one_more >= 0) {
		close(one_more);
		return 0;
	}
	err = -errno;
	log_error("no descriptor is left for a peer: %s", strerror(-err));
	return err;
}

static int peers_open(struct daemon *d)
{
	int err = tenants_open(d);

	if (!err)
		err = control_open(&d->control, d);
	if (err)
		return err;
	hypercall_sweep(d);
	deposit_sweep(&d->deposit);
	err = check_descriptors(d);
	if (err && !d->deposit.life.resumed)
		control_close(&d->control);
	return err;
}

/* Nothing that a guest may have written, an arena's file among it, is read before privilege is gone. */
static int privileged_open(struct daemon *d)
{
	int err = hypercall_open(d);

	if (err)
		return err;
	err = privilege_drop();
	if (!err)
		return 0;
	log_error("capabilities cannot be dropped: %s", strerror(-err));
	if (!d->deposit.life.resumed)
		hypercall_close(d);
	return err;
}

int daemon_init(struct daemon *d, const struct options *opt, int link)
{
	int err;

	memset(d, 0, sizeof(*d));
	d->opt = opt;
	d->knobs = opt->knobs;
	TAILQ_INIT(&d->tenants);
	LIST_INIT(&d->windows);
	LIST_INIT(&d->listeners);

	err = deposit_open(&d->deposit, link);
	if (err)
		return err;
	tune_resume(d);
	err = privileged_open(d);
	if (err)
		goto err_deposit;
	err = registry_open(d);
	if (err)
		goto err_hypercall;
	err = engine_open(d);
	if (err)
		goto err_registry;
	err = events_open(d);
	if (err)
		goto err_engine;
	err = services_open(d);
	if (err)
		goto err_events;
	err = hypercall_serve(d);
	if (err)
		goto err_services;
	err = pressure_open(&d->pressure, d);
	if (err)
		goto err_hypercalls;
	err = peers_open(d);
	if (!err)
		return 0;
	/* They are the next worker's now. */
	if (d->deposit.life.resumed)
		return err;

	tenants_close(d);
	pressure_close(&d->pressure, d);
err_hypercalls:
	hypercall_unserve(d);
err_services:
	crew_close(d);
err_events:
	events_close(d);
err_engine:
	if (!d->deposit.life.resumed)
		engine_close(d);
err_registry:
	if (!d->deposit.life.resumed)
		registry_close(d);
err_hypercall:
	if (!d->deposit.life.resumed)
		hypercall_close(d);
err_deposit:
	deposit_close(&d->deposit);
	return err;
}

void daemon_exit(struct daemon *d)
{
	control_close(&d->control);
	pressure_close(&d->pressure, d);
	registry_save_last(d);
	tenants_close(d);
	hypercall_unserve(d);
	crew_close(d);
	events_close(d);
	engine_close(d);
	registry_close(d);
	hypercall_close(d);
	tune_close(d);
	deposit_close(&d->deposit);
}
