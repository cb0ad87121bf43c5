// SPDX-License-Identifier: MIT
/* Churn: the arena stays dense, nothing is lost, and no put is refused while there is room. */
#include "pool_fixture.h"

#define NR_KEYS 4096u
#define VALUE_MAX (64u * KIB)

static uint8_t want[VALUE_MAX], got[VALUE_MAX];

struct churn {
	struct fixture f;
	struct utmem_pool *p;
	uint64_t random;
	uint32_t len[NR_KEYS]; /* UINT32_MAX: not there */
	uint64_t seed[NR_KEYS];
	uint64_t written;
};

static struct utmem_key churn_key(struct churn *c, const uint32_t *no)
{
	return make_key(&c->f, no, sizeof(*no));
}

/* 32 B .. 64 KiB, every order of magnitude as often. */
static uint32_t churn_len(struct churn *c)
{
	uint32_t most = 64u << next_random(&c->random) % 11;

	return most / 2 + (uint32_t)(next_random(&c->random) % (most / 2 + 1));
}

static void churn_put(struct churn *c, uint32_t no, uint32_t len)
{
	struct utmem_key k = churn_key(c, &no);

	c->seed[no] = c->written;
	c->len[no] = len;
	fill_value(want, len, c->seed[no]);
	assert_int_equal(c->f.ops->put(c->p, &k, want, len, UTMEM_PUT_ALWAYS), 0);
	c->written += len;
}

static void churn_del(struct churn *c, uint32_t no)
{
	struct utmem_key k = churn_key(c, &no);

	assert_int_equal(c->f.ops->del(c->p, &k), c->len[no] == UINT32_MAX ? -ENOENT : 0);
	c->len[no] = UINT32_MAX;
}

static void check_values(struct churn *c)
{
	struct utmem_get_result out;
	uint32_t no;

	for (no = 0; no < NR_KEYS; no++) {
		struct utmem_key k = churn_key(c, &no);
		int err = c->f.ops->get(c->p, &k, 0, got, VALUE_MAX, &out);

		assert_int_equal(err, c->len[no] == UINT32_MAX ? -ENOENT : 0);
		if (err)
			continue;
		assert_int_equal(out.value_len, c->len[no]);
		fill_value(want, c->len[no], c->seed[no]);
		assert_memory_equal(got, want, c->len[no]);
	}
}

static double live_part(struct churn *c)
{
	struct utmem_engine_stat st = engine_stat(&c->f);

	return (double)st.live_bytes / (double)st.arena_bytes;
}

static void churn_of_10_arenas_stays_at_88_percent_live(void **state)
{
	static struct churn c;
	size_t arena = 32 * MIB;
	uint32_t no, len;

	(void)state;
	fixture_open(&c.f, arena, UINT64_MAX);
	c.p = open_pool(&c.f, "p", false);
	memset(c.len, 0xff, sizeof(c.len));
	while (c.written < 11 * arena) {
		no = (uint32_t)(next_random(&c.random) % NR_KEYS);
		len = churn_len(&c);
		/* fill up to 88 %: nothing below that may be refused */
		if (live_part(&c) + (double)record_size(4, len) / (double)arena < 0.8805)
			churn_put(&c, no, len);
		else
			churn_del(&c, no);
	}
	check(&c.f);
	check_values(&c);
	while (live_part(&c) < 0.88) {
		no = (uint32_t)(next_random(&c.random) % NR_KEYS);
		if (c.len[no] == UINT32_MAX)
			churn_put(&c, no, 2048);
	}
	print_message("live %.4f of the arena, %.1f bytes cleaned per byte written\n",
		      live_part(&c),
		      (double)engine_stat(&c.f).nr_cleaned_bytes / (double)c.written);
	check(&c.f);
	fixture_close(&c.f);
}

static void fragmented_arena_still_takes_a_value_of_half_its_size(void **state)
{
	static struct churn c;
	uint8_t *big = malloc(8 * MIB), *back = malloc(8 * MIB);
	struct utmem_get_result out;
	uint32_t no;

	(void)state;
	fixture_open(&c.f, 16 * MIB, UINT64_MAX);
	c.p = open_pool(&c.f, "p", false);
	memset(c.len, 0xff, sizeof(c.len));
	for (no = 0; no < NR_KEYS; no++)
		churn_put(&c, no, 3 * KIB);
	for (no = 0; no < NR_KEYS; no++)
		if (no % 3)
			churn_del(&c, no);
	fill_value(big, 8 * MIB, 1);
	assert_int_equal(put(&c.f, c.p, "big", big, 8 * MIB), 0);
	assert_int_equal(get(&c.f, c.p, "big", 0, back, 8 * MIB, &out), 0);
	assert_memory_equal(big, back, 8 * MIB);
	check(&c.f);
	check_values(&c);
	fixture_close(&c.f);
	free(big);
	free(back);
}

static void large_values_are_moved_chunk_by_chunk(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	struct utmem_get_result out;
	uint64_t random = 5;
	uint8_t *big = malloc(MIB), *back = malloc(MIB);
	uint32_t i;
	char key[16];

	(void)state;
	fixture_open(&f, 4 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	fill_value(big, MIB, 1);
	/* chunks with small values between them, most of which go */
	for (i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "%u", (uint32_t)(next_random(&random) % 2000));
		assert_int_equal(
			put(&f, p, key, big, 500 + (uint32_t)(next_random(&random) % 1000)), 0);
		if (i % 2000 == 0)
			assert_int_equal(put(&f, p, "big", big, MIB), 0);
	}
	assert_true(engine_stat(&f).nr_cleaned_bytes > 0);
	assert_int_equal(get(&f, p, "big", 0, back, MIB, &out), 0);
	assert_memory_equal(big, back, MIB);
	check(&f);
	fixture_close(&f);
	free(big);
	free(back);
}

static void puts_leave_the_cleaner_its_reserve(void **state)
{
	struct fixture f;
	struct log *log;

	(void)state;
	fixture_open(&f, 4 * MIB, UINT64_MAX);
	log = &((struct pool_engine *)f.engine)->log;
	while (log_append(log, LOG_PUT, log->record_max) != LOG_NONE)
		;
	assert_int_equal(log->nr_free, LOG_RESERVE);
	assert_true(log_append(log, LOG_CLEAN, log->record_max) != LOG_NONE);
	assert_true(log_append(log, LOG_CLEAN_EPHEMERAL, log->record_max) != LOG_NONE);
	assert_int_equal(log->nr_free, 0);
	fixture_close(&f);
}

static void deleted_memory_goes_back_to_the_host(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t i;

	(void)state;
	fixture_open(&f, 32 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	for (i = 0; i < 200000; i++) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));

		assert_int_equal(f.ops->put(p, &k, got, 100, UTMEM_PUT_ALWAYS), 0);
	}
	for (i = 0; i < 200000; i++) {
		struct utmem_key k = make_key(&f, &i, sizeof(i));

		if (i % 10)
			assert_int_equal(f.ops->del(p, &k), 0);
	}
	settle(&f);
	check(&f);
	/* what lives was pushed together, the rest was given back */
	assert_true(engine_stat(&f).free_bytes > 26 * MIB);
	assert_true(f.released_bytes > 16 * MIB);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(churn_of_10_arenas_stays_at_88_percent_live),
		cmocka_unit_test(fragmented_arena_still_takes_a_value_of_half_its_size),
		cmocka_unit_test(large_values_are_moved_chunk_by_chunk),
		cmocka_unit_test(puts_leave_the_cleaner_its_reserve),
		cmocka_unit_test(deleted_memory_goes_back_to_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
