// SPDX-License-Identifier: MIT
/*
 * Requests of several processes, while the host sleeps: how many doorbells, and when. The parent
 * says whose turn it is; each child has a file and a queue of its own.
 *
 * Each group of requests ends with its completions. Who sees those sees the end of the host's sleep,
 * so that the next group finds the host in a sleep that nobody has rung for.
 *
 * "driver-coalesce stopped" says when it is ready, and expects a line on stdin when the host has
 * been stopped, and another one when it goes on.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/vm/guest/driver.h"

#define CHILDREN 4
#define BATCH 8
#define ROUNDS 25
#define EACH 5 /* requests of a process while the host is stopped */
#define LONG_USECS UTMEM_BATCH_USECS_MAX

static struct raw own; /* the parent's; it submits nothing but where a test says so */
static int child_fd[CHILDREN];

/*
 * 's': submit one request, do not wait. 'f': the same, and ring now. 't': take a completion. Each is
 * answered by a byte.
 */
static void child(int fd)
{
	struct raw r;
	char c = 0;

	raw_open(&r, 64, BATCH, LONG_USECS);
	do {
		if (c == 's' || c == 'f') {
			raw_publish_nops(&r, 1);
			if (raw_enter(&r, 1, 0, c == 'f' ? UTMEM_ENTER_FLUSH : 0, 0))
				_exit(1);
		} else if (c == 't' && !raw_spin(&r, 1)) {
			_exit(1);
		}
		if (write(fd, &c, 1) != 1)
			_exit(1);
	} while (read(fd, &c, 1) == 1);
	_exit(0);
}

static void tell(unsigned int i, char c)
{
	if (write(child_fd[i], &c, 1) != 1 || read(child_fd[i], &c, 1) != 1)
		die("a child answers");
}

static void start_children(void)
{
	for (unsigned int i = 0; i < CHILDREN; i++) {
		int fd[2];
		char c;

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
			die("socketpair");
		fflush(stdout);
		if (!fork()) {
			close(fd[0]);
			while (i--)
				close(child_fd[i]);
			child(fd[1]);
		}
		close(fd[1]);
		child_fd[i] = fd[0];
		if (read(fd[0], &c, 1) != 1)
			die("a child starts");
	}
}

static void end_children(void)
{
	int status, bad = 0;

	for (unsigned int i = 0; i < CHILDREN; i++)
		close(child_fd[i]);
	while (wait(&status) > 0)
		bad |= status;
	report_is("every process was served", 0, bad);
}

static struct utmem_ioc_counters device(void)
{
	return raw_stats(&own).device;
}

/* A host that a timer of its own has woken is found awake: no doorbell then, but one that was due. */
static uint64_t due(const struct utmem_ioc_counters *before)
{
	struct utmem_ioc_counters now = device();

	return now.doorbells + now.awake - before->doorbells - before->awake;
}

/* It counts up when the host wakes up by itself. */
static uint32_t heartbeat(void)
{
	return utmem_load_acquire(&own.control->host.heartbeat);
}

static void batches_of_many(void)
{
	struct utmem_ioc_counters before = device(), now;
	uint64_t early = 0, quiet = 0, rung = 0, same = 0;
	uint32_t sleep = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct utmem_ioc_counters start = device();
		uint32_t beat = heartbeat(), last = sleep;

		sleep = raw_wait_host_asleep(&own);
		same += sleep == last;
		for (unsigned int i = 0; i < BATCH - 1; i++)
			tell(i % CHILDREN, 's');
		early += due(&start);
		tell((BATCH - 1) % CHILDREN, 's');
		if (heartbeat() == beat) {
			quiet++;
			rung += device().doorbells - start.doorbells;
		}
		for (unsigned int i = 0; i < BATCH; i++)
			tell(i % CHILDREN, 't');
	}
	now = device();
	report_is("no doorbell before batch_max requests are there", 0, (long long)early);
	report_is("one doorbell for each batch_max requests of 4 processes", ROUNDS,
		  (long long)due(&before));
	report_is("all requests counted", ROUNDS * BATCH, now.requests - before.requests);
	report_is("all but one of each batch deferred", ROUNDS * (BATCH - 1),
		  now.deferred - before.deferred);
	report(quiet > 0, "the host slept between the batches");
	report_is("and whenever it did, it was rung", (long long)quiet, (long long)rung);
	report_is("each sleep has another number", 0, (long long)same);
	printf("requests %llu doorbells %llu awake %llu interrupts %llu\n",
	       now.requests - before.requests, now.doorbells - before.doorbells,
	       now.awake - before.awake, now.interrupts - before.interrupts);
}

static void timer_rings(void)
{
	struct utmem_ioc_counters before = device();

	raw_set(&own, raw_knobs(BATCH, 2000));
	raw_wait_host_asleep(&own);
	raw_publish_nops(&own, 1);
	raw_enter(&own, 1, 0, 0, 0);
	report(raw_spin(&own, 1), "a lonely request is served after batch_usecs");
	report_is("by one doorbell", 1, (long long)due(&before));
	report_is("which is its queue's", 1,
		  (long long)(raw_stats(&own).queue.doorbells + raw_stats(&own).queue.awake));
}

static void no_delay_rings(void)
{
	struct utmem_ioc_counters before;

	raw_set(&own, raw_knobs(BATCH, 0));
	raw_wait_host_asleep(&own);
	before = device();
	raw_publish_nops(&own, 1);
	raw_enter(&own, 1, 0, 0, 0);
	report_is("batch_usecs 0 rings at once", 1, (long long)due(&before));
	report_is("and defers nothing", 0, (long long)(device().deferred - before.deferred));
	raw_spin(&own, 1);
}

static void wait_rings(void)
{
	struct utmem_ioc_counters before;

	raw_set(&own, raw_knobs(UTMEM_BATCH_MAX_MAX, LONG_USECS));
	raw_wait_host_asleep(&own);
	before = device();
	tell(0, 's');
	report_is("one waits", 0, (long long)due(&before));
	raw_publish_nops(&own, 1);
	report_errno("who sleeps rings at once", 0, raw_enter(&own, 1, 1, 0, -1));
	raw_spin(&own, 1);
	tell(0, 't');
	report_is("for all who wait", 1, (long long)due(&before));
}

static void flush_rings(void)
{
	struct utmem_ioc_counters before;

	raw_wait_host_asleep(&own);
	before = device();
	raw_publish_nops(&own, 2);
	raw_enter(&own, 2, 0, 0, 0);
	report_is("two wait", 0, (long long)due(&before));
	raw_enter(&own, 0, 0, UTMEM_ENTER_FLUSH, 0);
	report_is("FLUSH rings at once", 1, (long long)due(&before));
	raw_spin(&own, 2);
	raw_wait_host_asleep(&own);
	before = device();
	raw_enter(&own, 0, 0, UTMEM_ENTER_FLUSH, 0);
	report_is("but not for nothing", 0, (long long)due(&before));
}

static void impatient_queue_rings(void)
{
	struct utmem_ioc_counters before;

	raw_set(&own, raw_knobs(1, LONG_USECS));
	raw_wait_host_asleep(&own);
	before = device();
	tell(0, 's');
	tell(1, 's');
	report_is("two patient ones wait", 0, (long long)due(&before));
	raw_publish_nops(&own, 1);
	raw_enter(&own, 1, 0, 0, 0);
	report_is("a queue with batch_max 1 takes them along", 1, (long long)due(&before));
	raw_spin(&own, 1);
	tell(0, 't');
	tell(1, 't');
}

/* A request that was published without a word to the driver, as while the host was awake. */
static void unannounced_request_is_not_slept_on(void)
{
	raw_wait_host_asleep(&own);
	raw_publish_nops(&own, 1);
	report_errno("who sleeps on an unannounced request is served", 0,
		     raw_enter(&own, 0, 1, 0, DEADLINE_SECONDS * 1000000000ll));
	raw_spin(&own, 1);
}

/* Nobody can end the sleep but the first doorbell, and it does not: all others are told of it. */
static void one_doorbell_for_a_sleep_that_does_not_end(void)
{
	struct utmem_ioc_counters before, now;
	uint32_t sleep = raw_wait_host_asleep(&own);

	printf("ready\n");
	wait_for_line();
	report_is("the host is stopped in its sleep", sleep, utmem_kick_needed(own.svc));
	before = device();
	for (unsigned int i = 0; i < CHILDREN * EACH; i++)
		tell(i % CHILDREN, 'f');
	now = device();
	report_is("4 processes that flush ring one doorbell", 1, now.doorbells - before.doorbells);
	report_is("all others know of it", CHILDREN * EACH - 1, now.awake - before.awake);
	raw_publish_nops(&own, 1);
	report_errno("who sleeps for an answer gets none", ETIME, raw_enter(&own, 1, 1, 0, 1000));
	report_is("and does not ring, either", 1, device().doorbells - before.doorbells);
	printf("rung\n");
	wait_for_line();
	for (unsigned int i = 0; i < CHILDREN * EACH; i++)
		tell(i % CHILDREN, 't');
	report(raw_spin(&own, 1), "the one doorbell was enough for all");
}

static int stopped(void)
{
	start_children();
	raw_open(&own, 64, BATCH, LONG_USECS);
	one_doorbell_for_a_sleep_that_does_not_end();
	end_children();
	raw_close(&own);
	return failed;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "stopped"))
		return stopped();
	start_children();
	raw_open(&own, 64, BATCH, LONG_USECS);
	batches_of_many();
	timer_rings();
	no_delay_rings();
	wait_rings();
	flush_rings();
	impatient_queue_rings();
	unannounced_request_is_not_slept_on();
	end_children();
	raw_close(&own);
	return failed;
}
