// SPDX-License-Identifier: MIT
/* An arena on a file: its values are there after an end and after a kill, and what is no arena of ours is refused untouched. */
#include <sys/mman.h>

#include "tests/integration/store.h"

#define LARGE_LEN (3u << 20) /* more than a segment */
#define NR_KEYS 500

static int setup(void **state)
{
	static struct store s;

	store_init(&s);
	store_arg(&s, "--state-dir", s.state);
	store_arg(&s, "--arena-file", s.arena);
	store_arg(&s, "--tenant", "a:32m");
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct store *s = *state;
	char mnt[64];

	/* Of a test that mounts something there, if it failed */
	snprintf(mnt, sizeof(mnt), "%s/mnt", s->path);
	umount2(mnt, MNT_DETACH);
	rmdir(mnt);
	store_exit(s);
	return 0;
}

/* ---- what was acknowledged ---- */

static void fill_value(char *buf, size_t len, unsigned int i)
{
	size_t at;

	for (at = 0; at < len; at++)
		buf[at] = (char)(i * 31 + at * 7);
}

static size_t length_of(unsigned int i)
{
	return i * 131 % 65536;
}

static void put_many(const struct daemon *d)
{
	char *buf = malloc(LARGE_LEN);
	struct link l;
	unsigned int i;
	int pool;

	link_up(&l, d, "a");
	pool = open_pool(&l, "many");
	for (i = 0; i < NR_KEYS; i++) {
		fill_value(buf, length_of(i), i);
		assert_int_equal(utmem_put(l.q, pool, &i, sizeof(i), buf, length_of(i), 0), 0);
	}
	/* Overwritten and deleted ones are not to come back. */
	for (i = 0; i < NR_KEYS; i += 5)
		assert_int_equal(utmem_put(l.q, pool, &i, sizeof(i), "new", 3, 0), 0);
	for (i = 1; i < NR_KEYS; i += 5)
		assert_int_equal(utmem_del(l.q, pool, &i, sizeof(i)), 0);
	fill_value(buf, LARGE_LEN, 77);
	assert_int_equal(utmem_put(l.q, pool, "large", 5, buf, LARGE_LEN, 0), 0);
	link_down(&l);
	free(buf);
}

static void assert_one(struct link *l, int pool, unsigned int i, char *buf, char *want)
{
	ssize_t n = utmem_get(l->q, pool, &i, sizeof(i), buf, LARGE_LEN);

	if (i % 5 == 1) {
		assert_int_equal(n, -ENOENT);
		return;
	}
	fill_value(want, length_of(i), i);
	assert_int_equal(n, i % 5 ? (ssize_t)length_of(i) : 3);
	assert_memory_equal(buf, i % 5 ? want : "new", (size_t)n);
}

static void assert_many(const struct daemon *d)
{
	char *buf = malloc(LARGE_LEN), *want = malloc(LARGE_LEN);
	struct link l;
	unsigned int i;
	int pool;

	link_up(&l, d, "a");
	pool = utmem_pool_open(l.q, "many", 0);
	assert_true(pool >= 0);
	for (i = 0; i < NR_KEYS; i++)
		assert_one(&l, pool, i, buf, want);
	fill_value(want, LARGE_LEN, 77);
	assert_int_equal(utmem_get(l.q, pool, "large", 5, buf, LARGE_LEN), LARGE_LEN);
	assert_memory_equal(buf, want, LARGE_LEN);
	link_down(&l);
	free(buf);
	free(want);
}

static void values_are_there_after_an_end(void **state)
{
	struct store *s = *state;
	struct daemon d;
	struct stat st;

	umask(0);
	store_start(s, &d);
	assert_int_equal(stat(s->arena, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	put_many(&d);
	daemon_stop(&d);
	store_start(s, &d);
	assert_logged(&d, "found again after a clean stop: 1 tenants, 1 pools, 401 values in ");
	assert_many(&d);
	daemon_stop(&d);
}

static void every_acknowledged_value_is_there_after_a_kill(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_start(s, &d);
	put_many(&d);
	daemon_kill(&d);
	store_restart(s, &d);
	assert_logged(&d, "found again after a crash: ");
	assert_logged(&d, " 0 torn, ");
	assert_many(&d);
	daemon_stop(&d);
}

/* Some pages of the arena never got to the disk. */
static void lose_pages(const struct store *s)
{
	static const char zeroes[4096];
	off_t off, meta_len;
	struct stat st;
	int fd = open(s->arena, O_WRONLY);

	assert_int_equal(fstat(fd, &st), 0);
	meta_len = st.st_size - (64 << 20);
	for (off = meta_len; off < st.st_size; off += 37 * 4096)
		assert_int_equal(pwrite(fd, zeroes, sizeof(zeroes), off), sizeof(zeroes));
	close(fd);
}

/* A value of that key, of any time; or none. */
static void assert_no_rubbish(struct link *l, int pool, unsigned int i, char *buf, char *want)
{
	ssize_t n = utmem_get(l->q, pool, &i, sizeof(i), buf, LARGE_LEN);

	if (n == -ENOENT || (n == 3 && !memcmp(buf, "new", 3)))
		return;
	fill_value(want, length_of(i), i);
	assert_int_equal(n, length_of(i));
	assert_memory_equal(buf, want, (size_t)n);
}

static void after_a_power_loss_no_torn_value_is_served(void **state)
{
	char *buf = malloc(LARGE_LEN), *want = malloc(LARGE_LEN);
	struct store *s = *state;
	struct daemon d;
	struct link l;
	unsigned int i;
	int pool;

	store_start(s, &d);
	put_many(&d);
	daemon_kill(&d);
	lose_pages(s);
	store_restart(s, &d);
	link_up(&l, &d, "a");
	pool = utmem_pool_open(l.q, "many", 0);
	assert_true(pool >= 0);
	for (i = 0; i < NR_KEYS; i++)
		assert_no_rubbish(&l, pool, i, buf, want);
	assert_int_equal(utmem_exists(l.q, pool, "large", 5), -ENOENT);
	link_down(&l);
	daemon_stop(&d);
	free(buf);
	free(want);
}

static void tenant_in_no_registry_is_kept_with_what_it_uses(void **state)
{
	struct store *s = *state;
	struct daemon d;
	uint64_t used;

	store_start(s, &d);
	put_many(&d);
	used = tenant_stat(&d, "a", "used_bytes");
	daemon_stop(&d);
	unlink(store_file(s, "registry"));
	unlink(store_file(s, "registry.previous"));
	s->args[s->nr_args - 2] = NULL;
	store_start(s, &d);
	assert_logged(&d, "tenant a: has pools in the arena and is in no registry: kept");
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), used);
	assert_many(&d);
	daemon_kill(&d);
	store_restart(s, &d);
	assert_int_equal(tenant_stat(&d, "a", "quota_bytes"), used);
	daemon_stop(&d);
}

/* And nobody's pool comes back when a tenant of the name does. */
static void removed_tenant_is_gone_for_good(void **state)
{
	struct store *s = *state;
	struct daemon d;

	store_start(s, &d);
	put_many(&d);
	assert_true(answers_ok(
		&d, "{\"cmd\":\"tenant remove\",\"args\":{\"name\":\"a\",\"force\":true}}"));
	daemon_kill(&d);
	store_restart(s, &d);
	assert_int_equal(tenant_stat(&d, "a", "pools"), 0);
	assert_int_equal(tenant_stat(&d, "a", "used_bytes"), 0);
	daemon_stop(&d);
}

/* ---- a registry that lags behind ---- */

#define POOLS_MOST 1024 /* of a tenant */
#define GRANT                                                                                \
	"{\"cmd\":\"pool grant\",\"args\":{\"tenant\":\"a\",\"pool\":\"ours\",\"to\":\"b\"," \
	"\"readonly\":false}}"

/* Nothing is registered in the background while a test lasts. */
static void never_beat(struct store *s)
{
	store_arg(s, "--heartbeat-ms", "60000");
}

static void make_pools(const struct daemon *d, int nr)
{
	char name[16];
	struct link l;
	int i;

	link_up(&l, d, "a");
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(utmem_pool_close(l.q, open_pool(&l, name)), 0);
	}
	link_down(&l);
}

/* Or the tenant would have one more than it may, and nobody could start this daemon again. */
static void pool_destroyed_before_a_kill_is_not_made_again(void **state)
{
	struct store *s = *state;
	struct daemon d;
	struct link l;

	never_beat(s);
	store_start(s, &d);
	make_pools(&d, POOLS_MOST);
	daemon_stop(&d);
	store_start(s, &d);
	link_up(&l, &d, "a");
	assert_int_equal(utmem_pool_destroy(l.q, utmem_pool_open(l.q, "p0", 0)), 0);
	assert_int_equal(put(&l, open_pool(&l, "new"), "key", "value"), 0);
	link_down(&l);
	daemon_kill(&d);
	store_restart(s, &d);
	assert_in(&d, "a", "new", "key", "value");
	link_up(&l, &d, "a");
	assert_int_equal(utmem_pool_open(l.q, "p0", 0), -ENOENT);
	link_down(&l);
	daemon_stop(&d);
}

static int open_shared(struct link *l, const char *name, uint32_t flags)
{
	return utmem_pool_open(l->q, name, UTMEM_POOL_SHARED | flags);
}

/* A grant is of a pool, not of a name. */
static void pool_made_anew_before_a_kill_is_granted_to_nobody(void **state)
{
	struct store *s = *state;
	struct daemon d;
	struct link l;

	never_beat(s);
	store_arg(s, "--tenant", "b:1m");
	store_start(s, &d);
	link_up(&l, &d, "a");
	assert_int_equal(open_shared(&l, "ours", UTMEM_POOL_CREATE), 0);
	assert_true(answers_ok(&d, GRANT));
	assert_int_equal(utmem_pool_destroy(l.q, 0), 0);
	assert_int_equal(open_shared(&l, "ours", UTMEM_POOL_CREATE), 0);
	link_down(&l);
	daemon_kill(&d);
	store_restart(s, &d);
	link_up(&l, &d, "b");
	assert_int_equal(open_shared(&l, "a:ours", 0), -EACCES);
	link_down(&l);
	assert_true(answers_ok(&d, GRANT));
	daemon_kill(&d);
	store_restart(s, &d);
	link_up(&l, &d, "b");
	assert_int_equal(open_shared(&l, "a:ours", 0), 0);
	link_down(&l);
	daemon_stop(&d);
}

/* ---- what is refused ---- */

static uint64_t sum_of(const char *path)
{
	uint64_t sum = 0, word;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (fread(&word, sizeof(word), 1, f) == 1)
		sum = sum * 31 + word;
	fclose(f);
	return sum;
}

/* And the file is what it was. */
static void assert_refused_untouched(const struct store *s, const char *want)
{
	uint64_t before = sum_of(s->arena);
	struct stat was, is;

	assert_int_equal(stat(s->arena, &was), 0);
	assert_refused(s, want);
	assert_int_equal(stat(s->arena, &is), 0);
	assert_int_equal(is.st_size, was.st_size);
	assert_int_equal(sum_of(s->arena), before);
}

static void make_arena(struct store *s)
{
	struct daemon d;

	store_start(s, &d);
	put_in(&d, "a", "p", "key", "value");
	daemon_stop(&d);
}

static void second_daemon_on_one_arena_is_refused(void **state)
{
	struct store *s = *state;
	struct daemon d;
	char other[64];

	store_start(s, &d);
	snprintf(other, sizeof(other), "%s/other", s->path);
	s->args[1] = other;
	assert_refused(s, "/arena: arena in use by another utmemd");
	unlink(strcat(strcpy(other, s->path), "/other/registry.lock"));
	other[strlen(other) - strlen("/registry.lock")] = 0;
	assert_int_equal(rmdir(other), 0);
	put_in(&d, "a", "p", "key", "value");
	daemon_stop(&d);
}

static void arena_of_another_size_is_refused_with_both(void **state)
{
	struct store *s = *state;

	make_arena(s);
	store_arg(s, "--arena", "32m");
	assert_refused_untouched(s, "/arena: an arena of 64m, and --arena says 32m");
}

static void truncated_arena_is_refused_with_its_length(void **state)
{
	struct store *s = *state;
	char want[96];
	struct stat st;

	make_arena(s);
	assert_int_equal(stat(s->arena, &st), 0);
	assert_int_equal(truncate(s->arena, st.st_size - 1), 0);
	snprintf(want, sizeof(want),
		 "/arena: %lld bytes are no arena of any size; one of 64m has %lld",
		 (long long)st.st_size - 1, (long long)st.st_size);
	assert_refused_untouched(s, want);
}

/* @len bytes at @off of the arena's file become @bytes. */
static void overwrite(const struct store *s, off_t off, const void *bytes, size_t len)
{
	int fd = open(s->arena, O_WRONLY);

	assert_int_equal(pwrite(fd, bytes, len, off), len);
	close(fd);
}

static void damaged_arena_is_refused(void **state)
{
	struct store *s = *state;

	make_arena(s);
	overwrite(s, 16, "?", 1);
	assert_refused_untouched(s, "/arena: damaged: ");
}

static void arena_that_lost_its_first_page_is_refused(void **state)
{
	static const char zeroes[4096];
	struct store *s = *state;

	make_arena(s);
	overwrite(s, 0, zeroes, sizeof(zeroes));
	assert_refused_untouched(s, "/arena: damaged: ");
}

static void arena_of_a_newer_version_is_refused(void **state)
{
	static const uint32_t version = 2;
	struct store *s = *state;

	make_arena(s);
	overwrite(s, 8, &version, sizeof(version));
	assert_refused_untouched(s, "/arena: made by a newer utmemd");
}

/* Who was killed before he used it left zeroes: that is no damage. */
static void arena_that_was_never_used_is_taken(void **state)
{
	struct store *s = *state;
	struct daemon d;
	struct stat st;

	make_arena(s);
	assert_int_equal(stat(s->arena, &st), 0);
	assert_int_equal(truncate(s->arena, 0), 0);
	assert_int_equal(truncate(s->arena, st.st_size), 0);
	store_start(s, &d);
	put_in(&d, "a", "p", "key", "value");
	daemon_stop(&d);
	assert_int_equal(truncate(s->arena, 0), 0);
	store_start(s, &d);
	daemon_stop(&d);
}

static void file_that_is_no_arena_is_refused(void **state)
{
	struct store *s = *state;
	struct stat st;
	char *rubbish;

	make_arena(s);
	assert_int_equal(stat(s->arena, &st), 0);
	rubbish = malloc((size_t)st.st_size);
	memset(rubbish, 'x', (size_t)st.st_size);
	overwrite(s, 0, rubbish, (size_t)st.st_size);
	free(rubbish);
	assert_refused_untouched(s, "/arena: ");
}

static void directory_or_fifo_is_refused(void **state)
{
	struct store *s = *state;

	assert_int_equal(mkdir(s->arena, 0700), 0);
	assert_refused(s, "/arena: Is a directory");
	assert_int_equal(rmdir(s->arena), 0);
	assert_int_equal(mkfifo(s->arena, 0600), 0);
	assert_refused(s, "/arena: is no regular file");
}

/* In a directory where everybody makes files, as /dev/shm, somebody may have been there first. */
static void file_that_others_may_open_is_refused(void **state)
{
	struct store *s = *state;

	make_arena(s);
	assert_int_equal(chmod(s->arena, 0640), 0);
	assert_refused_untouched(s, "/arena: may be opened by others");
	assert_int_equal(chmod(s->arena, 0600), 0);
	if (!geteuid()) {
		assert_int_equal(chown(s->arena, 1234, 0), 0);
		assert_refused_untouched(s, "/arena: is another user's");
	}
	assert_int_equal(chown(s->arena, geteuid(), getegid()), 0);
	assert_int_equal(truncate(s->arena, 0), 0);
	assert_int_equal(chmod(s->arena, 0666), 0);
	assert_refused_untouched(s, "/arena: may be opened by others");
}

/* A file system for the arena's file, made by @command; false: that cannot be done here. */
static bool mount_small(struct store *s, const char *command)
{
	char mnt[64];

	snprintf(mnt, sizeof(mnt), "%s/mnt", s->path);
	assert_int_equal(mkdir(mnt, 0700), 0);
	setenv("MNT", mnt, 1);
	if (system(command) != 0) {
		print_message("cannot mount a small file system\n");
		rmdir(mnt);
		return false;
	}
	snprintf(s->arena, sizeof(s->arena), "%s/mnt/arena", s->path);
	return true;
}

static void unmount_small(const struct store *s)
{
	char mnt[64];

	snprintf(mnt, sizeof(mnt), "%s/mnt", s->path);
	assert_int_equal(umount2(mnt, MNT_DETACH), 0);
	assert_int_equal(rmdir(mnt), 0);
}

/* Nothing is left of the file, and later nobody gets a SIGBUS. */
static void disk_without_room_is_refused_at_start(void **state)
{
	struct store *s = *state;

	if (!mount_small(s, "PATH=$PATH:/sbin:/usr/sbin; truncate -s 16m \"$MNT.img\" && "
			    "mke2fs -q -F \"$MNT.img\" && mount -o loop \"$MNT.img\" \"$MNT\" && "
			    "rm \"$MNT.img\""))
		skip();
	assert_refused(s, ": No space left on device");
	assert_int_equal(access(s->arena, F_OK), -1);
	unmount_small(s);
}

static void tmpfs_without_room_is_refused_unless_it_is_said(void **state)
{
	struct store *s = *state;
	struct daemon d;

	if (!mount_small(s, "mount -t tmpfs -o size=8m none \"$MNT\""))
		skip();
	assert_refused(s, "/arena: not enough memory: 64.0m wanted, 8.0m available (--overcommit");
	assert_int_equal(access(s->arena, F_OK), -1);
	s->args[s->nr_args++] = "--overcommit";
	s->args[s->nr_args] = NULL;
	store_start(s, &d);
	put_in(&d, "a", "p", "key", "value");
	daemon_kill(&d);
	store_restart(s, &d);
	assert_in(&d, "a", "p", "key", "value");
	daemon_stop(&d);
	unmount_small(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(values_are_there_after_an_end),
		CASE(every_acknowledged_value_is_there_after_a_kill),
		CASE(after_a_power_loss_no_torn_value_is_served),
		CASE(tenant_in_no_registry_is_kept_with_what_it_uses),
		CASE(removed_tenant_is_gone_for_good),
		CASE(pool_destroyed_before_a_kill_is_not_made_again),
		CASE(pool_made_anew_before_a_kill_is_granted_to_nobody),
		CASE(second_daemon_on_one_arena_is_refused),
		CASE(arena_of_another_size_is_refused_with_both),
		CASE(truncated_arena_is_refused_with_its_length),
		CASE(damaged_arena_is_refused),
		CASE(arena_that_lost_its_first_page_is_refused),
		CASE(arena_of_a_newer_version_is_refused),
		CASE(arena_that_was_never_used_is_taken),
		CASE(file_that_is_no_arena_is_refused),
		CASE(directory_or_fifo_is_refused),
		CASE(file_that_others_may_open_is_refused),
		CASE(disk_without_room_is_refused_at_start),
		CASE(tmpfs_without_room_is_refused_unless_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
