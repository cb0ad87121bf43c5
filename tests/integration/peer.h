/* SPDX-License-Identifier: MIT */
/*
 * The other ends of utmemd's sockets, written by hand, so that they can misbehave:
 * a VM's ivshmem device, and a process that speaks utmem_sock.h.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <sched.h>
#include <sys/mman.h>

#include "guest/ring/utmem_abi.h"
#include "guest/ring/utmem_ring.h"
#include "guest/ring/utmem_sock.h"
#include "tests/integration/daemon.h"

#define PEER_FDS_MAX 8

/* Return: bytes, or -errno. *nr_fds in: room, out: how many came. */
static inline ssize_t receive_fds(int sock, void *buf, size_t len, int *fds, uint32_t *nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PEER_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {buf, len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*nr_fds = 0;
	if (n < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		*nr_fds = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *nr_fds * sizeof(int));
	}
	return n;
}

/* @buf may be NULL when @len is 0. */
static inline void send_with_fd(int sock, const void *buf, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)buf, len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), len);
}

/* ---- a VM ---- */

struct fake_vm {
	int sock;
	int memfd;
	int doorbell;
	int vectors[PEER_FDS_MAX];
	uint32_t nr_vectors;
	uint8_t *window;
	size_t len;
};

/* One message of the greeting; *fd is -1 when none came with it. */
static inline int64_t vm_hear(int sock, int *fd)
{
	uint8_t bytes[8];
	uint32_t i, nr_fds;
	uint64_t word = 0;

	*fd = -1;
	assert_int_equal(receive_fds(sock, bytes, sizeof(bytes), fd, &nr_fds), sizeof(bytes));
	assert_true(nr_fds <= 1);
	for (i = 0; i < 8; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return (int64_t)word;
}

static inline void fake_vm_start(struct fake_vm *vm, const struct daemon *d, const char *socket,
				 uint32_t nr_vectors)
{
	struct stat st;
	int fd;

	memset(vm, 0, sizeof(*vm));
	vm->sock = must_connect(d, socket, SOCK_STREAM);
	assert_int_equal(vm_hear(vm->sock, &fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(vm_hear(vm->sock, &fd), 1);
	assert_int_equal(fd, -1);
	assert_int_equal(vm_hear(vm->sock, &vm->memfd), -1);
	assert_true(vm->memfd >= 0);
	assert_int_equal(vm_hear(vm->sock, &vm->doorbell), 0);
	assert_true(vm->doorbell >= 0);
	while (vm->nr_vectors < nr_vectors) {
		assert_int_equal(vm_hear(vm->sock, &vm->vectors[vm->nr_vectors]), 1);
		assert_true(vm->vectors[vm->nr_vectors++] >= 0);
	}
	assert_int_equal(fstat(vm->memfd, &st), 0);
	vm->len = (size_t)st.st_size;
	vm->window = mmap(NULL, vm->len, PROT_READ | PROT_WRITE, MAP_SHARED, vm->memfd, 0);
	assert_true(vm->window != MAP_FAILED);
}

static inline void fake_vm_end(struct fake_vm *vm)
{
	munmap(vm->window, vm->len);
	close(vm->memfd);
	close(vm->doorbell);
	while (vm->nr_vectors)
		close(vm->vectors[--vm->nr_vectors]);
	close(vm->sock);
}

/* ---- a process ---- */

struct fake_client {
	int sock;
	int memfd, doorbell;
	uint8_t *window;
	size_t len;
};

static inline struct utmem_sock_msg hello_msg(void)
{
	return (struct utmem_sock_msg){
		.type = UTMEM_SOCK_HELLO,
		.hello = {.magic = UTMEM_MAGIC,
			  .abi_major = UTMEM_ABI_MAJOR,
			  .abi_minor = UTMEM_ABI_MINOR,
			  .features = UTMEM_FEAT_DOORBELL_EVENTFD},
	};
}

/* Send @m, get the answer in its place. Return: its error. *nr_fds as receive_fds(). */
static inline int exchange(int sock, struct utmem_sock_msg *m, int *fds, uint32_t *nr_fds)
{
	uint32_t type = m->type;

	assert_int_equal(send(sock, m, sizeof(*m), MSG_NOSIGNAL), sizeof(*m));
	assert_int_equal(receive_fds(sock, m, sizeof(*m), fds, nr_fds), sizeof(*m));
	assert_int_equal(m->type, type);
	return m->error;
}

/* An exchange that brings no descriptor. */
static inline int ask(int sock, struct utmem_sock_msg *m)
{
	int fds[PEER_FDS_MAX];
	uint32_t nr;
	int err = exchange(sock, m, fds, &nr);

	assert_int_equal(nr, 0);
	return err;
}

static inline void fake_client_start(struct fake_client *c, const struct daemon *d,
				     const char *socket)
{
	struct utmem_sock_msg m = hello_msg();
	int fds[PEER_FDS_MAX];
	uint32_t nr;

	c->sock = must_connect(d, socket, SOCK_SEQPACKET);
	assert_int_equal(exchange(c->sock, &m, fds, &nr), 0);
	assert_int_equal(nr, 2);
	c->memfd = fds[0];
	c->doorbell = fds[1];
	c->len = m.hello.window_len;
	c->window = mmap(NULL, c->len, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
	assert_true(c->window != MAP_FAILED);
}

static inline void fake_client_end(struct fake_client *c)
{
	munmap(c->window, c->len);
	close(c->memfd);
	close(c->doorbell);
	close(c->sock);
}

static inline void ring(int doorbell)
{
	uint64_t one = 1;

	assert_int_equal(write(doorbell, &one, sizeof(one)), sizeof(one));
}

/* A queue of a fake client, both ends of its rings on this side. */
struct fake_queue {
	uint32_t id;
	int wake;
	struct utmem_geometry geo;
	struct utmem_sq sq;
	struct utmem_cq cq;
};

static inline int fake_queue_create(struct fake_client *c, struct fake_queue *q, uint32_t entries)
{
	struct utmem_sock_msg m = {.type = UTMEM_OP_CREATE_QUEUE,
				   .queue = {.sq_entries = entries, .cq_entries = 2 * entries}};
	uint32_t nr;
	int err = exchange(c->sock, &m, &q->wake, &nr);

	if (err)
		return err;
	assert_int_equal(nr, 1);
	assert_int_equal(utmem_geometry_check(&m.queue.geo, c->len), 0);
	q->id = m.queue.queue_id;
	q->geo = m.queue.geo;
	utmem_sq_init(&q->sq, c->window + q->geo.off, &q->geo, 0);
	utmem_cq_init(&q->cq, c->window + q->geo.off, &q->geo, 0);
	return 0;
}

/* A completion can be seen before its request's slot is free: the slot follows soon. */
static inline struct utmem_sqe *must_reserve(struct fake_queue *q)
{
	uint64_t until = now_ms() + DEADLINE_MS;
	struct utmem_sqe *sqe;

	while (!(sqe = utmem_sq_reserve(&q->sq))) {
		assert_true(now_ms() < until);
		sched_yield();
	}
	return sqe;
}

static inline void submit_nops(struct fake_queue *q, uint32_t nr)
{
	while (nr--)
		must_reserve(q)->user_data = nr;
	utmem_sq_publish(&q->sq);
}

/*
 * Until @nr completions wait: asked for a wake-up, then asleep on it. A vector may be
 * signalled on behalf of another queue, so a wake-up is a reason to look again and no more.
 */
static inline void await_completions(struct fake_queue *q, uint32_t nr)
{
	struct utmem_ring_page *page = q->cq.page;
	struct pollfd wake = {q->wake, POLLIN, 0};
	uint64_t count;
	uint32_t n;

	utmem_wake_arm(page, q->cq.end.own + nr);
	assert_int_equal(utmem_cq_peek(&q->cq, &n), 0);
	while (n < nr) {
		assert_int_equal(poll(&wake, 1, DEADLINE_MS), 1);
		assert_int_equal(read(q->wake, &count, sizeof(count)), sizeof(count));
		assert_int_equal(utmem_cq_peek(&q->cq, &n), 0);
	}
	utmem_wake_disarm(page);
	utmem_cq_release(&q->cq, nr);
}

#endif /* TEST_PEER_H */
