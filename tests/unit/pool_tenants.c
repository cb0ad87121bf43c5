// SPDX-License-Identifier: MIT
/* Tenants and pools as objects: names, owners, grants, who keeps whom alive. */
#include "pool_fixture.h"

static const struct utmem_engine_ops *const ops = &utmem_engine_pool;

static int open_spec(struct utmem_tenant *who, struct utmem_tenant *owner,
		     const struct utmem_pool_spec *spec, struct utmem_pool **out, bool *readonly)
{
	int err = ops->pool_open(who, owner, spec, out, readonly);

	assert_true(!err == !!*out);
	return err;
}

static void names_are_1_to_63_of_the_allowed_characters(void **state)
{
	char name[UTMEM_POOL_NAME_LEN + 1] = {0};

	(void)state;
	assert_true(utmem_name_valid("a"));
	assert_true(utmem_name_valid("AZaz09._-"));
	assert_false(utmem_name_valid(""));
	assert_false(utmem_name_valid("a b"));
	assert_false(utmem_name_valid("a/b"));
	assert_false(utmem_name_valid("\xc3\xa9"));
	memset(name, 'x', 63);
	assert_true(utmem_name_valid(name));
	name[63] = 'x';
	assert_false(utmem_name_valid(name));
}

static void tenants_have_valid_names_of_their_own(void **state)
{
	struct utmem_tenant *t;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "t", 1, &t), -EEXIST);
	assert_null(t);
	assert_int_equal(ops->tenant_add(f.engine, "no good", 1, &t), -EINVAL);
	assert_null(t);
	assert_int_equal(ops->tenant_add(f.engine, "u", 1, &t), 0);
	fixture_close(&f);
}

static void tenants_and_pools_are_listed_in_the_order_they_came(void **state)
{
	struct utmem_tenant_stat st;
	struct utmem_tenant *t;
	struct utmem_pool *a, *b;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, 4711);
	assert_int_equal(ops->tenant_add(f.engine, "u", 1, &t), 0);
	a = open_pool(&f, "a", false);
	b = open_pool(&f, "b", true);
	assert_ptr_equal(ops->tenant_next(f.engine, NULL), f.tenant);
	assert_ptr_equal(ops->tenant_next(f.engine, f.tenant), t);
	assert_null(ops->tenant_next(f.engine, t));
	assert_ptr_equal(ops->pool_next(f.tenant, NULL), a);
	assert_ptr_equal(ops->pool_next(f.tenant, a), b);
	assert_null(ops->pool_next(f.tenant, b));
	assert_null(ops->pool_next(t, NULL));
	ops->tenant_stat(f.tenant, &st);
	assert_string_equal(st.name, "t");
	assert_int_equal(st.quota_bytes, 4711);
	assert_int_equal(st.nr_pools, 2);
	assert_string_equal(ops->pool_name(a), "a");
	assert_ptr_equal(ops->pool_tenant(b), f.tenant);
	assert_true(ops->pool_kind(b).ephemeral);
	fixture_close(&f);
}

static void pool_is_found_by_an_id_that_no_other_had(void **state)
{
	struct utmem_pool *a, *b;
	struct fixture f;
	uint64_t id;

	(void)state;
	fixture_open(&f, MIB, MIB);
	a = open_pool(&f, "a", false);
	id = ops->pool_id(a);
	assert_ptr_equal(ops->pool_find(f.engine, id), a);
	assert_int_equal(ops->pool_destroy(a), 0);
	assert_null(ops->pool_find(f.engine, id));
	b = open_pool(&f, "a", false);
	assert_int_not_equal(ops->pool_id(b), id);
	assert_ptr_equal(ops->pool_find(f.engine, ops->pool_id(b)), b);
	fixture_close(&f);
}

static void pool_is_made_only_when_asked_and_once(void **state)
{
	struct utmem_pool_spec spec = {.name = "p"};
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), -ENOENT);
	spec.create = true;
	spec.excl = true;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), -EEXIST);
	spec.excl = false;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), 0);
	assert_ptr_equal(p, q);
	spec.name = "";
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), -EINVAL);
	fixture_close(&f);
}

static void kind_must_match_that_of_the_pool(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true};
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	spec.kind.ephemeral = true;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), -EINVAL);
	spec.kind.ephemeral = false;
	spec.kind.shared = true;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), -EINVAL);
	fixture_close(&f);
}

static void pool_belongs_to_the_user_who_made_it(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.owner = 1000};
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_int_equal(ops->pool_kind(p).owner, 1000);
	spec.kind.owner = 1001;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), -EACCES);
	spec.kind.guest_shared = true; /* asking does not make it so */
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), -EACCES);
	spec.any_owner = true;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), 0);
	fixture_close(&f);
}

static void guest_shared_pool_is_open_to_every_user(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.owner = 1000};
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	spec.kind.guest_shared = true;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	spec.kind.owner = 1001;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), 0);
	assert_ptr_equal(p, q);
	spec.create = false;
	spec.kind.guest_shared = false;
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), 0);
	assert_ptr_equal(p, q);
	fixture_close(&f);
}

static void user_who_would_make_a_pool_of_his_own_is_not_given_another_users(void **state)
{
	struct utmem_pool_spec spec = {
		.name = "p", .create = true, .kind = {.owner = 1001, .guest_shared = true}};
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	spec.kind = (struct utmem_pool_kind){.owner = 1000};
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &q, NULL), -EACCES);
	assert_null(q);
	fixture_close(&f);
}

static void same_name_of_two_tenants_is_two_pools(void **state)
{
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	p = open_pool(&f, "p", false);
	q = open_pool_of(&f, other, "p", false);
	assert_ptr_not_equal(p, q);
	assert_int_equal(put_str(&f, p, "key", "mine"), 0);
	assert_int_equal(exists(&f, q, "key"), -ENOENT);
	fixture_close(&f);
}

static void foreign_pool_needs_a_grant_and_does_not_show_that_it_exists(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.shared = true};
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;
	bool ro = false;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, &ro), -EACCES);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, &ro), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, &ro), -EACCES);
	assert_int_equal(ops->pool_grant(p, other, false), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, &ro), 0);
	assert_ptr_equal(p, q);
	assert_false(ro);
	fixture_close(&f);
}

static void grant_may_be_readonly_and_be_changed(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.shared = true};
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;
	bool ro = false;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_int_equal(ops->pool_grant(p, other, true), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, &ro), 0);
	assert_true(ro);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, NULL), 0);
	ro = false;
	assert_int_equal(ops->pool_grant(p, other, false), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, &ro), 0);
	assert_false(ro);
	fixture_close(&f);
}

static void revoked_grant_leaves_no_right_and_no_way_in(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.shared = true};
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;
	bool ro;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_int_equal(ops->pool_rights(p, other, &ro), -EACCES);
	assert_int_equal(ops->pool_revoke(p, other), -ENOENT);
	assert_int_equal(ops->pool_grant(p, other, true), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, NULL), 0);
	assert_int_equal(ops->pool_rights(p, other, &ro), 0);
	assert_true(ro);
	assert_int_equal(ops->pool_grant(p, other, false), 0);
	assert_int_equal(ops->pool_rights(p, other, &ro), 0);
	assert_false(ro);
	assert_int_equal(ops->pool_revoke(p, other), 0);
	assert_int_equal(ops->pool_rights(p, other, &ro), -EACCES);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, NULL), -EACCES);
	assert_int_equal(ops->pool_revoke(p, other), -ENOENT);
	/* the owner needs none */
	assert_int_equal(ops->pool_rights(p, f.tenant, &ro), 0);
	assert_false(ro);
	assert_int_equal(ops->pool_destroy(p), 0);
	assert_int_equal(ops->pool_rights(p, f.tenant, &ro), -ESTALE);
	assert_int_equal(ops->pool_rights(p, other, &ro), -ESTALE);
	assert_int_equal(ops->pool_revoke(p, other), -ESTALE);
	fixture_close(&f);
}

static void grants_are_listed_as_they_were_given(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.shared = true};
	struct utmem_tenant *a, *b;
	struct utmem_pool *p;
	struct fixture f;
	bool ro;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "a", MIB, &a), 0);
	assert_int_equal(ops->tenant_add(f.engine, "b", MIB, &b), 0);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_null(ops->grant_next(p, NULL, &ro));
	ops->pool_grant(p, b, true);
	ops->pool_grant(p, a, false);
	assert_ptr_equal(ops->grant_next(p, NULL, &ro), b);
	assert_true(ro);
	assert_ptr_equal(ops->grant_next(p, b, &ro), a);
	assert_false(ro);
	assert_null(ops->grant_next(p, a, &ro));
	ops->pool_revoke(p, b);
	assert_ptr_equal(ops->grant_next(p, NULL, &ro), a);
	assert_null(ops->grant_next(p, b, &ro)); /* not granted: no way to go on from there */
	fixture_close(&f);
}

static void private_pool_cannot_be_granted(void **state)
{
	struct utmem_tenant *other;
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	p = open_pool(&f, "p", false);
	assert_int_equal(ops->pool_grant(p, other, false), -EINVAL);
	assert_int_equal(ops->pool_grant(p, f.tenant, false), -EINVAL);
	fixture_close(&f);
}

static void grants_end_with_the_tenant_they_were_given_to(void **state)
{
	struct utmem_pool_spec spec = {.name = "p", .create = true, .kind.shared = true};
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_int_equal(ops->pool_grant(p, other, false), 0);
	assert_int_equal(ops->tenant_remove(other), 0);
	assert_true(list_empty(&p->grants));
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	assert_int_equal(open_spec(other, f.tenant, &spec, &q, NULL), -EACCES);
	fixture_close(&f);
}

static void tenant_is_busy_while_a_pool_of_it_is_attached(void **state)
{
	struct utmem_stream *s;
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(ops->tenant_remove(f.tenant), -EBUSY);
	assert_int_equal(stream_begin(&f, p, "key", 10, &s), 0);
	assert_int_equal(ops->pool_destroy(p), 0);
	assert_int_equal(ops->tenant_remove(f.tenant), -EBUSY);
	ops->pool_close(p);
	assert_int_equal(ops->tenant_remove(f.tenant), -EBUSY);
	ops->stream_abort(s);
	assert_int_equal(ops->tenant_remove(f.tenant), 0);
	assert_null(ops->tenant_next(f.engine, NULL));
	fixture_close(&f);
}

static void removed_tenant_takes_its_values_along(void **state)
{
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	ops->pool_close(p);
	assert_int_equal(ops->tenant_remove(f.tenant), 0);
	assert_int_equal(engine_stat(&f).nr_items, 0);
	assert_int_equal(engine_stat(&f).live_bytes, 0);
	settle(&f);
	check(&f);
	fixture_close(&f);
}

static void pool_stays_when_nobody_is_attached(void **state)
{
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	p = open_pool(&f, "p", false);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	ops->pool_close(p);
	p = open_pool(&f, "p", false);
	assert_value(&f, p, "key", "value");
	fixture_close(&f);
}

static void destroyed_pool_says_estale_and_frees_its_name(void **state)
{
	struct utmem_get_result out;
	struct utmem_tenant *other;
	struct utmem_pool *p, *q;
	struct utmem_stream *s;
	struct utmem_key key;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	p = open_pool(&f, "p", false);
	key = make_key(&f, "key", 3);
	assert_int_equal(put_str(&f, p, "key", "value"), 0);
	assert_int_equal(ops->pool_destroy(p), 0);
	assert_int_equal(tenant_used(&f, f.tenant), 0);
	assert_int_equal(put_str(&f, p, "key", "value"), -ESTALE);
	assert_int_equal(get(&f, p, "key", 0, NULL, 0, &out), -ESTALE);
	assert_int_equal(del(&f, p, "key"), -ESTALE);
	assert_int_equal(ops->flush(p), -ESTALE);
	assert_int_equal(stream_begin(&f, p, "key", 1, &s), -ESTALE);
	assert_int_equal(ops->pool_destroy(p), -ESTALE);
	assert_int_equal(ops->pool_grant(p, other, false), -ESTALE);
	ops->prefetch_index(p, &key);
	ops->prefetch_record(p, &key, 1);
	q = open_pool(&f, "p", true);
	assert_ptr_not_equal(p, q);
	assert_int_equal(exists(&f, q, "key"), -ENOENT);
	assert_ptr_equal(ops->pool_next(f.tenant, NULL), q);
	assert_null(ops->pool_next(f.tenant, q));
	check(&f);
	ops->pool_close(p);
	fixture_close(&f);
}

static void pool_that_nobody_is_attached_to_can_be_destroyed(void **state)
{
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	p = open_pool(&f, "p", false);
	ops->pool_close(p);
	assert_int_equal(ops->pool_destroy(p), 0);
	assert_null(ops->pool_next(f.tenant, NULL));
	fixture_close(&f);
}

static void tenant_has_1024_pools_and_no_more(void **state)
{
	struct utmem_pool_spec spec = {.create = true};
	struct utmem_pool *p, *last = NULL;
	struct fixture f;
	char name[16];
	uint32_t i;

	(void)state;
	fixture_open(&f, MIB, MIB);
	spec.name = name;
	for (i = 0; i < UTPOOL_POOLS_PER_TENANT; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
		last = p;
	}
	spec.name = "more";
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), -E2BIG);
	assert_int_equal(ops->pool_destroy(last), 0);
	/* still attached: it still counts */
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), -E2BIG);
	ops->pool_close(last);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	fixture_close(&f);
}

/* The longest way to a pool by its id. */
static uint32_t longest_bucket(const struct utmem_engine *e)
{
	uint32_t i, nr, longest = 0;
	struct list *l;

	for (i = 0; i < UTPOOL_ID_BUCKETS; i++) {
		for (nr = 0, l = NULL; (l = list_after(&e->by_id[i], l));)
			nr++;
		longest = nr > longest ? nr : longest;
	}
	return longest;
}

static void the_way_to_a_pool_by_its_id_is_short_however_many_there_are(void **state)
{
	char name[UTMEM_POOL_NAME_LEN];
	struct utmem_pool_spec spec = {.name = name, .create = true};
	struct utmem_pool *pools[UTPOOL_POOLS_PER_TENANT];
	struct fixture f;
	uint32_t i;

	(void)state;
	fixture_open(&f, 64 * MIB, MIB);
	for (i = 0; i < UTPOOL_POOLS_PER_TENANT; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &pools[i], NULL), 0);
	}
	assert_true(longest_bucket(f.engine) <= UTPOOL_POOLS_PER_TENANT / UTPOOL_ID_BUCKETS);
	for (i = 0; i < UTPOOL_POOLS_PER_TENANT; i++)
		assert_ptr_equal(ops->pool_find(f.engine, ops->pool_id(pools[i])), pools[i]);
	for (i = 0; i < UTPOOL_POOLS_PER_TENANT; i++)
		assert_int_equal(ops->pool_destroy(pools[i]), 0);
	assert_int_equal(longest_bucket(f.engine), 0);
	fixture_close(&f);
}

static void attaching_to_a_pool_asks_for_rights_and_for_nothing_else(void **state)
{
	struct utmem_pool_spec spec = {
		.name = "p", .create = true, .kind = {.owner = 1000, .shared = true}};
	struct utmem_tenant *other;
	struct utmem_pool *p;
	struct fixture f;

	(void)state;
	fixture_open(&f, MIB, MIB);
	assert_int_equal(ops->tenant_add(f.engine, "other", MIB, &other), 0);
	assert_int_equal(open_spec(f.tenant, f.tenant, &spec, &p, NULL), 0);
	assert_int_equal(ops->pool_attach(f.tenant, p), 0);
	assert_int_equal(ops->pool_attach(other, p), -EACCES);
	assert_int_equal(ops->pool_grant(p, other, true), 0);
	assert_int_equal(ops->pool_attach(other, p), 0);
	assert_int_equal(ops->pool_revoke(p, other), 0);
	assert_int_equal(ops->pool_destroy(p), 0);
	assert_int_equal(ops->pool_attach(f.tenant, p), -ESTALE);
	ops->pool_close(p);
	ops->pool_close(p);
	assert_int_equal(ops->tenant_remove(f.tenant), -EBUSY);
	ops->pool_close(p);
	assert_int_equal(ops->tenant_remove(f.tenant), 0);
	fixture_close(&f);
}

static void engines_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(utmem_engine_find("pool"), &utmem_engine_pool);
	assert_ptr_equal(utmem_engine_find("null"), &utmem_engine_null);
	assert_null(utmem_engine_find("poo"));
	assert_null(utmem_engine_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_1_to_63_of_the_allowed_characters),
		cmocka_unit_test(tenants_have_valid_names_of_their_own),
		cmocka_unit_test(tenants_and_pools_are_listed_in_the_order_they_came),
		cmocka_unit_test(pool_is_found_by_an_id_that_no_other_had),
		cmocka_unit_test(pool_is_made_only_when_asked_and_once),
		cmocka_unit_test(kind_must_match_that_of_the_pool),
		cmocka_unit_test(pool_belongs_to_the_user_who_made_it),
		cmocka_unit_test(guest_shared_pool_is_open_to_every_user),
		cmocka_unit_test(user_who_would_make_a_pool_of_his_own_is_not_given_another_users),
		cmocka_unit_test(same_name_of_two_tenants_is_two_pools),
		cmocka_unit_test(foreign_pool_needs_a_grant_and_does_not_show_that_it_exists),
		cmocka_unit_test(grant_may_be_readonly_and_be_changed),
		cmocka_unit_test(revoked_grant_leaves_no_right_and_no_way_in),
		cmocka_unit_test(grants_are_listed_as_they_were_given),
		cmocka_unit_test(private_pool_cannot_be_granted),
		cmocka_unit_test(grants_end_with_the_tenant_they_were_given_to),
		cmocka_unit_test(tenant_is_busy_while_a_pool_of_it_is_attached),
		cmocka_unit_test(removed_tenant_takes_its_values_along),
		cmocka_unit_test(pool_stays_when_nobody_is_attached),
		cmocka_unit_test(destroyed_pool_says_estale_and_frees_its_name),
		cmocka_unit_test(pool_that_nobody_is_attached_to_can_be_destroyed),
		cmocka_unit_test(tenant_has_1024_pools_and_no_more),
		cmocka_unit_test(the_way_to_a_pool_by_its_id_is_short_however_many_there_are),
		cmocka_unit_test(attaching_to_a_pool_asks_for_rights_and_for_nothing_else),
		cmocka_unit_test(engines_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
