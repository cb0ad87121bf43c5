// SPDX-License-Identifier: MIT
/*
 * The window and the budget of polling, under a clock that the test moves: one thread that turns,
 * looks and sleeps as serve.c has it, and requests that come when a function says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "host/utmemd/poll.h"

#define US 1000ull
#define MS (1000 * US)
#define S (1000 * MS)

#define LOOK_NS 250ull	  /* a turn that finds nothing */
#define WORK_NS 500ull	  /* one that serves */
#define WAKE_NS (25 * US) /* from a doorbell until the thread runs */
#define CEILING (50 * US)
#define SAMPLE_NS MS /* of the polled time, for sliding seconds */
#define SAMPLES_MAX 20000u

struct sim {
	struct poller p;
	uint64_t now, arrival;
	uint64_t (*next)(uint64_t after); /* when the request comes that follows one of that time */
	uint64_t polled[SAMPLES_MAX];	  /* at each SAMPLE_NS */
	uint32_t nr_samples;
};

static struct sim sim;

static void begin(uint64_t ceiling, uint32_t percent, uint64_t (*next)(uint64_t after))
{
	memset(&sim, 0, sizeof(sim));
	sim.now = 7 * S; /* no clock begins at 0 */
	sim.next = next;
	sim.arrival = next(sim.now);
	poller_init(&sim.p, ceiling, percent, sim.now);
}

static void sample(void)
{
	while (sim.nr_samples < SAMPLES_MAX && sim.now >= 7 * S + sim.nr_samples * SAMPLE_NS)
		sim.polled[sim.nr_samples++] = sim.p.counters.polled_ns;
}

static void sleep_until_rung(void)
{
	poller_sleeps(&sim.p);
	if (sim.arrival > sim.now)
		sim.now = sim.arrival;
	sim.now += WAKE_NS;
	poller_woke(&sim.p, sim.now, true);
}

static void turn(void)
{
	if (sim.arrival <= sim.now) {
		sim.now += WORK_NS;
		/* a client that waits for its answer asks the next after it */
		sim.arrival = sim.next(sim.now);
		poller_worked(&sim.p, sim.now);
	} else {
		sim.now += LOOK_NS;
		if (!poller_goes_on(&sim.p, sim.now))
			sleep_until_rung();
	}
	sample();
}

static void run(uint64_t ns)
{
	uint64_t until = sim.now + ns;

	while (sim.now < until)
		turn();
}

/* What a stretch of @ns adds. */
static struct poll_counters counted(uint64_t ns)
{
	struct poll_counters before = sim.p.counters, c;

	run(ns);
	c = sim.p.counters;
	c.polled_ns -= before.polled_ns;
	c.nr_finds -= before.nr_finds;
	c.slept_ns -= before.slept_ns;
	c.nr_sleeps -= before.nr_sleeps;
	c.nr_bell_wakes -= before.nr_bell_wakes;
	c.nr_other_wakes -= before.nr_other_wakes;
	return c;
}

static uint64_t after_5us(uint64_t t)
{
	return t + 5 * US;
}

static uint64_t after_20us(uint64_t t)
{
	return t + 20 * US;
}

static uint64_t after_40us(uint64_t t)
{
	return t + 40 * US;
}

static uint64_t after_60us(uint64_t t)
{
	return t + 60 * US;
}

static uint64_t after_1ms(uint64_t t)
{
	return t + MS;
}

static uint64_t after_100ms(uint64_t t)
{
	return t + 100 * MS;
}

/* ---- the window ---- */

static void idle_thread_sleeps_after_one_window_and_stays_asleep(void **state)
{
	uint64_t i;

	(void)state;
	begin(CEILING, 100, after_1ms);
	turn(); /* the first look */
	while (sim.p.counters.nr_sleeps == 0)
		turn();
	assert_in_range(sim.p.counters.polled_ns, CEILING - LOOK_NS, CEILING);
	/* heartbeats and control requests: nobody came */
	for (i = 0; i < 10; i++) {
		sim.now += 100 * MS;
		poller_woke(&sim.p, sim.now, false);
		sim.now += LOOK_NS;
		assert_false(poller_goes_on(&sim.p, sim.now));
	}
	assert_in_range(sim.p.counters.polled_ns, CEILING - LOOK_NS, CEILING);
	assert_int_equal(sim.p.counters.nr_other_wakes, 10);
}

static void arrivals_within_the_window_are_all_found_by_polling(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 100, after_20us);
	c = counted(S);
	assert_int_equal(c.nr_sleeps, 0);
	assert_in_range(c.nr_finds, 45000, 50000);
	assert_int_equal(sim.p.window_ns, CEILING);
}

/* As KVM's: from nothing to what would have caught them, in doublings. */
static void window_grows_from_nothing_when_wakeups_come_soon(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 100, after_1ms);
	run(S);
	assert_int_equal(sim.p.window_ns, 0);
	sim.next = after_40us;
	c = counted(S);
	assert_true(c.nr_sleeps <= 5);
	assert_true(c.nr_finds > 20000);
	assert_true(sim.p.window_ns >= 40 * US);
}

static void sparse_arrivals_cost_a_few_windows_and_then_nothing(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 100, after_1ms);
	run(10 * MS);
	assert_true(sim.p.counters.polled_ns <= 2 * CEILING);
	assert_int_equal(sim.p.window_ns, 0);
	c = counted(S);
	assert_int_equal(c.polled_ns, 0);
	assert_int_equal(c.nr_finds, 0);
	assert_int_equal(c.nr_sleeps, c.nr_bell_wakes);
	assert_true(c.slept_ns > S * 9 / 10);
}

/* Each wake-up says that a little longer would have done, and it never does. */
static void arrivals_just_beyond_the_ceiling_cost_little(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 100, after_60us);
	run(100 * MS);
	c = counted(S);
	assert_int_equal(c.nr_finds, 0);
	assert_true(c.polled_ns < S * 5 / 100);
	/* and when they come sooner they are found, if only after a while */
	sim.next = after_40us;
	run(20 * MS);
	c = counted(S);
	assert_true(c.nr_sleeps <= 2);
}

static uint64_t in_bursts(uint64_t t)
{
	static uint32_t nr;

	return ++nr % 20 ? t + 20 * US : t + 2 * MS;
}

static void bursts_are_found_but_for_their_beginnings(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 100, in_bursts);
	run(100 * MS);
	c = counted(S);
	assert_true(c.nr_finds > 8 * c.nr_sleeps);
}

static void a_miss_among_finds_costs_one_sleep(void **state)
{
	(void)state;
	begin(CEILING, 100, after_40us);
	run(10 * MS);
	assert_int_equal(sim.p.counters.nr_sleeps, 0);
	sim.arrival += 20 * US;
	run(10 * MS);
	assert_true(sim.p.counters.nr_sleeps <= 2);
	assert_int_equal(sim.p.window_ns, CEILING);
}

static void other_wakeups_do_not_make_the_window_grow(void **state)
{
	uint32_t i;

	(void)state;
	begin(CEILING, 100, after_1ms);
	run(S);
	assert_int_equal(sim.p.window_ns, 0);
	for (i = 0; i < 1000; i++) {
		sim.now += 5 * US;
		poller_worked(&sim.p, sim.now);
		sim.now += LOOK_NS;
		assert_false(poller_goes_on(&sim.p, sim.now));
		sim.now += 5 * US;
		poller_woke(&sim.p, sim.now, false);
	}
	assert_int_equal(sim.p.window_ns, 0);
}

static void ceiling_of_nothing_never_polls(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(0, 100, after_5us);
	c = counted(S);
	assert_int_equal(c.polled_ns, 0);
	assert_int_equal(c.nr_finds, 0);
	assert_int_equal(sim.p.window_ns, 0);
}

static void ceiling_below_the_least_window_is_the_window(void **state)
{
	(void)state;
	begin(6 * US, 100, after_1ms);
	run(S);
	assert_int_equal(sim.p.window_ns, 0);
	sim.next = after_5us;
	run(S);
	assert_int_equal(sim.p.window_ns, 6 * US);
}

static void what_is_done_between_looks_is_no_polling(void **state)
{
	(void)state;
	begin(CEILING, 100, after_1ms);
	sim.now += LOOK_NS;
	assert_true(poller_goes_on(&sim.p, sim.now));
	sim.now += 10 * US;
	poller_skip(&sim.p, sim.now);
	sim.now += LOOK_NS;
	assert_true(poller_goes_on(&sim.p, sim.now));
	assert_int_equal(sim.p.counters.polled_ns, LOOK_NS);
}

static void another_ceiling_begins_anew_and_holds_at_once(void **state)
{
	(void)state;
	begin(CEILING, 100, after_1ms);
	run(S);
	assert_int_equal(sim.p.window_ns, 0);
	poller_tune(&sim.p, 20 * US, 100);
	assert_int_equal(sim.p.window_ns, 20 * US);
	sim.next = after_5us;
	run(MS);
	poller_tune(&sim.p, 20 * US, 50); /* the budget alone: nothing is forgotten */
	assert_int_equal(sim.p.window_ns, 20 * US);
	poller_tune(&sim.p, 0, 50);
	assert_int_equal(counted(S).polled_ns, 0);
}

/* ---- the budget ---- */

/* The most that was polled in any second, to the millisecond. */
static uint64_t worst_second(void)
{
	uint64_t worst = 0;
	uint32_t i;

	assert_true(sim.nr_samples > S / SAMPLE_NS);
	for (i = S / SAMPLE_NS; i < sim.nr_samples; i++) {
		uint64_t polled = sim.polled[i] - sim.polled[i - S / SAMPLE_NS];

		if (polled > worst)
			worst = polled;
	}
	return worst;
}

/*
 * And at least @least percent of the budget are used. Polling would find everything, and
 * take nearly all time: the hardest case for a budget.
 */
static void keeps(uint32_t percent, uint64_t ceiling, uint64_t (*next)(uint64_t), uint64_t least)
{
	uint64_t budget = S / 100 * percent;

	begin(ceiling, percent, next);
	run(10 * S);
	assert_true(worst_second() <= budget);
	assert_true(sim.p.counters.polled_ns >= 10 * budget / 100 * least);
}

static void no_second_has_more_polling_than_the_budget(void **state)
{
	static const uint32_t percents[] = {1, 2, 10, 50, 80};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		keeps(percents[i], CEILING, after_40us, 75);
	/* a window that no bucket can hold */
	keeps(1, S, after_100ms, 50);
	keeps(50, S, after_100ms, 50);
}

static void budget_of_99_percent_is_a_limit_and_100_is_none(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 99, after_40us);
	run(10 * S);
	assert_true(worst_second() <= S * 99 / 100);
	assert_true(sim.p.counters.nr_sleeps > 0);
	begin(CEILING, 100, after_40us);
	c = counted(10 * S);
	assert_int_equal(c.nr_sleeps, 0);
	assert_true(c.polled_ns > S * 95 / 10);
}

static void budget_of_nothing_never_polls(void **state)
{
	struct poll_counters c;

	(void)state;
	begin(CEILING, 0, after_5us);
	c = counted(S);
	assert_int_equal(c.polled_ns, 0);
	assert_int_equal(c.nr_finds, 0);
}

/* One percent of a second is 200 windows of 50 us. An eighth of them may come at once. */
static void burst_is_an_eighth_of_a_seconds_budget(void **state)
{
	uint64_t budget = S / 100, polled;

	(void)state;
	begin(CEILING, 1, after_100ms);
	run(2 * S); /* the bucket is full */
	assert_int_equal(sim.p.window_ns, 0);
	poller_tune(&sim.p, 40 * US, 1);
	sim.next = after_20us;
	polled = counted(5 * MS).polled_ns;
	assert_in_range(polled, budget / 8, budget / 8 + 5 * MS / 100);
}

static void what_was_spent_stays_spent_when_the_budget_changes(void **state)
{
	(void)state;
	begin(CEILING, 100, after_20us);
	run(S);
	poller_tune(&sim.p, CEILING, 50);
	run(S); /* the bucket is empty */
	poller_tune(&sim.p, CEILING, 1);
	assert_true(counted(S).polled_ns <= S / 100);
	poller_tune(&sim.p, CEILING, 0);
	assert_int_equal(counted(S).polled_ns, 0);
}

/* The thread stood still in the middle of a look: what that took is owed. */
static void a_look_that_took_long_is_paid_back(void **state)
{
	uint64_t before;

	(void)state;
	begin(CEILING, 10, after_20us);
	run(S);
	sim.arrival = sim.now + 10 * S;
	while (!sim.p.polling)
		poller_goes_on(&sim.p, sim.now += LOOK_NS), sim.p.worked = sim.now;
	sim.now += 500 * MS;
	poller_goes_on(&sim.p, sim.now);
	sim.arrival = sim.now;
	before = sim.p.counters.polled_ns;
	run(4 * S);
	assert_int_equal(sim.p.counters.polled_ns, before);
	run(2 * S);
	assert_true(sim.p.counters.polled_ns > before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_thread_sleeps_after_one_window_and_stays_asleep),
		cmocka_unit_test(arrivals_within_the_window_are_all_found_by_polling),
		cmocka_unit_test(window_grows_from_nothing_when_wakeups_come_soon),
		cmocka_unit_test(sparse_arrivals_cost_a_few_windows_and_then_nothing),
		cmocka_unit_test(arrivals_just_beyond_the_ceiling_cost_little),
		cmocka_unit_test(bursts_are_found_but_for_their_beginnings),
		cmocka_unit_test(a_miss_among_finds_costs_one_sleep),
		cmocka_unit_test(other_wakeups_do_not_make_the_window_grow),
		cmocka_unit_test(ceiling_of_nothing_never_polls),
		cmocka_unit_test(ceiling_below_the_least_window_is_the_window),
		cmocka_unit_test(what_is_done_between_looks_is_no_polling),
		cmocka_unit_test(another_ceiling_begins_anew_and_holds_at_once),
		cmocka_unit_test(no_second_has_more_polling_than_the_budget),
		cmocka_unit_test(budget_of_99_percent_is_a_limit_and_100_is_none),
		cmocka_unit_test(budget_of_nothing_never_polls),
		cmocka_unit_test(burst_is_an_eighth_of_a_seconds_budget),
		cmocka_unit_test(what_was_spent_stays_spent_when_the_budget_changes),
		cmocka_unit_test(a_look_that_took_long_is_paid_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
