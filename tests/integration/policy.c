// SPDX-License-Identifier: MIT
/* What the operator says holds with the next request: quotas, rights, memory that is to go back. */
#include <utmem.h>

#include "tests/integration/daemon.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static const char *const args[] = {"--tenant", "a:48m", "--tenant", "b:48m:300", NULL};

static int start(void **state)
{
	static struct daemon d;

	daemon_start(&d, args);
	*state = &d;
	return 0;
}

static int stop(void **state)
{
	daemon_stop(*state);
	return 0;
}

struct link {
	struct utmem *u;
	struct utmem_queue *q;
};

static void link_up(struct link *l, const struct daemon *d, const char *tenant)
{
	char name[80];

	snprintf(name, sizeof(name), "unix:%s/%s.sock", d->dir, tenant);
	assert_int_equal(utmem_connect(&l->u, name), 0);
	assert_int_equal(utmem_queue_init(l->u, &l->q, NULL), 0);
}

static void link_down(struct link *l)
{
	utmem_queue_exit(l->q);
	utmem_disconnect(l->u);
}

static int put(struct link *l, int pool, uint32_t no, uint32_t len)
{
	static char value[64 * KIB];

	return utmem_put(l->q, pool, &no, sizeof(no), value, len, 0);
}

static void put_n(struct link *l, int pool, uint32_t n, uint32_t len)
{
	while (n--)
		assert_int_equal(put(l, pool, n, len), 0);
}

static int64_t get(struct link *l, int pool, uint32_t no)
{
	char value[8];

	return utmem_get(l->q, pool, &no, sizeof(no), value, sizeof(value));
}

/* The answer to a command that must be done. */
static const char *must(const struct daemon *d, const char *cmd, const char *arguments)
{
	char line[256];
	const char *reply;

	snprintf(line, sizeof(line), "{\"cmd\":\"%s\",\"args\":{%s}}", cmd, arguments);
	reply = daemon_ask(d, line);
	if (!strstr(reply, "\"ok\":true"))
		fail_msg("%s: %s", line, reply);
	return reply;
}

static void lowered_quota_is_fitted_and_refuses_what_is_persistent(void **state)
{
	struct daemon *d = *state;
	struct link l;
	int kept, cache;

	link_up(&l, d, "a");
	kept = utmem_pool_open(l.q, "kept", UTMEM_POOL_CREATE);
	cache = utmem_pool_open(l.q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	put_n(&l, kept, 64, 64 * KIB);
	put_n(&l, cache, 256, 64 * KIB);
	must(d, "tenant quota", "\"name\":\"a\",\"quota\":8388608");
	while (number_after(must(d, "tenant fit", "\"name\":\"a\""), "left_bytes"))
		;
	assert_true(tenant_stat(d, "a", "used_bytes") <= 8 * MIB);
	assert_true(tenant_stat(d, "a", "ephemeral_bytes") > 2 * MIB);
	/* below what is persistent: that stays, and nothing comes */
	must(d, "tenant quota", "\"name\":\"a\",\"quota\":1048576");
	assert_int_equal(tenant_stat(d, "a", "ephemeral_bytes"), 0);
	assert_int_equal(put(&l, kept, 1000, 1), -ENOSPC);
	assert_int_equal(put(&l, kept, 7, 64 * KIB), -ENOSPC);
	assert_int_equal(get(&l, kept, 7), -ENOENT); /* put-put-get */
	assert_int_equal(get(&l, kept, 8), 64 * KIB);
	must(d, "tenant quota", "\"name\":\"a\",\"quota\":50331648");
	assert_int_equal(put(&l, kept, 1000, 1), 0);
	assert_int_equal(utmem_pool_destroy(l.q, kept), 0);
	assert_int_equal(utmem_pool_destroy(l.q, cache), 0);
	link_down(&l);
}

static void reclaimed_memory_is_given_back_slice_by_slice(void **state)
{
	struct daemon *d = *state;
	uint64_t released = 0, dropped = 0, before = host_stat(d, "released_bytes");
	struct link l;
	const char *reply;
	char line[160];
	int cache;

	link_up(&l, d, "a");
	cache = utmem_pool_open(l.q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	put_n(&l, cache, 512, 64 * KIB);
	do {
		snprintf(line, sizeof(line),
			 "\"bytes\":16777216,\"released_bytes\":%llu,\"dropped_bytes\":%llu,"
			 "\"tenant\":\"a\"",
			 (unsigned long long)released, (unsigned long long)dropped);
		reply = must(d, "reclaim", line);
		released = number_after(reply, "released_bytes");
		dropped = number_after(reply, "dropped_bytes");
		/* others are served meanwhile */
		assert_true(get(&l, cache, 1000) == -ENOENT);
	} while (!strstr(reply, "\"done\":true"));
	assert_true(released >= 16 * MIB);
	assert_true(host_stat(d, "released_bytes") - before >= 16 * MIB);
	assert_true(host_stat(d, "reclaimed_bytes") >= 16 * MIB);
	assert_true(tenant_stat(d, "a", "ephemeral_bytes") > 0);
	assert_int_equal(utmem_pool_destroy(l.q, cache), 0);
	link_down(&l);
}

static void rights_change_with_the_next_request_of_who_is_attached(void **state)
{
	struct daemon *d = *state;
	struct link a, b;
	int pa, pb;

	link_up(&a, d, "a");
	link_up(&b, d, "b");
	pa = utmem_pool_open(a.q, "lent", UTMEM_POOL_CREATE | UTMEM_POOL_SHARED);
	put_n(&a, pa, 2, 8);
	assert_non_null(strstr(must(d, "pool grants", "\"tenant\":\"a\",\"pool\":\"lent\""),
			       "\"result\":[]"));
	must(d, "pool grant", "\"tenant\":\"a\",\"pool\":\"lent\",\"to\":\"b\"");
	pb = utmem_pool_open(b.q, "a:lent", UTMEM_POOL_SHARED);
	assert_int_equal(put(&b, pb, 1, 4), 0);
	assert_non_null(strstr(must(d, "pool grants", "\"tenant\":\"a\",\"pool\":\"lent\""),
			       "\"result\":[{\"tenant\":\"b\",\"right\":\"rw\"}]"));
	must(d, "pool grant", "\"tenant\":\"a\",\"pool\":\"lent\",\"to\":\"b\",\"readonly\":true");
	assert_int_equal(put(&b, pb, 1, 8), -EACCES);
	assert_int_equal(get(&b, pb, 1), 4);
	must(d, "pool revoke", "\"tenant\":\"a\",\"pool\":\"lent\",\"from\":\"b\"");
	assert_int_equal(get(&b, pb, 1), -EACCES);
	assert_int_equal(get(&a, pa, 1), 4);
	assert_non_null(strstr(daemon_ask(d, "{\"cmd\":\"pool revoke\",\"args\":{\"tenant\":\"a\","
					     "\"pool\":\"lent\",\"from\":\"b\"}}"),
			       "pool a/lent is not granted to b"));
	assert_int_equal(utmem_pool_close(b.q, pb), 0);
	assert_int_equal(utmem_pool_destroy(a.q, pa), 0);
	link_down(&a);
	link_down(&b);
}

static void weights_are_what_was_said(void **state)
{
	struct daemon *d = *state;

	assert_int_equal(tenant_stat(d, "a", "weight"), 100);
	assert_int_equal(tenant_stat(d, "b", "weight"), 300);
	must(d, "tenant weight", "\"name\":\"a\",\"weight\":7");
	assert_int_equal(tenant_stat(d, "a", "weight"), 7);
	must(d, "tenant weight", "\"name\":\"a\",\"weight\":100");
}

/*
 * Both fill the arena of 64m in turn. How much each holds goes up and down by whole segments, with
 * the daemon's turns, so it is looked at several times once the arena is full.
 */
static void who_has_the_larger_weight_keeps_more_of_a_full_arena(void **state)
{
	struct daemon *d = *state;
	struct link a, b;
	uint64_t of_a = 0, of_b = 0;
	uint32_t i, nr = 0;
	int pa, pb;

	link_up(&a, d, "a");
	link_up(&b, d, "b");
	pa = utmem_pool_open(a.q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	pb = utmem_pool_open(b.q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	for (i = 0; i < 8000; i++) {
		assert_int_equal(put(&a, pa, i, 16 * KIB), 0);
		assert_int_equal(put(&b, pb, i, 16 * KIB), 0);
		if (i < 4000 || i % 200)
			continue;
		of_a += tenant_stat(d, "a", "ephemeral_bytes");
		of_b += tenant_stat(d, "b", "ephemeral_bytes");
		nr++;
	}
	assert_true((of_a + of_b) / nr > 40 * MIB);
	assert_true(of_b > 2 * of_a && of_b < 4 * of_a);
	assert_int_equal(utmem_pool_destroy(a.q, pa), 0);
	assert_int_equal(utmem_pool_destroy(b.q, pb), 0);
	link_down(&a);
	link_down(&b);
}

/* ---- the host is short of memory ---- */

static void log_text(const struct daemon *d, char *text, size_t len)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", d->base);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, len - 1, f)] = '\0';
	fclose(f);
}

static uint32_t count_lines(const struct daemon *d, const char *what)
{
	char text[8192], *at = text;
	uint32_t nr = 0;

	log_text(d, text, sizeof(text));
	while ((at = strstr(at, what))) {
		at++;
		nr++;
	}
	return nr;
}

static void await_host_stat(const struct daemon *d, const char *key, uint64_t least)
{
	uint64_t until = now_ms() + DEADLINE_MS;

	while (host_stat(d, key) < least)
		assert_true(now_ms() < until);
}

static void pressure_shrinks_ephemeral_pools_by_a_step_each_time(void **state)
{
	char fifo[64];
	const char *const more[] = {
		"--tenant", "a:48m",	      "--pressure", "some:500/500",    "--pressure-step",
		"4m",	    "--heartbeat-ms", "100",	    "--pressure-file", fifo,
		NULL};
	struct daemon d;
	struct link l;
	uint64_t used, until;
	int fd, cache;

	(void)state;
	daemon_dirs(&d);
	snprintf(fifo, sizeof(fifo), "%s/fifo", d.base);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(daemon_try_start(&d, more));
	fd = open(fifo, O_WRONLY);
	assert_true(fd >= 0);
	link_up(&l, &d, "a");
	cache = utmem_pool_open(l.q, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	put_n(&l, cache, 512, 64 * KIB);
	used = tenant_stat(&d, "a", "used_bytes");
	assert_int_equal(host_stat(&d, "pressure_events"), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	await_host_stat(&d, "reclaimed_bytes", 4 * MIB);
	assert_int_equal(host_stat(&d, "pressure_events"), 1);
	assert_true(tenant_stat(&d, "a", "used_bytes") > used - 8 * MIB);
	assert_int_equal(write(fd, "x", 1), 1);
	await_host_stat(&d, "reclaimed_bytes", 8 * MIB);
	assert_int_equal(host_stat(&d, "pressure_events"), 2);
	assert_true(tenant_stat(&d, "a", "used_bytes") < used);

	/* said at the beginning and when it is over, whatever the number of events */
	until = now_ms() + DEADLINE_MS;
	while (!count_lines(&d, "pressure: over after")) {
		daemon_ask(&d, "{}");
		assert_true(now_ms() < until);
	}
	assert_true(count_lines(&d, "pressure: the host is short of memory") <=
		    count_lines(&d, "pressure: over after"));
	link_down(&l);
	close(fd);
	unlink(fifo);
	daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowered_quota_is_fitted_and_refuses_what_is_persistent),
		cmocka_unit_test(reclaimed_memory_is_given_back_slice_by_slice),
		cmocka_unit_test(rights_change_with_the_next_request_of_who_is_attached),
		cmocka_unit_test(weights_are_what_was_said),
		cmocka_unit_test(who_has_the_larger_weight_keeps_more_of_a_full_arena),
		cmocka_unit_test(pressure_shrinks_ephemeral_pools_by_a_step_each_time),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
