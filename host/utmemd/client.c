// SPDX-License-Identifier: MIT
/*
 * Owns the connection of a process: HELLO, admin requests, wake-ups. Called by
 * tenant.c and by the loop, on the worker's main thread. One packet for each look
 * at the socket, so that a flood from one waits for the others.
 *
 * The supervisor keeps the connection from accept() on, with the window from HELLO on, and
 * the wake-up of each queue; each before the process is told of it. Which request is under
 * way is noted in the window's page for its owner (dance.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/ring/utmem_sock.h"
#include "host/pool/failpoint.h"
#include "host/utmemd/client.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/dance.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

#define NO_FD (-1)
#define FEATURES UTMEM_FEAT_DOORBELL_EVENTFD /* of the window; the socket's own come on top */

/* What a queue's waiter is woken with: our end of its pipe, or NO_FD. */
struct wake {
	int writer;
	int reader; /* the client's end, until it is sure to have it; else NO_FD */
	struct deposited deposited;
};

struct client {
	struct source src;
	struct tenant *tenant;
	uint64_t nr;  /* no two of a daemon's life have the same */
	uint32_t uid; /* SO_PEERCRED */
	bool has_window;
	struct deposited deposited;
	struct dance
		*dance; /* in the window's memory; before HELLO: first_dance, which nobody keeps */
	struct dance first_dance;
	struct window window;
	LIST_ENTRY(client) link; /* tenant.clients */
	uint32_t nr_wake;
	uint32_t unsure;    /* the queue whose reader we still have, 0 = none */
	struct wake wake[]; /* by queue id */
};

/* What goes back: the request as it is now, and descriptors, which stay ours. */
struct reply {
	int fds[2];
	size_t nr_fds;
};

/* HELLO is the first request that a window's dance sees. */
#define FIRST_SERIAL 1u

/* Beside what is kept. */
struct client_meta {
	char tenant[UTMEM_POOL_NAME_LEN];
	uint32_t uid;
	uint32_t nr_wake;
};

/* ---- what the supervisor keeps of it ---- */

#define WAKE_KEY "wake/"
#define CLIENT_FD_CONNECTION 0u
#define CLIENT_FD_WINDOW 1u /* .. WINDOW_NR_FDS of them, once there was a HELLO */
#define CLIENT_NR_FDS (CLIENT_FD_WINDOW + WINDOW_NR_FDS)

static void client_key(char key[KEEPER_KEY_MAX], const struct client *c)
{
	snprintf(key, KEEPER_KEY_MAX, CLIENT_KEY "%" PRIu64, c->nr);
}

static void wake_key(char key[KEEPER_KEY_MAX], const struct client *c, uint32_t queue_id)
{
	snprintf(key, KEEPER_KEY_MAX, WAKE_KEY "%" PRIu64 "/%u", c->nr, queue_id);
}

static int client_keep(struct client *c)
{
	struct client_meta meta = {.uid = c->uid, .nr_wake = c->nr_wake};
	int fds[CLIENT_NR_FDS] = {c->src.fd};
	char key[KEEPER_KEY_MAX];

	memcpy(meta.tenant, c->tenant->name, sizeof(meta.tenant));
	if (c->has_window)
		window_fds(&c->window, fds + CLIENT_FD_WINDOW);
	client_key(key, c);
	return deposit_keep(&c->tenant->daemon->deposit, &c->deposited, key, &meta, sizeof(meta),
			    fds, c->has_window ? CLIENT_NR_FDS : 1);
}

static void client_unkeep(struct client *c)
{
	char key[KEEPER_KEY_MAX];

	client_key(key, c);
	deposit_drop(&c->tenant->daemon->deposit, &c->deposited, key);
}

static int wake_keep(struct client *c, uint32_t queue_id)
{
	struct wake *w = &c->wake[queue_id];
	int fds[] = {w->writer, w->reader};
	char key[KEEPER_KEY_MAX];

	wake_key(key, c, queue_id);
	return deposit_keep(&c->tenant->daemon->deposit, &w->deposited, key, NULL, 0, fds,
			    w->reader == NO_FD ? 1 : 2);
}

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
	if (queue_id < c->nr_wake && c->wake[queue_id].writer != NO_FD &&
	    write(c->wake[queue_id].writer, &one, sizeof(one)) < 0)
		return;
}

static void reader_close(struct client *c)
{
	struct wake *w = &c->wake[c->unsure];

	if (!c->unsure)
		return;
	close(w->reader);
	w->reader = NO_FD;
	c->unsure = 0;
}

static void wake_close(struct client *c, uint32_t queue_id)
{
	struct wake *w = &c->wake[queue_id];
	char key[KEEPER_KEY_MAX];

	if (w->writer == NO_FD)
		return;
	wake_key(key, c, queue_id);
	deposit_drop(&c->tenant->daemon->deposit, &w->deposited, key);
	if (c->unsure == queue_id)
		reader_close(c);
	close(w->writer);
	w->writer = NO_FD;
}

/* The request that made the queue is off the socket: its reader has gone out with the answer. */
static void reader_is_sure(struct client *c)
{
	uint32_t queue_id = c->unsure;

	reader_close(c);
	if (queue_id)
		wake_keep(c, queue_id);
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

static struct window_spec window_spec(uint64_t len)
{
	return (struct window_spec){.len = len, .features = FEATURES, .wake = wake_client};
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
	c->dance = (struct dance *)c->window.owner_page;
	return 0;
}

static void hello_fill(struct utmem_sock_hello *h, uint64_t window_len)
{
	memset(h, 0, sizeof(*h));
	h->magic = UTMEM_MAGIC;
	h->abi_major = UTMEM_ABI_MAJOR;
	h->abi_minor = UTMEM_ABI_MINOR;
	h->features = FEATURES | UTMEM_FEAT_SOCK_SERIAL;
	h->window_len = window_len;
}

static void hello_reply(const struct client *c, struct reply *r)
{
	r->fds[r->nr_fds++] = c->window.memfd;
	r->fds[r->nr_fds++] = c->window.doorbell.fd;
}

/* The window is kept, and with it that this request is under way, before the process hears of it. */
static int hello_begin(struct client *c, const struct window_spec *spec,
		       const struct utmem_sock_msg *request)
{
	int err = open_window(c, spec);

	if (err)
		return err;
	dance_begin(c->dance, request);
	return client_keep(c);
}

/* The answer says what we are, whether we agree or not. */
static int hello(struct client *c, struct utmem_sock_msg *m, struct reply *r)
{
	uint64_t most = c->tenant->daemon->opt->client_window;
	struct utmem_sock_hello *h = &m->hello;
	struct window_spec spec = window_spec(h->window_len ? h->window_len : most);
	const struct utmem_sock_msg request = *m;
	int err = check_hello(h, most);

	hello_fill(h, err ? most : spec.len);
	if (!err)
		err = hello_begin(c, &spec, &request);
	if (!err)
		hello_reply(c, r);
	return err;
}

/* The answer to it may have been lost with the worker that gave it. */
static int hello_again(struct client *c, struct utmem_sock_msg *m, struct reply *r)
{
	hello_fill(&m->hello, c->window.len);
	hello_reply(c, r);
	return 0;
}

/* Twice for one queue is once: the pipe that is there is the one. */
static int wake_take(struct client *c, uint32_t queue_id, int reader, int writer)
{
	struct wake *w = &c->wake[queue_id];
	int err;

	wake_close(c, queue_id);
	*w = (struct wake){.writer = writer, .reader = reader};
	c->unsure = queue_id;
	err = wake_keep(c, queue_id);
	if (err)
		wake_close(c, queue_id);
	return err;
}

static int queue_request(struct client *c, uint64_t serial, uint8_t opcode,
			 struct utmem_admin_queue *q)
{
	return utmem_window_admin_once(c->window.served, serial, opcode, q, sizeof(*q));
}

static int create_queue(struct client *c, uint64_t serial, struct utmem_admin_queue *q,
			struct reply *r)
{
	int reader = NO_FD, writer = NO_FD;
	int err = wake_open(&reader, &writer);

	if (err)
		return err;
	err = queue_request(c, serial, UTMEM_OP_CREATE_QUEUE, q);
	if (err || c->unsure == q->queue_id) {
		close(reader);
		close(writer);
	} else {
		err = wake_take(c, q->queue_id, reader, writer);
	}
	if (!err)
		r->fds[r->nr_fds++] = c->wake[q->queue_id].reader;
	return err;
}

static int destroy_queue(struct client *c, uint64_t serial, struct utmem_admin_queue *q)
{
	uint32_t id = q->queue_id;
	int err = queue_request(c, serial, UTMEM_OP_DESTROY_QUEUE, q);

	if (!err)
		wake_close(c, id);
	return err;
}

/* Who asks is what the kernel says, not what the packet says. */
static int pool_request(struct client *c, uint64_t serial, uint8_t opcode,
			struct utmem_admin_pool *p)
{
	p->owner = c->uid;
	if (opcode == UTMEM_OP_POOL_OPEN) {
		if (p->flags & UTMEM_POOL_ANY_OWNER && c->uid)
			return -EACCES;
		/* Not to make one: root would take what another has put there under that name. */
		if (!c->uid && !(p->flags & UTMEM_POOL_CREATE))
			p->flags |= UTMEM_POOL_ANY_OWNER;
	}
	return utmem_window_admin_once(c->window.served, serial, opcode, p, sizeof(*p));
}

static int admin(struct client *c, uint64_t serial, uint32_t op, struct utmem_sock_msg *m,
		 struct reply *r)
{
	switch (op) {
	case UTMEM_OP_CREATE_QUEUE:
		return create_queue(c, serial, &m->queue, r);
	case UTMEM_OP_DESTROY_QUEUE:
		return destroy_queue(c, serial, &m->queue);
	case UTMEM_OP_POOL_OPEN:
	case UTMEM_OP_POOL_CLOSE:
	case UTMEM_OP_POOL_DESTROY:
		return pool_request(c, serial, (uint8_t)op, &m->pool);
	case UTMEM_OP_POOL_STAT:
		return utmem_window_admin_once(c->window.served, serial, UTMEM_OP_POOL_STAT,
					       &m->stat, sizeof(m->stat));
	default:
		return -EOPNOTSUPP;
	}
}

/* The number of the request, which comes back with the answer, is the client's own business. */
static int request(struct client *c, struct utmem_sock_msg *m, bool well_formed, struct reply *r)
{
	bool greeted = c->has_window, is_hello = m->type == UTMEM_SOCK_HELLO;
	uint64_t serial;

	if (!well_formed || m->error) {
		c->tenant->daemon->counters.nr_bad_messages++;
		return -EINVAL;
	}
	serial = dance_begin(c->dance, m);
	if (!greeted)
		return is_hello ? hello(c, m, r) : -EPROTO;
	if (!is_hello)
		return admin(c, serial, UTMEM_SOCK_OP(m->type), m, r);
	return serial == FIRST_SERIAL ? hello_again(c, m, r) : -EINVAL; /* a second one */
}

/* ---- the connection ---- */

static void client_left(struct client *c)
{
	c->window.peer_left = true;
	client_close(c);
}

/* What was peeked at is taken off the socket, and whatever came with it. */
static void consume(struct client *c)
{
	uint8_t byte;
	bool whole;

	fdpass_recv(c->src.fd, &byte, sizeof(byte), &whole, false);
	UTMEM_FAIL_POINT("client_unread");
	dance_end(c->dance);
	reader_is_sure(c);
}

/* A peer that does not read its answers is let go. */
static void answer(struct client *c, struct utmem_sock_msg *m, bool well_formed)
{
	struct reply r = {0};
	int err;

	m->error = request(c, m, well_formed, &r);
	if (m->error)
		log_tenant(&c->tenant->log, LOG_DEBUG, c->tenant->name, "uid %u: message %u: %s",
			   c->uid, m->type, strerror(-m->error));
	UTMEM_FAIL_POINT("client_reply");
	err = fdpass_send(c->src.fd, m, sizeof(*m), r.fds, r.nr_fds);
	UTMEM_FAIL_POINT("client_replied");
	/* Also before the end: what is closed with something unread in it takes the answer back. */
	consume(c);
	if (err || !c->has_window)
		client_left(c);
}

static void client_ready(struct source *s, uint32_t events)
{
	struct client *c = owner_of(s, struct client, src);
	struct utmem_sock_msg m = {0};
	bool whole = false;
	ssize_t n = fdpass_recv(s->fd, &m, sizeof(m), &whole, true);

	if (n == -EAGAIN || n == -EINTR)
		return;
	/* Nothing, and nothing to come: the end. Nothing alone is an empty packet. */
	if (n < 0 || (!n && events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
		client_left(c);
		return;
	}
	answer(c, &m, whole && n == sizeof(m));
}

static struct client *client_alloc(struct tenant *t, int fd, uint64_t nr, uint32_t nr_wake)
{
	struct client *c = calloc(1, sizeof(*c) + nr_wake * sizeof(c->wake[0]));
	uint32_t i;

	if (!c)
		return NULL;
	c->src = (struct source){.fd = fd, .ready = client_ready};
	c->tenant = t;
	c->nr = nr;
	c->dance = &c->first_dance;
	c->nr_wake = nr_wake;
	for (i = 0; i < nr_wake; i++)
		c->wake[i] = (struct wake){.writer = NO_FD, .reader = NO_FD};
	return c;
}

static int client_join(struct client *c)
{
	struct tenant *t = c->tenant;
	int err = loop_add(&t->daemon->loop, &c->src, EPOLLIN | EPOLLRDHUP);

	if (err)
		return err;
	LIST_INSERT_HEAD(&t->clients, c, link);
	t->nr_clients++;
	return 0;
}

static int client_open(struct tenant *t, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct client *c;
	int err;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	c = client_alloc(t, fd, ++t->daemon->last_client, (uint32_t)t->daemon->opt->max_queues);
	if (!c)
		return -ENOMEM;
	c->uid = cred.uid;
	err = client_keep(c);
	if (!err)
		err = client_join(c);
	if (!err)
		return 0;
	client_unkeep(c);
	free(c);
	return err;
}

void client_accept(struct tenant *t, int fd)
{
	int err = -EUSERS;

	UTMEM_FAIL_POINT("client_accepted");
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

	client_unkeep(c);
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

/* ---- another worker's client ---- */

/* Both ends are there while the client may not have got its own. */
static void wakes_resume(struct client *c)
{
	struct deposited what = {0};
	char key[KEEPER_KEY_MAX];
	struct kept_item *item;
	uint32_t id;

	for (id = 1; id < c->nr_wake; id++) {
		wake_key(key, c, id);
		item = deposit_take(&c->tenant->daemon->deposit, &what, key, 0, 1, 2);
		if (!item)
			continue;
		c->wake[id].writer = item->fds[0];
		c->wake[id].deposited = what;
		if (item->nr_fds == 2) {
			c->wake[id].reader = item->fds[1];
			c->unsure = id;
		}
		free(item);
	}
}

static int window_take_up(struct client *c, const struct kept_item *item)
{
	struct window_spec spec = window_spec(0);
	int err;

	if (item->nr_fds == 1)
		return 0;
	err = window_resume(&c->window, c->tenant, &spec, item->fds + CLIENT_FD_WINDOW);
	if (err)
		return err;
	c->has_window = true;
	c->dance = (struct dance *)c->window.owner_page;
	c->tenant->client_bytes += c->window.len;
	wakes_resume(c);
	return 0;
}

static int take_up(struct tenant *t, const struct kept_item *item, const struct deposited *kept,
		   const struct client_meta *meta)
{
	uint64_t nr = strtoull(item->key + strlen(CLIENT_KEY), NULL, 10);
	struct client *c = client_alloc(t, item->fds[CLIENT_FD_CONNECTION], nr, meta->nr_wake);
	int err;

	if (!c)
		return -ENOMEM;
	if (nr > t->daemon->last_client)
		t->daemon->last_client = nr;
	c->uid = meta->uid;
	c->deposited = *kept;
	err = client_join(c);
	if (err)
		goto err_free;
	err = window_take_up(c, item);
	if (!err)
		return 0;
	LIST_REMOVE(c, link);
	t->nr_clients--;
	loop_remove(&t->daemon->loop, &c->src);
err_free:
	free(c);
	return err;
}

int client_resume(struct daemon *d, const char *key)
{
	struct deposited kept = {0};
	struct client_meta meta;
	struct kept_item *item =
		deposit_take(&d->deposit, &kept, key, sizeof(meta), 1, CLIENT_NR_FDS);
	struct tenant *t;
	int err;

	if (!item)
		return 0;
	memcpy(&meta, item->meta, sizeof(meta));
	t = tenant_find(d, meta.tenant);
	err = t ? take_up(t, item, &kept, &meta) : -ECONNABORTED;
	if (err && window_is_lost(err)) {
		log_error("tenant %.63s: a process is lost: %s", meta.tenant, strerror(-err));
		deposit_drop(&d->deposit, &kept, item->key);
		fdpass_close(item->fds, item->nr_fds);
		err = 0;
	}
	free(item);
	return err;
}

struct client *client_next(struct client *c)
{
	return LIST_NEXT(c, link);
}

struct window *client_window(struct client *c)
{
	return c->has_window ? &c->window : NULL;
}
