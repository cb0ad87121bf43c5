/* SPDX-License-Identifier: MIT */
/*
 * A state directory of the test's own, a registry with one of everything, and system calls that
 * fail, or end the process, at a chosen one. Included by tests/unit/registry_*.c only, which are
 * linked so that the registry's system calls come here first (tests/build.mk).
 */
#ifndef TEST_REGISTRY_FIXTURE_H
#define TEST_REGISTRY_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "host/utmemd/registry_json.h"
#include "host/utmemd/registry_load.h"

/* ---- system calls ---- */

static struct {
	int countdown; /* the call that is met; 0 = none */
	int err;       /* it fails with this; 0: the process ends before it */
	char trace[256];
} fault;

/* true: the call is to fail, errno is set. */
static inline bool fault_is_due(const char *call)
{
	size_t len = strlen(fault.trace);
	char step[64];
	int n = snprintf(step, sizeof(step), "%s ", call);

	/* A row of writes is one step */
	if (len < (size_t)n || strcmp(fault.trace + len - n, step) || strcmp(call, "write"))
		snprintf(fault.trace + len, sizeof(fault.trace) - len, "%s", step);
	if (!fault.countdown || --fault.countdown)
		return false;
	if (!fault.err)
		_exit(42);
	errno = fault.err;
	return true;
}

int __real_openat(int dir_fd, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir_fd, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return fault_is_due("openat") ? -1 : __real_openat(dir_fd, path, flags, mode);
}

/* A write that is short before it fails: what a full disk does. */
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fault_is_due("write"))
		return -1;
	return __real_write(fd, buf, len > 100 ? len / 2 : len);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return fault_is_due("fsync") ? -1 : __real_fsync(fd);
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	return fault_is_due("linkat") ? -1 : __real_linkat(from_fd, from, to_fd, to, flags);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	char call[64];

	snprintf(call, sizeof(call), "renameat(%s)", to);
	return fault_is_due(call) ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

int __real_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_unlinkat(int dir_fd, const char *path, int flags)
{
	return fault_is_due("unlinkat") ? -1 : __real_unlinkat(dir_fd, path, flags);
}

/* ---- a directory ---- */

struct dir {
	char path[40];
	int fd;
};

static inline int dir_setup(void **state)
{
	static struct dir d;

	memset(&fault, 0, sizeof(fault));
	strcpy(d.path, "/tmp/utmem-registry-XXXXXX");
	assert_non_null(mkdtemp(d.path));
	d.fd = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(d.fd >= 0);
	*state = &d;
	return 0;
}

/* Fails when there is a file of another name. */
static inline int dir_teardown(void **state)
{
	static const char *const names[] = {REGISTRY_NAME, REGISTRY_PREVIOUS, REGISTRY_NEW,
					    REGISTRY_KEPT, REGISTRY_DAMAGED};
	struct dir *d = *state;
	size_t i;

	memset(&fault, 0, sizeof(fault));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(d->fd, names[i], 0);
	close(d->fd);
	return rmdir(d->path);
}

static inline bool dir_has(const struct dir *d, const char *name)
{
	return !faccessat(d->fd, name, F_OK, 0);
}

/* The file as it is, without a look at what it says. */
static inline size_t file_get(const struct dir *d, const char *name, char *buf, size_t room)
{
	int fd = __real_openat(d->fd, name, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = read(fd, buf, room);

	assert_true(n >= 0 && (size_t)n < room);
	close(fd);
	return (size_t)n;
}

static inline void file_set(const struct dir *d, const char *name, const char *buf, size_t len)
{
	int fd = __real_openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(__real_write(fd, buf, len), len);
	close(fd);
}

/* ---- what is in it ---- */

/* Two tenants, a pool of each kind, a grant; @serial tells one from another. */
static inline void sample_list(struct registry_list *list, uint64_t serial)
{
	struct registry_tenant *t;
	struct registry_pool *p;

	memset(list, 0, sizeof(*list));
	list->serial = serial;
	list->saved = 1234567890;
	t = registry_add_tenant(list, "a");
	t->quota = 1 << 20;
	p = registry_add_pool(t, "plain");
	p->id = UINT64_MAX;
	p->kind.owner = 1000;
	p = registry_add_pool(t, "theirs");
	p->kind = (struct utmem_pool_kind){.ephemeral = true, .shared = true, .guest_shared = true};
	p->has_options = true;
	p->options = (struct utmem_pool_options){UTMEM_COMPRESS_ZSTD, 1000, true};
	registry_add_grant(p, "b")->readonly = true;
	t = registry_add_tenant(list, "b");
	t->quota = UINT64_MAX;
}

static inline int save_list(const struct dir *d, const struct registry_list *list)
{
	char *text = registry_encode(list);
	int err;

	assert_non_null(text);
	err = registry_file_replace(d->fd, text, strlen(text), false);
	free(text);
	return err;
}

static inline int save_sample(const struct dir *d, uint64_t serial)
{
	struct registry_list list;
	int err;

	sample_list(&list, serial);
	err = save_list(d, &list);
	registry_list_exit(&list);
	return err;
}

/* The serial of what is loaded, and it is whole; or -errno. */
static inline int load_serial(const struct dir *d, enum registry_found *found, char *why)
{
	struct registry_list list;
	int err = registry_load(d->fd, &list, found, why);

	if (err)
		return err;
	err = (int)list.serial;
	if (*found != REGISTRY_NONE) {
		assert_int_equal(list.nr_tenants, 2);
		assert_int_equal(list.tenants[1].quota, UINT64_MAX);
	}
	registry_list_exit(&list);
	return err;
}

#endif /* TEST_REGISTRY_FIXTURE_H */
