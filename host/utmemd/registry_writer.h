/* SPDX-License-Identifier: MIT */
/*
 * Replaces the registry on a thread of its own, so that requests do not wait for a disk: what
 * guests do may be written a little later. One replacement at a time. Caller: registry.c.
 */
#ifndef UTMEMD_REGISTRY_WRITER_H
#define UTMEMD_REGISTRY_WRITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct registry_writer {
	bool busy; /* a thread is there, or has to be joined */
	atomic_bool done;
	pthread_t thread;
	int dir_fd;
	bool is_damaged;
	char *text;
	size_t len;
	int err;
};

/* As registry_file_replace(). @text becomes the writer's when it returns 0. Not while it is busy. */
int registry_writer_start(struct registry_writer *w, int dir_fd, char *text, size_t len,
			  bool is_damaged);
/* true: registry_writer_join() would not wait. */
bool registry_writer_done(const struct registry_writer *w);
/* Wait for its end. Return: what registry_file_replace() said. Only while it is busy. */
int registry_writer_join(struct registry_writer *w);

#endif /* UTMEMD_REGISTRY_WRITER_H */
