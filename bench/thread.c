// SPDX-License-Identifier: MIT
/*
 * --transport thread: service and engine on a second thread that polls, the client
 * without a library. Between this and the floor lie the service and the engine,
 * between this and unix lie library, daemon and process boundary.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/rawclient.h"
#include "bench/stack.h"
#include "bench/target.h"
#include "host/service/service.h"

struct thread_target {
	struct target base;
	struct stack stack;
	struct utmem_service *service;
	struct utmem_window *window;
	char *window_base;
	uint64_t window_len;
	struct raw_client client;
	int stop;
};

static void on_wake(void *ctx, uint32_t queue_id, uint32_t irq_vector)
{
	(void)ctx;
	(void)queue_id;
	(void)irq_vector;
}

static int window_open(struct thread_target *t, uint32_t data_len)
{
	struct utmem_window_config cfg = {
		.tenant = t->stack.tenant,
		.max_data_len = data_len,
		.cb = {.wake = on_wake},
	};

	t->window_len = UTMEM_WINDOW_LEN_MIN;
	while (t->window_len < 2ull * data_len + (8 << 20))
		t->window_len *= 2;
	t->window_base = aligned_alloc(UTMEM_PAGE, t->window_len);
	if (!t->window_base)
		return -ENOMEM;
	memset(t->window_base, 0, t->window_len);
	cfg.base = t->window_base;
	cfg.len = t->window_len;
	return utmem_window_attach(t->service, &t->window, &cfg);
}

static int queue_open(struct thread_target *t, const struct options *o, uint32_t data_len)
{
	uint32_t entries = raw_entries(o->depth);
	struct utmem_admin_queue queue = {
		.sq_entries = entries, .cq_entries = entries, .data_len = data_len};
	struct utmem_admin_pool pool = {.flags = UTMEM_POOL_CREATE, .name = "bench"};
	int err = utmem_window_admin(t->window, UTMEM_OP_CREATE_QUEUE, &queue, sizeof(queue));

	if (err)
		return err;
	pool.queue_id = queue.queue_id;
	err = utmem_window_admin(t->window, UTMEM_OP_POOL_OPEN, &pool, sizeof(pool));
	if (err)
		return err;
	raw_client_init(&t->client, t->window_base + queue.geo.off, &queue.geo, o->value);
	t->client.pool = pool.handle;
	t->client.miss_ok = !strcmp(o->engine, "null");
	return 0;
}

static int thread_open(struct target **out, const struct options *o, uint64_t items)
{
	struct thread_target *t = calloc(1, sizeof(*t));
	uint32_t data_len = raw_data_len(o->value, o->depth);
	int err = -ENOMEM;

	if (!t)
		return err;
	t->base = target_thread;
	err = stack_open(&t->stack, o->engine, stack_arena_len(items, o->value));
	if (err)
		goto free_target;
	err = utmem_service_init(&t->service, t->stack.engine, 1);
	if (err)
		goto close_stack;
	err = window_open(t, data_len);
	if (err)
		goto exit_service;
	err = queue_open(t, o, data_len);
	if (err)
		goto detach;
	*out = &t->base;
	return 0;

detach:
	utmem_window_detach(t->window);
exit_service:
	free(t->window_base);
	utmem_service_exit(t->service);
close_stack:
	stack_close(&t->stack);
free_target:
	free(t);
	fprintf(stderr, "utmem-bench: service thread: %s\n", strerror(-err));
	return err;
}

static void thread_close(struct target *target)
{
	struct thread_target *t = (struct thread_target *)target;

	utmem_window_detach(t->window);
	utmem_service_exit(t->service);
	free(t->window_base);
	stack_close(&t->stack);
	free(t);
}

static void *host_main(void *arg)
{
	struct thread_target *t = arg;
	uint32_t spins = 0;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED))
		if (!utmem_service_turn(t->service))
			spin_pause(&spins);
	return NULL;
}

static int thread_run(struct target *target, const struct load *load, struct result *out)
{
	struct thread_target *t = (struct thread_target *)target;
	pthread_t host;
	int err;

	t->stop = 0;
	err = pthread_create(&host, NULL, host_main, t);
	if (err)
		return -err;
	err = drive(&raw_port, &t->client, load, out);
	__atomic_store_n(&t->stop, 1, __ATOMIC_RELAXED);
	pthread_join(host, NULL);
	return err;
}

const struct target target_thread = {
	.name = "thread",
	.open = thread_open,
	.close = thread_close,
	.run = thread_run,
};
