/* SPDX-License-Identifier: MIT */
/* The worker: what there is one of. Everybody in it gets at it; daemon.c makes and ends it. */
#ifndef UTMEMD_DAEMON_H
#define UTMEMD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/pool/memory.h"
#include "host/pool/pool.h"
#include "host/service/service.h"
#include "host/utmemd/control.h"
#include "host/utmemd/crew.h"
#include "host/utmemd/deposit.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/listener.h"
#include "host/utmemd/loop.h"
#include "host/utmemd/options.h"
#include "host/utmemd/pressure.h"
#include "host/utmemd/registry.h"

struct tenant;
struct window;
TAILQ_HEAD(tenant_list, tenant);
LIST_HEAD(window_list, window);
LIST_HEAD(listener_list, listener);

struct daemon_counters {
	uint64_t nr_refused;	   /* connections that were closed at once */
	uint64_t nr_accept_pauses; /* times a socket stopped accepting for want of descriptors */
	uint64_t nr_bad_messages;  /* packets that were answered with an error of form */
	uint64_t nr_pressure_events;
	uint64_t reclaimed_bytes; /* given back because the operator or the host asked for it */
};

/* How this worker came to where the one before it was. */
struct daemon_recovery {
	uint64_t usecs; /* from the end of that one until peers were served again */
	struct utmem_recovery engine;
};

struct daemon {
	const struct options *opt;
	struct knobs knobs; /* opt's, or what the operator has set since */
	struct deposited knobs_deposited;
	struct deposit deposit;
	int arena_fd;
	struct registry registry;
	struct utmem_memory memory;
	struct deposited arena;
	struct utmem_engine *engine;
	struct loop loop;
	struct crew crew;
	struct hypercall hypercall;
	struct source beat; /* timer */
	struct source link; /* to the supervisor */
	struct tenant_list tenants;
	struct window_list windows;
	struct listener_list listeners;
	struct control control;
	uint64_t last_client; /* number of the latest one */
	struct pressure pressure;
	struct daemon_counters counters;
	struct daemon_recovery recovery;
	uint32_t epoch; /* of this worker */
	bool ending;	/* in good order: the supervisor says so */
	bool leaving;	/* for another worker to go on */
};

/* Everything up to accepting connections, in order. 0, or -errno and the reason is in the log. */
int daemon_init(struct daemon *d, const struct options *opt, int link);
/* In reverse. Windows are drained and marked STOPPED, sockets unlinked. */
void daemon_exit(struct daemon *d);

#endif /* UTMEMD_DAEMON_H */
