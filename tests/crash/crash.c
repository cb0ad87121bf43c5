// SPDX-License-Identifier: MIT
/*
 * The killer: clients write, the worker dies, and dies again; after each restart every
 * key is read and compared with the journal. README.md says what is proved.
 *
 * Usage: crash --utmemd PATH [--kills N] [--points FILE] [--seed N] [--sabotage WHAT]
 * Exit code 0: nothing was lost, torn or duplicated, and no call failed.
 */
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/host.h"
#include "tests/crash/journal.h"
#include "tests/crash/points.h"
#include "tests/crash/run.h"
#include "tests/crash/sabotage.h"

/* Answers between two kills, at most; and before an armed worker is killed in vain. */
#define ANSWERS_MAX 6000u
#define ANSWERS_ARMED 20000u
/* An armed point kills the 1st to 512th time that a worker comes by. */
#define NTH_BITS_MAX 9u

struct killer {
	struct host host;
	struct run run;
	struct points points;
	struct point *armed; /* what the next worker takes, or the present one took */
	pthread_t threads[NR_CLIENTS + 1];
	struct client_start starts[NR_CLIENTS + 1];
	uint64_t random;
	uint32_t kills, nr_killed;
	const char *utmemd, *points_path, *sabotage;
};

enum event { REACHED, DIED, FAILED };

static uint32_t pick(struct killer *k, uint32_t n)
{
	return (uint32_t)((next_random(&k->random) >> 16) % n);
}

/* ---- waiting ---- */

static bool is_swept(struct killer *k)
{
	for (uint32_t i = 0; i < NR_CLIENTS; i++)
		if (run_load(&k->run.swept[i]) != k->run.sweep)
			return false;
	return true;
}

static bool has_answers(struct killer *k)
{
	return __atomic_load_n(&k->run.answers, __ATOMIC_SEQ_CST) >= k->run.answers_want;
}

static bool never(struct killer *k)
{
	(void)k;
	return false;
}

static void drain_event(const struct run *r)
{
	uint64_t n;

	if (read(r->event_fd, &n, sizeof(n)) < 0)
		return; /* nobody rang */
}

/* Until @done, or the worker has died; FAILED: nothing happens any more, or a call failed. */
static enum event await(struct killer *k, bool (*done)(struct killer *k))
{
	struct pollfd fds[] = {{k->run.event_fd, POLLIN, 0}, {k->host.worker_fd, POLLIN, 0}};

	while (!done(k)) {
		if (__atomic_load_n(&tally.failed, __ATOMIC_RELAXED))
			return FAILED;
		if (poll(fds, 2, DEADLINE_S * 1000) <= 0) {
			fprintf(stderr, "no progress for %u s\n", DEADLINE_S);
			return FAILED;
		}
		if (fds[1].revents)
			return DIED;
		drain_event(&k->run);
	}
	return REACHED;
}

static enum event await_answers(struct killer *k, uint32_t n)
{
	uint64_t want = __atomic_load_n(&k->run.answers, __ATOMIC_RELAXED) + n;

	/* seen by whoever counts beyond what we look at next */
	__atomic_store_n(&k->run.answers_want, want, __ATOMIC_SEQ_CST);
	return await(k, has_answers);
}

static enum event sweep(struct killer *k)
{
	__atomic_add_fetch(&k->run.sweep, 1, __ATOMIC_ACQ_REL);
	return await(k, is_swept);
}

/* ---- killing ---- */

/* The first time where nobody comes by often, as it seems; else early times more often than late ones. */
static uint32_t pick_nth(struct killer *k, const struct point *p)
{
	if (p->nr_armed > p->nr_died || !pick(k, 2))
		return 1;
	return 1 + pick(k, 1u << pick(k, NTH_BITS_MAX + 1));
}

/* For the next worker. Never while one is armed that has not yet started. */
static void arm_next(struct killer *k)
{
	struct point *p = pick(k, 3) ? points_pick(&k->points, &k->random) : NULL;

	k->armed = p;
	if (p && host_arm(&k->host, p->name, pick_nth(k, p)))
		p->nr_armed++;
}

/* The worker dies once: by what it was armed with, or by us. */
static enum event kill_one(struct killer *k)
{
	struct point *armed = k->armed;
	enum event ev;

	if (!host_await_worker(&k->host)) {
		fprintf(stderr, "no worker comes\n");
		return FAILED;
	}
	ev = sweep(k);
	k->armed = NULL;
	if (ev == REACHED) {
		arm_next(k);
		ev = await_answers(k, armed ? ANSWERS_ARMED : 1 + pick(k, ANSWERS_MAX));
	}
	if (ev == DIED && armed)
		armed->nr_died++;
	if (ev == REACHED) {
		kill(k->host.worker, SIGKILL);
		ev = await(k, never);
	}
	k->nr_killed += ev == DIED;
	return ev;
}

static enum event kill_all(struct killer *k)
{
	enum event ev = REACHED;

	while (k->nr_killed < k->kills && ev != FAILED)
		ev = kill_one(k);
	host_disarm(&k->host);
	if (ev == DIED)
		ev = host_await_worker(&k->host) ? REACHED : FAILED;
	if (ev == REACHED)
		ev = await_answers(k, ANSWERS_MAX);
	return ev == REACHED ? sweep(k) : ev;
}

/* ---- the whole ---- */

static enum event sabotage_run(struct killer *k)
{
	enum event ev = await_answers(k, ANSWERS_MAX);

	run_hold(&k->run, true);
	if (ev == REACHED)
		ev = sweep(k);
	if (ev == REACHED && sabotage(k->host.transport, k->sabotage))
		ev = FAILED;
	run_hold(&k->run, false);
	return ev == REACHED ? sweep(k) : ev;
}

static void start_clients(struct killer *k)
{
	k->run.transport = k->host.transport;
	for (uint32_t i = 0; i <= NR_CLIENTS; i++) {
		k->starts[i] = (struct client_start){.run = &k->run, .no = i};
		if (pthread_create(&k->threads[i], NULL, i < NR_CLIENTS ? client_main : comer_main,
				   &k->starts[i]))
			abort();
	}
}

static void stop_clients(struct killer *k)
{
	__atomic_store_n(&k->run.stop, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i <= NR_CLIENTS; i++)
		pthread_join(k->threads[i], NULL);
}

static int run(struct killer *k)
{
	bool good;
	enum event ev;

	if (host_start(&k->host, k->utmemd))
		return 1;
	k->run.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	start_clients(k);
	ev = k->sabotage ? sabotage_run(k) : kill_all(k);
	stop_clients(k);
	good = ev == REACHED && !tally.failed && !tally.lost && !tally.torn && !tally.duplicated;
	good &= host_stop(&k->host, !good && !k->sabotage);
	if (tally.failed)
		fprintf(stderr, "%llu calls failed\n", (unsigned long long)tally.failed);
	if (k->points.nr)
		points_report(&k->points);
	printf("crash: kills=%u acked=%llu lost=%llu torn=%llu duplicated=%llu\n", k->nr_killed,
	       (unsigned long long)tally.acked, (unsigned long long)tally.lost,
	       (unsigned long long)tally.torn, (unsigned long long)tally.duplicated);
	return good ? 0 : 1;
}

static bool parse(struct killer *k, int argc, char **argv)
{
	static const struct option options[] = {
		{"utmemd", required_argument, NULL, 'u'},   {"kills", required_argument, NULL, 'k'},
		{"points", required_argument, NULL, 'p'},   {"seed", required_argument, NULL, 's'},
		{"sabotage", required_argument, NULL, 'x'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'u')
			k->utmemd = optarg;
		else if (c == 'k')
			k->kills = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			k->points_path = optarg;
		else if (c == 's')
			k->run.seed = strtoull(optarg, NULL, 10);
		else if (c == 'x')
			k->sabotage = optarg;
		else
			return false;
	}
	return k->utmemd && optind == argc;
}

int main(int argc, char **argv)
{
	static struct killer k = {.run.seed = 0};

	if (!parse(&k, argc, argv)) {
		fprintf(stderr, "usage: crash --utmemd PATH [--kills N] [--points FILE] "
				"[--seed N] [--sabotage lose|tear|duplicate]\n");
		return 2;
	}
	if (!k.run.seed)
		k.run.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	k.random = k.run.seed;
	printf("seed %llu\n", (unsigned long long)k.run.seed);
	fflush(stdout);
	if (k.points_path && points_read(&k.points, k.points_path))
		return 1;
	return run(&k);
}
