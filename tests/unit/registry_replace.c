// SPDX-License-Identifier: MIT
/* How the registry's file is replaced, and what is there whenever that fails or ends in the middle. */
#include "tests/unit/registry_fixture.h"

#define CALLS_MAX 40

static void order_is_write_sync_keep_rename_sync(void **state)
{
	struct dir *d = *state;

	assert_int_equal(save_sample(d, 1), 0);
	memset(&fault, 0, sizeof(fault));
	assert_int_equal(save_sample(d, 2), 0);
	/* unlinks are of what an earlier life left */
	assert_string_equal(fault.trace, "unlinkat openat write fsync "
					 "unlinkat linkat renameat(registry.previous) unlinkat "
					 "renameat(registry) fsync ");
	assert_true(dir_has(d, REGISTRY_PREVIOUS));
	assert_false(dir_has(d, REGISTRY_NEW));
	assert_false(dir_has(d, REGISTRY_KEPT));
}

static void file_is_its_owners_alone(void **state)
{
	struct dir *d = *state;
	struct stat st;

	umask(0);
	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(fstatat(d->fd, REGISTRY_NAME, &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
}

/* In a child; true when it got to the end. */
static bool save_and_die_before(const struct dir *d, uint64_t serial, int call)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		fault.countdown = call;
		_exit(save_sample(d, serial) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == 42));
	return !WEXITSTATUS(status);
}

/* Each death leaves what the next replacement has to cope with, too. */
static void death_before_any_call_leaves_the_old_or_the_new_whole(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	int call, serial = 1, is;

	assert_int_equal(save_sample(d, 1), 0);
	for (call = 1; !save_and_die_before(d, (uint64_t)serial + 1, call); call++) {
		is = load_serial(d, &found, why);
		assert_int_equal(found, REGISTRY_CURRENT);
		assert_true(is == serial || is == serial + 1);
		serial = is;
		assert_true(call < CALLS_MAX);
	}
	assert_true(call > 12);
	assert_int_equal(load_serial(d, &found, why), serial + 1);
}

static void death_in_the_first_save_leaves_none_or_the_new(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	int call, is;

	for (call = 1; !save_and_die_before(d, 1, call); call++) {
		is = load_serial(d, &found, why);
		assert_int_equal(is, found == REGISTRY_NONE ? 0 : 1);
		unlinkat(d->fd, REGISTRY_NAME, 0);
	}
	assert_int_equal(load_serial(d, &found, why), 1);
}

/* With the last one lost, the previous one is all there is: no step may take it away. */
static void death_without_a_last_one_keeps_the_previous(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	int call, is;

	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(save_sample(d, 2), 0);
	unlinkat(d->fd, REGISTRY_NAME, 0);
	for (call = 1; !save_and_die_before(d, 3, call); call++) {
		is = load_serial(d, &found, why);
		assert_true(is == 1 || is == 3);
		if (is == 3)
			break;
	}
	assert_true(call > 6);
}

static void is_unchanged_by_failure(const struct dir *d, int err)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	int call, ret;

	assert_int_equal(save_sample(d, 1), 0);
	for (call = 1; call < CALLS_MAX; call++) {
		memset(&fault, 0, sizeof(fault));
		fault.countdown = call;
		fault.err = err;
		ret = save_sample(d, 2);
		memset(&fault, 0, sizeof(fault));
		/* Some calls may fail: what they clear away is there only after a crash. */
		if (!ret)
			assert_int_equal(save_sample(d, 1), 0);
		else
			assert_int_equal(ret, -err);
		assert_int_equal(load_serial(d, &found, why), 1);
		assert_int_equal(found, REGISTRY_CURRENT);
		assert_false(dir_has(d, REGISTRY_NEW));
	}
}

static void full_disk_at_any_call_changes_nothing(void **state)
{
	is_unchanged_by_failure(*state, ENOSPC);
}

static void broken_disk_at_any_call_changes_nothing(void **state)
{
	is_unchanged_by_failure(*state, EIO);
}

static void text_of_the_most_is_taken_and_one_more_refused(void **state)
{
	char why[REGISTRY_WHY_LEN], *text = malloc(REGISTRY_TEXT_MAX + 1), *back;
	struct dir *d = *state;
	size_t len;

	assert_non_null(text);
	memset(text, 'x', REGISTRY_TEXT_MAX + 1);
	assert_int_equal(registry_file_replace(d->fd, text, REGISTRY_TEXT_MAX + 1, false), -EFBIG);
	assert_false(dir_has(d, REGISTRY_NAME));
	assert_int_equal(registry_file_replace(d->fd, text, REGISTRY_TEXT_MAX, false), 0);
	assert_int_equal(registry_file_read(d->fd, REGISTRY_NAME, &back, &len, why), 0);
	assert_int_equal(len, REGISTRY_TEXT_MAX);
	assert_memory_equal(back, text, len);
	free(back);
	free(text);
}

static void damaged_one_is_put_aside_and_not_in_place_of_the_previous(void **state)
{
	char why[REGISTRY_WHY_LEN];
	enum registry_found found;
	struct dir *d = *state;
	char buf[16];

	assert_int_equal(save_sample(d, 1), 0);
	assert_int_equal(save_sample(d, 2), 0);
	file_set(d, REGISTRY_NAME, "rubbish", 7);
	assert_int_equal(load_serial(d, &found, why), 1);
	assert_int_equal(found, REGISTRY_FALLBACK);
	assert_int_equal(registry_file_replace(d->fd, "text", 4, true), 0);
	assert_int_equal(file_get(d, REGISTRY_DAMAGED, buf, sizeof(buf)), 7);
	unlinkat(d->fd, REGISTRY_NAME, 0);
	assert_int_equal(load_serial(d, &found, why), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(order_is_write_sync_keep_rename_sync),
		CASE(file_is_its_owners_alone),
		CASE(death_before_any_call_leaves_the_old_or_the_new_whole),
		CASE(death_in_the_first_save_leaves_none_or_the_new),
		CASE(death_without_a_last_one_keeps_the_previous),
		CASE(full_disk_at_any_call_changes_nothing),
		CASE(broken_disk_at_any_call_changes_nothing),
		CASE(text_of_the_most_is_taken_and_one_more_refused),
		CASE(damaged_one_is_put_aside_and_not_in_place_of_the_previous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
