// SPDX-License-Identifier: MIT
/*
 * Owns the thread that replaces the registry in the background. Called by
 * registry.c, on the daemon's main thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "host/utmemd/registry_file.h"
#include "host/utmemd/registry_writer.h"

static void *run(void *arg)
{
	struct registry_writer *w = arg;

	w->err = registry_file_replace(w->dir_fd, w->text, w->len, w->is_damaged);
	atomic_store(&w->done, true);
	return NULL;
}

int registry_writer_start(struct registry_writer *w, int dir_fd, char *text, size_t len,
			  bool is_damaged)
{
	w->dir_fd = dir_fd;
	w->text = text;
	w->len = len;
	w->is_damaged = is_damaged;
	atomic_store(&w->done, false);
	w->busy = !pthread_create(&w->thread, NULL, run, w);
	return w->busy ? 0 : -EAGAIN;
}

bool registry_writer_done(const struct registry_writer *w)
{
	return atomic_load(&w->done);
}

int registry_writer_join(struct registry_writer *w)
{
	pthread_join(w->thread, NULL);
	w->busy = false;
	free(w->text);
	return w->err;
}
