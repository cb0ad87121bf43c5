// SPDX-License-Identifier: MIT
/*
 * The interface of host/kvm/kvm_doorbell.h, on a KVM that has it: registers doorbells, rings them from
 * machines of one vCPU and one hypercall, and counts what the eventfds got. Prints "ok NAME" or
 * "not ok NAME" a test. "kvm-doorbell hold" registers one and keeps it until stdin ends. Run in L1 by
 * nested/kvm_doorbell_*.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/ring/utmem_abi.h"
#include "host/kvm/kvm_doorbell.h"

#define TOKEN 0x1122334455667788ull
#define MEM_LEN (64u << 10)
#define REFUSED (-EINVAL) /* what a guest hears of a token that is none */

enum mode { KERNEL, USER, BITS32 };

/* A machine: a hypercall and a port that ends the run, and page tables to be in long mode. */
struct machine {
	int vm;
	int vcpu;
	uint8_t *mem;
	struct kvm_run *run;
	size_t run_len;
};

enum { CODE_OFF = 0x1000, PML4_OFF = 0x2000, PDPT_OFF = 0x3000 };
/* vmmcall (KVM makes vmcall of it where that is the CPU's); out %al, $0x80 */
static const uint8_t code[] = {0x0f, 0x01, 0xd9, 0xe6, 0x80};

static int failed;
static int kvm;

static void result(bool good, const char *name)
{
	printf("%sok %s\n", good ? "" : "not ", name);
	fflush(stdout);
	failed |= !good;
}

static void result_is(long want, long got, const char *name)
{
	result(want == got, name);
	if (want != got)
		printf("want %ld, got %ld\n", want, got);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int must(int rc, const char *what)
{
	if (rc < 0)
		die(what);
	return rc;
}

static int kvm_open(void)
{
	return must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
}

static int doorbell_new(void)
{
	return must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
}

/* How often it was rung since the last time */
static long rung(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n) ? (long)n : 0;
}

static int request(int dev, struct kvm_utmem_doorbell d)
{
	return ioctl(dev, KVM_UTMEM_DOORBELL, &d) ? -errno : 0;
}

static int assign(int dev, uint64_t token, int fd, pid_t tgid)
{
	return request(dev, (struct kvm_utmem_doorbell){.token = token, .fd = fd, .tgid = tgid});
}

static int deassign(int dev, uint64_t token)
{
	return request(dev, (struct kvm_utmem_doorbell){.token = token,
							.flags = KVM_UTMEM_DOORBELL_DEASSIGN});
}

static void segments_set(struct kvm_sregs *s, enum mode mode)
{
	unsigned int dpl = mode == USER ? 3 : 0;
	struct kvm_segment cs = {.limit = 0xffffffff,
				 .selector = (uint16_t)(8 | dpl),
				 .type = 11,
				 .present = 1,
				 .dpl = (uint8_t)dpl,
				 .s = 1,
				 .l = mode != BITS32,
				 .db = mode == BITS32,
				 .g = 1};
	struct kvm_segment ds = cs;

	ds.selector = (uint16_t)(16 | dpl);
	ds.type = 3;
	ds.l = 0;
	ds.db = 1;
	s->cs = cs;
	s->ds = s->es = s->fs = s->gs = s->ss = ds;
}

/* Protected mode without paging, or long mode with one page of 1 GiB that everybody may touch. */
static void mode_set(struct machine *m, enum mode mode)
{
	struct kvm_sregs s;

	must(ioctl(m->vcpu, KVM_GET_SREGS, &s), "KVM_GET_SREGS");
	segments_set(&s, mode);
	s.cr0 = 0x11; /* PE, ET */
	if (mode != BITS32) {
		*(uint64_t *)(m->mem + PML4_OFF) = PDPT_OFF | 7;
		*(uint64_t *)(m->mem + PDPT_OFF) = 0x87;
		s.cr3 = PML4_OFF;
		s.cr4 = 0x20;	     /* PAE */
		s.cr0 |= 0x80000000; /* PG */
		s.efer = 0x500;	     /* LME, LMA */
	}
	must(ioctl(m->vcpu, KVM_SET_SREGS, &s), "KVM_SET_SREGS");
}

static void cpuid_set(struct machine *m)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));

	if (!c)
		die("calloc");
	c->nent = 256;
	must(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c), "KVM_GET_SUPPORTED_CPUID");
	must(ioctl(m->vcpu, KVM_SET_CPUID2, c), "KVM_SET_CPUID2");
	free(c);
}

static struct machine machine_new(enum mode mode)
{
	struct machine m = {0};
	struct kvm_userspace_memory_region region = {.memory_size = MEM_LEN};

	m.vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	m.mem = mmap(NULL, MEM_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m.mem == MAP_FAILED)
		die("mmap");
	region.userspace_addr = (uintptr_t)m.mem;
	must(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	memcpy(m.mem + CODE_OFF, code, sizeof(code));
	m.vcpu = must(ioctl(m.vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	m.run_len = (size_t)must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	m.run = mmap(NULL, m.run_len, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu, 0);
	if (m.run == MAP_FAILED)
		die("mmap of the vCPU");
	cpuid_set(&m);
	mode_set(&m, mode);
	return m;
}

static void machine_free(struct machine *m)
{
	munmap(m->run, m->run_len);
	close(m->vcpu);
	close(m->vm);
	munmap(m->mem, MEM_LEN);
}

/* What the hypercall returned to the guest. */
static long hypercall(struct machine *m, uint64_t nr, uint64_t token)
{
	struct kvm_regs r = {.rip = CODE_OFF,
			     .rflags = 0x3002, /* user mode may use ports */
			     .rax = nr,
			     .rbx = token,
			     .rcx = 1};

	must(ioctl(m->vcpu, KVM_SET_REGS, &r), "KVM_SET_REGS");
	must(ioctl(m->vcpu, KVM_RUN, 0), "KVM_RUN");
	if (m->run->exit_reason != KVM_EXIT_IO) {
		printf("exit reason %u\n", m->run->exit_reason);
		return 1;
	}
	must(ioctl(m->vcpu, KVM_GET_REGS, &r), "KVM_GET_REGS");
	return (long)r.rax;
}

static long ring(struct machine *m, uint64_t token)
{
	return hypercall(m, UTMEM_HC_DOORBELL, token);
}

static void a_hypercall_rings(void)
{
	struct machine m = machine_new(KERNEL);
	int dev = kvm_open(), bell = doorbell_new(), other = doorbell_new();

	result_is(0, assign(dev, TOKEN, bell, 0), "a token is registered");
	result_is(0, assign(dev, TOKEN + 1, other, getpid()), "another one, for this process");
	result_is(0, ring(&m, TOKEN), "its hypercall returns 0");
	result_is(1, rung(bell), "the eventfd was signalled once");
	result_is(0, rung(other), "the other one was not");
	ring(&m, TOKEN + 1);
	ring(&m, TOKEN + 1);
	result_is(2, rung(other), "two hypercalls are two signals");
	result_is(0, rung(bell), "of their own token");
	result_is(REFUSED, ring(&m, TOKEN + 2), "a token that is none is refused");
	result_is(REFUSED, ring(&m, 0), "so is 0");
	result_is(-1000, hypercall(&m, UTMEM_HC_DOORBELL + 1, TOKEN), "other numbers are unknown");
	result_is(0, rung(bell) + rung(other), "and nothing was signalled");
	close(dev);
	machine_free(&m);
	close(bell);
	close(other);
}

static void only_the_guests_kernel_rings(void)
{
	struct machine user = machine_new(USER), old = machine_new(BITS32);
	int dev = kvm_open(), bell = doorbell_new();

	assign(dev, TOKEN, bell, 0);
	result_is(-EPERM, ring(&user, TOKEN), "user mode is refused");
	result_is((uint32_t)REFUSED, ring(&old, TOKEN), "32-bit mode has half of the token");
	result_is(0, rung(bell), "and neither has signalled");
	assign(dev, (uint32_t)TOKEN, bell, 0);
	result_is(0, ring(&old, TOKEN), "a token of 32 bits does for it");
	result_is(1, rung(bell), "and signals");
	close(dev);
	close(bell);
	machine_free(&user);
	machine_free(&old);
}

static int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What another process's machine hears: 0, or the errno. */
static int ring_elsewhere(uint64_t token)
{
	pid_t pid = must(fork(), "fork");

	if (!pid) {
		struct machine m = machine_new(KERNEL);

		_exit((int)-ring(&m, token));
	}
	return child_status(pid);
}

static void a_token_is_for_one_process(void)
{
	int dev = kvm_open(), bell = doorbell_new(), gate[2];
	pid_t pid;

	must(pipe(gate), "pipe");
	assign(dev, TOKEN, bell, getpid());
	assign(dev, TOKEN + 1, bell, 0);
	result_is(-REFUSED, ring_elsewhere(TOKEN),
		  "another process's VM is refused, as if there were no token");
	result_is(0, rung(bell), "and signals nothing");
	result_is(0, ring_elsewhere(TOKEN + 1), "unless the token is for all");
	result_is(1, rung(bell), "then it signals");

	pid = must(fork(), "fork");
	if (!pid) {
		char byte;
		struct machine m;

		if (read(gate[0], &byte, 1) != 1)
			_exit(99);
		m = machine_new(KERNEL);
		_exit((int)-ring(&m, TOKEN + 2));
	}
	result_is(0, assign(dev, TOKEN + 2, bell, pid),
		  "who serves a VM registers for its process");
	must((int)write(gate[1], "", 1), "write");
	result_is(0, child_status(pid), "whose VM then rings");
	result_is(1, rung(bell), "here");
	result_is(-ESRCH, assign(dev, TOKEN + 3, bell, pid), "a process that has ended is none");
	close(gate[0]);
	close(gate[1]);
	close(dev);
	close(bell);
}

static void what_is_malformed_is_refused(void)
{
	int dev = kvm_open(), bell = doorbell_new(), closed = doorbell_new();
	struct kvm_utmem_doorbell good = {.token = TOKEN, .fd = bell}, bad = good;

	close(closed);
	result_is(-EINVAL, assign(dev, 0, bell, 0), "token 0: EINVAL");
	bad.flags = 2;
	result_is(-EINVAL, request(dev, bad), "an unknown flag: EINVAL");
	bad = good;
	bad.resv0 = 1;
	result_is(-EINVAL, request(dev, bad), "resv0: EINVAL");
	bad = good;
	bad.resv[0] = 1;
	result_is(-EINVAL, request(dev, bad), "resv: EINVAL");
	result_is(-EBADF, assign(dev, TOKEN, closed, 0), "a closed descriptor: EBADF");
	result_is(-EBADF, assign(dev, TOKEN, -1, 0), "none: EBADF");
	result_is(-EINVAL, assign(dev, TOKEN, dev, 0), "one that is no eventfd: EINVAL");
	result_is(-ESRCH, assign(dev, TOKEN, bell, -1), "a negative process: ESRCH");
	result_is(-ESRCH, assign(dev, TOKEN, bell, 0x7fffffff), "one that never was: ESRCH");
	result(ioctl(dev, KVM_UTMEM_DOORBELL, NULL) && errno == EFAULT, "no memory: EFAULT");
	result_is(-ENOENT, deassign(dev, TOKEN), "and nothing was registered by all that");
	close(dev);
	close(bell);
}

static void a_token_has_one_owner(void)
{
	struct machine m = machine_new(KERNEL);
	int dev = kvm_open(), other = kvm_open(), bell = doorbell_new();

	assign(dev, TOKEN, bell, 0);
	result_is(-EEXIST, assign(dev, TOKEN, bell, 0), "a token that is taken: EEXIST");
	result_is(-EEXIST, assign(other, TOKEN, bell, 0), "by another descriptor, too");
	result_is(-ENOENT, deassign(other, TOKEN), "who has not registered it cannot end it");
	result_is(0, ring(&m, TOKEN), "so it still rings");
	result_is(0, deassign(dev, TOKEN), "the owner can");
	result_is(REFUSED, ring(&m, TOKEN), "then it rings no more");
	result_is(-ENOENT, deassign(dev, TOKEN), "once");
	result_is(0, assign(other, TOKEN, bell, 0), "and the token is free for others");
	close(other);
	result_is(REFUSED, ring(&m, TOKEN), "it ends with the descriptor");
	result_is(0, assign(dev, TOKEN, bell, 0), "and is free again");
	other = must(dup(dev), "dup");
	close(dev);
	result_is(0, ring(&m, TOKEN), "but only with the last reference");
	close(bell);
	result_is(0, ring(&m, TOKEN), "the eventfd may be closed before");
	close(other);
	result_is(REFUSED, ring(&m, TOKEN), "the last reference is gone");
	machine_free(&m);
}

static void a_descriptor_has_a_limit(void)
{
	int dev = kvm_open(), other = kvm_open(), bell = doorbell_new();
	int limit = ioctl(dev, KVM_CHECK_EXTENSION, KVM_CAP_UTMEM_DOORBELL), rc = 0;
	struct machine m = machine_new(KERNEL);

	for (int i = 0; i < limit && !rc; i++)
		rc = assign(dev, TOKEN + (uint64_t)i, bell, 0);
	result(limit > 0 && !rc, "as many as KVM_CHECK_EXTENSION says are registered");
	result_is(-ENOSPC, assign(dev, TOKEN - 1, bell, 0), "one more: ENOSPC");
	result_is(0, assign(other, TOKEN - 1, bell, 0), "another descriptor has its own");
	result_is(0, ring(&m, TOKEN), "the first of them rings");
	result_is(0, ring(&m, TOKEN + (uint64_t)limit - 1), "and the last");
	deassign(dev, TOKEN);
	result_is(0, assign(dev, TOKEN, bell, 0), "one that was given back can be had again");
	close(dev);
	result_is(REFUSED, ring(&m, TOKEN + 1), "all of them end with the descriptor");
	close(other);
	close(bell);
	machine_free(&m);
}

static bool churning;

static void *churn(void *unused)
{
	int bell = doorbell_new();

	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		int dev = kvm_open();

		for (uint64_t i = 0; i < 64; i++)
			assign(dev, TOKEN + i, bell, 0);
		for (uint64_t i = 0; i < 64; i += 2)
			deassign(dev, TOKEN + i);
		close(dev);
	}
	close(bell);
	return unused;
}

/* For the kernel's log: nothing here may be freed under a hypercall's feet. */
static void registrations_come_and_go_under_hypercalls(void)
{
	struct machine m = machine_new(KERNEL);
	bool good = true;
	pthread_t thread;

	churning = true;
	if (pthread_create(&thread, NULL, churn, NULL))
		die("pthread_create");
	for (uint64_t i = 0; i < 3000; i++) {
		long rc = ring(&m, TOKEN + (i & 63));

		good &= rc == 0 || rc == REFUSED;
	}
	__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	result(good, "registrations come and go under hypercalls");
	machine_free(&m);
}

static int hold(void)
{
	int bell = doorbell_new();
	char byte;

	must(assign(kvm, TOKEN, bell, 0), "KVM_UTMEM_DOORBELL");
	printf("held\n");
	fflush(stdout);
	return read(0, &byte, 1) < 0;
}

int main(int argc, char **argv)
{
	kvm = kvm_open();
	if (argc > 1 && !strcmp(argv[1], "hold"))
		return hold();
	if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_UTMEM_DOORBELL) <= 0) {
		printf("this KVM has no KVM_CAP_UTMEM_DOORBELL\n");
		return 77;
	}
	a_hypercall_rings();
	only_the_guests_kernel_rings();
	a_token_is_for_one_process();
	what_is_malformed_is_refused();
	a_token_has_one_owner();
	a_descriptor_has_a_limit();
	registrations_come_and_go_under_hypercalls();
	return failed;
}
