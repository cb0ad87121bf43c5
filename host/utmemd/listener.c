// SPDX-License-Identifier: MIT
/*
 * Owns the paths of sockets and accept(). Called by tenant.c and control.c, and
 * by daemon.c at every heartbeat; on the daemon's main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/listener.h"
#include "host/utmemd/log.h"

#define BACKLOG 64

static bool short_of_room(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/* Accepting would fail, and the waiting peer would wake us, for ever: stop until the next heartbeat. */
static void pause_accepting(struct listener *l, int err)
{
	log_warn("%s: accept: %s; again in a while", l->addr.sun_path, strerror(err));
	loop_remove(&l->daemon->loop, &l->src);
	l->paused = true;
	l->daemon->counters.nr_accept_pauses++;
}

static void listener_ready(struct source *s, uint32_t events)
{
	struct listener *l = owner_of(s, struct listener, src);
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0)
		l->accepted(l, fd);
	else if (short_of_room(errno))
		pause_accepting(l, errno);
}

void listener_resume(struct listener *l)
{
	if (l->paused && !loop_add(&l->daemon->loop, &l->src, EPOLLIN))
		l->paused = false;
}

static int set_path(struct listener *l, const char *name)
{
	const char *dir = l->daemon->opt->run_dir;
	int n;

	l->addr.sun_family = AF_UNIX;
	n = snprintf(l->addr.sun_path, sizeof(l->addr.sun_path), "%s/%s", dir, name);
	if (n < (int)sizeof(l->addr.sun_path))
		return 0;
	log_error("%s/%s: longer than the %zu bytes of a socket's path", dir, name,
		  sizeof(l->addr.sun_path) - 1);
	return -ENAMETOOLONG;
}

static int remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return unlink(path) ? -errno : 0;
}

static int bind_path(struct listener *l, mode_t mode)
{
	mode_t old = umask(~mode & 0777);
	int err = bind(l->src.fd, (struct sockaddr *)&l->addr, sizeof(l->addr)) ? -errno : 0;

	umask(old);
	return err;
}

static int start_accepting(struct listener *l, int type, mode_t mode)
{
	int err;

	l->src.fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->src.fd < 0)
		return -errno;
	err = bind_path(l, mode);
	if (err)
		goto err_close;
	err = listen(l->src.fd, BACKLOG) ? -errno : 0;
	if (!err)
		err = loop_add(&l->daemon->loop, &l->src, EPOLLIN);
	if (!err)
		return 0;
	unlink(l->addr.sun_path);
err_close:
	close(l->src.fd);
	return err;
}

static int listener_init(struct listener *l, struct daemon *d, const char *name,
			 void (*accepted)(struct listener *l, int fd))
{
	memset(l, 0, sizeof(*l));
	l->daemon = d;
	l->accepted = accepted;
	l->src.ready = listener_ready;
	return set_path(l, name);
}

int listener_open(struct listener *l, struct daemon *d, const char *name, int type, mode_t mode,
		  void (*accepted)(struct listener *l, int fd))
{
	int err = listener_init(l, d, name, accepted);

	if (err)
		return err;
	err = remove_stale(l->addr.sun_path);
	if (!err)
		err = start_accepting(l, type, mode);
	if (err) {
		log_error("%s: %s", l->addr.sun_path,
			  err == -ENOTSOCK ? "is there and no socket" : strerror(-err));
		return err;
	}
	LIST_INSERT_HEAD(&d->listeners, l, link);
	return 0;
}

/* Whoever emptied the run dir left a socket that nobody can find any more. */
bool listener_is_there(const struct daemon *d, const char *name)
{
	struct listener l = {.daemon = (struct daemon *)d};
	struct stat st;

	return !set_path(&l, name) && !lstat(l.addr.sun_path, &st) && S_ISSOCK(st.st_mode);
}

int listener_adopt(struct listener *l, struct daemon *d, const char *name, int fd,
		   void (*accepted)(struct listener *l, int fd))
{
	int err = listener_init(l, d, name, accepted);

	if (err)
		return err;
	l->src.fd = fd;
	err = loop_add(&d->loop, &l->src, EPOLLIN);
	if (!err)
		LIST_INSERT_HEAD(&d->listeners, l, link);
	return err;
}

void listener_release(struct listener *l)
{
	LIST_REMOVE(l, link);
	if (!l->paused)
		loop_remove(&l->daemon->loop, &l->src);
}

void listener_close(struct listener *l)
{
	unlink(l->addr.sun_path);
	listener_release(l);
	close(l->src.fd);
}
