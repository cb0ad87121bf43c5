// SPDX-License-Identifier: MIT
// The shape of a queue: what is refused, where its parts lie, what a peer may not say.
// Owner: guest/ring.

#include "ring_fixture.h"

static const struct shape {
	uint64_t off;
	uint32_t sq_entries, cq_entries, data_len;
	int want;
} shapes[] = {
	{0, UTMEM_SQ_ENTRIES_MIN, UTMEM_SQ_ENTRIES_MIN, 0, 0},
	{0, UTMEM_SQ_ENTRIES_MIN, UTMEM_CQ_ENTRIES_MAX, UTMEM_PAGE, 0},
	{0, UTMEM_SQ_ENTRIES_MAX, UTMEM_SQ_ENTRIES_MAX, 0, 0},
	{1ull << 40, UTMEM_SQ_ENTRIES_MAX, UTMEM_CQ_ENTRIES_MAX, UTMEM_DATA_LEN_MAX, 0},
	{0, 0, 2, 0, -EINVAL},
	{0, 1, 2, 0, -EINVAL},
	{0, 3, 4, 0, -EINVAL},
	{0, UTMEM_SQ_ENTRIES_MAX - 1, UTMEM_CQ_ENTRIES_MAX, 0, -EINVAL},
	{0, UTMEM_SQ_ENTRIES_MAX * 2, UTMEM_CQ_ENTRIES_MAX, 0, -EINVAL},
	{0, 1u << 31, 1u << 31, 0, -EINVAL},
	{0, 4, 0, 0, -EINVAL},
	{0, 4, 2, 0, -EINVAL},
	{0, 4, 6, 0, -EINVAL},
	{0, 4, UTMEM_CQ_ENTRIES_MAX * 2, 0, -EINVAL},
	{0, 4, 4, 1, -EINVAL},
	{0, 4, 4, UTMEM_PAGE - 1, -EINVAL},
	{0, 4, 4, UTMEM_PAGE + 1, -EINVAL},
	{0, 4, 4, UTMEM_DATA_LEN_MAX + UTMEM_PAGE, -EINVAL},
	{0, 4, 4, 0xfffff000u, -EINVAL},
	{1, 4, 4, 0, -EINVAL},
	{UTMEM_PAGE - 1, 4, 4, 0, -EINVAL},
	{UTMEM_PAGE + UTMEM_PAGE / 2, 4, 4, 0, -EINVAL},
};
#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static int shape_init(struct utmem_geometry *geo, const struct shape *s)
{
	return utmem_geometry_init(geo, s->off, s->sq_entries, s->cq_entries, s->data_len);
}

static void shapes_at_and_beyond_every_limit(void **state)
{
	struct utmem_geometry geo;

	(void)state;
	for (size_t i = 0; i < NR_SHAPES; i++)
		assert_int_equal(shape_init(&geo, &shapes[i]), shapes[i].want);
}

static void a_refused_shape_leaves_the_geometry_as_it_was(void **state)
{
	struct utmem_geometry geo, before;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < NR_SHAPES; i++) {
		memset(&geo, 0x5a, sizeof(geo));
		if (shape_init(&geo, &shapes[i]))
			assert_memory_equal(&geo, &before, sizeof(geo));
	}
}

static void the_parts_of_a_queue_are_aligned_and_never_overlap(void **state)
{
	struct utmem_geometry g;

	(void)state;
	for (uint32_t sq = UTMEM_SQ_ENTRIES_MIN; sq <= UTMEM_SQ_ENTRIES_MAX; sq *= 2) {
		for (uint32_t cq = sq; cq <= UTMEM_CQ_ENTRIES_MAX; cq *= 2) {
			assert_int_equal(utmem_geometry_init(&g, UTMEM_PAGE, sq, cq, UTMEM_PAGE),
					 0);
			assert_int_equal(g.sq_off, sizeof(struct utmem_ring_page));
			assert_int_equal(g.cq_off, g.sq_off + sq * 64);
			assert_int_equal(g.cq_off % 64, 0);
			assert_true(g.data_off >= g.cq_off + cq * 16);
			assert_true(g.data_off - (g.cq_off + cq * 16) < UTMEM_PAGE);
			assert_int_equal(g.data_off % UTMEM_PAGE, 0);
			assert_int_equal(g.len, (uint64_t)g.data_off + UTMEM_PAGE);
		}
	}
}

static void a_geometry_fits_exactly_into_its_window_and_not_into_one_byte_less(void **state)
{
	struct utmem_geometry g;

	(void)state;
	for (size_t i = 0; i < NR_SHAPES; i++) {
		if (shape_init(&g, &shapes[i]))
			continue;
		assert_int_equal(utmem_geometry_check(&g, g.off + g.len), 0);
		assert_int_equal(utmem_geometry_check(&g, g.off + g.len - 1), -EPROTO);
		assert_int_equal(utmem_geometry_check(&g, 0), -EPROTO);
	}
}

static void an_offset_near_2_to_the_64_does_not_wrap_into_the_window(void **state)
{
	struct utmem_geometry g;

	(void)state;
	assert_int_equal(utmem_geometry_init(&g, 0ull - UTMEM_PAGE, 4, 4, UTMEM_PAGE), 0);
	assert_int_equal(utmem_geometry_check(&g, 1 << 20), -EPROTO);
	assert_int_equal(utmem_geometry_check(&g, ~0ull), -EPROTO);
}

static void a_told_geometry_with_any_changed_bit_is_eproto(void **state)
{
	struct utmem_geometry good, g;
	int changed = 0;

	(void)state;
	assert_int_equal(utmem_geometry_init(&good, 2 * UTMEM_PAGE, 8, 16, 4 * UTMEM_PAGE), 0);
	for (size_t bit = 0; bit < sizeof(g) * 8; bit++) {
		g = good;
		((uint8_t *)&g)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		/* another page-aligned off inside the window is another honest place */
		if (utmem_geometry_check(&g, 1 << 20) == 0) {
			assert_int_not_equal(g.off, good.off);
			assert_int_equal(g.off % UTMEM_PAGE, 0);
		} else {
			changed++;
		}
	}
	assert_true(changed > 300);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_at_and_beyond_every_limit),
		cmocka_unit_test(a_refused_shape_leaves_the_geometry_as_it_was),
		cmocka_unit_test(the_parts_of_a_queue_are_aligned_and_never_overlap),
		cmocka_unit_test(
			a_geometry_fits_exactly_into_its_window_and_not_into_one_byte_less),
		cmocka_unit_test(an_offset_near_2_to_the_64_does_not_wrap_into_the_window),
		cmocka_unit_test(a_told_geometry_with_any_changed_bit_is_eproto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
