// SPDX-License-Identifier: MIT
// Size and offset of every field that two parties share. A line here changes only with the
// major version, or when a resv field gets a name.
// Owner: guest/ring.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utmem_ioctl.h"
#include "utmem_ring.h"
#include "utmem_sock.h"

struct field {
	const char *name;
	size_t off, len;
	size_t want_off, want_len;
};

#define F(type, field, want_off, want_len)                                                         \
	{                                                                                          \
#type "." #field, offsetof(struct type, field), sizeof(((struct type *)0)->field), \
			want_off, want_len                                                         \
	}
#define END(type, want_len)                                          \
	{                                                            \
		"sizeof " #type, sizeof(struct type), 0, want_len, 0 \
	}

static const struct field window_fields[] = {
	F(utmem_geometry, off, 0, 8),
	F(utmem_geometry, len, 8, 8),
	F(utmem_geometry, sq_entries, 16, 4),
	F(utmem_geometry, cq_entries, 20, 4),
	F(utmem_geometry, sq_off, 24, 4),
	F(utmem_geometry, cq_off, 28, 4),
	F(utmem_geometry, data_off, 32, 4),
	F(utmem_geometry, data_len, 36, 4),
	END(utmem_geometry, 40),

	F(utmem_window_hdr, magic, 0, 8),
	F(utmem_window_hdr, abi_major, 8, 2),
	F(utmem_window_hdr, abi_minor, 10, 2),
	F(utmem_window_hdr, hdr_len, 12, 4),
	F(utmem_window_hdr, features, 16, 8),
	F(utmem_window_hdr, window_len, 24, 8),
	F(utmem_window_hdr, doorbell_token, 32, 8),
	F(utmem_window_hdr, epoch, 40, 4),
	F(utmem_window_hdr, control_off, 44, 4),
	F(utmem_window_hdr, nr_svc, 48, 4),
	F(utmem_window_hdr, host_peer, 52, 4),
	F(utmem_window_hdr, heartbeat_ms, 56, 4),
	F(utmem_window_hdr, max_queues, 60, 4),
	F(utmem_window_hdr, max_sq_entries, 64, 4),
	F(utmem_window_hdr, max_data_len, 68, 4),
	F(utmem_window_hdr, max_key_len, 72, 4),
	F(utmem_window_hdr, max_pools, 76, 4),
	F(utmem_window_hdr, max_value_len, 80, 8),
	F(utmem_window_hdr, admin, 88, 40),
	F(utmem_window_hdr, resv, 128, 128),
	END(utmem_window_hdr, 256),

	F(utmem_host_line, heartbeat, 0, 4),
	F(utmem_host_line, state, 4, 4),
	F(utmem_host_line, hello_ack, 8, 8),
	F(utmem_host_line, resv, 16, 112),
	END(utmem_host_line, 128),

	F(utmem_guest_line, hello, 0, 8),
	F(utmem_guest_line, features, 8, 8),
	F(utmem_guest_line, resv, 16, 112),
	END(utmem_guest_line, 128),

	F(utmem_svc_line, flags, 0, 4),
	F(utmem_svc_line, resv, 4, 124),
	END(utmem_svc_line, 128),

	F(utmem_control, host, 0, 128),
	F(utmem_control, guest, 128, 128),
	F(utmem_control, svc, 256, 2048),
	F(utmem_control, resv, 2304, 1792),
	END(utmem_control, 4096),
};

static const struct field queue_fields[] = {
	F(utmem_ring_page, sq_tail, 0, 4),
	F(utmem_ring_page, resv0, 4, 124),
	F(utmem_ring_page, sq_head, 128, 4),
	F(utmem_ring_page, state, 132, 4),
	F(utmem_ring_page, error, 136, 4),
	F(utmem_ring_page, resv1, 140, 116),
	F(utmem_ring_page, cq_tail, 256, 4),
	F(utmem_ring_page, resv2, 260, 124),
	F(utmem_ring_page, cq_head, 384, 4),
	F(utmem_ring_page, resv3, 388, 124),
	F(utmem_ring_page, need_wake, 512, 4),
	F(utmem_ring_page, wake_idx, 516, 4),
	F(utmem_ring_page, resv4, 520, 120),
	F(utmem_ring_page, resv5, 640, 3456),
	END(utmem_ring_page, 4096),

	F(utmem_sqe, opcode, 0, 1),
	F(utmem_sqe, flags, 1, 1),
	F(utmem_sqe, pool, 2, 2),
	F(utmem_sqe, len, 4, 4),
	F(utmem_sqe, user_data, 8, 8),
	F(utmem_sqe, data_off, 16, 4),
	F(utmem_sqe, key_len, 20, 2),
	F(utmem_sqe, stream, 22, 2),
	F(utmem_sqe, arg, 24, 8),
	F(utmem_sqe, key, 32, 32),
	F(utmem_sqe, key_off, 32, 4),
	F(utmem_sqe, key_resv, 36, 28),
	END(utmem_sqe, 64),

	F(utmem_cqe, user_data, 0, 8),
	F(utmem_cqe, res, 8, 4),
	F(utmem_cqe, flags, 12, 4),
	END(utmem_cqe, 16),
};

static const struct field admin_fields[] = {
	F(utmem_admin_queue, sq_entries, 0, 4),
	F(utmem_admin_queue, cq_entries, 4, 4),
	F(utmem_admin_queue, data_len, 8, 4),
	F(utmem_admin_queue, irq_vector, 12, 4),
	F(utmem_admin_queue, queue_id, 16, 4),
	F(utmem_admin_queue, svc_slot, 20, 4),
	F(utmem_admin_queue, geo, 24, 40),
	F(utmem_admin_queue, resv, 64, 16),
	END(utmem_admin_queue, 80),

	F(utmem_admin_pool, queue_id, 0, 4),
	F(utmem_admin_pool, flags, 4, 4),
	F(utmem_admin_pool, owner, 8, 4),
	F(utmem_admin_pool, handle, 12, 2),
	F(utmem_admin_pool, resv0, 14, 2),
	F(utmem_admin_pool, tenant, 16, 64),
	F(utmem_admin_pool, name, 80, 64),
	F(utmem_admin_pool, resv, 144, 16),
	END(utmem_admin_pool, 160),

	F(utmem_pool_stat, queue_id, 0, 4),
	F(utmem_pool_stat, handle, 4, 2),
	F(utmem_pool_stat, resv0, 6, 2),
	F(utmem_pool_stat, flags, 8, 4),
	F(utmem_pool_stat, resv1, 12, 4),
	F(utmem_pool_stat, nr_items, 16, 8),
	F(utmem_pool_stat, key_bytes, 24, 8),
	F(utmem_pool_stat, value_bytes, 32, 8),
	F(utmem_pool_stat, used_bytes, 40, 8),
	F(utmem_pool_stat, quota_bytes, 48, 8),
	F(utmem_pool_stat, tenant_used_bytes, 56, 8),
	F(utmem_pool_stat, nr_puts, 64, 8),
	F(utmem_pool_stat, nr_gets, 72, 8),
	F(utmem_pool_stat, nr_hits, 80, 8),
	F(utmem_pool_stat, nr_dels, 88, 8),
	F(utmem_pool_stat, nr_evicted, 96, 8),
	F(utmem_pool_stat, nr_refused, 104, 8),
	F(utmem_pool_stat, resv, 112, 32),
	END(utmem_pool_stat, 144),
};

static const struct field sock_fields[] = {
	F(utmem_sock_hello, magic, 0, 8),
	F(utmem_sock_hello, abi_major, 8, 2),
	F(utmem_sock_hello, abi_minor, 10, 2),
	F(utmem_sock_hello, resv0, 12, 4),
	F(utmem_sock_hello, features, 16, 8),
	F(utmem_sock_hello, window_len, 24, 8),
	F(utmem_sock_hello, resv, 32, 16),
	END(utmem_sock_hello, 48),

	F(utmem_sock_msg, type, 0, 4),
	F(utmem_sock_msg, error, 4, 4),
	F(utmem_sock_msg, hello, 8, 48),
	F(utmem_sock_msg, queue, 8, 80),
	F(utmem_sock_msg, pool, 8, 160),
	F(utmem_sock_msg, stat, 8, 144),
	END(utmem_sock_msg, 168),
};

static const struct field ioctl_fields[] = {
	F(utmem_ioc_info, abi_major, 0, 2),
	F(utmem_ioc_info, abi_minor, 2, 2),
	F(utmem_ioc_info, epoch, 4, 4),
	F(utmem_ioc_info, features, 8, 8),
	F(utmem_ioc_info, window_len, 16, 8),
	F(utmem_ioc_info, max_queues, 24, 4),
	F(utmem_ioc_info, max_sq_entries, 28, 4),
	F(utmem_ioc_info, max_data_len, 32, 4),
	F(utmem_ioc_info, max_key_len, 36, 4),
	F(utmem_ioc_info, max_value_len, 40, 8),
	F(utmem_ioc_info, batch_max, 48, 4),
	F(utmem_ioc_info, batch_usecs, 52, 4),
	F(utmem_ioc_info, batch_mode, 56, 4),
	F(utmem_ioc_info, irq_max, 60, 4),
	F(utmem_ioc_info, irq_usecs, 64, 4),
	F(utmem_ioc_info, doorbell, 68, 4),
	F(utmem_ioc_info, resv, 72, 16),
	END(utmem_ioc_info, 88),

	F(utmem_ioc_queue, sq_entries, 0, 4),
	F(utmem_ioc_queue, cq_entries, 4, 4),
	F(utmem_ioc_queue, data_len, 8, 4),
	F(utmem_ioc_queue, batch_max, 12, 4),
	F(utmem_ioc_queue, batch_usecs, 16, 4),
	F(utmem_ioc_queue, svc_slot, 20, 4),
	F(utmem_ioc_queue, geo, 24, 40),
	F(utmem_ioc_queue, batch_mode, 64, 4),
	F(utmem_ioc_queue, irq_max, 68, 4),
	F(utmem_ioc_queue, irq_usecs, 72, 4),
	F(utmem_ioc_queue, resv0, 76, 4),
	END(utmem_ioc_queue, 80),

	F(utmem_ioc_pool, flags, 0, 4),
	F(utmem_ioc_pool, handle, 4, 2),
	F(utmem_ioc_pool, resv0, 6, 2),
	F(utmem_ioc_pool, tenant, 8, 64),
	F(utmem_ioc_pool, name, 72, 64),
	F(utmem_ioc_pool, resv, 136, 16),
	END(utmem_ioc_pool, 152),

	F(utmem_ioc_enter, to_submit, 0, 4),
	F(utmem_ioc_enter, min_complete, 4, 4),
	F(utmem_ioc_enter, flags, 8, 4),
	F(utmem_ioc_enter, resv0, 12, 4),
	F(utmem_ioc_enter, timeout_ns, 16, 8),
	F(utmem_ioc_enter, resv, 24, 8),
	END(utmem_ioc_enter, 32),

	F(utmem_ioc_batch, batch_max, 0, 4),
	F(utmem_ioc_batch, batch_usecs, 4, 4),
	F(utmem_ioc_batch, batch_mode, 8, 4),
	F(utmem_ioc_batch, irq_max, 12, 4),
	F(utmem_ioc_batch, irq_usecs, 16, 4),
	F(utmem_ioc_batch, resv0, 20, 4),
	F(utmem_ioc_batch, resv, 24, 8),
	END(utmem_ioc_batch, 32),

	F(utmem_ioc_counters, requests, 0, 8),
	F(utmem_ioc_counters, doorbells, 8, 8),
	F(utmem_ioc_counters, interrupts, 16, 8),
	F(utmem_ioc_counters, deferred, 24, 8),
	F(utmem_ioc_counters, awake, 32, 8),
	F(utmem_ioc_counters, hypercalls, 40, 8),
	F(utmem_ioc_counters, unanswered, 48, 8),
	F(utmem_ioc_counters, coalesced, 56, 8),
	END(utmem_ioc_counters, 64),

	F(utmem_ioc_stats, queue, 0, 64),
	F(utmem_ioc_stats, device, 64, 64),
	END(utmem_ioc_stats, 128),
};

#define CHECK(table) check(table, sizeof(table) / sizeof(table[0]))
static void check(const struct field *f, size_t nr)
{
	size_t end = 0;

	for (size_t i = 0; i < nr; i++) {
		if (f[i].off != f[i].want_off || f[i].len != f[i].want_len)
			fail_msg("%s is at %zu (%zu bytes), not %zu (%zu)", f[i].name, f[i].off,
				 f[i].len, f[i].want_off, f[i].want_len);
		/* no hole: a field begins where one ended (or lies in a union with one) */
		if (f[i].off > end)
			fail_msg("a hole of %zu bytes before %s", f[i].off - end, f[i].name);
		end = f[i].len == 0 ? 0 : f[i].off + f[i].len > end ? f[i].off + f[i].len : end;
	}
}

static void the_window_lies_as_documented(void **state)
{
	(void)state;
	CHECK(window_fields);
}

static void a_queue_lies_as_documented(void **state)
{
	(void)state;
	CHECK(queue_fields);
}

static void admin_requests_lie_as_documented(void **state)
{
	(void)state;
	CHECK(admin_fields);
}

static void socket_messages_lie_as_documented(void **state)
{
	(void)state;
	CHECK(sock_fields);
}

static void ioctl_structs_lie_as_documented(void **state)
{
	(void)state;
	CHECK(ioctl_fields);
}

static void every_line_of_the_control_page_and_of_a_ring_page_has_one_writer(void **state)
{
	/* first byte of each writer's line */
	static const size_t lines[] = {
		offsetof(struct utmem_control, host),
		offsetof(struct utmem_control, guest),
		offsetof(struct utmem_control, svc),
		offsetof(struct utmem_ring_page, sq_tail),
		offsetof(struct utmem_ring_page, sq_head),
		offsetof(struct utmem_ring_page, cq_tail),
		offsetof(struct utmem_ring_page, cq_head),
		offsetof(struct utmem_ring_page, need_wake),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(lines[i] % UTMEM_LINE, 0);
}

static void the_magic_reads_utmemwin_in_memory(void **state)
{
	const uint64_t magic = UTMEM_MAGIC;

	(void)state;
	assert_memory_equal(&magic, "utmemwin", 8);
}

static void numbers_on_the_wire_never_change(void **state)
{
	static const struct {
		uint64_t is, was;
	} wire[] = {
		{UTMEM_ABI_MAJOR, 1},
		{UTMEM_FEAT_DOORBELL_MMIO, 1},
		{UTMEM_FEAT_DOORBELL_HYPERCALL, 2},
		{UTMEM_FEAT_DOORBELL_EVENTFD, 4},
		{UTMEM_FEAT_RESERVE, 8},
		{UTMEM_SVC_NEED_KICK, 1},
		{UTMEM_SVC_SLEEP_SHIFT, 1},
		{UTMEM_HOST_RUNNING, 1},
		{UTMEM_HOST_DRAINING, 2},
		{UTMEM_HOST_STOPPED, 3},
		{UTMEM_QUEUE_LIVE, 1},
		{UTMEM_QUEUE_BROKEN, 2},
		{UTMEM_QUEUE_GONE, 3},
		{UTMEM_OP_NOP, 0},
		{UTMEM_OP_PUT, 1},
		{UTMEM_OP_GET, 2},
		{UTMEM_OP_DEL, 3},
		{UTMEM_OP_EXISTS, 4},
		{UTMEM_OP_GETDEL, 5},
		{UTMEM_OP_FLUSH, 6},
		{UTMEM_OP_RESERVE, 7},
		{UTMEM_OP_PUT_BEGIN, 8},
		{UTMEM_OP_PUT_PART, 9},
		{UTMEM_OP_PUT_COMMIT, 10},
		{UTMEM_OP_PUT_ABORT, 11},
		{UTMEM_OP_CREATE_QUEUE, 128},
		{UTMEM_OP_DESTROY_QUEUE, 129},
		{UTMEM_OP_POOL_OPEN, 130},
		{UTMEM_OP_POOL_CLOSE, 131},
		{UTMEM_OP_POOL_DESTROY, 132},
		{UTMEM_OP_POOL_STAT, 133},
		{UTMEM_SQE_IF_ABSENT, 1},
		{UTMEM_SQE_IF_PRESENT, 2},
		{UTMEM_SQE_RESERVED, 4},
		{UTMEM_CQE_MORE, 1},
		{UTMEM_CQE_VERSION_SHIFT, 8},
		{UTMEM_POOL_CREATE, 1},
		{UTMEM_POOL_EXCL, 2},
		{UTMEM_POOL_EPHEMERAL, 4},
		{UTMEM_POOL_SHARED, 8},
		{UTMEM_POOL_GUEST_SHARED, 16},
		{UTMEM_POOL_READONLY, 32},
		{UTMEM_POOL_ANY_OWNER, 64},
		{UTMEM_SOCK_HELLO, 1},
		{UTMEM_ENTER_FLUSH, 1},
		{UTMEM_MMAP_QUEUE, 0},
		{UTMEM_MMAP_CONTROL, 1ull << 40},
		{UTMEM_IOC_INFO, 0x8058bf00},
		{UTMEM_IOC_QUEUE_CREATE, 0xc050bf01},
		{UTMEM_IOC_POOL_OPEN, 0xc098bf02},
		{UTMEM_IOC_POOL_CLOSE, 0x4098bf03},
		{UTMEM_IOC_POOL_DESTROY, 0x4098bf04},
		{UTMEM_IOC_POOL_STAT, 0xc090bf05},
		{UTMEM_IOC_ENTER, 0x4020bf06},
		{UTMEM_IOC_BATCH_SET, 0x4020bf07},
		{UTMEM_IOC_BATCH_GET, 0x8020bf08},
		{UTMEM_IOC_STATS, 0x8080bf09},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wire) / sizeof(wire[0]); i++)
		assert_int_equal(wire[i].is, wire[i].was);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_lies_as_documented),
		cmocka_unit_test(a_queue_lies_as_documented),
		cmocka_unit_test(admin_requests_lie_as_documented),
		cmocka_unit_test(socket_messages_lie_as_documented),
		cmocka_unit_test(ioctl_structs_lie_as_documented),
		cmocka_unit_test(every_line_of_the_control_page_and_of_a_ring_page_has_one_writer),
		cmocka_unit_test(the_magic_reads_utmemwin_in_memory),
		cmocka_unit_test(numbers_on_the_wire_never_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
