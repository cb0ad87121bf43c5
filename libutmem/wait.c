// SPDX-License-Identifier: MIT
/*
 * Waiting: look for a while, then ask to be woken, look once more, sleep. And
 * the same for event loops. Called by applications, on the queue's thread.
 */
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "libutmem/internal.h"

#define NSEC_PER_SEC 1000000000
#define LOOKS_PER_CLOCK 32 /* looks at the ring between two at the clock and at the queue's state */

int64_t utmem_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* Only the completion ring's line is looked at, the state (on the host's busy line) with the clock. */
static int look_often(struct utmem_queue *q, uint32_t want)
{
	uint32_t n;

	for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
		if (utmem_cq_peek(&q->cq, &n) || n >= want)
			break;
		cpu_relax();
	}
	return utmem_queue_enough(q, want);
}

/* -EAGAIN: looked for spin_ns (never beyond @deadline), and there is still not enough. */
static int spin(struct utmem_queue *q, uint32_t want, int64_t deadline)
{
	int64_t end = utmem_clock() + (int64_t)q->spin_ns;
	int err;

	if (deadline >= 0 && deadline < end)
		end = deadline;
	do
		err = look_often(q, want);
	while (err == -EAGAIN && utmem_clock() < end);
	return err;
}

/* A host that sleeps must be rung first, and where doorbells are held back only the sleep itself rings. */
static bool worth_spinning(const struct utmem_queue *q)
{
	return q->spin_ns && !(q->ops->defers && utmem_kick_needed(q->svc));
}

static int sleep_until(struct utmem_queue *q, uint32_t want, int64_t deadline)
{
	int err, enough;

	do {
		err = q->ops->sleep(q, want, deadline);
		enough = utmem_queue_enough(q, want);
	} while (!err && enough == -EAGAIN);
	return enough == -EAGAIN ? err : enough;
}

static int64_t deadline_of(int64_t timeout_ns)
{
	int64_t now = utmem_clock();

	return timeout_ns < 0 || timeout_ns > INT64_MAX - now ? -1 : now + timeout_ns;
}

/*
 * Until @want completions wait. -EAGAIN: there are not enough, and @timeout_ns is 0,
 * or it is for ever and not as many are under way. -ETIME, -EINTR, the queue's end.
 */
int utmem_queue_wait(struct utmem_queue *q, uint32_t want, int64_t timeout_ns)
{
	uint64_t waits = q->stats.waits;
	int64_t deadline;
	int err = utmem_queue_enough(q, want);

	if (err != -EAGAIN || !timeout_ns)
		return err;
	if (timeout_ns < 0 && want > utmem_queue_published(q))
		return -EAGAIN;
	deadline = deadline_of(timeout_ns);
	if (worth_spinning(q))
		err = spin(q, want, deadline);
	if (err == -EAGAIN)
		err = sleep_until(q, want, deadline);
	q->stats.spins += q->stats.waits == waits;
	return err;
}

int utmem_wait_cqe_timeout(struct utmem_queue *q, const struct utmem_cqe **cqe, int64_t timeout_ns)
{
	int err = utmem_queue_wait(q, 1, timeout_ns);

	*cqe = err ? NULL : utmem_cq_at(&q->cq, 0);
	return err;
}

int utmem_wait_cqe(struct utmem_queue *q, const struct utmem_cqe **cqe)
{
	return utmem_wait_cqe_timeout(q, cqe, -1);
}

/* ---- what transports sleep with ---- */

/* Ask the host for a wake-up at the @want-th completion, then look again: as utmem_queue_enough(). */
int utmem_queue_arm(struct utmem_queue *q, uint32_t want)
{
	int err;

	utmem_wake_arm(q->cq.page, q->cq.end.own + want);
	err = utmem_queue_enough(q, want);
	if (err != -EAGAIN)
		utmem_wake_disarm(q->cq.page);
	return err;
}

/* poll() until @deadline. Return: how many are ready, -ETIME, -EINTR. */
int utmem_poll(struct pollfd *fds, unsigned int nr, int64_t deadline)
{
	struct timespec left = {0};
	int64_t ns = deadline < 0 ? 0 : deadline - utmem_clock();
	int rc;

	if (ns > 0) {
		left.tv_sec = ns / NSEC_PER_SEC;
		left.tv_nsec = ns % NSEC_PER_SEC;
	}
	rc = ppoll(fds, nr, deadline < 0 ? NULL : &left, NULL);
	if (rc < 0)
		return -errno;
	return rc ? rc : -ETIME;
}

/* @fd does not block: nothing to read is fine. */
void utmem_eventfd_clear(int fd)
{
	uint64_t count;
	ssize_t rc = read(fd, &count, sizeof(count));

	(void)rc;
}

/* ---- event loops ---- */

int utmem_event_fd(const struct utmem_queue *q)
{
	return q->event_fd;
}

int utmem_event_arm(struct utmem_queue *q)
{
	int err = utmem_queue_enough(q, 1);

	if (err == -EAGAIN) {
		int rung = utmem_queue_ring(q, 0, true);

		if (rung)
			return rung;
	}
	if (err == -EAGAIN)
		err = utmem_queue_arm(q, 1);
	return err == -EAGAIN ? 0 : err ? err : 1;
}

void utmem_event_clear(struct utmem_queue *q)
{
	q->ops->event_clear(q);
}
