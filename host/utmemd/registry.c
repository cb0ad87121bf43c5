// SPDX-License-Identifier: MIT
/*
 * Owns what is between the registry's file and the daemon: reading at start, and
 * when what is written. Called by daemon.c and commands.c, on the daemon's main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/dir_lock.h"
#include "host/utmemd/log.h"
#include "host/utmemd/registry.h"
#include "host/utmemd/registry_json.h"
#include "host/utmemd/registry_load.h"
#include "host/utmemd/registry_view.h"

static const char *dir_name(const struct daemon *d)
{
	return d->registry.lasting ? d->opt->state_dir : d->opt->run_dir;
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- reading ---- */

static void log_fallback(const struct daemon *d, const char *why)
{
	time_t saved = (time_t)d->registry.read.saved;
	char when[32] = "?";
	struct tm tm;

	if (gmtime_r(&saved, &tm))
		strftime(when, sizeof(when), "%F %T UTC", &tm);
	log_error("%s/" REGISTRY_NAME ": %s", dir_name(d), why);
	log_error("%s: going on with " REGISTRY_PREVIOUS " of %s: what was changed later is "
		  "lost; the damaged file is kept as " REGISTRY_DAMAGED,
		  dir_name(d), when);
}

static int load(struct daemon *d)
{
	struct registry *r = &d->registry;
	enum registry_found found;
	char why[REGISTRY_WHY_LEN];
	int err = registry_load(r->dir_fd, &r->read, &found, why);

	if (err) {
		log_error("%s/" REGISTRY_NAME ": %s", dir_name(d), why);
		log_error("%s: nothing was changed there; see REGISTRY in utmemd(8)", dir_name(d));
		return err;
	}
	r->is_damaged = found == REGISTRY_FALLBACK;
	if (r->is_damaged)
		log_fallback(d, why);
	r->serial = r->read.serial;
	return 0;
}

/*
 * What stands for the registry with the supervisor, once a worker has applied it: the lock of the
 * state directory, or the run dir. Who is started again with other options finds neither.
 */
static const char *key_of(const struct registry *r)
{
	return r->lasting ? "registry/state" : "registry/run";
}

static int lock(struct daemon *d)
{
	struct registry *r = &d->registry;
	struct kept_item *item = deposit_take(&d->deposit, &r->kept, key_of(r), 0, 1, 1);

	r->resumed = item;
	r->lock_fd = -1;
	if (item)
		r->lock_fd = item->fds[0];
	else if (r->lasting)
		r->lock_fd = dir_lock(d->opt->state_dir, &state_dir_use);
	free(item);
	return r->lasting && r->lock_fd < 0 ? r->lock_fd : 0;
}

static void unlock(struct registry *r)
{
	if (r->lock_fd >= 0)
		close(r->lock_fd);
}

static int keep(struct daemon *d)
{
	struct registry *r = &d->registry;
	const int *fd = r->lasting ? &r->lock_fd : &r->dir_fd;

	return r->resumed ? 0 : deposit_keep(&d->deposit, &r->kept, key_of(r), NULL, 0, fd, 1);
}

int registry_open(struct daemon *d)
{
	const struct dir_use *use = d->opt->state_dir ? &state_dir_use : &run_dir_use;
	struct registry *r = &d->registry;
	int err;

	r->lasting = d->opt->state_dir;
	err = lock(d);
	if (err)
		return err;
	r->dir_fd = err = dir_open(dir_name(d), use->mode);
	if (err < 0)
		goto err_lock;
	if (!r->lasting && !r->resumed)
		registry_file_remove(r->dir_fd);
	err = load(d);
	if (!err)
		return 0;
	close(r->dir_fd);
err_lock:
	unlock(r);
	return err;
}

/* ---- writing ---- */

struct snapshot {
	char *text;
	size_t len;
	uint64_t pools; /* stands for those that are in it */
};

/* As if @gone (NULL: nobody) was no tenant. */
static int snapshot_take(const struct daemon *d, const struct tenant *gone, struct snapshot *out)
{
	struct registry_list list = {.serial = d->registry.serial + 1};
	int err = registry_view(d, gone, &list);

	list.saved = (uint64_t)time(NULL);
	out->text = err ? NULL : registry_encode(&list);
	out->len = out->text ? strlen(out->text) : 0;
	out->pools = registry_view_pools(d, gone);
	registry_list_exit(&list);
	return out->text ? 0 : -ENOMEM;
}

static void saved(struct registry *r, uint64_t pools)
{
	r->serial++;
	r->pools_saved = pools;
	r->is_damaged = false;
	r->last_err = 0;
}

/* What is written in the background has to be there before anything else is. */
static void finish_background(struct daemon *d)
{
	struct registry *r = &d->registry;
	int err;

	if (!r->writer.busy)
		return;
	err = registry_writer_join(&r->writer);
	if (!err)
		saved(r, r->pools_coming);
	else if (err != r->last_err)
		log_error("%s: pools of guests are not registered: %s", dir_name(d),
			  strerror(-err));
	r->last_err = err;
}

int registry_save_without(struct daemon *d, const struct tenant *gone)
{
	struct registry *r = &d->registry;
	struct snapshot s;
	int err;

	finish_background(d);
	err = snapshot_take(d, gone, &s);
	if (err)
		return err;
	err = registry_file_replace(r->dir_fd, s.text, s.len, r->is_damaged);
	free(s.text);
	if (err)
		log_error("%s/" REGISTRY_NAME ": not written: %s", dir_name(d), strerror(-err));
	else
		saved(r, s.pools);
	return err;
}

int registry_save(struct daemon *d)
{
	return registry_save_without(d, NULL);
}

static void start_background(struct daemon *d)
{
	struct registry *r = &d->registry;
	struct snapshot s;

	if (snapshot_take(d, NULL, &s))
		return;
	r->pools_coming = s.pools;
	if (registry_writer_start(&r->writer, r->dir_fd, s.text, s.len, r->is_damaged))
		free(s.text);
}

/* When it cannot be done now, the next beat tries again. */
void registry_beat(struct daemon *d)
{
	struct registry *r = &d->registry;
	uint64_t now = clock_ms();

	if (now < r->next_ms || (r->writer.busy && !registry_writer_done(&r->writer)))
		return;
	r->next_ms = now + REGISTRY_PERIOD_MS;
	finish_background(d);
	if (registry_view_pools(d, NULL) != r->pools_saved)
		start_background(d);
}

/* ---- start and end ---- */

/* A start that changes nothing writes nothing: it needs no room on the disk. @before: as it was read. */
static int save_if_changed(struct daemon *d, const char *before)
{
	struct registry *r = &d->registry;
	struct registry_list now = {.serial = r->serial, .saved = r->read.saved};
	int err = registry_view(d, NULL, &now);
	char *text = err ? NULL : registry_encode(&now);
	bool same = text && !r->is_damaged && r->serial && !strcmp(text, before);

	free(text);
	registry_list_exit(&now);
	if (err || !same)
		return err ? err : registry_save(d);
	r->pools_saved = registry_view_pools(d, NULL);
	return 0;
}

int registry_apply(struct daemon *d)
{
	struct registry *r = &d->registry;
	char *before = registry_encode(&r->read);
	int err = before ? 0 : -ENOMEM;

	if (!err && !r->resumed)
		err = registry_view_merge(&r->read, d->opt);
	if (!err)
		err = registry_view_apply(d, &r->read);
	if (!err)
		err = registry_view_adopt(d);
	if (!err)
		err = save_if_changed(d, before);
	if (!err)
		err = keep(d);
	free(before);
	registry_list_exit(&r->read);
	return err;
}

void registry_save_last(struct daemon *d)
{
	struct registry *r = &d->registry;

	finish_background(d);
	if (registry_view_pools(d, NULL) != r->pools_saved)
		registry_save(d);
}

void registry_close(struct daemon *d)
{
	struct registry *r = &d->registry;

	deposit_drop(&d->deposit, &r->kept, key_of(r));
	if (!r->lasting)
		registry_file_remove(r->dir_fd);
	registry_list_exit(&r->read);
	close(r->dir_fd);
	unlock(r);
}
