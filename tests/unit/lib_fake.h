/* SPDX-License-Identifier: MIT */
/*
 * A host for tests: one thread behind a listening socket that answers as utmemd
 * would, but for what a test's hook changes in the reply. It serves no ring: tests
 * do that by hand, on the host's views, where and when they want.
 */
#ifndef TESTS_UNIT_LIB_FAKE_H
#define TESTS_UNIT_LIB_FAKE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "guest/ring/utmem_ring.h"
#include "guest/ring/utmem_sock.h"
#include "libutmem/include/utmem.h"

#define FAKE_WINDOW_LEN (4u << 20)
#define FAKE_QUEUE_OFF (2u * UTMEM_PAGE)
#define FAKE_FDS_MAX 64

struct fake;

/* The reply as it goes out; fds are closed after it was sent. Return: bytes to send, 0 = close instead. */
typedef size_t fake_hook(struct fake *f, struct utmem_sock_msg *reply, int *fds, unsigned int *nr);

struct fake {
	fake_hook *hook; /* may be NULL */
	int seals;
	int listener, peer, memfd, doorbell, wake;
	char dir[32], path[64], transport[80];
	pthread_t thread;
	char *base;
	struct utmem_window_hdr *hdr;
	struct utmem_control *control;
	struct utmem_geometry geo; /* of the latest queue */
	struct utmem_sq_reader sq;
	struct utmem_cq_writer cq;
	uint32_t nr_accepted, nr_destroyed;
};

static void *fake_page(struct fake *f)
{
	return f->base + f->geo.off;
}

static void fake_window_init(struct fake *f)
{
	f->memfd = memfd_create("fake", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_true(f->memfd >= 0);
	assert_int_equal(ftruncate(f->memfd, FAKE_WINDOW_LEN), 0);
	if (f->seals)
		assert_int_equal(fcntl(f->memfd, F_ADD_SEALS, f->seals), 0);
	f->base = mmap(NULL, FAKE_WINDOW_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	assert_true(f->base != MAP_FAILED);
	f->hdr = (struct utmem_window_hdr *)f->base;
	f->control = (struct utmem_control *)(f->base + UTMEM_PAGE);
	*f->hdr = (struct utmem_window_hdr){
		.magic = UTMEM_MAGIC,
		.abi_major = UTMEM_ABI_MAJOR,
		.hdr_len = sizeof(*f->hdr),
		.features = UTMEM_FEAT_DOORBELL_EVENTFD,
		.window_len = FAKE_WINDOW_LEN,
		.epoch = 7,
		.control_off = UTMEM_PAGE,
		.nr_svc = 1,
		.max_queues = 4,
		.max_sq_entries = 1024,
		.max_data_len = 1 << 20,
		.max_key_len = UTMEM_KEY_MAX,
		.max_pools = UTMEM_POOLS_PER_QUEUE,
		.max_value_len = UTMEM_VALUE_MAX,
	};
	f->control->host.state = UTMEM_HOST_RUNNING;
	f->control->svc[0].flags = UTMEM_SVC_NEED_KICK;
}

static void fake_queue_create(struct fake *f, struct utmem_admin_queue *q)
{
	utmem_geometry_init(&f->geo, FAKE_QUEUE_OFF, q->sq_entries, q->cq_entries, q->data_len);
	memset(fake_page(f), 0, UTMEM_PAGE);
	utmem_sq_reader_init(&f->sq, fake_page(f), &f->geo, 0);
	utmem_cq_writer_init(&f->cq, fake_page(f), &f->geo, 0);
	utmem_state_store(fake_page(f), UTMEM_QUEUE_LIVE, 0);
	q->queue_id = 1;
	q->geo = f->geo;
}

/* What a host would say. */
static void fake_answer(struct fake *f, struct utmem_sock_msg *m, int *fds, unsigned int *nr)
{
	switch (UTMEM_SOCK_OP(m->type)) {
	case UTMEM_SOCK_HELLO:
		m->hello.features &= ~UTMEM_FEAT_SOCK_SERIAL;
		m->hello.window_len = FAKE_WINDOW_LEN;
		fds[(*nr)++] = dup(f->memfd);
		fds[(*nr)++] = dup(f->doorbell);
		break;
	case UTMEM_OP_CREATE_QUEUE:
		fake_queue_create(f, &m->queue);
		fds[(*nr)++] = dup(f->wake);
		break;
	case UTMEM_OP_DESTROY_QUEUE:
		f->nr_destroyed++;
		break;
	case UTMEM_OP_POOL_OPEN:
		m->pool.handle = 3;
		break;
	default:
		break;
	}
}

static void fake_send(int peer, const void *buf, size_t len, const int *fds, unsigned int nr)
{
	char control[CMSG_SPACE(FAKE_FDS_MAX * sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nr) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(nr * sizeof(int));
	}
	sendmsg(peer, &mh, MSG_NOSIGNAL);
}

/* Until the client closes. Return: true when it was the fake that did, in answer to *@m. */
static bool fake_serve(struct fake *f, struct utmem_sock_msg *m)
{
	while (recv(f->peer, m, sizeof(*m), 0) == sizeof(*m)) {
		int fds[FAKE_FDS_MAX];
		unsigned int nr = 0;
		size_t len = sizeof(*m);

		fake_answer(f, m, fds, &nr);
		if (f->hook)
			len = f->hook(f, m, fds, &nr);
		if (len)
			fake_send(f->peer, m, len, fds, nr);
		while (nr)
			close(fds[--nr]);
		if (!len)
			return true;
	}
	return false;
}

/* One connection; another one where the fake closed in the greeting. */
static void *fake_main(void *arg)
{
	struct fake *f = arg;
	struct utmem_sock_msg m;
	bool again;

	do {
		again = false;
		if (f->peer >= 0)
			close(f->peer);
		f->peer = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
		if (f->peer < 0)
			break;
		f->nr_accepted++;
		again = fake_serve(f, &m) && m.type == UTMEM_SOCK_HELLO;
		/* As the death of a process: only this closes the connection. */
		shutdown(f->peer, SHUT_RDWR);
	} while (again);
	return NULL;
}

/* All but the thread: for a host that is run in another way. */
static inline void fake_open(struct fake *f, fake_hook *hook, int seals)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	*f = (struct fake){.hook = hook, .seals = seals, .peer = -1};
	strcpy(f->dir, "/tmp/utmem-fake.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	snprintf(f->transport, sizeof(f->transport), "unix:%s", f->path);
	strcpy(addr.sun_path, f->path);
	f->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fake_window_init(f);
	f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
}

static inline void fake_start(struct fake *f, fake_hook *hook, int seals)
{
	fake_open(f, hook, seals);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_main, f), 0);
}

static inline void fake_close(struct fake *f)
{
	if (f->peer >= 0)
		close(f->peer);
	close(f->listener);
	munmap(f->base, FAKE_WINDOW_LEN);
	close(f->memfd);
	close(f->doorbell);
	close(f->wake);
	unlink(f->path);
	rmdir(f->dir);
}

/* The client has closed its end, or the fake has; nothing of it is left. */
static inline void fake_stop(struct fake *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	fake_close(f);
}

/* Complete the oldest request by hand. */
static inline void fake_complete(struct fake *f, int32_t res, uint32_t flags, struct utmem_sqe *sqe)
{
	uint32_t n;

	assert_int_equal(utmem_sq_peek(&f->sq, &n), 0);
	assert_true(n > 0);
	utmem_sq_copy(&f->sq, 0, sqe);
	utmem_cq_fill(&f->cq, sqe->user_data, res, flags);
	if (utmem_cq_publish(&f->cq)) {
		uint64_t one = 1;

		assert_int_equal(write(f->wake, &one, sizeof(one)), sizeof(one));
	}
	utmem_sq_release(&f->sq, 1);
}

/* How often the client has rung since the last look. */
static inline uint64_t fake_rings(struct fake *f)
{
	uint64_t n = 0;

	return read(f->doorbell, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static inline unsigned int nr_open_fds(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

#endif /* TESTS_UNIT_LIB_FAKE_H */
