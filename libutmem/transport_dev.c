// SPDX-License-Identifier: MIT
/*
 * dev:PATH - utmem.ko, in a virtual machine. Every queue is an open file of its
 * own, so that the driver drops it when its last user dies. Owns those files and
 * the mappings of queue and control page. Calls on the queue's thread; none of
 * them needs the connection's lock.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/ring/utmem_ioctl.h"
#include "libutmem/internal.h"

struct dev_host {
	struct utmem base;
	char *path;
};

static int dev_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* ---- connection ---- */

static int dev_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* -EPROTO also for a file that is no utmem device. */
static int read_info(const char *path, struct utmem_limits *out)
{
	struct utmem_ioc_info info;
	int fd = dev_open(path), err;

	if (fd < 0)
		return fd;
	err = dev_ioctl(fd, UTMEM_IOC_INFO, &info);
	close(fd);
	if (err)
		return err == -ENOTTY ? -EPROTO : err;
	if (info.abi_major != UTMEM_ABI_MAJOR || info.max_key_len > UTMEM_KEY_MAX ||
	    info.max_data_len < 2 * UTMEM_PAGE || info.max_data_len > UTMEM_DATA_LEN_MAX ||
	    info.max_value_len > UTMEM_VALUE_MAX)
		return -EPROTO;
	*out = (struct utmem_limits){
		.max_queues = info.max_queues,
		.max_sq_entries = info.max_sq_entries,
		.max_data_len = info.max_data_len,
		.max_key_len = info.max_key_len,
		.max_value_len = info.max_value_len,
		.window_len = info.window_len,
		.features = info.features,
		.epoch = info.epoch,
	};
	return 0;
}

static int dev_connect(struct utmem **out, const char *path)
{
	struct dev_host *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = read_info(path, &h->base.limits);
	if (err)
		goto free_host;
	err = -ENOMEM;
	h->path = strdup(path);
	if (!h->path)
		goto free_host;
	err = utmem_base_init(&h->base, &utmem_transport_dev);
	if (err)
		goto free_path;
	*out = &h->base;
	return 0;

free_path:
	free(h->path);
free_host:
	free(h);
	return err;
}

static void dev_disconnect(struct utmem *u)
{
	struct dev_host *h = (struct dev_host *)u; /* base is first */

	utmem_base_exit(u);
	free(h->path);
	free(h);
}

/* ---- queue ---- */

static int map(void **out, int fd, uint64_t off, size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	/* A child would write into its parent's rings. */
	madvise(p, len, MADV_DONTFORK);
	*out = p;
	return 0;
}

static uint32_t or_default(uint32_t value)
{
	return value ? value : UTMEM_BATCH_DEFAULT;
}

static uint32_t usecs(uint32_t value)
{
	return value == UTMEM_NO_DELAY ? 0 : or_default(value);
}

/* As the driver counts: 0 is a value there. */
static struct utmem_ioc_batch driver_knobs(const struct utmem_queue_params *p)
{
	return (struct utmem_ioc_batch){
		.batch_max = or_default(p->batch_max),
		.batch_usecs = usecs(p->batch_usecs),
		.batch_mode = p->batch_mode == UTMEM_MODE_FIXED	     ? UTMEM_BATCH_FIXED
			      : p->batch_mode == UTMEM_MODE_ADAPTIVE ? UTMEM_BATCH_ADAPTIVE
								     : UTMEM_BATCH_DEFAULT,
		.irq_max = or_default(p->irq_max),
		.irq_usecs = usecs(p->irq_usecs),
	};
}

static int create(struct utmem_queue *q)
{
	struct utmem_ioc_batch knobs = driver_knobs(&q->knobs);
	struct utmem_ioc_queue req = {
		.sq_entries = q->geo.sq_entries,
		.cq_entries = q->geo.cq_entries,
		.data_len = q->geo.data_len,
		.batch_max = knobs.batch_max,
		.batch_usecs = knobs.batch_usecs,
		.batch_mode = knobs.batch_mode,
		.irq_max = knobs.irq_max,
		.irq_usecs = knobs.irq_usecs,
	};
	int err = dev_ioctl(q->event_fd, UTMEM_IOC_QUEUE_CREATE, &req);

	if (err)
		return err;
	/* Our mapping is what the driver lets us map: the queue, at offset 0 of it. */
	if (req.geo.off || req.svc_slot >= UTMEM_SVC_MAX ||
	    utmem_queue_geometry(q, &req.geo, q->u->limits.window_len))
		return -EPROTO;
	q->geo = req.geo;
	q->svc_slot = req.svc_slot;
	return 0;
}

static int map_queue(struct utmem_queue *q)
{
	const struct utmem_control *control;
	int err = map(&q->base, q->event_fd, UTMEM_MMAP_QUEUE, q->geo.len, PROT_READ | PROT_WRITE);

	if (err)
		return err;
	err = map(&q->control, q->event_fd, UTMEM_MMAP_CONTROL, UTMEM_PAGE, PROT_READ);
	if (err) {
		munmap(q->base, q->geo.len);
		return err;
	}
	control = q->control;
	q->svc = &control->svc[q->svc_slot];
	q->host = &control->host;
	return 0;
}

static int dev_queue_create(struct utmem_queue *q)
{
	int err;

	q->event_fd = dev_open(((struct dev_host *)q->u)->path);
	if (q->event_fd < 0)
		return q->event_fd;
	err = create(q);
	if (!err)
		err = map_queue(q);
	if (err)
		close(q->event_fd);
	return err;
}

static void dev_queue_destroy(struct utmem_queue *q)
{
	munmap(q->control, UTMEM_PAGE);
	munmap(q->base, q->geo.len);
	close(q->event_fd);
}

/* ---- pools ---- */

static int dev_pool(struct utmem_queue *q, uint8_t op, struct utmem_admin_pool *p)
{
	struct utmem_ioc_pool req = {.flags = p->flags, .handle = p->handle};
	unsigned long request = op == UTMEM_OP_POOL_OPEN    ? UTMEM_IOC_POOL_OPEN
				: op == UTMEM_OP_POOL_CLOSE ? UTMEM_IOC_POOL_CLOSE
							    : UTMEM_IOC_POOL_DESTROY;
	int err;

	memcpy(req.tenant, p->tenant, sizeof(req.tenant));
	memcpy(req.name, p->name, sizeof(req.name));
	err = dev_ioctl(q->event_fd, request, &req);
	if (!err)
		p->handle = req.handle;
	return err;
}

static int dev_pool_stat(struct utmem_queue *q, struct utmem_pool_stat *stat)
{
	return dev_ioctl(q->event_fd, UTMEM_IOC_POOL_STAT, stat);
}

/* ---- data path ---- */

static int dev_kick(struct utmem_queue *q, uint32_t n, bool flush)
{
	struct utmem_ioc_enter enter = {.to_submit = n, .flags = flush ? UTMEM_ENTER_FLUSH : 0};

	return dev_ioctl(q->event_fd, UTMEM_IOC_ENTER, &enter);
}

/* The driver rings, arms the wake-up, looks again, and sleeps: one entry for all of it. */
static int dev_sleep(struct utmem_queue *q, uint32_t want, int64_t deadline)
{
	struct utmem_ioc_enter enter = {
		.to_submit = q->nr_held, .min_complete = want, .timeout_ns = -1};

	if (deadline >= 0) {
		enter.timeout_ns = deadline - utmem_clock();
		if (enter.timeout_ns <= 0)
			return -ETIME;
	}
	q->stats.kicks += q->nr_held != 0;
	q->nr_held = 0;
	q->stats.waits++;
	return dev_ioctl(q->event_fd, UTMEM_IOC_ENTER, &enter);
}

/* Readable means that completions wait: reaping them is what clears it. */
static void dev_event_clear(struct utmem_queue *q)
{
	(void)q;
}

static int dev_tune(struct utmem_queue *q, const struct utmem_queue_params *knobs)
{
	struct utmem_ioc_batch set = driver_knobs(knobs);

	return dev_ioctl(q->event_fd, UTMEM_IOC_BATCH_SET, &set);
}

static int dev_stats(struct utmem_queue *q, struct utmem_stats *s)
{
	struct utmem_ioc_stats stats;
	int err = dev_ioctl(q->event_fd, UTMEM_IOC_STATS, &stats);

	if (err)
		return err;
	s->doorbells = stats.queue.doorbells;
	s->interrupts = stats.queue.interrupts;
	s->deferred = stats.queue.deferred;
	s->hypercalls = stats.queue.hypercalls;
	s->unanswered = stats.queue.unanswered;
	s->coalesced = stats.queue.coalesced;
	return 0;
}

const struct utmem_transport utmem_transport_dev = {
	.prefix = "dev:",
	.spins = true,
	.defers = true,
	.connect = dev_connect,
	.disconnect = dev_disconnect,
	.queue_create = dev_queue_create,
	.queue_destroy = dev_queue_destroy,
	.pool = dev_pool,
	.pool_stat = dev_pool_stat,
	.kick = dev_kick,
	.sleep = dev_sleep,
	.event_clear = dev_event_clear,
	.tune = dev_tune,
	.stats = dev_stats,
};
