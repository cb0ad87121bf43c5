/* SPDX-License-Identifier: MIT */
/*
 * A service manager, as far as the daemon talks with one: it takes FDSTORE messages, and starts the
 * daemon with LISTEN_FDS. Included by tests/integration/ *.c only.
 */
#ifndef TEST_MANAGER_H
#define TEST_MANAGER_H

#include "tests/integration/peer.h"

#define STORE_MAX 256
#define FAR_FD 600 /* descriptors are moved there while 3 and so on are filled */

struct entry {
	char name[256];
	int fd;
};

struct manager {
	int notify;
	bool ready;
	uint32_t nr;
	struct entry store[STORE_MAX];
};

static inline void manager_listen(struct manager *m, const struct daemon *d)
{
	struct sockaddr_un addr;

	m->notify = unix_socket(d->base, "notify", SOCK_DGRAM, &addr);
	unlink(addr.sun_path);
	assert_int_equal(bind(m->notify, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static inline void store_add(struct manager *m, const char *name, int fd)
{
	assert_true(m->nr < STORE_MAX);
	assert_true(strlen(name) < 256 && !strchr(name, ':'));
	snprintf(m->store[m->nr].name, sizeof(m->store[0].name), "%s", name);
	m->store[m->nr++].fd = fd;
}

static inline void store_remove(struct manager *m, const char *name)
{
	uint32_t i = 0;

	while (i < m->nr) {
		if (strcmp(m->store[i].name, name)) {
			i++;
			continue;
		}
		close(m->store[i].fd);
		m->store[i] = m->store[--m->nr];
	}
}

/* One message, which is there or comes. */
static inline void manager_hear(struct manager *m)
{
	struct pollfd there = {m->notify, POLLIN, 0};
	int fds[PEER_FDS_MAX];
	char text[1024], *name;
	uint32_t nr_fds;
	ssize_t n;

	assert_int_equal(poll(&there, 1, DEADLINE_MS), 1);
	n = receive_fds(m->notify, text, sizeof(text) - 1, fds, &nr_fds);
	assert_true(n > 0);
	text[n] = '\0';
	name = strstr(text, "FDNAME=");
	if (strstr(text, "READY=1"))
		m->ready = true;
	if (!name)
		return;
	name += strlen("FDNAME=");
	name[strcspn(name, "\n")] = '\0';
	if (strstr(text, "FDSTOREREMOVE=1")) {
		store_remove(m, name);
		return;
	}
	assert_non_null(strstr(text, "FDSTORE=1"));
	assert_int_equal(nr_fds, 1);
	store_add(m, name, fds[0]);
}

/* Bytes beside a key have a name of their own. */
static inline uint32_t store_nr_kept(const struct manager *m)
{
	uint32_t i, nr = 0;

	for (i = 0; i < m->nr; i++)
		nr += !strstr(m->store[i].name, "#meta");
	return nr;
}

static inline void manager_await(struct manager *m, uint32_t nr_kept)
{
	while (store_nr_kept(m) != nr_kept)
		manager_hear(m);
}

/* In the child: as a service manager does it. */
static inline void give(const struct manager *m)
{
	char names[STORE_MAX * 64] = "", number[16];
	uint32_t i;

	for (i = 0; i < m->nr; i++)
		assert_int_equal(dup2(m->store[i].fd, FAR_FD + (int)i), FAR_FD + (int)i);
	for (i = 0; i < m->nr; i++) {
		dup2(FAR_FD + (int)i, 3 + (int)i);
		close(FAR_FD + (int)i);
		strcat(names, i ? ":" : "");
		strcat(names, m->store[i].name);
	}
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%u", m->nr);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* @less: what the daemon is not permitted, or NULL. */
static inline void manager_start(struct manager *m, struct daemon *d, const char *const *args,
				 void (*less)(void))
{
	m->ready = false;
	d->pid = fork();
	assert_true(d->pid >= 0);
	if (!d->pid) {
		if (m->nr)
			give(m);
		if (less)
			less();
		daemon_exec(d, args);
	}
	d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	while (!m->ready)
		manager_hear(m);
}

/* What it has stays with the manager, and is not stored a second time. */
static inline void manager_restart(struct manager *m, struct daemon *d, const char *const *args,
				   void (*less)(void))
{
	uint32_t nr = m->nr;

	kill(d->pid, SIGKILL);
	daemon_wait(d);
	manager_start(m, d, args, less);
	assert_int_equal(m->nr, nr);
}

/* SIGTERM; the daemon ends in good order, and the manager has nothing of it any more. */
static inline void manager_stop(struct manager *m, struct daemon *d)
{
	char name[80];

	kill(d->pid, SIGTERM);
	while (m->nr)
		manager_hear(m);
	assert_int_equal(daemon_wait(d), 0);
	close(m->notify);
	snprintf(name, sizeof(name), "%s/notify", d->base);
	unlink(name);
	daemon_remove(d);
}

#endif /* TEST_MANAGER_H */
