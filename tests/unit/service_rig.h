/* SPDX-License-Identifier: MIT */
/*
 * A service with one or two windows over the fake engine, and a guest's end of
 * their queues. Not a test itself; all of it on the test's thread.
 */
#ifndef TEST_SERVICE_RIG_H
#define TEST_SERVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "guest/ring/utmem_ring.h"
#include "host/service/service.h"
#include "tests/unit/service_fake.h"

#define RIG_WINDOW_LEN (1u << 20)
#define RIG_QUEUES 8u
#define UNUSED __attribute__((unused))

/* A window, and what its owner was told. */
struct rig_window {
	struct utmem_window *w;
	uint8_t *base;
	struct utmem_control *control;
	void *ledger; /* NULL: the window's own */
	uint32_t nr_wakes, woken_id, woken_vector;
	uint32_t nr_lines;
	char line[200];
};

struct rig {
	struct utmem_engine engine;
	struct utmem_tenant *tenant, *other;
	struct utmem_service *s;
	struct rig_window win[2];
};

/* The guest's end of a queue. */
struct rig_queue {
	struct utmem_sq sq;
	struct utmem_cq cq;
	struct utmem_geometry geo;
	uint8_t *data;
	struct utmem_ring_page *page;
	uint32_t id;
};

static void rig_wake(void *ctx, uint32_t id, uint32_t vector)
{
	struct rig_window *win = ctx;

	win->nr_wakes++;
	win->woken_id = id;
	win->woken_vector = vector;
}

static void rig_log(void *ctx, const char *line)
{
	struct rig_window *win = ctx;

	win->nr_lines++;
	snprintf(win->line, sizeof(win->line), "%s", line);
}

static struct utmem_window_config rig_config(struct rig *rig, struct rig_window *win, uint64_t len)
{
	return (struct utmem_window_config){
		.base = win->base,
		.len = len,
		.tenant = rig->tenant,
		.features = UTMEM_FEAT_DOORBELL_MMIO,
		.doorbell_token = 0x1122334455667788ull,
		.host_peer = 3,
		.heartbeat_ms = 500,
		.max_queues = RIG_QUEUES,
		.admin_queue = true,
		.ledger = win->ledger,
		.ledger_len = win->ledger ? utmem_ledger_len(RIG_QUEUES) : 0,
		.cb = {.wake = rig_wake, .log = rig_log, .ctx = win},
	};
}

static void *rig_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void rig_init(struct rig *rig)
{
	unsigned int i;

	memset(rig, 0, sizeof(*rig));
	fake_init(&rig->engine);
	rig->tenant = fake_tenant(&rig->engine, "web1", 8 << 20);
	rig->other = fake_tenant(&rig->engine, "web2", 8 << 20);
	assert_int_equal(utmem_service_init(&rig->s, &rig->engine, 7), 0);
	for (i = 0; i < 2; i++) {
		struct rig_window *win = &rig->win[i];
		struct utmem_window_config cfg;

		win->base = rig_map(RIG_WINDOW_LEN);
		win->control = (struct utmem_control *)(win->base + UTMEM_PAGE);
		win->ledger = rig_map(utmem_ledger_len(RIG_QUEUES));
		cfg = rig_config(rig, win, RIG_WINDOW_LEN);
		cfg.tenant = i ? rig->other : rig->tenant;
		assert_int_equal(utmem_window_attach(rig->s, &win->w, &cfg), 0);
	}
}

static void rig_exit(struct rig *rig)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (rig->win[i].w)
			utmem_window_detach(rig->win[i].w);
		munmap(rig->win[i].base, RIG_WINDOW_LEN);
		munmap(rig->win[i].ledger, utmem_ledger_len(RIG_QUEUES));
	}
	utmem_service_exit(rig->s);
	assert_int_equal(rig->engine.nr_attached, 0);
	assert_int_equal(rig->engine.nr_streams, 0);
	fake_exit(&rig->engine);
}

/* Its views of a queue that lies at @geo of the window. */
static void rig_queue_init(struct rig_queue *q, struct rig_window *win,
			   const struct utmem_geometry *geo)
{
	uint8_t *base = win->base + geo->off;

	q->geo = *geo;
	q->page = (struct utmem_ring_page *)base;
	q->data = base + geo->data_off;
	utmem_sq_init(&q->sq, base, geo, 0);
	utmem_cq_init(&q->cq, base, geo, 0);
}

/* CREATE_QUEUE, by call. */
static UNUSED void rig_queue(struct rig_queue *q, struct rig_window *win, uint32_t sq_entries,
			     uint32_t cq_entries, uint32_t data_len)
{
	struct utmem_admin_queue p = {
		.sq_entries = sq_entries,
		.cq_entries = cq_entries,
		.data_len = data_len,
		.irq_vector = 1,
	};

	assert_int_equal(utmem_window_admin(win->w, UTMEM_OP_CREATE_QUEUE, &p, sizeof(p)), 0);
	assert_int_equal(utmem_geometry_check(&p.geo, RIG_WINDOW_LEN), 0);
	q->id = p.queue_id;
	rig_queue_init(q, win, &p.geo);
}

static UNUSED int rig_destroy(struct rig_window *win, uint32_t id)
{
	struct utmem_admin_queue p = {.queue_id = id};

	return utmem_window_admin(win->w, UTMEM_OP_DESTROY_QUEUE, &p, sizeof(p));
}

static UNUSED int rig_pool(struct rig_window *win, uint32_t id, const char *name, uint32_t flags)
{
	struct utmem_admin_pool p = {.queue_id = id, .flags = flags, .owner = 1000};
	int err;

	snprintf(p.name, sizeof(p.name), "%s", name);
	err = utmem_window_admin(win->w, UTMEM_OP_POOL_OPEN, &p, sizeof(p));
	return err ? err : p.handle;
}

static UNUSED struct utmem_sqe *rig_sqe(struct rig_queue *q, uint8_t opcode)
{
	struct utmem_sqe *sqe = utmem_sq_reserve(&q->sq);

	assert_non_null(sqe);
	sqe->opcode = opcode;
	return sqe;
}

/* With a key: inline, or at the end of the data area when it is long. */
static UNUSED struct utmem_sqe *rig_key_sqe(struct rig_queue *q, uint8_t opcode, const char *key)
{
	struct utmem_sqe *sqe = rig_sqe(q, opcode);

	sqe->key_len = (uint16_t)strlen(key);
	if (sqe->key_len <= UTMEM_KEY_INLINE) {
		memcpy(sqe->key, key, sqe->key_len);
	} else {
		sqe->key_off = q->geo.data_len - sqe->key_len;
		memcpy(q->data + sqe->key_off, key, sqe->key_len);
	}
	return sqe;
}

/* PUT of a string that lies at data_off 0. */
static UNUSED struct utmem_sqe *rig_put_sqe(struct rig_queue *q, const char *key, const char *value)
{
	struct utmem_sqe *sqe = rig_key_sqe(q, UTMEM_OP_PUT, key);

	sqe->len = (uint32_t)strlen(value);
	memcpy(q->data, value, sqe->len);
	return sqe;
}

static UNUSED struct utmem_sqe *rig_get_sqe(struct rig_queue *q, const char *key, uint32_t len)
{
	struct utmem_sqe *sqe = rig_key_sqe(q, UTMEM_OP_GET, key);

	sqe->len = len;
	return sqe;
}

/* The next completion; there must be one. */
static UNUSED struct utmem_cqe rig_cqe(struct rig_queue *q)
{
	struct utmem_cqe cqe;
	uint32_t n;

	assert_int_equal(utmem_cq_peek(&q->cq, &n), 0);
	assert_true(n > 0);
	cqe = *utmem_cq_at(&q->cq, 0);
	utmem_cq_release(&q->cq, 1);
	return cqe;
}

static UNUSED uint32_t rig_ready(struct rig_queue *q)
{
	uint32_t n;

	assert_int_equal(utmem_cq_peek(&q->cq, &n), 0);
	return n;
}

/* Publish the one request that is reserved, one turn, its answer. */
static UNUSED struct utmem_cqe rig_do(struct rig *rig, struct rig_queue *q)
{
	assert_int_equal(utmem_sq_publish(&q->sq), 1);
	assert_int_equal(utmem_service_turn(rig->s), 1);
	return rig_cqe(q);
}

static UNUSED int rig_put(struct rig *rig, struct rig_queue *q, const char *key, const char *value)
{
	rig_put_sqe(q, key, value);
	return rig_do(rig, q).res;
}

static UNUSED int rig_get(struct rig *rig, struct rig_queue *q, const char *key)
{
	rig_get_sqe(q, key, 64);
	return rig_do(rig, q).res;
}

/* ---- CMocka: *state is a struct rig with two windows, freed when the test has passed ---- */

static UNUSED int rig_setup(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	rig_init(rig);
	*state = rig;
	return 0;
}

static UNUSED int rig_teardown(void **state)
{
	rig_exit(*state);
	free(*state);
	return 0;
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif /* TEST_SERVICE_RIG_H */
