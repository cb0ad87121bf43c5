// SPDX-License-Identifier: MIT
/* What is given back to the host, and when; and what cleaning costs while requests come. */
#include "pool_fixture.h"

#define TURN_BYTES (256u * KIB) /* of background work, as a polling host does between batches */
#define NR_LARGE 48u
#define NR_SMALL 20000u
#define BATCH 32u

static struct log *log_of(struct fixture *f)
{
	return &((struct pool_engine *)f->engine)->log;
}

static uint64_t dead_bytes(struct fixture *f)
{
	return log_filled(log_of(f)) - log_of(f)->live_bytes;
}

static void put_no(struct fixture *f, struct utmem_pool *p, uint64_t no, const void *value,
		   uint32_t len)
{
	struct utmem_key key = make_key(f, &no, sizeof(no));

	assert_int_equal(f->ops->put(p, &key, value, len, UTMEM_PUT_ALWAYS), 0);
}

static void poll_in_vain(struct fixture *f)
{
	uint32_t polls;

	for (polls = 0; polls < LOG_IDLE_CALLS - 6; polls++)
		f->ops->maintain(f->engine, TURN_BYTES);
}

/* Values of 1 MiB come and go, all at once, and the host polls in between. */
static void churn_large(struct fixture *f, struct utmem_pool *p, const void *value, uint32_t rounds)
{
	uint64_t no;

	for (; rounds; rounds--) {
		for (no = 0; no < NR_LARGE; no++)
			put_no(f, p, no, value, MIB);
		poll_in_vain(f);
		for (no = 0; no < NR_LARGE; no++) {
			struct utmem_key key = make_key(f, &no, sizeof(no));

			assert_int_equal(f->ops->del(p, &key), 0);
		}
		poll_in_vain(f);
	}
}

static void steady_coming_and_going_releases_nothing(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t released;
	void *value = calloc(1, MIB);

	(void)state;
	fixture_open(&f, 256 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	churn_large(&f, p, value, 2);
	released = f.released_bytes;
	/* over more than an epoch */
	churn_large(&f, p, value, LOG_EPOCH_TICKS / 100);
	assert_int_equal(f.released_bytes, released);
	check(&f);
	fixture_close(&f);
	free(value);
}

static void idle_engine_gives_back_what_it_kept_within_1000_calls(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint32_t calls;
	void *value = calloc(1, MIB);

	(void)state;
	fixture_open(&f, 256 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	churn_large(&f, p, value, 10);
	for (calls = 0; f.ops->maintain(f.engine, TURN_BYTES); calls++)
		assert_true(calls < 1000);
	assert_true(log_of(&f)->nr_hot <= 2 * log_of(&f)->low_water);
	assert_false(utpool_log_keeps_spare(log_of(&f)));
	fixture_close(&f);
	free(value);
}

static void flush_gives_most_back_at_once_however_much_was_written_lately(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t no;
	uint32_t calls;
	char value[KIB] = "";

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	for (no = 0; no < 50 * KIB; no++)
		put_no(&f, p, no, value, sizeof(value));
	assert_int_equal(f.ops->flush(p), 0);
	for (calls = 0; calls < 4 * log_of(&f)->nr_segs; calls++)
		f.ops->maintain(f.engine, TURN_BYTES);
	assert_true(f.released_bytes > 50 * MIB - 64 * MIB / LOG_KEEP_PART - 4 * MIB);
	fixture_close(&f);
}

static void cleaning_beside_puts_copies_an_eighth_of_them_and_makes_up_when_idle(void **state)
{
	struct fixture f;
	struct utmem_pool *p;
	uint64_t random = 7, put_bytes = 0, cleaned;
	uint32_t i;
	char value[100] = "";

	(void)state;
	fixture_open(&f, 64 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	for (i = 0; i < NR_SMALL; i++)
		put_no(&f, p, i, value, sizeof(value));
	for (i = 0; i < 50 * NR_SMALL; i++) {
		put_no(&f, p, next_random(&random) % NR_SMALL, value, sizeof(value));
		put_bytes += record_size(8, sizeof(value));
		if (i % BATCH == 0)
			f.ops->maintain(f.engine, TURN_BYTES);
	}
	cleaned = engine_stat(&f).nr_cleaned_bytes;
	assert_true(cleaned > 0);
	assert_true(cleaned < put_bytes / 8 + log_of(&f)->seg_len);
	/* that is enough: what is dead is bounded by what lives, not by the arena */
	assert_true(dead_bytes(&f) < 2 * log_of(&f)->live_bytes);
	settle(&f);
	assert_true(dead_bytes(&f) < log_of(&f)->live_bytes);
	check(&f);
	fixture_close(&f);
}

static void put_copies_a_bounded_amount_however_full_the_arena_is(void **state)
{
	uint32_t len = record_size(8, 100), i;
	struct fixture f;
	struct utmem_pool *p;
	uint64_t random = 9, before, copied, most = 0, nr;
	char value[100] = "";

	(void)state;
	fixture_open(&f, 16 * MIB, UINT64_MAX);
	p = open_pool(&f, "p", false);
	nr = 16 * MIB * 88 / 100 / len;
	for (i = 0; i < nr; i++)
		put_no(&f, p, i, value, sizeof(value));
	for (i = 0; i < 3 * nr; i++) {
		before = engine_stat(&f).nr_cleaned_bytes;
		put_no(&f, p, next_random(&random) % nr, value, sizeof(value));
		copied = engine_stat(&f).nr_cleaned_bytes - before;
		most = copied > most ? copied : most;
	}
	assert_true(most > 0);
	/* segments that gain 1/16 at least, and a quarter to get ahead; and the record at the end */
	assert_true(most <= 16 * len * 5 / 4 + 64 + len);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steady_coming_and_going_releases_nothing),
		cmocka_unit_test(idle_engine_gives_back_what_it_kept_within_1000_calls),
		cmocka_unit_test(flush_gives_most_back_at_once_however_much_was_written_lately),
		cmocka_unit_test(
			cleaning_beside_puts_copies_an_eighth_of_them_and_makes_up_when_idle),
		cmocka_unit_test(put_copies_a_bounded_amount_however_full_the_arena_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
