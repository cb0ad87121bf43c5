// SPDX-License-Identifier: MIT
// Nobody sleeps on work: the doorbell's and the wake-up's protocols in every interleaving
// of two processors that delay stores (ring_model.h), with the ring's own code. And the
// proof that each of the barriers E, F, G, H is needed: without it somebody sleeps for ever.
// Owner: guest/ring.

#include "ring_model.h"
#include "ring_fixture.h"

#define GUEST (&model.party[0])
#define HOST (&model.party[1])
#define ENTRIES 4u

static struct ring ring;
static struct utmem_svc_line svc;
static uint32_t doorbell, wakeup; /* as eventfds */
static uint32_t start_idx;
static uint32_t nr_doorbells, nr_wakeups;

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
		utmem_kick_arm(&svc);
		if (utmem_sq_peek(&ring.reader, &n))
			return;
		if (!n)
			model_sleep(&doorbell);
		utmem_kick_disarm(&svc);
		ring.reader.end.own += n; /* what release does, less a store nobody here reads */
		served += n;
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
	memset(&svc, 0, sizeof(svc));
	doorbell = wakeup = nr_doorbells = nr_wakeups = 0;
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
	memcpy(model.word,
	       (const uint32_t *[MODEL_WORDS]){&ring.page->sq_tail, &ring.page->cq_tail,
					       &ring.page->need_wake, &ring.page->wake_idx,
					       &svc.flags, &doorbell, &wakeup},
	       sizeof(model.word));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ring_close(&ring);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_submission_is_slept_on_in_any_interleaving),
		cmocka_unit_test(no_completion_is_slept_on_in_any_interleaving),
		cmocka_unit_test(without_barrier_e_or_f_the_host_sleeps_on_work),
		cmocka_unit_test(without_barrier_g_or_h_the_waiter_sleeps_on_completions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
