// SPDX-License-Identifier: MIT
/*
 * Owns the doorbells of a KVM that has our change (patches/, kvm_doorbell.h). Called through
 * doorbell_by_kvm by host/utmemd/hypercall.c. KVM itself signals the window's eventfd, as
 * an ioeventfd does, so there is nothing to keep, to wait for and to count here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/kvm/doorbell.h"
#include "host/kvm/kvm_doorbell.h"

#define DEV_KVM "/dev/kvm"

struct in_kvm {
	struct doorbell_way way;
	int fd;
};

static struct in_kvm *of(struct doorbell_way *y)
{
	return (struct in_kvm *)y;
}

/* Return: a descriptor of a KVM that can, or -errno. */
static int dev_open(void)
{
	int fd = open(DEV_KVM, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_UTMEM_DOORBELL) > 0)
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

static int in_kvm_open(struct doorbell_way **out, uint32_t nr_servers)
{
	struct in_kvm *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->way = (struct doorbell_way){.ops = &doorbell_by_kvm, .nr_servers = nr_servers};
	k->fd = dev_open();
	if (k->fd >= 0) {
		*out = &k->way;
		return 0;
	}
	err = k->fd;
	free(k);
	return err;
}

static int in_kvm_listen(struct doorbell_way *y)
{
	y->listens = true;
	return 0;
}

static void in_kvm_leave(struct doorbell_way *y, uint64_t token)
{
	struct kvm_utmem_doorbell bell = {.token = token, .flags = KVM_UTMEM_DOORBELL_DEASSIGN};

	ioctl(of(y)->fd, KVM_UTMEM_DOORBELL, &bell);
}

static int in_kvm_join(struct doorbell_way *y, const struct doorbell_guest *g)
{
	struct kvm_utmem_doorbell bell = {
		.token = g->token,
		.fd = g->eventfd,
		.tgid = (__s32)g->tgid,
	};

	return ioctl(of(y)->fd, KVM_UTMEM_DOORBELL, &bell) ? -errno : 0;
}

static void in_kvm_close(struct doorbell_way *y)
{
	close(of(y)->fd);
	free(of(y));
}

const struct doorbell_ways doorbell_by_kvm = {
	.name = "kvm",
	.open = in_kvm_open,
	.listen = in_kvm_listen,
	.join = in_kvm_join,
	.leave = in_kvm_leave,
	.close = in_kvm_close,
};
