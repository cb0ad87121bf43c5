// SPDX-License-Identifier: MIT
/*
 * Owns the services and their threads: life, rest, and what goes to all of them. Called by
 * daemon.c, worker.c and the event loop, on the main thread.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/utmemd/crew.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/serve.h"
#include "host/utmemd/stats.h"

static void lock(void *mutex)
{
	pthread_mutex_lock(mutex);
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

/* ---- rest ---- */

void crew_rest(struct crew *crew)
{
	uint32_t i;

	if (!crew->nr_started)
		return;
	pthread_mutex_lock(&crew->gate);
	__atomic_store_n(&crew->rest, true, __ATOMIC_RELEASE);
	for (i = 1; i <= crew->nr_started; i++)
		pthread_mutex_lock(&crew->servers[i].own);
}

void crew_go_on(struct crew *crew)
{
	uint32_t i;

	if (!crew->nr_started)
		return;
	__atomic_store_n(&crew->rest, false, __ATOMIC_RELEASE);
	for (i = crew->nr_started; i; i--)
		pthread_mutex_unlock(&crew->servers[i].own);
	pthread_mutex_unlock(&crew->gate);
}

/*
 * A mutex that is given back and taken at once is hardly ever got by who waits for it. So a thread
 * that is asked to rest lines up at the gate before it takes its own again.
 */
static void look(struct server *v)
{
	struct crew *crew = &v->daemon->crew;

	if (!__atomic_load_n(&crew->rest, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_unlock(&v->own);
	pthread_mutex_lock(&crew->gate);
	pthread_mutex_unlock(&crew->gate);
	pthread_mutex_lock(&v->own);
}

/*
 * While this thread sleeps, the main one may take windows away, events and all: so an event is
 * fetched only with the server's own lock held, and the sleep is one on the epoll set as a whole.
 */
static void nap(struct server *v)
{
	struct pollfd fd = {.fd = v->loop->epoll_fd, .events = POLLIN};

	pthread_mutex_unlock(&v->own);
	poll(&fd, 1, -1);
	pthread_mutex_lock(&v->own);
}

static void wake_up(struct server *v)
{
	loop_turn(v->loop, 0);
}

static bool stopped(const struct server *v)
{
	return __atomic_load_n(&v->daemon->crew.stop, __ATOMIC_ACQUIRE);
}

static void *run(void *arg)
{
	static const struct serve_ways ways = {
		.over = stopped,
		.look = look,
		.sleep = nap,
		.awake = wake_up,
	};
	struct server *v = arg;

	pthread_mutex_lock(&v->own);
	serve_by(v, &ways);
	pthread_mutex_unlock(&v->own);
	return NULL;
}

/* ---- a server ---- */

static void kicked(struct source *s, uint32_t events)
{
	uint64_t nr;

	(void)events;
	if (read(s->fd, &nr, sizeof(nr)) < 0)
		return;
}

void server_kick(struct server *v)
{
	const uint64_t one = 1;

	/* full is signalled already */
	if (v != v->daemon->crew.servers && write(v->kick.fd, &one, sizeof(one)) < 0)
		return;
}

static int kick_open(struct server *v)
{
	int err;

	v->kick = (struct source){.ready = kicked};
	v->kick.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->kick.fd < 0)
		return -errno;
	err = loop_add(v->loop, &v->kick, EPOLLIN);
	if (err)
		close(v->kick.fd);
	return err;
}

static int own_loop_open(struct server *v)
{
	int err = loop_init(&v->own_loop);

	if (err)
		return err;
	v->loop = &v->own_loop;
	err = kick_open(v);
	if (err)
		loop_exit(v->loop);
	return err;
}

static void own_loop_close(struct server *v)
{
	loop_remove(v->loop, &v->kick);
	close(v->kick.fd);
	loop_exit(v->loop);
}

static int server_open(struct daemon *d, struct server *v, bool is_first)
{
	const struct utmem_engine_lock engine = {lock, unlock, &d->crew.engine};
	int err = utmem_service_init(&v->service, d->engine, d->epoch);

	if (err)
		return err;
	v->daemon = d;
	if (d->opt->threads > 1)
		utmem_service_share_engine(v->service, &engine);
	if (is_first) {
		v->loop = &d->loop;
		return 0;
	}
	pthread_mutex_init(&v->own, NULL);
	err = own_loop_open(v);
	if (err)
		utmem_service_exit(v->service);
	return err;
}

static void server_close(struct server *v, bool is_first)
{
	if (!is_first) {
		own_loop_close(v);
		pthread_mutex_destroy(&v->own);
	}
	utmem_service_exit(v->service);
}

/* ---- all of them ---- */

/* A hold is a batch, about as long as it takes to sleep and be woken: spin a little first. */
static void engine_lock_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

int crew_open(struct daemon *d)
{
	struct crew *crew = &d->crew;
	uint32_t nr = (uint32_t)d->opt->threads;
	int err = 0;

	*crew = (struct crew){.servers = calloc(nr, sizeof(*crew->servers))};
	if (!crew->servers)
		return -ENOMEM;
	pthread_mutex_init(&crew->gate, NULL);
	engine_lock_init(&crew->engine);
	while (!err && crew->nr < nr) {
		err = server_open(d, &crew->servers[crew->nr], !crew->nr);
		crew->nr += !err;
	}
	if (err)
		crew_close(d);
	return err;
}

void crew_close(struct daemon *d)
{
	struct crew *crew = &d->crew;

	for (; crew->nr; crew->nr--)
		server_close(&crew->servers[crew->nr - 1], crew->nr == 1);
	pthread_mutex_destroy(&crew->engine);
	pthread_mutex_destroy(&crew->gate);
	free(crew->servers);
}

static void resume(const struct crew *crew)
{
	struct utmem_service *services[THREADS_MAX];
	uint32_t i;

	for (i = 0; i < crew->nr; i++)
		services[i] = crew->servers[i].service;
	utmem_services_resume(services, crew->nr);
}

int crew_start(struct daemon *d)
{
	struct crew *crew = &d->crew;
	struct server *v;
	int err = 0;

	resume(crew);
	while (!err && crew->nr_started + 1 < crew->nr) {
		v = &crew->servers[crew->nr_started + 1];
		err = -pthread_create(&v->thread, NULL, run, v);
		crew->nr_started += !err;
	}
	if (err) {
		log_error("thread %u of %u: %s", crew->nr_started + 1, crew->nr, strerror(-err));
		crew_stop(d);
	}
	return err;
}

void crew_stop(struct daemon *d)
{
	struct crew *crew = &d->crew;

	__atomic_store_n(&crew->stop, true, __ATOMIC_RELEASE);
	for (; crew->nr_started; crew->nr_started--) {
		struct server *v = &crew->servers[crew->nr_started];

		server_kick(v);
		pthread_join(v->thread, NULL);
	}
}

struct server *crew_choose(struct crew *crew)
{
	struct server *best = crew->servers, *v;

	for (v = best; v < crew->servers + crew->nr; v++) {
		if (v->nr_windows < best->nr_windows)
			best = v;
	}
	return best;
}

bool crew_turn(struct crew *crew)
{
	bool busy = false;
	uint32_t i;

	for (i = 0; i < crew->nr; i++)
		busy |= utmem_service_turn(crew->servers[i].service) > 0;
	return busy;
}

bool crew_shares(const struct crew *crew, const struct utmem_tenant *t)
{
	uint32_t i;

	for (i = 0; i < crew->nr; i++) {
		if (utmem_service_shares(crew->servers[i].service, t))
			return true;
	}
	return false;
}

void crew_forsake(struct crew *crew, const struct utmem_tenant *t)
{
	uint32_t i;

	for (i = 0; i < crew->nr; i++)
		utmem_service_forsake(crew->servers[i].service, t);
}

void crew_rights_changed(struct crew *crew)
{
	uint32_t i;

	for (i = 0; i < crew->nr; i++)
		utmem_service_rights_changed(crew->servers[i].service);
}

void crew_stat(const struct crew *crew, struct utmem_service_counters *out)
{
	struct utmem_service_counters one;
	uint32_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < crew->nr; i++) {
		utmem_service_stat(crew->servers[i].service, &one);
		stats_sum(out, &one);
	}
}

void crew_tune(struct crew *crew, const struct knobs *knobs)
{
	uint32_t i;

	for (i = 0; i < crew->nr; i++)
		poller_tune(&crew->servers[i].poller, knobs->poll_usecs * 1000,
			    (uint32_t)knobs->poll_cpu_percent);
}
