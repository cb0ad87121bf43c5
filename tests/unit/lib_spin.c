// SPDX-License-Identifier: MIT
/*
 * How long waits look before they sleep, on a clock of our own: the code of wait.c, before a host
 * that answers so many nanoseconds after each wait has begun.
 */
#include <sched.h>
#include <stdarg.h>
#include <time.h>

static int fake_gettime(clockid_t id, struct timespec *ts);
#define clock_gettime fake_gettime
#include "libutmem/wait.c"
#undef clock_gettime

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define USEC 1000u
#define CEILING (20 * USEC)
#define CLOCK_NS 500u	       /* from one look at the clock to the next */
#define WOKEN_NS (28 * USEC)   /* from the answer to the end of the sleep that it ends */
#define FIRST_NS (5000 * USEC) /* on the clock */

static struct {
	uint64_t now, answer_at;
	struct utmem_ring_page *page;
	struct utmem_sq_reader sq;
	struct utmem_cq_writer cq;
	struct utmem_control control;
	struct utmem_queue q;
} sim;

static void answer(void)
{
	uint32_t n;

	assert_int_equal(utmem_sq_peek(&sim.sq, &n), 0);
	assert_int_equal(n, 1);
	utmem_cq_fill(&sim.cq, 0, 0, 0);
	utmem_cq_publish(&sim.cq);
	utmem_sq_release(&sim.sq, 1);
	sim.answer_at = UINT64_MAX;
}

static int fake_gettime(clockid_t id, struct timespec *ts)
{
	assert_int_equal(id, CLOCK_MONOTONIC);
	sim.now += CLOCK_NS;
	if (sim.now >= sim.answer_at)
		answer();
	ts->tv_sec = (time_t)(sim.now / NSEC_PER_SEC);
	ts->tv_nsec = (long)(sim.now % NSEC_PER_SEC);
	return 0;
}

static int sim_sleep(struct utmem_queue *q, uint32_t want, int64_t deadline)
{
	int err = utmem_queue_arm(q, want);

	if (err != -EAGAIN)
		return err;
	utmem_wake_disarm(sim.page);
	q->stats.waits++;
	if (deadline >= 0 && (uint64_t)deadline < sim.answer_at) {
		sim.now = (uint64_t)deadline;
		return -ETIME;
	}
	sim.now = sim.answer_at;
	answer();
	sim.now += WOKEN_NS;
	return 0;
}

static const struct utmem_transport sim_ops = {.spins = true, .sleep = sim_sleep};
static const struct utmem_transport sim_defers = {
	.spins = true, .defers = true, .sleep = sim_sleep};

static int start(void **state)
{
	struct utmem_geometry geo;

	(void)state;
	memset(&sim, 0, sizeof(sim));
	sim.now = FIRST_NS;
	sim.answer_at = UINT64_MAX;
	assert_int_equal(utmem_geometry_init(&geo, 0, 2, 4, 0), 0);
	sim.page = aligned_alloc(UTMEM_PAGE, geo.len);
	assert_non_null(sim.page);
	memset(sim.page, 0, geo.len);
	utmem_sq_reader_init(&sim.sq, sim.page, &geo, 0);
	utmem_cq_writer_init(&sim.cq, sim.page, &geo, 0);
	utmem_state_store(sim.page, UTMEM_QUEUE_LIVE, 0);
	utmem_sq_init(&sim.q.sq, sim.page, &geo, 0);
	utmem_cq_init(&sim.q.cq, sim.page, &geo, 0);
	sim.q.ops = &sim_ops;
	sim.q.svc = &sim.control.svc[0];
	sim.q.host = &sim.control.host;
	utmem_spin_init(&sim.q.spin[0], CEILING);
	utmem_spin_init(&sim.q.spin[1], CEILING);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	free(sim.page);
	return 0;
}

static void host_sleeps(bool sleeps)
{
	sim.control.svc[0].flags = sleeps ? UTMEM_SVC_NEED_KICK : 0;
}

/* A request that is answered after @ns, and a wait for it. Return: nanoseconds that it looked. */
static uint64_t one_wait(uint64_t ns, int64_t timeout_ns)
{
	uint64_t before = sim.q.stats.spin_ns;
	int err;

	assert_non_null(utmem_sq_reserve(&sim.q.sq));
	utmem_sq_publish(&sim.q.sq);
	sim.answer_at = sim.now + ns;
	err = utmem_queue_wait(&sim.q, 1, timeout_ns);
	if (err == -ETIME)
		answer(); /* nobody waits for it any more */
	else
		assert_int_equal(err, 0);
	utmem_cq_release(&sim.q.cq, 1);
	return sim.q.stats.spin_ns - before;
}

/* Return: nanoseconds that @nr waits looked. */
static uint64_t waits(unsigned int nr, uint64_t ns)
{
	uint64_t sum = 0;

	while (nr--)
		sum += one_wait(ns, -1);
	return sum;
}

/* ---- what is learned ---- */

static void a_host_that_answers_soon_is_never_slept_for(void **state)
{
	(void)state;
	waits(1000, 5 * USEC);
	assert_int_equal(sim.q.stats.waits, 0);
	assert_int_equal(sim.q.stats.spins, 1000);
	assert_in_range(sim.q.stats.spin_ns, 1000 * 5 * USEC - 1000 * CLOCK_NS,
			1000 * 5 * USEC + 2000 * CLOCK_NS);
}

/* The last looks before a find are timed now and then, and count for those that are not. */
static void what_is_found_at_once_is_paid_for_too(void **state)
{
	(void)state;
	waits(1600, 0);
	assert_in_range(sim.q.stats.spin_ns, 800 * CLOCK_NS, 3200 * CLOCK_NS);
}

static void a_host_that_answers_late_is_hardly_looked_for(void **state)
{
	(void)state;
	waits(100, 200 * USEC);
	assert_in_range(sim.q.stats.spin_ns, CEILING, 6 * CEILING);
	/* One look in UTMEM_SPIN_REST_MAX waits, once that is reached */
	waits(500, 200 * USEC);
	assert_in_range(waits(10 * UTMEM_SPIN_REST_MAX, 200 * USEC), 9 * CEILING,
			11 * (CEILING + CLOCK_NS));
	assert_int_equal(sim.q.stats.waits, 600 + 10 * UTMEM_SPIN_REST_MAX);
	assert_int_equal(sim.q.stats.spins, 0);
}

static void a_host_that_has_become_fast_is_found_out(void **state)
{
	uint64_t slept;

	(void)state;
	waits(2000, 200 * USEC);
	slept = sim.q.stats.waits;
	/* Sleeps that are over so soon cut the rest short. */
	waits(16, 5 * USEC);
	assert_in_range(sim.q.stats.waits - slept, 1, 15);
	slept = sim.q.stats.waits;
	waits(1000, 5 * USEC);
	assert_int_equal(sim.q.stats.waits, slept);
}

static void so_is_one_behind_slow_sleeps_that_say_nothing(void **state)
{
	struct utmem_spin s;
	unsigned int nr;

	(void)state;
	utmem_spin_init(&s, CEILING);
	for (nr = 0; nr < 2000; nr++)
		utmem_spin_slept(&s, utmem_spin_begin(&s), 200 * USEC);
	/* As in a VM, whose wake-ups take longer than any ceiling. */
	for (nr = 0; !utmem_spin_begin(&s); nr++)
		utmem_spin_slept(&s, 0, 200 * USEC);
	assert_in_range(nr, 0, UTMEM_SPIN_REST_MAX);
	utmem_spin_found(&s, 5 * USEC);
	assert_int_equal(utmem_spin_begin(&s), 10 * USEC);
}

/* The first answer beyond the look is slept for, and tells enough. */
static void a_host_that_slows_down_within_the_ceiling_is_followed_at_once(void **state)
{
	uint64_t slept;

	(void)state;
	waits(100, 2 * USEC);
	for (int i = 0; i < 2; i++) /* two late ones, so that looks are short */
		one_wait(300 * USEC, -1);
	waits(1, 2 * USEC);
	slept = sim.q.stats.waits;
	waits(100, 15 * USEC);
	assert_int_equal(sim.q.stats.waits - slept, 1);
}

/* Its sleeps are short, so each looks as if the ceiling would have caught it. */
static void a_host_that_is_always_a_little_late_costs_a_part_of_the_ceiling(void **state)
{
	(void)state;
	waits(2000, CEILING + USEC);
	assert_int_equal(sim.q.stats.spins, 0);
	assert_in_range(waits(1000, CEILING + USEC), 1, 1000 * CEILING / 8);
}

static void every_second_answer_late_is_no_reason_to_stop_looking(void **state)
{
	uint64_t found;

	(void)state;
	for (int i = 0; i < 100; i++) {
		one_wait(4 * USEC, -1);
		one_wait(200 * USEC, -1);
	}
	found = sim.q.stats.spins;
	for (int i = 0; i < 100; i++) {
		one_wait(4 * USEC, -1);
		assert_in_range(one_wait(200 * USEC, -1), 1, CEILING / 2);
	}
	assert_int_equal(sim.q.stats.spins - found, 100);
}

/* The host is held up now and then: the looks in vain are made up for by all the others. */
static void a_late_answer_now_and_then_makes_no_look_shorter(void **state)
{
	uint64_t slept;

	(void)state;
	for (int i = 0; i < 100; i++) {
		waits(19, 2 * USEC);
		one_wait(3000 * USEC, -1);
	}
	waits(19, 2 * USEC);
	slept = sim.q.stats.waits;
	assert_int_equal(slept, 100);
	waits(1, 19 * USEC);
	assert_int_equal(sim.q.stats.waits, slept);
}

static void what_a_woken_host_takes_says_nothing_about_one_that_is_awake(void **state)
{
	(void)state;
	host_sleeps(true);
	waits(1000, 200 * USEC);
	host_sleeps(false);
	assert_in_range(waits(1, 15 * USEC), 15 * USEC - CLOCK_NS,
			CEILING + TIMED_FINDS * CLOCK_NS);
	assert_int_equal(sim.q.stats.spins, 1);
}

static void a_sleeping_host_behind_a_driver_is_not_looked_for_but_woken(void **state)
{
	(void)state;
	sim.q.ops = &sim_defers;
	host_sleeps(true);
	assert_int_equal(waits(1000, 2 * USEC), 0);
	assert_int_equal(sim.q.stats.waits, 1000);
	host_sleeps(false);
	assert_in_range(waits(1000, 2 * USEC), 1, UINT64_MAX);
	assert_int_equal(sim.q.stats.waits, 1000);
}

/* ---- edges ---- */

static void without_a_ceiling_nobody_looks(void **state)
{
	(void)state;
	utmem_spin_init(&sim.q.spin[0], 0);
	utmem_spin_init(&sim.q.spin[1], 0);
	assert_int_equal(waits(1000, 2 * USEC), 0);
	assert_int_equal(sim.q.stats.waits, 1000);
}

static void the_ceiling_is_the_callers_and_none_on_one_cpu(void **state)
{
	cpu_set_t cpus, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	utmem_spins_init(&sim.q, 5);
	assert_int_equal(sim.q.spin[0].max_ns | sim.q.spin[1].max_ns, 0);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	if (CPU_COUNT(&cpus) < 2)
		skip();
	utmem_spins_init(&sim.q, 5);
	assert_int_equal(sim.q.spin[0].max_ns, 5 * USEC);
	assert_int_equal(sim.q.spin[1].max_ns, 5 * USEC);
	utmem_spins_init(&sim.q, UTMEM_NO_SPIN);
	assert_int_equal(sim.q.spin[0].max_ns, 0);
	utmem_spins_init(&sim.q, UTMEM_NO_SPIN - 1);
	assert_true(sim.q.spin[0].max_ns == (UINT32_MAX - 1ull) * USEC);
}

static void nobody_looks_beyond_the_ceiling_whatever_it_was_found_after(void **state)
{
	struct utmem_spin s;

	(void)state;
	utmem_spin_init(&s, CEILING);
	assert_int_equal(utmem_spin_begin(&s), CEILING);
	utmem_spin_found(&s, UINT64_MAX);
	assert_int_equal(utmem_spin_begin(&s), CEILING);
	utmem_spin_init(&s, UINT64_MAX / 2);
	utmem_spin_found(&s, UINT64_MAX);
	assert_int_equal(utmem_spin_begin(&s), UINT64_MAX / 2);
}

static void nobody_looks_beyond_the_deadline(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_in_range(one_wait(200 * USEC, 3 * USEC), 0, 3 * USEC + CLOCK_NS);
	assert_int_equal(sim.q.stats.waits, 100);
}

/* A timeout that comes soon is no answer that came soon. */
static void timeouts_stop_the_looking_too(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		one_wait(200 * USEC, 3 * USEC);
	assert_in_range(sim.q.stats.spin_ns, 1, 100 * 3 * USEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_host_that_answers_soon_is_never_slept_for),
		TEST(what_is_found_at_once_is_paid_for_too),
		TEST(a_host_that_answers_late_is_hardly_looked_for),
		TEST(a_host_that_has_become_fast_is_found_out),
		TEST(so_is_one_behind_slow_sleeps_that_say_nothing),
		TEST(a_host_that_slows_down_within_the_ceiling_is_followed_at_once),
		TEST(a_host_that_is_always_a_little_late_costs_a_part_of_the_ceiling),
		TEST(every_second_answer_late_is_no_reason_to_stop_looking),
		TEST(a_late_answer_now_and_then_makes_no_look_shorter),
		TEST(what_a_woken_host_takes_says_nothing_about_one_that_is_awake),
		TEST(a_sleeping_host_behind_a_driver_is_not_looked_for_but_woken),
		TEST(without_a_ceiling_nobody_looks),
		TEST(the_ceiling_is_the_callers_and_none_on_one_cpu),
		TEST(nobody_looks_beyond_the_ceiling_whatever_it_was_found_after),
		TEST(nobody_looks_beyond_the_deadline),
		TEST(timeouts_stop_the_looking_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
