// SPDX-License-Identifier: MIT
/* The driver's side of `utmem-bench vm`: its sysfs folder and its device. Called by vm.c. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "bench/vm.h"

#define REG_DOORBELL 12 /* in BAR 0, as guest/dev/utmem_doorbell.c has it */

const char *const vm_bell_names[] = {[VM_MMIO] = "mmio", [VM_HYPERCALL] = "hypercall"};

static int read_file(const struct vm_bench *b, const char *name, char *text, int len)
{
	char path[192];
	FILE *f;
	int err;

	snprintf(path, sizeof(path), "%s/%s", b->sysfs, name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	err = fgets(text, len, f) ? 0 : -EIO;
	fclose(f);
	return err;
}

static int write_file(const struct vm_bench *b, const char *name, const char *text)
{
	char path[192];
	FILE *f;
	int err;

	snprintf(path, sizeof(path), "%s/%s", b->sysfs, name);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	err = fputs(text, f) < 0 ? -EIO : 0;
	return fclose(f) ? -errno : err;
}

double vm_driver_counter(const struct vm_bench *b, const char *name)
{
	char text[64];
	double value;

	if (read_file(b, name, text, sizeof(text)) || sscanf(text, "%lf", &value) != 1)
		return NAN;
	return value;
}

uint64_t vm_driver_register(const struct vm_bench *b)
{
	char text[128];
	uint64_t bar;

	if (read_file(b, "device/resource", text, sizeof(text)) ||
	    sscanf(text, "%" SCNx64, &bar) != 1 || !bar)
		return 0;
	return bar + REG_DOORBELL;
}

/* It shows what is set, and in brackets how it would ring now. */
int vm_driver_bell(struct vm_bench *b, enum vm_bell bell)
{
	char text[64], now[32];

	if (read_file(b, "doorbell", text, sizeof(text)))
		return bell == VM_MMIO ? 0 : -EOPNOTSUPP;
	if (write_file(b, "doorbell", vm_bell_names[bell]) ||
	    read_file(b, "doorbell", text, sizeof(text)))
		return -EOPNOTSUPP;
	snprintf(now, sizeof(now), "[%s]", vm_bell_names[bell]);
	return strstr(text, now) ? 0 : -EOPNOTSUPP;
}

int vm_driver_open(struct vm_bench *b)
{
	const char *device = strrchr(b->o->transport, '/');

	if (strncmp(b->o->transport, "dev:", 4) || !device)
		return -EINVAL;
	snprintf(b->sysfs, sizeof(b->sysfs), "/sys/class/misc%.64s", device);
	for (enum vm_bell bell = 0; bell < VM_NR_BELLS; bell++)
		b->bell[bell] = !vm_driver_bell(b, bell);
	return isnan(vm_driver_counter(b, "doorbells")) ? -ENOENT : 0;
}
