// SPDX-License-Identifier: MIT
/*
 * Owns the connection of a VM: greeting, interrupts, and the VM's death. Called
 * by tenant.c and by the loop, on the daemon's main thread.
 *
 * The greeting is QEMU's protocol (docs/specs/ivshmem-spec.rst): 8-byte
 * little-endian integers, some with a file descriptor. QEMU reads the first three
 * while it starts and does nothing else meanwhile, so they are sent at once.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/pool/failpoint.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/hypercall.h"
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
	struct deposited deposited, greeting;
	struct window window;
	uint32_t nr_vectors;
	int vectors[]; /* eventfds */
};

static int say(struct vm *vm, int64_t word, int fd)
{
	uint64_t le = htole64((uint64_t)word);

	return fdpass_send(vm->src.fd, &le, sizeof(le), &fd, fd == NO_FD ? 0 : 1);
}

/* The host has one vector: one thread serves a window, whose doorbell is service slot 0. */
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

static struct window_spec window_spec(const struct tenant *t)
{
	return (struct window_spec){
		.len = t->daemon->opt->window,
		.features = UTMEM_FEAT_DOORBELL_MMIO,
		.admin_queue = true,
		.wake = wake_vm,
	};
}

static int window_for_vm(struct vm *vm)
{
	struct window_spec spec = window_spec(vm->tenant);

	return window_open(&vm->window, vm->tenant, &spec);
}

/* ---- what the supervisor keeps of it ---- */

/*
 * VM_KEY is the connection alone from accept() on: a VM that was told nothing can be greeted by
 * another worker. Then all that it will hold. GREETING_KEY stands while it is being told: how
 * much of that it has heard nobody knows after a death, so that one is closed.
 */
#define GREETING_KEY "greeting/"
#define VM_FD_CONNECTION 0u
#define VM_FD_WINDOW 1u
#define VM_FD_VECTORS (VM_FD_WINDOW + WINDOW_NR_FDS)

static void tenant_key(char key[KEEPER_KEY_MAX], const char *prefix, const struct tenant *t)
{
	snprintf(key, KEEPER_KEY_MAX, "%s%s", prefix, t->name);
}

static int vm_keep_connection(struct vm *vm)
{
	char key[KEEPER_KEY_MAX];

	tenant_key(key, VM_KEY, vm->tenant);
	return deposit_keep(&vm->tenant->daemon->deposit, &vm->deposited, key, NULL, 0, &vm->src.fd,
			    1);
}

static int vm_keep(struct vm *vm)
{
	struct deposit *deposit = &vm->tenant->daemon->deposit;
	char key[KEEPER_KEY_MAX];
	int fds[KEEPER_FDS_MAX];
	int err;

	tenant_key(key, GREETING_KEY, vm->tenant);
	err = deposit_keep(deposit, &vm->greeting, key, NULL, 0, &vm->src.fd, 1);
	if (err)
		return err;
	fds[VM_FD_CONNECTION] = vm->src.fd;
	window_fds(&vm->window, fds + VM_FD_WINDOW);
	memcpy(fds + VM_FD_VECTORS, vm->vectors, vm->nr_vectors * sizeof(*fds));
	tenant_key(key, VM_KEY, vm->tenant);
	return deposit_keep(deposit, &vm->deposited, key, NULL, 0, fds,
			    VM_FD_VECTORS + vm->nr_vectors);
}

static void vm_greeted(struct vm *vm)
{
	char key[KEEPER_KEY_MAX];

	tenant_key(key, GREETING_KEY, vm->tenant);
	deposit_drop(&vm->tenant->daemon->deposit, &vm->greeting, key);
}

static void vm_unkeep(struct vm *vm)
{
	char key[KEEPER_KEY_MAX];

	tenant_key(key, VM_KEY, vm->tenant);
	deposit_drop(&vm->tenant->daemon->deposit, &vm->deposited, key);
	vm_greeted(vm);
}

/* ---- its life ---- */

static struct vm *vm_alloc(struct tenant *t, int fd, uint32_t nr_vectors)
{
	struct vm *vm = calloc(1, sizeof(*vm) + nr_vectors * sizeof(vm->vectors[0]));

	if (!vm)
		return NULL;
	vm->tenant = t;
	vm->src = (struct source){.fd = fd, .ready = vm_ready};
	return vm;
}

static int vm_listen(struct vm *vm)
{
	return loop_add(&vm->tenant->daemon->loop, &vm->src, EPOLLIN | EPOLLRDHUP);
}

static int vm_begin(struct vm *vm)
{
	int err = vectors_open(vm, (uint32_t)vm->tenant->daemon->opt->vectors);

	if (err)
		return err;
	err = window_for_vm(vm);
	if (err)
		goto err_vectors;
	err = vm_keep(vm);
	if (!err)
		hypercall_join(&vm->window, vm->src.fd);
	if (!err)
		err = greet(vm);
	if (!err)
		err = vm_listen(vm);
	if (err)
		goto err_window;
	vm_greeted(vm);
	return 0;

err_window:
	window_close(&vm->window);
err_vectors:
	vectors_close(vm);
	return err;
}

/* *kept: of the connection, which is already, or is from now on. */
static int vm_open(struct tenant *t, int fd, struct deposited *kept, struct vm **out)
{
	struct vm *vm = vm_alloc(t, fd, (uint32_t)t->daemon->opt->vectors);
	int err = 0;

	if (!vm)
		return -ENOMEM;
	vm->deposited = *kept;
	if (!kept->nr_fds)
		err = vm_keep_connection(vm);
	UTMEM_FAIL_POINT("vm_connection_kept");
	if (!err)
		err = vm_begin(vm);
	if (!err) {
		*out = vm;
		return 0;
	}
	vm_unkeep(vm);
	*kept = vm->deposited;
	free(vm);
	return err;
}

void vm_accept(struct tenant *t, int fd)
{
	struct deposited kept = {0};
	int err = -EBUSY;

	/* A VM that was started again may be here before the end of the one before it was seen. */
	if (t->vm)
		vm_ready(&t->vm->src, 0);
	if (!t->vm)
		err = vm_open(t, fd, &kept, &t->vm);
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
	vm_unkeep(vm);
	loop_remove(&t->daemon->loop, &vm->src);
	close(vm->src.fd);
	window_close(&vm->window);
	vectors_close(vm);
	free(vm);
}

/* ---- another worker's VM ---- */

/* Nobody knows how much it has heard. */
static bool was_being_greeted(struct tenant *t)
{
	struct deposited what = {0};
	char key[KEEPER_KEY_MAX];
	struct kept_item *item;

	tenant_key(key, GREETING_KEY, t);
	item = deposit_take(&t->daemon->deposit, &what, key, 0, 1, 1);
	if (!item)
		return false;
	deposit_drop(&t->daemon->deposit, &what, key);
	fdpass_close(item->fds, item->nr_fds);
	free(item);
	return true;
}

static int take_up(struct tenant *t, const struct kept_item *item, const struct deposited *kept,
		   struct vm **out)
{
	struct window_spec spec = window_spec(t);
	uint32_t nr_vectors = item->nr_fds - VM_FD_VECTORS;
	struct vm *vm = vm_alloc(t, item->fds[VM_FD_CONNECTION], nr_vectors);
	int err;

	if (!vm)
		return -ENOMEM;
	vm->deposited = *kept;
	vm->nr_vectors = nr_vectors;
	memcpy(vm->vectors, item->fds + VM_FD_VECTORS, nr_vectors * sizeof(*vm->vectors));
	err = vm_listen(vm);
	if (err)
		goto err_free;
	err = window_resume(&vm->window, t, &spec, item->fds + VM_FD_WINDOW);
	if (err)
		goto err_listen;
	hypercall_join(&vm->window, vm->src.fd);
	*out = vm;
	return 0;

err_listen:
	loop_remove(&t->daemon->loop, &vm->src);
err_free:
	free(vm);
	return err;
}

/* One that was told nothing yet is refused as vm_accept() does: it may have left, and that ends no worker. */
static bool may_lose(const struct kept_item *item, int err)
{
	return item->nr_fds == 1 || window_is_lost(err);
}

int vm_resume(struct tenant *t)
{
	struct deposited kept = {0};
	char key[KEEPER_KEY_MAX];
	struct kept_item *item;
	int err;

	tenant_key(key, VM_KEY, t);
	item = deposit_take(&t->daemon->deposit, &kept, key, 0, 1, KEEPER_FDS_MAX);
	if (!item)
		return 0;
	if (was_being_greeted(t))
		err = -ECONNABORTED;
	else if (item->nr_fds == 1)
		err = vm_open(t, item->fds[VM_FD_CONNECTION], &kept, &t->vm);
	else
		err = take_up(t, item, &kept, &t->vm);
	if (err && may_lose(item, err)) {
		log_error("tenant %s: its VM is lost: %s", t->name, strerror(-err));
		deposit_drop(&t->daemon->deposit, &kept, key);
		fdpass_close(item->fds, item->nr_fds);
		err = 0;
	}
	free(item);
	return err;
}

struct window *vm_window(struct vm *vm)
{
	return &vm->window;
}
