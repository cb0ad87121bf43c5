/* SPDX-License-Identifier: MIT */
/*
 * What the service's files know of each other: a window with its queues, and the
 * service that turns them. Owners: window.c and service.c. Draining thread.
 */
#ifndef UTMEM_SERVICE_WINDOW_H
#define UTMEM_SERVICE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/service/ledger.h"
#include "host/service/queue.h"
#include "host/service/request.h"
#include "host/service/room.h"
#include "host/service/service.h"
#include "host/service/share.h"

/* Slot in utmem_control.svc of the thread that drains every queue of a window: there is one. */
#define WINDOW_SVC_SLOT 0u
#define WINDOW_NR_SVC 1u

#define WINDOW_CONTROL_OFF ((uint64_t)UTMEM_PAGE)
#define WINDOW_ROOM_OFF (2ull * UTMEM_PAGE)

/* Log lines that a guest may cause at once; each heartbeat gives one back. */
#define WINDOW_LOG_BURST 32u

struct utmem_window {
	TAILQ_ENTRY(utmem_window) link;
	struct utmem_service *service;
	struct share *share;		/* its tenant's */
	struct utmem_window_config cfg; /* as attach was told, defaults filled in */
	uint8_t *base;
	struct utmem_control *control;
	struct ledger *ledger; /* also the guest's generation, and our heartbeat */
	void *own_ledger;      /* where the owner gave none: what to free */
	bool resuming; /* attached from a ledger, and not yet brought to where the life before was */
	uint32_t redo; /* then: the queue that was inside a request, or LEDGER_NOBODY */
	bool draining;
	uint32_t nr_lines, nr_lines_left_out; /* of the log, as WINDOW_LOG_BURST has it */
	struct queue *admin;		      /* NULL: control travels elsewhere */
	struct queue **queues; /* [cfg.max_queues] by id, ended ones included; 0 stays NULL */
	uint32_t nr_queues;
	struct room room;
	struct utmem_service_counters counters;
};

struct utmem_service {
	struct utmem_engine *engine;
	const struct utmem_engine_ops *ops;
	struct utmem_engine_lock lock; /* of engine; none when lock.lock is NULL */
	uint32_t epoch;
	uint32_t nr_resuming; /* windows */
	bool upkeep;	      /* the engine may have background work */
	uint64_t nr_arms;
	uint32_t sleep; /* the number of the latest one: what submitters know it by */
	TAILQ_HEAD(, utmem_window) windows;
	TAILQ_HEAD(, share) shares;	       /* of the tenants that have windows */
	struct utmem_service_counters retired; /* of windows that are gone */
	struct batch batch;		       /* of the one queue that is being drained */
};

/* ---- the engine ---- */

/* Around every use of engine, tenants and pools but their constants (ops, hash, pool_id, pool_tenant). */
static inline void engine_lock(const struct utmem_service *s)
{
	if (s->lock.lock)
		s->lock.lock(s->lock.ctx);
}

static inline void engine_unlock(const struct utmem_service *s)
{
	if (s->lock.lock)
		s->lock.unlock(s->lock.ctx);
}

/* ---- window.c ---- */

/* The control half of a turn: hello, one admin request. Return: requests served. */
uint32_t utsvc_window_turn(struct utmem_window *w);
/* Would it find anything? */
bool utsvc_window_has_work(struct utmem_window *w);
/* Forget it, and touch neither window nor ledger nor engine. */
void utsvc_window_free(struct utmem_window *w);
void utsvc_window_log(struct utmem_window *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- admin.c ---- */

/* Shape of queue 0, where there is one. */
#define ADMIN_SQ_ENTRIES 32u
#define ADMIN_CQ_ENTRIES 64u
#define ADMIN_DATA_LEN (2u * UTMEM_PAGE) /* a payload for each entry, and some to spare */
/* What CREATE_QUEUE may zero per turn; a larger queue's request waits for the next turns. */
#define ADMIN_SCRUB_BYTES (4ull << 20)

/* Serve at most one request of queue 0. Return: 1 when there was one. */
uint32_t utsvc_admin_turn(struct utmem_window *w);
/* The life before died inside an admin request: what that one may have made is gone. */
void utsvc_admin_undo(struct utmem_window *w);
/* It has been tried too often: it is answered with @error. */
void utsvc_admin_give_up(struct utmem_window *w, int error);
/* A queue leaves the window: its room is free. */
void utsvc_admin_drop(struct queue *q);

/* ---- resume.c ---- */

/* Tables of @w from its ledger, in private memory alone. -EBADMSG, -ENOMEM: forget what there is. */
int utsvc_resume_attach(struct utmem_window *w);
/* @w has no queues any more; the ledger stays as it is, for another try. */
void utsvc_resume_forget(struct utmem_window *w);
/*
 * utmem_services_resume() for a service that has not seen it. Before anything else is
 * executed: nobody may see the effect of a request and then miss it. Return: requests served.
 */
uint32_t utsvc_resume_finish(struct utmem_service *s);

/* ---- service.c ---- */

void utsvc_counters_add(struct utmem_service_counters *to,
			const struct utmem_service_counters *from);

#endif /* UTMEM_SERVICE_WINDOW_H */
