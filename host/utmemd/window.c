// SPDX-License-Identifier: MIT
/*
 * Owns the memory of windows and their doorbells. Called by ivshmem.c and
 * client.c, on the main thread; a doorbell, a wake-up and a line of the log come on the
 * thread of the window's server.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

/* ---- memory ---- */

/* Of @fd, as long as it is. 0 or -errno. */
static int map_shared(int fd, void **base, uint64_t *len)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*base == MAP_FAILED)
		return -errno;
	*len = (uint64_t)st.st_size;
	return 0;
}

/* Sealed, so that a peer cannot shrink it under us (SIGBUS). Sparse: pages come when they are touched. */
static int memfd_new(const char *name, uint64_t len)
{
	int err, fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)len) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Both files, mapped. */
static int memory_map(struct window *w)
{
	uint64_t ledger_len;
	void *ledger;
	int err = map_shared(w->memfd, &w->base, &w->len);

	if (err)
		return err;
	err = map_shared(w->ledger_fd, &ledger, &ledger_len);
	if (err) {
		munmap(w->base, w->len);
		return err;
	}
	w->owner_page = ledger;
	w->ledger_len = ledger_len;
	return 0;
}

static void files_close(struct window *w)
{
	close(w->memfd);
	close(w->ledger_fd);
}

static int files_new(struct window *w, uint64_t len)
{
	size_t ledger_len = utmem_ledger_len((uint32_t)w->tenant->daemon->opt->max_queues);

	w->memfd = memfd_new(w->tenant->name, len);
	if (w->memfd < 0)
		return w->memfd;
	w->ledger_fd = memfd_new("utmemd-ledger", UTMEM_PAGE + ledger_len);
	if (w->ledger_fd >= 0)
		return 0;
	close(w->memfd);
	return w->ledger_fd;
}

static void memory_unmap(struct window *w)
{
	munmap(w->owner_page, w->ledger_len);
	munmap(w->base, w->len);
}

/*
 * A peer that has left may keep its mapping for ever, but not the pages that the host has
 * paid for. One that is sent away finds its last answers there.
 */
static void memory_close(struct window *w)
{
	if (w->peer_left)
		fallocate(w->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)w->len);
	memory_unmap(w);
	files_close(w);
}

/* ---- doorbell ---- */

/*
 * Never read: edge-triggered, every write is an event. The peer shares the open
 * file and could make it blocking, so that a read on it would hang this thread.
 */
static void doorbell_rang(struct source *s, uint32_t events)
{
	struct window *w = owner_of(s, struct window, doorbell);

	(void)events;
	w->nr_doorbells++;
	w->server->nr_doorbells++;
}

/* One that rang while no worker lived is an event as soon as it is added. */
static int doorbell_listen(struct window *w)
{
	w->doorbell.ready = doorbell_rang;
	w->doorbell.is_light = true;
	return loop_add(w->server->loop, &w->doorbell, EPOLLIN | EPOLLET);
}

static int doorbell_open(struct window *w)
{
	int err;

	w->doorbell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->doorbell.fd < 0)
		return -errno;
	err = doorbell_listen(w);
	if (err)
		close(w->doorbell.fd);
	return err;
}

static void doorbell_close(struct window *w)
{
	loop_remove(w->server->loop, &w->doorbell);
	close(w->doorbell.fd);
}

/* ---- service ---- */

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

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* 0 would look unset. */
static uint64_t token_new(void)
{
	uint64_t token;

	while (getrandom(&token, sizeof(token), 0) != sizeof(token) || !token)
		;
	return token;
}

static int service_attach(struct window *w, const struct window_spec *spec, bool resume)
{
	const struct options *opt = w->tenant->daemon->opt;
	struct utmem_window_config cfg = {
		.base = w->base,
		.len = w->len,
		.tenant = w->tenant->pools,
		.features = spec->features,
		.doorbell_token = token_new(),
		.heartbeat_ms = (uint32_t)opt->heartbeat_ms,
		.max_queues = (uint32_t)opt->max_queues,
		.admin_queue = spec->admin_queue,
		.ledger = w->owner_page + UTMEM_PAGE,
		.ledger_len = w->ledger_len - UTMEM_PAGE,
		.resume = resume,
		.now_ms = now_ms(),
		.cb = {.wake = window_wake, .log = window_log, .ctx = w},
	};

	int err = utmem_window_attach(w->server->service, &w->served, &cfg);

	if (err)
		return err;
	w->server->nr_windows++;
	server_kick(w->server);
	return 0;
}

/* ---- all of it ---- */

static void window_init(struct window *w, struct tenant *t, const struct window_spec *spec)
{
	memset(w, 0, sizeof(*w));
	w->tenant = t;
	w->wake = spec->wake;
	w->server = crew_choose(&t->daemon->crew);
}

int window_open(struct window *w, struct tenant *t, const struct window_spec *spec)
{
	int err;

	window_init(w, t, spec);
	err = files_new(w, spec->len);
	if (err)
		return err;
	err = memory_map(w);
	if (err)
		goto err_files;
	err = doorbell_open(w);
	if (err)
		goto err_memory;
	err = service_attach(w, spec, false);
	if (err)
		goto err_doorbell;
	LIST_INSERT_HEAD(&t->daemon->windows, w, link);
	return 0;

err_doorbell:
	doorbell_close(w);
err_memory:
	memory_unmap(w);
err_files:
	files_close(w);
	return err;
}

int window_resume(struct window *w, struct tenant *t, const struct window_spec *spec,
		  const int fds[WINDOW_NR_FDS])
{
	int err;

	window_init(w, t, spec);
	w->memfd = fds[WINDOW_FD_MEMORY];
	w->doorbell.fd = fds[WINDOW_FD_DOORBELL];
	w->ledger_fd = fds[WINDOW_FD_LEDGER];
	err = memory_map(w);
	if (err)
		return err;
	err = doorbell_listen(w);
	if (err)
		goto err_memory;
	err = service_attach(w, spec, true);
	if (err)
		goto err_doorbell;
	LIST_INSERT_HEAD(&t->daemon->windows, w, link);
	return 0;

err_doorbell:
	loop_remove(w->server->loop, &w->doorbell);
err_memory:
	memory_unmap(w);
	return err;
}

bool window_is_lost(int err)
{
	return err == -EBADMSG || err == -EINVAL || err == -ECONNABORTED;
}

void window_fds(const struct window *w, int fds[WINDOW_NR_FDS])
{
	fds[WINDOW_FD_MEMORY] = w->memfd;
	fds[WINDOW_FD_DOORBELL] = w->doorbell.fd;
	fds[WINDOW_FD_LEDGER] = w->ledger_fd;
}

void window_close(struct window *w)
{
	LIST_REMOVE(w, link);
	tenant_count(w->tenant, w);
	hypercall_leave(w);
	utmem_window_detach(w->served);
	w->server->nr_windows--;
	doorbell_close(w);
	memory_close(w);
}
