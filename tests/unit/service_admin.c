// SPDX-License-Identifier: MIT
/* Control requests: shapes, limits and rights, by call and through queue 0. */
#include "host/service/window.h"
#include "tests/unit/service_rig.h"

static int call(struct rig_window *win, uint8_t opcode, void *payload, size_t len)
{
	return utmem_window_admin(win->w, opcode, payload, len);
}

static int create(struct rig_window *win, struct utmem_admin_queue *p)
{
	return call(win, UTMEM_OP_CREATE_QUEUE, p, sizeof(*p));
}

static int create_shape(struct rig_window *win, uint32_t sq, uint32_t cq, uint32_t data_len)
{
	struct utmem_admin_queue p = {.sq_entries = sq, .cq_entries = cq, .data_len = data_len};

	return create(win, &p);
}

/* The driver's end of queue 0. */
static void admin_queue(struct rig_queue *q, struct rig_window *win)
{
	const struct utmem_window_hdr *hdr = (const void *)win->base;

	rig_queue_init(q, win, &hdr->admin);
}

static void unknown_calls_and_wrong_lengths_are_refused(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	uint8_t payload[256] = {0};

	assert_int_equal(call(win, 0, payload, 0), -EOPNOTSUPP);
	assert_int_equal(call(win, UTMEM_OP_PUT, payload, 80), -EOPNOTSUPP);
	assert_int_equal(call(win, 127, payload, 80), -EOPNOTSUPP);
	assert_int_equal(call(win, UTMEM_OP_POOL_STAT + 1, payload, 80), -EOPNOTSUPP);
	assert_int_equal(call(win, 255, payload, 80), -EOPNOTSUPP);
	assert_int_equal(call(win, UTMEM_OP_CREATE_QUEUE, payload, 79), -EINVAL);
	assert_int_equal(call(win, UTMEM_OP_CREATE_QUEUE, payload, 160), -EINVAL);
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, payload, 80), -EINVAL);
	assert_int_equal(call(win, UTMEM_OP_POOL_STAT, payload, 160), -EINVAL);
}

static void queue_shapes_are_checked(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	const uint32_t data_max = RIG_WINDOW_LEN / 4;

	assert_int_equal(create_shape(win, 0, 4, 0), -EINVAL);
	assert_int_equal(create_shape(win, 1, 4, 0), -EINVAL);
	assert_int_equal(create_shape(win, 3, 4, 0), -EINVAL);
	assert_int_equal(create_shape(win, 4, 0, 0), -EINVAL);
	assert_int_equal(create_shape(win, 4, 6, 0), -EINVAL);
	assert_int_equal(create_shape(win, 4, 2, 0), -EINVAL);
	assert_int_equal(create_shape(win, 65536, 65536, 0), -EINVAL);
	assert_int_equal(create_shape(win, 4, 131072, 0), -EINVAL);
	assert_int_equal(create_shape(win, 4, 4, 1), -EINVAL);
	assert_int_equal(create_shape(win, 4, 4, ~0u), -EINVAL);
	assert_int_equal(create_shape(win, 4, 4, data_max + UTMEM_PAGE), -EINVAL);
	assert_int_equal(create_shape(win, 2, 2, 0), 0);
	assert_int_equal(create_shape(win, 4, 4, data_max), 0);
}

static void resv_words_must_be_zero(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct rig_queue q;
	struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4, .resv = {0, 1}};
	struct utmem_admin_pool pool;
	struct utmem_pool_stat stat;
	unsigned int i;

	assert_int_equal(create(win, &p), -EINVAL);
	rig_queue(&q, win, 4, 4, 0);
	p.queue_id = q.id;
	assert_int_equal(call(win, UTMEM_OP_DESTROY_QUEUE, &p, sizeof(p)), -EINVAL);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), 0);
	for (i = 0; i < 2; i++) {
		pool = (struct utmem_admin_pool){.queue_id = q.id, .name = "p"};
		pool.resv0 = i == 0;
		pool.resv[1] = i == 1;
		assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &pool, sizeof(pool)), -EINVAL);
		assert_int_equal(call(win, UTMEM_OP_POOL_CLOSE, &pool, sizeof(pool)), -EINVAL);
		assert_int_equal(call(win, UTMEM_OP_POOL_DESTROY, &pool, sizeof(pool)), -EINVAL);
	}
	for (i = 0; i < 3; i++) {
		stat = (struct utmem_pool_stat){.queue_id = q.id};
		stat.resv0 = i == 0;
		stat.resv1 = i == 1;
		stat.resv[3] = i == 2;
		assert_int_equal(call(win, UTMEM_OP_POOL_STAT, &stat, sizeof(stat)), -EINVAL);
	}
	assert_int_equal(rig->engine.nr_attached, 1);
}

static void queues_end_at_max_queues_and_ids_are_used_again(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_window_stat stat;
	struct utmem_admin_queue p;
	uint32_t i;

	for (i = 1; i < 8; i++) {
		p = (struct utmem_admin_queue){.sq_entries = 4, .cq_entries = 4};
		assert_int_equal(create(win, &p), 0);
		assert_int_equal(p.queue_id, i);
		assert_int_equal(p.svc_slot, 0);
	}
	assert_int_equal(create_shape(win, 4, 4, 0), -EMFILE);
	assert_int_equal(rig_destroy(win, 3), 0);
	assert_int_equal(create(win, &p), 0);
	assert_int_equal(p.queue_id, 3);
	utmem_window_stat(win->w, &stat);
	assert_int_equal(stat.nr_queues, 7);
}

static void a_full_window_has_no_space(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	const uint32_t data_max = RIG_WINDOW_LEN / 4;

	assert_int_equal(create_shape(win, 4, 4, data_max), 0);
	assert_int_equal(create_shape(win, 4, 4, data_max), 0);
	assert_int_equal(create_shape(win, 4, 4, data_max), 0);
	assert_int_equal(create_shape(win, 4, 4, data_max), -ENOSPC);
	assert_int_equal(create_shape(&rig->win[1], 4, 4, data_max), 0);
	assert_int_equal(rig_destroy(win, 2), 0);
	assert_int_equal(create_shape(win, 4, 4, data_max), 0);
}

static void queues_that_are_not_there_cannot_be_named(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];

	assert_int_equal(rig_destroy(win, 0), -EINVAL);
	assert_int_equal(rig_destroy(win, 8), -EINVAL);
	assert_int_equal(rig_destroy(win, ~0u), -EINVAL);
	assert_int_equal(rig_destroy(win, 1), -ENOENT);
	assert_int_equal(rig_pool(win, 0, "p", UTMEM_POOL_CREATE), -EINVAL);
	assert_int_equal(rig_pool(win, 1, "p", UTMEM_POOL_CREATE), -ENOENT);
}

/* What one owner leaves, in ring and data area, is zero for the next. */
static void room_that_is_used_again_has_been_scrubbed(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q, again;
	uint8_t *base;
	size_t i;

	rig_queue(&q, &rig->win[0], 64, 64, RIG_WINDOW_LEN / 4);
	base = (uint8_t *)q.page;
	memset(base + UTMEM_PAGE, 0x5a, q.geo.len - UTMEM_PAGE);
	assert_int_equal(rig_destroy(&rig->win[0], q.id), 0);
	rig_queue(&again, &rig->win[0], 2, 2, RIG_WINDOW_LEN / 4);
	assert_ptr_equal(again.page, q.page);
	for (i = UTMEM_PAGE; i < again.geo.len; i++)
		assert_int_equal(base[i], 0);
	assert_int_equal(again.page->sq_tail, 0);
}

static void scrubbing_a_large_queue_takes_several_turns(void **state)
{
	const uint64_t len = 64 << 20;
	struct rig *rig = *state;
	struct rig_window win = {.base = rig_map(len)};
	struct utmem_window_config cfg = rig_config(rig, &win, len);
	const uint32_t data_len = 16 << 20;
	struct utmem_admin_queue p = {.sq_entries = 2, .cq_entries = 2, .data_len = data_len};
	struct utmem_sqe *sqe;
	struct rig_queue q;
	uint32_t turns = 0;

	win.control = (struct utmem_control *)(win.base + UTMEM_PAGE);
	assert_int_equal(utmem_window_attach(rig->s, &win.w, &cfg), 0);
	assert_int_equal(create(&win, &p), 0);
	memset(win.base + p.geo.off + p.geo.data_off, 0x5a, data_len);
	assert_int_equal(rig_destroy(&win, p.queue_id), 0);
	admin_queue(&q, &win);
	sqe = rig_sqe(&q, UTMEM_OP_CREATE_QUEUE);
	sqe->len = sizeof(p);
	memcpy(q.data, &p, sizeof(p));
	utmem_sq_publish(&q.sq);
	while (!rig_ready(&q)) {
		assert_true(utmem_service_arm(rig->s));
		assert_int_equal(utmem_service_turn(rig->s), 1);
		turns++;
	}
	assert_int_equal(rig_cqe(&q).res, 0);
	assert_int_equal(turns, 5); /* 16 MiB and two pages, 4 MiB a turn */
	assert_int_equal(win.base[p.geo.off + p.geo.data_off + data_len - 1], 0);
	utmem_window_detach(win.w);
	munmap(win.base, len);
}

static void pool_flags_and_names_are_checked(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_admin_pool p;
	struct rig_queue q;

	rig_queue(&q, win, 4, 4, 0);
	assert_int_equal(rig_pool(win, q.id, "p", 0x80), -EOPNOTSUPP);
	assert_int_equal(rig_pool(win, q.id, "p", 0x80000000u), -EOPNOTSUPP);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_EXCL), -EINVAL);
	assert_int_equal(rig_pool(win, q.id, "", UTMEM_POOL_CREATE), -EINVAL);
	assert_int_equal(rig_pool(win, q.id, "a/b", UTMEM_POOL_CREATE), -EINVAL);
	p = (struct utmem_admin_pool){.queue_id = q.id, .flags = UTMEM_POOL_CREATE};
	memset(p.name, 'n', sizeof(p.name)); /* no NUL */
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), -EINVAL);
	p.name[UTMEM_NAME_LEN - 1] = 0;
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), 0);
	memset(p.tenant, 't', sizeof(p.tenant));
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), -EINVAL);
	strcpy(p.tenant, "web 1");
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), -EINVAL);
	assert_int_equal(rig_pool(win, q.id, "absent", 0), -ENOENT);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE | UTMEM_POOL_EXCL), 1);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE | UTMEM_POOL_EXCL), -EEXIST);
}

static void a_queue_has_64_handles(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_admin_pool p = {.handle = 17};
	struct rig_queue q;
	int i;

	rig_queue(&q, win, 4, 4, UTMEM_PAGE);
	for (i = 0; i < 64; i++)
		assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), i);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), -EMFILE);
	p.queue_id = q.id;
	assert_int_equal(call(win, UTMEM_OP_POOL_CLOSE, &p, sizeof(p)), 0);
	assert_int_equal(call(win, UTMEM_OP_POOL_CLOSE, &p, sizeof(p)), -EACCES);
	assert_int_equal(rig->engine.nr_attached, 63);
	assert_int_equal(rig_pool(win, q.id, "p", 0), 17);
	rig_put_sqe(&q, "k", "v")->pool = 63;
	assert_int_equal(rig_do(rig, &q).res, 0);
}

static void handles_that_are_not_attached_cannot_be_named(void **state)
{
	const uint16_t handles[] = {1, 63, 64, 0xffff};
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct rig_queue q;
	unsigned int i;

	rig_queue(&q, win, 4, 4, 0);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), 0);
	for (i = 0; i < 4; i++) {
		struct utmem_admin_pool p = {.queue_id = q.id, .handle = handles[i]};
		struct utmem_pool_stat s = {.queue_id = q.id, .handle = handles[i]};

		assert_int_equal(call(win, UTMEM_OP_POOL_CLOSE, &p, sizeof(p)), -EACCES);
		assert_int_equal(call(win, UTMEM_OP_POOL_DESTROY, &p, sizeof(p)), -EACCES);
		assert_int_equal(call(win, UTMEM_OP_POOL_STAT, &s, sizeof(s)), -EACCES);
	}
}

static void handles_belong_to_their_queue(void **state)
{
	struct rig *rig = *state;
	struct rig_queue a, b;

	rig_queue(&a, &rig->win[0], 4, 4, UTMEM_PAGE);
	rig_queue(&b, &rig->win[0], 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(&rig->win[0], a.id, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(rig_put(rig, &a, "k", "v"), 0);
	assert_int_equal(rig_get(rig, &b, "k"), -EACCES);
}

static void a_destroyed_pool_is_stale_for_everybody_else(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct rig_queue a, b;
	struct utmem_admin_pool p = {0};

	rig_queue(&a, win, 4, 4, UTMEM_PAGE);
	rig_queue(&b, win, 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(win, a.id, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(rig_pool(win, b.id, "p", 0), 0);
	assert_int_equal(rig_put(rig, &b, "k", "v"), 0);
	p.queue_id = a.id;
	assert_int_equal(call(win, UTMEM_OP_POOL_DESTROY, &p, sizeof(p)), 0);
	assert_int_equal(rig_get(rig, &a, "k"), -EACCES); /* the handle went with it */
	assert_int_equal(rig_get(rig, &b, "k"), -ESTALE);
	assert_int_equal(rig_put(rig, &b, "k", "v"), -ESTALE);
}

static void readonly_handles_destroy_nothing(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct rig_queue q;
	struct utmem_admin_pool p = {.handle = 1};

	rig_queue(&q, win, 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE), 0);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_READONLY), 1);
	p.queue_id = q.id;
	assert_int_equal(call(win, UTMEM_OP_POOL_DESTROY, &p, sizeof(p)), -EACCES);
	assert_int_equal(rig_put(rig, &q, "k", "v"), 0);
}

static int open_of(struct rig_window *win, uint32_t id, const char *tenant, const char *name)
{
	struct utmem_admin_pool p = {.queue_id = id, .owner = 1000};
	int err;

	snprintf(p.tenant, sizeof(p.tenant), "%s", tenant);
	snprintf(p.name, sizeof(p.name), "%s", name);
	err = call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p));
	return err ? err : p.handle;
}

static void another_tenants_pool_needs_a_grant(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0], *far = &rig->win[1];
	struct rig_queue q, f;
	struct utmem_admin_pool p = {0};
	struct utmem_pool_stat s = {0};

	rig_queue(&q, win, 4, 4, UTMEM_PAGE);
	rig_queue(&f, far, 4, 4, UTMEM_PAGE);
	assert_int_equal(rig_pool(win, q.id, "p", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED), 0);
	assert_int_equal(rig_put(rig, &q, "k", "v"), 0);
	assert_int_equal(open_of(far, f.id, "web1", "p"), -EACCES);
	assert_int_equal(open_of(far, f.id, "nobody", "p"), -EACCES);
	fake_pool_grant(&rig->engine.pools[0], rig->other, true);
	assert_int_equal(open_of(far, f.id, "web1", "p"), 0);
	assert_int_equal(rig_get(rig, &f, "k"), 1);
	assert_int_equal(rig_put(rig, &f, "k", "v"), -EACCES); /* granted to read */
	s.queue_id = f.id;
	assert_int_equal(call(far, UTMEM_OP_POOL_STAT, &s, sizeof(s)), 0);
	assert_int_equal(s.flags, UTMEM_POOL_SHARED | UTMEM_POOL_READONLY);

	fake_pool_grant(&rig->engine.pools[0], rig->other, false);
	assert_int_equal(open_of(far, f.id, "web1", "p"), 1);
	rig_put_sqe(&f, "k", "vv")->pool = 1;
	assert_int_equal(rig_do(rig, &f).res, 0);
	p.queue_id = f.id;
	p.handle = 1;
	assert_int_equal(call(far, UTMEM_OP_POOL_DESTROY, &p, sizeof(p)),
			 -EACCES);			      /* not its own */
	assert_int_equal(open_of(win, q.id, "web1", "p"), 1); /* one's own by its full name */
}

static void pools_of_another_uid_need_any_owner(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_admin_pool p = {.flags = UTMEM_POOL_CREATE, .owner = 1000, .name = "p"};
	struct rig_queue q;

	rig_queue(&q, win, 4, 4, 0);
	p.queue_id = q.id;
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), 0);
	p.owner = 1001;
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), -EACCES);
	p.flags = UTMEM_POOL_ANY_OWNER;
	assert_int_equal(call(win, UTMEM_OP_POOL_OPEN, &p, sizeof(p)), 0);
}

static void pool_stat_tells_kind_counters_and_quota(void **state)
{
	struct rig *rig = *state;
	struct rig_window *win = &rig->win[0];
	struct utmem_pool_stat s = {0};
	struct rig_queue q;

	rig_queue(&q, win, 4, 4, UTMEM_PAGE);
	assert_int_equal(
		rig_pool(win, q.id, "p",
			 UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL | UTMEM_POOL_GUEST_SHARED),
		0);
	assert_int_equal(rig_put(rig, &q, "key", "value"), 0);
	s.queue_id = q.id;
	assert_int_equal(call(win, UTMEM_OP_POOL_STAT, &s, sizeof(s)), 0);
	assert_int_equal(s.flags, UTMEM_POOL_EPHEMERAL | UTMEM_POOL_GUEST_SHARED);
	assert_int_equal(s.nr_items, 1);
	assert_int_equal(s.key_bytes, 3);
	assert_int_equal(s.value_bytes, 5);
	assert_int_equal(s.nr_puts, 1);
	assert_int_equal(s.quota_bytes, 8 << 20);
}

/* ---- through queue 0 ---- */

static int entry(struct rig *rig, struct rig_queue *q, uint8_t opcode, uint32_t off, uint32_t len)
{
	struct utmem_sqe *sqe = rig_sqe(q, opcode);

	sqe->data_off = off;
	sqe->len = len;
	return rig_do(rig, q).res;
}

static void payloads_beyond_the_admin_data_area_are_malformed(void **state)
{
	const struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4};
	const uint32_t last = ADMIN_DATA_LEN - sizeof(p);
	struct rig *rig = *state;
	struct rig_queue q;

	admin_queue(&q, &rig->win[0]);
	memcpy(q.data, &p, sizeof(p)); /* nothing is wrong with what lies there */
	memcpy(q.data + last, &p, sizeof(p));
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, last + 1, sizeof(p)), -EINVAL);
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, ~0u, sizeof(p)), -EINVAL);
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, 0, sizeof(p) - 1), -EINVAL);
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, 0, sizeof(p) + 1), -EINVAL);
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, 0, 0), -EINVAL);
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, 0, ~0u), -EINVAL);
	assert_int_equal(entry(rig, &q, UTMEM_OP_CREATE_QUEUE, last, sizeof(p)), 0);
}

static void data_opcodes_on_the_admin_queue_are_not_supported(void **state)
{
	struct rig *rig = *state;
	struct rig_queue q;

	admin_queue(&q, &rig->win[0]);
	rig_get_sqe(&q, "k", 8);
	assert_int_equal(rig_do(rig, &q).res, -EOPNOTSUPP);
	assert_int_equal(entry(rig, &q, 127, 0, 0), -EOPNOTSUPP);
	assert_int_equal(entry(rig, &q, 134, 0, 0), -EOPNOTSUPP);
	assert_int_equal(entry(rig, &q, 255, 0, 0), -EOPNOTSUPP);
	assert_int_equal(entry(rig, &q, UTMEM_OP_NOP, 0, 0), 0);
}

static void admin_entries_name_nothing_but_a_payload(void **state)
{
	struct rig *rig = *state;
	const struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4};
	struct utmem_sqe *sqe;
	struct rig_queue q;
	unsigned int i;

	admin_queue(&q, &rig->win[0]);
	memcpy(q.data, &p, sizeof(p));
	for (i = 0; i < 6; i++) {
		sqe = rig_sqe(&q, UTMEM_OP_CREATE_QUEUE);
		sqe->len = sizeof(p);
		sqe->flags = i == 0;
		sqe->pool = i == 1;
		sqe->key_len = i == 2;
		sqe->stream = i == 3;
		sqe->arg = i == 4;
		sqe->key[9] = i == 5;
		assert_int_equal(rig_do(rig, &q).res, i ? -EINVAL : -EOPNOTSUPP);
	}
	assert_memory_equal(q.data, &p, sizeof(p)); /* what fails writes no answer */
}

static void admin_requests_are_served_one_a_turn_in_order(void **state)
{
	struct rig *rig = *state;
	struct utmem_admin_queue p = {.sq_entries = 4, .cq_entries = 4, .irq_vector = 5};
	struct utmem_sqe *sqe;
	struct rig_queue q;
	unsigned int i;

	admin_queue(&q, &rig->win[0]);
	for (i = 0; i < 3; i++) {
		sqe = rig_sqe(&q, UTMEM_OP_CREATE_QUEUE);
		sqe->data_off = i * sizeof(p);
		sqe->len = sizeof(p);
		sqe->user_data = i;
		memcpy(q.data + sqe->data_off, &p, sizeof(p));
	}
	utmem_wake_arm(q.page, 2);
	utmem_sq_publish(&q.sq);
	for (i = 0; i < 3; i++) {
		struct utmem_cqe cqe;

		assert_int_equal(utmem_service_turn(rig->s), 1);
		assert_int_equal(rig->win[0].nr_wakes, i >= 1);
		cqe = rig_cqe(&q);
		assert_int_equal(cqe.res, 0);
		assert_int_equal(cqe.user_data, i);
		memcpy(&p, q.data + i * sizeof(p), sizeof(p));
		assert_int_equal(p.queue_id, i + 1);
		assert_int_equal(utmem_geometry_check(&p.geo, RIG_WINDOW_LEN), 0);
	}
	assert_int_equal(rig->win[0].woken_id, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(unknown_calls_and_wrong_lengths_are_refused),
		RIG_TEST(queue_shapes_are_checked),
		RIG_TEST(resv_words_must_be_zero),
		RIG_TEST(queues_end_at_max_queues_and_ids_are_used_again),
		RIG_TEST(a_full_window_has_no_space),
		RIG_TEST(queues_that_are_not_there_cannot_be_named),
		RIG_TEST(room_that_is_used_again_has_been_scrubbed),
		RIG_TEST(scrubbing_a_large_queue_takes_several_turns),
		RIG_TEST(pool_flags_and_names_are_checked),
		RIG_TEST(a_queue_has_64_handles),
		RIG_TEST(handles_that_are_not_attached_cannot_be_named),
		RIG_TEST(handles_belong_to_their_queue),
		RIG_TEST(a_destroyed_pool_is_stale_for_everybody_else),
		RIG_TEST(readonly_handles_destroy_nothing),
		RIG_TEST(another_tenants_pool_needs_a_grant),
		RIG_TEST(pools_of_another_uid_need_any_owner),
		RIG_TEST(pool_stat_tells_kind_counters_and_quota),
		RIG_TEST(payloads_beyond_the_admin_data_area_are_malformed),
		RIG_TEST(data_opcodes_on_the_admin_queue_are_not_supported),
		RIG_TEST(admin_entries_name_nothing_but_a_payload),
		RIG_TEST(admin_requests_are_served_one_a_turn_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
