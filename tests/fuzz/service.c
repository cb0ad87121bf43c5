// SPDX-License-Identifier: MIT
/*
 * libFuzzer target: a hostile guest before a service with the real pool engine.
 *
 * The input is a list of actions of one guest and, now and then, of the operator:
 * entries, indices, admin payloads, generations, scribbling. A neighbour, another
 * tenant with a window of its own, holds one value and must find it untouched
 * after every step. Now and then the process dies at a fail point of the service: engine and service
 * are made again from what outlives them. At the end everything is taken down, and nothing may be left.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sanitizer/lsan_interface.h>

#include "guest/ring/utmem_ring.h"
#include "host/pool/failpoint.h"
#include "host/pool/memory.h"
#include "host/service/ledger.h"
#include "host/service/service.h"

#define WINDOW_LEN ((size_t)256 << 10)
#define ARENA_LEN ((size_t)4 << 20)
#define GUEST_QUOTA ((uint64_t)1 << 20)
#define NEIGHBOUR_QUOTA ((uint64_t)256 << 10)
#define NR_QUEUES 6u

#define MUST(cond)                                                                                \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

/* ---- the input, eaten from the front; zeros when it is eaten up ---- */

struct input {
	const uint8_t *at;
	size_t left;
};

static void take(struct input *in, void *to, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(to, 0, len);
	memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

static uint8_t take_u8(struct input *in)
{
	uint8_t v;

	take(in, &v, sizeof(v));
	return v;
}

static uint32_t take_u32(struct input *in)
{
	uint32_t v;

	take(in, &v, sizeof(v));
	return v;
}

/* Mostly small and near a limit, sometimes anything. */
static uint32_t take_number(struct input *in)
{
	uint8_t kind = take_u8(in);

	switch (kind & 7) {
	case 0:
		return take_u32(in);
	case 1:
		return UTMEM_PAGE * (kind >> 3);
	case 2:
		return UTMEM_PAGE * (kind >> 3) - 1;
	case 3:
		return 1u << (kind >> 3);
	case 4:
		return 0u - (kind >> 3);
	default:
		return kind >> 3;
	}
}

/* ---- one window, as its guest sees it ---- */

struct guest {
	struct utmem_window *w;
	uint8_t *base;
	struct ledger *ledger;
	bool admin_queue;
	struct utmem_geometry
		geo[NR_QUEUES]; /* by queue id; len 0: not made. 0 is the admin queue's */
	uint64_t hello;
	uint64_t serial; /* of requests by queue 0 */
};

struct world {
	struct utmem_memory mem;
	struct utmem_engine *engine;
	struct utmem_service *s;
	struct utmem_tenant *tenant[2];
	struct guest guest;
	struct guest neighbour;
	struct utmem_sq sq; /* the neighbour's, well-behaved */
	struct utmem_cq cq;
	uint32_t epoch;
};

static void on_wake(void *ctx, uint32_t queue_id, uint32_t irq_vector)
{
	(void)ctx;
	(void)queue_id;
	(void)irq_vector;
}

static void on_log(void *ctx, const char *line)
{
	(void)ctx;
	MUST(strlen(line) > 0);
}

/* Guard pages on both sides: a window's bounds are more than a convention. */
static uint8_t *window_map(void)
{
	uint8_t *p = mmap(NULL, WINDOW_LEN + 2 * UTMEM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	MUST(p != MAP_FAILED);
	MUST(!mprotect(p + UTMEM_PAGE, WINDOW_LEN, PROT_READ | PROT_WRITE));
	return p + UTMEM_PAGE;
}

static struct ledger *ledger_map(void)
{
	void *p = mmap(NULL, utmem_ledger_len(NR_QUEUES), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static void attach_as(struct world *world, struct guest *g, struct utmem_tenant *t, bool resume)
{
	struct utmem_window_config cfg = {
		.base = g->base,
		.len = WINDOW_LEN,
		.tenant = t,
		.features = UTMEM_FEAT_DOORBELL_MMIO,
		.max_queues = NR_QUEUES,
		.admin_queue = g->admin_queue,
		.ledger = g->ledger,
		.ledger_len = utmem_ledger_len(NR_QUEUES),
		.resume = resume,
		.now_ms = world->epoch * 20000ull, /* too slow for a quarantine */
		.cb = {.wake = on_wake, .log = on_log},
	};

	MUST(!utmem_window_attach(world->s, &g->w, &cfg));
}

static void attach(struct world *world, struct guest *g, struct utmem_tenant *t, bool admin_queue)
{
	struct utmem_window_hdr hdr;

	MUST(!madvise(g->base, WINDOW_LEN, MADV_DONTNEED)); /* zeroed */
	MUST(!madvise(g->ledger, utmem_ledger_len(NR_QUEUES), MADV_DONTNEED));
	memset(g->geo, 0, sizeof(g->geo));
	g->hello = 0;
	g->admin_queue = admin_queue;
	attach_as(world, g, t, false);
	memcpy(&hdr, g->base, sizeof(hdr));
	g->geo[0] = hdr.admin;
}

static struct utmem_control *control_of(struct guest *g)
{
	return (struct utmem_control *)(g->base + UTMEM_PAGE);
}

static struct utmem_ring_page *page_of(struct guest *g, unsigned int id)
{
	return (struct utmem_ring_page *)(g->base + g->geo[id].off);
}

/* What an answer to CREATE_QUEUE may say; remember where it lies. */
static void queue_made(struct guest *g, const struct utmem_admin_queue *p)
{
	unsigned int id;

	MUST(p->queue_id > 0 && p->queue_id < NR_QUEUES);
	MUST(!utmem_geometry_check(&p->geo, WINDOW_LEN));
	for (id = 0; id < NR_QUEUES; id++) {
		const struct utmem_geometry *other = &g->geo[id];

		if (id != p->queue_id && other->len)
			MUST(p->geo.off + p->geo.len <= other->off ||
			     other->off + other->len <= p->geo.off);
	}
	g->geo[p->queue_id] = p->geo;
}

static int admin(struct guest *g, uint8_t opcode, void *payload, size_t len)
{
	int err = utmem_window_admin(g->w, opcode, payload, len);
	const struct utmem_admin_queue *p = payload;

	if (!err && opcode == UTMEM_OP_CREATE_QUEUE)
		queue_made(g, p);
	if (!err && opcode == UTMEM_OP_DESTROY_QUEUE)
		g->geo[p->queue_id].len = 0;
	return err;
}

/* ---- the neighbour ---- */

static const char canary[] = "what another tenant has put here";

static struct utmem_cqe neighbour_do(struct world *world, uint8_t opcode)
{
	struct guest *n = &world->neighbour;
	struct utmem_sqe *sqe = utmem_sq_reserve(&world->sq);
	struct utmem_cqe cqe;
	uint32_t ready = 0;

	MUST(sqe);
	*sqe = (struct utmem_sqe){.opcode = opcode, .len = sizeof(canary), .key_len = 6};
	memcpy(sqe->key, "canary", 6);
	memcpy(n->base + n->geo[1].off + n->geo[1].data_off, opcode == UTMEM_OP_PUT ? canary : "",
	       opcode == UTMEM_OP_PUT ? sizeof(canary) : 1);
	utmem_sq_publish(&world->sq);
	utmem_service_turn(world->s); /* one turn is enough: nobody has to wait for a whole ring */
	MUST(!utmem_cq_peek(&world->cq, &ready) && ready == 1);
	cqe = *utmem_cq_at(&world->cq, 0);
	utmem_cq_release(&world->cq, 1);
	return cqe;
}

static void neighbour_move_in(struct world *world)
{
	struct guest *n = &world->neighbour;
	struct utmem_admin_queue q = {.sq_entries = 4, .cq_entries = 4, .data_len = UTMEM_PAGE};
	struct utmem_admin_pool p = {
		.queue_id = 1,
		.flags = UTMEM_POOL_CREATE | UTMEM_POOL_SHARED,
		.name = "pool",
	};

	attach(world, n, world->tenant[1], false);
	MUST(!admin(n, UTMEM_OP_CREATE_QUEUE, &q, sizeof(q)));
	MUST(!admin(n, UTMEM_OP_POOL_OPEN, &p, sizeof(p)));
	utmem_sq_init(&world->sq, n->base + n->geo[1].off, &n->geo[1], 0);
	utmem_cq_init(&world->cq, n->base + n->geo[1].off, &n->geo[1], 0);
	MUST(neighbour_do(world, UTMEM_OP_PUT).res == 0);
}

static void neighbour_look(struct world *world)
{
	struct guest *n = &world->neighbour;
	const uint8_t *data = n->base + n->geo[1].off + n->geo[1].data_off;

	MUST(neighbour_do(world, UTMEM_OP_GET).res == sizeof(canary));
	MUST(!memcmp(data, canary, sizeof(canary)));
}

/* ---- what the guest does ---- */

static void entry_publish(struct guest *g, unsigned int id, const struct utmem_sqe *sqe)
{
	const struct utmem_geometry *geo = &g->geo[id];
	struct utmem_ring_page *page = page_of(g, id);
	uint32_t slot = page->sq_tail & (geo->sq_entries - 1);

	memcpy(g->base + geo->off + geo->sq_off + sizeof(*sqe) * slot, sqe, sizeof(*sqe));
	page->sq_tail++;
}

static void act_entry(struct input *in, struct guest *g, unsigned int id)
{
	struct utmem_sqe sqe = {0};
	uint8_t shape = take_u8(in);

	if (shape < 32) {
		take(in, &sqe, sizeof(sqe));
	} else {
		sqe.opcode = take_u8(in) % (UTMEM_OP_NR + 1);
		sqe.pool = take_u8(in) % 4;
		sqe.flags = shape & 1 ? take_u8(in) % 4 : 0;
		sqe.len = shape & 2 ? take_number(in) : 0;
		sqe.data_off = shape & 4 ? take_number(in) : 0;
		sqe.stream = shape & 8 ? take_u8(in) % 4 : 0;
		sqe.arg = shape & 16 ? take_number(in) : 0;
		sqe.key_len = take_u8(in) % 36;
		sqe.key[0] = take_u8(in) % 8;
		if (shape & 0x80)
			sqe.key_len *= 30; /* long, and beyond */
		if (shape & 0x40)
			sqe.key_off = take_number(in);
	}
	entry_publish(g, id, &sqe);
}

/* Sixteen PUTs of sixteen keys: what fills a pool, and makes the engine clean and evict. */
static void act_burst(struct input *in, struct guest *g, unsigned int id)
{
	struct utmem_sqe sqe = {.opcode = UTMEM_OP_PUT, .key_len = 2};
	unsigned int i;

	sqe.pool = take_u8(in) % 4;
	sqe.key[0] = take_u8(in) % 8;
	for (i = 0; i < 16; i++) {
		sqe.len = i % 4 ? sqe.len : take_u32(in) % (8 * UTMEM_PAGE + 1);
		sqe.key[1] = (uint8_t)i;
		entry_publish(g, id, &sqe);
	}
}

/* BEGIN, two PARTs and COMMIT, or ABORT; each may be missing. */
static void act_parts(struct input *in, struct guest *g, unsigned int id)
{
	const uint16_t stream = take_u8(in) % 4;
	const uint32_t len = take_number(in);
	struct utmem_sqe sqe[5] = {
		{.opcode = UTMEM_OP_PUT_BEGIN, .key_len = 1, .arg = 2ull * len},
		{.opcode = UTMEM_OP_PUT_PART, .len = len},
		{.opcode = UTMEM_OP_PUT_PART, .len = len, .arg = len},
		{.opcode = UTMEM_OP_PUT_COMMIT, .flags = take_u8(in) % 3},
		{.opcode = UTMEM_OP_PUT_ABORT},
	};
	uint8_t left_out = take_u8(in);
	unsigned int i;

	sqe[0].pool = take_u8(in) % 4;
	sqe[0].key[0] = take_u8(in) % 8;
	for (i = 0; i < 5; i++) {
		sqe[i].stream = stream;
		if (left_out & 0x80 || !(left_out & 1u << i))
			entry_publish(g, id, &sqe[i]);
	}
}

static void act_index(struct input *in, struct guest *g, unsigned int id)
{
	struct utmem_ring_page *page = page_of(g, id);
	uint32_t by = take_number(in);

	switch (take_u8(in) % 8) {
	case 0:
		page->sq_tail += by;
		break;
	case 1:
		page->cq_head += by;
		break;
	case 2:
		page->sq_tail = by;
		break;
	case 3:
		page->cq_head = by;
		break;
	case 4:
		page->need_wake = by;
		page->wake_idx = page->cq_tail + take_u8(in);
		break;
	case 5: /* the host's own words */
		page->sq_head = page->cq_tail = by;
		page->state = take_u8(in);
		break;
	default:
		page->cq_head = page->cq_tail;
	}
}

static size_t take_payload(struct input *in, uint8_t opcode, void *payload)
{
	static const char *const names[] = {"a", "b", "pool", ""};
	struct utmem_admin_queue *q = payload;
	struct utmem_admin_pool *p = payload;
	struct utmem_pool_stat *s = payload;

	switch (opcode) {
	case UTMEM_OP_CREATE_QUEUE:
	case UTMEM_OP_DESTROY_QUEUE:
		*q = (struct utmem_admin_queue){.sq_entries = take_number(in)};
		q->cq_entries = q->sq_entries << (take_u8(in) % 3);
		q->data_len = take_number(in);
		q->queue_id = take_u8(in) % (NR_QUEUES + 1);
		return sizeof(*q);
	case UTMEM_OP_POOL_STAT:
		*s = (struct utmem_pool_stat){.queue_id = take_u8(in) % NR_QUEUES};
		s->handle = take_u8(in) % 4;
		return sizeof(*s);
	default:
		*p = (struct utmem_admin_pool){.queue_id = take_u8(in) % NR_QUEUES};
		p->flags = opcode == UTMEM_OP_POOL_OPEN ? take_u8(in) : 0;
		p->owner = take_u8(in) % 2;
		p->handle = opcode == UTMEM_OP_POOL_OPEN ? 0 : take_u8(in) % 4;
		strcpy(p->name, opcode == UTMEM_OP_POOL_OPEN ? names[take_u8(in) % 4] : "");
		if (take_u8(in) % 8 == 0)
			strcpy(p->tenant, "neighbour");
		return sizeof(*p);
	}
}

/* By call: well-formed, or any bytes of any length. */
static void act_admin_call(struct input *in, struct guest *g)
{
	uint8_t kind = take_u8(in);
	uint8_t opcode = (uint8_t)(UTMEM_OP_CREATE_QUEUE + kind % 7);
	uint64_t payload[32] = {0};
	size_t len = take_payload(in, opcode, payload);

	if (kind & 0x80) {
		take(in, (uint8_t *)payload + take_u8(in) % 128, 8);
		len += kind & 0x40 ? take_u8(in) % 16 : 0;
	}
	admin(g, opcode, payload, len);
}

/* By queue 0, once; the answer is believed only as far as it goes. */
static void act_admin_entry(struct input *in, struct guest *g, struct utmem_service *s)
{
	uint8_t opcode = (uint8_t)(UTMEM_OP_CREATE_QUEUE + take_u8(in) % 7);
	struct utmem_ring_page *page = page_of(g, 0);
	const struct utmem_geometry *geo = &g->geo[0];
	uint8_t *data = g->base + geo->off + geo->data_off;
	struct utmem_sqe sqe = {.opcode = opcode, .user_data = ++g->serial << 32};
	uint64_t payload[32] = {0};
	uint32_t tail = page->cq_tail;
	const struct utmem_cqe *cqe;

	if (!geo->len)
		return;
	sqe.len = (uint32_t)take_payload(in, opcode, payload);
	sqe.data_off = take_u8(in) % 4 ? 0 : take_number(in);
	memcpy(data, payload, sizeof(payload));
	entry_publish(g, 0, &sqe);
	page->cq_head = page->cq_tail;
	utmem_service_turn(s);
	cqe = (const struct utmem_cqe *)(g->base + geo->off + geo->cq_off) +
	      (tail & (geo->cq_entries - 1));
	if (cqe->user_data != sqe.user_data || cqe->res || sqe.data_off)
		return;
	memcpy(payload, data, sizeof(payload));
	if (opcode == UTMEM_OP_CREATE_QUEUE)
		queue_made(g, (const struct utmem_admin_queue *)payload);
	if (opcode == UTMEM_OP_DESTROY_QUEUE)
		g->geo[((const struct utmem_admin_queue *)payload)->queue_id].len = 0;
}

/* What most guests begin with: a queue, and two pools of both kinds. */
static void guest_move_in(struct guest *g)
{
	struct utmem_admin_queue q = {
		.sq_entries = 16, .cq_entries = 32, .data_len = 8 * UTMEM_PAGE};
	struct utmem_admin_pool p = {.queue_id = 1, .flags = UTMEM_POOL_CREATE, .name = "a"};
	struct utmem_admin_pool e = {
		.queue_id = 1, .flags = UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL, .name = "b"};

	MUST(!admin(g, UTMEM_OP_CREATE_QUEUE, &q, sizeof(q)));
	MUST(!admin(g, UTMEM_OP_POOL_OPEN, &p, sizeof(p)));
	MUST(!admin(g, UTMEM_OP_POOL_OPEN, &e, sizeof(e)));
}

static void act_hello(struct input *in, struct guest *g, struct utmem_service *s)
{
	struct utmem_control *c = control_of(g);

	if (!g->geo[0].len)
		return;
	c->guest.features = take_u8(in);
	c->guest.hello = take_u8(in) % 4;
	if (c->guest.hello != g->hello)
		memset(&g->geo[1], 0, sizeof(g->geo) - sizeof(g->geo[0]));
	g->hello = c->guest.hello;
	utmem_service_turn(s);
	MUST(c->host.hello_ack == g->hello);
}

static void act_scribble(struct input *in, struct guest *g, unsigned int id)
{
	const struct utmem_geometry *geo = &g->geo[id];
	uint8_t *data = g->base + geo->off + geo->data_off;

	if (take_u8(in) % 8 == 0) {
		memset(g->base, take_u8(in), sizeof(struct utmem_window_hdr));
		memset(control_of(g)->svc, take_u8(in), sizeof(control_of(g)->svc));
	}
	if (geo->data_len >= 64)
		take(in, data + take_u32(in) % (geo->data_len - 63), 64);
}

/* ---- deaths ---- */

static jmp_buf grave;
static uint32_t points_left; /* the last of so many is fatal; 0: none is */

/* The engine's own points are another target's affair. */
static void on_point(const char *name)
{
	if (strncmp(name, "service_", strlen("service_")) || !points_left || --points_left)
		return;
	longjmp(grave, 1);
}

static void engine_init(struct world *world)
{
	const struct utmem_engine_ops *ops = &utmem_engine_pool;

	MUST(!ops->open(&world->engine, &world->mem));
	MUST(!ops->tenant_add(world->engine, "guest", GUEST_QUOTA, &world->tenant[0]));
	MUST(!ops->tenant_add(world->engine, "neighbour", NEIGHBOUR_QUOTA, &world->tenant[1]));
	MUST(!utmem_service_init(&world->s, world->engine, ++world->epoch));
}

/* What queues there are is what the ledger says: the call that was interrupted told nobody. */
static void guest_look(struct guest *g)
{
	unsigned int id;

	for (id = 0; id < NR_QUEUES; id++) {
		const struct ledger_queue *l = utsvc_ledger_queue(g->ledger, id);

		g->geo[id].len = 0;
		if (l)
			g->geo[id] = l->geo;
	}
	g->hello = g->ledger->hello;
}

/* Its request may have been interrupted: it is answered all the same, as if nothing had happened. */
static void neighbour_wait(struct world *world)
{
	uint32_t ready = 0, unserved = 0;

	MUST(!utmem_sq_unserved(&world->sq, &unserved) && !unserved);
	MUST(!utmem_cq_peek(&world->cq, &ready) && ready <= 1);
	if (ready) {
		MUST(utmem_cq_at(&world->cq, 0)->res >= 0);
		utmem_cq_release(&world->cq, 1);
	}
}

/* Between two turns, or at a point that is not far. */
static void act_death(struct input *in)
{
	points_left = take_u8(in) % 64;
	if (!points_left)
		longjmp(grave, 1);
}

static void revive(struct world *world)
{
	points_left = 0;
	utmem_service_leave(world->s);
	utmem_ops(world->engine)->close(world->engine);
	engine_init(world);
	attach_as(world, &world->guest, world->tenant[0], true);
	attach_as(world, &world->neighbour, world->tenant[1], true);
	utmem_service_turn(world->s);
	guest_look(&world->guest);
	neighbour_wait(world);
}

static void act_operator(struct input *in, struct world *world)
{
	const struct utmem_engine_ops *ops = utmem_ops(world->engine);
	struct utmem_pool *pool;

	switch (take_u8(in) % 6) {
	case 0:
		ops->tenant_quota(world->tenant[0], take_u32(in) % GUEST_QUOTA + 1);
		break;
	case 1:
		pool = ops->pool_next(world->tenant[1], NULL);
		MUST(pool);
		ops->pool_grant(pool, world->tenant[0], true);
		break;
	case 2:
		if (utmem_service_arm(world->s))
			break;
		utmem_service_disarm(world->s);
		break;
	case 3:
		utmem_window_heartbeat(world->guest.w);
		break;
	case 4:
		utmem_window_draining(world->guest.w);
		break;
	default:
		utmem_window_detach(world->guest.w);
		attach(world, &world->guest, world->tenant[0], take_u8(in) % 4);
	}
}

static void act(struct input *in, struct world *world)
{
	struct guest *g = &world->guest;
	uint8_t what = take_u8(in);
	unsigned int id = what >> 4;

	if (id >= NR_QUEUES || !g->geo[id].len)
		id = g->geo[1].len ? 1 : 0;
	switch (what & 15) {
	case 0:
	case 1:
		act_admin_call(in, g);
		break;
	case 2:
		act_admin_entry(in, g, world->s);
		break;
	case 3:
		act_hello(in, g, world->s);
		break;
	case 4:
		act_operator(in, world);
		break;
	case 5:
		utmem_service_turn(world->s);
		break;
	case 6:
		if (g->geo[id].len)
			act_scribble(in, g, id);
		break;
	case 7:
		if (g->geo[id].len)
			act_index(in, g, id);
		break;
	case 8:
		if (g->geo[id].len)
			act_parts(in, g, id);
		break;
	case 9:
		if (g->geo[id].len)
			act_burst(in, g, id);
		break;
	case 10:
		act_death(in);
		break;
	default:
		if (g->geo[id].len)
			act_entry(in, g, id);
	}
}

/* ---- one input ---- */

/* An arena in a file, which outlives the engine. */
static void memory_init(struct utmem_memory *mem)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);

	MUST(fd >= 0);
	MUST(!utmem_memory_map(mem, fd, ARENA_LEN, 1));
	close(fd);
}

static void world_init(struct world *world)
{
	memory_init(&world->mem);
	engine_init(world);
	neighbour_move_in(world);
}

static void world_exit(struct world *world)
{
	const struct utmem_engine_ops *ops = &utmem_engine_pool;
	struct utmem_service_counters c;

	utmem_service_stat(world->s, &c);
	MUST(c.nr_malformed <= c.nr_requests && c.nr_batches <= c.nr_requests);
	utmem_window_detach(world->guest.w);
	utmem_window_detach(world->neighbour.w);
	utmem_service_exit(world->s);
	MUST(!ops->tenant_remove(world->tenant[0])); /* -EBUSY: somebody forgot a pool_close */
	MUST(!ops->tenant_remove(world->tenant[1]));
	ops->close(world->engine);
	utmem_memory_close(&world->mem);
}

/* What a process that dies leaves behind is no leak. */
static void live(struct input *in, struct world *world)
{
	__lsan_disable();
	if (setjmp(grave))
		revive(world);
	while (in->left) {
		act(in, world);
		neighbour_look(world);
	}
	__lsan_enable();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t *base[2];
	static struct ledger *ledger[2];
	struct input in = {.at = data, .left = len};
	struct world world;

	if (!base[0]) {
		base[0] = window_map();
		base[1] = window_map();
		ledger[0] = ledger_map();
		ledger[1] = ledger_map();
		utmem_fail_hook = on_point;
	}
	memset(&world, 0, sizeof(world));
	world.guest.base = base[0];
	world.guest.ledger = ledger[0];
	world.neighbour.base = base[1];
	world.neighbour.ledger = ledger[1];
	points_left = 0;
	world_init(&world);
	attach(&world, &world.guest, world.tenant[0], take_u8(&in) % 4);
	if (take_u8(&in) % 8)
		guest_move_in(&world.guest);
	live(&in, &world);
	points_left = 0;
	world_exit(&world);
	return 0;
}
