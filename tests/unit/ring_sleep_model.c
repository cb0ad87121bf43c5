// SPDX-License-Identifier: MIT
// Nobody sleeps on work: the doorbell's and the wake-up's protocols in every interleaving
// of processors that delay stores (ring_model.h), with the ring's own code. And the proof that
// each of the barriers E, F, G, H is needed, and a number for each sleep once doorbells are
// shared: without it somebody sleeps for ever.
// Owner: guest/ring.

#include "ring_model.h"
#include "ring_fixture.h"

#define GUEST (&model.party[0])
#define HOST (&model.party[1])
#define OTHER_GUEST (&model.party[2])
#define ENTRIES 4u

static struct ring ring, other_ring;
static struct utmem_svc_line svc;
static uint32_t rung; /* what submitters tell each other: the sleep that has been rung for */
static uint32_t doorbell, wakeup; /* as eventfds */
static uint32_t start_idx;
static bool no_numbers; /* all sleeps have the same one */
static uint32_t nr_doorbells, nr_wakeups, nr_sleeps;

/* What a scenario sends, and how its guest waits. */
static struct scenario {
	uint32_t batches[3]; /* sizes of what is published, 0-terminated */
	uint32_t wants[3];   /* completions waited for, one wait after the other, 0-terminated */
	bool disarms;	     /* the waiter takes its request back when it is awake */
} scenario;

static uint32_t total(const uint32_t *n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 3 && n[i]; i++)
		sum += n[i];
	return sum;
}

/* ---- doorbell: a guest that submits, a host that sleeps whenever it finds nothing ---- */

static void guest_submits(void)
{
	for (uint32_t b = 0; b < 3 && scenario.batches[b]; b++) {
		for (uint32_t i = 0; i < scenario.batches[b]; i++)
			utmem_sq_reserve(&ring.sq);
		utmem_sq_publish(&ring.sq);
		if (utmem_kick_needed(&svc)) {
			doorbell = 1;
			nr_doorbells++;
		}
	}
}

static void host_serves(void)
{
	uint32_t served = 0, n = 0;

	while (served < total(scenario.batches)) {
		utmem_kick_arm(&svc, ++nr_sleeps);
		if (utmem_sq_peek(&ring.reader, &n))
			return;
		if (!n)
			model_sleep(&doorbell);
		utmem_kick_disarm(&svc);
		ring.reader.end.own += n; /* what release does, less a store nobody here reads */
		served += n;
	}
}

/* ---- one doorbell for each sleep: two guests that know of each other's ---- */

/* As the driver and the library do: ring, then remember. */
static void submit_unless_rung(struct ring *r)
{
	for (uint32_t b = 0; b < 3 && scenario.batches[b]; b++) {
		uint32_t sleep;

		utmem_sq_reserve(&r->sq);
		utmem_sq_publish(&r->sq);
		sleep = utmem_kick_needed(&svc);
		if (!sleep || utmem_load_relaxed(&rung) == sleep)
			continue;
		model_step(); /* the host, or the other one, may go a long way until it rings */
		doorbell = 1;
		nr_doorbells++;
		utmem_store_relaxed(&rung, sleep);
	}
}

static void guest_submits_unless_rung(void)
{
	submit_unless_rung(&ring);
}

static void other_guest_submits_unless_rung(void)
{
	submit_unless_rung(&other_ring);
}

static void host_serves_all(void)
{
	uint32_t nr = OTHER_GUEST->program ? 2 : 1;
	uint32_t served = 0, n = 0, more = 0;

	while (served < nr * total(scenario.batches)) {
		utmem_kick_arm(&svc, no_numbers ? 1 : ++nr_sleeps);
		if (utmem_sq_peek(&ring.reader, &n))
			return;
		if (OTHER_GUEST->program && utmem_sq_peek(&other_ring.reader, &more))
			return;
		if (!(n + more))
			model_sleep(&doorbell);
		utmem_kick_disarm(&svc);
		ring.reader.end.own += n;
		other_ring.reader.end.own += more;
		served += n + more;
	}
}

/* ---- wake-up: a host that completes, a guest that waits ---- */

static void host_completes(void)
{
	for (uint32_t b = 0; b < 3 && scenario.batches[b]; b++) {
		for (uint32_t i = 0; i < scenario.batches[b]; i++)
			utmem_cq_fill(&ring.writer, i, 0, 0);
		if (utmem_cq_publish(&ring.writer)) {
			wakeup = 1;
			nr_wakeups++;
		}
	}
}

static void guest_waits(void)
{
	uint32_t target = start_idx, n = 0;

	for (uint32_t w = 0; w < 3 && scenario.wants[w]; w++) {
		target += scenario.wants[w];
		for (;;) {
			utmem_wake_arm(ring.page, target);
			if (utmem_cq_peek(&ring.cq, &n) || n >= target - start_idx)
				break;
			model_sleep(&wakeup);
		}
		if (scenario.disarms)
			utmem_wake_disarm(ring.page);
	}
}

/* ---- every interleaving of a scenario ---- */

struct outcome {
	uint32_t runs; /* that reached something new */
	uint32_t stuck;
	uint32_t most_doorbells, most_wakeups;
};

static void prepare(void)
{
	ring_reset(&ring, start_idx);
	ring_reset(&other_ring, start_idx);
	memset(&svc, 0, sizeof(svc));
	doorbell = wakeup = rung = nr_doorbells = nr_wakeups = nr_sleeps = 0;
}

static struct outcome explore(void (*guest)(void), void (*host)(void))
{
	struct outcome out = {0};

	GUEST->program = guest;
	HOST->program = host;
	model_forget();
	do {
		prepare();
		if (!model_run())
			out.stuck++;
		out.runs++;
		if (nr_doorbells > out.most_doorbells)
			out.most_doorbells = nr_doorbells;
		if (nr_wakeups > out.most_wakeups)
			out.most_wakeups = nr_wakeups;
	} while (model_next());
	return out;
}

static struct outcome explore_without(struct model_party *who, void (*guest)(void),
				      void (*host)(void))
{
	struct outcome out;

	who->no_barrier = true;
	out = explore(guest, host);
	who->no_barrier = false;
	return out;
}

/* Two guests that share their doorbells. */
static struct outcome explore_two(void)
{
	struct outcome out;

	OTHER_GUEST->program = other_guest_submits_unless_rung;
	out = explore(guest_submits_unless_rung, host_serves_all);
	OTHER_GUEST->program = NULL;
	return out;
}

static struct outcome explore_two_without(struct model_party *who)
{
	struct outcome out;

	who->no_barrier = true;
	out = explore_two();
	who->no_barrier = false;
	return out;
}

static const uint32_t starts[] = {0, 0x7fffffff, 0xfffffffe, 0xffffffff};
#define NR_STARTS (sizeof(starts) / sizeof(starts[0]))

static void no_submission_is_slept_on_in_any_interleaving(void **state)
{
	static const struct scenario all[] = {{{1}, {0}, 0}, {{1, 1}, {0}, 0}, {{2, 1}, {0}, 0}};
	struct outcome out;

	(void)state;
	for (size_t i = 0; i < 3 * NR_STARTS; i++) {
		scenario = all[i % 3];
		start_idx = starts[i / 3];
		out = explore(guest_submits, host_serves);
		assert_int_equal(out.stuck, 0);
		assert_true(out.runs > 10);
		assert_true(out.most_doorbells >= 1);
	}
}

static void no_completion_is_slept_on_in_any_interleaving(void **state)
{
	static const struct scenario all[] = {
		{{1}, {1}, false},	{{2}, {1}, false},   {{1, 1}, {2}, false},
		{{1, 2}, {2}, false},	{{1, 1}, {1}, true}, {{1, 1}, {1, 1}, false},
		{{1, 1}, {1, 1}, true},
	};
	const size_t nr = sizeof(all) / sizeof(all[0]);
	struct outcome out;

	(void)state;
	for (size_t i = 0; i < nr * NR_STARTS; i++) {
		scenario = all[i % nr];
		start_idx = starts[i / nr];
		out = explore(guest_waits, host_completes);
		assert_int_equal(out.stuck, 0);
		assert_true(out.runs > 10);
		/* one wait, one wake-up: never one for each publish after the target */
		assert_in_range(out.most_wakeups, 1, scenario.wants[1] ? 2 : 1);
	}
}

static void without_barrier_e_or_f_the_host_sleeps_on_work(void **state)
{
	(void)state;
	scenario = (struct scenario){{1}, {0}, 0};
	assert_true(explore_without(GUEST, guest_submits, host_serves).stuck > 0); /* E */
	assert_true(explore_without(HOST, guest_submits, host_serves).stuck > 0);  /* F */
}

static void two_who_share_their_doorbells_lose_no_submission(void **state)
{
	struct outcome out;

	(void)state;
	scenario = (struct scenario){{1, 1}, {0}, 0};
	out = explore(guest_submits_unless_rung, host_serves_all);
	assert_int_equal(out.stuck, 0);
	assert_true(out.runs > 10);
	scenario = (struct scenario){{1}, {0}, 0};
	out = explore_two();
	assert_int_equal(out.stuck, 0);
	assert_true(out.runs > 100);
}

/* NEED_KICK alone does not say whether this is still the sleep that has been rung for. */
static void without_numbers_the_second_sleep_is_one_for_ever(void **state)
{
	(void)state;
	no_numbers = true;
	scenario = (struct scenario){{1, 1}, {0}, 0};
	assert_true(explore(guest_submits_unless_rung, host_serves_all).stuck > 0);
	scenario = (struct scenario){{1}, {0}, 0};
	assert_true(explore_two().stuck > 0);
	no_numbers = false;
}

static void two_who_share_their_doorbells_need_barriers_e_and_f_as_well(void **state)
{
	(void)state;
	scenario = (struct scenario){{1}, {0}, 0};
	assert_true(explore_two_without(GUEST).stuck > 0); /* E */
	assert_true(explore_two_without(HOST).stuck > 0);  /* F */
}

static void without_barrier_g_or_h_the_waiter_sleeps_on_completions(void **state)
{
	(void)state;
	scenario = (struct scenario){{1}, {1}, false};
	assert_true(explore_without(HOST, guest_waits, host_completes).stuck > 0);  /* G */
	assert_true(explore_without(GUEST, guest_waits, host_completes).stuck > 0); /* H */
}

static int setup(void **state)
{
	(void)state;
	ring_open(&ring, ENTRIES, ENTRIES, 0, 0);
	ring_open(&other_ring, ENTRIES, ENTRIES, 0, 0);
	memcpy(model.word,
	       (const uint32_t *[MODEL_WORDS]){&ring.page->sq_tail, &ring.page->cq_tail,
					       &ring.page->need_wake, &ring.page->wake_idx,
					       &svc.flags, &doorbell, &wakeup, &rung,
					       &other_ring.page->sq_tail},
	       sizeof(model.word));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ring_close(&ring);
	ring_close(&other_ring);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_submission_is_slept_on_in_any_interleaving),
		cmocka_unit_test(no_completion_is_slept_on_in_any_interleaving),
		cmocka_unit_test(without_barrier_e_or_f_the_host_sleeps_on_work),
		cmocka_unit_test(two_who_share_their_doorbells_lose_no_submission),
		cmocka_unit_test(without_numbers_the_second_sleep_is_one_for_ever),
		cmocka_unit_test(two_who_share_their_doorbells_need_barriers_e_and_f_as_well),
		cmocka_unit_test(without_barrier_g_or_h_the_waiter_sleeps_on_completions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
