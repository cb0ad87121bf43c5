// SPDX-License-Identifier: MIT
/* What a state directory keeps: across ends and kills, on a full disk, and when its files are damaged. */
#include "tests/integration/store.h"

#define ADD_B "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"b\",\"quota\":2097152}}"
#define QUOTA_A "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"a\",\"quota\":3145728}}"
#define SET_P                                                                                   \
	"{\"cmd\":\"pool set\",\"args\":{\"tenant\":\"a\",\"pool\":\"p\",\"compress\":\"lz4\"," \
	"\"compress_least\":100,\"dedup\":\"tenant\"}}"
#define REMOVE_A "{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"a\"}}"

static int setup(void **state)
{
	static struct store s;

	store_init(&s);
	store_arg(&s, "--state-dir", s.state);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct store *s = *state;

	umount2(s->state, MNT_DETACH); /* of the test that mounts something there, if it failed */
	store_exit(s);
	return 0;
}

static bool tenant_is_there(const struct daemon *d, const char *name)
{
	char want[80];

	snprintf(want, sizeof(want), "\"name\":\"%s\"", name);
	return strstr(daemon_ask(d, "{\"cmd\":\"tenant list\"}"), want);
}

static void what_was_answered_is_there_after_a_kill(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	assert_true(answers_ok(&d, ADD_B));
	daemon_kill(&d);
	store_restart(s, &d);
	assert_int_equal(tenant_stat(&d, "b", "quota_bytes"), 2097152);
	assert_true(answers_ok(&d, REMOVE_A));
	daemon_kill(&d);
	s->args[s->nr_args - 2] = NULL;
	store_restart(s, &d);
	assert_false(tenant_is_there(&d, "a"));
	assert_true(tenant_is_there(&d, "b"));
	daemon_stop(&d);
}

/* So that what the configuration says is what holds after a start. */
static void quota_of_an_option_wins_over_the_registrys(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	assert_true(answers_ok(&d, QUOTA_A));
	assert_true(answers_ok(&d, ADD_B));
	daemon_kill(&d);
	store_restart(s, &d);
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), 1048576);
	assert_logged(&d, "tenant a: quota 3145728 of the registry gives way to the option's");
	assert_int_equal(tenant_stat(&d, "b", "quota_bytes"), 2097152);
	daemon_stop(&d);
}

static void pools_are_there_again_and_empty_without_an_arenas_file(void **state)
{
	struct store *s = *state;
	struct daemon d;
	struct link l;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	put_in(&d, "a", "kept", "key", "value");
	daemon_stop(&d);
	store_start(s, &d);
	assert_int_equal(tenant_stat(&d, "a", "pools"), 1);
	link_up(&l, &d, "a");
	assert_int_equal(utmem_exists(l.q, utmem_pool_open(l.q, "kept", 0), "key", 3), -ENOENT);
	link_down(&l);
	daemon_stop(&d);
}

static bool pools_have(const struct daemon *d, const char *options)
{
	return strstr(daemon_ask(d, "{\"cmd\":\"pool list\"}"), options);
}

#define LZ4_100 "\"compress\":\"lz4\",\"compress_least_bytes\":100,\"dedup\":\"tenant\""
#define ZSTD "\"compress\":\"zstd\",\"compress_least_bytes\":256,\"dedup\":\"off\""

/* The arena is gone with the daemon: the registry alone has them; and what is new has the option's. */
static void options_of_pools_are_there_again_after_a_kill(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	put_in(&d, "a", "p", "key", "value");
	assert_true(answers_ok(&d, SET_P));
	assert_true(pools_have(&d, LZ4_100));
	daemon_kill(&d);
	store_arg(s, "--compress", "zstd");
	store_restart(s, &d);
	assert_true(pools_have(&d, LZ4_100));
	put_in(&d, "a", "new", "key", "value");
	assert_true(pools_have(&d, LZ4_100));
	assert_true(pools_have(&d, ZSTD));
	daemon_stop(&d);
}

/* The null engine has no options: it starts and says so. */
static void engine_without_options_starts_and_says_so(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	put_in(&d, "a", "p", "key", "value");
	assert_true(answers_ok(&d, SET_P));
	daemon_stop(&d);
	store_arg(s, "--engine", "null");
	store_start(s, &d);
	assert_logged(&d, "pool a/p: its options: Operation not supported");
	assert_int_equal(tenant_stat(&d, "a", "pools"), 1);
	daemon_stop(&d);
}

#define GRANT                                                                                \
	"{\"cmd\":\"pool grant\",\"args\":{\"tenant\":\"a\",\"pool\":\"ours\",\"to\":\"b\"," \
	"\"readonly\":true}}"

static void make_shared_pool(const struct daemon *d)
{
	struct link l;
	int pool;

	link_up(&l, d, "a");
	pool = utmem_pool_open(l.q, "ours", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED);
	assert_int_equal(put(&l, pool, "key", "value"), 0);
	link_down(&l);
}

static void grants_are_there_again(void **state)
{
	struct store *s = *state;
	struct daemon d;
	struct link l;

	store_arg(s, "--tenant", "a:1m");
	store_arg(s, "--tenant", "b:1m");
	store_start(s, &d);
	make_shared_pool(&d);
	assert_true(answers_ok(&d, GRANT));
	daemon_kill(&d);
	store_restart(s, &d);
	link_up(&l, &d, "b");
	assert_int_equal(put(&l, utmem_pool_open(l.q, "a:ours", UTMEM_POOL_SHARED), "k", "v"),
			 -EACCES);
	assert_int_equal(
		utmem_exists(l.q, utmem_pool_open(l.q, "a:ours", UTMEM_POOL_SHARED), "k", 1),
		-ENOENT);
	link_down(&l);
	daemon_stop(&d);
}

static bool file_has(const char *path, const char *want)
{
	char text[4096] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && strstr(text, want);
}

/* Nobody is told when it is written, and nothing else comes: the next kill would lose it. */
static void guests_pools_are_registered_while_it_runs(void **state)
{
	uint64_t until = now_ms() + DEADLINE_MS;
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_arg(s, "--heartbeat-ms", "10");
	store_start(s, &d);
	put_in(&d, "a", "seen", "key", "value");
	while (!file_has(store_file(s, "registry"), "\"seen\""))
		assert_true(now_ms() < until);
	daemon_kill(&d);
	store_restart(s, &d);
	assert_int_equal(tenant_stat(&d, "a", "pools"), 1);
	daemon_stop(&d);
}

static void two_daemons_on_one_state_dir_are_refused(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	assert_refused(s, "/state: state in use by another utmemd");
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), 1048576);
	daemon_stop(&d);
}

static void without_a_state_dir_nothing_is_left(void **state)
{
	struct store *s = *state;
	struct daemon d;

	s->args[0] = NULL;
	s->nr_args = 0;
	store_start(s, &d);
	assert_true(answers_ok(&d, ADD_B));
	daemon_kill(&d);
	store_restart(s, &d);
	assert_false(tenant_is_there(&d, "b"));
	assert_true(answers_ok(&d, ADD_B)); /* its sockets were left by the kill */
	daemon_stop(&d);		    /* asserts that the run dir is empty */
}

/* No state directory, no arena's file: what one worker had is the next one's all the same. */
static void next_worker_finds_tenants_quotas_grants_and_values(void **state)
{
	pid_t pids[CHILDREN_MAX];
	struct store *s = *state;
	struct daemon d;
	struct link l;

	s->nr_args = 0;
	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	assert_true(answers_ok(&d, ADD_B));
	assert_true(answers_ok(&d, QUOTA_A));
	make_shared_pool(&d);
	assert_true(answers_ok(&d, GRANT));
	assert_int_equal(daemon_children(&d, pids), 1);
	kill(pids[0], SIGKILL);
	asker_drop();
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), 3145728);
	assert_int_equal(tenant_stat(&d, "b", "quota_bytes"), 2097152);
	link_up(&l, &d, "b");
	assert_value(&l, utmem_pool_open(l.q, "a:ours", UTMEM_POOL_SHARED), "key", "value");
	link_down(&l);
	daemon_stop(&d);
}

/* ---- damage ---- */

static void damage(const char *path)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, "?", 1, 60), 1);
	close(fd);
}

static void damaged_registry_gives_way_to_the_previous_one_and_is_kept(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	assert_true(answers_ok(&d, QUOTA_A));
	assert_true(answers_ok(&d, ADD_B));
	daemon_stop(&d);
	damage(store_file(s, "registry"));
	s->args[s->nr_args - 2] = NULL;
	store_start(s, &d);
	assert_logged(&d, "/registry: is damaged: ");
	assert_logged(&d, ": what was changed later is lost; the damaged file is kept as "
			  "registry.damaged");
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), 3145728);
	assert_false(tenant_is_there(&d, "b"));
	assert_true(file_has(store_file(s, "registry.damaged"), "\"b\""));
	daemon_stop(&d);
}

static void two_damaged_registries_are_refused_and_left_as_they_are(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	assert_true(answers_ok(&d, ADD_B));
	daemon_stop(&d);
	damage(store_file(s, "registry"));
	damage(store_file(s, "registry.previous"));
	assert_refused(s, "nothing was changed there; see REGISTRY in utmemd(8)");
	assert_refused(s, "registry.previous: is damaged");
	assert_true(file_has(store_file(s, "registry"), "\"b\""));
	assert_int_equal(access(store_file(s, "registry.damaged"), F_OK), -1);
}

/* And what the daemon keeps in memory waits for the operator, too. */
static void worker_that_cannot_read_it_leaves_everything_to_the_next(void **state)
{
	pid_t pids[CHILDREN_MAX];
	struct store *s = *state;
	struct daemon d;
	char aside[64];

	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	put_in(&d, "a", "p", "key", "value");
	assert_true(answers_ok(&d, ADD_B));
	snprintf(aside, sizeof(aside), "%s/aside", s->path);
	assert_int_equal(rename(store_file(s, "registry"), aside), 0);
	assert_int_equal(mkdir(store_file(s, "registry"), 0700), 0);
	assert_int_equal(unlink(store_file(s, "registry.previous")), 0);
	assert_int_equal(daemon_children(&d, pids), 1);
	kill(pids[0], SIGKILL);
	await_logged(&d, "nothing was changed there; see REGISTRY in utmemd(8)");
	assert_int_equal(rmdir(store_file(s, "registry")), 0);
	assert_int_equal(rename(aside, store_file(s, "registry")), 0);
	asker_drop();
	assert_true(tenant_is_there(&d, "b"));
	assert_in(&d, "a", "p", "key", "value");
	daemon_stop(&d);
}

/* ---- a full disk ---- */

/* Every page of the small file system is taken, but those that are in use. */
static void fill(const struct store *s)
{
	static const char page[4096];
	int fd = open(store_file(s, "fill"), O_WRONLY | O_CREAT, 0600);

	while (write(fd, page, sizeof(page)) > 0)
		;
	close(fd);
}

static void on_a_full_disk_a_command_fails_and_has_changed_nothing(void **state)
{
	struct store *s = *state;
	struct daemon d;

	assert_int_equal(mkdir(s->state, 0700), 0);
	if (mount("none", s->state, "tmpfs", 0, "size=32k")) {
		print_message("cannot mount a small file system: %s\n", strerror(errno));
		skip();
	}
	store_arg(s, "--tenant", "a:1m");
	store_start(s, &d);
	fill(s);
	assert_non_null(strstr(daemon_ask(&d, ADD_B),
			       "\"errno\":-28,\"error\":\"not done, for the registry cannot be "
			       "written: No space left on device\""));
	assert_false(tenant_is_there(&d, "b"));
	assert_non_null(strstr(daemon_ask(&d, QUOTA_A), "\"errno\":-28"));
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), 1048576);
	assert_non_null(strstr(daemon_ask(&d, REMOVE_A), "\"errno\":-28"));
	put_in(&d, "a", "p", "key", "value");
	assert_non_null(strstr(daemon_ask(&d, SET_P), "\"errno\":-28"));
	assert_true(pools_have(&d, "\"compress\":\"none\",\"compress_least_bytes\":256,"
				   "\"dedup\":\"off\""));
	daemon_kill(&d);
	/* A start that has nothing to write needs no room. */
	store_restart(s, &d);
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), 1048576);
	unlink(store_file(s, "fill"));
	assert_true(answers_ok(&d, ADD_B));
	daemon_stop(&d);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_was_answered_is_there_after_a_kill),
		CASE(quota_of_an_option_wins_over_the_registrys),
		CASE(pools_are_there_again_and_empty_without_an_arenas_file),
		CASE(options_of_pools_are_there_again_after_a_kill),
		CASE(engine_without_options_starts_and_says_so),
		CASE(grants_are_there_again),
		CASE(guests_pools_are_registered_while_it_runs),
		CASE(two_daemons_on_one_state_dir_are_refused),
		CASE(without_a_state_dir_nothing_is_left),
		CASE(next_worker_finds_tenants_quotas_grants_and_values),
		CASE(damaged_registry_gives_way_to_the_previous_one_and_is_kept),
		CASE(two_damaged_registries_are_refused_and_left_as_they_are),
		CASE(worker_that_cannot_read_it_leaves_everything_to_the_next),
		CASE(on_a_full_disk_a_command_fails_and_has_changed_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
