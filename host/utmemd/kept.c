// SPDX-License-Identifier: MIT
/*
 * Owns descriptors by name. Called by supervisor.c, fdstore.c and deposit.c, on their
 * process' one thread. It knows nothing of what they are.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/fdpass.h"
#include "host/utmemd/kept.h"

static int compare(const void *a, const void *b)
{
	const struct kept_item *x = a, *y = b;

	return strcmp(x->key, y->key);
}

void kept_init(struct kept *k, uint32_t max_fds)
{
	*k = (struct kept){.max_fds = max_fds};
	TAILQ_INIT(&k->items);
}

void kept_exit(struct kept *k)
{
	while (!TAILQ_EMPTY(&k->items))
		kept_drop(k, TAILQ_FIRST(&k->items));
}

struct kept_item *kept_find(const struct kept *k, const char *key)
{
	struct kept_item wanted, **found;

	strcpy(wanted.key, key);
	found = tfind(&wanted, &k->by_key, compare);
	return found ? *found : NULL;
}

struct kept_item *kept_first(const struct kept *k, const char *prefix)
{
	struct kept_item *item;

	TAILQ_FOREACH(item, &k->items, link)
	{
		if (!strncmp(item->key, prefix, strlen(prefix)))
			break;
	}
	return item;
}

void kept_remove(struct kept *k, struct kept_item *item)
{
	tdelete(item, &k->by_key, compare);
	TAILQ_REMOVE(&k->items, item, link);
	k->nr_fds -= item->nr_fds;
}

void kept_drop(struct kept *k, struct kept_item *item)
{
	kept_remove(k, item);
	fdpass_close(item->fds, item->nr_fds);
	free(item);
}

static int item_new(const struct keeper_msg *m, const int *fds, uint32_t nr_fds,
		    struct kept_item **out)
{
	struct kept_item *item;

	if (!*m->key || !nr_fds || nr_fds > KEEPER_FDS_MAX)
		return -EINVAL;
	item = calloc(1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	memcpy(item->key, m->key, sizeof(item->key));
	memcpy(item->meta, m->meta, m->meta_len);
	memcpy(item->fds, fds, nr_fds * sizeof(*fds));
	item->meta_len = m->meta_len;
	item->nr_fds = nr_fds;
	*out = item;
	return 0;
}

/* The old one leaves only when the new one is sure of its place. */
static int item_insert(struct kept *k, struct kept_item *item)
{
	struct kept_item *old = kept_find(k, item->key), **slot;

	if (k->nr_fds - (old ? old->nr_fds : 0) + item->nr_fds > k->max_fds)
		return -ENOSPC;
	slot = tsearch(item, &k->by_key, compare);
	if (!slot)
		return -ENOMEM;
	*slot = item;
	if (old) {
		TAILQ_REMOVE(&k->items, old, link);
		k->nr_fds -= old->nr_fds;
		fdpass_close(old->fds, old->nr_fds);
		free(old);
	}
	TAILQ_INSERT_TAIL(&k->items, item, link);
	k->nr_fds += item->nr_fds;
	return 0;
}

int kept_put(struct kept *k, const struct keeper_msg *m, const int *fds, uint32_t nr_fds)
{
	struct kept_item *item = NULL;
	int err = item_new(m, fds, nr_fds, &item);

	if (!err)
		err = item_insert(k, item);
	if (err) {
		free(item);
		fdpass_close(fds, nr_fds);
	}
	return err;
}
