/* SPDX-License-Identifier: MIT */
/*
 * The service: rings on one side, pools on the other.
 *
 * Owner: host/service. Callers: host/utmemd (threads that drain and sleep),
 * libutmem's local: transport (drains inside submit), bench, fuzz. It opens no
 * socket, starts no thread, takes no lock but the one that its owner gives it: every call
 * on one service comes from one thread at a time. Several threads have a service each, and
 * may share an engine (utmem_service_share_engine).
 *
 *	validate.c   an SQE copy -> a request that can be trusted, or a -errno
 *	dispatch.c   a trusted request -> a pool operation -> a result
 *	drain.c	     one queue: peek, copy, validate, prefetch, dispatch, complete
 *	queue.c	     one queue's life, its pools and multi-part PUTs
 *	rights.c     what other tenants may do, request by request
 *	ledger.c     what must be remembered when the process dies
 *	resume.c     windows' second life, from their ledgers
 *	room.c	     which pages of a window are taken, and which must be zeroed
 *	window.c     header, control page, hello
 *	share.c	     what one tenant gets in a turn, over all its windows
 *	admin.c	     CREATE_QUEUE .. POOL_STAT, from queue 0 or from a socket
 *	service.c    all windows of one thread: turn, arm, disarm
 *	probe.h	     where a tracer may look
 */
#ifndef UTMEM_SERVICE_H
#define UTMEM_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/ring/utmem_abi.h"
#include "host/pool/pool.h"

struct utmem_service;
struct utmem_window;

struct utmem_service_counters {
	uint64_t nr_requests;
	uint64_t nr_batches;   /* drains of one queue that found work */
	uint64_t nr_wakes;     /* waiters signalled */
	uint64_t nr_arms;      /* times NEED_KICK was set */
	uint64_t nr_malformed; /* requests answered by validate */
	uint64_t nr_broken;    /* queues ended for a broken contract */
	uint64_t value_bytes_in, value_bytes_out;
};

/*
 * What the service asks of its owner. Called on the draining thread, never while it holds the engine's
 * lock; must not call back into the service.
 */
struct utmem_window_callbacks {
	/* Required. A waiter of @queue_id wants to be woken; @irq_vector as CREATE_QUEUE gave it. */
	void (*wake)(void *ctx, uint32_t queue_id, uint32_t irq_vector);
	/* Optional. One line for the log: a decision that was made, with its numbers. */
	void (*log)(void *ctx, const char *line);
	void *ctx;
};

#define UTMEM_QUEUES_DEFAULT 64u

struct utmem_window_config {
	void *base;		     /* the mapping; page-aligned, zeroed, outlives the window */
	uint64_t len;		     /* bytes, power of two >= UTMEM_WINDOW_LEN_MIN */
	struct utmem_tenant *tenant; /* whose quota, and whose pools */
	uint64_t features;	     /* UTMEM_FEAT_DOORBELL_* that this window offers */
	uint64_t doorbell_token;
	uint32_t host_peer; /* ivshmem id of the host */
	uint32_t heartbeat_ms;
	uint32_t max_queues;   /* the admin queue included; 0 = default 64 */
	uint32_t max_data_len; /* per queue; 0 = a quarter of the window */
	bool admin_queue; /* true: queue 0 is in the window (VM); false: utmem_window_admin() alone (socket) */
	/*
	 * What the window is resumed from: memory that no guest can write, aligned to 64 bytes, zeroed, of at
	 * least utmem_ledger_len(max_queues), kept as long as the window. NULL: memory of our own,
	 * which dies with the process.
	 */
	void *ledger;
	size_t ledger_len;
	/*
	 * base and ledger come from a life before, which was left or has died: go on with it. Taken
	 * from the ledger and not from here are then doorbell_token, host_peer, max_queues, max_data_len and
	 * admin_queue. A ledger that is still all zero begins a new window.
	 */
	bool resume;
	uint64_t now_ms; /* monotonic over all lives; only for resume */
	struct utmem_window_callbacks cb;
};

/* Bytes of a ledger; pages of it cost memory once their queue was made. 0: @max_queues is beyond the limit. */
size_t utmem_ledger_len(uint32_t max_queues);

/* Lifetime. exit: every window has been detached. -ENOMEM. */
int utmem_service_init(struct utmem_service **out, struct utmem_engine *engine, uint32_t epoch);
void utmem_service_exit(struct utmem_service *s);
/*
 * Instead of exit, between two turns, for another process to go on: frees @s with its windows
 * and touches nothing else. No window, ledger, pool or stream learns of it.
 */
void utmem_service_leave(struct utmem_service *s);

/*
 * The lock of an engine that several services work on, each on a thread of its own. An engine is used by one
 * thread at a time, so a service takes the lock for whatever it does with engine, tenants and
 * pools: once for a batch of requests, not for copying and checking them before, nor for telling their
 * outcomes after. What a request does, from its first look at the pool until its outcome stands in the ledger,
 * happens in one hold: nobody comes between.
 *
 * Order: whatever its owner makes the calls on one service exclusive with, then this lock, then the owner's
 * callbacks' own (which are called without this one). A service asks for it once at a time: it need
 * not be recursive. The owner takes it for engine calls of his own.
 */
struct utmem_engine_lock {
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	void *ctx;
};
/* Before the first window is attached. Without it, the service is alone with its engine. */
void utmem_service_share_engine(struct utmem_service *s, const struct utmem_engine_lock *lock);

/*
 * Put a window under service: writes header and control page, makes the admin
 * queue. detach drains every queue (as far as a bounded amount of work for the tenant
 * goes), drops it, closes its pools, and marks the control page STOPPED. -EINVAL
 * (size), -ENOMEM.
 *
 * With cfg->resume: the queues of the ledger go on where they were, pools are opened again by their ids (one that
 * is gone answers -ESTALE, one no longer granted -EACCES, until it is closed), and the state is RUNNING
 * whatever it was. Attach every window of the life before, then repeat the admin calls that were not
 * answered, then turn: the first of these calls does what utmem_services_resume() says. Also
 * -EPROTONOSUPPORT, -EINVAL, -EBADMSG: the ledger is of another version, of another window, or damaged.
 */
int utmem_window_attach(struct utmem_service *s, struct utmem_window **out,
			const struct utmem_window_config *cfg);
void utmem_window_detach(struct utmem_window *w);

/*
 * After the windows of the life before were attached, to whichever of the services that share an
 * engine, and before any other call on one of them: adopts streams, settles the engine's others, publishes
 * outcomes, executes what each window was in the middle of, and wakes every waiter. On one
 * thread, while the others have not begun. One service alone does it by itself.
 * Return: requests served.
 */
uint32_t utmem_services_resume(struct utmem_service *const *services, uint32_t nr);

/*
 * One admin request that came by another way than queue 0. @payload is the
 * caller's private copy, in and out; @len its exact size for @opcode (-EINVAL).
 * Return: 0 or -errno.
 */
int utmem_window_admin(struct utmem_window *w, uint8_t opcode, void *payload, size_t len);
/*
 * The same, exactly once for each @serial: a caller who does not know whether the call of a life before was
 * finished repeats it with the serial of then. One that was is answered from the ledger (payload and
 * return value), one that was not has been undone and is executed. Only the window's latest serial is
 * remembered. @serial is anything but UINT64_MAX.
 */
int utmem_window_admin_once(struct utmem_window *w, uint64_t serial, uint8_t opcode, void *payload,
			    size_t len);

/* Refuse new queues (state DRAINING), go on serving those that are there. */
void utmem_window_draining(struct utmem_window *w);
/* What the header offers from here on: a guest sees it when it looks next. */
void utmem_window_offer(struct utmem_window *w, uint64_t features);
/* The secret that its guest rings with by hypercall; 0: none. */
uint64_t utmem_window_token(const struct utmem_window *w);
/* Count the heartbeat up; call it every heartbeat_ms. */
void utmem_window_heartbeat(struct utmem_window *w);

struct utmem_window_stat {
	uint32_t nr_queues; /* the admin queue not counted */
	uint64_t window_len, window_free;
	uint64_t hello;
	struct utmem_service_counters counters;
};
void utmem_window_stat(const struct utmem_window *w, struct utmem_window_stat *out);

/*
 * Serve every queue of every window once, at most a bounded batch from each and
 * bounded work for each tenant, whatever the number of its windows (the rest is first
 * next time), so that no tenant waits for another's rings. Each request counts, with
 * its bytes. Then a bounded amount of the engine's background work.
 * Return: requests served, plus 1 when background work is left.
 */
uint32_t utmem_service_turn(struct utmem_service *s);

/*
 * About to sleep: set NEED_KICK and this sleep's number in every window, then look again. No
 * doorbell may be taken between this and the sleep: nobody rings for it a second time.
 * Return: true when there is work after all (NEED_KICK is then cleared).
 */
bool utmem_service_arm(struct utmem_service *s);
/* Awake again. */
void utmem_service_disarm(struct utmem_service *s);

/* Is a queue of another tenant attached to a pool of @t? Then the engine cannot remove @t. */
bool utmem_service_shares(const struct utmem_service *s, const struct utmem_tenant *t);
/* It is to be removed: other tenants' handles on its pools answer -ESTALE from here on. */
void utmem_service_forsake(struct utmem_service *s, const struct utmem_tenant *t);
/*
 * After pool_grant or pool_revoke: values in parts that may not be written any more end.
 * (All other requests ask for their right themselves.) Of each service that shares the engine:
 * when it returns, no batch is under way that has asked before.
 */
void utmem_service_rights_changed(struct utmem_service *s);

void utmem_service_stat(const struct utmem_service *s, struct utmem_service_counters *out);

#endif /* UTMEM_SERVICE_H */
