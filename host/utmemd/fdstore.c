// SPDX-License-Identifier: MIT
/*
 * Owns the talk with the service manager's store of descriptors. Called by
 * supervisor.c, on its one thread. Who listens to nothing loses nothing: without
 * NOTIFY_SOCKET every call does nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "host/utmemd/fdpass.h"
#include "host/utmemd/fdstore.h"
#include "host/utmemd/log.h"

#define NAME_LEN (KEEPER_KEY_MAX + 24) /* the manager takes up to 255 bytes */

_Static_assert(NAME_LEN <= 255, "a name that the service manager takes");

static void meta_name(char name[NAME_LEN], const struct kept_item *item)
{
	snprintf(name, NAME_LEN, "%s#meta", item->key);
}

static void fd_name(char name[NAME_LEN], const struct kept_item *item, uint32_t i)
{
	snprintf(name, NAME_LEN, "%s#%u.%u", item->key, i, item->nr_fds);
}

/* FDPOLL=0: a connection that has ended is the worker's business; the manager would drop it. */
static void store(const char *name, int fd)
{
	char text[NAME_LEN + 40];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static void forget(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static void store_meta(const struct kept_item *item)
{
	char name[NAME_LEN];
	int fd;

	if (!item->meta_len)
		return;
	meta_name(name, item);
	fd = memfd_create("utmemd-meta", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, item->meta, item->meta_len) == (ssize_t)item->meta_len)
		store(name, fd);
	else
		log_error("%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Its bytes first: what has no descriptor is nothing, what has no bytes would be misread. */
void fdstore_add(struct kept_item *item)
{
	char name[NAME_LEN];
	uint32_t i;

	if (item->stored || !getenv("NOTIFY_SOCKET"))
		return;
	item->stored = true;
	store_meta(item);
	for (i = 0; i < item->nr_fds; i++) {
		fd_name(name, item, i);
		store(name, item->fds[i]);
	}
}

void fdstore_remove(struct kept_item *item)
{
	char name[NAME_LEN];
	uint32_t i;

	if (!item->stored)
		return;
	item->stored = false;
	for (i = 0; i < item->nr_fds; i++) {
		fd_name(name, item, i);
		forget(name);
	}
	if (item->meta_len) {
		meta_name(name, item);
		forget(name);
	}
}

/* ---- taking back ---- */

/* What is under one key, as it comes in: -1 = not here yet. */
struct found {
	TAILQ_ENTRY(found) link;
	struct keeper_msg m;
	uint32_t nr_fds; /* in all, 0 = not known yet */
	int meta;
	int fds[KEEPER_FDS_MAX];
};

TAILQ_HEAD(found_list, found);

static struct found *found_get(struct found_list *list, const char *key)
{
	struct found *f;
	uint32_t i;

	TAILQ_FOREACH_REVERSE(f, list, found_list, link)
	{
		if (!strcmp(f->m.key, key))
			return f;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	snprintf(f->m.key, sizeof(f->m.key), "%s", key);
	f->meta = -1;
	for (i = 0; i < KEEPER_FDS_MAX; i++)
		f->fds[i] = -1;
	TAILQ_INSERT_TAIL(list, f, link);
	return f;
}

/* Where @fd belongs by its name; NULL: it is none of ours. */
static int *found_place(struct found_list *list, char *name)
{
	char *tail = strrchr(name, '#');
	uint32_t i, nr;
	struct found *f;

	if (!tail || tail - name >= (ptrdiff_t)KEEPER_KEY_MAX)
		return NULL;
	*tail++ = '\0';
	f = found_get(list, name);
	if (!f)
		return NULL;
	if (!strcmp(tail, "meta"))
		return &f->meta;
	if (sscanf(tail, "%" SCNu32 ".%" SCNu32, &i, &nr) != 2 || i >= nr || nr > KEEPER_FDS_MAX)
		return NULL;
	f->nr_fds = nr;
	return &f->fds[i];
}

static bool read_meta(struct found *f)
{
	ssize_t n;

	if (f->meta < 0)
		return true;
	n = pread(f->meta, f->m.meta, sizeof(f->m.meta), 0);
	close(f->meta);
	f->m.meta_len = n < 0 ? 0 : (uint32_t)n;
	return n >= 0;
}

static bool is_whole(const struct found *f)
{
	uint32_t i;

	for (i = 0; i < f->nr_fds; i++) {
		if (f->fds[i] < 0)
			return false;
	}
	return f->nr_fds;
}

/* The manager is told, too, or it would come back again. */
static void let_go(struct found *f)
{
	struct kept_item item = {.stored = true, .meta_len = f->m.meta_len, .nr_fds = f->nr_fds};
	uint32_t i;

	log_warn("%s: did not come back whole from the service manager, let go", f->m.key);
	memcpy(item.key, f->m.key, sizeof(item.key));
	fdstore_remove(&item);
	for (i = 0; i < KEEPER_FDS_MAX; i++) {
		if (f->fds[i] >= 0)
			close(f->fds[i]);
	}
}

static void found_keep(struct kept *k, struct found *f)
{
	bool whole = read_meta(f) && is_whole(f);

	if (!whole)
		let_go(f);
	else if (kept_put(k, &f->m, f->fds, f->nr_fds))
		log_error("%s: could not be taken back", f->m.key);
	else
		kept_find(k, f->m.key)->stored = true;
}

void fdstore_take(struct kept *k)
{
	struct found_list list = TAILQ_HEAD_INITIALIZER(list);
	char **names = NULL;
	int i, nr = sd_listen_fds_with_names(1, &names);
	struct found *f;

	for (i = 0; i < nr; i++) {
		int *place = found_place(&list, names[i]);

		if (place && *place < 0)
			*place = SD_LISTEN_FDS_START + i;
		else
			close(SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	free(names);
	while ((f = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, f, link);
		found_keep(k, f);
		free(f);
	}
}
