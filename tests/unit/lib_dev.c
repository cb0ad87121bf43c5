// SPDX-License-Identifier: MIT
/*
 * dev: what the library says to the driver, and when. The transport is built into
 * this program with a driver of ours behind its system calls; the VM tests have the
 * real one.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int fake_open(const char *path, int flags);
static int fake_close(int fd);
static int fake_ioctl(int fd, unsigned long request, void *arg);
static void *fake_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
static int fake_munmap(void *p, size_t len);
#define open fake_open
#define close fake_close
#define ioctl fake_ioctl
#define mmap fake_mmap
#define munmap fake_munmap
#include "libutmem/transport_dev.c"
#undef open
#undef close
#undef ioctl
#undef mmap
#undef munmap

#include <setjmp.h>
#include <cmocka.h>

#define FD_FIRST 1000
#define WINDOW_LEN (16u << 20)

/* One device, at most one queue at a time. */
static struct {
	struct utmem_ioc_info info;
	struct utmem_geometry geo, told; /* what is, and what is said */
	struct utmem_ioc_queue asked;
	struct utmem_ioc_batch set; /* the latest BATCH_SET */
	char *queue;
	struct utmem_control *control;
	struct utmem_sq_reader sq;
	struct utmem_cq_writer cq;
	struct utmem_ioc_enter enter; /* the latest */
	struct utmem_ioc_pool pool;
	uint32_t nr_enters, nr_sets, nr_open, nr_mapped;
	int err; /* of the next ENTER, POOL_OPEN or BATCH_SET */
	bool no_map;
	uint32_t complete; /* by the next ENTER that waits */
} dev;

static int fake_open(const char *path, int flags)
{
	(void)flags;
	if (strcmp(path, "/dev/fake")) {
		errno = ENOENT;
		return -1;
	}
	return FD_FIRST + (int)dev.nr_open++;
}

static int fake_close(int fd)
{
	assert_true(fd >= FD_FIRST);
	dev.nr_open--;
	return 0;
}

static void complete(uint32_t n)
{
	while (n--) {
		struct utmem_sqe sqe;
		uint32_t waiting;

		assert_int_equal(utmem_sq_peek(&dev.sq, &waiting), 0);
		assert_true(waiting > 0);
		utmem_sq_copy(&dev.sq, 0, &sqe);
		utmem_cq_fill(&dev.cq, sqe.user_data, 0, 0);
		utmem_cq_publish(&dev.cq);
		utmem_sq_release(&dev.sq, 1);
	}
}

static int queue_create(struct utmem_ioc_queue *io)
{
	int err = utmem_geometry_init(&dev.geo, 0, io->sq_entries, io->cq_entries, io->data_len);

	if (err)
		return err;
	dev.asked = *io;
	dev.queue = aligned_alloc(UTMEM_PAGE, dev.geo.len);
	memset(dev.queue, 0, UTMEM_PAGE);
	utmem_sq_reader_init(&dev.sq, dev.queue, &dev.geo, 0);
	utmem_cq_writer_init(&dev.cq, dev.queue, &dev.geo, 0);
	utmem_state_store((struct utmem_ring_page *)dev.queue, UTMEM_QUEUE_LIVE, 0);
	io->geo = dev.told.len ? dev.told : dev.geo;
	io->svc_slot = 2;
	return 0;
}

static int enter(const struct utmem_ioc_enter *e)
{
	int err = dev.err;

	dev.enter = *e;
	dev.nr_enters++;
	dev.err = 0;
	if (!err && e->min_complete) {
		complete(dev.complete);
		dev.complete = 0;
	}
	return err;
}

static int dispatch(unsigned long request, void *arg)
{
	struct utmem_ioc_stats stats = {.queue = {.doorbells = 3,
						  .interrupts = 4,
						  .deferred = 5,
						  .hypercalls = 6,
						  .unanswered = 7,
						  .coalesced = 8}};

	switch (request) {
	case UTMEM_IOC_INFO:
		memcpy(arg, &dev.info, sizeof(dev.info));
		return 0;
	case UTMEM_IOC_QUEUE_CREATE:
		return queue_create(arg);
	case UTMEM_IOC_ENTER:
		return enter(arg);
	case UTMEM_IOC_POOL_OPEN:
		dev.pool = *(struct utmem_ioc_pool *)arg;
		((struct utmem_ioc_pool *)arg)->handle = 9;
		return dev.err;
	case UTMEM_IOC_POOL_CLOSE:
	case UTMEM_IOC_POOL_DESTROY:
		dev.pool = *(struct utmem_ioc_pool *)arg;
		return request == UTMEM_IOC_POOL_CLOSE ? -EAGAIN : -EBUSY; /* tell them apart */
	case UTMEM_IOC_POOL_STAT:
		((struct utmem_pool_stat *)arg)->nr_items = 77;
		return 0;
	case UTMEM_IOC_BATCH_SET:
		dev.set = *(struct utmem_ioc_batch *)arg;
		dev.nr_sets++;
		return dev.err;
	case UTMEM_IOC_STATS:
		memcpy(arg, &stats, sizeof(stats));
		return 0;
	default:
		return -ENOTTY;
	}
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	int err = dispatch(request, arg);

	assert_true(fd >= FD_FIRST);
	errno = -err;
	return err ? -1 : 0;
}

static void *fake_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	(void)at, (void)fd;
	assert_int_equal(flags, MAP_SHARED);
	if (dev.no_map && off) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	dev.nr_mapped++;
	if ((uint64_t)off == UTMEM_MMAP_CONTROL) {
		assert_int_equal(len, UTMEM_PAGE);
		assert_int_equal(prot, PROT_READ);
		return dev.control;
	}
	assert_int_equal(off, UTMEM_MMAP_QUEUE);
	assert_int_equal(len, dev.geo.len);
	return dev.queue;
}

static int fake_munmap(void *p, size_t len)
{
	(void)len;
	assert_true(p == dev.queue || p == dev.control);
	dev.nr_mapped--;
	return 0;
}

/* ---- the rig ---- */

static struct utmem *u;
static struct utmem_queue *q;

static int start(void **state)
{
	(void)state;
	memset(&dev, 0, sizeof(dev));
	dev.info = (struct utmem_ioc_info){
		.abi_major = UTMEM_ABI_MAJOR,
		.window_len = WINDOW_LEN,
		.max_queues = 8,
		.max_sq_entries = 64,
		.max_data_len = 1 << 20,
		.max_key_len = UTMEM_KEY_MAX,
		.max_value_len = UTMEM_VALUE_MAX,
	};
	dev.control = aligned_alloc(UTMEM_PAGE, UTMEM_PAGE);
	memset(dev.control, 0, UTMEM_PAGE);
	dev.control->host.state = UTMEM_HOST_RUNNING;
	dev.control->svc[2].flags = UTMEM_SVC_NEED_KICK;
	u = NULL;
	q = NULL;
	return 0;
}

/* Nothing of the device is left open or mapped. */
static int stop(void **state)
{
	(void)state;
	utmem_queue_exit(q);
	utmem_disconnect(u);
	assert_int_equal(dev.nr_open, 0);
	assert_int_equal(dev.nr_mapped, 0);
	free(dev.queue);
	free(dev.control);
	return 0;
}

static void open_queue(void)
{
	/* Without a spin the sequence of calls is the same every time. */
	struct utmem_queue_params params = {
		.sq_entries = 8, .data_len = 65536, .spin_usecs = UTMEM_NO_SPIN};

	assert_int_equal(utmem_connect(&u, "dev:/dev/fake"), 0);
	assert_int_equal(utmem_queue_init(u, &q, &params), 0);
}

static void prepare(int n)
{
	while (n--)
		assert_non_null(utmem_get_sqe(q));
}

/* 0: awake. */
static void host_sleeps(uint32_t nr)
{
	if (nr)
		utmem_kick_arm(&dev.control->svc[2], nr);
	else
		utmem_kick_disarm(&dev.control->svc[2]);
}

/* ---- tests ---- */

static void a_device_of_another_major_is_eproto(void **state)
{
	(void)state;
	dev.info.abi_major = UTMEM_ABI_MAJOR + 1;
	assert_int_equal(utmem_connect(&u, "dev:/dev/fake"), -EPROTO);
	assert_null(u);
	assert_int_equal(utmem_connect(&u, "dev:/dev/other"), -ENOENT);
}

static void a_lying_geometry_is_eproto(void **state)
{
	struct utmem_geometry good;

	(void)state;
	open_queue();
	good = dev.geo;
	utmem_queue_exit(q);
	free(dev.queue);
	for (int i = 0; i < 4; i++) {
		dev.told = good;
		switch (i) {
		case 0:
			dev.told.off = UTMEM_PAGE;
			break;
		case 1:
			dev.told.data_len = 1 << 30;
			break;
		case 2:
			dev.told.cq_off += 64;
			break;
		default:
			utmem_geometry_init(&dev.told, 0, 4, 8, good.data_len);
			break;
		}
		assert_int_equal(utmem_queue_init(u, &q,
						  &(struct utmem_queue_params){.sq_entries = 8,
									       .data_len = 65536}),
				 -EPROTO);
		assert_int_equal(dev.nr_open, 0);
		free(dev.queue);
	}
	dev.queue = NULL;
}

static void a_mapping_that_fails_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(utmem_connect(&u, "dev:/dev/fake"), 0);
	dev.no_map = true;
	assert_int_equal(utmem_queue_init(u, &q, NULL), -ENOMEM);
	assert_int_equal(dev.nr_mapped, 0);
}

/* A queue with these knobs is made and ended: what the driver was asked for is in dev.asked. */
static int ask(struct utmem_queue_params params)
{
	int err = utmem_queue_init(u, &q, &params);

	utmem_queue_exit(q);
	q = NULL;
	free(dev.queue);
	dev.queue = NULL;
	return err;
}
#define ASK(...) ask((struct utmem_queue_params){__VA_ARGS__})
#define TUNE(...) utmem_queue_tune(q, &(struct utmem_queue_params){__VA_ARGS__})

static void knobs_reach_the_driver_and_zero_is_its_default(void **state)
{
	(void)state;
	assert_int_equal(utmem_connect(&u, "dev:/dev/fake"), 0);
	assert_int_equal(ASK(0), 0);
	assert_int_equal(dev.asked.batch_max, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.asked.batch_usecs, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.asked.batch_mode, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.asked.irq_max, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.asked.irq_usecs, UTMEM_BATCH_DEFAULT);
	assert_int_equal(ASK(.batch_max = 7, .batch_usecs = 9, .batch_mode = UTMEM_MODE_ADAPTIVE,
			     .irq_max = 11, .irq_usecs = 13),
			 0);
	assert_int_equal(dev.asked.batch_max, 7);
	assert_int_equal(dev.asked.batch_usecs, 9);
	assert_int_equal(dev.asked.batch_mode, UTMEM_BATCH_ADAPTIVE);
	assert_int_equal(dev.asked.irq_max, 11);
	assert_int_equal(dev.asked.irq_usecs, 13);
	assert_int_equal(dev.asked.resv0, 0);
	assert_int_equal(ASK(.batch_usecs = UTMEM_NO_DELAY, .batch_mode = UTMEM_MODE_FIXED,
			     .irq_usecs = UTMEM_NO_DELAY),
			 0);
	assert_int_equal(dev.asked.batch_usecs, 0);
	assert_int_equal(dev.asked.batch_mode, UTMEM_BATCH_FIXED);
	assert_int_equal(dev.asked.irq_usecs, 0);
}

static void the_knobs_of_a_queue_in_use_change_all_at_once(void **state)
{
	(void)state;
	open_queue();
	assert_int_equal(TUNE(.batch_max = 65536, .batch_usecs = 1000000, .irq_max = 65536,
			      .irq_usecs = 1000000),
			 0);
	assert_int_equal(dev.set.batch_max, UTMEM_BATCH_MAX_MAX);
	assert_int_equal(dev.set.batch_usecs, UTMEM_BATCH_USECS_MAX);
	assert_int_equal(dev.set.batch_mode, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.set.irq_max, UTMEM_IRQ_MAX_MAX);
	assert_int_equal(dev.set.irq_usecs, UTMEM_IRQ_USECS_MAX);
	assert_int_equal(dev.set.resv0 | dev.set.resv[0], 0);
	assert_int_equal(utmem_queue_tune(q, NULL), 0);
	assert_int_equal(dev.set.batch_max, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.set.irq_usecs, UTMEM_BATCH_DEFAULT);
	assert_int_equal(dev.nr_sets, 2);
}

static void what_tune_refuses_does_not_reach_the_driver(void **state)
{
	(void)state;
	open_queue();
	assert_int_equal(TUNE(.batch_max = UTMEM_BATCH_MAX_MAX + 1), -EINVAL);
	assert_int_equal(TUNE(.sq_entries = 8), -EINVAL);
	assert_int_equal(TUNE(.cq_entries = 8), -EINVAL);
	assert_int_equal(TUNE(.data_len = 65536), -EINVAL);
	assert_int_equal(dev.nr_sets, 0);
	dev.err = -ENODEV;
	assert_int_equal(TUNE(.batch_max = 1), -ENODEV);
}

static void a_submit_enters_once_without_flush_and_only_when_the_host_sleeps(void **state)
{
	struct utmem_stats s;

	(void)state;
	open_queue();
	prepare(3);
	assert_int_equal(utmem_submit(q), 3);
	assert_int_equal(dev.nr_enters, 1);
	assert_int_equal(dev.enter.to_submit, 3);
	assert_int_equal(dev.enter.flags, 0);
	assert_int_equal(dev.enter.min_complete, 0);
	host_sleeps(0);
	prepare(2);
	assert_int_equal(utmem_submit(q), 2);
	assert_int_equal(utmem_flush(q), 0);
	assert_int_equal(dev.nr_enters, 1);
	assert_int_equal(utmem_queue_stats(q, &s), 0);
	assert_int_equal(s.submits, 2);
	assert_int_equal(s.kicks, 1);
	assert_int_equal(s.doorbells, 3);
	assert_int_equal(s.interrupts, 4);
	assert_int_equal(s.deferred, 5);
	assert_int_equal(s.hypercalls, 6);
	assert_int_equal(s.unanswered, 7);
	assert_int_equal(s.coalesced, 8);
	assert_int_equal(s.spin_ns, 0);
}

static void a_flush_rings_for_what_was_held_back(void **state)
{
	(void)state;
	open_queue();
	prepare(1);
	assert_int_equal(utmem_submit(q), 1);
	assert_int_equal(utmem_flush(q), 0);
	assert_int_equal(dev.nr_enters, 2);
	assert_int_equal(dev.enter.to_submit, 0);
	assert_int_equal(dev.enter.flags, UTMEM_ENTER_FLUSH);
}

static void what_has_been_rung_for_is_not_entered_again_before_the_next_sleep(void **state)
{
	(void)state;
	open_queue();
	host_sleeps(5);
	prepare(1);
	assert_int_equal(utmem_flush(q), 1);
	assert_int_equal(dev.nr_enters, 1);
	assert_int_equal(dev.enter.flags, UTMEM_ENTER_FLUSH);
	prepare(1);
	assert_int_equal(utmem_flush(q), 1);
	prepare(1);
	assert_int_equal(utmem_submit(q), 1);
	assert_int_equal(utmem_flush(q), 0);
	assert_int_equal(utmem_event_arm(q), 0);
	assert_int_equal(dev.nr_enters, 1);
	host_sleeps(6);
	assert_int_equal(utmem_flush(q), 0); /* the host has looked before this sleep */
	assert_int_equal(utmem_event_arm(q), 0);
	assert_int_equal(dev.nr_enters, 1);
	prepare(1);
	assert_int_equal(utmem_flush(q), 1);
	assert_int_equal(dev.nr_enters, 2);
	assert_int_equal(dev.enter.to_submit, 1);
}

static void what_may_be_held_back_is_not_taken_for_rung(void **state)
{
	(void)state;
	open_queue();
	host_sleeps(5);
	for (uint32_t i = 1; i <= 2; i++) {
		prepare(1);
		assert_int_equal(utmem_submit(q), 1);
		assert_int_equal(dev.nr_enters, i);
	}
	assert_int_equal(utmem_flush(q), 0);
	assert_int_equal(dev.nr_enters, 3);
	assert_int_equal(utmem_event_arm(q), 0);
	assert_int_equal(dev.nr_enters, 3);
}

static void a_doorbell_that_failed_is_rung_again(void **state)
{
	(void)state;
	open_queue();
	host_sleeps(5);
	prepare(1);
	dev.err = -EINTR;
	assert_int_equal(utmem_flush(q), -EINTR);
	prepare(1);
	assert_int_equal(utmem_flush(q), 1);
	assert_int_equal(dev.nr_enters, 2);
}

static void submit_and_wait_is_one_entry(void **state)
{
	(void)state;
	open_queue();
	prepare(4);
	dev.complete = 3;
	assert_int_equal(utmem_submit_and_wait(q, 3), 4);
	assert_int_equal(dev.nr_enters, 1);
	assert_int_equal(dev.enter.to_submit, 4);
	assert_int_equal(dev.enter.min_complete, 3);
	assert_int_equal(dev.enter.timeout_ns, -1);
}

static void submit_and_wait_rings_though_enough_has_completed_already(void **state)
{
	(void)state;
	open_queue();
	prepare(1);
	assert_int_equal(utmem_submit(q), 1);
	complete(1);
	prepare(2);
	assert_int_equal(utmem_submit_and_wait(q, 1), 2);
	assert_int_equal(dev.nr_enters, 2);
	assert_int_equal(dev.enter.to_submit, 2);
	assert_int_equal(dev.enter.flags, UTMEM_ENTER_FLUSH);
	assert_int_equal(dev.enter.min_complete, 0);
}

static void a_submission_that_was_interrupted_is_counted_all_the_same(void **state)
{
	(void)state;
	open_queue();
	prepare(2);
	dev.err = -EINTR;
	assert_int_equal(utmem_submit_and_wait(q, 2), 2);
	dev.err = -EINTR;
	assert_int_equal(utmem_submit_and_wait(q, 2), -EINTR);
}

static void a_wait_enters_with_its_timeout_and_hands_errors_through(void **state)
{
	const struct utmem_cqe *cqe;

	(void)state;
	open_queue();
	prepare(1);
	assert_int_equal(utmem_submit(q), 1);
	dev.err = -ETIME;
	assert_int_equal(utmem_wait_cqe_timeout(q, &cqe, 3600000000000), -ETIME);
	assert_true(dev.enter.timeout_ns > 0 && dev.enter.timeout_ns <= 3600000000000);
	assert_int_equal(dev.enter.min_complete, 1);
	dev.err = -EINTR;
	assert_int_equal(utmem_wait_cqe(q, &cqe), -EINTR);
	assert_int_equal(dev.enter.timeout_ns, -1);
	dev.err = -ENODEV;
	assert_int_equal(utmem_wait_cqe(q, &cqe), -ENODEV);
	dev.complete = 1;
	assert_int_equal(utmem_wait_cqe(q, &cqe), 0);
}

static void arming_the_event_fd_rings_for_what_was_held_back(void **state)
{
	(void)state;
	open_queue();
	prepare(1);
	assert_int_equal(utmem_submit(q), 1);
	assert_int_equal(utmem_event_fd(q), FD_FIRST);
	assert_int_equal(utmem_event_arm(q), 0);
	assert_int_equal(dev.nr_enters, 2);
	assert_int_equal(dev.enter.flags, UTMEM_ENTER_FLUSH);
	complete(1);
	assert_int_equal(utmem_event_arm(q), 1);
	assert_int_equal(dev.nr_enters, 2);
	utmem_event_clear(q);
}

static void pools_go_by_their_own_ioctls(void **state)
{
	struct utmem_pool_stat stat;

	(void)state;
	open_queue();
	assert_int_equal(utmem_pool_open(q, "t:p", UTMEM_POOL_CREATE), 9);
	assert_string_equal(dev.pool.tenant, "t");
	assert_string_equal(dev.pool.name, "p");
	assert_int_equal(dev.pool.flags, UTMEM_POOL_CREATE);
	assert_int_equal(utmem_pool_close(q, 5), -EAGAIN);
	assert_int_equal(dev.pool.handle, 5);
	assert_int_equal(utmem_pool_destroy(q, 6), -EBUSY);
	assert_int_equal(dev.pool.handle, 6);
	assert_int_equal(utmem_pool_stat(q, 9, &stat), 0);
	assert_int_equal(stat.nr_items, 77);
}

static void a_host_that_stopped_is_eshutdown(void **state)
{
	const struct utmem_cqe *cqe;

	(void)state;
	open_queue();
	prepare(1);
	assert_int_equal(utmem_submit(q), 1);
	dev.control->host.state = UTMEM_HOST_STOPPED;
	assert_int_equal(utmem_wait_cqe(q, &cqe), -ESHUTDOWN);
	assert_int_equal(dev.nr_enters, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_device_of_another_major_is_eproto),
		TEST(a_lying_geometry_is_eproto),
		TEST(a_mapping_that_fails_leaves_nothing),
		TEST(knobs_reach_the_driver_and_zero_is_its_default),
		TEST(the_knobs_of_a_queue_in_use_change_all_at_once),
		TEST(what_tune_refuses_does_not_reach_the_driver),
		TEST(a_submit_enters_once_without_flush_and_only_when_the_host_sleeps),
		TEST(a_flush_rings_for_what_was_held_back),
		TEST(what_has_been_rung_for_is_not_entered_again_before_the_next_sleep),
		TEST(what_may_be_held_back_is_not_taken_for_rung),
		TEST(a_doorbell_that_failed_is_rung_again),
		TEST(submit_and_wait_is_one_entry),
		TEST(submit_and_wait_rings_though_enough_has_completed_already),
		TEST(a_submission_that_was_interrupted_is_counted_all_the_same),
		TEST(a_wait_enters_with_its_timeout_and_hands_errors_through),
		TEST(arming_the_event_fd_rings_for_what_was_held_back),
		TEST(pools_go_by_their_own_ioctls),
		TEST(a_host_that_stopped_is_eshutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
