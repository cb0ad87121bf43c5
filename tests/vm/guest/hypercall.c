// SPDX-License-Identifier: MIT
/*
 * Hypercalls of one's choice, in user mode (by the instruction itself) or in kernel mode (by
 * /lib/hypercall.ko).
 *
 *	hypercall token			"token T": what this VM's window has; before the driver is loaded
 *	hypercall user|kernel NR TOKEN COUNT	"result R": of the last one
 *	hypercall user|kernel random COUNT SEED	"doorbells N": so many of COUNT had the doorbell's number
 */
#include <cpuid.h>
#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/ring/utmem_abi.h"
#include "tests/vm/module/hypercall.h"

#define IVSHMEM "0x1af4\n0x1110\n" /* vendor and device */

static bool is_ivshmem(const char *folder)
{
	static const char *const names[] = {"vendor", "device"};
	char path[256], text[32] = "";
	size_t i, len = 0;

	for (i = 0; i < 2; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		f = fopen(path, "r");
		len += f ? fread(text + len, 1, sizeof(text) / 2 - 1, f) : 0;
		if (f)
			fclose(f);
	}
	return !strcmp(text, IVSHMEM);
}

static void device_enable(const char *folder)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/enable", folder);
	f = fopen(path, "w");
	if (!f || fputs("1", f) < 0 || fclose(f))
		err(1, "%s", path);
}

static void print_token(const char *folder)
{
	const volatile struct utmem_window_hdr *hdr;
	char path[256];
	int fd;

	device_enable(folder);
	snprintf(path, sizeof(path), "%s/resource2", folder);
	fd = open(path, O_RDONLY);
	hdr = mmap(NULL, UTMEM_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (hdr == MAP_FAILED)
		err(1, "%s", path);
	printf("token 0x%" PRIx64 "\n", (uint64_t)hdr->doorbell_token);
}

static void token(void)
{
	glob_t devices;
	size_t i;

	if (glob("/sys/bus/pci/devices/*", 0, NULL, &devices))
		errx(1, "no PCI devices");
	for (i = 0; i < devices.gl_pathc; i++) {
		if (is_ivshmem(devices.gl_pathv[i]))
			print_token(devices.gl_pathv[i]);
	}
}

/* ---- two modes ---- */

static bool is_intel(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx;
}

static int64_t call_user(const struct hypercall_order *o)
{
	static int intel = -1;
	int64_t res;

	if (intel < 0)
		intel = is_intel();
	if (intel)
		__asm__ volatile("vmcall"
				 : "=a"(res)
				 : "a"(o->nr), "b"(o->arg[0]), "c"(o->arg[1]), "d"(o->arg[2]),
				   "S"(o->arg[3])
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "=a"(res)
				 : "a"(o->nr), "b"(o->arg[0]), "c"(o->arg[1]), "d"(o->arg[2]),
				   "S"(o->arg[3])
				 : "memory");
	return res;
}

static int64_t make_user(const struct hypercall_order *o)
{
	uint64_t count;
	int64_t res = 0;

	for (count = o->count; count; count--)
		res = call_user(o);
	return res;
}

static int64_t make_kernel(const struct hypercall_order *o)
{
	static int fd = -1;
	int64_t res;

	if (fd < 0)
		fd = open("/dev/hypercall", O_RDWR);
	if (write(fd, o, sizeof(*o)) != sizeof(*o) || read(fd, &res, sizeof(res)) != sizeof(res))
		err(1, "/dev/hypercall");
	return res;
}

static int64_t make(const char *mode, const struct hypercall_order *o)
{
	if (!strcmp(mode, "user"))
		return make_user(o);
	if (!strcmp(mode, "kernel"))
		return make_kernel(o);
	errx(2, "%s?", mode);
}

/* ---- any registers ---- */

static uint64_t random64(void)
{
	return (uint64_t)random() << 33 ^ (uint64_t)random() << 16 ^ (uint64_t)random();
}

static void any(const char *mode, uint64_t count, unsigned int seed)
{
	uint64_t nr_ours = 0;

	srandom(seed);
	while (count--) {
		struct hypercall_order o = {.count = 1};
		uint32_t i;

		/* KVM's own numbers are small, and none of our business */
		o.nr = count & 1 ? UTMEM_HC_DOORBELL : random64() | 1ull << 40;
		for (i = 0; i < 4; i++)
			o.arg[i] = random64() >> random() % 64;
		nr_ours += count & 1;
		make(mode, &o);
	}
	printf("doorbells %" PRIu64 "\n", nr_ours);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "token")) {
		token();
	} else if (argc == 5 && !strcmp(argv[2], "random")) {
		any(argv[1], strtoull(argv[3], NULL, 0), (unsigned int)atoi(argv[4]));
	} else if (argc == 5) {
		const struct hypercall_order o = {
			.nr = strtoull(argv[2], NULL, 0),
			.arg = {strtoull(argv[3], NULL, 0)},
			.count = strtoull(argv[4], NULL, 0),
		};

		printf("result %" PRId64 "\n", make(argv[1], &o));
	} else {
		errx(2, "token | user|kernel NR TOKEN COUNT | user|kernel random COUNT SEED");
	}
	return 0;
}
