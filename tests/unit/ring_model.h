/* SPDX-License-Identifier: MIT */
/*
 * A model of two or three processors around utmem_ring.h: runs as many parties
 * through every interleaving, with stores that leave the processor late and out of order.
 *
 * Owner: the ring's tests. Include it instead of utmem_barrier.h, before
 * utmem_ring.h: the ring's own code then runs on the accesses defined here.
 *
 * Each party is a coroutine that stops before every shared access. A store goes
 * into its party's buffer and reaches memory later, at any step; stores to one
 * address stay in order, a release store waits for all before it, a full barrier
 * empties the buffer. (Loads stay in order: the four full barriers are about
 * store-load order, and TSan watches the rest.) Every sequence of choices is run,
 * up to states that were reached before by another one.
 */
#ifndef RING_MODEL_H
#define RING_MODEL_H
#define UTMEM_BARRIER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#define MODEL_PARTIES 3 /* those without a program take no part */
#define MODEL_BUFFER 8
#define MODEL_TRAIL 128
#define MODEL_WORDS 10
#define MODEL_SEEN (1u << 18) /* slots for states, a power of two */

struct model_store {
	uint32_t *p;
	uint32_t value;
	bool release;
};

struct model_party {
	void (*program)(void);
	bool done;
	bool no_barrier;	/* its full barriers are left out */
	const uint32_t *asleep; /* cannot run until this word is not 0 */
	struct model_store buf[MODEL_BUFFER];
	uint32_t nr_buf;
	uint64_t history; /* of all its steps and loads: what its private state follows from */
	ucontext_t context;
	char stack[32768];
};

static struct model {
	struct model_party party[MODEL_PARTIES];
	struct model_party *running;
	ucontext_t scheduler;
	/* the choices of this run: which one, of how many */
	struct {
		uint32_t taken, of;
	} trail[MODEL_TRAIL];
	uint32_t nr_trail;
	const uint32_t *word[MODEL_WORDS]; /* all of shared memory, NULL-terminated */
	uint64_t seen[MODEL_SEEN];	   /* hashes of states, open addressing, 0 = free */
	uint32_t nr_seen;
} model;

static uint64_t model_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* ---- what a party does ---- */

static void model_step(void)
{
	swapcontext(&model.running->context, &model.scheduler);
}

static uint32_t model_load(const uint32_t *p)
{
	struct model_party *me = model.running;
	uint32_t value;

	model_step();
	value = *p;
	for (uint32_t i = 0; i < me->nr_buf; i++)
		if (me->buf[i].p == p)
			value = me->buf[i].value;
	me->history = model_mix(me->history, value);
	return value;
}

static void model_drain(struct model_party *t, uint32_t i)
{
	*t->buf[i].p = t->buf[i].value;
	t->nr_buf--;
	memmove(&t->buf[i], &t->buf[i + 1], (t->nr_buf - i) * sizeof(t->buf[0]));
}

static void model_write(uint32_t *p, uint32_t value, bool release)
{
	struct model_party *me = model.running;

	model_step();
	if (me->nr_buf == MODEL_BUFFER)
		model_drain(me, 0);
	me->buf[me->nr_buf++] = (struct model_store){p, value, release};
}

static void model_barrier(void)
{
	struct model_party *me = model.running;

	model_step();
	while (!me->no_barrier && me->nr_buf)
		model_drain(me, 0);
}

/* As a read of an eventfd: waits until *tokens is not 0, takes all. Only after a barrier or a load. */
static void model_sleep(uint32_t *tokens)
{
	model.running->asleep = tokens;
	model_step();
	model.running->asleep = NULL;
	*tokens = 0;
}

#define utmem_load_relaxed(p) model_load((const uint32_t *)(p))
#define utmem_load_acquire(p) model_load((const uint32_t *)(p))
#define utmem_store_relaxed(p, v) model_write((uint32_t *)(p), (uint32_t)(v), false)
#define utmem_store_release(p, v) model_write((uint32_t *)(p), (uint32_t)(v), true)
#define utmem_full_barrier() model_barrier()
#define utmem_compiler_barrier() __asm__ __volatile__("" ::: "memory")

/* ---- the scheduler ---- */

struct model_choice {
	struct model_party *party;
	int32_t store; /* the one that reaches memory; -1: the party takes a step */
};

static bool model_may_drain(const struct model_party *t, uint32_t i)
{
	for (uint32_t before = 0; before < i; before++)
		if (t->buf[i].release || t->buf[before].p == t->buf[i].p)
			return false;
	return true;
}

/* What can happen next. Return: how many things. */
static uint32_t model_choices(struct model_choice *out)
{
	uint32_t nr = 0;

	for (struct model_party *t = model.party; t < model.party + MODEL_PARTIES; t++) {
		if (!t->done && !(t->asleep && !*t->asleep))
			out[nr++] = (struct model_choice){t, -1};
		for (uint32_t i = 0; i < t->nr_buf; i++)
			if (model_may_drain(t, i))
				out[nr++] = (struct model_choice){t, (int32_t)i};
	}
	return nr;
}

static void model_take(const struct model_choice *c)
{
	if (c->store >= 0) {
		model_drain(c->party, (uint32_t)c->store);
		return;
	}
	model.running = c->party;
	c->party->history = model_mix(c->party->history, 1);
	swapcontext(&model.scheduler, &c->party->context);
}

static void model_main(void)
{
	struct model_party *me = model.running;

	me->program();
	me->done = true;
	setcontext(&model.scheduler);
}

static void model_start(struct model_party *t)
{
	t->done = !t->program;
	t->asleep = NULL;
	t->nr_buf = 0;
	t->history = 1;
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = sizeof(t->stack);
	makecontext(&t->context, model_main, 0);
}

static uint64_t model_state(void)
{
	uint64_t h = 1;

	for (uint32_t i = 0; i < MODEL_WORDS && model.word[i]; i++)
		h = model_mix(h, *model.word[i]);
	for (const struct model_party *t = model.party; t < model.party + MODEL_PARTIES; t++) {
		h = model_mix(h, t->history);
		h = model_mix(h, t->nr_buf);
		for (uint32_t i = 0; i < t->nr_buf; i++)
			h = model_mix(model_mix(h, (uintptr_t)t->buf[i].p), t->buf[i].value);
	}
	return h | 1;
}

/* Has this state been reached before? From now on it has. A full table forgets, and costs time only. */
static bool model_seen_before(void)
{
	uint64_t h = model_state();
	uint32_t slot = (uint32_t)(h >> 32) & (MODEL_SEEN - 1);

	while (model.seen[slot] && model.seen[slot] != h)
		slot = (slot + 1) & (MODEL_SEEN - 1);
	if (model.seen[slot] == h)
		return true;
	if (model.nr_seen < MODEL_SEEN / 2) {
		model.seen[slot] = h;
		model.nr_seen++;
	}
	return false;
}

static void model_forget(void)
{
	model.nr_trail = model.nr_seen = 0;
	memset(model.seen, 0, sizeof(model.seen));
}

/* One run along the trail, and beyond its end by first choices. Return: false when somebody sleeps for ever. */
static bool model_run(void)
{
	struct model_choice choices[MODEL_PARTIES * (MODEL_BUFFER + 1)];
	uint32_t nr;

	for (uint32_t i = 0; i < MODEL_PARTIES; i++)
		model_start(&model.party[i]);
	for (uint32_t depth = 0; (nr = model_choices(choices)) != 0; depth++) {
		if (depth == MODEL_TRAIL)
			return false;
		if (depth == model.nr_trail) {
			if (model_seen_before())
				return true;
			model.trail[depth].taken = 0;
			model.trail[depth].of = nr;
			model.nr_trail++;
		}
		model_take(&choices[model.trail[depth].taken]);
	}
	for (uint32_t i = 0; i < MODEL_PARTIES; i++)
		if (!model.party[i].done)
			return false;
	return true;
}

/* Step the trail to the next sequence that was not tried. Return: false when all were. */
static bool model_next(void)
{
	while (model.nr_trail &&
	       model.trail[model.nr_trail - 1].taken + 1 == model.trail[model.nr_trail - 1].of)
		model.nr_trail--;
	if (!model.nr_trail)
		return false;
	model.trail[model.nr_trail - 1].taken++;
	return true;
}

#endif /* RING_MODEL_H */
