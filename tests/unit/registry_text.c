// SPDX-License-Identifier: MIT
/* The registry's text: what comes back is what went in, at every limit; what makes no sense is refused with its place. */
#include "tests/unit/registry_fixture.h"

#define LONGEST "a.-_456789012345678901234567890123456789012345678901234567890123"

static void assert_same_pool(const struct registry_pool *a, const struct registry_pool *b)
{
	uint32_t i;

	assert_string_equal(a->name, b->name);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->kind.ephemeral, b->kind.ephemeral);
	assert_int_equal(a->kind.shared, b->kind.shared);
	assert_int_equal(a->kind.guest_shared, b->kind.guest_shared);
	assert_int_equal(a->kind.owner, b->kind.owner);
	assert_int_equal(a->has_options, b->has_options);
	assert_int_equal(a->options.compress, b->options.compress);
	assert_int_equal(a->options.compress_least, b->options.compress_least);
	assert_int_equal(a->options.dedup, b->options.dedup);
	assert_int_equal(a->nr_grants, b->nr_grants);
	for (i = 0; i < a->nr_grants; i++) {
		assert_string_equal(a->grants[i].to, b->grants[i].to);
		assert_int_equal(a->grants[i].readonly, b->grants[i].readonly);
	}
}

static void assert_same_list(const struct registry_list *a, const struct registry_list *b)
{
	uint32_t i, j;

	assert_int_equal(a->serial, b->serial);
	assert_int_equal(a->saved, b->saved);
	assert_int_equal(a->nr_tenants, b->nr_tenants);
	for (i = 0; i < a->nr_tenants; i++) {
		assert_string_equal(a->tenants[i].name, b->tenants[i].name);
		assert_int_equal(a->tenants[i].quota, b->tenants[i].quota);
		assert_int_equal(a->tenants[i].weight, b->tenants[i].weight);
		assert_int_equal(a->tenants[i].nr_pools, b->tenants[i].nr_pools);
		for (j = 0; j < a->tenants[i].nr_pools; j++)
			assert_same_pool(&a->tenants[i].pools[j], &b->tenants[i].pools[j]);
	}
}

/* Through text and back; @list is emptied. */
static void assert_comes_back(struct registry_list *list)
{
	char why[REGISTRY_WHY_LEN], *text = registry_encode(list);
	struct registry_list back;

	assert_non_null(text);
	if (registry_decode(&back, text, strlen(text), why, sizeof(why)))
		fail_msg("%s", why);
	assert_same_list(list, &back);
	registry_list_exit(&back);
	registry_list_exit(list);
	free(text);
}

static void one_of_everything_comes_back(void **state)
{
	struct registry_list list;

	(void)state;
	sample_list(&list, 7);
	assert_comes_back(&list);
}

static void numbers_come_back_exactly_whatever_their_size(void **state)
{
	static const uint64_t numbers[] = {0,
					   1,
					   UINT32_MAX,
					   (1ull << 53) - 1,
					   1ull << 53,
					   (1ull << 53) + 1,
					   UINT64_MAX - 1,
					   UINT64_MAX};
	struct registry_list list = {.serial = UINT64_MAX, .saved = INT64_MAX};
	char name[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(name, sizeof(name), "t%zu", i);
		registry_add_tenant(&list, name)->quota = numbers[i];
	}
	registry_add_pool(&list.tenants[0], "p")->kind.owner = UINT32_MAX;
	list.tenants[0].weight = UTMEM_WEIGHT_MIN;
	list.tenants[1].weight = UTMEM_WEIGHT_MAX;
	assert_comes_back(&list);
}

static void every_option_of_a_pool_comes_back(void **state)
{
	static const struct utmem_pool_options options[] = {
		{UTMEM_COMPRESS_NONE, UTMEM_COMPRESS_LEAST_MIN, false},
		{UTMEM_COMPRESS_LZ4, UTMEM_COMPRESS_LEAST, true},
		{UTMEM_COMPRESS_ZSTD, UTMEM_COMPRESS_LEAST_MAX, false},
	};
	struct registry_list list = {0};
	struct registry_tenant *t;
	struct registry_pool *p;
	char name[8];
	size_t i;

	(void)state;
	t = registry_add_tenant(&list, "a");
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		snprintf(name, sizeof(name), "p%zu", i);
		p = registry_add_pool(t, name);
		p->has_options = true;
		p->options = options[i];
	}
	assert_comes_back(&list);
}

static void most_pools_longest_names_and_many_grants_come_back(void **state)
{
	struct registry_list list = {0};
	struct registry_tenant *t;
	struct registry_pool *p;
	char name[UTMEM_POOL_NAME_LEN];
	uint32_t i;

	(void)state;
	t = registry_add_tenant(&list, LONGEST);
	for (i = 0; i < REGISTRY_POOLS_MAX; i++) {
		snprintf(name, sizeof(name), "%.58s.%04u", LONGEST, i);
		p = registry_add_pool(t, name);
		p->kind.shared = true;
	}
	assert_int_equal(strlen(name), UTMEM_POOL_NAME_LEN - 1);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "to%u", i);
		registry_add_tenant(&list, name);
		registry_add_grant(&list.tenants[0].pools[0], name)->readonly = i % 2;
	}
	assert_comes_back(&list);
}

static void most_tenants_are_taken_and_one_more_refused(void **state)
{
	struct registry_list list = {0};
	char why[REGISTRY_WHY_LEN], name[16];
	uint32_t i;

	(void)state;
	for (i = 0; i < REGISTRY_TENANTS_MAX; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_non_null(registry_add_tenant(&list, name));
	}
	assert_int_equal(registry_list_check(&list, why, sizeof(why)), 0);
	registry_add_tenant(&list, "more");
	assert_int_equal(registry_list_check(&list, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "65537 tenants, 65536 is the most");
	registry_list_exit(&list);
}

/* @tenants, in an otherwise right text, is refused with @want. */
static void assert_wrong(const char *tenants, const char *want)
{
	char text[4096], why[REGISTRY_WHY_LEN] = "";
	struct registry_list list;

	snprintf(text, sizeof(text), "{\"serial\":1,\"saved\":2,\"tenants\":%s}", tenants);
	assert_int_equal(registry_decode(&list, text, strlen(text), why, sizeof(why)), -EINVAL);
	assert_string_equal(why, want);
	assert_int_equal(list.nr_tenants, 0);
	assert_null(list.tenants);
}

#define POOL(name, shared, grants)                                               \
	"{\"name\":\"" name "\",\"id\":1,\"ephemeral\":false,\"shared\":" shared \
	",\"guest_shared\":false,\"owner\":0,\"grants\":[" grants "]}"
#define TENANT(name, pools) "{\"name\":\"" name "\",\"quota\":1,\"weight\":1,\"pools\":[" pools "]}"
#define GRANT(to) "{\"to\":\"" to "\",\"readonly\":true}"

/* As an utmemd wrote it that knew none: they are not made up, so that new pools' hold. */
static void pool_without_options_has_none(void **state)
{
	static const char text[] =
		"{\"serial\":1,\"saved\":2,\"tenants\":[" TENANT("a", POOL("p", "false", "")) "]}";
	char why[REGISTRY_WHY_LEN];
	struct registry_list list;

	(void)state;
	assert_int_equal(registry_decode(&list, text, sizeof(text) - 1, why, sizeof(why)), 0);
	assert_false(list.tenants[0].pools[0].has_options);
	registry_list_exit(&list);
}

#define OPTIONS(text)                                                                    \
	"[" TENANT("a", "{\"name\":\"p\",\"id\":1,\"ephemeral\":false,\"shared\":false," \
			"\"guest_shared\":false,\"owner\":0,\"grants\":[]," text "}") "]"

static void options_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	assert_wrong(OPTIONS("\"compress\":\"zip\",\"compress_least\":64,\"dedup\":\"off\""),
		     "tenant a: pool 0: \"compress\" is none of: none lz4 zstd");
	assert_wrong(OPTIONS("\"compress\":1,\"compress_least\":64,\"dedup\":\"off\""),
		     "tenant a: pool 0: \"compress\" is none of: none lz4 zstd");
	assert_wrong(OPTIONS("\"compress\":\"lz4\",\"compress_least\":63,\"dedup\":\"off\""),
		     "tenant a: pool 0: \"compress_least\" is less than 64");
	assert_wrong(OPTIONS("\"compress\":\"lz4\",\"compress_least\":536870912,"
			     "\"dedup\":\"off\""),
		     "tenant a: pool 0: \"compress_least\" is larger than 536870911");
	assert_wrong(OPTIONS("\"compress\":\"lz4\",\"compress_least\":64,\"dedup\":\"all\""),
		     "tenant a: pool 0: \"dedup\" is none of: off tenant");
	assert_wrong(OPTIONS("\"compress\":\"lz4\",\"compress_least\":64"),
		     "tenant a: pool 0: has no \"dedup\"");
	assert_wrong(OPTIONS("\"dedup\":\"off\""),
		     "tenant a: pool 0: has members that are not known");
}

static void names_that_are_wrong_or_there_twice_are_refused(void **state)
{
	(void)state;
	assert_wrong("[" TENANT("", "") "]", "tenant 0: \"\" is no valid name");
	assert_wrong("[" TENANT("a/b", "") "]", "tenant 0: \"a/b\" is no valid name");
	assert_wrong("[" TENANT("control", "") "]", "tenant 0: \"control\" is no valid name");
	assert_wrong("[" TENANT(LONGEST "x", "") "]", "tenant 0: \"name\" is longer than 63 bytes");
	assert_wrong("[" TENANT("a", "") "," TENANT("b", "") "," TENANT("a", "") "]",
		     "tenant a is there twice");
	assert_wrong("[" TENANT("a", POOL("..\\n", "false", "")) "]",
		     "tenant a: pool 0: \"..\n\" is no valid name");
	assert_wrong("[" TENANT("a", POOL("p", "false", "") "," POOL("p", "true", "")) "]",
		     "tenant a: pool p is there twice");
}

static void grants_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	assert_wrong("[" TENANT("a", POOL("p", "false", GRANT("b"))) "," TENANT("b", "") "]",
		     "pool a/p: grant to \"b\": the pool is not shared");
	assert_wrong("[" TENANT("a", POOL("p", "true", GRANT("a"))) "]",
		     "pool a/p: grant to \"a\": it is the pool's own tenant");
	assert_wrong("[" TENANT("a", POOL("p", "true", GRANT("b"))) "]",
		     "pool a/p: grant to \"b\": there is no such tenant");
	assert_wrong("[" TENANT("a", POOL("p", "true", GRANT("b") "," GRANT("b"))) "," TENANT(
			     "b", "") "]",
		     "pool a/p: grant to \"b\": it is there twice");
}

static void members_of_a_wrong_kind_too_many_or_missing_are_refused(void **state)
{
	(void)state;
	assert_wrong("7", "\"tenants\" is no array");
	assert_wrong("[7]", "tenant 0: is no object");
	assert_wrong("[{\"name\":\"a\",\"weight\":1,\"pools\":[]}]", "tenant 0: has no \"quota\"");
	assert_wrong("[{\"name\":7,\"quota\":1,\"weight\":1,\"pools\":[]}]",
		     "tenant 0: \"name\" is no string");
	assert_wrong("[{\"name\":\"a\",\"quota\":1,\"weight\":1,\"pools\":{}}]",
		     "tenant 0: \"pools\" is no array");
	assert_wrong("[{\"name\":\"a\",\"quota\":1,\"weight\":1,\"pools\":[],\"colour\":1}]",
		     "tenant 0: has members that are not known");
	assert_wrong("[{\"name\":\"a\",\"quota\":1,\"weight\":1,\"pools\":[],\"name\":\"b\"}]",
		     "tenant 0: has members that are not known");
	assert_wrong("[" TENANT("a", POOL("p", "1", "")) "]",
		     "tenant a: pool 0: \"shared\" is neither true nor false");
	assert_wrong("[" TENANT("a", POOL("p", "true", "{\"to\":\"b\"}")) "]",
		     "tenant a: pool 0: has no \"readonly\"");
}

static void numbers_that_are_absurd_are_refused(void **state)
{
	static const char *const not_exact[] = {"-1",	"0.5", "9007199254740994", "1e300", "null",
						"true", "[]"};
	static const char *const not_digits[] = {"\"\"",
						 "\"-1\"",
						 "\"+1\"",
						 "\" 1\"",
						 "\"1k\"",
						 "\"0x10\"",
						 "\"18446744073709551616\""};
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(not_exact) / sizeof(not_exact[0]); i++) {
		snprintf(text, sizeof(text),
			 "[{\"name\":\"a\",\"quota\":%s,\"weight\":1,\"pools\":[]}]", not_exact[i]);
		assert_wrong(text, "tenant 0: \"quota\" is no whole number from 0 to 2^53");
	}
	for (i = 0; i < sizeof(not_digits) / sizeof(not_digits[0]); i++) {
		snprintf(text, sizeof(text),
			 "[{\"name\":\"a\",\"quota\":%s,\"weight\":1,\"pools\":[]}]",
			 not_digits[i]);
		assert_wrong(text, "tenant 0: \"quota\" is no number from 0 to 2^64 - 1");
	}
	assert_wrong("[{\"name\":\"a\",\"quota\":1,\"weight\":0,\"pools\":[]}]",
		     "tenant 0: \"weight\" is less than 1");
	assert_wrong("[{\"name\":\"a\",\"quota\":1,\"weight\":1001,\"pools\":[]}]",
		     "tenant 0: \"weight\" is larger than 1000");
	assert_wrong("[{\"name\":\"a\",\"quota\":1,\"weight\":1,\"pools\":[{\"name\":\"p\","
		     "\"id\":1,\"ephemeral\":true,"
		     "\"shared\":true,\"guest_shared\":true,\"owner\":4294967296,\"grants\":[]}]}]",
		     "tenant a: pool 0: \"owner\" is larger than 4294967295");
}

static void text_that_is_no_json_is_refused_with_the_byte(void **state)
{
	char why[REGISTRY_WHY_LEN];
	struct registry_list list;

	(void)state;
	assert_int_equal(registry_decode(&list, "{\"serial\":1,}", 13, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "no JSON from byte 12 on");
	assert_int_equal(registry_decode(&list, "", 0, why, sizeof(why)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_everything_comes_back),
		cmocka_unit_test(numbers_come_back_exactly_whatever_their_size),
		cmocka_unit_test(every_option_of_a_pool_comes_back),
		cmocka_unit_test(most_pools_longest_names_and_many_grants_come_back),
		cmocka_unit_test(most_tenants_are_taken_and_one_more_refused),
		cmocka_unit_test(pool_without_options_has_none),
		cmocka_unit_test(options_that_make_no_sense_are_refused),
		cmocka_unit_test(names_that_are_wrong_or_there_twice_are_refused),
		cmocka_unit_test(grants_that_make_no_sense_are_refused),
		cmocka_unit_test(members_of_a_wrong_kind_too_many_or_missing_are_refused),
		cmocka_unit_test(numbers_that_are_absurd_are_refused),
		cmocka_unit_test(text_that_is_no_json_is_refused_with_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
