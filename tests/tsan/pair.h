/* SPDX-License-Identifier: MIT */
/*
 * A guest thread and a host thread around one queue: helpers of the threaded ring
 * tests. Owner: guest/ring.
 *
 * What TSan checks here is that the letters A..D alone order every plain access to
 * entries and data: nothing else in these helpers makes one thread's writes happen
 * before the other's reads. So sleeping is by futex and relaxed accesses, and the
 * full barriers (which TSan does not model) are judged by their effect: nobody
 * sleeps on work until the deadline.
 */
#ifndef TSAN_PAIR_H
#define TSAN_PAIR_H

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/ring_fixture.h"

#define PAIR_DEADLINE_SECONDS 60

static inline void run_pair(void *(*guest)(void *), void *(*host)(void *), void *arg)
{
	pthread_t g, h;

	assert_int_equal(pthread_create(&g, NULL, guest, arg), 0);
	assert_int_equal(pthread_create(&h, NULL, host, arg), 0);
	pthread_join(g, NULL);
	pthread_join(h, NULL);
}

/* ---- an eventfd without its ordering ---- */

static inline void bell_ring(uint32_t *bell)
{
	__atomic_fetch_add(bell, 1, __ATOMIC_RELAXED);
	syscall(SYS_futex, bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * Wait until the bell has rung more often than *@heard says. false: nobody rang
 * for PAIR_DEADLINE_SECONDS, a wake-up was lost.
 */
static inline bool bell_wait(uint32_t *bell, uint32_t *heard)
{
	const struct timespec patience = {.tv_sec = PAIR_DEADLINE_SECONDS};

	while (__atomic_load_n(bell, __ATOMIC_RELAXED) == *heard)
		if (syscall(SYS_futex, bell, FUTEX_WAIT_PRIVATE, *heard, &patience, NULL, 0) &&
		    errno == ETIMEDOUT)
			return false;
	*heard = __atomic_load_n(bell, __ATOMIC_RELAXED);
	return true;
}

#endif /* TSAN_PAIR_H */
