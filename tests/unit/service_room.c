// SPDX-License-Identifier: MIT
/* Room for queues: first fit, gaps that grow together, pages that are zeroed before reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "guest/ring/utmem_abi.h"
#include "host/service/room.h"

#define P ((uint64_t)UTMEM_PAGE)

static uint64_t take(struct room *r, uint64_t pages)
{
	uint64_t off;

	if (utsvc_room_find(r, pages * P, &off))
		return 0;
	utsvc_room_take(r, off, pages * P);
	return off / P;
}

static void the_first_gap_that_fits_is_taken(void **state)
{
	struct room r;

	(void)state;
	assert_int_equal(utsvc_room_init(&r, 2 * P, 16 * P, 8), 0);
	assert_int_equal(take(&r, 3), 2);
	assert_int_equal(take(&r, 2), 5);
	assert_int_equal(take(&r, 4), 7);
	utsvc_room_release(&r, 5 * P);
	assert_int_equal(take(&r, 3), 11);
	assert_int_equal(take(&r, 2), 5);
	assert_int_equal(r.free_len, 2 * P);
	assert_int_equal(take(&r, 3), 0);
	assert_int_equal(take(&r, 2), 14);
	assert_int_equal(take(&r, 1), 0);
	utsvc_room_exit(&r);
}

static void neighbouring_gaps_are_one(void **state)
{
	struct room r;

	(void)state;
	assert_int_equal(utsvc_room_init(&r, 1 * P, 7 * P, 8), 0);
	assert_int_equal(take(&r, 2), 1);
	assert_int_equal(take(&r, 2), 3);
	assert_int_equal(take(&r, 2), 5);
	utsvc_room_release(&r, 1 * P);
	utsvc_room_release(&r, 5 * P);
	assert_int_equal(take(&r, 3), 0);
	utsvc_room_release(&r, 3 * P);
	assert_int_equal(take(&r, 6), 1);
	utsvc_room_exit(&r);
}

static void there_are_no_more_extents_than_were_agreed(void **state)
{
	struct room r;

	(void)state;
	assert_int_equal(utsvc_room_init(&r, P, 64 * P, 2), 0);
	assert_int_equal(take(&r, 1), 1);
	assert_int_equal(take(&r, 1), 2);
	assert_int_equal(take(&r, 1), 0);
	utsvc_room_release(&r, 99 * P); /* nobody's */
	utsvc_room_release(&r, P);
	assert_int_equal(take(&r, 1), 1);
	utsvc_room_exit(&r);
}

static void scrubbing_zeroes_used_pages_alone_and_in_parts(void **state)
{
	uint8_t *base = malloc(200 * P);
	struct room r;

	(void)state;
	memset(base, 0xee, 200 * P);
	assert_int_equal(utsvc_room_init(&r, P, 200 * P, 4), 0);
	assert_int_equal(take(&r, 100), 1);
	utsvc_room_release(&r, P);
	assert_false(utsvc_room_scrub(&r, base, P, 150 * P, 60 * P));
	assert_int_equal(base[60 * P], 0);
	assert_int_equal(base[61 * P], 0xee);
	assert_true(utsvc_room_scrub(&r, base, P, 150 * P, 41 * P));
	assert_int_equal(base[101 * P - 1], 0);
	assert_int_equal(base[101 * P], 0xee); /* never handed out, not touched */
	assert_int_equal(base[P - 1], 0xee);
	base[P] = 1;
	assert_true(utsvc_room_scrub(&r, base, P, 150 * P, P));
	assert_int_equal(base[P], 1);
	utsvc_room_exit(&r);
	free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_gap_that_fits_is_taken),
		cmocka_unit_test(neighbouring_gaps_are_one),
		cmocka_unit_test(there_are_no_more_extents_than_were_agreed),
		cmocka_unit_test(scrubbing_zeroes_used_pages_alone_and_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
