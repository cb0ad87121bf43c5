/* SPDX-License-Identifier: MIT */
/* The daemon: what there is one of. Everybody in utmemd gets at it; daemon.c makes and ends it. */
#ifndef UTMEMD_DAEMON_H
#define UTMEMD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/pool/memory.h"
#include "host/pool/pool.h"
#include "host/service/service.h"
#include "host/utmemd/control.h"
#include "host/utmemd/listener.h"
#include "host/utmemd/loop.h"
#include "host/utmemd/options.h"

struct tenant;
struct window;
TAILQ_HEAD(tenant_list, tenant);
LIST_HEAD(window_list, window);
LIST_HEAD(listener_list, listener);

struct daemon_counters {
	uint64_t nr_sleeps;	   /* times the thread slept for want of work */
	uint64_t nr_doorbells;	   /* wake-ups by a doorbell */
	uint64_t nr_refused;	   /* connections that were closed at once */
	uint64_t nr_accept_pauses; /* times a socket stopped accepting for want of descriptors */
	uint64_t nr_bad_messages;  /* packets that were answered with an error of form */
};

struct daemon {
	const struct options *opt;
	int lock_fd; /* one daemon for one run dir */
	struct utmem_memory memory;
	struct utmem_engine *engine;
	struct utmem_service *service;
	struct loop loop;
	struct source beat; /* timer */
	struct source signals;
	struct tenant_list tenants;
	struct window_list windows;
	struct listener_list listeners;
	struct control control;
	struct daemon_counters counters;
	bool ending; /* SIGTERM or SIGINT came */
};

/* Everything up to accepting connections, in order. 0, or -errno and the reason is in the log. */
int daemon_init(struct daemon *d, const struct options *opt);
/* In reverse. Windows are drained and marked STOPPED, sockets unlinked. */
void daemon_exit(struct daemon *d);

#endif /* UTMEMD_DAEMON_H */
