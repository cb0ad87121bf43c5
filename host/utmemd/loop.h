/* SPDX-License-Identifier: MIT */
/* The epoll loop. One thread; a source may add and remove any source, itself too, while it is called. */
#ifndef UTMEMD_LOOP_H
#define UTMEMD_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_EVENTS_MAX 64 /* taken from the kernel at once */

struct source {
	int fd; /* the caller's; removed from the loop before it is closed */
	void (*ready)(struct source *s, uint32_t events);
};

struct loop {
	int epoll_fd;
	int nr_events; /* of the round under way */
	struct epoll_event events[LOOP_EVENTS_MAX];
};

int loop_init(struct loop *l);
void loop_exit(struct loop *l);

/* @events: EPOLLIN and the like. 0 or -errno. */
int loop_add(struct loop *l, struct source *s, uint32_t events);
int loop_change(struct loop *l, struct source *s, uint32_t events);
/* It is not called again, even if its event is already here. */
void loop_remove(struct loop *l, struct source *s);

/* Wait up to @timeout_ms (-1: for ever, 0: not at all), then call what is ready. */
void loop_turn(struct loop *l, int timeout_ms);

/* The object that embeds @ptr as its @member. */
#define owner_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif /* UTMEMD_LOOP_H */
