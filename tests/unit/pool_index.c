// SPDX-License-Identifier: MIT
/* The index when keys come in the order of their hashes, as those of a saved pool do. */
#include "pool_fixture.h"

#define NR_KEYS 100000u

struct numbered {
	uint64_t hash;
	uint32_t no;
};

static struct numbered keys[NR_KEYS];

static int by_hash(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void sort_keys(struct fixture *f)
{
	uint32_t i;

	for (i = 0; i < NR_KEYS; i++)
		keys[i] = (struct numbered){make_key(f, &i, sizeof(i)).hash, i};
	qsort(keys, NR_KEYS, sizeof(keys[0]), by_hash);
}

static void put_key(struct fixture *f, struct utmem_pool *p, uint32_t i)
{
	struct utmem_key key = make_key(f, &keys[i].no, sizeof(keys[i].no));

	assert_int_equal(f->ops->put(p, &key, &i, sizeof(i), UTMEM_PUT_ALWAYS), 0);
}

static void assert_all_there(struct fixture *f, struct utmem_pool *p)
{
	struct pool_engine *e = (struct pool_engine *)f->engine;
	struct utmem_get_result out;
	uint32_t i, got;

	for (i = 0; i < NR_KEYS; i++) {
		struct utmem_key key = make_key(f, &keys[i].no, sizeof(keys[i].no));

		assert_int_equal(f->ops->get(p, &key, 0, &got, sizeof(got), &out), 0);
		assert_int_equal(got, i);
	}
	/* as dense as with any other order */
	assert_true(e->base.private_bytes < NR_KEYS * INDEX_SHARE + 64 * KIB);
	check(f);
}

static void keys_may_come_by_ascending_hash(void **state)
{
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	sort_keys(&f);
	for (i = 0; i < NR_KEYS; i++)
		put_key(&f, p, i);
	assert_all_there(&f, p);
	fixture_close(&f);
}

static void keys_may_come_by_descending_hash(void **state)
{
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	sort_keys(&f);
	for (i = NR_KEYS; i--;)
		put_key(&f, p, i);
	assert_all_there(&f, p);
	fixture_close(&f);
}

/* A lump of hashes in each part: leaves that are crowded in one corner and empty elsewhere. */
static void keys_may_come_in_lumps(void **state)
{
	struct utmem_pool *p;
	struct fixture f;
	uint32_t i, j;

	(void)state;
	fixture_open(&f, 16 * MIB, 16 * MIB);
	p = open_pool(&f, "p", false);
	sort_keys(&f);
	for (i = 0; i < 1000; i++)
		for (j = i; j < NR_KEYS; j += 1000)
			put_key(&f, p, j % 1000 * 100 + j / 1000);
	assert_all_there(&f, p);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_may_come_by_ascending_hash),
		cmocka_unit_test(keys_may_come_by_descending_hash),
		cmocka_unit_test(keys_may_come_in_lumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
