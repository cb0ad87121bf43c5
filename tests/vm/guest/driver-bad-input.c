// SPDX-License-Identifier: MIT
/* Everything that the driver must refuse, with which errno, and that a refusal changes nothing. */
#include <poll.h>
#include <stddef.h>
#include <sys/wait.h>

#include "tests/vm/guest/driver.h"

static const struct utmem_ioc_queue good_queue = {
	.sq_entries = 8,
	.data_len = 2 * UTMEM_PAGE,
	.batch_max = UTMEM_BATCH_DEFAULT,
	.batch_usecs = UTMEM_BATCH_DEFAULT,
	.batch_mode = UTMEM_BATCH_DEFAULT,
	.irq_max = UTMEM_BATCH_DEFAULT,
	.irq_usecs = UTMEM_BATCH_DEFAULT,
};

static int queues(void)
{
	FILE *f = fopen("/sys/class/misc/utmem0/queues", "r");
	int n = -1;

	if (!f || fscanf(f, "%d", &n) != 1)
		die("sysfs queues");
	fclose(f);
	return n;
}

/* ---- a file without a queue ---- */

static void without_queue(int fd)
{
	struct utmem_ioc_enter enter = {0};
	struct utmem_ioc_pool pool = {.name = "p"};
	struct utmem_ioc_batch batch = raw_knobs(1, 0);
	struct utmem_ioc_info info;
	struct utmem_ioc_stats stats;
	void *p;

	report_errno("INFO needs no queue", 0, ioctl(fd, UTMEM_IOC_INFO, &info));
	report_is("INFO names the ABI", UTMEM_ABI_MAJOR, info.abi_major);
	report(info.batch_max == 32 && info.batch_usecs == 50 && info.irq_max == 1 &&
		       !info.irq_usecs && info.batch_mode == UTMEM_BATCH_FIXED,
	       "and the device's knobs");
	report(!info.resv[0] && !info.resv[1], "and nothing where nothing is defined");
	report_errno("STATS needs no queue", 0, ioctl(fd, UTMEM_IOC_STATS, &stats));
	report_errno("ENTER without a queue", ENXIO, ioctl(fd, UTMEM_IOC_ENTER, &enter));
	report_errno("POOL_OPEN without a queue", ENXIO, ioctl(fd, UTMEM_IOC_POOL_OPEN, &pool));
	report_errno("BATCH_SET without a queue", ENXIO, ioctl(fd, UTMEM_IOC_BATCH_SET, &batch));
	report_errno("BATCH_GET without a queue", ENXIO, ioctl(fd, UTMEM_IOC_BATCH_GET, &batch));
	p = mmap(NULL, UTMEM_PAGE, PROT_READ, MAP_SHARED, fd, UTMEM_MMAP_QUEUE);
	report_errno("mmap of a queue that is not there", ENXIO, p == MAP_FAILED ? -1 : 0);
	report_errno("an unknown ioctl", ENOTTY, ioctl(fd, _IO(UTMEM_IOC_MAGIC, 99)));
	report_errno("an ioctl of another size", ENOTTY,
		     ioctl(fd, _IOW(UTMEM_IOC_MAGIC, 6, uint64_t), &enter));
}

static void bad_pointers(int fd)
{
	static const unsigned long requests[] = {
		UTMEM_IOC_INFO,	 UTMEM_IOC_QUEUE_CREATE, UTMEM_IOC_POOL_OPEN, UTMEM_IOC_POOL_STAT,
		UTMEM_IOC_ENTER, UTMEM_IOC_BATCH_SET,	 UTMEM_IOC_STATS,
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		good &= ioctl(fd, requests[i], (void *)8) < 0 && errno == EFAULT;
	report(good, "a pointer to nowhere is EFAULT for every ioctl");
}

/* ---- QUEUE_CREATE ---- */

/* A good request with one word of it changed. */
struct queue_row {
	const char *name;
	size_t field;
	uint32_t value;
};
#define FIELD(f) offsetof(struct utmem_ioc_queue, f)

static void create_rows(const struct queue_row *rows, size_t nr, int error)
{
	char name[96];

	for (size_t i = 0; i < nr; i++) {
		struct utmem_ioc_queue io = good_queue;
		int fd = raw_device();

		memcpy((char *)&io + rows[i].field, &rows[i].value, sizeof(rows[i].value));
		snprintf(name, sizeof(name), "QUEUE_CREATE: %s", rows[i].name);
		report_errno(name, error, ioctl(fd, UTMEM_IOC_QUEUE_CREATE, &io));
		if (queues() != !error)
			report_is("queues after it", !error, queues());
		close(fd);
	}
	report_is("closed files leave no queue", 0, queues());
}

static void bad_queues(const struct utmem_ioc_info *info)
{
	const struct queue_row rows[] = {
		{"reserved word", FIELD(resv0), 1},
		{"sq_entries 0", FIELD(sq_entries), 0},
		{"sq_entries 1", FIELD(sq_entries), 1},
		{"sq_entries no power of two", FIELD(sq_entries), 12},
		{"sq_entries over the limit", FIELD(sq_entries), 2 * info->max_sq_entries},
		{"sq_entries 2^31, twice of which is 0", FIELD(sq_entries), 1u << 31},
		{"cq_entries below sq_entries", FIELD(cq_entries), 4},
		{"cq_entries no power of two", FIELD(cq_entries), 9},
		{"cq_entries over the limit", FIELD(cq_entries), 2 * UTMEM_CQ_ENTRIES_MAX},
		{"data_len no whole pages", FIELD(data_len), UTMEM_PAGE + 1},
		{"data_len over the limit", FIELD(data_len), info->max_data_len + UTMEM_PAGE},
		{"data_len near 2^32", FIELD(data_len), 0u - UTMEM_PAGE},
		{"batch_max 0", FIELD(batch_max), 0},
		{"batch_max over the limit", FIELD(batch_max), UTMEM_BATCH_MAX_MAX + 1},
		{"batch_usecs over the limit", FIELD(batch_usecs), UTMEM_BATCH_USECS_MAX + 1},
		{"batch_mode over the limit", FIELD(batch_mode), UTMEM_BATCH_ADAPTIVE + 1},
		{"irq_max 0", FIELD(irq_max), 0},
		{"irq_max over the limit", FIELD(irq_max), UTMEM_IRQ_MAX_MAX + 1},
		{"irq_usecs over the limit", FIELD(irq_usecs), UTMEM_IRQ_USECS_MAX + 1},
	};

	create_rows(rows, sizeof(rows) / sizeof(*rows), EINVAL);
}

static void edge_queues(const struct utmem_ioc_info *info)
{
	const struct queue_row rows[] = {
		{"fewest sq_entries", FIELD(sq_entries), UTMEM_SQ_ENTRIES_MIN},
		{"most sq_entries", FIELD(sq_entries), info->max_sq_entries},
		{"most cq_entries", FIELD(cq_entries), UTMEM_CQ_ENTRIES_MAX},
		{"no data", FIELD(data_len), 0},
		{"most data", FIELD(data_len), info->max_data_len},
		{"smallest batch_max", FIELD(batch_max), UTMEM_BATCH_MAX_MIN},
		{"largest batch_max", FIELD(batch_max), UTMEM_BATCH_MAX_MAX},
		{"no delay", FIELD(batch_usecs), 0},
		{"longest delay", FIELD(batch_usecs), UTMEM_BATCH_USECS_MAX},
		{"adaptive", FIELD(batch_mode), UTMEM_BATCH_ADAPTIVE},
		{"smallest irq_max", FIELD(irq_max), UTMEM_IRQ_MAX_MIN},
		{"largest irq_max", FIELD(irq_max), UTMEM_IRQ_MAX_MAX},
		{"no delay of interrupts", FIELD(irq_usecs), 0},
		{"longest delay of interrupts", FIELD(irq_usecs), UTMEM_IRQ_USECS_MAX},
	};

	create_rows(rows, sizeof(rows) / sizeof(*rows), 0);
}

/* The answer cannot be written: the queue must not stay. */
static void unwritable_answer(int fd)
{
	struct utmem_ioc_queue *io =
		mmap(NULL, UTMEM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*io = good_queue;
	mprotect(io, UTMEM_PAGE, PROT_READ);
	report_errno("QUEUE_CREATE into read-only memory", EFAULT,
		     ioctl(fd, UTMEM_IOC_QUEUE_CREATE, io));
	report_is("and no queue stays", 0, queues());
	munmap(io, UTMEM_PAGE);
}

static struct utmem_geometry one_queue(int fd)
{
	struct utmem_ioc_queue io = good_queue, again = good_queue;

	report_errno("QUEUE_CREATE", 0, ioctl(fd, UTMEM_IOC_QUEUE_CREATE, &io));
	report_is("cq_entries 0 means twice sq_entries", 16, io.geo.cq_entries);
	report_is("its offset is that of the mapping", 0, (long long)io.geo.off);
	report_errno("a second queue on one file", EBUSY,
		     ioctl(fd, UTMEM_IOC_QUEUE_CREATE, &again));
	report_is("sysfs counts one queue", 1, queues());
	return io.geo;
}

/* ---- ENTER, BATCH ---- */

static void bad_enters(int fd)
{
	const struct {
		const char *name;
		struct utmem_ioc_enter e;
		int error;
	} bad[] = {
		{"resv0", {.resv0 = 1}, EINVAL},
		{"reserved word", {.resv = {1}}, EINVAL},
		{"unknown flag", {.flags = 2}, EINVAL},
		{"min_complete over cq_entries", {.min_complete = 17}, EINVAL},
		{"negative timeout", {.min_complete = 1, .timeout_ns = -2}, EINVAL},
		{"nothing complete, no patience", {.min_complete = 1}, ETIME},
		{"nothing complete in time", {.min_complete = 1, .timeout_ns = 1000000}, ETIME},
		{"all of cq_entries", {.min_complete = 16}, ETIME},
		{"nothing to do", {.to_submit = 0}, 0},
	};
	char name[96];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct utmem_ioc_enter e = bad[i].e;

		snprintf(name, sizeof(name), "ENTER: %s", bad[i].name);
		report_errno(name, bad[i].error, ioctl(fd, UTMEM_IOC_ENTER, &e));
	}
}

/* Good knobs with one word of them changed. */
struct batch_row {
	const char *name;
	size_t field;
	uint32_t value;
	int error;
};
#define KNOB(f) offsetof(struct utmem_ioc_batch, f)

static const struct utmem_ioc_batch some_batch = {.batch_max = 7,
						  .batch_usecs = 70,
						  .batch_mode = UTMEM_BATCH_ADAPTIVE,
						  .irq_max = 3,
						  .irq_usecs = 30};

static void batch_rows(int fd)
{
	static const struct batch_row rows[] = {
		{"batch_max 0", KNOB(batch_max), 0, EINVAL},
		{"batch_max 1", KNOB(batch_max), 1, 0},
		{"largest batch_max", KNOB(batch_max), UTMEM_BATCH_MAX_MAX, 0},
		{"batch_max over the limit", KNOB(batch_max), UTMEM_BATCH_MAX_MAX + 1, EINVAL},
		{"no delay", KNOB(batch_usecs), 0, 0},
		{"longest delay", KNOB(batch_usecs), UTMEM_BATCH_USECS_MAX, 0},
		{"batch_usecs over the limit", KNOB(batch_usecs), UTMEM_BATCH_USECS_MAX + 1,
		 EINVAL},
		{"fixed", KNOB(batch_mode), UTMEM_BATCH_FIXED, 0},
		{"batch_mode over the limit", KNOB(batch_mode), UTMEM_BATCH_ADAPTIVE + 1, EINVAL},
		{"irq_max 0", KNOB(irq_max), 0, EINVAL},
		{"irq_max 1", KNOB(irq_max), 1, 0},
		{"largest irq_max", KNOB(irq_max), UTMEM_IRQ_MAX_MAX, 0},
		{"irq_max over the limit", KNOB(irq_max), UTMEM_IRQ_MAX_MAX + 1, EINVAL},
		{"no delay of interrupts", KNOB(irq_usecs), 0, 0},
		{"longest delay of interrupts", KNOB(irq_usecs), UTMEM_IRQ_USECS_MAX, 0},
		{"irq_usecs over the limit", KNOB(irq_usecs), UTMEM_IRQ_USECS_MAX + 1, EINVAL},
		{"almost the word for the device's", KNOB(batch_usecs), UTMEM_BATCH_DEFAULT - 1,
		 EINVAL},
		{"resv0", KNOB(resv0), 1, EINVAL},
		{"reserved word", KNOB(resv), 1, EINVAL},
	};
	char name[96];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct utmem_ioc_batch b = some_batch, now = {0};

		ioctl(fd, UTMEM_IOC_BATCH_SET, &b);
		memcpy((char *)&b + rows[i].field, &rows[i].value, sizeof(rows[i].value));
		snprintf(name, sizeof(name), "BATCH_SET: %s", rows[i].name);
		report_errno(name, rows[i].error, ioctl(fd, UTMEM_IOC_BATCH_SET, &b));
		ioctl(fd, UTMEM_IOC_BATCH_GET, &now);
		snprintf(name, sizeof(name), "BATCH_GET after it says %s",
			 rows[i].error ? "what was before" : "that");
		report(!memcmp(&now, rows[i].error ? &some_batch : &b, sizeof(now)), name);
	}
}

static void batches(int fd)
{
	struct utmem_ioc_batch b;

	batch_rows(fd);
	memset(&b, 0, sizeof(b));
	b.batch_max = b.batch_usecs = b.batch_mode = b.irq_max = b.irq_usecs = UTMEM_BATCH_DEFAULT;
	report_errno("BATCH_SET: back to the device's", 0, ioctl(fd, UTMEM_IOC_BATCH_SET, &b));
	ioctl(fd, UTMEM_IOC_BATCH_GET, &b);
	report(b.batch_max == 32 && b.batch_usecs == 50 && b.batch_mode == UTMEM_BATCH_FIXED &&
		       b.irq_max == 1 && !b.irq_usecs,
	       "BATCH_GET says the device's");
}

/* ---- pools ---- */

static void bad_pools(int fd)
{
	const struct {
		const char *name;
		unsigned long request;
		struct utmem_ioc_pool io;
		int error;
	} bad[] = {
		{"OPEN: resv0", UTMEM_IOC_POOL_OPEN, {.name = "p", .resv0 = 1}, EINVAL},
		{"OPEN: reserved word", UTMEM_IOC_POOL_OPEN, {.name = "p", .resv = {0, 1}}, EINVAL},
		{"OPEN: ANY_OWNER", UTMEM_IOC_POOL_OPEN, {.name = "p", .flags = 1 << 6}, EINVAL},
		{"OPEN: unknown flag", UTMEM_IOC_POOL_OPEN, {.name = "p", .flags = 1 << 7}, EINVAL},
		{"OPEN: no name", UTMEM_IOC_POOL_OPEN, {.flags = UTMEM_POOL_CREATE}, EINVAL},
		{"OPEN: not there", UTMEM_IOC_POOL_OPEN, {.name = "absent"}, ENOENT},
		{"CLOSE: flags", UTMEM_IOC_POOL_CLOSE, {.flags = 1}, EINVAL},
		{"CLOSE: no such handle", UTMEM_IOC_POOL_CLOSE, {.handle = 5}, EACCES},
		{"CLOSE: handle over the limit", UTMEM_IOC_POOL_CLOSE, {.handle = 64}, EACCES},
		{"DESTROY: no such handle", UTMEM_IOC_POOL_DESTROY, {.handle = 5}, EACCES},
	};
	struct utmem_pool_stat stat = {.handle = 5};
	char name[96];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct utmem_ioc_pool io = bad[i].io;

		snprintf(name, sizeof(name), "POOL_%s", bad[i].name);
		report_errno(name, bad[i].error, ioctl(fd, bad[i].request, &io));
	}
	report_errno("POOL_STAT: no such handle", EACCES, ioctl(fd, UTMEM_IOC_POOL_STAT, &stat));
	stat.resv[3] = 1;
	report_errno("POOL_STAT: reserved word", EINVAL, ioctl(fd, UTMEM_IOC_POOL_STAT, &stat));
}

static void most_pools(int fd)
{
	struct utmem_ioc_pool io = {.name = "many", .flags = UTMEM_POOL_CREATE};
	struct utmem_pool_stat stat = {.queue_id = 1234};
	unsigned int n = 0;

	while (n <= UTMEM_POOLS_PER_QUEUE && !ioctl(fd, UTMEM_IOC_POOL_OPEN, &io))
		n++;
	report_is("so many handles, then EMFILE", UTMEM_POOLS_PER_QUEUE, errno == EMFILE ? n : 0);
	report_errno("POOL_STAT", 0, ioctl(fd, UTMEM_IOC_POOL_STAT, &stat));
	report_is("the process does not choose the queue", 0, stat.queue_id);
	io = (struct utmem_ioc_pool){.handle = 0};
	report_errno("POOL_DESTROY", 0, ioctl(fd, UTMEM_IOC_POOL_DESTROY, &io));
}

/* ---- mappings ---- */

static void bad_map(const char *name, int error, int fd, size_t len, int prot, int flags,
		    uint64_t off)
{
	void *p = mmap(NULL, len, prot, flags, fd, (off_t)off);

	report_errno(name, error, p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		munmap(p, len);
}

static void mappings(int fd, const struct utmem_geometry *geo)
{
	const int rw = PROT_READ | PROT_WRITE;
	char *p;
	int status;

	bad_map("mmap beyond the queue", EINVAL, fd, geo->len + 1, rw, MAP_SHARED, 0);
	bad_map("mmap from its second page", EINVAL, fd, UTMEM_PAGE, rw, MAP_SHARED, UTMEM_PAGE);
	bad_map("mmap private", EINVAL, fd, geo->len, rw, MAP_PRIVATE, 0);
	bad_map("mmap to execute", EACCES, fd, geo->len, rw | PROT_EXEC, MAP_SHARED, 0);
	bad_map("mmap of the last offset", EINVAL, fd, UTMEM_PAGE, PROT_READ, MAP_SHARED,
		INT64_MAX & ~(uint64_t)(UTMEM_PAGE - 1) & ~(1ull << 62));
	bad_map("control page to write", EACCES, fd, UTMEM_PAGE, rw, MAP_SHARED,
		UTMEM_MMAP_CONTROL);
	bad_map("two control pages", EINVAL, fd, 2 * UTMEM_PAGE, PROT_READ, MAP_SHARED,
		UTMEM_MMAP_CONTROL);
	bad_map("what follows the control page", EINVAL, fd, UTMEM_PAGE, PROT_READ, MAP_SHARED,
		UTMEM_MMAP_CONTROL + UTMEM_PAGE);
	bad_map("part of the queue, from its start", 0, fd, UTMEM_PAGE, rw, MAP_SHARED, 0);

	p = mmap(NULL, UTMEM_PAGE, PROT_READ, MAP_SHARED, fd, UTMEM_MMAP_CONTROL);
	report_errno("control page made writable later", EACCES, mprotect(p, UTMEM_PAGE, rw));
	munmap(p, UTMEM_PAGE);

	p = mmap(NULL, geo->len, rw, MAP_SHARED, fd, 0);
	p[0] = 0;
	p[geo->len - 1] = 1;
	report_is("the queue's last byte", 1, p[geo->len - 1]);
	report_errno("queue made executable later", EACCES,
		     mprotect(p, geo->len, PROT_READ | PROT_EXEC));
	report_errno("mapping made longer", EFAULT,
		     mremap(p, geo->len, geo->len + UTMEM_PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1
											      : 0);
	fflush(stdout);
	if (!fork())
		_exit(msync(p, UTMEM_PAGE, MS_ASYNC) < 0 && errno == ENOMEM ? 0 : 1);
	wait(&status);
	report_is("a child has no mapping of its parent's queue", 0, status);
	munmap(p, geo->len);
}

/* ---- a process that lies in its ring ---- */

static short poll_now(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, timeout_ms);
	return p.revents;
}

static void lying_tail(void)
{
	struct raw r, other;

	raw_open(&r, 8, 1, 0);
	raw_open(&other, 8, 1, 0);
	report_is("nothing to poll for", 0, poll_now(r.fd, 0));
	raw_publish_nops(&r, 1);
	raw_enter(&r, 1, 0, 0, 0);
	report_is("poll waits for a completion", POLLIN, poll_now(r.fd, DEADLINE_SECONDS * 1000));
	raw_spin(&r, 1);

	utmem_store_release(&r.page->sq_tail, 1000u);
	report_errno("a tail that lies ends the queue", EPROTO, raw_enter(&r, 1, 1, 0, -1));
	report_is("and poll says so", POLLERR | POLLHUP, poll_now(r.fd, 0));
	report_errno("nothing can be submitted", EPROTO, raw_enter(&r, 1, 0, 0, 0));
	raw_publish_nops(&other, 1);
	report_errno("another queue is not touched", 0, raw_enter(&other, 1, 1, 0, -1));
	raw_close(&r);
	raw_close(&other);
}

/* ---- one file, two processes ---- */

/* Until the child sleeps in the kernel. */
static void wait_asleep(pid_t pid)
{
	time_t since = time(NULL);
	char path[64], state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		FILE *f = fopen(path, "r");

		if (!f || fscanf(f, "%*d %*s %c", &state) != 1 || past_deadline(since))
			die("a child sleeps");
		fclose(f);
		sched_yield();
	} while (state != 'S');
}

static void one_waiter(void)
{
	struct raw r;
	int status;
	pid_t pid;

	raw_open(&r, 8, 1, 0);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(raw_enter(&r, 0, 1, 0, -1) ? errno : 0);
	wait_asleep(pid);
	report_errno("a queue has one waiter", EBUSY, raw_enter(&r, 1, 1, 0, -1));
	report_is("and what the second announced is not counted", 0,
		  (long long)raw_stats(&r).queue.requests);
	report_errno("others may look", ETIME, raw_enter(&r, 0, 1, 0, 0));
	raw_publish_nops(&r, 1);
	report_errno("and submit", 0, raw_enter(&r, 1, 0, 0, 0));
	wait(&status);
	report_is("which wakes it", 0, status);
	raw_close(&r);
}

static void polled_before_it_has_a_queue(void)
{
	struct raw r = {.fd = raw_device()};
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(poll_now(r.fd, DEADLINE_SECONDS * 1000) != POLLIN);
	wait_asleep(pid);
	raw_attach(&r, 8, 1, 0);
	raw_publish_nops(&r, 1);
	raw_enter(&r, 1, 0, 0, 0);
	wait(&status);
	report_is("who polled a file before it had a queue is woken", 0, status);
	raw_close(&r);
}

int main(void)
{
	struct utmem_ioc_info info;
	struct utmem_geometry geo;
	int fd = raw_device();

	ioctl(fd, UTMEM_IOC_INFO, &info);
	without_queue(fd);
	bad_pointers(fd);
	bad_queues(&info);
	edge_queues(&info);
	unwritable_answer(fd);
	geo = one_queue(fd);
	bad_enters(fd);
	batches(fd);
	bad_pools(fd);
	most_pools(fd);
	mappings(fd, &geo);
	lying_tail();
	one_waiter();
	polled_before_it_has_a_queue();
	close(fd);
	report_is("nothing is left", 0, queues());
	return failed;
}
