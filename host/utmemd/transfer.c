// SPDX-License-Identifier: MIT
/*
 * Owns the connections that carry saved pools. Called by commands.c, control.c and tenant.c,
 * and by the loop; on the daemon's main thread.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/transfer.h"

#define NO_FD (-1)

static void transfer_ready(struct source *s, uint32_t events)
{
	struct transfer *t = owner_of(s, struct transfer, src);

	(void)events; /* an end of the peer shows in what send and recv say */
	t->kind->ready(t);
}

int transfer_init(struct transfer *t, const struct transfer_kind *kind, struct tenant *owner)
{
	struct control *ctl = &owner->daemon->control;

	if (ctl->nr_transfers == TRANSFERS_MAX)
		return -EUSERS;
	t->src = (struct source){.fd = NO_FD, .ready = transfer_ready};
	t->kind = kind;
	t->daemon = owner->daemon;
	t->tenant = owner;
	LIST_INSERT_HEAD(&ctl->transfers, t, link);
	ctl->nr_transfers++;
	return 0;
}

void transfer_start(struct transfer *t, int fd, const void *bytes, size_t len)
{
	int err;

	t->src.fd = fd;
	err = loop_add(&t->daemon->loop, &t->src, t->kind->events);
	if (err) {
		log_warn("%s of tenant %s: %s", t->kind->name, t->tenant->name, strerror(-err));
		close(fd);
		t->src.fd = NO_FD;
		transfer_close(t);
		return;
	}
	t->kind->started(t, bytes, len);
}

void transfer_close(struct transfer *t)
{
	LIST_REMOVE(t, link);
	t->daemon->control.nr_transfers--;
	if (t->src.fd != NO_FD) {
		loop_remove(&t->daemon->loop, &t->src);
		close(t->src.fd);
	}
	t->kind->end(t);
}

void transfers_close_of(struct tenant *owner)
{
	struct transfer *t = LIST_FIRST(&owner->daemon->control.transfers), *next;

	for (; t; t = next) {
		next = LIST_NEXT(t, link);
		if (t->tenant == owner)
			transfer_close(t);
	}
}

void transfers_close(struct daemon *d)
{
	while (!LIST_EMPTY(&d->control.transfers))
		transfer_close(LIST_FIRST(&d->control.transfers));
}
