// SPDX-License-Identifier: MIT
/*
 * A pool is saved while it is in use: what comes out is the pool as it was at the beginning,
 * whatever is put, deleted, evicted and moved meanwhile.
 */
#include "pool_fixture.h"

#define NR_KEYS 3000u
#define VALUE_MAX (300u * KIB)

struct saved_value {
	bool there, seen;
	uint32_t len;
	uint64_t seed;
	uint64_t got; /* bytes of it that came */
};

/* A sink that compares. */
struct sink {
	struct saved_value want[NR_KEYS]; /* when it began */
	struct saved_value now[NR_KEYS];
	uint32_t nr_seen;
	int64_t held, held_most, hold_limit; /* bytes */
	uint64_t room;			     /* calls of reserve that succeed */
	uint32_t long_no;		     /* whose parts come; NR_KEYS: none */
	uint8_t buf[UTMEM_SAVE_PART_MAX];
	uint8_t whole[VALUE_MAX];
};

struct rig {
	struct fixture f;
	struct utmem_pool *p;
	struct sink s;
	uint64_t random, seed;
};

/* Values are packed and shared: some of each length are equal, and half of each is compressible. */
static bool packing;

static void fill(uint8_t *buf, uint32_t len, uint64_t seed)
{
	if (!packing) {
		fill_value(buf, len, seed);
		return;
	}
	memset(buf, 's', len);
	fill_value(buf, len / 2, seed % 4 ? seed % 4 : seed);
}

static void *sink_reserve(void *ctx, const struct utmem_save_item *item, uint32_t len)
{
	struct sink *s = ctx;

	assert_true(len <= sizeof(s->buf));
	assert_true(item->key_len > 0);
	if (!s->room)
		return NULL;
	s->room--;
	return s->buf;
}

static void sink_emit(void *ctx, const struct utmem_save_item *item, uint64_t off, uint32_t len)
{
	struct sink *s = ctx;
	struct saved_value *v;
	uint32_t no;

	assert_true(item->key_len < 64);
	no = (uint32_t)strtoul((const char *)item->key + 1, NULL, 10);
	assert_true(no < NR_KEYS);
	v = &s->want[no];
	assert_true(v->there);
	assert_int_equal(item->value_len, v->len);
	assert_int_equal(off, v->got);
	assert_false(v->seen);
	if (len < item->value_len) {
		assert_int_equal(s->long_no, off ? no : NR_KEYS);
		s->long_no = off + len < v->len ? no : NR_KEYS;
	}
	fill(s->whole, v->len, v->seed);
	assert_memory_equal(s->buf, s->whole + off, len);
	v->got += len;
	if (v->got < v->len)
		return;
	v->seen = true;
	s->nr_seen++;
}

static bool sink_hold(void *ctx, int64_t bytes)
{
	struct sink *s = ctx;

	s->held += bytes;
	assert_true(s->held >= 0);
	if (s->held > s->held_most)
		s->held_most = s->held;
	return s->held <= s->hold_limit;
}

static uint32_t pick(struct rig *r, uint32_t n)
{
	return (uint32_t)(next_random(&r->random) % n);
}

static struct utmem_key key_of(struct rig *r, uint32_t no)
{
	static char key[64];

	/* the dots end the number, and make keys of several lengths */
	snprintf(key, sizeof(key), "k%u.%.*s", no, (int)(no % 20), "....................");
	return make_key(&r->f, key, (uint32_t)strlen(key));
}

static int rig_put(struct rig *r, uint32_t no, uint32_t len)
{
	static uint8_t value[VALUE_MAX];
	struct utmem_key key = key_of(r, no);
	int err;

	fill(value, len, ++r->seed);
	err = r->f.ops->put(r->p, &key, value, len, UTMEM_PUT_ALWAYS);
	r->s.now[no] = (struct saved_value){.there = !err, .len = len, .seed = r->seed};
	return err;
}

static void rig_del(struct rig *r, uint32_t no)
{
	struct utmem_key key = key_of(r, no);

	r->f.ops->del(r->p, &key);
	r->s.now[no].there = false;
}

static uint32_t pick_len(struct rig *r)
{
	static const uint32_t lens[] = {100, 600, 1000, 3000, 20000, 80000};

	if (packing)
		return lens[pick(r, sizeof(lens) / sizeof(lens[0]))];
	switch (pick(r, 64)) {
	case 0:
		return 0;
	case 1:
		return 64 * KIB + pick(r, VALUE_MAX - 64 * KIB);
	case 2 ... 8:
		return pick(r, 4 * KIB);
	default:
		return pick(r, 200);
	}
}

static void rig_open(struct rig *r, size_t arena, uint64_t quota, bool ephemeral)
{
	memset(r, 0, sizeof(*r));
	fixture_open(&r->f, arena, quota);
	r->p = open_pool(&r->f, "p", ephemeral);
	r->s.hold_limit = INT64_MAX;
	r->s.room = UINT64_MAX;
	r->s.long_no = NR_KEYS;
}

static void rig_close(struct rig *r)
{
	settle(&r->f);
	check(&r->f);
	fixture_close(&r->f);
	free(r);
}

static struct rig *rig_new(size_t arena, uint64_t quota, bool ephemeral)
{
	struct rig *r = malloc(sizeof(*r));

	assert_non_null(r);
	rig_open(r, arena, quota, ephemeral);
	return r;
}

static void rig_fill(struct rig *r, uint32_t first, uint32_t nr, uint32_t len)
{
	uint32_t i;

	for (i = first; i < first + nr; i++)
		assert_int_equal(rig_put(r, i, len), 0);
}

static int save_begin(struct rig *r, struct utmem_save **s)
{
	const struct utmem_save_sink sink = {sink_reserve, sink_emit, sink_hold, &r->s};
	uint32_t i;

	/* an ephemeral value may have gone by itself */
	for (i = 0; i < NR_KEYS; i++) {
		struct utmem_key key = key_of(r, i);
		struct utmem_get_result out;

		r->s.now[i].there = !r->f.ops->get(r->p, &key, 0, NULL, 0, &out);
	}
	memcpy(r->s.want, r->s.now, sizeof(r->s.want));
	r->s.nr_seen = 0;
	r->s.long_no = NR_KEYS;
	return r->f.ops->save_begin(r->p, &sink, s);
}

static void save_check_whole(struct rig *r)
{
	uint32_t i;

	for (i = 0; i < NR_KEYS; i++)
		assert_int_equal(r->s.want[i].seen, r->s.want[i].there);
}

static void save_finish(struct rig *r, struct utmem_save *s)
{
	int more;

	while ((more = r->f.ops->save_step(s, 64 * KIB)) == 1)
		;
	assert_int_equal(more, 0);
	r->f.ops->save_end(s);
	assert_int_equal(r->s.held, 0);
	assert_int_equal(r->s.long_no, NR_KEYS);
	save_check_whole(r);
}

/* ---- the model ---- */

/* A pause: it is in the second call that nothing has come. */
static void rig_maintain(struct rig *r)
{
	uint32_t i;

	for (i = 0; i <= packing; i++)
		r->f.ops->maintain(r->f.engine, 64 * KIB);
}

static void random_op(struct rig *r)
{
	uint32_t no = pick(r, NR_KEYS), what = pick(r, 100);

	if (what < 60)
		rig_put(r, no, pick_len(r));
	else if (what < 98)
		rig_del(r, no);
	else
		rig_maintain(r);
}

/* With what another pool has, too. */
static void rig_share(struct rig *r)
{
	const struct utmem_pool_options o = {.compress = UTMEM_COMPRESS_LZ4, .dedup = true};
	struct utmem_pool *own = r->p;
	uint32_t i;

	assert_int_equal(r->f.ops->default_options_set(r->f.engine, &o), 0);
	assert_int_equal(r->f.ops->pool_options_set(r->p, &o), 0);
	r->p = open_pool(&r->f, "other", false);
	for (i = 0; i < 60; i++)
		rig_put(r, i, pick_len(r));
	memset(r->s.now, 0, sizeof(r->s.now));
	r->p = own;
}

static void run_model(size_t arena, uint64_t quota, bool ephemeral, uint64_t seed)
{
	struct rig *r = rig_new(arena, quota, ephemeral);
	struct utmem_save *s;
	uint32_t round, i, nr_ops, nr_done = 0;
	bool packed = false, shared = false;
	int more;

	print_message("seed %lu\n", (unsigned long)seed);
	r->random = seed;
	if (packing)
		rig_share(r);
	for (round = 0; round < 12; round++) {
		for (i = 0; i < 6000; i++)
			random_op(r);
		assert_int_equal(save_begin(r, &s), 0);
		nr_ops = 1 + pick(r, 40);
		do {
			for (i = pick(r, nr_ops); i; i--)
				random_op(r);
			more = r->f.ops->save_step(s, 1 + pick(r, 16 * KIB));
		} while (more == 1);
		r->f.ops->save_end(s);
		assert_int_equal(r->s.held, 0);
		check(&r->f);
		if (!more)
			save_check_whole(r);
		else /* it kept what a put needed */
			assert_int_equal(more, arena < quota ? -ENOBUFS : 0);
		nr_done += !more;
		packed |= counters(&r->f, r->p).nr_packed > 0;
		shared |= counters(&r->f, r->p).nr_shared > 0;
	}
	assert_true(nr_done >= 4);
	assert_true(r->s.held_most > 0);
	assert_int_equal(packed, packing);
	assert_int_equal(shared, packing);
	assert_true(engine_stat(&r->f).nr_cleaned_bytes > 0);
	if (ephemeral)
		assert_true(counters(&r->f, r->p).nr_evicted > 0);
	rig_close(r);
}

static void save_is_the_pool_as_it_was_at_the_beginning(void **state)
{
	(void)state;
	run_model(48 * MIB, 48 * MIB, false, 1);
	run_model(48 * MIB, 48 * MIB, false, 2);
}

static void save_is_whole_while_values_are_packed_and_shared(void **state)
{
	(void)state;
	packing = true;
	run_model(64 * MIB, 64 * MIB, false, 5);
	run_model(64 * MIB, 12 * MIB, true, 6);
	packing = false;
}

static void save_has_what_eviction_for_the_quota_drops_meanwhile(void **state)
{
	(void)state;
	run_model(32 * MIB, 3 * MIB, true, 3);
}

static void save_has_what_eviction_for_the_arena_drops_meanwhile(void **state)
{
	(void)state;
	run_model(4 * MIB, 64 * MIB, true, 4);
}

/* ---- the index under it ---- */

static void save_stands_a_growing_index(void **state)
{
	struct rig *r = rig_new(16 * MIB, 16 * MIB, false);
	struct utmem_save *s;
	uint32_t i;

	(void)state;
	rig_fill(r, 0, 200, 20);
	assert_int_equal(save_begin(r, &s), 0);
	for (i = 200; i < NR_KEYS; i++) {
		assert_int_equal(rig_put(r, i, 20), 0);
		if (i % 100 == 0)
			assert_int_equal(r->f.ops->save_step(s, 1), 1);
	}
	save_finish(r, s);
	assert_int_equal(r->s.nr_seen, 200);
	rig_close(r);
}

static void save_stands_a_shrinking_index(void **state)
{
	struct rig *r = rig_new(16 * MIB, 16 * MIB, false);
	struct utmem_save *s;
	uint32_t i;

	(void)state;
	rig_fill(r, 0, NR_KEYS, 20);
	assert_int_equal(save_begin(r, &s), 0);
	for (i = 0; i < NR_KEYS; i++) {
		rig_del(r, i);
		if (i % 100 == 0)
			assert_int_equal(r->f.ops->save_step(s, 1), 1);
	}
	assert_int_equal(counters(&r->f, r->p).nr_items, 0);
	rig_fill(r, 0, 100, 30);
	save_finish(r, s);
	assert_int_equal(r->s.nr_seen, NR_KEYS);
	rig_close(r);
}

static void save_of_an_empty_pool_is_empty(void **state)
{
	struct rig *r = rig_new(4 * MIB, 4 * MIB, false);
	struct utmem_save *s;

	(void)state;
	assert_int_equal(save_begin(r, &s), 0);
	rig_fill(r, 0, 10, 10);
	save_finish(r, s);
	assert_int_equal(r->s.nr_seen, 0);
	rig_close(r);
}

/* ---- long values ---- */

static void long_value_deleted_half_way_comes_whole(void **state)
{
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	struct utmem_save *s;

	(void)state;
	rig_fill(r, 7, 1, VALUE_MAX);
	assert_int_equal(save_begin(r, &s), 0);
	while (!r->s.want[7].got)
		assert_int_equal(r->f.ops->save_step(s, 1), 1);
	rig_del(r, 7);
	check(&r->f);
	assert_true(r->s.held >= (int64_t)VALUE_MAX);
	save_finish(r, s);
	assert_int_equal(tenant_used(&r->f, r->f.tenant), 0);
	rig_close(r);
}

static void long_values_overwritten_ahead_of_the_walk_come_whole(void **state)
{
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	struct utmem_save *s;

	(void)state;
	rig_fill(r, 0, 5, VALUE_MAX);
	assert_int_equal(save_begin(r, &s), 0);
	rig_fill(r, 0, 5, VALUE_MAX - 1);
	rig_fill(r, 0, 3, 5);
	check(&r->f);
	save_finish(r, s);
	assert_int_equal(r->s.nr_seen, 5);
	rig_close(r);
}

/* The arena is for who puts: what a save keeps beside that goes first. */
static void kept_values_give_way_to_a_put(void **state)
{
	struct rig *r = rig_new(4 * MIB, 64 * MIB, false);
	struct utmem_save *s;
	uint32_t i = 100;

	(void)state;
	rig_fill(r, 0, 4, VALUE_MAX);
	assert_int_equal(save_begin(r, &s), 0);
	for (i = 0; i < 4; i++)
		rig_del(r, i);
	for (i = 100; rig_put(r, i, 30 * KIB) == 0; i++)
		;
	assert_int_equal(r->f.ops->save_step(s, 1), -ENOBUFS);
	/* as many as without a save */
	assert_true((i - 100) * 30 * KIB > 2 * MIB + 512 * KIB);
	r->f.ops->save_end(s);
	rig_close(r);
}

/* ---- ends ---- */

static void flush_and_destroy_end_a_save(void **state)
{
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	struct utmem_save *s;
	uint32_t nr;

	(void)state;
	for (nr = 1; nr <= 1000; nr += 999) {
		rig_fill(r, 0, nr, 100);
		assert_int_equal(save_begin(r, &s), 0);
		assert_int_equal(r->f.ops->flush(r->p), 0);
		assert_int_equal(r->f.ops->save_step(s, 1), -ECANCELED);
		r->f.ops->save_end(s);
	}
	rig_fill(r, 0, 1000, 100);
	assert_int_equal(save_begin(r, &s), 0);
	assert_int_equal(r->f.ops->pool_destroy(r->p), 0);
	assert_int_equal(r->f.ops->save_step(s, 1), -ECANCELED);
	r->f.ops->pool_close(r->p);
	r->f.ops->save_end(s);
	rig_close(r);
}

static void one_save_of_a_pool_at_a_time(void **state)
{
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	const struct utmem_save_sink sink = {sink_reserve, sink_emit, sink_hold, &r->s};
	struct utmem_pool *other = open_pool(&r->f, "other", false);
	struct utmem_save *s, *t;

	(void)state;
	rig_fill(r, 0, 1000, 100);
	assert_int_equal(save_begin(r, &s), 0);
	assert_int_equal(save_begin(r, &t), -EBUSY);
	assert_null(t);
	assert_int_equal(r->f.ops->save_begin(other, &sink, &t), 0);
	while (r->f.ops->save_step(t, 1) == 1)
		;
	r->f.ops->save_end(t);
	save_finish(r, s);
	assert_int_equal(save_begin(r, &s), 0);
	save_finish(r, s);
	rig_close(r);
}

static void save_that_is_given_up_leaves_nothing(void **state)
{
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	struct utmem_save *s;

	(void)state;
	rig_fill(r, 0, 4, VALUE_MAX);
	rig_fill(r, 4, 1000, 100);
	assert_int_equal(save_begin(r, &s), 0);
	rig_fill(r, 0, 1000, 50);
	assert_true(r->s.held > 0);
	r->f.ops->save_end(s);
	assert_int_equal(r->s.held, 0);
	rig_close(r);
}

/* ---- limits: it is the save that fails ---- */

static void put_goes_on_when_the_sink_is_full(void **state)
{
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	struct utmem_save *s;

	(void)state;
	rig_fill(r, 0, 100, 100);
	assert_int_equal(save_begin(r, &s), 0);
	r->s.room = 10;
	rig_fill(r, 0, 100, 60);
	assert_int_equal(r->s.nr_seen, 10);
	assert_int_equal(r->f.ops->save_step(s, 1), -ENOBUFS);
	r->f.ops->save_end(s);
	assert_int_equal(r->s.held, 0);
	rig_close(r);
}

static void put_goes_on_when_a_save_may_keep_no_more(void **state)
{
	static const uint32_t lens[] = {20, VALUE_MAX};
	struct rig *r = rig_new(8 * MIB, 8 * MIB, false);
	struct utmem_save *s;
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		rig_fill(r, 0, 4, lens[i]);
		assert_int_equal(save_begin(r, &s), 0);
		/* two that came, or the first of those that went */
		r->s.hold_limit = i ? VALUE_MAX : 2 * INDEX_SHARE;
		rig_fill(r, i ? 0 : 10, 2, 10);
		assert_int_equal(r->f.ops->save_step(s, 1), i ? -ENOBUFS : 1);
		rig_fill(r, i ? 0 : 12, 1, 10);
		assert_int_equal(r->f.ops->save_step(s, 1), -ENOBUFS);
		r->f.ops->save_end(s);
		r->s.hold_limit = INT64_MAX;
		check(&r->f);
	}
	rig_close(r);
}

/* ---- memory ---- */

/* Return: how many allocations there were. */
static uint64_t run_short(uint64_t fail_at)
{
	struct rig *r = rig_new(16 * MIB, 16 * MIB, false);
	struct utmem_save *s;
	uint64_t nr;
	int err;

	rig_fill(r, 0, 3, VALUE_MAX);
	rig_fill(r, 3, 500, 20);
	r->f.nr_allocs = 0;
	r->f.fail_at = fail_at;
	err = save_begin(r, &s);
	assert_true(err == 0 || (err == -ENOMEM && !s));
	if (!err) {
		rig_del(r, 0);
		for (uint32_t i = 3; i < 1000; i++)
			rig_put(r, i, 30);
		while ((err = r->f.ops->save_step(s, 16 * KIB)) == 1)
			;
		assert_true(err == 0 || err == -ENOMEM);
		if (!err)
			save_check_whole(r);
		r->f.ops->save_end(s);
		assert_int_equal(r->s.held, 0);
	}
	nr = r->f.nr_allocs;
	r->f.fail_at = 0;
	check(&r->f);
	rig_close(r);
	return nr;
}

static void one_failed_allocation_fails_the_save_at_most(void **state)
{
	uint64_t n, nr = run_short(0);

	(void)state;
	assert_true(nr > 10);
	for (n = 1; n <= nr; n++)
		run_short(n);
	print_message("%lu allocations failed in turn\n", (unsigned long)nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(save_is_the_pool_as_it_was_at_the_beginning),
		cmocka_unit_test(save_is_whole_while_values_are_packed_and_shared),
		cmocka_unit_test(save_has_what_eviction_for_the_quota_drops_meanwhile),
		cmocka_unit_test(save_has_what_eviction_for_the_arena_drops_meanwhile),
		cmocka_unit_test(save_stands_a_growing_index),
		cmocka_unit_test(save_stands_a_shrinking_index),
		cmocka_unit_test(save_of_an_empty_pool_is_empty),
		cmocka_unit_test(long_value_deleted_half_way_comes_whole),
		cmocka_unit_test(long_values_overwritten_ahead_of_the_walk_come_whole),
		cmocka_unit_test(kept_values_give_way_to_a_put),
		cmocka_unit_test(flush_and_destroy_end_a_save),
		cmocka_unit_test(one_save_of_a_pool_at_a_time),
		cmocka_unit_test(save_that_is_given_up_leaves_nothing),
		cmocka_unit_test(put_goes_on_when_the_sink_is_full),
		cmocka_unit_test(put_goes_on_when_a_save_may_keep_no_more),
		cmocka_unit_test(one_failed_allocation_fails_the_save_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
