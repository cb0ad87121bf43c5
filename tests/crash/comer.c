// SPDX-License-Identifier: MIT
/*
 * One that comes, stores, reads and goes: connections, queues and pool handles are made
 * and unmade while the host dies. Its own thread.
 */
#include <stdio.h>
#include <string.h>
#include <utmem.h>

#include "tests/crash/journal.h"
#include "tests/crash/run.h"

#define VALUE_LEN 5000u
#define KEY "comer"

/* The value stays, or goes in one way or another. */
static void leave(struct utmem_queue *q, int pool, struct entry *e)
{
	static char buf[VALUE_LEN];

	switch (e->last_version % 8) {
	case 1:
		journal_getdel(e, (int)utmem_getdel(q, pool, KEY, strlen(KEY), buf, sizeof(buf)),
			       buf);
		break;
	case 3:
		journal_all_gone(e, "FLUSH", utmem_pool_flush(q, pool));
		break;
	case 5:
		journal_all_gone(e, "POOL_DESTROY", utmem_pool_destroy(q, pool));
		break;
	default:
		journal_get(e, (int)utmem_get(q, pool, KEY, strlen(KEY), buf, sizeof(buf)), 0, buf,
			    sizeof(buf));
	}
}

static void visit(struct utmem_queue *q, struct entry *e)
{
	struct value v = {.key = UINT64_MAX, .version = ++e->last_version, .len = VALUE_LEN};
	static char buf[VALUE_LEN];
	int pool = utmem_pool_open(q, "comers", UTMEM_POOL_CREATE);

	if (pool < 0)
		return journal_failed("a comer's utmem_pool_open", pool);
	/* what the visit before left */
	journal_get(e, (int)utmem_get(q, pool, KEY, strlen(KEY), buf, sizeof(buf)), 0, buf,
		    sizeof(buf));
	value_fill(&v, 0, buf, sizeof(buf));
	journal_put(e, &v, PUT_ALWAYS, utmem_put(q, pool, KEY, strlen(KEY), buf, v.len, 0));
	leave(q, pool, e);
}

void *comer_main(void *arg)
{
	struct run *r = ((const struct client_start *)arg)->run;
	struct entry e = {.value.key = UINT64_MAX};

	while (!run_load(&r->stop) && !tally.failed) {
		struct utmem_queue *q = NULL;
		struct utmem *u = NULL;
		int err = utmem_connect(&u, r->transport);

		if (!err)
			err = utmem_queue_init(u, &q, NULL);
		if (err)
			journal_failed("a comer's start", err);
		else
			visit(q, &e);
		utmem_queue_exit(q);
		utmem_disconnect(u);
	}
	return NULL;
}
