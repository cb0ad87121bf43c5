/* SPDX-License-Identifier: MIT */
/*
 * One queue in private memory with all four views of it, beginning at any index.
 * Owner: the ring's tests (unit and tsan). A test drives both ends itself.
 */
#ifndef RING_FIXTURE_H
#define RING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "utmem_ring.h"

struct ring {
	struct utmem_geometry geo;
	struct utmem_ring_page *page; /* the queue's first byte */
	uint8_t *data;
	struct utmem_sq sq;
	struct utmem_sq_reader reader;
	struct utmem_cq_writer writer;
	struct utmem_cq cq;
};

/* As a queue that was just made, but for @start. */
static inline void ring_reset(struct ring *r, uint32_t start)
{
	memset(r->page, 0, sizeof(*r->page));
	r->page->sq_tail = r->page->sq_head = start;
	r->page->cq_tail = r->page->cq_head = start;
	utmem_sq_init(&r->sq, r->page, &r->geo, start);
	utmem_sq_reader_init(&r->reader, r->page, &r->geo, start);
	utmem_cq_writer_init(&r->writer, r->page, &r->geo, start);
	utmem_cq_init(&r->cq, r->page, &r->geo, start);
}

static inline void ring_open(struct ring *r, uint32_t sq_entries, uint32_t cq_entries,
			     uint32_t data_len, uint32_t start)
{
	assert_int_equal(utmem_geometry_init(&r->geo, 0, sq_entries, cq_entries, data_len), 0);
	/* aligned as a window is; an exact size, so that ASan sees a step beyond the end */
	r->page = aligned_alloc(UTMEM_PAGE, r->geo.len);
	assert_non_null(r->page);
	memset(r->page, 0, r->geo.len);
	r->data = (uint8_t *)r->page + r->geo.data_off;
	ring_reset(r, start);
}

static inline void ring_close(struct ring *r)
{
	free(r->page);
	r->page = NULL;
}

/*
 * Every start index that a ring of @entries can tell apart: all slots, before and
 * after 0, 2^31 and 2^32. Return: the @i-th of RING_STARTS(entries).
 */
#define RING_STARTS(entries) (6 * (entries))
static inline uint32_t ring_start(uint32_t i, uint32_t entries)
{
	static const uint32_t around[3] = {0, 1u << 31, 0};
	uint32_t group = i / (2 * entries), step = i % (2 * entries);

	return around[group] + step - (group == 0 ? 0 : group == 1 ? entries : 2 * entries);
}

/*
 * The statement that follows runs for rings of 2, 4 and 8 entries (@n), each from
 * every start index, with a fresh struct ring @r.
 */
#define FOR_EACH_RING(r, n)                  \
	for (uint32_t n = 2; n <= 8; n *= 2) \
		for (uint32_t i_ = 0; i_ < RING_STARTS(n) && ring_fresh(r, n, i_); i_++)
static inline bool ring_fresh(struct ring *r, uint32_t entries, uint32_t i)
{
	ring_close(r);
	ring_open(r, entries, entries, 0, ring_start(i, entries));
	return true;
}

/* For cmocka_run_group_tests(): *state is a struct ring that the last round's test left open. */
static inline int ring_setup(void **state)
{
	static struct ring ring;

	*state = &ring;
	return 0;
}

static inline int ring_teardown(void **state)
{
	ring_close(*state);
	return 0;
}

#endif /* RING_FIXTURE_H */
