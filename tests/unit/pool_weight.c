// SPDX-License-Identifier: MIT
/* Where the arena is short, those lose who hold the most for their weight. */
#include "pool_fixture.h"

#define ARENA (16 * MIB)
#define VALUE_LEN 300u

static char value[VALUE_LEN];

struct two {
	struct fixture f;
	struct utmem_tenant *a, *b;
	struct utmem_pool *pa, *pb; /* ephemeral */
	uint64_t nr_a, nr_b;	    /* next keys */
};

static void two_open(struct two *w, uint32_t weight_a, uint32_t weight_b)
{
	memset(w, 0, sizeof(*w));
	fixture_open(&w->f, ARENA, UINT64_MAX);
	w->a = w->f.tenant;
	assert_int_equal(w->f.ops->tenant_add(w->f.engine, "b", UINT64_MAX, &w->b), 0);
	assert_int_equal(w->f.ops->tenant_weight(w->a, weight_a), 0);
	assert_int_equal(w->f.ops->tenant_weight(w->b, weight_b), 0);
	w->pa = open_pool_of(&w->f, w->a, "c", true);
	w->pb = open_pool_of(&w->f, w->b, "c", true);
}

static void put_next(struct two *w, struct utmem_pool *p, uint64_t *nr)
{
	struct utmem_key k = make_key(&w->f, nr, sizeof(*nr));

	assert_int_equal(w->f.ops->put(p, &k, value, sizeof(value), UTMEM_PUT_ALWAYS), 0);
	if (++*nr % 32 == 0)
		w->f.ops->maintain(w->f.engine, 64 * KIB);
}

static void put_a(struct two *w, uint32_t n)
{
	while (n--)
		put_next(w, w->pa, &w->nr_a);
}

static void put_b(struct two *w, uint32_t n)
{
	while (n--)
		put_next(w, w->pb, &w->nr_b);
}

static void put_both(struct two *w, uint32_t n)
{
	while (n--) {
		put_a(w, 1);
		put_b(w, 1);
	}
}

/* What a holds of both, in permille. */
static uint64_t part_of_a(struct two *w)
{
	return w->a->evictable_bytes * 1000 / (w->a->evictable_bytes + w->b->evictable_bytes);
}

static void assert_part_of_a(struct two *w, uint64_t permille)
{
	uint64_t is = part_of_a(w), off = is > permille ? is - permille : permille - is;

	if (off > 40)
		fail_msg("a has %llu permille, not %llu", (unsigned long long)is,
			 (unsigned long long)permille);
}

static void weight_is_1_to_1000_and_100_when_not_said(void **state)
{
	struct utmem_tenant_stat st;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, MIB);
	f.ops->tenant_stat(f.tenant, &st);
	assert_int_equal(st.weight, 100);
	assert_int_equal(f.ops->tenant_weight(f.tenant, 0), -EINVAL);
	assert_int_equal(f.ops->tenant_weight(f.tenant, 1001), -EINVAL);
	f.ops->tenant_stat(f.tenant, &st);
	assert_int_equal(st.weight, 100);
	assert_int_equal(f.ops->tenant_weight(f.tenant, 1), 0);
	assert_int_equal(f.ops->tenant_weight(f.tenant, 1000), 0);
	f.ops->tenant_stat(f.tenant, &st);
	assert_int_equal(st.weight, 1000);
	fixture_close(&f);
}

static void check_shares(uint32_t weight_a, uint32_t weight_b, uint64_t permille)
{
	struct two w;

	two_open(&w, weight_a, weight_b);
	put_both(&w, 200000);
	assert_part_of_a(&w, permille);
	assert_true(engine_stat(&w.f).live_bytes > ARENA * 3 / 4);
	check(&w.f);
	fixture_close(&w.f);
}

static void equal_weights_share_the_arena_equally(void **state)
{
	(void)state;
	check_shares(100, 100, 500);
}

static void three_times_the_weight_is_three_times_the_memory(void **state)
{
	(void)state;
	check_shares(100, 300, 250);
	check_shares(300, 100, 750);
}

static void the_smallest_weight_beside_the_largest_gets_next_to_nothing(void **state)
{
	(void)state;
	check_shares(1, 1000, 1);
}

static void who_is_below_its_share_loses_nothing_to_a_flood(void **state)
{
	struct two w;

	(void)state;
	two_open(&w, 100, 100);
	put_a(&w, 10000); /* 3 MiB of 16, never read */
	put_b(&w, 300000);
	assert_int_equal(counters(&w.f, w.pa).nr_evicted, 0);
	assert_int_equal(counters(&w.f, w.pa).nr_items, 10000);
	assert_true(counters(&w.f, w.pb).nr_evicted > 200000);
	check(&w.f);
	fixture_close(&w.f);
}

/* What is kept is not carried from one end of the log to the other for every value that goes. */
static void keeping_what_is_below_its_share_costs_little_copying(void **state)
{
	struct two w;

	(void)state;
	two_open(&w, 1000, 100);
	put_a(&w, 25000); /* half of the arena, and the oldest of it */
	put_b(&w, 300000);
	assert_int_equal(counters(&w.f, w.pa).nr_evicted, 0);
	assert_true(engine_stat(&w.f).nr_cleaned_bytes < 2 * 300000ull * VALUE_LEN);
	fixture_close(&w.f);
}

static void another_weight_holds_from_the_next_put_on(void **state)
{
	struct two w;

	(void)state;
	two_open(&w, 300, 100);
	put_both(&w, 100000);
	assert_part_of_a(&w, 750);
	w.f.ops->tenant_weight(w.b, 900);
	put_both(&w, 200000);
	assert_part_of_a(&w, 250);
	check(&w.f);
	fixture_close(&w.f);
}

static void persistent_put_takes_from_whom_weights_name(void **state)
{
	struct utmem_pool *p;
	struct two w;
	uint64_t nr;

	(void)state;
	two_open(&w, 100, 300);
	put_both(&w, 100000);
	p = open_pool_of(&w.f, w.b, "p", false);
	for (nr = 0; nr < 20000;)
		put_next(&w, p, &nr);
	assert_int_equal(counters(&w.f, p).nr_items, 20000);
	assert_part_of_a(&w, 250);
	check(&w.f);
	fixture_close(&w.f);
}

static void a_weight_does_not_keep_a_tenant_within_its_quota(void **state)
{
	struct two w;

	(void)state;
	two_open(&w, 1000, 1);
	put_a(&w, 10000);
	w.f.ops->tenant_quota(w.a, MIB);
	settle(&w.f);
	assert_true(tenant_used(&w.f, w.a) <= MIB);
	put_a(&w, 10000);
	assert_true(tenant_used(&w.f, w.a) <= MIB);
	check(&w.f);
	fixture_close(&w.f);
}

static void who_was_to_lose_may_be_removed(void **state)
{
	struct two w;

	(void)state;
	two_open(&w, 100, 1);
	put_both(&w, 50000);
	assert_ptr_equal(((struct pool_engine *)w.f.engine)->share.victim, w.b);
	w.f.ops->pool_close(w.pb);
	assert_int_equal(w.f.ops->tenant_remove(w.b), 0);
	put_a(&w, 100000);
	check(&w.f);
	fixture_close(&w.f);
}

static void long_values_are_shared_by_weight_too(void **state)
{
	static char large[300 * KIB];
	struct two w;
	uint64_t i;

	(void)state;
	two_open(&w, 100, 300);
	for (i = 0; i < 400; i++) {
		struct utmem_key k = make_key(&w.f, &i, sizeof(i));

		assert_int_equal(w.f.ops->put(w.pa, &k, large, sizeof(large), UTMEM_PUT_ALWAYS), 0);
		assert_int_equal(w.f.ops->put(w.pb, &k, large, sizeof(large), UTMEM_PUT_ALWAYS), 0);
		w.f.ops->maintain(w.f.engine, 64 * KIB);
	}
	assert_part_of_a(&w, 250);
	check(&w.f);
	fixture_close(&w.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weight_is_1_to_1000_and_100_when_not_said),
		cmocka_unit_test(equal_weights_share_the_arena_equally),
		cmocka_unit_test(three_times_the_weight_is_three_times_the_memory),
		cmocka_unit_test(the_smallest_weight_beside_the_largest_gets_next_to_nothing),
		cmocka_unit_test(who_is_below_its_share_loses_nothing_to_a_flood),
		cmocka_unit_test(keeping_what_is_below_its_share_costs_little_copying),
		cmocka_unit_test(another_weight_holds_from_the_next_put_on),
		cmocka_unit_test(persistent_put_takes_from_whom_weights_name),
		cmocka_unit_test(a_weight_does_not_keep_a_tenant_within_its_quota),
		cmocka_unit_test(who_was_to_lose_may_be_removed),
		cmocka_unit_test(long_values_are_shared_by_weight_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
