// SPDX-License-Identifier: MIT
/* The stock memory for an engine. */
#include "pool_fixture.h"

static void arena_is_zeroed_aligned_and_of_whole_pages(void **state)
{
	struct utmem_memory mem;
	uint8_t *arena;
	size_t i;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB + 1, 7), 0);
	assert_int_equal(mem.arena_len, MIB + 4096);
	assert_int_equal((uintptr_t)mem.arena % (2 * MIB), 0);
	assert_int_equal(mem.seed, 7);
	arena = mem.arena;
	for (i = 0; i < mem.arena_len; i++)
		assert_int_equal(arena[i], 0);
	utmem_memory_close(&mem);
}

static void released_pages_are_gone(void **state)
{
	struct utmem_memory mem;
	uint8_t *arena;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB, 7), 0);
	arena = mem.arena;
	memset(arena, 1, MIB);
	mem.release(mem.ctx, 64 * KIB, 64 * KIB);
	assert_int_equal(arena[64 * KIB - 1], 1);
	assert_int_equal(arena[64 * KIB], 0);
	assert_int_equal(arena[128 * KIB - 1], 0);
	assert_int_equal(arena[128 * KIB], 1);
	utmem_memory_close(&mem);
}

static void alloc_aligns_as_asked(void **state)
{
	struct utmem_memory mem;
	void *p;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB, 7), 0);
	p = mem.alloc(mem.ctx, 100, 1);
	assert_non_null(p);
	mem.free(mem.ctx, p, 100);
	p = mem.alloc(mem.ctx, 100, 64);
	assert_int_equal((uintptr_t)p % 64, 0);
	mem.free(mem.ctx, p, 100);
	utmem_memory_close(&mem);
}

static void seed_of_0_is_replaced_by_a_random_one(void **state)
{
	struct utmem_memory a, b;

	(void)state;
	assert_int_equal(utmem_memory_open(&a, MIB, 0), 0);
	assert_int_equal(utmem_memory_open(&b, MIB, 0), 0);
	assert_int_not_equal(a.seed, b.seed);
	utmem_memory_close(&a);
	utmem_memory_close(&b);
}

static void impossible_lengths_are_refused(void **state)
{
	struct utmem_memory mem;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, 0, 7), -EINVAL);
	assert_int_equal(utmem_memory_open(&mem, SIZE_MAX, 7), -EINVAL);
	assert_int_equal(utmem_memory_open(&mem, SIZE_MAX / 4, 7), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_is_zeroed_aligned_and_of_whole_pages),
		cmocka_unit_test(released_pages_are_gone),
		cmocka_unit_test(alloc_aligns_as_asked),
		cmocka_unit_test(seed_of_0_is_replaced_by_a_random_one),
		cmocka_unit_test(impossible_lengths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
