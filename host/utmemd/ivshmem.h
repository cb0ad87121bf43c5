/* SPDX-License-Identifier: MIT */
/*
 * The server of QEMU's ivshmem-doorbell device: greets a VM with its window and
 * eventfds. Caller: tenant.c. One VM per socket, with peer id 1; the host is peer
 * 0. A guest that resets goes unnoticed here: its driver says so in the window.
 */
#ifndef UTMEMD_IVSHMEM_H
#define UTMEMD_IVSHMEM_H

struct tenant;
struct vm;

#define VM_KEY "vm/" /* and its tenant's name: where it is kept */

/* Takes @fd; a VM that comes second is closed at once. */
void vm_accept(struct tenant *t, int fd);
/*
 * The one that an earlier worker left, if there is one. One that cannot be had again is let go;
 * an error means that it could, by another worker.
 */
int vm_resume(struct tenant *t);
/* Its queues are dropped and its memory is gone; QEMU does not come back by itself. */
void vm_close(struct vm *vm, const char *why);
/* Its window, for counting. */
struct window *vm_window(struct vm *vm);

#endif /* UTMEMD_IVSHMEM_H */
