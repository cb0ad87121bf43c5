// SPDX-License-Identifier: MIT
/*
 * unix:PATH - utmemd on the same machine. Owns the socket, the doorbells, and each
 * queue's wake-up; messages are sock.c's, the window is map.c's.
 * Admin calls from any thread, under the connection's lock; the rest on the
 * queue's thread.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libutmem/internal.h"
#include "libutmem/sock.h"
#include "libutmem/map.h"

struct unix_host {
	struct utmem base;
	int sock;
	int lost;	 /* under the lock: 0, or why nothing more can be asked over the socket */
	bool numbered;	 /* requests have serials */
	uint32_t serial; /* under the lock: of the latest one */
	struct utmem_map map;
	int doorbell[UTMEM_SVC_MAX];
};

static struct unix_host *host_of(const struct utmem_queue *q)
{
	return (struct unix_host *)q->u; /* base is first */
}

/* ---- connection ---- */

static void doorbells_init(struct unix_host *h)
{
	for (unsigned int i = 0; i < UTMEM_SVC_MAX; i++)
		h->doorbell[i] = -1;
}

static void doorbells_close(struct unix_host *h)
{
	for (unsigned int i = 0; i < UTMEM_SVC_MAX; i++)
		if (h->doorbell[i] >= 0)
			close(h->doorbell[i]);
}

/* fds[0] is the window; the others, one for each service slot, are ours from here on. */
static int take_doorbells(struct unix_host *h, struct utmem_sock_fds *fds)
{
	if (fds->nr != 1 + h->map.hdr.nr_svc)
		return -EPROTO;
	for (unsigned int i = 1; i < fds->nr; i++) {
		h->doorbell[i - 1] = fds->fd[i];
		fds->fd[i] = -1;
	}
	return 0;
}

static int greet(struct unix_host *h)
{
	struct utmem_sock_msg msg = {
		.type = UTMEM_SOCK_HELLO,
		.hello = {.magic = UTMEM_MAGIC,
			  .abi_major = UTMEM_ABI_MAJOR,
			  .abi_minor = UTMEM_ABI_MINOR,
			  .features = UTMEM_FEAT_DOORBELL_EVENTFD | UTMEM_FEAT_RESERVE |
				      UTMEM_FEAT_SOCK_SERIAL},
	};
	struct utmem_sock_fds fds;
	int err = utmem_sock_call(h->sock, &msg, &fds);

	if (err)
		return err;
	err = -EPROTO;
	if (msg.hello.magic == UTMEM_MAGIC && msg.hello.abi_major == UTMEM_ABI_MAJOR && fds.nr)
		err = utmem_map_init(&h->map, fds.fd[0], msg.hello.window_len);
	if (!err)
		err = take_doorbells(h, &fds);
	h->numbered = msg.hello.features & UTMEM_FEAT_SOCK_SERIAL;
	utmem_sock_fds_close(&fds);
	return err;
}

static void unix_disconnect(struct utmem *u)
{
	struct unix_host *h = (struct unix_host *)u;

	doorbells_close(h);
	utmem_map_exit(&h->map);
	if (h->sock >= 0)
		close(h->sock);
	utmem_base_exit(u);
	free(h);
}

/*
 * A host that dies between accepting and keeping a connection takes it with it. Nothing has been
 * agreed on by then: the next one is asked, which is there or never will be.
 */
#define GREET_TRIES 3u

static int open_and_greet(struct unix_host *h, const char *path)
{
	unsigned int tries;
	int err = 0;

	for (tries = 0; tries < GREET_TRIES; tries++) {
		h->sock = utmem_sock_open(path);
		err = h->sock < 0 ? h->sock : greet(h);
		if (h->sock < 0 || (err != -ECONNRESET && err != -EPIPE))
			break;
		close(h->sock);
		h->sock = -1;
	}
	return err;
}

static int unix_connect(struct utmem **out, const char *path)
{
	struct unix_host *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = utmem_base_init(&h->base, &utmem_transport_unix);
	if (err) {
		free(h);
		return err;
	}
	doorbells_init(h);
	err = open_and_greet(h, path);
	if (err) {
		unix_disconnect(&h->base);
		return err;
	}
	utmem_hdr_limits(&h->map.hdr, &h->base.limits);
	*out = &h->base;
	return 0;
}

/* ---- admin ---- */

/* Never 0, which is no number. */
static void number(struct unix_host *h, struct utmem_sock_msg *msg)
{
	if (!h->numbered)
		return;
	h->serial = h->serial % UTMEM_SOCK_SERIAL_MAX + 1;
	msg->type |= h->serial << UTMEM_SOCK_SERIAL_SHIFT;
}

/* One request and its reply. A reply that is late or odd leaves the socket out of step: nothing more is asked. */
static int ask(struct unix_host *h, struct utmem_sock_msg *msg, struct utmem_sock_fds *fds)
{
	int err;

	pthread_mutex_lock(&h->base.lock);
	err = h->lost;
	if (!err) {
		number(h, msg);
		err = utmem_sock_call(h->sock, msg, fds);
		if (err && err != msg->error)
			h->lost = err;
	}
	pthread_mutex_unlock(&h->base.lock);
	return err;
}

static int ask_without_fds(struct utmem_queue *q, struct utmem_sock_msg *msg)
{
	struct utmem_sock_fds fds;
	int err = ask(host_of(q), msg, &fds);

	if (!err && fds.nr) {
		utmem_sock_fds_close(&fds);
		err = -EPROTO;
	}
	return err;
}

static int unix_pool(struct utmem_queue *q, uint8_t op, struct utmem_admin_pool *p)
{
	struct utmem_sock_msg msg = {.type = op, .pool = *p};
	int err;

	msg.pool.queue_id = q->id;
	err = ask_without_fds(q, &msg);
	if (!err)
		*p = msg.pool;
	return err;
}

static int unix_pool_stat(struct utmem_queue *q, struct utmem_pool_stat *stat)
{
	struct utmem_sock_msg msg = {.type = UTMEM_OP_POOL_STAT, .stat = *stat};
	int err;

	msg.stat.queue_id = q->id;
	err = ask_without_fds(q, &msg);
	if (!err)
		*stat = msg.stat;
	return err;
}

/* ---- queue ---- */

/* Readable when the host wakes us, and when the host is gone. */
static int event_fd_init(struct utmem_queue *q)
{
	struct epoll_event wake = {.events = EPOLLIN}, gone = {.events = EPOLLRDHUP};
	int flags = fcntl(q->wake_fd, F_GETFL);

	q->event_fd = epoll_create1(EPOLL_CLOEXEC);
	if (q->event_fd < 0)
		return -errno;
	if (epoll_ctl(q->event_fd, EPOLL_CTL_ADD, q->wake_fd, &wake) ||
	    epoll_ctl(q->event_fd, EPOLL_CTL_ADD, host_of(q)->sock, &gone) ||
	    fcntl(q->wake_fd, F_SETFL, flags | O_NONBLOCK)) {
		int err = -errno;

		close(q->event_fd);
		return err;
	}
	return 0;
}

static int destroy(struct utmem_queue *q, uint32_t id)
{
	struct utmem_sock_msg msg = {.type = UTMEM_OP_DESTROY_QUEUE, .queue.queue_id = id};

	return ask_without_fds(q, &msg);
}

/* What the host gave is of the shape that was asked for, and inside the window. */
static int queue_take(struct utmem_queue *q, const struct utmem_admin_queue *given,
		      const struct utmem_sock_fds *fds)
{
	struct unix_host *h = host_of(q);

	if (fds->nr != 1 || given->svc_slot >= h->map.hdr.nr_svc ||
	    utmem_queue_geometry(q, &given->geo, h->map.len) ||
	    given->geo.off < h->map.hdr.control_off + UTMEM_PAGE)
		return -EPROTO;
	q->id = given->queue_id;
	q->geo = given->geo;
	q->base = h->map.base + given->geo.off;
	q->svc = &h->map.control->svc[given->svc_slot];
	q->svc_slot = given->svc_slot;
	q->host = &h->map.control->host;
	q->wake_fd = fds->fd[0];
	return event_fd_init(q);
}

static int unix_queue_create(struct utmem_queue *q)
{
	struct utmem_sock_msg msg = {
		.type = UTMEM_OP_CREATE_QUEUE,
		.queue = {.sq_entries = q->geo.sq_entries,
			  .cq_entries = q->geo.cq_entries,
			  .data_len = q->geo.data_len},
	};
	struct utmem_sock_fds fds;
	int err = ask(host_of(q), &msg, &fds);

	if (err)
		return err;
	err = queue_take(q, &msg.queue, &fds);
	if (err) {
		utmem_sock_fds_close(&fds);
		destroy(q, msg.queue.queue_id);
	}
	return err;
}

static void unix_queue_destroy(struct utmem_queue *q)
{
	/* When the host cannot be asked it has dropped the queue, or will with the connection. */
	destroy(q, q->id);
	close(q->event_fd);
	close(q->wake_fd);
}

static int unix_kick(struct utmem_queue *q, uint32_t n, bool flush)
{
	uint64_t one = 1;
	/* A full counter means that the host has been rung often enough. */
	ssize_t rc = write(host_of(q)->doorbell[q->svc_slot], &one, sizeof(one));

	(void)n;
	(void)flush;
	return rc < 0 && errno != EAGAIN ? -errno : 0;
}

static bool host_gone(struct utmem_queue *q)
{
	struct pollfd gone = {.fd = host_of(q)->sock, .events = POLLRDHUP};

	return poll(&gone, 1, 0) > 0;
}

static int unix_sleep(struct utmem_queue *q, uint32_t want, int64_t deadline)
{
	struct pollfd fds[2] = {{.fd = q->wake_fd, .events = POLLIN},
				{.fd = host_of(q)->sock, .events = POLLRDHUP}};
	int rc = utmem_queue_arm(q, want);

	if (rc != -EAGAIN)
		return rc;
	q->stats.waits++;
	rc = utmem_poll(fds, 2, deadline);
	utmem_wake_disarm(q->cq.page);
	if (rc < 0)
		return rc;
	if (fds[0].revents)
		utmem_eventfd_clear(q->wake_fd);
	return fds[1].revents ? utmem_queue_end(q, -EPIPE) : 0;
}

/* Whoever was woken without a wake-up of the host's was woken by its end. */
static void unix_event_clear(struct utmem_queue *q)
{
	utmem_eventfd_clear(q->wake_fd);
	if (host_gone(q))
		utmem_queue_end(q, -EPIPE);
}

static int unix_stats(struct utmem_queue *q, struct utmem_stats *s)
{
	(void)q;
	s->doorbells = s->kicks;
	return 0;
}

const struct utmem_transport utmem_transport_unix = {
	.prefix = "unix:",
	.spins = true,
	.connect = unix_connect,
	.disconnect = unix_disconnect,
	.queue_create = unix_queue_create,
	.queue_destroy = unix_queue_destroy,
	.pool = unix_pool,
	.pool_stat = unix_pool_stat,
	.kick = unix_kick,
	.sleep = unix_sleep,
	.event_clear = unix_event_clear,
	.stats = unix_stats,
};
