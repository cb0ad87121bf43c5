// SPDX-License-Identifier: MIT
/*
 * Owns the connections of operators: lines in, lines out. Called by daemon.c and
 * by the loop, on the daemon's main thread; never waits for a peer.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/utmemd/commands.h"
#include "host/utmemd/control.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/log.h"
#include "host/utmemd/transfer.h"

struct control_client {
	struct source src;
	struct daemon *daemon;
	LIST_ENTRY(control_client) link;
	size_t in_len;
	char in[CONTROL_LINE_MAX];
	/* An answer under way; no request is looked at before it has gone. */
	char *out;
	size_t out_len, out_sent;
	struct transfer *transfer; /* gets the connection once the answer has gone */
};

/* Where the connection of the operator who waits for an upgrade is kept, for the worker who answers. */
#define UPGRADE_KEY "control/upgrade"
#define LISTENER_KEY "listener/" CONTROL_SOCKET

static void upgrader_forget(struct control *ctl)
{
	deposit_drop(&ctl->socket.daemon->deposit, &ctl->upgrader_deposited, UPGRADE_KEY);
	ctl->upgrader = NULL;
}

static void control_client_free(struct control_client *c)
{
	struct control *ctl = &c->daemon->control;

	LIST_REMOVE(c, link);
	ctl->nr_clients--;
	if (ctl->upgrader == c)
		upgrader_forget(ctl);
	loop_remove(&c->daemon->loop, &c->src);
	free(c->out);
	free(c);
}

static void control_client_close(struct control_client *c)
{
	int fd = c->src.fd;

	if (c->transfer)
		transfer_close(c->transfer);
	control_client_free(c);
	close(fd);
}

static void hand_over(struct control_client *c)
{
	struct transfer *t = c->transfer;
	size_t len = c->in_len;
	int fd = c->src.fd;
	char bytes[CONTROL_LINE_MAX];

	memcpy(bytes, c->in, len);
	control_client_free(c);
	transfer_start(t, fd, bytes, len);
}

/* 0 = gone, or on its way when there is room (EPOLLOUT). */
static int flush_answer(struct control_client *c)
{
	while (c->out_sent < c->out_len) {
		ssize_t n = send(c->src.fd, c->out + c->out_sent, c->out_len - c->out_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return loop_change(&c->daemon->loop, &c->src, EPOLLOUT);
		if (n < 0)
			return -errno;
		c->out_sent += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	return loop_change(&c->daemon->loop, &c->src, EPOLLIN | EPOLLRDHUP);
}

/* Consumes @reply. */
static int reply_send(struct control_client *c, cJSON *reply)
{
	c->out = reply ? cJSON_PrintUnformatted(reply) : NULL;
	cJSON_Delete(reply);
	if (!c->out)
		return -ENOMEM;
	c->out_len = strlen(c->out);
	c->out[c->out_len++] = '\n'; /* in place of the NUL */
	c->out_sent = 0;
	return flush_answer(c);
}

/*
 * The worker that answers may be another one than this: the connection is kept before anything
 * is asked for. There is one such operator at a time.
 */
static int upgrade_begin(struct control_client *c)
{
	struct control *ctl = &c->daemon->control;
	int err;

	if (ctl->upgrader)
		return reply_send(c, command_reply(-EBUSY, "another upgrade is under way", NULL));
	err = deposit_keep(&c->daemon->deposit, &ctl->upgrader_deposited, UPGRADE_KEY, NULL, 0,
			   &c->src.fd, 1);
	if (err)
		return err;
	ctl->upgrader = c;
	return keeper_say(c->daemon->deposit.link, KEEPER_UPGRADE);
}

static int answer(struct control_client *c, const char *line)
{
	cJSON *request = cJSON_Parse(line), *reply = NULL;
	bool upgrade = command_is_upgrade(request);

	if (!upgrade)
		reply = command_run(c->daemon, request, &c->transfer);
	cJSON_Delete(request);
	return upgrade ? upgrade_begin(c) : reply_send(c, reply);
}

/* Its turn has not come: what it has asked for is not answered yet. */
static bool waits(const struct control_client *c)
{
	return c->out || c->transfer || c->daemon->control.upgrader == c;
}

/* Every whole line that is here, as long as answers go out. */
static int serve_lines(struct control_client *c)
{
	char *end;
	int err;

	while (!waits(c) && (end = memchr(c->in, '\n', c->in_len))) {
		size_t used = (size_t)(end - c->in) + 1;

		*end = '\0';
		err = answer(c, c->in);
		if (err)
			return err;
		c->in_len -= used;
		memmove(c->in, c->in + used, c->in_len);
	}
	return c->in_len == sizeof(c->in) && !waits(c) ? -E2BIG : 0;
}

static int read_lines(struct control_client *c)
{
	ssize_t n = recv(c->src.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	c->in_len += (size_t)n;
	return serve_lines(c);
}

static void control_client_ready(struct source *s, uint32_t events)
{
	struct control_client *c = owner_of(s, struct control_client, src);
	int err;

	(void)events;
	if (c->out) {
		err = flush_answer(c);
		if (!err && !c->out)
			err = serve_lines(c);
	} else {
		err = read_lines(c);
	}
	if (err)
		control_client_close(c);
	else if (c->transfer && !c->out)
		hand_over(c);
}

/* The socket's mode says it, too; a mode can be changed. */
static bool is_operator(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
	       (!cred.uid || cred.uid == geteuid());
}

static int control_client_open(struct control *ctl, struct daemon *d, int fd)
{
	struct control_client *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->src = (struct source){.fd = fd, .ready = control_client_ready};
	c->daemon = d;
	err = loop_add(&d->loop, &c->src, EPOLLIN | EPOLLRDHUP);
	if (err) {
		free(c);
		return err;
	}
	LIST_INSERT_HEAD(&ctl->clients, c, link);
	ctl->nr_clients++;
	return 0;
}

static void control_connected(struct listener *l, int fd)
{
	struct control *ctl = owner_of(l, struct control, socket);
	int err = -EPERM;

	if (is_operator(fd))
		err = ctl->nr_clients < CONTROL_CLIENTS_MAX
			      ? control_client_open(ctl, l->daemon, fd)
			      : -EUSERS;
	if (!err)
		return;
	close(fd);
	l->daemon->counters.nr_refused++;
	log_warn("%s: connection refused: %s", l->addr.sun_path, strerror(-err));
}

void control_upgraded(struct control *ctl, const char *why)
{
	struct control_client *c = ctl->upgrader;
	cJSON *result;

	if (!c)
		return;
	upgrader_forget(ctl);
	result = why ? NULL : cJSON_CreateObject();
	cJSON_AddStringToObject(result, "version", UTMEM_BUILD_VERSION);
	cJSON_AddStringToObject(result, "commit", UTMEM_BUILD_COMMIT);
	if (reply_send(c, command_reply(why ? -EIO : 0, why, result)))
		control_client_close(c);
}

/* Its answer is due as soon as this worker serves. */
static void upgrader_resume(struct control *ctl, struct daemon *d)
{
	struct kept_item *item =
		deposit_take(&d->deposit, &ctl->upgrader_deposited, UPGRADE_KEY, 0, 1, 1);

	if (!item)
		return;
	if (control_client_open(ctl, d, item->fds[0]))
		fdpass_close(item->fds, 1);
	else
		ctl->upgrader = LIST_FIRST(&ctl->clients);
	free(item);
}

static int listener_new(struct control *ctl, struct daemon *d)
{
	int err = listener_open(&ctl->socket, d, CONTROL_SOCKET, SOCK_STREAM, 0600,
				control_connected);

	if (err)
		return err;
	err = deposit_keep(&d->deposit, &ctl->deposited, LISTENER_KEY, NULL, 0, &ctl->socket.src.fd,
			   1);
	if (err)
		listener_close(&ctl->socket);
	return err;
}

int control_open(struct control *ctl, struct daemon *d)
{
	struct kept_item *item;
	int err;

	memset(ctl, 0, sizeof(*ctl));
	LIST_INIT(&ctl->clients);
	item = deposit_take(&d->deposit, &ctl->deposited, LISTENER_KEY, 0, 1, 1);
	if (item && listener_is_there(d, CONTROL_SOCKET)) {
		err = listener_adopt(&ctl->socket, d, CONTROL_SOCKET, item->fds[0],
				     control_connected);
	} else {
		if (item)
			fdpass_close(item->fds, 1);
		err = listener_new(ctl, d);
	}
	free(item);
	if (!err)
		upgrader_resume(ctl, d);
	return err;
}

void control_close(struct control *ctl)
{
	while (!LIST_EMPTY(&ctl->clients))
		control_client_close(LIST_FIRST(&ctl->clients));
	transfers_close(ctl->socket.daemon);
	listener_close(&ctl->socket);
	deposit_drop(&ctl->socket.daemon->deposit, &ctl->deposited, LISTENER_KEY);
}
