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
#define TIMED_FINDS 16
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

/*
 * At least once, and until @end. Return: as utmem_queue_enough(), *looked: ns since @begin.
 * Reading the clock may take longer than the answer did, and nobody is to wait for that with the
 * answer in hand: one find of TIMED_FINDS is timed, the others go by the clock before their last looks.
 */
static int look_until(struct utmem_queue *q, uint32_t want, int64_t begin, int64_t end,
		      uint64_t *looked)
{
	bool timed = q->stats.spins % TIMED_FINDS == 0;
	int64_t before, now = begin;
	int err;

	do {
		err = look_often(q, want);
		before = now;
		if (err == -EAGAIN || timed)
			now = utmem_clock();
	} while (err == -EAGAIN && now < end);
	*looked = (uint64_t)(now - begin);
	q->stats.spin_ns += *looked;
	if (err != -EAGAIN && timed)
		q->stats.spin_ns += (uint64_t)(now - before) * (TIMED_FINDS - 1);
	return err;
}

/*
 * NULL: do not look. A host that has to be woken answers later than one that is awake: what is
 * learned of the one is no use for the other; where doorbells are held back only the sleep itself
 * wakes it.
 */
static struct utmem_spin *spin_of(struct utmem_queue *q)
{
	bool sleeps;

	if (!q->spin[0].max_ns)
		return NULL;
	sleeps = utmem_host_sleeps(q->svc);
	return sleeps && q->ops->defers ? NULL : &q->spin[sleeps];
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

/* What became of the wait that began at @begin, looked for @looked ns, and went on to sleep. */
static void learn(const struct utmem_queue *q, struct utmem_spin *spin, uint64_t waits,
		  int64_t begin, uint64_t looked, int err)
{
	uint64_t ns = (uint64_t)(utmem_clock() - begin);

	if (q->stats.waits != waits)
		utmem_spin_slept(spin, looked, err ? UTMEM_SPIN_NO_ANSWER : ns);
	else if (!err)
		utmem_spin_found(spin, ns);
}

/* Look for as long as that pays, then sleep. */
static int look_then_sleep(struct utmem_queue *q, uint32_t want, int64_t begin, int64_t deadline)
{
	struct utmem_spin *spin = spin_of(q);
	uint64_t waits = q->stats.waits, looked = 0, look = spin ? utmem_spin_begin(spin) : 0;
	int64_t end = begin + (int64_t)look;
	int err = -EAGAIN;

	if (deadline >= 0 && deadline < end)
		end = deadline;
	if (look)
		err = look_until(q, want, begin, end, &looked);
	if (err != -EAGAIN) {
		if (!err)
			utmem_spin_found(spin, looked);
		return err;
	}
	err = sleep_until(q, want, deadline);
	if (spin)
		learn(q, spin, waits, begin, looked, err);
	return err;
}

static int64_t deadline_of(int64_t now, int64_t timeout_ns)
{
	return timeout_ns < 0 || timeout_ns > INT64_MAX - now ? -1 : now + timeout_ns;
}

/*
 * Until @want completions wait. -EAGAIN: there are not enough, and @timeout_ns is 0,
 * or it is for ever and not as many are under way. -ETIME, -EINTR, the queue's end.
 */
int utmem_queue_wait(struct utmem_queue *q, uint32_t want, int64_t timeout_ns)
{
	uint64_t waits = q->stats.waits;
	int err = utmem_queue_enough(q, want);
	int64_t begin;

	if (err != -EAGAIN || !timeout_ns)
		return err;
	if (timeout_ns < 0 && want > utmem_queue_published(q))
		return -EAGAIN;
	begin = utmem_clock();
	err = look_then_sleep(q, want, begin, deadline_of(begin, timeout_ns));
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
