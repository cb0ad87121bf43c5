/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events, in /sys/kernel/tracing/events/utmem. Owner: guest/dev; users: whoever asks
 * why a doorbell rang or did not.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM utmem

#if !defined(UTMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define UTMEM_TRACE_H

#include <linux/tracepoint.h>

/* clang-format off: the kernel lays such tables out by hand */
TRACE_DEFINE_ENUM(UTMEM_RING_NONE);
TRACE_DEFINE_ENUM(UTMEM_RING_MMIO);
TRACE_DEFINE_ENUM(UTMEM_RING_HYPERCALL);

/* A process has come to the driver, with requests, to wait, or both. */
TRACE_EVENT(submit, TP_PROTO(int dev, u32 queue, u32 to_submit, u32 min_complete),
	    TP_ARGS(dev, queue, to_submit, min_complete),
	    TP_STRUCT__entry(__field(int, dev) __field(u32, queue) __field(u32, to_submit)
				     __field(u32, min_complete)),
	    TP_fast_assign(__entry->dev = dev; __entry->queue = queue;
			   __entry->to_submit = to_submit; __entry->min_complete = min_complete;),
	    TP_printk("dev=%d queue=%u to_submit=%u min_complete=%u", __entry->dev, __entry->queue,
		      __entry->to_submit, __entry->min_complete));

/* Pending requests were told to the host; how=none: it was awake, or rung already. */
TRACE_EVENT(kick, TP_PROTO(int dev, u32 slot, u32 pending, u32 how),
	    TP_ARGS(dev, slot, pending, how),
	    TP_STRUCT__entry(__field(int, dev) __field(u32, slot) __field(u32, pending)
				     __field(u32, how)),
	    TP_fast_assign(__entry->dev = dev; __entry->slot = slot; __entry->pending = pending;
			   __entry->how = how;),
	    TP_printk("dev=%d slot=%u pending=%u how=%s", __entry->dev, __entry->slot,
		      __entry->pending,
		      __print_symbolic(__entry->how, {UTMEM_RING_NONE, "none"},
				       {UTMEM_RING_MMIO, "mmio"},
				       {UTMEM_RING_HYPERCALL, "hypercall"})));

/* Requests are held back, until so many are there or the time is over. */
TRACE_EVENT(defer, TP_PROTO(int dev, u32 slot, u32 pending, u32 limit, ktime_t end),
	    TP_ARGS(dev, slot, pending, limit, end),
	    TP_STRUCT__entry(__field(int, dev) __field(u32, slot) __field(u32, pending)
				     __field(u32, limit) __field(s64, usecs)),
	    TP_fast_assign(__entry->dev = dev; __entry->slot = slot; __entry->pending = pending;
			   __entry->limit = limit;
			   __entry->usecs = ktime_us_delta(end, ktime_get());),
	    TP_printk("dev=%d slot=%u pending=%u limit=%u usecs=%lld", __entry->dev, __entry->slot,
		      __entry->pending, __entry->limit, __entry->usecs));

/* An interrupt was taken; woke: queues of whose waiters somebody was woken. */
TRACE_EVENT(irq, TP_PROTO(int dev, u32 vector, u32 woke), TP_ARGS(dev, vector, woke),
	    TP_STRUCT__entry(__field(int, dev) __field(u32, vector) __field(u32, woke)),
	    TP_fast_assign(__entry->dev = dev; __entry->vector = vector; __entry->woke = woke;),
	    TP_printk("dev=%d vector=%u woke=%u", __entry->dev, __entry->vector, __entry->woke));

/* A control request has ended; res is what its caller gets. */
TRACE_EVENT(admin, TP_PROTO(int dev, u8 opcode, int res), TP_ARGS(dev, opcode, res),
	    TP_STRUCT__entry(__field(int, dev) __field(u8, opcode) __field(int, res)),
	    TP_fast_assign(__entry->dev = dev; __entry->opcode = opcode; __entry->res = res;),
	    TP_printk("dev=%d opcode=%u res=%d", __entry->dev, __entry->opcode, __entry->res));
/* clang-format on */

#endif /* UTMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE utmem_trace
#include <trace/define_trace.h>
