// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools on behalf of the process that owns a queue: the driver says who it is, the
 * process cannot. Called by ioctl, process context.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/sched.h>
#include <linux/uidgid.h>

#include "utmem.h"

/* What a process may ask for; ANY_OWNER is ours to give. */
#define OPEN_FLAGS (UTMEM_POOL_FLAGS & ~UTMEM_POOL_ANY_OWNER)

static void fill_caller(struct utmem_queue *q, struct utmem_admin_pool *request)
{
	request->queue_id = q->id;
	/* Ids of the initial namespace: those of a container mean nothing to the others. */
	request->owner = from_kuid(&init_user_ns, current_fsuid());
}

int utmem_pool_open(struct utmem_queue *q, struct utmem_ioc_pool *io)
{
	struct utmem_admin_pool request = {.flags = io->flags};
	int err;

	if (io->flags & ~OPEN_FLAGS)
		return -EINVAL;
	fill_caller(q, &request);
	/* Who may make the pool would take, and trust, what another has put there under that name. */
	if (!(io->flags & UTMEM_POOL_CREATE) && capable(CAP_SYS_ADMIN))
		request.flags |= UTMEM_POOL_ANY_OWNER;
	memcpy(request.tenant, io->tenant, sizeof(request.tenant));
	memcpy(request.name, io->name, sizeof(request.name));
	err = utmem_admin_call(q->dev, UTMEM_OP_POOL_OPEN, &request, sizeof(request),
			       TASK_KILLABLE);
	if (err)
		return err;
	if (request.handle >= UTMEM_POOLS_PER_QUEUE)
		return -EPROTO;
	io->handle = request.handle;
	return 0;
}

int utmem_pool_end(struct utmem_queue *q, u8 opcode, u16 handle)
{
	struct utmem_admin_pool request = {.handle = handle};

	fill_caller(q, &request);
	return utmem_admin_call(q->dev, opcode, &request, sizeof(request), TASK_KILLABLE);
}

int utmem_pool_stat(struct utmem_queue *q, struct utmem_pool_stat *st)
{
	struct utmem_pool_stat request = {.queue_id = q->id, .handle = st->handle};
	int err;

	err = utmem_admin_call(q->dev, UTMEM_OP_POOL_STAT, &request, sizeof(request),
			       TASK_KILLABLE);
	if (err)
		return err;
	*st = request;
	st->queue_id = 0; /* the process's queue has no number */
	return 0;
}
