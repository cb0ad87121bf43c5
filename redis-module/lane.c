// SPDX-License-Identifier: MIT
/*
 * Owns the connection, its queue and pool, stream ids and the guess for GETs.
 * Called by batch.c and request.c, on Redis' main thread.
 */
#include <errno.h>
#include <string.h>

#include "redis-module/lane.h"
#include "redis-module/request.h"

/* Several values fit at once: one long value does not keep the others waiting. */
#define PARTS_PER_DATA_AREA 8

/* As libutmem takes them: 0 is the device's own value. */
static uint32_t knob(uint64_t value)
{
	return value == OPTION_UNSET ? 0 : (uint32_t)value;
}

static uint32_t usecs_knob(uint64_t value)
{
	return value ? knob(value) : UTMEM_NO_DELAY;
}

static int open_queue(struct lane *lane, const struct options *opt)
{
	struct utmem_queue_params params = {
		.sq_entries = (uint32_t)opt->entries,
		.data_len = opt->data_len,
		.spin_usecs = opt->spin_usecs ? (uint32_t)opt->spin_usecs : UTMEM_NO_SPIN,
		.batch_max = knob(opt->batch_max),
		.batch_usecs = usecs_knob(opt->batch_usecs),
		.batch_mode = knob(opt->batch_mode),
		.irq_max = knob(opt->irq_max),
		.irq_usecs = usecs_knob(opt->irq_usecs),
	};
	struct utmem_limits limits;
	int err = utmem_limits(lane->utmem, &limits);

	if (err)
		return err;
	if (params.sq_entries > limits.max_sq_entries)
		params.sq_entries = limits.max_sq_entries;
	if (params.data_len > limits.max_data_len)
		params.data_len = limits.max_data_len;
	lane->max_value_len = limits.max_value_len;
	return utmem_queue_init(lane->utmem, &lane->q, &params);
}

static void set_part_len(struct lane *lane)
{
	size_t len = utmem_buf_max(lane->q) / PARTS_PER_DATA_AREA & ~(size_t)63;

	lane->part_len = len < LANE_PART_MAX ? len : LANE_PART_MAX;
	lane->guess = LANE_GUESS_MIN < len ? LANE_GUESS_MIN : len;
}

int lane_open(struct lane *lane, const struct options *opt, const char **step)
{
	int err;

	TAILQ_INIT(&lane->held);
	lane->streams = 0;
	lane->nr_prepared = 0;
	*step = "connect";
	err = utmem_connect(&lane->utmem, opt->transport);
	if (err) {
		lane->utmem = NULL;
		return err;
	}
	*step = "make a queue";
	err = open_queue(lane, opt);
	if (err) {
		lane->q = NULL;
		goto close;
	}
	set_part_len(lane);
	*step = "open the pool";
	lane->pool = utmem_pool_open(lane->q, opt->pool, UTMEM_POOL_CREATE);
	if (lane->pool >= 0)
		return 0;
	err = lane->pool;
close:
	lane_close(lane);
	return err;
}

static void stats_add(struct utmem_stats *sum, const struct utmem_stats *s)
{
	sum->submitted += s->submitted;
	sum->completed += s->completed;
	sum->submits += s->submits;
	sum->kicks += s->kicks;
	sum->waits += s->waits;
	sum->spins += s->spins;
	sum->doorbells += s->doorbells;
	sum->interrupts += s->interrupts;
	sum->deferred += s->deferred;
	sum->hypercalls += s->hypercalls;
	sum->unanswered += s->unanswered;
	sum->coalesced += s->coalesced;
}

void lane_stats(const struct lane *lane, struct utmem_stats *out)
{
	struct utmem_stats now;

	*out = lane->past;
	if (lane->q && utmem_queue_stats(lane->q, &now) == 0)
		stats_add(out, &now);
}

void lane_forget(struct lane *lane)
{
	struct utmem_stats sum;

	lane_stats(lane, &sum);
	lane->past = sum;
	lane->q = NULL;
	lane->utmem = NULL;
}

void lane_close(struct lane *lane)
{
	struct utmem_queue *q = lane->q;
	struct utmem *utmem = lane->utmem;

	lane_forget(lane);
	if (q)
		utmem_queue_exit(q);
	utmem_disconnect(utmem);
}

void *lane_buf_alloc(struct lane *lane, size_t len)
{
	void *buf = utmem_buf_alloc(lane->q, len);

	if (buf || TAILQ_EMPTY(&lane->held))
		return buf;
	while (!TAILQ_EMPTY(&lane->held)) {
		request_spill(lane, TAILQ_FIRST(&lane->held));
		lane->nr_spilled++;
	}
	return utmem_buf_alloc(lane->q, len);
}

int lane_stream_open(struct lane *lane)
{
	for (unsigned int i = 0; i < UTMEM_STREAMS_PER_QUEUE; i++) {
		if (lane->streams & 1u << i)
			continue;
		lane->streams |= 1u << i;
		return (int)i;
	}
	return -EAGAIN;
}

void lane_stream_close(struct lane *lane, unsigned int stream)
{
	lane->streams &= ~(1u << stream);
}

/* Grows at once, shrinks slowly: too small costs a second request, too large only room. */
void lane_guess_update(struct lane *lane, uint64_t len)
{
	size_t max = LANE_GUESS_MAX < lane->part_len ? LANE_GUESS_MAX : lane->part_len;
	size_t min = LANE_GUESS_MIN < max ? LANE_GUESS_MIN : max;

	if (len > lane->guess)
		lane->guess = len < max ? (size_t)len : max;
	else if (lane->guess > min)
		lane->guess -= (lane->guess - (len > min ? (size_t)len : min)) / 16;
}
