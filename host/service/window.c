// SPDX-License-Identifier: MIT
/*
 * A window: its header, its control page, its guest's generations. Called by
 * service.c and by the service's owner, on the draining thread.
 */
#include "host/service/window.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFERED \
	(UTMEM_FEAT_DOORBELL_MMIO | UTMEM_FEAT_DOORBELL_HYPERCALL | UTMEM_FEAT_DOORBELL_EVENTFD)

/* A guest that breaks the contract in a loop must not fill the host's log. */
static bool log_has_room(struct utmem_window *w)
{
	char line[64];

	if (w->nr_lines >= WINDOW_LOG_BURST) {
		w->nr_lines_left_out++;
		return false;
	}
	w->nr_lines++;
	if (w->nr_lines_left_out) {
		snprintf(line, sizeof(line), "%u lines left out here", w->nr_lines_left_out);
		w->nr_lines_left_out = 0;
		w->cfg.cb.log(w->cfg.cb.ctx, line);
	}
	return true;
}

void utsvc_window_log(struct utmem_window *w, const char *fmt, ...)
{
	char line[160];
	va_list args;

	if (!w->cfg.cb.log || !log_has_room(w))
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	w->cfg.cb.log(w->cfg.cb.ctx, line);
}

static int config_init(struct utmem_window_config *cfg, const struct utmem_window_config *from)
{
	uint64_t data_len = from->max_data_len ? from->max_data_len : from->len / 4;

	*cfg = *from;
	if (cfg->len < UTMEM_WINDOW_LEN_MIN || cfg->len & (cfg->len - 1))
		return -EINVAL;
	if ((uintptr_t)cfg->base % UTMEM_PAGE)
		return -EINVAL;
	if (!cfg->max_queues)
		cfg->max_queues = UTMEM_QUEUES_DEFAULT;
	if (cfg->max_queues < 2 || cfg->max_queues > UTMEM_QUEUES_MAX)
		return -EINVAL;
	if (data_len > UTMEM_DATA_LEN_MAX)
		data_len = UTMEM_DATA_LEN_MAX;
	cfg->max_data_len = (uint32_t)data_len & ~(UTMEM_PAGE - 1);
	cfg->features &= OFFERED;
	return 0;
}

/* The memory of our own that stands for a ledger nobody gave. */
static void *own_ledger(struct utmem_window *w)
{
	w->own_ledger = calloc(1, w->cfg.ledger_len + LEDGER_ALIGN);
	if (!w->own_ledger)
		return NULL;
	return (void *)(((uintptr_t)w->own_ledger + LEDGER_ALIGN) & ~(LEDGER_ALIGN - 1));
}

/* What the life before was told counts, not how a new process is configured: guests know it. */
static int ledger_take(struct utmem_window *w)
{
	struct utmem_window_config *cfg = &w->cfg;
	int err = utsvc_ledger_check(w->ledger, cfg);

	if (err)
		return err;
	cfg->doorbell_token = w->ledger->doorbell_token;
	cfg->host_peer = w->ledger->host_peer;
	cfg->max_queues = w->ledger->max_queues;
	cfg->max_data_len = w->ledger->max_data_len;
	cfg->admin_queue = w->ledger->admin_queue;
	w->resuming = true;
	return 0;
}

static int ledger_open(struct utmem_window *w)
{
	size_t len = utmem_ledger_len(w->cfg.max_queues);

	if (!w->cfg.ledger) {
		w->cfg.ledger_len = len;
		w->ledger = own_ledger(w);
		return w->ledger ? 0 : -ENOMEM;
	}
	w->ledger = w->cfg.ledger;
	if ((uintptr_t)w->ledger % LEDGER_ALIGN || w->cfg.ledger_len < sizeof(struct ledger))
		return -EINVAL;
	if (w->cfg.resume && utsvc_ledger_valid(w->ledger))
		return ledger_take(w);
	return w->cfg.ledger_len < len ? -EINVAL : 0;
}

static int tables_init(struct utmem_window *w)
{
	uint32_t n = w->cfg.max_queues;
	int err = -ENOMEM;

	w->queues = calloc(n, sizeof(*w->queues));
	if (!w->queues)
		return err;
	err = utsvc_share_join(w->service, w->cfg.tenant, n, &w->share);
	if (err)
		goto free_queues;
	err = utsvc_room_init(&w->room, WINDOW_ROOM_OFF, w->cfg.len, n);
	if (err)
		goto leave_share;
	return 0;

leave_share:
	utsvc_share_leave(w->share, n);
free_queues:
	free(w->queues);
	return err;
}

static void tables_exit(struct utmem_window *w)
{
	utsvc_room_exit(&w->room);
	utsvc_share_leave(w->share, w->cfg.max_queues);
	free(w->queues);
}

static int admin_open(struct utmem_window *w)
{
	struct utmem_geometry geo;
	struct queue *q;
	int err;

	if (!w->cfg.admin_queue)
		return 0;
	err = utmem_geometry_init(&geo, WINDOW_ROOM_OFF, ADMIN_SQ_ENTRIES, ADMIN_CQ_ENTRIES,
				  ADMIN_DATA_LEN);
	if (!err && !utsvc_room_is_free(&w->room, geo.off, geo.len))
		err = -EBADMSG; /* a ledger that says so is damaged */
	if (!err)
		err = utsvc_queue_open(w, 0, &geo, 0, &q);
	if (err)
		return err;
	utsvc_room_take(&w->room, geo.off, geo.len);
	return 0;
}

static void header_write(const struct utmem_window *w)
{
	const struct utmem_window_config *cfg = &w->cfg;
	struct utmem_window_hdr hdr = {
		.magic = UTMEM_MAGIC,
		.abi_major = UTMEM_ABI_MAJOR,
		.abi_minor = UTMEM_ABI_MINOR,
		.hdr_len = sizeof(hdr),
		.features = cfg->features,
		.window_len = cfg->len,
		.doorbell_token = cfg->doorbell_token,
		.epoch = w->service->epoch,
		.control_off = WINDOW_CONTROL_OFF,
		.nr_svc = WINDOW_NR_SVC,
		.host_peer = cfg->host_peer,
		.heartbeat_ms = cfg->heartbeat_ms,
		.max_queues = cfg->max_queues,
		.max_sq_entries = UTMEM_SQ_ENTRIES_MAX,
		.max_data_len = cfg->max_data_len,
		.max_key_len = UTMEM_KEY_MAX,
		.max_pools = UTMEM_POOLS_PER_QUEUE,
		.max_value_len = UTMEM_VALUE_MAX,
	};

	if (w->admin)
		hdr.admin = w->admin->geo;
	memcpy(w->base, &hdr, sizeof(hdr));
}

/* What the guest may read, and may have scribbled on. RUNNING comes last. */
static void control_write(const struct utmem_window *w)
{
	struct utmem_host_line *host = &w->control->host;

	utmem_kick_disarm(&w->control->svc[WINDOW_SVC_SLOT]);
	utmem_store_relaxed(&host->heartbeat, w->ledger->heartbeat);
	utmem_store_release(&host->hello_ack, w->ledger->hello);
	utmem_store_release(&host->state, UTMEM_HOST_RUNNING);
}

static int queues_init(struct utmem_window *w)
{
	int err = 0;

	if (w->resuming)
		err = utsvc_resume_attach(w);
	else
		utsvc_ledger_init(w->ledger, &w->cfg);
	/* not there yet, or not again: the life before died while it made it */
	if (!err && !w->admin)
		err = admin_open(w);
	if (err)
		utsvc_resume_forget(w);
	return err;
}

int utmem_window_attach(struct utmem_service *s, struct utmem_window **out,
			const struct utmem_window_config *cfg)
{
	struct utmem_window *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return err;
	err = config_init(&w->cfg, cfg);
	if (err)
		goto free_window;
	w->service = s;
	w->base = cfg->base;
	w->control = (struct utmem_control *)(w->base + WINDOW_CONTROL_OFF);
	err = ledger_open(w);
	if (err)
		goto free_window;
	err = tables_init(w);
	if (err)
		goto free_ledger;
	err = queues_init(w);
	if (err)
		goto free_tables;
	header_write(w);
	control_write(w);
	s->nr_resuming += w->resuming;
	TAILQ_INSERT_TAIL(&s->windows, w, link);
	*out = w;
	return 0;

free_tables:
	tables_exit(w);
free_ledger:
	free(w->own_ledger);
free_window:
	free(w);
	return err;
}

void utsvc_window_free(struct utmem_window *w)
{
	uint32_t id;

	for (id = 0; id < w->cfg.max_queues; id++)
		free(w->queues[id]);
	free(w->admin);
	TAILQ_REMOVE(&w->service->windows, w, link);
	tables_exit(w);
	free(w->own_ledger);
	free(w);
}

static void queues_drain_last(struct utmem_window *w)
{
	uint32_t id;

	for (id = 1; id < w->cfg.max_queues; id++) {
		if (w->queues[id])
			utsvc_queue_drain_last(w->queues[id]);
	}
}

/* Also those that have ended and wait for a DESTROY_QUEUE. Return: how many. */
static uint32_t queues_drop(struct utmem_window *w, bool wake)
{
	uint32_t nr = w->nr_queues;
	uint32_t id;

	for (id = 1; w->nr_queues && id < w->cfg.max_queues; id++) {
		struct queue *q = w->queues[id];

		if (!q)
			continue;
		utsvc_queue_end(q, UTMEM_QUEUE_GONE, -ECONNRESET);
		if (wake)
			utsvc_queue_wake(q);
		utsvc_admin_drop(q);
	}
	return nr;
}

void utmem_window_detach(struct utmem_window *w)
{
	utsvc_resume_finish(w->service);
	queues_drain_last(w);
	queues_drop(w, true);
	if (w->admin)
		utsvc_queue_close(w->admin);
	w->admin = NULL;
	utmem_store_release(&w->control->host.state, UTMEM_HOST_STOPPED);
	utsvc_counters_add(&w->service->retired, &w->counters);
	utsvc_window_free(w);
}

void utmem_window_draining(struct utmem_window *w)
{
	w->draining = true;
	utmem_store_release(&w->control->host.state, UTMEM_HOST_DRAINING);
}

void utmem_window_offer(struct utmem_window *w, uint64_t features)
{
	struct utmem_window_hdr *hdr = (struct utmem_window_hdr *)w->base;

	w->cfg.features = features & OFFERED;
	utmem_store_release(&hdr->features, w->cfg.features);
}

uint64_t utmem_window_token(const struct utmem_window *w)
{
	return w->cfg.doorbell_token;
}

void utmem_window_heartbeat(struct utmem_window *w)
{
	utmem_store_relaxed(&w->control->host.heartbeat, ++w->ledger->heartbeat);
	w->nr_lines -= w->nr_lines > 0;
}

void utmem_window_stat(const struct utmem_window *w, struct utmem_window_stat *out)
{
	*out = (struct utmem_window_stat){
		.nr_queues = w->nr_queues,
		.window_len = w->cfg.len,
		.window_free = w->room.free_len,
		.hello = w->ledger->hello,
		.counters = w->counters,
	};
}

static bool hello_is_new(const struct utmem_window *w, uint64_t *hello)
{
	*hello = utmem_load_acquire(&w->control->guest.hello);
	return *hello != w->ledger->hello;
}

/*
 * Another life of the guest's driver. Nobody waits for the queues of the life
 * before, so they are dropped undrained and nobody is woken. The answer comes
 * last: a driver that sees it finds an empty admin queue.
 */
static void hello_serve(struct utmem_window *w, uint64_t hello)
{
	uint64_t features = utmem_load_relaxed(&w->control->guest.features);
	uint32_t nr;

	if (features & ~w->cfg.features)
		utsvc_window_log(
			w, "guest generation %llu: accepts features 0x%llx of 0x%llx, rest ignored",
			(unsigned long long)hello, (unsigned long long)features,
			(unsigned long long)w->cfg.features);
	nr = queues_drop(w, false);
	utsvc_window_log(w, "guest generation %llu after %llu: %u queues dropped",
			 (unsigned long long)hello, (unsigned long long)w->ledger->hello, nr);
	w->ledger->admin.serial = LEDGER_NONE; /* they begin anew */
	UTMEM_FAIL_POINT("service_hello_dropped");
	utsvc_queue_restart(w->admin);
	UTMEM_FAIL_POINT("service_hello_restarted");
	utmem_store_release(&w->ledger->hello, hello);
	UTMEM_FAIL_POINT("service_hello_stored");
	utmem_store_release(&w->control->host.hello_ack, hello);
}

uint32_t utsvc_window_turn(struct utmem_window *w)
{
	uint64_t hello;

	if (!w->admin)
		return 0;
	if (hello_is_new(w, &hello))
		hello_serve(w, hello);
	return utsvc_admin_turn(w);
}

bool utsvc_window_has_work(struct utmem_window *w)
{
	uint64_t hello;

	return w->admin && (hello_is_new(w, &hello) || utsvc_queue_has_work(w->admin));
}
