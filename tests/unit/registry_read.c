// SPDX-License-Identifier: MIT
/* What is read back: everything, whatever is damaged is told, and what a newer utmemd wrote is left alone. */
#include "tests/unit/registry_fixture.h"

#define FILE_ROOM 8192

static void none_is_an_empty_registry(void **state)
{
	char why[REGISTRY_WHY_LEN];
	struct registry_list list;
	enum registry_found found;
	struct dir *d = *state;

	assert_int_equal(registry_load(d->fd, &list, &found, why), 0);
	assert_int_equal(found, REGISTRY_NONE);
	assert_int_equal(list.nr_tenants, 0);
}

static void any_flipped_bit_is_told_and_the_previous_one_read(void **state)
{
	char file[FILE_ROOM], why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	size_t i, len;

	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(save_sample(d, 2), 0);
	len = file_get(d, REGISTRY_NAME, file, sizeof(file));
	for (i = 0; i < len * 8; i++) {
		file[i / 8] ^= (char)(1 << i % 8);
		file_set(d, REGISTRY_NAME, file, len);
		assert_int_equal(load_serial(d, &found, why), 1);
		assert_int_equal(found, REGISTRY_FALLBACK);
		assert_non_null(strstr(why, "is damaged"));
		file[i / 8] ^= (char)(1 << i % 8);
	}
	file_set(d, REGISTRY_NAME, file, len);
	assert_int_equal(load_serial(d, &found, why), 2);
}

static void any_cut_is_told_and_the_previous_one_read(void **state)
{
	char file[FILE_ROOM], why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	size_t i, len;

	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(save_sample(d, 2), 0);
	len = file_get(d, REGISTRY_NAME, file, sizeof(file));
	for (i = 0; i < len; i++) {
		file_set(d, REGISTRY_NAME, file, i);
		assert_int_equal(load_serial(d, &found, why), 1);
		assert_int_equal(found, REGISTRY_FALLBACK);
	}
	file[len] = 'x';
	file_set(d, REGISTRY_NAME, file, len + 1);
	assert_int_equal(load_serial(d, &found, why), 1);
}

static void both_damaged_is_an_error_that_names_both_and_changes_neither(void **state)
{
	char file[FILE_ROOM], why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;

	file_set(d, REGISTRY_NAME, "one", 3);
	file_set(d, REGISTRY_PREVIOUS, "two two", 7);
	assert_int_equal(load_serial(d, &found, why), -EBADMSG);
	assert_string_equal(why, "is damaged: 3 bytes do not match their checksum; "
				 "registry.previous: is damaged: 7 bytes do not match their "
				 "checksum");
	assert_int_equal(file_get(d, REGISTRY_NAME, file, sizeof(file)), 3);
	assert_int_equal(file_get(d, REGISTRY_PREVIOUS, file, sizeof(file)), 7);
}

static void damaged_one_without_a_previous_is_an_error(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;

	file_set(d, REGISTRY_NAME, "", 0);
	assert_int_equal(load_serial(d, &found, why), -EBADMSG);
	assert_non_null(strstr(why, "registry.previous: No such file"));
}

static void previous_one_alone_is_read(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;

	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(renameat(d->fd, REGISTRY_NAME, d->fd, REGISTRY_PREVIOUS), 0);
	assert_int_equal(load_serial(d, &found, why), 1);
	assert_int_equal(found, REGISTRY_FALLBACK);
}

/* As an utmemd of another version would write it: the checksum is right. Return: bytes of the file. */
static int set_version(const struct dir *d, unsigned int version, const char *text)
{
	char file[256], head[32];
	int n = snprintf(head, sizeof(head), "utmem-registry %u ", version);

	n = snprintf(file, sizeof(file), "%s%016llx\n%s", head,
		     (unsigned long long)XXH3_64bits_withSeed(text, strlen(text),
							      XXH3_64bits(head, (size_t)n)),
		     text);
	assert_true((size_t)n < sizeof(file));
	file_set(d, REGISTRY_NAME, file, (size_t)n);
	return n;
}

static void version_before_options_is_read_and_no_version_0(void **state)
{
	static const char text[] =
		"{\"serial\":7,\"saved\":2,\"tenants\":[{\"name\":\"a\",\"quota\":1,"
		"\"weight\":1,\"pools\":[{\"name\":\"p\",\"id\":1,\"ephemeral\":true,"
		"\"shared\":false,\"guest_shared\":false,\"owner\":0,\"grants\":[]}]}]}";
	char why[REGISTRY_WHY_LEN];
	struct registry_list list;
	enum registry_found found;
	struct dir *d = *state;

	set_version(d, 1, text);
	assert_int_equal(registry_load(d->fd, &list, &found, why), 0);
	assert_int_equal(found, REGISTRY_CURRENT);
	assert_int_equal(list.tenants[0].nr_pools, 1);
	assert_false(list.tenants[0].pools[0].has_options);
	registry_list_exit(&list);
	set_version(d, 0, text);
	assert_int_equal(registry_load(d->fd, &list, &found, why), -EPROTONOSUPPORT);
}

static void newer_version_is_told_and_no_older_one_taken_instead(void **state)
{
	char file[64], why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	int n;

	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(save_sample(d, 2), 0);
	n = set_version(d, 3, "{}");
	assert_int_equal(load_serial(d, &found, why), -EPROTONOSUPPORT);
	assert_string_equal(why, "is of version 3, and this utmemd knows 2");
	assert_int_equal(file_get(d, REGISTRY_NAME, file, sizeof(file)), n);
}

static void what_cannot_be_read_is_an_error_and_no_damage(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;

	assert_int_equal(save_sample(d, 1), 0);
	fault.countdown = 1;
	fault.err = EACCES;
	assert_int_equal(load_serial(d, &found, why), -EACCES);
	assert_string_equal(why, "Permission denied");
}

static void link_or_directory_is_not_followed(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;

	assert_int_equal(symlinkat("/dev/null", d->fd, REGISTRY_NAME), 0);
	assert_int_equal(load_serial(d, &found, why), -ELOOP);
	unlinkat(d->fd, REGISTRY_NAME, 0);
	assert_int_equal(mkdirat(d->fd, REGISTRY_NAME, 0700), 0);
	assert_int_equal(load_serial(d, &found, why), -EBADMSG);
	unlinkat(d->fd, REGISTRY_NAME, AT_REMOVEDIR);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(none_is_an_empty_registry),
		CASE(any_flipped_bit_is_told_and_the_previous_one_read),
		CASE(any_cut_is_told_and_the_previous_one_read),
		CASE(both_damaged_is_an_error_that_names_both_and_changes_neither),
		CASE(damaged_one_without_a_previous_is_an_error),
		CASE(previous_one_alone_is_read),
		CASE(version_before_options_is_read_and_no_version_0),
		CASE(newer_version_is_told_and_no_older_one_taken_instead),
		CASE(what_cannot_be_read_is_an_error_and_no_damage),
		CASE(link_or_directory_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
