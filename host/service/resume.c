// SPDX-License-Identifier: MIT
/*
 * Windows' second life: what their ledgers say becomes queues again, and what the process was in the
 * middle of when it died is brought to its end. Nothing is read from a window but requests. Called by
 * window.c (attach), and before anything else is executed, on the draining thread.
 *
 * Every step may be repeated: a process that dies in here leaves the next one what it found.
 */
#include <errno.h>
#include <stdlib.h>

#include "host/service/window.h"

/* ---- attach ---- */

static int queue_attach(struct utmem_window *w, uint32_t id)
{
	const struct ledger_queue *l = utsvc_ledger_queue(w->ledger, id);
	struct queue *q;
	int err;

	if (!l || (!id && !w->cfg.admin_queue))
		return 0;
	if (!utsvc_room_is_free(&w->room, l->geo.off, l->geo.len))
		return -EBADMSG;
	err = utsvc_queue_resume(w, id, &q);
	if (!err)
		utsvc_room_take(&w->room, q->geo.off, q->geo.len);
	return err;
}

void utsvc_resume_forget(struct utmem_window *w)
{
	uint32_t id;

	for (id = 0; id < w->cfg.max_queues; id++) {
		struct queue *q = id ? w->queues[id] : w->admin;

		if (!q)
			continue;
		utsvc_queue_handles_forget(q);
		if (id && !q->error)
			utsvc_share_remove(w->share, q);
		free(q);
	}
}

int utsvc_resume_attach(struct utmem_window *w)
{
	uint32_t id;
	int err = 0;

	for (id = 0; !err && id < w->cfg.max_queues; id++)
		err = queue_attach(w, id);
	utsvc_room_forget(&w->room);
	return err;
}

/* ---- finish ---- */

/* The services of one engine. */
struct crew {
	struct utmem_service *const *services;
	uint32_t nr;
};

/* @visit every window that is being resumed. */
static void each_window(const struct crew *crew, void (*visit)(struct utmem_window *w))
{
	struct utmem_window *w;
	uint32_t i;

	for (i = 0; i < crew->nr; i++) {
		TAILQ_FOREACH(w, &crew->services[i]->windows, link)
		{
			if (w->resuming)
				visit(w);
		}
	}
}

/* And every queue of such a window. */
static void each_queue(const struct crew *crew, void (*visit)(struct queue *q))
{
	struct utmem_window *w;
	uint32_t i, id;

	for (i = 0; i < crew->nr; i++) {
		TAILQ_FOREACH(w, &crew->services[i]->windows, link)
		{
			for (id = 0; w->resuming && id < w->cfg.max_queues; id++) {
				struct queue *q = id ? w->queues[id] : w->admin;

				if (q)
					visit(q);
			}
		}
	}
}

static void streams_adopt(struct queue *q)
{
	if (!q->error)
		utsvc_queue_streams_adopt(q);
}

/* Of a queue that ended as well: its last outcomes, and its end, may not have been told. */
static void outcomes_publish(struct queue *q)
{
	utsvc_queue_complete_again(q);
	utmem_state_store(q->sq.page, q->ledger->state, q->error);
}

/*
 * What the process was in the middle of: a request of a queue, an admin call of a socket, or
 * nothing. Entry 0 of a socket's window is there for the deaths alone.
 */
static bool active_request(const struct utmem_window *w, uint32_t *id, uint64_t *idx)
{
	struct ledger *l = w->ledger;

	*id = l->active;
	if (*id == LEDGER_NOBODY)
		return false;
	*idx = l->queues[*id].done;
	if (*id)
		return w->queues[*id] && !w->queues[*id]->error;
	if (w->admin)
		return !w->admin->error;
	*idx = l->admin.serial;
	return *idx != LEDGER_NONE && l->admin.state != LEDGER_ADMIN_DONE;
}

static void death_count(struct utmem_window *w)
{
	uint64_t idx;
	uint32_t id;

	if (active_request(w, &id, &idx))
		utsvc_ledger_death(&w->ledger->queues[id], idx, w->cfg.now_ms);
}

/* Once too often: the queue is ended, or the call refused, and the request not tried again. */
static void quarantine(struct utmem_window *w)
{
	const struct ledger_queue *l;
	uint64_t idx;
	uint32_t id;

	if (!active_request(w, &id, &idx))
		return;
	l = &w->ledger->queues[id];
	if (l->nr_deaths < LEDGER_DEATHS_MAX)
		return;
	utsvc_window_log(
		w, "queue %u: the host died %u times within %u s in request %llu, giving it up", id,
		l->nr_deaths, LEDGER_DEATHS_MS / 1000, (unsigned long long)idx);
	w->counters.nr_broken++;
	if (id || w->admin)
		utsvc_queue_end(id ? w->queues[id] : w->admin, UTMEM_QUEUE_BROKEN, -EIO);
	else
		utsvc_admin_give_up(w, -EIO);
}

/* Return: requests served, of the queue that was inside one. */
static uint32_t window_redo(struct utmem_window *w)
{
	if (w->redo == LEDGER_NOBODY)
		return 0;
	return w->redo ? utsvc_queue_redo(w->queues[w->redo]) : utsvc_window_turn(w);
}

/*
 * Who is to be served first? Where several threads served them, several windows were inside a request, but one
 * at most was acting. The others are not inside any more: when the next death comes, it
 * counts only for the one that is served then.
 */
static void redo_find(struct utmem_window *w)
{
	uint64_t idx;

	if (!active_request(w, &w->redo, &idx))
		w->redo = LEDGER_NOBODY;
	if (!w->ledger->acting)
		ledger_leave(w->ledger, LEDGER_NOBODY);
}

static uint32_t redo(const struct crew *crew, bool acting)
{
	struct utmem_window *w;
	uint32_t i, served = 0;

	for (i = 0; i < crew->nr; i++) {
		TAILQ_FOREACH(w, &crew->services[i]->windows, link)
		{
			if (!w->resuming || w->ledger->acting != acting)
				continue;
			served += window_redo(w);
			w->redo = LEDGER_NOBODY;
			ledger_acting(w->ledger, false);
			ledger_leave(w->ledger, LEDGER_NOBODY);
		}
	}
	return served;
}

static void resumed(struct utmem_window *w)
{
	w->resuming = false;
	w->service->nr_resuming--;
}

static bool is_resuming(const struct crew *crew)
{
	uint32_t i;

	for (i = 0; i < crew->nr; i++) {
		if (crew->services[i]->nr_resuming)
			return true;
	}
	return false;
}

static void streams_settle(struct utmem_service *s)
{
	engine_lock(s);
	s->ops->streams_settle(s->engine);
	engine_unlock(s);
}

uint32_t utmem_services_resume(struct utmem_service *const *services, uint32_t nr)
{
	const struct crew crew = {services, nr};
	uint32_t served;

	if (!is_resuming(&crew))
		return 0;
	each_window(&crew, death_count);
	UTMEM_FAIL_POINT("service_resume_counted");
	each_queue(&crew, streams_adopt);
	streams_settle(services[0]);
	UTMEM_FAIL_POINT("service_resume_settled");
	each_window(&crew, utsvc_admin_undo);
	UTMEM_FAIL_POINT("service_resume_undone");
	each_queue(&crew, outcomes_publish);
	UTMEM_FAIL_POINT("service_resume_published");
	each_window(&crew, quarantine);
	UTMEM_FAIL_POINT("service_resume_judged");
	each_window(&crew, redo_find);
	/* nobody has seen what this one did, nor touched what its conditions looked at: now others may */
	served = redo(&crew, true);
	served += redo(&crew, false);
	UTMEM_FAIL_POINT("service_resume_redone");
	/* whose completions were published in the life before, and he was not woken */
	each_queue(&crew, utsvc_queue_wake);
	each_window(&crew, resumed);
	return served;
}

uint32_t utsvc_resume_finish(struct utmem_service *s)
{
	return s->nr_resuming ? utmem_services_resume(&s, 1) : 0;
}
