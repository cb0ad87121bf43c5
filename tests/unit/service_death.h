/* SPDX-License-Identifier: MIT */
/*
 * Deaths of the service, for tests of its second life: the rig's engine, windows and ledgers
 * outlive it. A process "dies" where a fail point jumps out of it; what it leaves behind is
 * given back by hand. Not a test itself.
 */
#ifndef TEST_SERVICE_DEATH_H
#define TEST_SERVICE_DEATH_H

#include "host/pool/failpoint.h"
#include "host/service/window.h"
#include "tests/unit/service_rig.h"

#ifndef UTMEM_FAIL_POINTS
#error "tests of the second life need -DUTMEM_FAIL_POINTS (tests/build.mk sets it)"
#endif

/* What a process that dies leaves behind is no leak. Weak: there only with the sanitiser. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static struct {
	jmp_buf grave;
	uint32_t nr_passed;   /* fail points since death_count() */
	uint32_t die_at;      /* the so-manieth is the last; 0: none */
	const char *die_name; /* only points of that name count; NULL: all */
	const char *last;     /* where it died */
	uint64_t now_ms;
	uint32_t epoch;
} death = {.epoch = 7};

static void death_hook(const char *name)
{
	if (death.die_name && strcmp(death.die_name, name))
		return;
	death.nr_passed++;
	if (death.nr_passed != death.die_at)
		return;
	death.last = name;
	death.die_at = 0;
	longjmp(death.grave, 1);
}

/* From here on, die at the @at-th fail point (of @name; NULL: of any); 0: only count them. */
static UNUSED void death_plan(uint32_t at, const char *name)
{
	death.nr_passed = 0;
	death.die_at = at;
	death.die_name = name;
	utmem_fail_hook = death_hook;
}

static void lsan(bool on)
{
	if (on && __lsan_enable)
		__lsan_enable();
	if (!on && __lsan_disable)
		__lsan_disable();
}

/* Call @work(@ctx) as a process that may die. Return: it did. */
static UNUSED bool death_comes(void (*work)(void *ctx), void *ctx)
{
	lsan(false);
	if (setjmp(death.grave)) {
		lsan(true);
		return true;
	}
	work(ctx);
	lsan(true);
	return false;
}

/* Everything in the window that is the host's, and that a guest may write to all the same. */
static UNUSED void death_scribble(struct rig_window *win)
{
	uint32_t id;

	memset(win->base, 0xa5, sizeof(struct utmem_window_hdr));
	memset(&win->control->host, 0xa5, sizeof(win->control->host));
	memset(win->control->svc, 0xa5, sizeof(win->control->svc));
	for (id = 0; id < RIG_QUEUES; id++) {
		struct ledger_queue *l = utsvc_ledger_queue(win->ledger, id);
		struct utmem_ring_page *page;

		if (!l)
			continue;
		page = (struct utmem_ring_page *)(win->base + l->geo.off);
		page->sq_head = 0x12345678;
		page->state = 77;
		page->error = 1234;
		page->cq_tail = 0xfedcba98;
	}
}

/* The dead process's memory goes, and with it whatever it held in the engine. */
static UNUSED void death_bury(struct rig *rig)
{
	fake_orphan(&rig->engine);
	utmem_service_leave(rig->s);
	rig->s = NULL;
}

static void resume_work(void *ctx)
{
	struct rig *rig = ctx;
	unsigned int i;

	assert_int_equal(utmem_service_init(&rig->s, &rig->engine, ++death.epoch), 0);
	for (i = 0; i < 2; i++) {
		struct rig_window *win = &rig->win[i];
		struct utmem_window_config cfg = rig_config(rig, win, RIG_WINDOW_LEN);

		cfg.tenant = i ? rig->other : rig->tenant;
		cfg.resume = true;
		cfg.now_ms = death.now_ms;
		assert_int_equal(utmem_window_attach(rig->s, &win->w, &cfg), 0);
	}
}

/* A new process takes over windows and ledgers, until one comes so far. */
static UNUSED void death_resume(struct rig *rig)
{
	while (death_comes(resume_work, rig))
		death_bury(rig);
}

static void turn_work(void *ctx)
{
	utmem_service_turn(((struct rig *)ctx)->s);
}

/* One turn, and when the process dies in it: burial, scribbling, the next process. Return: it died. */
static UNUSED bool death_turn(struct rig *rig)
{
	unsigned int i;

	if (!death_comes(turn_work, rig))
		return false;
	death_bury(rig);
	for (i = 0; i < 2; i++)
		death_scribble(&rig->win[i]);
	death_resume(rig);
	return true;
}

static UNUSED int death_teardown(void **state)
{
	death_plan(0, NULL);
	return rig_teardown(state);
}

#define DEATH_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, death_teardown)

#endif /* TEST_SERVICE_DEATH_H */
