/* SPDX-License-Identifier: MIT */
/*
 * A table of descriptors under names, with a few bytes beside each. The supervisor has one
 * of all that is kept, a new worker one of what it was given. Owner: kept.c; callers:
 * supervisor.c, fdstore.c, deposit.c. One thread.
 */
#ifndef UTMEMD_KEPT_H
#define UTMEMD_KEPT_H

#include <stdint.h>
#include <sys/queue.h>

#include "host/utmemd/keeper.h"

struct kept_item {
	TAILQ_ENTRY(kept_item) link;
	char key[KEEPER_KEY_MAX];
	uint32_t meta_len;
	uint32_t nr_fds;
	bool stored; /* the service manager has it, too: fdstore.c */
	uint8_t meta[KEEPER_META_MAX];
	int fds[KEEPER_FDS_MAX];
};

TAILQ_HEAD(kept_list, kept_item);

struct kept {
	struct kept_list items; /* in the order they came */
	void *by_key;		/* tsearch(3) */
	uint32_t nr_fds, max_fds;
};

void kept_init(struct kept *k, uint32_t max_fds);
/* Closes everything. */
void kept_exit(struct kept *k);

/*
 * Take the descriptors, 1 .. KEEPER_FDS_MAX, even when it fails: then they are closed. What was
 * under that key before is let go. -EINVAL (shape), -ENOSPC (more than max_fds), -ENOMEM; then
 * what was there stays.
 */
int kept_put(struct kept *k, const struct keeper_msg *m, const int *fds, uint32_t nr_fds);
struct kept_item *kept_find(const struct kept *k, const char *key);
/* The first whose key begins with @prefix; NULL: there is none. */
struct kept_item *kept_first(const struct kept *k, const char *prefix);
/* Closes its descriptors. */
void kept_drop(struct kept *k, struct kept_item *item);
/* Out of the table: the item, to free(3), and its descriptors are the caller's. */
void kept_remove(struct kept *k, struct kept_item *item);

#endif /* UTMEMD_KEPT_H */
