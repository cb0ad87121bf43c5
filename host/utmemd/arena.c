// SPDX-License-Identifier: MIT
/*
 * Owns the engine's memory from the outside: keeping its file, mapping it, and what
 * is said of an arena that was used before. Called by daemon.c, at start and end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/pool/memory.h"
#include "host/utmemd/arena.h"
#include "host/utmemd/arena_file.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/size.h"

/* How an arena is called in the log. */
static const char *name_of(const struct options *opt)
{
	return opt->arena_file ? opt->arena_file : "arena";
}

#define ARENA_KEY "arena"
#define NO_FD (-1)

/* What an earlier worker kept: its length is what counts, whatever the options say by now. */
static int arena_given(struct daemon *d, uint64_t *len)
{
	struct kept_item *item =
		deposit_take(&d->deposit, &d->arena, ARENA_KEY, sizeof(*len), 1, 1);
	int fd;

	if (!item)
		return NO_FD;
	fd = item->fds[0];
	memcpy(len, item->meta, sizeof(*len));
	free(item);
	return fd;
}

/* Kept before anything is in it. */
static int arena_new(struct daemon *d, uint64_t len)
{
	int err, fd = d->opt->arena_file ? arena_file_open(d->opt) : arena_memory_open(d->opt);

	if (fd < 0)
		return fd;
	err = deposit_keep(&d->deposit, &d->arena, ARENA_KEY, &len, sizeof(len), &fd, 1);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int arena_map(struct daemon *d, uint64_t len)
{
	bool huge = arena_file_is_huge(d->arena_fd);
	char size[SIZE_TEXT_LEN];
	int err = utmem_memory_map(&d->memory, d->arena_fd, len, 0);

	if (err) {
		size_round(size, len);
		log_error("%s: %s: %s%s", name_of(d->opt), size, strerror(-err),
			  huge ? " (huge pages of 2m; see vm.nr_hugepages)" : "");
		return err;
	}
	/* Huge pages that are given back may never be had again, and a fault then is a SIGBUS. */
	if (huge)
		d->memory.release = NULL;
	return 0;
}

/* The descriptor stays open: a file's lock is as long as that. */
int arena_open(struct daemon *d)
{
	uint64_t len = d->opt->arena;
	int err;

	d->arena_fd = arena_given(d, &len);
	if (d->arena_fd == NO_FD)
		d->arena_fd = arena_new(d, len);
	if (d->arena_fd < 0)
		return d->arena_fd;
	err = arena_map(d, len);
	if (err)
		close(d->arena_fd);
	return err;
}

void arena_release(struct daemon *d)
{
	utmem_memory_close(&d->memory);
	close(d->arena_fd);
}

void arena_close(struct daemon *d)
{
	deposit_drop(&d->deposit, &d->arena, ARENA_KEY);
	arena_release(d);
}

/* ---- the engine on it ---- */

static uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void log_refusal(const struct options *opt, int err)
{
	switch (err) {
	case -EUCLEAN:
		log_error("%s: damaged: what says which pools it holds is not whole; nothing was "
			  "changed in it",
			  name_of(opt));
		break;
	case -EPROTONOSUPPORT:
		log_error("%s: made by a newer utmemd (this is " UTMEM_BUILD_VERSION
			  "); nothing was changed in it",
			  name_of(opt));
		break;
	default:
		log_error("engine %s: %s", opt->engine, strerror(-err));
	}
}

static void log_recovery(const struct options *opt, const struct utmem_recovery *r, uint64_t us)
{
	char size[SIZE_TEXT_LEN];

	if (!r->found)
		return;
	size_round(size, r->bytes);
	log_info("%s: found again after %s: %u tenants, %u pools, %" PRIu64 " values in %s; "
		 "%" PRIu64 " records read, %" PRIu64 " torn, %" PRIu64 " duplicates; "
		 "%" PRIu64 ".%03" PRIu64 " ms",
		 name_of(opt), r->clean ? "a clean stop" : "a crash", r->nr_tenants, r->nr_pools,
		 r->nr_items, size, r->nr_records, r->nr_torn, r->nr_duplicates, us / 1000,
		 us % 1000);
}

int arena_engine_open(struct daemon *d)
{
	const struct utmem_engine_ops *ops = utmem_engine_find(d->opt->engine);
	uint64_t begin = clock_us();
	int err = ops->open(&d->engine, &d->memory);

	if (err) {
		log_refusal(d->opt, err);
		return err;
	}
	ops->recovery(d->engine, &d->recovery.engine);
	log_recovery(d->opt, &d->recovery.engine, clock_us() - begin);
	return 0;
}

static void sync_out(const struct daemon *d)
{
	int err = utmem_memory_sync(&d->memory);

	if (err)
		log_error("%s: not written out: %s", name_of(d->opt), strerror(-err));
}

void arena_engine_close(struct daemon *d)
{
	sync_out(d);
	utmem_ops(d->engine)->close(d->engine);
	sync_out(d);
}
