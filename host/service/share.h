/* SPDX-License-Identifier: MIT */
/*
 * What one tenant gets of a service: a budget in each turn, whatever the number of
 * its windows, their queues and their requests. Where several services share an engine, it is
 * each of them: a tenant with windows at all of N gets N times as much, but others wait for
 * him only at the engine, a batch of one queue at a time. Owner: share.c; callers: service.c,
 * window.c, queue.c, drain.c. Draining thread.
 */
#ifndef UTMEM_SERVICE_SHARE_H
#define UTMEM_SERVICE_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "host/pool/pool.h"

struct queue;
struct utmem_service;

/* All budgets are in the bytes that request_cost() counts; the request that exceeds one is the last. */

/* Of a tenant in one turn. The queues whose turn does not come are first next time. */
#define TENANT_TURN_BYTES (2ull << 20)
/*
 * Of a tenant's queues and windows that go, for what is in their rings, between two turns.
 * What lies beyond is dropped unserved. The largest ring has room for twice as many requests
 * without bytes as it has entries.
 */
#define TENANT_LAST_BYTES (16ull << 20)

struct share {
	TAILQ_ENTRY(share) link; /* service.shares */
	struct utmem_service *service;
	struct utmem_tenant *tenant;
	uint32_t nr_windows;
	struct queue **live; /* [nr_live] of max_live, dense: what a turn walks */
	uint32_t nr_live, max_live;
	uint32_t next;	    /* in live: whose turn it is */
	uint64_t last_left; /* of TENANT_LAST_BYTES */
};

/* The share of @t, for one more window of at most @nr_queues. -ENOMEM. */
int utsvc_share_join(struct utmem_service *s, struct utmem_tenant *t, uint32_t nr_queues,
		     struct share **out);
/* A window is gone; the share goes with the last one. */
void utsvc_share_leave(struct share *sh, uint32_t nr_queues);

void utsvc_share_add(struct share *sh, struct queue *q);
void utsvc_share_remove(struct share *sh, struct queue *q);

/* A batch of each live queue, until the budget is spent. Return: requests served. */
uint32_t utsvc_share_turn(struct share *sh);
/* Would a turn find anything? A queue whose completions nobody reaps has nothing. */
bool utsvc_share_has_work(const struct share *sh);

#endif /* UTMEM_SERVICE_SHARE_H */
