/* SPDX-License-Identifier: MIT */
/* The epoll loop. One thread at a time; a source may add and remove any source, itself too, while it is called. */
#ifndef UTMEMD_LOOP_H
#define UTMEMD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_EVENTS_MAX 64 /* taken from the kernel at once */

struct source {
	int fd; /* the caller's; removed from the loop before it is closed */
	void (*ready)(struct source *s, uint32_t events);
	bool is_light; /* ready touches nothing but its owner */
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

/* Wait up to @timeout_ms (-1: for ever, 0: not at all) for events. Return: there are some. */
bool loop_wait(struct loop *l, int timeout_ms);
/* Are those that have come of light sources alone? */
bool loop_is_light(const struct loop *l);
/* Call what they are for. */
void loop_serve(struct loop *l);
/* Wait and serve. */
void loop_turn(struct loop *l, int timeout_ms);

/* The object that embeds @ptr as its @member. */
#define owner_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif /* UTMEMD_LOOP_H */
