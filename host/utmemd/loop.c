// SPDX-License-Identifier: MIT
/*
 * Owns an epoll set. Called by serve.c and crew.c, which decide when to look and when to
 * sleep, and by everything that has a file descriptor; one thread at a time.
 */
#include <errno.h>
#include <unistd.h>

#include "host/utmemd/loop.h"

int loop_init(struct loop *l)
{
	l->nr_events = 0;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_exit(struct loop *l)
{
	close(l->epoll_fd);
}

static int control(struct loop *l, int op, struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll_fd, op, s->fd, &ev) ? -errno : 0;
}

int loop_add(struct loop *l, struct source *s, uint32_t events)
{
	return control(l, EPOLL_CTL_ADD, s, events);
}

int loop_change(struct loop *l, struct source *s, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, s, events);
}

/*
 * Closing alone would not do: a peer that holds a copy of the descriptor keeps
 * it in the epoll set, with a pointer to a source that is no more.
 */
void loop_remove(struct loop *l, struct source *s)
{
	int i;

	control(l, EPOLL_CTL_DEL, s, 0);
	for (i = 0; i < l->nr_events; i++) {
		if (l->events[i].data.ptr == s)
			l->events[i].data.ptr = NULL;
	}
}

bool loop_wait(struct loop *l, int timeout_ms)
{
	int n = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS_MAX, timeout_ms);

	l->nr_events = n < 0 ? 0 : n;
	return l->nr_events;
}

bool loop_is_light(const struct loop *l)
{
	int i;

	for (i = 0; i < l->nr_events; i++) {
		const struct source *s = l->events[i].data.ptr;

		if (!s->is_light)
			return false;
	}
	return true;
}

void loop_serve(struct loop *l)
{
	int i;

	for (i = 0; i < l->nr_events; i++) {
		struct source *s = l->events[i].data.ptr;

		if (s)
			s->ready(s, l->events[i].events);
	}
	l->nr_events = 0;
}

void loop_turn(struct loop *l, int timeout_ms)
{
	if (loop_wait(l, timeout_ms))
		loop_serve(l);
}
