// SPDX-License-Identifier: MIT
/*
 * Owns the connection of a VM: greeting, interrupts, and the VM's death. Called
 * by tenant.c and by the loop, on the daemon's one thread.
 *
 * The greeting is QEMU's protocol (docs/specs/ivshmem-spec.rst): 8-byte
 * little-endian integers, some with a file descriptor. QEMU reads the first three
 * while it starts and does nothing else meanwhile, so they are sent at once.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/utmemd/daemon.h"
#include "host/utmemd/fdpass.h"
#include "host/utmemd/ivshmem.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/window.h"

#define PROTOCOL_VERSION 0
#define HOST_PEER 0
#define VM_PEER 1
#define MEMORY_FOLLOWS (-1)
#define NO_FD (-1)

struct vm {
	struct source src; /* the connection; only its end is of interest */
	struct tenant *tenant;
	struct window window;
	uint32_t nr_vectors;
	int vectors[]; /* eventfds */
};

static int say(struct vm *vm, int64_t word, int fd)
{
	uint64_t le = htole64((uint64_t)word);

	return fdpass_send(vm->src.fd, &le, sizeof(le), &fd, fd == NO_FD ? 0 : 1);
}

/* The host has one vector, for its one thread; its doorbell is service slot 0. */
static int greet(struct vm *vm)
{
	uint32_t i;
	int err;

	err = say(vm, PROTOCOL_VERSION, NO_FD);
	if (!err)
		err = say(vm, VM_PEER, NO_FD);
	if (!err)
		err = say(vm, MEMORY_FOLLOWS, vm->window.memfd);
	if (!err)
		err = say(vm, HOST_PEER, vm->window.doorbell.fd);
	for (i = 0; !err && i < vm->nr_vectors; i++)
		err = say(vm, VM_PEER, vm->vectors[i]);
	return err;
}

/*
 * A vector that the device does not have wakes nobody; EAGAIN: it is signalled
 * already. The guest cannot touch these files. QEMU could make one blocking and
 * fill it, and this thread would hang: QEMU, not its guest, is trusted with that.
 */
static void wake_vm(struct window *w, uint32_t queue_id, uint32_t irq_vector)
{
	struct vm *vm = owner_of(w, struct vm, window);

	(void)queue_id;
	if (irq_vector < vm->nr_vectors)
		eventfd_write(vm->vectors[irq_vector], 1);
}

/* Has the VM ended, or said anything? NULL: neither. */
static const char *reason_to_close(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return "it broke the protocol, in which it has nothing to say";
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? NULL : "its connection ended";
}

static void vm_ready(struct source *s, uint32_t events)
{
	struct vm *vm = owner_of(s, struct vm, src);
	const char *why = reason_to_close(s->fd);

	(void)events;
	if (!why)
		return;
	vm->window.peer_left = true;
	vm_close(vm, why);
}

static void vectors_close(struct vm *vm)
{
	while (vm->nr_vectors)
		close(vm->vectors[--vm->nr_vectors]);
}

static int vectors_open(struct vm *vm, uint32_t nr)
{
	int err;

	while (vm->nr_vectors < nr) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0) {
			err = -errno;
			vectors_close(vm);
			return err;
		}
		vm->vectors[vm->nr_vectors++] = fd;
	}
	return 0;
}

static int window_for_vm(struct vm *vm)
{
	struct window_spec spec = {
		.len = vm->tenant->daemon->opt->window,
		.features = UTMEM_FEAT_DOORBELL_MMIO,
		.admin_queue = true,
		.wake = wake_vm,
	};

	return window_open(&vm->window, vm->tenant, &spec);
}

static int vm_open(struct tenant *t, int fd, struct vm **out)
{
	uint32_t nr_vectors = (uint32_t)t->daemon->opt->vectors;
	struct vm *vm = calloc(1, sizeof(*vm) + nr_vectors * sizeof(vm->vectors[0]));
	int err;

	if (!vm)
		return -ENOMEM;
	vm->tenant = t;
	vm->src = (struct source){.fd = fd, .ready = vm_ready};
	err = vectors_open(vm, nr_vectors);
	if (err)
		goto err_free;
	err = window_for_vm(vm);
	if (err)
		goto err_vectors;
	err = greet(vm);
	if (!err)
		err = loop_add(&t->daemon->loop, &vm->src, EPOLLIN | EPOLLRDHUP);
	if (err)
		goto err_window;
	*out = vm;
	return 0;

err_window:
	window_close(&vm->window);
err_vectors:
	vectors_close(vm);
err_free:
	free(vm);
	return err;
}

void vm_accept(struct tenant *t, int fd)
{
	int err = -EBUSY;

	/* A VM that was started again may be here before the end of the one before it was seen. */
	if (t->vm)
		vm_ready(&t->vm->src, 0);
	if (!t->vm)
		err = vm_open(t, fd, &t->vm);
	if (!err) {
		log_tenant(&t->log, LOG_INFO, t->name, "VM connected");
		return;
	}
	close(fd);
	t->daemon->counters.nr_refused++;
	log_tenant(&t->log, LOG_WARN, t->name, "VM refused: %s",
		   err == -EBUSY ? "another one is connected" : strerror(-err));
}

void vm_close(struct vm *vm, const char *why)
{
	struct tenant *t = vm->tenant;

	log_tenant(&t->log, LOG_INFO, t->name, "VM gone: %s", why);
	t->vm = NULL;
	loop_remove(&t->daemon->loop, &vm->src);
	close(vm->src.fd);
	window_close(&vm->window);
	vectors_close(vm);
	free(vm);
}

struct window *vm_window(struct vm *vm)
{
	return &vm->window;
}
