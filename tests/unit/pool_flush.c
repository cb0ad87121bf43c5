// SPDX-License-Identifier: MIT
/* A flushed or destroyed pool is empty at once; its memory comes back by maintain. */
#include "pool_fixture.h"

static char value[100 * KIB];

static void put_n(struct fixture *f, struct utmem_pool *p, uint32_t n, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct utmem_key k = make_key(f, &i, sizeof(i));

		assert_int_equal(f->ops->put(p, &k, value, len, UTMEM_PUT_ALWAYS), 0);
	}
}

static void flush_empties_the_pool_and_its_charge_at_once(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *q;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	q = open_pool(&f, "q", false);
	put_n(&f, p, 10000, 100);
	put_n(&f, p, 10, sizeof(value));
	assert_int_equal(put_str(&f, q, "key", "stays"), 0);
	assert_int_equal(f.ops->flush(p), 0);
	assert_int_equal(counters(&f, p).nr_items, 0);
	assert_int_equal(counters(&f, p).used_bytes, 0);
	assert_int_equal(tenant_used(&f, f.tenant), counters(&f, q).used_bytes);
	assert_int_equal(engine_stat(&f).live_bytes, record_size(3, 5));
	assert_int_equal(engine_stat(&f).nr_items, 1);
	check(&f);
	assert_value(&f, q, "key", "stays");
	fixture_close(&f);
}

static void flush_allocates_a_bounded_amount_and_walks_over_nothing(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t dead;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	put_n(&f, p, 50000, 100);
	f.nr_allocs = 0;
	dead = ((struct pool_engine *)f.engine)->log.live_bytes;
	assert_int_equal(f.ops->flush(p), 0);
	assert_true(f.nr_allocs < 4);
	assert_int_equal(((struct pool_engine *)f.engine)->log.live_bytes, dead);
	fixture_close(&f);
}

static void maintain_gives_the_memory_of_a_flushed_pool_back(void **state)
{
	struct fixture f;
	struct utmem_pool *p;

	(void)state;
	fixture_open(&f, 64 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	put_n(&f, p, 400000, 100);
	assert_int_equal(f.released_bytes, 0);
	assert_int_equal(f.ops->flush(p), 0);
	settle(&f);
	check(&f);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	assert_true(engine_stat(&f).free_bytes > 63 * MIB);
	/* all but what is kept for the next puts */
	assert_true(f.released_bytes > 36 * MIB);
	assert_int_equal(((struct pool_engine *)f.engine)->nr_dying, 0);
	fixture_close(&f);
}

static void maintain_does_about_its_budget(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t calls = 0;

	(void)state;
	fixture_open(&f, 64 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	put_n(&f, p, 400000, 100);
	assert_int_equal(f.ops->flush(p), 0);
	while (f.ops->maintain(f.engine, 64 * KIB))
		calls++;
	assert_true(calls > 64);
	fixture_close(&f);
}

static void flushed_room_is_there_for_the_next_put(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t round;

	(void)state;
	fixture_open(&f, 4 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	for (round = 0; round < 20; round++) {
		put_n(&f, p, 9000, 300);
		put_n(&f, p, 3, sizeof(value));
		assert_int_equal(f.ops->flush(p), 0);
	}
	check(&f);
	fixture_close(&f);
}

/* 65,536 stores can exist; flushing again and again must not use them up. */
static void flushing_70000_times_works_without_maintain(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t i;

	(void)state;
	fixture_open(&f, 4 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	for (i = 0; i < 70000; i++) {
		assert_int_equal(put_str(&f, p, "key", "value"), 0);
		assert_int_equal(f.ops->flush(p), 0);
	}
	settle(&f);
	check(&f);
	assert_int_equal(((struct pool_engine *)f.engine)->nr_dying, 0);
	fixture_close(&f);
}

static void values_put_after_a_flush_are_not_swept(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t i;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	put_n(&f, p, 20000, 100);
	assert_int_equal(f.ops->flush(p), 0);
	put_n(&f, p, 20000, 60);
	settle(&f);
	check(&f);
	assert_int_equal(counters(&f, p).nr_items, 20000);
	for (i = 0; i < 20000; i++) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));
		struct utmem_get_result out;

		assert_int_equal(f.ops->get(p, &k, 0, NULL, 0, &out), 0);
		assert_int_equal(out.value_len, 60);
	}
	fixture_close(&f);
}

static struct pool_engine *engine_in(struct fixture *f)
{
	return (struct pool_engine *)f->engine;
}

/* More than that are removed one by one. */
static void fill_and_flush(struct fixture *f, struct utmem_pool *p)
{
	put_n(f, p, FLUSH_ITEMS_NOW + 1, 4);
	assert_int_equal(f->ops->flush(p), 0);
}

static void flush_of_few_values_leaves_nothing_behind(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t i;

	(void)state;
	fixture_open(&f, 4 * MIB, 64 * MIB);
	p = open_pool(&f, "p", false);
	for (i = 0; i < 1000; i++) {
		put_n(&f, p, FLUSH_ITEMS_NOW, 4);
		assert_int_equal(f.ops->flush(p), 0);
		assert_int_equal(engine_in(&f)->log.live_bytes, 0);
		assert_int_equal(engine_in(&f)->nr_dying, 0);
	}
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	fill_and_flush(&f, p);
	assert_int_equal(engine_in(&f)->nr_dying, 1);
	check(&f);
	fixture_close(&f);
}

static void flush_of_few_long_values_leaves_their_chunks_for_later(void **state)
{
	uint64_t limit, total;
	struct fixture f;
	struct utmem_pool *p;
	uint32_t no = 0;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	limit = (uint64_t)FLUSH_ITEMS_NOW * engine_in(&f)->log.record_max;
	for (total = 0; total <= limit; total += sizeof(value)) {
		struct utmem_key k = make_key(&f, &no, sizeof(no));

		assert_int_equal(f.ops->put(p, &k, value, sizeof(value), UTMEM_PUT_ALWAYS), 0);
		no++;
	}
	assert_true(no <= FLUSH_ITEMS_NOW);
	assert_int_equal(f.ops->flush(p), 0);
	assert_int_equal(engine_in(&f)->nr_dying, 1);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	settle(&f);
	assert_int_equal(engine_in(&f)->nr_dying, 0);
	check(&f);
	fixture_close(&f);
}

static void flush_walks_over_a_bounded_part_of_the_arena(void **state)
{
	uint32_t i, len = record_size(sizeof(i), 4);
	struct fixture f;
	struct utmem_pool *p, *q;
	uint64_t before, walked, most = 0;

	(void)state;
	fixture_open(&f, 256 * MIB, 256 * MIB);
	q = open_pool(&f, "q", false);
	put_n(&f, q, 500000, 4);
	p = open_pool(&f, "p", false);
	for (i = 0; i < 2000; i++) {
		put_n(&f, p, FLUSH_ITEMS_NOW + 1, 4);
		before = engine_in(&f)->nr_walked;
		assert_int_equal(f.ops->flush(p), 0);
		walked = engine_in(&f)->nr_walked - before;
		most = walked > most ? walked : most;
	}
	assert_true(most > 0);
	/* 16 KiB (and a record) of live ones, each of which counts as 8 */
	assert_true(most <= 8 * (16 * KIB / len + 2));
	settle(&f);
	assert_int_equal(engine_in(&f)->nr_dying, 0);
	check(&f);
	fixture_close(&f);
}

/* The sweep stands in a segment that is emptied, freed and written anew. */
static void sweep_goes_on_in_a_segment_that_was_reused(void **state)
{
	struct fixture f;
	struct utmem_pool *p, *q;
	uint32_t i;

	(void)state;
	fixture_open(&f, MIB, MIB);
	p = open_pool(&f, "p", false);
	q = open_pool(&f, "q", false);
	for (i = 0; i < 3000; i++) {
		put_n(&f, q, 300, 1 + i * 7 % 300);
		fill_and_flush(&f, p);
		if (i % 100 == 0)
			check(&f);
	}
	settle(&f);
	check(&f);
	assert_int_equal(engine_in(&f)->nr_dying, 0);
	assert_int_equal(counters(&f, q).nr_items, 300);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flush_empties_the_pool_and_its_charge_at_once),
		cmocka_unit_test(flush_allocates_a_bounded_amount_and_walks_over_nothing),
		cmocka_unit_test(maintain_gives_the_memory_of_a_flushed_pool_back),
		cmocka_unit_test(maintain_does_about_its_budget),
		cmocka_unit_test(flushed_room_is_there_for_the_next_put),
		cmocka_unit_test(flushing_70000_times_works_without_maintain),
		cmocka_unit_test(flush_of_few_values_leaves_nothing_behind),
		cmocka_unit_test(flush_of_few_long_values_leaves_their_chunks_for_later),
		cmocka_unit_test(flush_walks_over_a_bounded_part_of_the_arena),
		cmocka_unit_test(sweep_goes_on_in_a_segment_that_was_reused),
		cmocka_unit_test(values_put_after_a_flush_are_not_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
