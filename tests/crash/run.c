// SPDX-License-Identifier: MIT
/* How the killer and its clients wait for each other. Any thread. */
#include "tests/crash/run.h"

#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;

void run_ring(const struct run *r)
{
	uint64_t one = 1;

	/* EAGAIN, the counter is full: who waits is awake already */
	if (write(r->event_fd, &one, sizeof(one)) < 0)
		return;
}

void run_hold(struct run *r, bool hold)
{
	pthread_mutex_lock(&lock);
	r->hold = hold;
	pthread_mutex_unlock(&lock);
	pthread_cond_broadcast(&released);
}

void run_wait_hold(struct run *r)
{
	pthread_mutex_lock(&lock);
	while (r->hold)
		pthread_cond_wait(&released, &lock);
	pthread_mutex_unlock(&lock);
}
