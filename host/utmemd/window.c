// SPDX-License-Identifier: MIT
/*
 * Owns the memory of windows and their doorbells. Called by ivshmem.c and
 * client.c, on the daemon's one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

/* Sealed, so that a peer cannot shrink it under us (SIGBUS). Sparse: pages come when they are touched. */
static int memory_open(struct window *w, const char *name)
{
	int err;

	w->memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (w->memfd < 0)
		return -errno;
	if (ftruncate(w->memfd, (off_t)w->len) ||
	    fcntl(w->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		err = -errno;
		goto err_close;
	}
	w->base = mmap(NULL, w->len, PROT_READ | PROT_WRITE, MAP_SHARED, w->memfd, 0);
	if (w->base == MAP_FAILED) {
		err = -errno;
		goto err_close;
	}
	return 0;

err_close:
	close(w->memfd);
	return err;
}

/*
 * A peer that has left may keep its mapping for ever, but not the pages that the host has
 * paid for. One that is sent away finds its last answers there.
 */
static void memory_close(struct window *w)
{
	if (w->peer_left)
		fallocate(w->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)w->len);
	munmap(w->base, w->len);
	close(w->memfd);
}

/*
 * Never read: edge-triggered, every write is an event. The peer shares the open
 * file and could make it blocking, so that a read on it would hang this thread.
 */
static void doorbell_rang(struct source *s, uint32_t events)
{
	struct window *w = owner_of(s, struct window, doorbell);

	(void)events;
	w->nr_doorbells++;
	w->tenant->daemon->counters.nr_doorbells++;
}

static int doorbell_open(struct window *w)
{
	int err;

	w->doorbell.ready = doorbell_rang;
	w->doorbell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->doorbell.fd < 0)
		return -errno;
	err = loop_add(&w->tenant->daemon->loop, &w->doorbell, EPOLLIN | EPOLLET);
	if (err)
		close(w->doorbell.fd);
	return err;
}

static void doorbell_close(struct window *w)
{
	loop_remove(&w->tenant->daemon->loop, &w->doorbell);
	close(w->doorbell.fd);
}

static void window_log(void *ctx, const char *line)
{
	struct window *w = ctx;

	log_tenant(&w->tenant->log, LOG_WARN, w->tenant->name, "%s", line);
}

static void window_wake(void *ctx, uint32_t queue_id, uint32_t irq_vector)
{
	struct window *w = ctx;

	w->wake(w, queue_id, irq_vector);
}

static int service_attach(struct window *w, const struct window_spec *spec)
{
	const struct options *opt = w->tenant->daemon->opt;
	struct utmem_window_config cfg = {
		.base = w->base,
		.len = w->len,
		.tenant = w->tenant->pools,
		.features = spec->features,
		.heartbeat_ms = (uint32_t)opt->heartbeat_ms,
		.max_queues = (uint32_t)opt->max_queues,
		.admin_queue = spec->admin_queue,
		.cb = {.wake = window_wake, .log = window_log, .ctx = w},
	};

	return utmem_window_attach(w->tenant->daemon->service, &w->served, &cfg);
}

int window_open(struct window *w, struct tenant *t, const struct window_spec *spec)
{
	int err;

	memset(w, 0, sizeof(*w));
	w->tenant = t;
	w->len = spec->len;
	w->wake = spec->wake;
	err = memory_open(w, t->name);
	if (err)
		return err;
	err = doorbell_open(w);
	if (err)
		goto err_memory;
	err = service_attach(w, spec);
	if (err)
		goto err_doorbell;
	LIST_INSERT_HEAD(&t->daemon->windows, w, link);
	return 0;

err_doorbell:
	doorbell_close(w);
err_memory:
	memory_close(w);
	return err;
}

void window_close(struct window *w)
{
	LIST_REMOVE(w, link);
	tenant_count(w->tenant, w);
	utmem_window_detach(w->served);
	doorbell_close(w);
	memory_close(w);
}
