// SPDX-License-Identifier: MIT
/*
 * Pools: names and handles. Each call is one request to the host's admin side,
 * by whatever way the transport has. Called by applications, on the queue's thread.
 */
#include "libutmem/internal.h"

/* What a caller may ask for; ANY_OWNER is the driver's to grant. */
#define OPEN_FLAGS (UTMEM_POOL_FLAGS & ~UTMEM_POOL_ANY_OWNER)

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

/* @out is zeroed, UTMEM_NAME_LEN bytes. */
static int name_copy(char *out, const char *name, size_t len)
{
	if (!len || len >= UTMEM_NAME_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!name_char(name[i]))
			return -EINVAL;
		out[i] = name[i];
	}
	return 0;
}

/* "pool" or "tenant:pool" */
static int name_parse(struct utmem_admin_pool *p, const char *name)
{
	const char *colon = strchr(name, ':');
	int err;

	if (!colon)
		return name_copy(p->name, name, strlen(name));
	err = name_copy(p->tenant, name, (size_t)(colon - name));
	return err ? err : name_copy(p->name, colon + 1, strlen(colon + 1));
}

int utmem_pool_open(struct utmem_queue *q, const char *name, uint32_t flags)
{
	struct utmem_admin_pool p = {.flags = flags};
	int err;

	if (!name || flags & ~OPEN_FLAGS || name_parse(&p, name))
		return -EINVAL;
	err = q->ops->pool(q, UTMEM_OP_POOL_OPEN, &p);
	if (err)
		return err;
	return p.handle < UTMEM_POOLS_PER_QUEUE ? p.handle : -EPROTO;
}

static int pool_request(struct utmem_queue *q, uint8_t op, int pool)
{
	struct utmem_admin_pool p = {.handle = (uint16_t)pool};

	if (pool < 0 || pool >= (int)UTMEM_POOLS_PER_QUEUE)
		return -EINVAL;
	return q->ops->pool(q, op, &p);
}

int utmem_pool_close(struct utmem_queue *q, int pool)
{
	return pool_request(q, UTMEM_OP_POOL_CLOSE, pool);
}

int utmem_pool_destroy(struct utmem_queue *q, int pool)
{
	return pool_request(q, UTMEM_OP_POOL_DESTROY, pool);
}

int utmem_pool_stat(struct utmem_queue *q, int pool, struct utmem_pool_stat *out)
{
	struct utmem_pool_stat stat = {.handle = (uint16_t)pool};
	int err;

	if (pool < 0 || pool >= (int)UTMEM_POOLS_PER_QUEUE)
		return -EINVAL;
	err = q->ops->pool_stat(q, &stat);
	if (!err)
		*out = stat;
	return err;
}
