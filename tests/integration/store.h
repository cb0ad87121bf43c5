/* SPDX-License-Identifier: MIT */
/*
 * What outlives a daemon: a state directory and an arena's file of a test's own, and daemons that
 * are killed, or refuse to start. Included by tests/integration/ *.c only.
 */
#ifndef TEST_STORE_H
#define TEST_STORE_H

#include <sys/mount.h>

#include "tests/integration/link.h"

#define STORE_ARGS_MAX 16

struct store {
	char path[32];	/* of the test */
	char state[48]; /* not made */
	char arena[48]; /* not made */
	const char *args[STORE_ARGS_MAX];
	int nr_args;
};

static inline void store_arg(struct store *s, const char *name, const char *value)
{
	assert_true(s->nr_args + 2 < STORE_ARGS_MAX);
	s->args[s->nr_args++] = name;
	s->args[s->nr_args++] = value;
	s->args[s->nr_args] = NULL;
}

static inline void store_init(struct store *s)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->path, "/tmp/utmem-store-XXXXXX");
	assert_non_null(mkdtemp(s->path));
	snprintf(s->state, sizeof(s->state), "%s/state", s->path);
	snprintf(s->arena, sizeof(s->arena), "%s/arena", s->path);
}

/* A file of the state directory. */
static inline const char *store_file(const struct store *s, const char *name)
{
	static char path[80];

	snprintf(path, sizeof(path), "%s/%s", s->state, name);
	return path;
}

static inline void store_exit(struct store *s)
{
	static const char *const names[] = {"registry", "registry.previous", "registry.damaged",
					    "registry.lock"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(store_file(s, names[i]));
	rmdir(s->state);
	unlink(s->arena);
	/* Fails when there is a file of another name. */
	assert_int_equal(rmdir(s->path), 0);
}

/* ---- daemons on it ---- */

static inline void store_start(const struct store *s, struct daemon *d)
{
	daemon_start(d, s->args);
}

/* It does not start, with exit code 1, and its log has @want. */
static inline void assert_refused(const struct store *s, const char *want)
{
	struct daemon d;

	daemon_dirs(&d);
	assert_false(daemon_try_start(&d, s->args));
	assert_int_equal(WEXITSTATUS(daemon_wait(&d)), 1);
	assert_logged(&d, want);
	daemon_remove(&d);
}

#define CHILDREN_MAX 8

/* Its processes besides the first. */
static inline int daemon_children(const struct daemon *d, pid_t pids[CHILDREN_MAX])
{
	char path[64];
	FILE *f;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)d->pid, (int)d->pid);
	f = fopen(path, "r");
	while (f && n < CHILDREN_MAX && fscanf(f, "%d", &pids[n]) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

/* All of it at one moment, as when the host dies; sockets are left behind. */
static inline void daemon_kill(struct daemon *d)
{
	pid_t pids[CHILDREN_MAX];
	struct pollfd ended;
	int i, n;

	kill(d->pid, SIGSTOP);
	n = daemon_children(d, pids);
	for (i = 0; i < n; i++) {
		ended = (struct pollfd){(int)syscall(SYS_pidfd_open, pids[i], 0), POLLIN, 0};
		kill(pids[i], SIGKILL);
		assert_int_equal(poll(&ended, 1, DEADLINE_MS), 1);
		close(ended.fd);
	}
	kill(d->pid, SIGKILL);
	daemon_wait(d);
}

/* After a kill: again in the same run dir. */
static inline void store_restart(const struct store *s, struct daemon *d)
{
	if (!daemon_try_start(d, s->args)) {
		daemon_log_show(d);
		fail_msg("utmemd did not start again");
	}
}

static inline bool answers_ok(const struct daemon *d, const char *request)
{
	return strstr(daemon_ask(d, request), "\"ok\":true");
}

/* ---- values ---- */

/* Create or attach. */
static inline int open_pool(struct link *l, const char *name)
{
	int pool = utmem_pool_open(l->q, name, UTMEM_POOL_CREATE);

	assert_true(pool >= 0);
	return pool;
}

static inline void put_in(const struct daemon *d, const char *tenant, const char *pool,
			  const char *key, const char *value)
{
	struct link l;

	link_up(&l, d, tenant);
	assert_int_equal(put(&l, open_pool(&l, pool), key, value), 0);
	link_down(&l);
}

static inline void assert_in(const struct daemon *d, const char *tenant, const char *pool,
			     const char *key, const char *value)
{
	struct link l;
	int p;

	link_up(&l, d, tenant);
	p = utmem_pool_open(l.q, pool, 0);
	assert_true(p >= 0);
	assert_value(&l, p, key, value);
	link_down(&l);
}

#endif /* TEST_STORE_H */
