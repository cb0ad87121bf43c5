// SPDX-License-Identifier: MIT
// A peer that lies about its index breaks the view that reads it, at once and for
// good, and gets nothing else. Owner: guest/ring. The test scribbles on the page.
//
// Small rings are tried with every lie near the truth and with lies far away; the
// views start at every index, so the truth lies on both sides of both wraps.

#include "ring_fixture.h"

#define NEAR(n) (3 * (n))

/* Distances from the truth: all the near ones on both sides, then the far ones. */
static uint32_t lie(uint32_t i, uint32_t n)
{
	static const uint32_t far[] = {1u << 16, 0x7fffffffu, 1u << 31, 0x80000001u, 0xffff0000u};

	return i < 2 * NEAR(n) + 1 ? i - NEAR(n) : far[i - (2 * NEAR(n) + 1)];
}
#define NR_LIES(n) (2 * NEAR(n) + 1 + 5)

/* Each check starts from a fresh ring with @held entries published and not consumed. */
static void publish_requests(struct ring *r, uint32_t held)
{
	for (uint32_t i = 0; i < held; i++)
		assert_non_null(utmem_sq_reserve(&r->sq));
	utmem_sq_publish(&r->sq);
}

static void a_tail_between_the_last_one_and_head_plus_entries_is_believed(void **state)
{
	struct ring *r = *state;
	uint32_t n;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->reader.end.own;

		for (uint32_t step = 0; step <= entries; step++) {
			r->page->sq_tail = start + step;
			r->page->cq_tail = start + step;
			assert_int_equal(utmem_sq_peek(&r->reader, &n), 0);
			assert_int_equal(n, step);
			assert_int_equal(utmem_cq_peek(&r->cq, &n), 0);
			assert_int_equal(n, step);
		}
	}
}

static void a_tail_beyond_head_plus_entries_or_backwards_is_eproto_for_the_host(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->reader.end.own, seen = entries / 2, n = 77;

		for (uint32_t i = 0; i < NR_LIES(entries); i++) {
			uint32_t tail = start + lie(i, entries);
			bool honest = tail - (start + seen) <= entries - seen;

			utmem_sq_reader_init(&r->reader, r->page, &r->geo, start);
			r->page->sq_tail = start + seen;
			assert_int_equal(utmem_sq_peek(&r->reader, &n), 0);
			n = 77;
			r->page->sq_tail = tail;
			assert_int_equal(utmem_sq_peek(&r->reader, &n), honest ? 0 : -EPROTO);
			assert_int_equal(n, honest ? tail - start : 77);
			assert_int_equal(r->reader.end.broken, !honest);
		}
	}
}

static void a_tail_beyond_head_plus_entries_or_backwards_is_eproto_for_the_guest(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->cq.end.own, seen = entries / 2, n = 77;

		for (uint32_t i = 0; i < NR_LIES(entries); i++) {
			uint32_t tail = start + lie(i, entries);
			bool honest = tail - (start + seen) <= entries - seen;

			utmem_cq_init(&r->cq, r->page, &r->geo, start);
			r->page->cq_tail = start + seen;
			assert_int_equal(utmem_cq_peek(&r->cq, &n), 0);
			n = 77;
			r->page->cq_tail = tail;
			assert_int_equal(utmem_cq_peek(&r->cq, &n), honest ? 0 : -EPROTO);
			assert_int_equal(n, honest ? tail - start : 77);
			assert_int_equal(r->cq.end.broken, !honest);
		}
	}
}

static void a_cq_head_beyond_what_was_published_or_backwards_is_eproto(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->writer.end.own, n;

		for (uint32_t i = 0; i < NR_LIES(entries); i++) {
			uint32_t head = start + lie(i, entries);
			bool honest = head - (start + 1) <= entries - 2;

			utmem_cq_writer_init(&r->writer, r->page, &r->geo, start);
			for (uint32_t f = 0; f + 1 < entries; f++)
				utmem_cq_fill(&r->writer, 0, 0, 0);
			utmem_cq_publish(&r->writer);
			utmem_cq_fill(&r->writer, 0, 0, 0); /* filled is not published */
			r->page->cq_head = start + 1;
			assert_int_equal(utmem_cq_room(&r->writer, &n), 0);
			assert_int_equal(n, 1);
			n = 77;
			r->page->cq_head = head;
			assert_int_equal(utmem_cq_room(&r->writer, &n), honest ? 0 : -EPROTO);
			assert_int_equal(n, honest ? head - start : 77);
			assert_int_equal(r->writer.end.broken, !honest);
		}
	}
}

static void an_sq_head_beyond_what_was_published_or_backwards_is_eproto(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->sq.end.own, n;

		for (uint32_t i = 0; i < NR_LIES(entries); i++) {
			uint32_t head = start + lie(i, entries);
			bool honest = head - (start + 1) <= entries - 2;

			utmem_sq_init(&r->sq, r->page, &r->geo, start);
			r->page->sq_head = start;
			publish_requests(r, entries - 1);
			assert_non_null(utmem_sq_reserve(&r->sq)); /* reserved is not published */
			r->page->sq_head = start + 1;
			assert_int_equal(utmem_sq_unserved(&r->sq, &n), 0);
			assert_int_equal(n, entries - 2);
			n = 77;
			r->page->sq_head = head;
			assert_int_equal(utmem_sq_unserved(&r->sq, &n), honest ? 0 : -EPROTO);
			assert_int_equal(n, honest ? start + entries - 1 - head : 77);
			assert_int_equal(r->sq.end.broken, !honest);
		}
	}
}

static void reserve_on_a_full_ring_with_a_lying_head_gives_no_slot(void **state)
{
	struct ring *r = *state;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->sq.end.own;

		publish_requests(r, entries);
		r->page->sq_head = start + entries + 1;
		assert_null(utmem_sq_reserve(&r->sq));
		assert_true(r->sq.end.broken);
	}
}

static void a_broken_view_stays_broken_when_the_peer_tells_the_truth_again(void **state)
{
	struct ring *r = *state;
	uint32_t n;

	FOR_EACH_RING(r, entries)
	{
		uint32_t start = r->sq.end.own;

		r->page->sq_tail = r->page->cq_tail = start + entries + 1;
		r->page->sq_head = r->page->cq_head = start - 1;
		assert_int_equal(utmem_sq_peek(&r->reader, &n), -EPROTO);
		assert_int_equal(utmem_cq_peek(&r->cq, &n), -EPROTO);
		assert_int_equal(utmem_sq_unserved(&r->sq, &n), -EPROTO);
		assert_int_equal(utmem_cq_room(&r->writer, &n), -EPROTO);
		r->page->sq_tail = r->page->cq_tail = start;
		r->page->sq_head = r->page->cq_head = start;
		assert_int_equal(utmem_sq_peek(&r->reader, &n), -EPROTO);
		assert_int_equal(utmem_cq_peek(&r->cq, &n), -EPROTO);
		assert_int_equal(utmem_sq_unserved(&r->sq, &n), -EPROTO);
		assert_int_equal(utmem_cq_room(&r->writer, &n), -EPROTO);
	}
}

static void a_broken_submission_view_gives_no_slot_even_with_room(void **state)
{
	struct ring *r = *state;
	uint32_t n;

	FOR_EACH_RING(r, entries)
	{
		r->page->sq_head = r->sq.end.own + 1;
		assert_int_equal(utmem_sq_unserved(&r->sq, &n), -EPROTO);
		assert_null(utmem_sq_reserve(&r->sq));
		assert_int_equal(utmem_sq_publish(&r->sq), 0);
	}
}

static void views_read_no_geometry_from_the_window(void **state)
{
	struct ring *r = *state;
	uint32_t n;

	FOR_EACH_RING(r, entries)
	{
		uint32_t tail = r->page->sq_tail;

		/* everything that no index lives in may be scribbled on */
		memset(r->page, 0xff, sizeof(*r->page));
		r->page->sq_tail = r->page->sq_head = tail;
		r->page->cq_tail = r->page->cq_head = tail;
		publish_requests(r, entries);
		assert_null(utmem_sq_reserve(&r->sq));
		assert_int_equal(utmem_sq_peek(&r->reader, &n), 0);
		assert_int_equal(n, entries);
		assert_int_equal(utmem_cq_room(&r->writer, &n), 0);
		assert_int_equal(n, entries);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tail_between_the_last_one_and_head_plus_entries_is_believed),
		cmocka_unit_test(
			a_tail_beyond_head_plus_entries_or_backwards_is_eproto_for_the_host),
		cmocka_unit_test(
			a_tail_beyond_head_plus_entries_or_backwards_is_eproto_for_the_guest),
		cmocka_unit_test(a_cq_head_beyond_what_was_published_or_backwards_is_eproto),
		cmocka_unit_test(an_sq_head_beyond_what_was_published_or_backwards_is_eproto),
		cmocka_unit_test(reserve_on_a_full_ring_with_a_lying_head_gives_no_slot),
		cmocka_unit_test(a_broken_view_stays_broken_when_the_peer_tells_the_truth_again),
		cmocka_unit_test(a_broken_submission_view_gives_no_slot_even_with_room),
		cmocka_unit_test(views_read_no_geometry_from_the_window),
	};

	return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
