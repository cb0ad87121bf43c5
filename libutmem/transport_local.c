// SPDX-License-Identifier: MIT
/*
 * local:[BYTES] - an engine and a service inside this process, for development
 * and tests. Nobody else drains: the thread that submits does, in place, under the
 * connection's lock. NEED_KICK is therefore set whenever nobody is draining, and
 * whoever drains looks once more after setting it.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/pool/memory.h"
#include "host/service/service.h"
#include "libutmem/internal.h"
#include "libutmem/map.h"

#define ARENA_LEN_DEFAULT ((uint64_t)64 << 20)
#define ARENA_LEN_MIN ((uint64_t)1 << 20)
#define ARENA_LEN_MAX ((uint64_t)1 << 40)
/* Address space only: pages come with the first touch. Holds a queue with the longest data area. */
#define WINDOW_LEN (1ull << 31)
#define TENANT "local"

struct local_host {
	struct utmem base;
	struct utmem_memory memory;
	const struct utmem_engine_ops *engine_ops;
	struct utmem_engine *engine;
	struct utmem_tenant *tenant;
	struct utmem_service *service;
	char *window_base;
	struct utmem_window *window;
	int wake_fd[UTMEM_QUEUES_MAX]; /* by queue id */
};

static struct local_host *host_of(const struct utmem_queue *q)
{
	return (struct local_host *)q->u; /* base is first */
}

/* ---- connection ---- */

/* "", or "BYTES" with k, m, g */
static int parse_len(const char *text, uint64_t *out)
{
	static const char suffixes[] = "kmg";
	const char *suffix;
	uint64_t len;
	char *end;

	*out = ARENA_LEN_DEFAULT;
	if (!*text)
		return 0;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	len = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (errno || (*end && (!suffix || end[1])))
		return -EINVAL;
	if (suffix) {
		unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

		if (len > UINT64_MAX >> shift)
			return -EINVAL;
		len <<= shift;
	}
	*out = len;
	return len < ARENA_LEN_MIN || len > ARENA_LEN_MAX ? -EINVAL : 0;
}

/* On the thread that drains, under the lock. A full counter is a wake-up, too. */
static void on_wake(void *ctx, uint32_t queue_id, uint32_t irq_vector)
{
	struct local_host *h = ctx;
	uint64_t one = 1;
	ssize_t rc = 0;

	(void)irq_vector;
	if (queue_id < UTMEM_QUEUES_MAX && h->wake_fd[queue_id] >= 0)
		rc = write(h->wake_fd[queue_id], &one, sizeof(one));
	(void)rc;
}

static int window_init(struct local_host *h)
{
	struct utmem_window_config cfg = {
		.len = WINDOW_LEN,
		.tenant = h->tenant,
		.max_queues = UTMEM_QUEUES_MAX,
		.max_data_len = UTMEM_DATA_LEN_MAX,
		.cb = {.wake = on_wake, .ctx = h},
	};
	int err;

	h->window_base = mmap(NULL, WINDOW_LEN, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (h->window_base == MAP_FAILED)
		return -ENOMEM;
	madvise(h->window_base, WINDOW_LEN, MADV_DONTFORK);
	cfg.base = h->window_base;
	err = utmem_window_attach(h->service, &h->window, &cfg);
	if (err)
		munmap(h->window_base, WINDOW_LEN);
	return err;
}

static void window_exit(struct local_host *h)
{
	utmem_window_detach(h->window);
	munmap(h->window_base, WINDOW_LEN);
}

/* Engine, its one tenant, service, window: each on top of the one before. */
static int stack_init(struct local_host *h, uint64_t arena_len)
{
	int err = utmem_memory_open(&h->memory, arena_len, 0);

	if (err)
		return err;
	h->engine_ops = &utmem_engine_pool;
	err = h->engine_ops->open(&h->engine, &h->memory);
	if (err)
		goto free_memory;
	err = h->engine_ops->tenant_add(h->engine, TENANT, arena_len, &h->tenant);
	if (err)
		goto close_engine;
	err = utmem_service_init(&h->service, h->engine, 1);
	if (err)
		goto close_engine;
	err = window_init(h);
	if (err)
		goto exit_service;
	return 0;

exit_service:
	utmem_service_exit(h->service);
close_engine:
	h->engine_ops->close(h->engine);
free_memory:
	utmem_memory_close(&h->memory);
	return err;
}

static void stack_exit(struct local_host *h)
{
	window_exit(h);
	utmem_service_exit(h->service);
	h->engine_ops->close(h->engine);
	utmem_memory_close(&h->memory);
}

static int local_connect(struct utmem **out, const char *rest)
{
	struct local_host *h;
	uint64_t arena_len;
	int err = parse_len(rest, &arena_len);

	if (err)
		return err;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	memset(h->wake_fd, 0xff, sizeof(h->wake_fd));
	err = stack_init(h, arena_len);
	if (err)
		goto free_host;
	err = utmem_base_init(&h->base, &utmem_transport_local);
	if (err)
		goto exit_stack;
	utmem_hdr_limits((const struct utmem_window_hdr *)h->window_base, &h->base.limits);
	utmem_service_arm(h->service);
	*out = &h->base;
	return 0;

exit_stack:
	stack_exit(h);
free_host:
	free(h);
	return err;
}

static void local_disconnect(struct utmem *u)
{
	struct local_host *h = (struct local_host *)u;

	stack_exit(h);
	utmem_base_exit(u);
	free(h);
}

/* ---- admin ---- */

static int admin(struct local_host *h, uint8_t op, void *payload, size_t len)
{
	int err;

	pthread_mutex_lock(&h->base.lock);
	err = utmem_window_admin(h->window, op, payload, len);
	pthread_mutex_unlock(&h->base.lock);
	return err;
}

static int local_pool(struct utmem_queue *q, uint8_t op, struct utmem_admin_pool *p)
{
	p->queue_id = q->id;
	p->owner = getuid();
	return admin(host_of(q), op, p, sizeof(*p));
}

static int local_pool_stat(struct utmem_queue *q, struct utmem_pool_stat *stat)
{
	stat->queue_id = q->id;
	return admin(host_of(q), UTMEM_OP_POOL_STAT, stat, sizeof(*stat));
}

/* ---- queue ---- */

static int create(struct utmem_queue *q)
{
	struct local_host *h = host_of(q);
	struct utmem_control *control =
		(void *)(h->window_base + ((struct utmem_window_hdr *)h->window_base)->control_off);
	struct utmem_admin_queue req = {.sq_entries = q->geo.sq_entries,
					.cq_entries = q->geo.cq_entries,
					.data_len = q->geo.data_len};
	int err = admin(h, UTMEM_OP_CREATE_QUEUE, &req, sizeof(req));

	if (err)
		return err;
	q->id = req.queue_id;
	q->geo = req.geo;
	q->base = h->window_base + req.geo.off;
	q->svc = &control->svc[req.svc_slot];
	q->host = &control->host;
	return 0;
}

static void set_wake_fd(struct utmem_queue *q, int fd)
{
	struct local_host *h = host_of(q);

	pthread_mutex_lock(&h->base.lock);
	h->wake_fd[q->id] = fd;
	pthread_mutex_unlock(&h->base.lock);
}

static int local_queue_create(struct utmem_queue *q)
{
	int err;

	q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->wake_fd < 0)
		return -errno;
	q->event_fd = q->wake_fd;
	err = create(q);
	if (err)
		close(q->wake_fd);
	else
		set_wake_fd(q, q->wake_fd);
	return err;
}

static void local_queue_destroy(struct utmem_queue *q)
{
	struct utmem_admin_queue req = {.queue_id = q->id};

	/* First: once it is destroyed, the id may be another thread's. */
	set_wake_fd(q, -1);
	admin(host_of(q), UTMEM_OP_DESTROY_QUEUE, &req, sizeof(req));
	close(q->wake_fd);
}

/* ---- data path ---- */

/* Serve everybody until nothing is left, also what others publish meanwhile: they see us awake. */
static void serve(struct local_host *h)
{
	pthread_mutex_lock(&h->base.lock);
	utmem_service_disarm(h->service);
	do
		while (utmem_service_turn(h->service))
			;
	while (utmem_service_arm(h->service));
	pthread_mutex_unlock(&h->base.lock);
}

static int local_kick(struct utmem_queue *q, uint32_t n, bool flush)
{
	(void)n;
	(void)flush;
	serve(host_of(q));
	return 0;
}

/* What was published has been served, or another thread is about it: its wake-up comes by the eventfd. */
static int local_sleep(struct utmem_queue *q, uint32_t want, int64_t deadline)
{
	struct pollfd fd = {.fd = q->wake_fd, .events = POLLIN};
	int rc = utmem_queue_arm(q, want);

	if (rc != -EAGAIN)
		return rc;
	q->stats.waits++;
	rc = utmem_poll(&fd, 1, deadline);
	utmem_wake_disarm(q->cq.page);
	if (rc < 0)
		return rc;
	utmem_eventfd_clear(q->wake_fd);
	return 0;
}

static void local_event_clear(struct utmem_queue *q)
{
	utmem_eventfd_clear(q->wake_fd);
}

static int local_stats(struct utmem_queue *q, struct utmem_stats *s)
{
	(void)q;
	s->doorbells = s->kicks;
	return 0;
}

const struct utmem_transport utmem_transport_local = {
	.prefix = "local:",
	.connect = local_connect,
	.disconnect = local_disconnect,
	.queue_create = local_queue_create,
	.queue_destroy = local_queue_destroy,
	.pool = local_pool,
	.pool_stat = local_pool_stat,
	.kick = local_kick,
	.sleep = local_sleep,
	.event_clear = local_event_clear,
	.stats = local_stats,
};
