// SPDX-License-Identifier: MIT
/*
 * Owns the connection of a process: HELLO, admin requests, wake-ups. Called by
 * tenant.c and by the loop, on the daemon's one thread. One packet for each look
 * at the socket, so that a flood from one waits for the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/ring/utmem_sock.h"
#include "host/utmemd/client.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

#define NO_FD (-1)

struct client {
	struct source src;
	struct tenant *tenant;
	uint32_t uid; /* SO_PEERCRED */
	bool has_window;
	struct window window;
	LIST_ENTRY(client) link; /* tenant.clients */
	uint32_t nr_wake;
	int wake[]; /* by queue id: our end of its pipe, or NO_FD */
};

/* What goes back: the request as it is now, and descriptors. */
struct reply {
	int fds[FDPASS_MAX];
	size_t nr_fds;
	int close_fd; /* once it is sent; NO_FD = none */
};

/* ---- wake-ups ---- */

/*
 * A pipe of one packet: like an eventfd to the peer, but with a file of our own
 * at this end. An eventfd would be one file for both, and a peer that makes it
 * blocking and fills it would hang this thread.
 */
static int wake_open(int *reader, int *writer)
{
	int fds[2];

	if (pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC))
		return -errno;
	/* One page is one packet; with more the peer only reads more often. */
	fcntl(fds[1], F_SETPIPE_SZ, UTMEM_PAGE);
	*reader = fds[0];
	*writer = fds[1];
	return 0;
}

/* Full: it is signalled already. Broken: the peer does not care any more. */
static void wake_client(struct window *w, uint32_t queue_id, uint32_t irq_vector)
{
	struct client *c = owner_of(w, struct client, window);
	const uint64_t one = 1;

	(void)irq_vector;
	if (queue_id < c->nr_wake && c->wake[queue_id] != NO_FD &&
	    write(c->wake[queue_id], &one, sizeof(one)) < 0)
		return;
}

static void wake_close(struct client *c, uint32_t queue_id)
{
	if (c->wake[queue_id] != NO_FD)
		close(c->wake[queue_id]);
	c->wake[queue_id] = NO_FD;
}

/* ---- requests ---- */

static int check_hello(const struct utmem_sock_hello *h, uint64_t window_max)
{
	uint64_t len = h->window_len;

	if (h->magic != UTMEM_MAGIC || h->abi_major != UTMEM_ABI_MAJOR)
		return -EPROTO;
	if (h->resv0 || h->resv[0] || h->resv[1])
		return -EINVAL;
	if (len && (len < UTMEM_WINDOW_LEN_MIN || (len & (len - 1))))
		return -EINVAL;
	return len > window_max ? -E2BIG : 0;
}

/* A window costs the host memory that no quota counts. */
static int open_window(struct client *c, const struct window_spec *spec)
{
	struct tenant *t = c->tenant;
	int err;

	if (spec->len > t->daemon->opt->client_memory - t->client_bytes) {
		log_tenant(&t->log, LOG_WARN, t->name, "process refused: client-memory is in use");
		return -ENOSPC;
	}
	err = window_open(&c->window, t, spec);
	if (err)
		return err;
	t->client_bytes += spec->len;
	c->has_window = true;
	return 0;
}

/* The answer says what we are, whether we agree or not. */
static int hello(struct client *c, struct utmem_sock_hello *h, struct reply *r)
{
	uint64_t most = c->tenant->daemon->opt->client_window;
	struct window_spec spec = {
		.len = h->window_len ? h->window_len : most,
		.features = UTMEM_FEAT_DOORBELL_EVENTFD,
		.wake = wake_client,
	};
	int err = check_hello(h, most);

	memset(h, 0, sizeof(*h));
	h->magic = UTMEM_MAGIC;
	h->abi_major = UTMEM_ABI_MAJOR;
	h->abi_minor = UTMEM_ABI_MINOR;
	h->features = spec.features;
	h->window_len = err ? most : spec.len;
	if (!err)
		err = open_window(c, &spec);
	if (err)
		return err;
	r->fds[r->nr_fds++] = c->window.memfd;
	r->fds[r->nr_fds++] = c->window.doorbell.fd;
	return 0;
}

static int create_queue(struct client *c, struct utmem_admin_queue *q, struct reply *r)
{
	int reader = NO_FD, writer = NO_FD;
	int err = wake_open(&reader, &writer);

	if (err)
		return err;
	err = utmem_window_admin(c->window.served, UTMEM_OP_CREATE_QUEUE, q, sizeof(*q));
	if (err) {
		close(reader);
		close(writer);
		return err;
	}
	c->wake[q->queue_id] = writer;
	r->close_fd = reader;
	r->fds[r->nr_fds++] = reader;
	return 0;
}

static int destroy_queue(struct client *c, struct utmem_admin_queue *q)
{
	uint32_t id = q->queue_id;
	int err = utmem_window_admin(c->window.served, UTMEM_OP_DESTROY_QUEUE, q, sizeof(*q));

	if (!err)
		wake_close(c, id);
	return err;
}

/* Who asks is what the kernel says, not what the packet says. */
static int pool_request(struct client *c, uint8_t opcode, struct utmem_admin_pool *p)
{
	p->owner = c->uid;
	if (opcode == UTMEM_OP_POOL_OPEN) {
		if (p->flags & UTMEM_POOL_ANY_OWNER && c->uid)
			return -EACCES;
		/* Not to make one: root would take what another has put there under that name. */
		if (!c->uid && !(p->flags & UTMEM_POOL_CREATE))
			p->flags |= UTMEM_POOL_ANY_OWNER;
	}
	return utmem_window_admin(c->window.served, opcode, p, sizeof(*p));
}

static int admin(struct client *c, struct utmem_sock_msg *m, struct reply *r)
{
	switch (m->type) {
	case UTMEM_OP_CREATE_QUEUE:
		return create_queue(c, &m->queue, r);
	case UTMEM_OP_DESTROY_QUEUE:
		return destroy_queue(c, &m->queue);
	case UTMEM_OP_POOL_OPEN:
	case UTMEM_OP_POOL_CLOSE:
	case UTMEM_OP_POOL_DESTROY:
		return pool_request(c, (uint8_t)m->type, &m->pool);
	case UTMEM_OP_POOL_STAT:
		return utmem_window_admin(c->window.served, UTMEM_OP_POOL_STAT, &m->stat,
					  sizeof(m->stat));
	case UTMEM_SOCK_HELLO:
		return -EINVAL; /* a second one */
	default:
		return -EOPNOTSUPP;
	}
}

static int request(struct client *c, struct utmem_sock_msg *m, bool well_formed, struct reply *r)
{
	if (!well_formed || m->error) {
		c->tenant->daemon->counters.nr_bad_messages++;
		return -EINVAL;
	}
	if (c->has_window)
		return admin(c, m, r);
	return m->type == UTMEM_SOCK_HELLO ? hello(c, &m->hello, r) : -EPROTO;
}

/* ---- the connection ---- */

static void client_left(struct client *c)
{
	c->window.peer_left = true;
	client_close(c);
}

/* A peer that does not read its answers is let go. */
static void answer(struct client *c, struct utmem_sock_msg *m, bool well_formed)
{
	struct reply r = {.close_fd = NO_FD};
	int err;

	m->error = request(c, m, well_formed, &r);
	if (m->error)
		log_tenant(&c->tenant->log, LOG_DEBUG, c->tenant->name, "uid %u: message %u: %s",
			   c->uid, m->type, strerror(-m->error));
	err = fdpass_send(c->src.fd, m, sizeof(*m), r.fds, r.nr_fds);
	if (r.close_fd != NO_FD)
		close(r.close_fd);
	if (err || !c->has_window)
		client_left(c);
}

static void client_ready(struct source *s, uint32_t events)
{
	struct client *c = owner_of(s, struct client, src);
	struct utmem_sock_msg m = {0};
	bool whole = false;
	ssize_t n = fdpass_recv(s->fd, &m, sizeof(m), &whole);

	if (n == -EAGAIN || n == -EINTR)
		return;
	/* Nothing, and nothing to come: the end. Nothing alone is an empty packet. */
	if (n < 0 || (!n && events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
		client_left(c);
		return;
	}
	answer(c, &m, whole && n == sizeof(m));
}

static int client_open(struct tenant *t, int fd)
{
	uint32_t i, nr_queues = (uint32_t)t->daemon->opt->max_queues;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct client *c;
	int err;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	c = calloc(1, sizeof(*c) + nr_queues * sizeof(c->wake[0]));
	if (!c)
		return -ENOMEM;
	c->src = (struct source){.fd = fd, .ready = client_ready};
	c->tenant = t;
	c->uid = cred.uid;
	c->nr_wake = nr_queues;
	for (i = 0; i < nr_queues; i++)
		c->wake[i] = NO_FD;
	err = loop_add(&t->daemon->loop, &c->src, EPOLLIN | EPOLLRDHUP);
	if (err) {
		free(c);
		return err;
	}
	LIST_INSERT_HEAD(&t->clients, c, link);
	t->nr_clients++;
	return 0;
}

void client_accept(struct tenant *t, int fd)
{
	int err = -EUSERS;

	if (t->nr_clients < t->daemon->opt->max_clients)
		err = client_open(t, fd);
	if (!err)
		return;
	close(fd);
	t->daemon->counters.nr_refused++;
	log_tenant(&t->log, LOG_WARN, t->name, "process refused: %s",
		   err == -EUSERS ? "max-clients are connected" : strerror(-err));
}

void client_close(struct client *c)
{
	struct tenant *t = c->tenant;
	uint32_t i;

	LIST_REMOVE(c, link);
	t->nr_clients--;
	loop_remove(&t->daemon->loop, &c->src);
	close(c->src.fd);
	if (c->has_window) {
		t->client_bytes -= c->window.len;
		window_close(&c->window);
	}
	for (i = 0; i < c->nr_wake; i++)
		wake_close(c, i);
	free(c);
}

struct client *client_next(struct client *c)
{
	return LIST_NEXT(c, link);
}

struct window *client_window(struct client *c)
{
	return c->has_window ? &c->window : NULL;
}
