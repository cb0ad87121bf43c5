// SPDX-License-Identifier: MIT
/*
 * Owns pools on their way out: what the engine emits becomes frames, which wait for the
 * reader. The walk waits for him, too; what dies ahead of the walk cannot, and is spooled up
 * to --save-memory. Beyond that it is the save that fails, not the tenant's request.
 * Called by the loop and, through the engine, by whatever ends a value's life; on the daemon's
 * main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/pool/save_format.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/pool_options.h"
#include "host/utmemd/save.h"
#include "host/utmemd/spool.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/transfer.h"

/* The walk goes on while fewer bytes than this wait for the reader. */
#define SAVE_AHEAD_BYTES (256u << 10)

_Static_assert(UTMEM_SAVE_PART_MAX <= SAVE_DATA_MAX, "a part is a frame");
_Static_assert(SAVE_FRAME_MAX <= SPOOL_BLOCK_LEN, "a frame lies in one block");

struct save {
	struct transfer t;
	struct utmem_save *walk; /* NULL: END or FAILED is in the spool */
	struct spool spool;
	struct save_chain chain;
	uint64_t open_left; /* of the value whose parts come */
	int64_t held;	    /* by the engine */
	char pool[UTMEM_POOL_NAME_LEN];
};

/* ---- frames ---- */

static bool room_left(const struct save *s, size_t len)
{
	return s->spool.nr_bytes + (uint64_t)s->held + len <= s->t.daemon->opt->save_memory;
}

static void put_frame(struct save *s, uint8_t *at, const struct save_frame *f)
{
	spool_commit(&s->spool, utmem_save_put_frame(&s->chain, f, at));
}

static bool put_open(struct save *s, const struct utmem_save_item *item)
{
	struct save_frame f = {SAVE_OPEN, item->key, item->key_len, item->value_len, NULL, 0};
	uint8_t *at = spool_reserve(&s->spool, SAVE_FRAME_HEADER_LEN + item->key_len);

	if (!at)
		return false;
	put_frame(s, at, &f);
	s->open_left = item->value_len;
	return true;
}

/* A part of a longer value has no key. */
static uint32_t key_len_of(const struct utmem_save_item *item, uint32_t len)
{
	return len < item->value_len ? 0 : item->key_len;
}

static void *sink_reserve(void *ctx, const struct utmem_save_item *item, uint32_t len)
{
	uint32_t key_len = key_len_of(item, len);
	size_t frame = SAVE_FRAME_HEADER_LEN + (size_t)key_len + len;
	struct save *s = ctx;
	uint8_t *at;

	if (!room_left(s, frame + SAVE_FRAME_HEADER_LEN + item->key_len))
		return NULL;
	if (len < item->value_len && !s->open_left && !put_open(s, item))
		return NULL;
	at = spool_reserve(&s->spool, frame);
	return at ? at + SAVE_FRAME_HEADER_LEN + key_len : NULL;
}

static void sink_emit(void *ctx, const struct utmem_save_item *item, uint64_t off, uint32_t len)
{
	uint32_t key_len = key_len_of(item, len);
	struct save_frame f = {SAVE_PART, NULL, 0, 0, NULL, len};
	struct save *s = ctx;
	uint8_t *at = spool_reserve(&s->spool, SAVE_FRAME_HEADER_LEN + (size_t)key_len + len);

	(void)off;
	if (key_len)
		f = (struct save_frame){SAVE_VALUE, item->key, key_len, len, NULL, len};
	else
		s->open_left -= len;
	f.data = at + SAVE_FRAME_HEADER_LEN + key_len;
	put_frame(s, at, &f);
}

static bool sink_hold(void *ctx, int64_t bytes)
{
	struct save *s = ctx;

	s->held += bytes;
	return room_left(s, 0);
}

/* ---- the end of the walk ---- */

static const char *reason(int err)
{
	switch (err) {
	case -ECANCELED:
		return "the pool was flushed, destroyed or replaced meanwhile";
	case -ENOBUFS:
		return "the reader is too slow for what changes meanwhile (see --save-memory)";
	default:
		return strerror(-err);
	}
}

/* -ENOMEM: the reader will miss the end, and know. */
static int finish(struct save *s, int err)
{
	const struct save_totals *sum = &s->chain.totals;
	uint8_t *at = spool_reserve(&s->spool, SAVE_FRAME_HEADER_LEN + SAVE_WHY_MAX);

	utmem_ops(s->walk)->save_end(s->walk);
	s->walk = NULL;
	if (!at)
		return -ENOMEM;
	spool_commit(&s->spool, err ? utmem_save_put_failed(&s->chain, reason(err), at)
				    : utmem_save_put_end(&s->chain, at));
	if (err)
		log_warn("save of %s/%s failed: %s", s->t.tenant->name, s->pool, reason(err));
	else
		log_info("save of %s/%s: %" PRIu64 " values, %" PRIu64 " bytes", s->t.tenant->name,
			 s->pool, sum->nr_items, sum->key_bytes + sum->value_bytes);
	return 0;
}

static int walk_on(struct save *s)
{
	int more;

	if (!s->walk || s->spool.nr_bytes >= SAVE_AHEAD_BYTES)
		return 0;
	more = utmem_ops(s->walk)->save_step(s->walk, TRANSFER_TURN_BYTES);
	return more > 0 ? 0 : finish(s, more);
}

/* ---- the connection ---- */

static void save_ready(struct transfer *t)
{
	struct save *s = owner_of(t, struct save, t);
	ssize_t n = walk_on(s);

	if (!n)
		n = spool_send(&s->spool, t->src.fd, TRANSFER_TURN_BYTES);
	if (n < 0 && n != -EAGAIN) {
		if (s->walk)
			log_warn("save of %s/%s: its reader has left", t->tenant->name, s->pool);
		transfer_close(t);
	} else if (!s->walk && !s->spool.nr_bytes) {
		transfer_close(t);
	}
}

static void save_started(struct transfer *t, const void *bytes, size_t len)
{
	(void)t;
	(void)bytes; /* whoever reads a pool has nothing to say */
	(void)len;
}

static void save_end(struct transfer *t)
{
	struct save *s = owner_of(t, struct save, t);

	if (s->walk)
		utmem_ops(s->walk)->save_end(s->walk);
	spool_exit(&s->spool);
	free(s);
}

static const struct transfer_kind save_kind = {
	.name = "save",
	.events = EPOLLOUT,
	.started = save_started,
	.ready = save_ready,
	.end = save_end,
};

static int put_head(struct save *s, struct utmem_pool *p)
{
	struct save_head h = {.kind = utmem_ops(p)->pool_kind(p), .time = (uint64_t)time(NULL)};
	uint8_t *at = spool_reserve(&s->spool, SAVE_HEAD_LEN);
	struct utmem_pool_options o = utmem_ops(p)->pool_options(p);
	struct utmem_pool_counters c;

	if (!at)
		return -ENOMEM;
	utmem_ops(p)->pool_stat(p, &c);
	pool_options_write(&o, h.options);
	h.totals = (struct save_totals){c.nr_items, c.key_bytes, c.value_bytes};
	memcpy(h.tenant, s->t.tenant->name, sizeof(h.tenant));
	memcpy(h.pool, s->pool, sizeof(h.pool));
	utmem_save_put_head(&s->chain, &h, at);
	spool_commit(&s->spool, SAVE_HEAD_LEN);
	return 0;
}

int save_open(struct tenant *owner, struct utmem_pool *p, struct transfer **out)
{
	struct save *s;
	struct utmem_save_sink sink = {sink_reserve, sink_emit, sink_hold, NULL};
	int err;

	if (!utmem_ops(p)->save_begin)
		return -EOPNOTSUPP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	spool_init(&s->spool);
	strcpy(s->pool, utmem_ops(p)->pool_name(p));
	err = transfer_init(&s->t, &save_kind, owner);
	if (err) {
		free(s);
		return err;
	}
	sink.ctx = s;
	err = put_head(s, p);
	if (!err)
		err = utmem_ops(p)->save_begin(p, &sink, &s->walk);
	if (err) {
		transfer_close(&s->t);
		return err;
	}
	*out = &s->t;
	return 0;
}
