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
TRACE_EVENT(utmem_enter, TP_PROTO(int dev, u32 queue, u32 to_submit, u32 min_complete),
	    TP_ARGS(dev, queue, to_submit, min_complete),
	    TP_STRUCT__entry(__field(int, dev) __field(u32, queue) __field(u32, to_submit)
				     __field(u32, min_complete)),
	    TP_fast_assign(__entry->dev = dev; __entry->queue = queue;
			   __entry->to_submit = to_submit; __entry->min_complete = min_complete;),
	    TP_printk("dev=%d queue=%u to_submit=%u min_complete=%u", __entry->dev, __entry->queue,
		      __entry->to_submit, __entry->min_complete));

/* Pending requests were told to the host; rung=0: it was awake, or rung already. */
TRACE_EVENT(utmem_ring, TP_PROTO(int dev, u32 slot, u32 pending, bool rung),
	    TP_ARGS(dev, slot, pending, rung),
	    TP_STRUCT__entry(__field(int, dev) __field(u32, slot) __field(u32, pending)
				     __field(bool, rung)),
	    TP_fast_assign(__entry->dev = dev; __entry->slot = slot; __entry->pending = pending;
			   __entry->rung = rung;),
	    TP_printk("dev=%d slot=%u pending=%u rung=%d", __entry->dev, __entry->slot,
		      __entry->pending, __entry->rung));

/* An admin request has ended; res is what its caller gets. */
TRACE_EVENT(utmem_admin, TP_PROTO(int dev, u8 opcode, int res), TP_ARGS(dev, opcode, res),
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
