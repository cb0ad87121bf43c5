// SPDX-License-Identifier: MIT
/*
 * A VM's window in use, by a driver that is written here: it says hello, makes a
 * queue through the admin queue, is served, woken by its vector, and comes back
 * after a reset that nobody told the daemon of.
 */
#include <sched.h>

#include "tests/integration/peer.h"

#define VECTOR 1

static const char *const args[] = {"--tenant", "a:16m", "--window", "4m", NULL};

static int start(void **state)
{
	static struct daemon d;

	daemon_start(&d, args);
	*state = &d;
	return 0;
}

static int stop(void **state)
{
	daemon_stop(*state);
	return 0;
}

struct driver {
	struct fake_vm vm;
	struct utmem_control *control;
	struct utmem_sq sq; /* of the admin queue */
	struct utmem_cq cq;
	uint8_t *data;
};

static void say_hello(struct driver *drv)
{
	const struct utmem_window_hdr *hdr = (const void *)drv->vm.window;
	uint64_t until = now_ms() + DEADLINE_MS;
	uint64_t hello = utmem_load_relaxed(&drv->control->guest.hello) + 1;

	utmem_store_relaxed(&drv->control->guest.features, hdr->features);
	utmem_store_release(&drv->control->guest.hello, hello);
	ring(drv->vm.doorbell);
	while (utmem_load_acquire(&drv->control->host.hello_ack) != hello) {
		assert_true(now_ms() < until);
		sched_yield();
	}
	utmem_sq_init(&drv->sq, drv->vm.window + hdr->admin.off, &hdr->admin, 0);
	utmem_cq_init(&drv->cq, drv->vm.window + hdr->admin.off, &hdr->admin, 0);
	drv->data = drv->vm.window + hdr->admin.off + hdr->admin.data_off;
}

static void driver_start(struct driver *drv, const struct daemon *d)
{
	fake_vm_start(&drv->vm, d, "a.ivshmem", 2);
	drv->control = (void *)(drv->vm.window + UTMEM_PAGE);
	say_hello(drv);
}

/* The answer is in the admin queue's data area. */
static int admin(struct driver *drv, uint8_t opcode, void *payload, uint32_t len)
{
	struct utmem_sqe *sqe = utmem_sq_reserve(&drv->sq);
	uint64_t until = now_ms() + DEADLINE_MS;
	uint32_t n = 0;
	int res;

	memcpy(drv->data, payload, len);
	sqe->opcode = opcode;
	sqe->len = len;
	utmem_sq_publish(&drv->sq);
	ring(drv->vm.doorbell);
	while (!n) {
		assert_int_equal(utmem_cq_peek(&drv->cq, &n), 0);
		assert_true(now_ms() < until);
		sched_yield();
	}
	res = utmem_cq_at(&drv->cq, 0)->res;
	memcpy(payload, drv->data, len);
	utmem_cq_release(&drv->cq, 1);
	return res;
}

static void queue_create(struct driver *drv, struct fake_queue *q)
{
	struct utmem_admin_queue a = {.sq_entries = 8, .cq_entries = 16, .irq_vector = VECTOR};

	assert_int_equal(admin(drv, UTMEM_OP_CREATE_QUEUE, &a, sizeof(a)), 0);
	assert_int_equal(utmem_geometry_check(&a.geo, drv->vm.len), 0);
	q->id = a.queue_id;
	q->wake = drv->vm.vectors[VECTOR];
	utmem_sq_init(&q->sq, drv->vm.window + a.geo.off, &a.geo, 0);
	utmem_cq_init(&q->cq, drv->vm.window + a.geo.off, &a.geo, 0);
}

static void queue_is_served_and_its_own_vector_signalled(void **state)
{
	struct driver drv;
	struct fake_queue q;
	uint64_t count;
	uint32_t i;

	driver_start(&drv, *state);
	queue_create(&drv, &q);
	for (i = 0; i < 100; i++) {
		submit_nops(&q, 8);
		ring(drv.vm.doorbell);
		await_completions(&q, 8);
	}
	assert_int_equal(read(drv.vm.vectors[0], &count, sizeof(count)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(tenant_stat(*state, "a", "requests") >= 800);
	fake_vm_end(&drv.vm);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void reset_of_the_guest_drops_its_queues_and_serves_the_next_life(void **state)
{
	struct driver drv;
	struct fake_queue q;

	driver_start(&drv, *state);
	queue_create(&drv, &q);
	assert_int_equal(tenant_stat(*state, "a", "queues"), 1);
	say_hello(&drv);
	assert_int_equal(tenant_stat(*state, "a", "queues"), 0);
	queue_create(&drv, &q);
	submit_nops(&q, 8);
	ring(drv.vm.doorbell);
	await_completions(&q, 8);
	fake_vm_end(&drv.vm);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void tail_that_lies_ends_its_queue_only(void **state)
{
	struct driver drv;
	struct fake_queue bad, good;
	uint64_t until = now_ms() + DEADLINE_MS;

	driver_start(&drv, *state);
	queue_create(&drv, &bad);
	queue_create(&drv, &good);
	utmem_store_release(&bad.sq.page->sq_tail, 1000u);
	ring(drv.vm.doorbell);
	while (utmem_state_error(bad.sq.page) != -EPROTO) {
		assert_true(now_ms() < until);
		sched_yield();
	}
	submit_nops(&good, 8);
	ring(drv.vm.doorbell);
	await_completions(&good, 8);
	assert_int_equal(tenant_stat(*state, "a", "broken"), 1);
	fake_vm_end(&drv.vm);
	await_tenant_stat(*state, "a", "vm", 0);
}

static void heartbeat_counts_while_the_host_sleeps(void **state)
{
	static const char *const beating[] = {"--tenant", "a:16m", "--heartbeat-ms", "10", NULL};
	uint64_t until = now_ms() + DEADLINE_MS;
	struct driver drv;
	struct daemon d;

	(void)state;
	daemon_start(&d, beating);
	driver_start(&drv, &d);
	while (utmem_load_relaxed(&drv.control->host.heartbeat) < 3) {
		assert_true(now_ms() < until);
		sched_yield();
	}
	fake_vm_end(&drv.vm);
	daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue_is_served_and_its_own_vector_signalled),
		cmocka_unit_test(reset_of_the_guest_drops_its_queues_and_serves_the_next_life),
		cmocka_unit_test(tail_that_lies_ends_its_queue_only),
		cmocka_unit_test(heartbeat_counts_while_the_host_sleeps),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
