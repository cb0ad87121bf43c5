// SPDX-License-Identifier: MIT
/*
 * Owns the worker's talk with the supervisor about descriptors. Called by worker.c
 * at start and end, and by the owners of descriptors; on the worker's main thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/utmemd/deposit.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/log.h"

/* Everything up to START. */
static int receive_all(struct deposit *d)
{
	int fds[KEEPER_FDS_MAX];
	struct keeper_msg m;
	uint32_t nr_fds;
	int err;

	for (;;) {
		err = keeper_recv(d->link, &m, fds, &nr_fds, true);
		if (err < 0)
			return err;
		if (m.type == KEEPER_START)
			break;
		if (m.type != KEEPER_KEPT) {
			fdpass_close(fds, nr_fds);
			return -EPROTO;
		}
		err = kept_put(&d->given, &m, fds, nr_fds);
		if (err)
			return err;
	}
	d->life = m.life;
	d->nr_fds = d->given.nr_fds;
	return 0;
}

int deposit_open(struct deposit *d, int link)
{
	struct keeper_msg hello = {.type = KEEPER_HELLO, .version = KEEPER_VERSION};
	int err;

	memset(d, 0, sizeof(*d));
	d->link = link;
	kept_init(&d->given, UINT_MAX);
	err = keeper_send(link, &hello, NULL, 0);
	if (!err)
		err = receive_all(d);
	if (err)
		kept_exit(&d->given);
	return err;
}

void deposit_close(struct deposit *d)
{
	kept_exit(&d->given);
	close(d->link);
}

int deposit_keep(struct deposit *d, struct deposited *what, const char *key, const void *meta,
		 uint32_t meta_len, const int *fds, uint32_t nr_fds)
{
	struct keeper_msg m = {.type = KEEPER_KEEP, .meta_len = meta_len};
	int err;

	strcpy(m.key, key);
	if (meta_len)
		memcpy(m.meta, meta, meta_len);
	err = keeper_send(d->link, &m, fds, nr_fds);
	if (err) {
		log_error("%s: not kept: %s", key, strerror(-err));
		return err;
	}
	d->nr_fds += nr_fds - what->nr_fds;
	what->nr_fds = nr_fds;
	return 0;
}

void deposit_drop(struct deposit *d, struct deposited *what, const char *key)
{
	struct keeper_msg m = {.type = KEEPER_DROP};

	if (!what->nr_fds)
		return;
	d->nr_fds -= what->nr_fds;
	what->nr_fds = 0;
	strcpy(m.key, key);
	keeper_send(d->link, &m, NULL, 0);
}

/* Given and not wanted: gone, here and there. */
static void refuse(struct deposit *d, struct kept_item *item)
{
	struct deposited what = {.nr_fds = item->nr_fds};

	deposit_drop(d, &what, item->key);
	kept_drop(&d->given, item);
}

struct kept_item *deposit_take(struct deposit *d, struct deposited *what, const char *key,
			       uint32_t meta_len, uint32_t min_fds, uint32_t max_fds)
{
	struct kept_item *item = kept_find(&d->given, key);

	if (!item)
		return NULL;
	if (item->nr_fds >= min_fds && item->nr_fds <= max_fds && item->meta_len == meta_len) {
		kept_remove(&d->given, item);
		what->nr_fds = item->nr_fds;
		return item;
	}
	log_error("%s: %u descriptors and %u bytes are not what this version keeps there", key,
		  item->nr_fds, item->meta_len);
	refuse(d, item);
	return NULL;
}

void deposit_sweep(struct deposit *d)
{
	struct kept_item *item;

	while ((item = TAILQ_FIRST(&d->given.items))) {
		log_warn("%s: nobody's, let go", item->key);
		refuse(d, item);
	}
}
