// SPDX-License-Identifier: MIT
/*
 * Usage: driver-bad-header PCI_ADDRESS
 * Plays the host of a bare ivshmem device (no interrupts): writes headers into its memory, offers
 * it to the driver, and looks at what the driver says in the kernel's log.
 */
#include <stddef.h>

#include "tests/vm/guest/driver.h"

static char sys_dir[128];
static int kmsg;

/* A header that is right, for a window of 1 MiB. */
static struct utmem_window_hdr good_header(void)
{
	struct utmem_window_hdr h = {
		.magic = UTMEM_MAGIC,
		.abi_major = UTMEM_ABI_MAJOR,
		.hdr_len = sizeof(h),
		.features = UTMEM_FEAT_DOORBELL_MMIO,
		.window_len = 1 << 20,
		.control_off = UTMEM_PAGE,
		.nr_svc = 1,
		.host_peer = 1,
		.max_queues = 8,
		.max_sq_entries = 64,
		.max_data_len = 1 << 16,
		.max_key_len = UTMEM_KEY_MAX,
		.max_value_len = UTMEM_VALUE_MAX,
	};

	utmem_geometry_init(&h.admin, 2 * UTMEM_PAGE, 32, 64, 2 * UTMEM_PAGE);
	return h;
}

/* Not mapped while the driver looks: our mapping is uncached, and its type would win. */
static void header_write(const struct utmem_window_hdr *h)
{
	char path[160];
	void *window;
	int fd;

	snprintf(path, sizeof(path), "%s/resource2", sys_dir);
	fd = open(path, O_RDWR);
	window = mmap(NULL, UTMEM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || window == MAP_FAILED)
		die(path);
	memcpy(window, h, sizeof(*h));
	munmap(window, UTMEM_PAGE);
	close(fd);
}

/* Return: 0, or the errno of a driver that does not take it. */
static int bind_device(const char *address)
{
	int fd = open("/sys/bus/pci/drivers/utmem/bind", O_WRONLY), error = 0;

	if (write(fd, address, strlen(address)) < 0)
		error = errno;
	close(fd);
	return error;
}

/* Does the log hold a line of the driver about this device, since the last call, with @words in it? */
static bool log_says(const char *address, const char *words)
{
	char line[1024], prefix[64];
	bool said = false;
	ssize_t n;

	snprintf(prefix, sizeof(prefix), "utmem %s: ", address);
	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		said |= strstr(line, prefix) && strstr(line, words);
	}
	return said;
}

static void offer(const char *address, const struct utmem_window_hdr *h, const char *name,
		  int error, const char *words)
{
	char text[128];
	int got;

	header_write(h);
	log_says(address, "");
	got = bind_device(address);
	snprintf(text, sizeof(text), "header: %s", name);
	report(got == error && log_says(address, words), text);
	if (got != error)
		printf("want %s, got %s\n", strerrorname_np(error),
		       got ? strerrorname_np(got) : "success");
}

/* A good header with one 32-bit word of it changed. */
static const struct row {
	const char *name;
	size_t field;
	uint32_t value;
	const char *complaint;
} rows[] = {
#define FIELD(f) offsetof(struct utmem_window_hdr, f)
	{"hdr_len too short", FIELD(hdr_len), 255, "bad magic, ABI or length"},
	{"no doorbell we know", FIELD(features), 2, "bad features"},
	{"window longer than the memory", FIELD(window_len), 1 << 21, "bad window_len"},
	{"window shorter than the memory", FIELD(window_len), 1 << 19, "bad window_len"},
	{"window no power of two", FIELD(window_len), 3 << 18, "bad window_len"},
	{"window too short", FIELD(window_len), 1 << 17, "bad window_len"},
	{"control page on the header", FIELD(control_off), 0, "bad control_off"},
	{"control page not aligned", FIELD(control_off), 4100, "bad control_off"},
	{"control page at the window's end", FIELD(control_off), 1 << 20, "bad control_off"},
	{"admin queue on the control page", FIELD(control_off), 3 << 12, "bad admin queue"},
	{"admin queue on the header", FIELD(admin.off), 0, "bad admin queue"},
	{"admin queue beyond the window", FIELD(admin.off), 1 << 20, "bad admin queue"},
	{"admin queue at 2^32 and more", FIELD(admin.off) + 4, 1, "bad admin queue"},
	{"admin queue of another length", FIELD(admin.len), 4096, "bad admin queue"},
	{"admin queue with data elsewhere", FIELD(admin.data_off), 4096, "bad admin queue"},
	{"no service", FIELD(nr_svc), 0, "bad nr_svc"},
	{"17 services", FIELD(nr_svc), UTMEM_SVC_MAX + 1, "bad nr_svc"},
	{"host_peer over 16 bits", FIELD(host_peer), 1 << 16, "bad host_peer"},
	{"host_peer is our own", FIELD(host_peer), 0, "ivshmem position 0"},
	{"room for the admin queue only", FIELD(max_queues), 1, "bad max_queues"},
	{"1025 queues", FIELD(max_queues), UTMEM_QUEUES_MAX + 1, "bad max_queues"},
	{"one entry", FIELD(max_sq_entries), 1, "bad max_sq_entries"},
	{"too many entries", FIELD(max_sq_entries), 1 << 16, "bad max_sq_entries"},
	{"too much data", FIELD(max_data_len), UINT32_MAX, "bad max_data_len"},
	{"keys too long", FIELD(max_key_len), UTMEM_KEY_MAX + 1, "bad max_key_len"},
	{"values too long", FIELD(max_value_len) + 4, 1, "bad max_value_len"},
};

static void strangers(const char *address)
{
	struct utmem_window_hdr h = good_header();

	h.magic++;
	header_write(&h);
	log_says(address, "");
	report_is("another magic is not ours", ENODEV, bind_device(address));
	report(!log_says(address, ""), "and not worth a word");
	h = good_header();
	h.abi_major = 2;
	offer(address, &h, "a newer ABI", ENODEV, "the host speaks ABI 2.0");
}

int main(int argc, char **argv)
{
	const char *address = argv[1];
	struct utmem_window_hdr h;

	if (argc != 2)
		return 2;
	snprintf(sys_dir, sizeof(sys_dir), "/sys/bus/pci/devices/%s", address);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg < 0)
		die("/dev/kmsg");
	strangers(address);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];

		h = good_header();
		memcpy((char *)&h + r->field, &r->value, sizeof(r->value));
		offer(address, &h, r->name, EPROTO, r->complaint);
	}
	h = good_header();
	offer(address, &h, "right, but there are no interrupts", EINVAL, "no MSI-X vector");
	return failed;
}
