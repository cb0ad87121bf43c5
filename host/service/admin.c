// SPDX-License-Identifier: MIT
/*
 * Control: CREATE_QUEUE .. POOL_STAT, from queue 0 of a VM's window or, as a call,
 * from the owner of a socket. Called by window.c and by the service's owner, on
 * the draining thread; one request a turn, so that control cannot starve data.
 *
 * A request that a death interrupts is executed again. What it makes stands in the ledger
 * before it is there, and is undone first; what takes away is `acting` once it was found to be right, and
 * then answers success when there is nothing left to take away.
 */
#include <errno.h>
#include <string.h>

#include "host/service/window.h"

/* The request is not finished: it stays where it is, and is asked for again next turn. */
#define ADMIN_LATER 1

union payload {
	struct utmem_admin_queue queue;
	struct utmem_admin_pool pool;
	struct utmem_pool_stat stat;
};
_Static_assert(sizeof(union payload) <= sizeof(((struct ledger_admin *)0)->payload),
	       "the ledger has room for every answer");

static bool is_zero(const void *p, size_t len)
{
	const uint8_t *bytes = p;
	uint8_t any = 0;

	while (len--)
		any |= *bytes++;
	return !any;
}

/* The request was found to be right in this life or the one before, and may have acted. */
static bool was_acting(const struct utmem_window *w)
{
	return w->ledger->admin.state == LEDGER_ADMIN_ACTING;
}

static void acting(struct utmem_window *w)
{
	UTMEM_FAIL_POINT("service_admin_checked");
	utmem_store_release(&w->ledger->admin.state, LEDGER_ADMIN_ACTING);
	utmem_compiler_barrier(); /* and only then the act */
	UTMEM_FAIL_POINT("service_admin_acting");
}

static void making(struct utmem_window *w, uint32_t made, uint32_t queue_id, uint32_t handle)
{
	struct ledger_admin *a = &w->ledger->admin;

	a->made_queue = queue_id;
	a->made_handle = handle;
	utmem_store_release(&a->made, made);
	utmem_compiler_barrier(); /* and only then it is there */
	UTMEM_FAIL_POINT("service_admin_making");
}

/* -EINVAL no such id, -ENOENT not in use. */
static int queue_find(struct utmem_window *w, uint32_t id, struct queue **out)
{
	if (!id || id >= w->cfg.max_queues)
		return -EINVAL;
	if (!w->queues[id])
		return -ENOENT;
	*out = w->queues[id];
	return 0;
}

/* -EMFILE: every id is in use. */
static int queue_id_find(const struct utmem_window *w, uint32_t *id)
{
	for (*id = 1; *id < w->cfg.max_queues; (*id)++) {
		if (!w->queues[*id])
			return 0;
	}
	return -EMFILE;
}

/*
 * In a VM's window the next owner may be another user of the guest, so he must not
 * find what the last one left: his pages are zeroed, a bounded part per turn. The
 * window of a socket has one owner for its whole life.
 */
static bool room_is_clean(struct utmem_window *w, const struct utmem_geometry *geo)
{
	return !w->admin ||
	       utsvc_room_scrub(&w->room, w->base, geo->off, geo->len, ADMIN_SCRUB_BYTES);
}

static int queue_create(struct utmem_window *w, void *payload)
{
	struct utmem_admin_queue *p = payload;
	struct utmem_geometry geo;
	struct queue *q;
	uint64_t off;
	uint32_t id;
	int err;

	if (!is_zero(p->resv, sizeof(p->resv)))
		return -EINVAL;
	if (w->draining)
		return -ESHUTDOWN;
	if (p->data_len > w->cfg.max_data_len ||
	    utmem_geometry_init(&geo, 0, p->sq_entries, p->cq_entries, p->data_len))
		return -EINVAL;
	err = queue_id_find(w, &id);
	if (!err)
		err = utsvc_room_find(&w->room, geo.len, &off);
	if (err)
		return err;
	geo.off = off;
	if (!room_is_clean(w, &geo))
		return ADMIN_LATER;
	making(w, LEDGER_MADE_QUEUE, id, 0);
	err = utsvc_queue_open(w, id, &geo, p->irq_vector, &q);
	if (err)
		return err;
	utsvc_room_take(&w->room, geo.off, geo.len);
	p->queue_id = id;
	p->svc_slot = WINDOW_SVC_SLOT;
	p->geo = geo;
	return 0;
}

void utsvc_admin_drop(struct queue *q)
{
	utsvc_room_release(&q->window->room, q->geo.off);
	utsvc_queue_close(q);
}

static int queue_destroy(struct utmem_window *w, void *payload)
{
	const struct utmem_admin_queue *p = payload;
	struct queue *q;
	int err;

	if (!is_zero(p->resv, sizeof(p->resv)))
		return -EINVAL;
	err = queue_find(w, p->queue_id, &q);
	if (err)
		return err == -ENOENT && was_acting(w) ? 0 : err;
	acting(w);
	utsvc_queue_drain_last(q);
	utsvc_queue_end(q, UTMEM_QUEUE_GONE, -ECONNRESET);
	utsvc_queue_wake(q);
	utsvc_admin_drop(q);
	return 0;
}

/*
 * Whose pool it is: @name's, or our own when it is empty. A tenant that is not
 * there answers as one that forbids: names cannot be found out by trying.
 */
static int owner_find(struct utmem_window *w, const char *name, struct utmem_tenant **out)
{
	const struct utmem_engine_ops *ops = w->service->ops;
	struct utmem_engine *engine = w->service->engine;
	struct utmem_tenant_stat stat;
	struct utmem_tenant *t;

	*out = w->cfg.tenant;
	if (!*name)
		return 0;
	for (t = ops->tenant_next(engine, NULL); t; t = ops->tenant_next(engine, t)) {
		ops->tenant_stat(t, &stat);
		if (!strcmp(stat.name, name))
			break;
	}
	*out = t;
	return t ? 0 : -EACCES;
}

static int pool_open_check(const struct utmem_admin_pool *p)
{
	if (p->flags & ~UTMEM_POOL_FLAGS)
		return -EOPNOTSUPP;
	if (p->resv0 || !is_zero(p->resv, sizeof(p->resv)))
		return -EINVAL;
	if (p->flags & UTMEM_POOL_EXCL && !(p->flags & UTMEM_POOL_CREATE))
		return -EINVAL;
	if (!memchr(p->name, 0, sizeof(p->name)) || !utmem_name_valid(p->name))
		return -EINVAL;
	if (!memchr(p->tenant, 0, sizeof(p->tenant)))
		return -EINVAL;
	return *p->tenant && !utmem_name_valid(p->tenant) ? -EINVAL : 0;
}

static struct utmem_pool_spec pool_spec(const struct utmem_admin_pool *p)
{
	return (struct utmem_pool_spec){
		.name = p->name,
		.kind =
			{
				.ephemeral = p->flags & UTMEM_POOL_EPHEMERAL,
				.shared = p->flags & UTMEM_POOL_SHARED,
				.guest_shared = p->flags & UTMEM_POOL_GUEST_SHARED,
				.owner = p->owner,
			},
		.create = p->flags & UTMEM_POOL_CREATE,
		.excl = p->flags & UTMEM_POOL_EXCL,
		.any_owner = p->flags & UTMEM_POOL_ANY_OWNER,
	};
}

/* -EMFILE: every handle is in use. */
static int handle_find(struct queue *q, uint16_t *handle)
{
	for (*handle = 0; *handle < UTMEM_POOLS_PER_QUEUE; (*handle)++) {
		if (!utsvc_queue_has_handle(q, *handle))
			return 0;
	}
	return -EMFILE;
}

/* A queue that takes pools: one that has ended says what ended it. */
static int queue_find_live(struct utmem_window *w, uint32_t id, struct queue **out)
{
	int err = queue_find(w, id, out);

	return err ? err : (*out)->error;
}

static bool has_pool(const struct utmem_window *w, const char *name)
{
	const struct utmem_engine_ops *ops = w->service->ops;
	struct utmem_pool *p = NULL;

	while ((p = ops->pool_next(w->cfg.tenant, p))) {
		if (!strcmp(ops->pool_name(p), name))
			return true;
	}
	return false;
}

/* A pool that must be new is new when it was not there before the first try. */
static void pool_open_excl(struct utmem_window *w, struct utmem_pool_spec *spec)
{
	if (was_acting(w))
		spec->excl = false;
	else if (!has_pool(w, spec->name))
		acting(w);
}

static int pool_open(struct utmem_window *w, void *payload)
{
	struct utmem_admin_pool *p = payload;
	struct utmem_pool_spec spec;
	struct utmem_tenant *owner;
	bool readonly = false; /* of the grant: that may change, and is asked with each request */
	struct utmem_pool *pool;
	struct queue *q;
	uint16_t handle;
	int err;

	err = pool_open_check(p);
	if (!err)
		err = queue_find_live(w, p->queue_id, &q);
	if (!err)
		err = handle_find(q, &handle);
	if (!err)
		err = owner_find(w, p->tenant, &owner);
	if (err)
		return err;
	spec = pool_spec(p);
	if (spec.excl && owner == w->cfg.tenant)
		pool_open_excl(w, &spec);
	err = w->service->ops->pool_open(w->cfg.tenant, owner, &spec, &pool, &readonly);
	if (err)
		return err;
	UTMEM_FAIL_POINT("service_pool_opened");
	making(w, LEDGER_MADE_HANDLE, q->id, handle);
	utsvc_queue_handle_open(q, handle, pool, p->flags & UTMEM_POOL_READONLY);
	p->handle = handle;
	return 0;
}

/* The handle that CLOSE, DESTROY and STAT name, be its pool there or lost. -EACCES. */
static int handle_of(struct utmem_window *w, uint32_t queue_id, uint16_t handle, struct queue **q,
		     struct handle **h)
{
	int err = queue_find_live(w, queue_id, q);

	if (err)
		return err;
	if (!utsvc_queue_has_handle(*q, handle))
		return -EACCES;
	*h = &(*q)->handles[handle];
	return 0;
}

static int pool_close_check(const struct utmem_admin_pool *p)
{
	return p->flags || p->resv0 || !is_zero(p->resv, sizeof(p->resv)) ? -EINVAL : 0;
}

static int pool_close(struct utmem_window *w, void *payload)
{
	const struct utmem_admin_pool *p = payload;
	struct handle *h;
	struct queue *q;
	int err;

	err = pool_close_check(p);
	if (!err)
		err = handle_of(w, p->queue_id, p->handle, &q, &h);
	if (err)
		return err == -EACCES && was_acting(w) ? 0 : err;
	acting(w);
	utsvc_queue_handle_close(q, p->handle);
	return 0;
}

/*
 * May the pool be destroyed by who asks? One that is gone was destroyed by this very request in the
 * life before, or by somebody: that has to be known before it acts.
 */
static int pool_destroy_check(struct utmem_window *w, const struct handle *h)
{
	const struct utmem_engine_ops *ops = w->service->ops;

	if (h->lost)
		return was_acting(w) ? 0 : h->lost;
	if (h->readonly || h->foreign)
		return -EACCES;
	return ops->pool_find(w->service->engine, ops->pool_id(h->pool)) ? 0 : -ESTALE;
}

static int pool_destroy(struct utmem_window *w, void *payload)
{
	const struct utmem_engine_ops *ops = w->service->ops;
	const struct utmem_admin_pool *p = payload;
	struct handle *h;
	struct queue *q;
	int err;

	err = pool_close_check(p);
	if (!err)
		err = handle_of(w, p->queue_id, p->handle, &q, &h);
	if (err)
		return err == -EACCES && was_acting(w) ? 0 : err;
	err = pool_destroy_check(w, h);
	if (err)
		return err;
	acting(w);
	if (h->pool)
		err = ops->pool_destroy(h->pool);
	if (err)
		return err;
	UTMEM_FAIL_POINT("service_pool_destroyed");
	utsvc_queue_handle_close(q, p->handle);
	return 0;
}

static uint32_t kind_flags(struct utmem_pool_kind kind)
{
	return (kind.ephemeral ? UTMEM_POOL_EPHEMERAL : 0) | (kind.shared ? UTMEM_POOL_SHARED : 0) |
	       (kind.guest_shared ? UTMEM_POOL_GUEST_SHARED : 0);
}

static void stat_fill(struct utmem_pool_stat *p, const struct utmem_pool_counters *pool,
		      const struct utmem_tenant_stat *tenant)
{
	p->nr_items = pool->nr_items;
	p->key_bytes = pool->key_bytes;
	p->value_bytes = pool->value_bytes;
	p->used_bytes = pool->used_bytes;
	p->quota_bytes = tenant->quota_bytes;
	p->tenant_used_bytes = tenant->used_bytes;
	p->nr_puts = pool->nr_puts;
	p->nr_gets = pool->nr_gets;
	p->nr_hits = pool->nr_hits;
	p->nr_dels = pool->nr_dels;
	p->nr_evicted = pool->nr_evicted;
	p->nr_refused = pool->nr_refused;
}

/* Quota and use are the asker's own, whoever's the pool is: other tenants' are not his business. */
static int pool_stat(struct utmem_window *w, void *payload)
{
	const struct utmem_engine_ops *ops = w->service->ops;
	struct utmem_pool_stat *p = payload;
	struct utmem_pool_counters pool;
	struct utmem_tenant_stat tenant;
	struct handle *h;
	struct queue *q;
	int err;

	if (p->resv0 || p->resv1 || !is_zero(p->resv, sizeof(p->resv)))
		return -EINVAL;
	err = handle_of(w, p->queue_id, p->handle, &q, &h);
	if (!err)
		err = handle_right(q, h, false);
	if (err)
		return err;
	ops->pool_stat(h->pool, &pool);
	ops->tenant_stat(w->cfg.tenant, &tenant);
	p->flags = kind_flags(ops->pool_kind(h->pool)) |
		   (handle_right(q, h, true) ? UTMEM_POOL_READONLY : 0);
	stat_fill(p, &pool, &tenant);
	return 0;
}

#define SLOT(opcode) ((opcode)-UTMEM_OP_CREATE_QUEUE)

static const struct admin_op {
	size_t len; /* of the payload, exactly */
	int (*run)(struct utmem_window *w, void *payload);
	bool locked; /* run is called with the engine's lock held; else it takes it where it must */
} admin_ops[] = {
	[SLOT(UTMEM_OP_CREATE_QUEUE)] = {sizeof(struct utmem_admin_queue), queue_create, false},
	[SLOT(UTMEM_OP_DESTROY_QUEUE)] = {sizeof(struct utmem_admin_queue), queue_destroy, false},
	[SLOT(UTMEM_OP_POOL_OPEN)] = {sizeof(struct utmem_admin_pool), pool_open, true},
	[SLOT(UTMEM_OP_POOL_CLOSE)] = {sizeof(struct utmem_admin_pool), pool_close, true},
	[SLOT(UTMEM_OP_POOL_DESTROY)] = {sizeof(struct utmem_admin_pool), pool_destroy, true},
	[SLOT(UTMEM_OP_POOL_STAT)] = {sizeof(struct utmem_pool_stat), pool_stat, true},
};

static const struct admin_op *admin_op_find(uint8_t opcode)
{
	/* unsigned: an opcode below the first is far beyond the last */
	size_t slot = (size_t)SLOT((int)opcode);

	return slot < sizeof(admin_ops) / sizeof(admin_ops[0]) ? &admin_ops[slot] : NULL;
}

/* ---- exactly once ---- */

/* One that has begun before goes on with what is known of it; all else is new. */
static void call_begin(struct utmem_window *w, uint64_t serial, uint8_t opcode)
{
	struct ledger_admin *a = &w->ledger->admin;

	if (serial != LEDGER_NONE && serial == a->serial && opcode == a->opcode)
		return;
	utmem_store_release(&a->made, LEDGER_MADE_NOTHING);
	utmem_store_release(&a->state, LEDGER_ADMIN_BEGUN);
	UTMEM_FAIL_POINT("service_admin_new");
	a->opcode = opcode;
	utmem_store_release(&a->serial, serial);
	UTMEM_FAIL_POINT("service_admin_begun");
}

static void call_finish(struct utmem_window *w, int ret, const void *payload, size_t len)
{
	struct ledger_admin *a = &w->ledger->admin;

	a->res = ret;
	memcpy(a->payload, payload, len);
	UTMEM_FAIL_POINT("service_admin_answer");
	utmem_store_release(&a->state, LEDGER_ADMIN_DONE);
	UTMEM_FAIL_POINT("service_admin_done");
}

/* What takes or gives pools has its answer in the ledger before anybody else comes to them. */
static int call_act(struct utmem_window *w, const struct admin_op *op, void *payload)
{
	int ret;

	if (op->locked)
		engine_lock(w->service);
	ret = op->run(w, payload);
	if (ret != ADMIN_LATER)
		call_finish(w, ret, payload, op->len);
	if (op->locked)
		engine_unlock(w->service);
	return ret;
}

/* Return: what @op says, ADMIN_LATER included; for one that was finished before: what it said then. */
static int call_run(struct utmem_window *w, uint64_t serial, uint8_t opcode, void *payload)
{
	const struct admin_op *op = admin_op_find(opcode);
	struct ledger_admin *a = &w->ledger->admin;

	call_begin(w, serial, opcode);
	if (a->state == LEDGER_ADMIN_DONE) {
		memcpy(payload, a->payload, op->len);
		return a->res;
	}
	return call_act(w, op, payload);
}

static void handle_undo(struct queue *q, uint16_t handle)
{
	engine_lock(q->window->service);
	if (utsvc_queue_has_handle(q, handle))
		utsvc_queue_handle_close(q, handle);
	engine_unlock(q->window->service);
}

void utsvc_admin_undo(struct utmem_window *w)
{
	struct ledger_admin *a = &w->ledger->admin;
	struct queue *q;

	if (a->state == LEDGER_ADMIN_DONE || a->made == LEDGER_MADE_NOTHING)
		return;
	q = w->queues[a->made_queue];
	if (q && a->made == LEDGER_MADE_QUEUE)
		utsvc_admin_drop(q);
	else if (q)
		handle_undo(q, (uint16_t)a->made_handle);
	utmem_store_release(&a->made, LEDGER_MADE_NOTHING);
}

void utsvc_admin_give_up(struct utmem_window *w, int error)
{
	call_finish(w, error, w->ledger->admin.payload, 0);
}

int utmem_window_admin_once(struct utmem_window *w, uint64_t serial, uint8_t opcode, void *payload,
			    size_t len)
{
	const struct admin_op *op = admin_op_find(opcode);
	uint32_t before;
	int ret;

	if (!op)
		return -EOPNOTSUPP;
	if (len != op->len)
		return -EINVAL;
	utsvc_resume_finish(w->service);
	before = ledger_enter(w->ledger, 0);
	do
		ret = call_run(w, serial, opcode, payload);
	while (ret == ADMIN_LATER);
	ledger_leave(w->ledger, before);
	return ret;
}

int utmem_window_admin(struct utmem_window *w, uint8_t opcode, void *payload, size_t len)
{
	return utmem_window_admin_once(w, LEDGER_NONE, opcode, payload, len);
}

/* ---- queue 0 ---- */

/* Where the payload lies, for an entry that names nothing else. */
static int entry_check(const struct utmem_sqe *sqe, const struct admin_op *op, uint32_t data_len)
{
	if (sqe->flags)
		return -EOPNOTSUPP;
	if (sqe->pool || sqe->key_len || sqe->stream || sqe->arg ||
	    !is_zero(sqe->key, sizeof(sqe->key)))
		return -EINVAL;
	if (sqe->len != op->len || !range_inside(sqe->data_off, sqe->len, data_len))
		return -EINVAL;
	return 0;
}

/* Return: 0, -errno, or ADMIN_LATER. The answer is written only when there is one. */
static int entry_run(struct queue *q, const struct utmem_sqe *sqe)
{
	const struct admin_op *op = admin_op_find(sqe->opcode);
	union payload payload;
	int ret;

	if (!op)
		return sqe->opcode == UTMEM_OP_NOP ? 0 : -EOPNOTSUPP;
	ret = entry_check(sqe, op, q->data_len);
	if (ret) {
		q->window->counters.nr_malformed++;
		return ret;
	}
	copy_once(&payload, q->data + sqe->data_off, op->len);
	ret = call_run(q->window, q->ledger->done, sqe->opcode, &payload);
	if (!ret)
		memcpy(q->data + sqe->data_off, &payload, op->len);
	return ret;
}

uint32_t utsvc_admin_turn(struct utmem_window *w)
{
	struct queue *q = w->admin;
	struct utmem_sqe sqe;
	uint32_t n, before;
	int ret;

	if (q->error)
		return 0;
	if (utsvc_queue_peek(q, &n)) {
		utsvc_queue_break(q);
		return 0;
	}
	if (!n)
		return 0;
	before = ledger_enter(w->ledger, 0);
	utmem_sq_copy(&q->sq, 0, &sqe);
	ret = entry_run(q, &sqe);
	if (ret != ADMIN_LATER) {
		ledger_done(q->ledger, sqe.user_data, ret, 0);
		utsvc_queue_complete(q);
	}
	ledger_leave(w->ledger, before);
	return 1;
}
