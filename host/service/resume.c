// SPDX-License-Identifier: MIT
/*
 * A window's second life: what its ledger says becomes queues again, and what the process was in the
 * middle of when it died is brought to its end. Nothing is read from the window but requests. Called by
 * window.c (attach) and before anything else is executed, on the draining thread.
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

/* @visit every queue of every window that is being resumed. */
static void each_queue(struct utmem_service *s, void (*visit)(struct queue *q))
{
	struct utmem_window *w;
	uint32_t id;

	TAILQ_FOREACH(w, &s->windows, link)
	{
		for (id = 0; w->resuming && id < w->cfg.max_queues; id++) {
			struct queue *q = id ? w->queues[id] : w->admin;

			if (q)
				visit(q);
		}
	}
}

static void each_window(struct utmem_service *s, void (*visit)(struct utmem_window *w))
{
	struct utmem_window *w;

	TAILQ_FOREACH(w, &s->windows, link)
	{
		if (w->resuming)
			visit(w);
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

/* What was executed when the process died comes before all else, whatever it was. */
static uint32_t active_redo(struct utmem_window *w)
{
	uint32_t id = w->ledger->active, served = 0;
	uint64_t idx;

	if (active_request(w, &id, &idx))
		served = id ? utsvc_queue_redo(w->queues[id]) : utsvc_window_turn(w);
	ledger_leave(w->ledger, LEDGER_NOBODY);
	return served;
}

static uint32_t actives_redo(struct utmem_service *s)
{
	struct utmem_window *w;
	uint32_t served = 0;

	TAILQ_FOREACH(w, &s->windows, link)
	{
		if (w->resuming)
			served += active_redo(w);
	}
	return served;
}

static void resumed(struct utmem_window *w)
{
	w->resuming = false;
	w->service->nr_resuming--;
}

uint32_t utsvc_resume_finish(struct utmem_service *s)
{
	uint32_t served;

	if (!s->nr_resuming)
		return 0;
	each_window(s, death_count);
	UTMEM_FAIL_POINT("service_resume_counted");
	each_queue(s, streams_adopt);
	s->ops->streams_settle(s->engine);
	UTMEM_FAIL_POINT("service_resume_settled");
	each_window(s, utsvc_admin_undo);
	UTMEM_FAIL_POINT("service_resume_undone");
	each_queue(s, outcomes_publish);
	UTMEM_FAIL_POINT("service_resume_published");
	each_window(s, quarantine);
	UTMEM_FAIL_POINT("service_resume_judged");
	served = actives_redo(s);
	UTMEM_FAIL_POINT("service_resume_redone");
	/* whose completions were published in the life before, and he was not woken */
	each_queue(s, utsvc_queue_wake);
	each_window(s, resumed);
	return served;
}
