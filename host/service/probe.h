/* SPDX-License-Identifier: MIT */
/*
 * Probes: where a tracer may look at a running daemon (USDT, provider "utmemd"). Each is a nop until
 * one does. Owner: host/service; callers: drain.c, queue.c, and the daemon's serve.c, on the serving
 * thread. utmemd(8) says what each of them tells: with a probe changes a line there.
 */
#ifndef UTMEM_SERVICE_PROBE_H
#define UTMEM_SERVICE_PROBE_H

#include <stdint.h>
#include <sys/sdt.h>

enum probe_wake {
	PROBE_WAKE_DOORBELL = 1,
	PROBE_WAKE_OTHER = 2,
};

/* NEED_KICK is set, and there was no work after that. */
static inline void probe_thread_sleep(void)
{
	DTRACE_PROBE(utmemd, thread_sleep);
}

static inline void probe_thread_wake(enum probe_wake reason)
{
	DTRACE_PROBE1(utmemd, thread_wake, (int)reason);
}

/* @n requests are there, or the most that one batch takes. */
static inline void probe_batch_begin(uint32_t queue_id, uint32_t n)
{
	DTRACE_PROBE2(utmemd, batch_begin, queue_id, n);
}

/* The outcomes of @n are told, and who waited is woken. */
static inline void probe_batch_end(uint32_t queue_id, uint32_t n)
{
	DTRACE_PROBE2(utmemd, batch_end, queue_id, n);
}

/* About to wake who waits. */
static inline void probe_signal(uint32_t queue_id, uint32_t vector)
{
	DTRACE_PROBE2(utmemd, signal, queue_id, vector);
}

#endif /* UTMEM_SERVICE_PROBE_H */
