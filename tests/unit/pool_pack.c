// SPDX-License-Identifier: MIT
/* Values of pools that compress: what is packed, when, and that nobody sees a difference. */
#include "pool_fixture.h"

#define ARENA (4 * MIB)
#define LEN 1000u
#define LONG_LEN (100u * KIB)

static uint8_t want[LONG_LEN], got[LONG_LEN];

/* Compressible: lines of a log, with @seed in each. */
static void fill_text(uint8_t *buf, uint32_t len, uint32_t seed)
{
	char line[64];
	uint32_t i, n, no;

	for (i = no = 0; i < len; i += n, no++) {
		n = (uint32_t)snprintf(line, sizeof(line),
				       "line %u of value %u: nothing to report\n", no % 7, seed);
		n = n < len - i ? n : len - i;
		memcpy(buf + i, line, n);
	}
}

static void set_options(struct fixture *f, struct utmem_pool *p, enum utmem_compress how,
			uint32_t least)
{
	struct utmem_pool_options o = {.compress = how, .compress_least = least};

	assert_int_equal(f->ops->pool_options_set(p, &o), 0);
}

/* So much that what came before lies in full segments. */
static void put_ballast(struct fixture *f, struct utmem_pool *p)
{
	uint32_t seg_len = ((struct pool_engine *)f->engine)->log.seg_len, done = 0, i;
	char key[16];

	for (i = 0; done < 2 * seg_len; i++, done += LEN) {
		snprintf(key, sizeof(key), "ballast%u", i);
		fill_value(want, LEN, 1000 + i);
		assert_int_equal(put(f, p, key, want, LEN), 0);
	}
}

/* Put it, and let it become cold: it is packed if it ever will be. */
static void put_cold(struct fixture *f, struct utmem_pool *p, const char *key, const uint8_t *value,
		     uint32_t len)
{
	assert_int_equal(put(f, p, key, value, len), 0);
	put_ballast(f, p);
	settle(f);
	check(f);
}

static uint64_t nr_packed(struct fixture *f, struct utmem_pool *p)
{
	return counters(f, p).nr_packed;
}

static void assert_reads_as(struct fixture *f, struct utmem_pool *p, const char *key,
			    const uint8_t *value, uint32_t len)
{
	struct utmem_get_result out;

	memset(got, 0xee, sizeof(got));
	assert_int_equal(get(f, p, key, 0, got, sizeof(got), &out), 0);
	assert_int_equal(out.value_len, len);
	assert_memory_equal(got, value, len);
	assert_true(len == sizeof(got) || got[len] == 0xee);
}

static const enum utmem_compress both[] = {UTMEM_COMPRESS_LZ4, UTMEM_COMPRESS_ZSTD};

static void nothing_is_packed_unless_asked_for(void **state)
{
	static uint8_t text[LEN];
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	assert_int_equal(f.ops->pool_options(p).compress, UTMEM_COMPRESS_NONE);
	assert_false(f.ops->pool_options(p).dedup);
	fill_text(text, LEN, 1);
	put_cold(&f, p, "k", text, LEN);
	assert_int_equal(nr_packed(&f, p), 0);
	assert_int_equal(counters(&f, p).stored_bytes, counters(&f, p).value_bytes);
	fixture_close(&f);
}

static void cold_value_is_packed_and_reads_the_same(void **state)
{
	static uint8_t text[LEN];
	struct utmem_pool_counters before, after;
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i, version;

	(void)state;
	for (i = 0; i < 2; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_pool(&f, "p", false);
		set_options(&f, p, both[i], 0);
		fill_text(text, LEN, 1);
		assert_int_equal(put(&f, p, "k", text, LEN), 0);
		version = version_of(&f, p, "k");
		put_ballast(&f, p);
		before = counters(&f, p);
		assert_int_equal(before.nr_packed, 0);
		assert_int_equal(before.stored_bytes, before.value_bytes);
		settle(&f);
		check(&f);
		after = counters(&f, p);
		assert_int_equal(after.nr_packed, 1);
		assert_int_equal(after.value_bytes, before.value_bytes);
		assert_true(after.stored_bytes < before.stored_bytes - LEN / 2);
		assert_true(after.used_bytes < before.used_bytes - LEN / 2);
		assert_true(before.used_bytes - after.used_bytes <
			    before.stored_bytes - after.stored_bytes + RECORD_ALIGN);
		assert_reads_as(&f, p, "k", text, LEN);
		assert_int_equal(version_of(&f, p, "k"), version);
		assert_int_equal(exists(&f, p, "k"), LEN);
		fixture_close(&f);
	}
}

static void incompressible_value_stays_as_it_is(void **state)
{
	struct utmem_pool *p;
	struct fixture f;
	uint64_t used;
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_pool(&f, "p", false);
		set_options(&f, p, both[i], 0);
		put_ballast(&f, p);
		used = counters(&f, p).used_bytes;
		settle(&f);
		check(&f);
		assert_int_equal(nr_packed(&f, p), 0);
		assert_int_equal(counters(&f, p).used_bytes, used);
		fixture_close(&f);
	}
}

static void shortest_value_to_be_packed_is_that_of_the_option(void **state)
{
	static const uint32_t least[] = {UTMEM_COMPRESS_LEAST_MIN, 0, 500};
	static uint8_t text[LEN];
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i, edge;

	(void)state;
	fill_text(text, LEN, 1);
	memset(text, 'a', UTMEM_COMPRESS_LEAST_MIN);
	for (i = 0; i < 3; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_pool(&f, "p", false);
		set_options(&f, p, UTMEM_COMPRESS_LZ4, least[i]);
		edge = least[i] ? least[i] : UTMEM_COMPRESS_LEAST;
		assert_int_equal(f.ops->pool_options(p).compress_least, edge);
		put_cold(&f, p, "shorter", text, edge - 1);
		assert_int_equal(nr_packed(&f, p), 0);
		put_cold(&f, p, "as long", text, edge);
		assert_int_equal(nr_packed(&f, p), 1);
		assert_reads_as(&f, p, "as long", text, edge);
		fixture_close(&f);
	}
}

/* A value of which the first @random bytes cannot be compressed, the rest very well. */
static void fill_half(uint8_t *buf, uint32_t random)
{
	memset(buf, 'z', LEN);
	fill_value(buf, random, 77);
	memset(buf + random, 'z', LEN - random);
}

/* What the compressor makes of it decides; it is kept up to exactly 88 %, head included. */
static void packed_value_is_kept_when_it_saves_12_percent(void **state)
{
	static uint8_t value[LEN];
	uint32_t random, payload, nr_kept = 0, nr_left = 0;
	struct pool_engine *e;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	e = (struct pool_engine *)f.engine;
	for (random = LEN * 3 / 4; random < LEN; random++) {
		fill_half(value, random);
		payload = utpool_pack(&e->packer, UTMEM_COMPRESS_LZ4, value, LEN);
		assert_true(payload <= LEN * PACK_KEEP_PERCENT / 100);
		if (payload == LEN * PACK_KEEP_PERCENT / 100)
			nr_kept++;
		if (!payload && nr_kept)
			nr_left++;
	}
	/* both sides of the edge were met */
	assert_int_equal(nr_kept, 1);
	assert_true(nr_left > 0);
	fixture_close(&f);
}

static void every_part_of_a_packed_value_reads_as_that_of_a_plain_one(void **state)
{
	static uint8_t text[300];
	struct utmem_get_result out;
	uint32_t i, off, len, n;
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fill_text(text, sizeof(text), 5);
	for (i = 0; i < 2; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_pool(&f, "p", false);
		set_options(&f, p, both[i], 0);
		put_cold(&f, p, "k", text, sizeof(text));
		assert_int_equal(nr_packed(&f, p), 1);
		for (off = 0; off < sizeof(text) + 2; off++) {
			for (len = 0; len < sizeof(text) + 2; len++) {
				n = off < sizeof(text) ? (uint32_t)sizeof(text) - off : 0;
				n = n < len ? n : len;
				got[n] = 0xee;
				assert_int_equal(get(&f, p, "k", off, got, len, &out), 0);
				assert_int_equal(out.value_len, sizeof(text));
				assert_memory_equal(got, text + (n ? off : 0), n);
				assert_int_equal(got[n], 0xee);
			}
		}
		fixture_close(&f);
	}
}

/* In an arena of this size a chunk is some 4 KiB: parts begin and end in any of them. */
static void value_in_chunks_is_packed_chunk_by_chunk(void **state)
{
	static uint8_t text[LONG_LEN];
	struct utmem_get_result out;
	uint32_t i, off, len;
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fill_text(text, LONG_LEN, 9);
	fill_value(text + LONG_LEN / 2, LONG_LEN / 8, 1); /* some chunks stay plain */
	for (i = 0; i < 2; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_pool(&f, "p", i);
		set_options(&f, p, both[i], 0);
		put_cold(&f, p, "k", text, LONG_LEN);
		assert_int_equal(nr_packed(&f, p), 1);
		assert_true(counters(&f, p).stored_bytes <
			    counters(&f, p).value_bytes - LONG_LEN / 2);
		assert_reads_as(&f, p, "k", text, LONG_LEN);
		for (off = 0; off < LONG_LEN; off += 1021) {
			for (len = 1; len <= LONG_LEN - off; len = len * 5 + 1) {
				assert_int_equal(get(&f, p, "k", off, got, len, &out), 0);
				assert_memory_equal(got, text + off, len);
			}
		}
		assert_int_equal(del(&f, p, "k"), 0);
		assert_int_equal(nr_packed(&f, p), 0);
		check(&f);
		fixture_close(&f);
	}
}

static void packed_value_that_is_overwritten_is_plain_again(void **state)
{
	static uint8_t text[LEN];
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	set_options(&f, p, UTMEM_COMPRESS_ZSTD, 0);
	fill_text(text, LEN, 1);
	put_cold(&f, p, "k", text, LEN);
	assert_int_equal(nr_packed(&f, p), 1);
	fill_text(text, LEN, 2);
	assert_int_equal(put(&f, p, "k", text, LEN), 0);
	assert_int_equal(nr_packed(&f, p), 0);
	assert_int_equal(counters(&f, p).stored_bytes, counters(&f, p).value_bytes);
	assert_reads_as(&f, p, "k", text, LEN);
	check(&f);
	fixture_close(&f);
}

/* Read between two looks: it is not packed. Once nobody reads it any more, it is. */
static void values_that_are_read_stay_plain_until_they_no_longer_are(void **state)
{
	static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	static uint8_t text[LEN];
	struct utmem_get_result out;
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i, k;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	set_options(&f, p, UTMEM_COMPRESS_LZ4, 0);
	fill_text(text, LEN, 1);
	for (k = 0; k < 8; k++)
		assert_int_equal(put(&f, p, keys[k], text, LEN), 0);
	put_ballast(&f, p);
	for (i = 0; i < 2000; i++) {
		for (k = 0; k < 8; k++)
			assert_int_equal(get(&f, p, keys[k], 0, got, LEN, &out), 0);
		f.ops->maintain(f.engine, MIB);
		f.ops->maintain(f.engine, MIB);
		assert_int_equal(nr_packed(&f, p), 0);
	}
	/* the cleaner's open segment, where they were moved to, is not looked at before it is full */
	for (i = 0; i < 3; i++) {
		put_ballast(&f, p);
		settle(&f);
	}
	assert_int_equal(nr_packed(&f, p), 8);
	check(&f);
	fixture_close(&f);
}

static void options_that_come_later_find_what_is_there(void **state)
{
	static uint8_t text[LEN];
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	fill_text(text, LEN, 1);
	put_cold(&f, p, "k", text, LEN);
	set_options(&f, p, UTMEM_COMPRESS_LZ4, 0);
	settle(&f);
	assert_int_equal(nr_packed(&f, p), 1);
	/* and what is packed is read without them */
	set_options(&f, p, UTMEM_COMPRESS_NONE, 0);
	settle(&f);
	assert_reads_as(&f, p, "k", text, LEN);
	check(&f);
	fixture_close(&f);
}

static void new_pools_have_the_default_options(void **state)
{
	struct utmem_pool_options o = {.compress = UTMEM_COMPRESS_ZSTD, .dedup = true};
	struct utmem_pool *old, *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	old = open_pool(&f, "old", false);
	assert_int_equal(f.ops->default_options_set(f.engine, &o), 0);
	p = open_pool(&f, "p", false);
	assert_int_equal(f.ops->pool_options(old).compress, UTMEM_COMPRESS_NONE);
	assert_int_equal(f.ops->pool_options(p).compress, UTMEM_COMPRESS_ZSTD);
	assert_int_equal(f.ops->pool_options(p).compress_least, UTMEM_COMPRESS_LEAST);
	assert_true(f.ops->pool_options(p).dedup);
	fixture_close(&f);
}

static void wrong_options_change_nothing(void **state)
{
	struct utmem_pool_options o = {.compress = UTMEM_COMPRESS_ZSTD + 1};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	set_options(&f, p, UTMEM_COMPRESS_LZ4, 100);
	assert_int_equal(f.ops->pool_options_set(p, &o), -EINVAL);
	assert_int_equal(f.ops->default_options_set(f.engine, &o), -EINVAL);
	o = (struct utmem_pool_options){.compress_least = UTMEM_COMPRESS_LEAST_MIN - 1};
	assert_int_equal(f.ops->pool_options_set(p, &o), -EINVAL);
	assert_int_equal(f.ops->pool_options(p).compress, UTMEM_COMPRESS_LZ4);
	assert_int_equal(f.ops->pool_options(p).compress_least, 100);
	assert_int_equal(f.ops->pool_destroy(p), 0);
	o.compress_least = 0;
	assert_int_equal(f.ops->pool_options_set(p, &o), -ESTALE);
	fixture_close(&f);
}

static void engine_that_stores_nothing_has_no_way_to_store_it(void **state)
{
	struct utmem_pool_options o = {.compress = UTMEM_COMPRESS_LZ4};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open_engine(&f, &utmem_engine_null, ARENA, ARENA);
	p = open_pool(&f, "p", false);
	assert_int_equal(f.ops->pool_options_set(p, &o), -EOPNOTSUPP);
	o = (struct utmem_pool_options){.dedup = true};
	assert_int_equal(f.ops->pool_options_set(p, &o), -EOPNOTSUPP);
	o.dedup = false;
	assert_int_equal(f.ops->pool_options_set(p, &o), 0);
	fixture_close(&f);
}

static struct record *find_packed(struct fixture *f)
{
	struct pool_engine *e = (struct pool_engine *)f->engine;
	struct record *r;
	uint32_t i, pos;

	for (i = 0; i < e->log.nr_segs; i++) {
		for (pos = 0; pos < e->log.segs[i].fill; pos += log_record_len(&e->log, r)) {
			r = log_record(&e->log, log_segment_off(&e->log, &e->log.segs[i]) + pos);
			if (r->state == RECORD_LIVE && r->packed)
				return r;
		}
	}
	return NULL;
}

/* Every byte of what is packed is wrong once, in every bit: -EIO or another value, and no overrun. */
static void damaged_packed_value_is_an_error_and_no_overrun(void **state)
{
	static uint8_t text[LEN];
	struct utmem_get_result out;
	struct utmem_pool *p;
	struct fixture f;
	struct record *r;
	uint32_t i, bit, off, nr_errors;
	uint8_t *buf;
	int err;

	(void)state;
	fill_text(text, LEN, 1);
	for (i = 0; i < 2; i++) {
		fixture_open(&f, ARENA, ARENA);
		p = open_pool(&f, "p", false);
		set_options(&f, p, both[i], 0);
		put_cold(&f, p, "k", text, LEN);
		r = find_packed(&f);
		assert_non_null(r);
		nr_errors = 0;
		for (bit = 0; bit < 8 * r->value_len; bit++) {
			record_value(r)[bit / 8] ^= 1 << bit % 8;
			off = bit % 3 ? 0 : 10;
			assert_int_equal(get(&f, p, "k", 0, NULL, 0, &out), 0);
			buf = malloc(LEN); /* of that length, so that a byte too many is seen */
			err = get(&f, p, "k", off, buf, LEN - bit % 2, &out);
			assert_true(!err || err == -EIO);
			nr_errors += err == -EIO;
			free(buf);
			record_value(r)[bit / 8] ^= 1 << bit % 8;
		}
		assert_true(nr_errors > 0);
		assert_reads_as(&f, p, "k", text, LEN);
		fixture_close(&f);
	}
}

/* Of a value that says it is longer than any record can be, nothing is read at all. */
static void packed_value_without_a_whole_head_is_an_error(void **state)
{
	struct pool_engine *e;
	union {
		struct record r;
		uint8_t bytes[64];
	} u = {.r = {.state = RECORD_LIVE, .type = RECORD_VALUE, .value_len = 3, .packed = 1}};
	struct packed_head head = {.full_len = (1u << 30) - 1, .algorithm = UTMEM_COMPRESS_LZ4};
	struct fixture f;

	(void)state;
	fixture_open(&f, ARENA, ARENA);
	e = (struct pool_engine *)f.engine;
	assert_int_equal(record_full_len(&u.r), 3);
	assert_int_equal(utpool_unpack(&e->packer, &u.r, 3, 0, got, 3), -EIO);
	u.r.value_len = 20;
	memcpy(record_value(&u.r), &head, sizeof(head));
	assert_int_equal(utpool_unpack(&e->packer, &u.r, head.full_len, 0, got, 1), -EIO);
	assert_null(utpool_pack_content(&e->packer, &u.r));
	head = (struct packed_head){.full_len = 100, .algorithm = 3};
	memcpy(record_value(&u.r), &head, sizeof(head));
	assert_int_equal(utpool_unpack(&e->packer, &u.r, 100, 0, got, 100), -EIO);
	fixture_close(&f);
}

/* Persistent values beyond the quota: what they are packed to makes room for more of them. */
static void packed_values_make_room_in_the_quota(void **state)
{
	static uint8_t text[LEN];
	uint64_t quota = MIB;
	struct utmem_pool *p;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, quota);
	p = open_pool(&f, "p", false);
	set_options(&f, p, UTMEM_COMPRESS_ZSTD, 0);
	for (i = 0; i < 3 * quota / LEN; i++) {
		snprintf(key, sizeof(key), "%u", i);
		fill_text(text, LEN, i);
		assert_int_equal(put(&f, p, key, text, LEN), 0);
		f.ops->maintain(f.engine, 256 * KIB);
	}
	assert_int_equal(counters(&f, p).nr_refused, 0);
	for (i = 0; i < 3 * quota / LEN; i++) {
		snprintf(key, sizeof(key), "%u", i);
		fill_text(text, LEN, i);
		assert_reads_as(&f, p, key, text, LEN);
	}
	check(&f);
	fixture_close(&f);
}

static void ephemeral_values_are_evicted_packed_or_not(void **state)
{
	static uint8_t text[LEN];
	struct utmem_pool *p;
	struct fixture f;
	char key[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, ARENA, MIB);
	p = open_pool(&f, "p", true);
	set_options(&f, p, UTMEM_COMPRESS_LZ4, 0);
	for (i = 0; i < 8000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		fill_text(text, LEN, i);
		assert_int_equal(put(&f, p, key, text, LEN), 0);
		if (i % 16 == 0)
			f.ops->maintain(f.engine, 64 * KIB);
	}
	settle(&f);
	check(&f);
	assert_true(nr_packed(&f, p) > 0);
	assert_true(counters(&f, p).nr_evicted > 0);
	assert_int_equal(f.ops->tenant_quota(f.tenant, 0), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(nr_packed(&f, p), 0);
	check(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_packed_unless_asked_for),
		cmocka_unit_test(cold_value_is_packed_and_reads_the_same),
		cmocka_unit_test(incompressible_value_stays_as_it_is),
		cmocka_unit_test(shortest_value_to_be_packed_is_that_of_the_option),
		cmocka_unit_test(packed_value_is_kept_when_it_saves_12_percent),
		cmocka_unit_test(every_part_of_a_packed_value_reads_as_that_of_a_plain_one),
		cmocka_unit_test(value_in_chunks_is_packed_chunk_by_chunk),
		cmocka_unit_test(packed_value_that_is_overwritten_is_plain_again),
		cmocka_unit_test(values_that_are_read_stay_plain_until_they_no_longer_are),
		cmocka_unit_test(options_that_come_later_find_what_is_there),
		cmocka_unit_test(new_pools_have_the_default_options),
		cmocka_unit_test(wrong_options_change_nothing),
		cmocka_unit_test(engine_that_stores_nothing_has_no_way_to_store_it),
		cmocka_unit_test(damaged_packed_value_is_an_error_and_no_overrun),
		cmocka_unit_test(packed_value_without_a_whole_head_is_an_error),
		cmocka_unit_test(packed_values_make_room_in_the_quota),
		cmocka_unit_test(ephemeral_values_are_evicted_packed_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
