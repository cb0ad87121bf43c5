// SPDX-License-Identifier: MIT
/*
 * Owns pools on their way in: frames become values of a pool that nobody can find, and that
 * takes the named one's place when the last frame was right and nothing follows it. One line
 * of JSON says how it went.
 * Called by the loop, on the daemon's main thread.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/pool/save_format.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/log.h"
#include "host/utmemd/pool_options.h"
#include "host/utmemd/restore.h"
#include "host/utmemd/size.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/transfer.h"

#define WHY_LEN 512

struct restore {
	struct transfer t;
	struct utmem_pool *incoming; /* NULL before the head has come, and at the end */
	struct utmem_stream *stream; /* of the open value */
	uint64_t stream_left;
	struct save_reader reader;
	bool create, replace;
	char pool[UTMEM_POOL_NAME_LEN];
	char why[WHY_LEN];
	size_t in_len;
	uint8_t in[SAVE_FRAME_MAX + TRANSFER_TURN_BYTES];
};

static int fail(struct restore *r, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct restore *r, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, args);
	va_end(args);
	return err;
}

/* ---- what may go wrong ---- */

static int fail_quota(struct restore *r, uint64_t missing)
{
	char size[SIZE_TEXT_LEN], quota[SIZE_TEXT_LEN];
	struct utmem_tenant_stat stat;

	utmem_ops(r->t.tenant->pools)->tenant_stat(r->t.tenant->pools, &stat);
	size_round(size, missing);
	size_round(quota, stat.quota_bytes);
	return fail(r, -ENOSPC,
		    "tenant %s: a quota of %s is too small, %s (%" PRIu64 " bytes) are missing",
		    r->t.tenant->name, quota, size, missing);
}

static uint64_t charge_least(const struct save_totals *sum)
{
	return sum->key_bytes + sum->value_bytes + sum->nr_items * UTMEM_POOL_ITEM_COST;
}

/* A value found no room: of the quota, going by what the head promised, or of the arena. */
static int fail_room(struct restore *r)
{
	uint64_t need = charge_least(&r->reader.head.totals), come, room;
	struct utmem_tenant_stat stat;
	struct utmem_pool_counters c;

	utmem_ops(r->incoming)->pool_stat(r->incoming, &c);
	utmem_ops(r->t.tenant->pools)->tenant_stat(r->t.tenant->pools, &stat);
	come = c.used_bytes < need ? c.used_bytes : need;
	room = stat.quota_bytes > stat.used_bytes ? stat.quota_bytes - stat.used_bytes : 0;
	if (need - come > room)
		return fail_quota(r, need - come - room);
	return fail(r, -ENOSPC, "no room for all values, in the arena or in the quota of tenant %s",
		    r->t.tenant->name);
}

static int fail_pool(struct restore *r, int err)
{
	const char *owner = r->t.tenant->name;

	switch (err) {
	case -ENOENT:
		return fail(r, err, "tenant %s has no pool %s; --create makes it", owner, r->pool);
	case -EEXIST:
		return fail(r, err, "pool %s/%s has values; --replace drops them", owner, r->pool);
	case -EINVAL:
		return fail(r, err, "pool %s/%s is %s, the saved one is not", owner, r->pool,
			    r->reader.head.kind.ephemeral ? "persistent" : "ephemeral");
	case -EBUSY:
		return fail(r, err, "pool %s/%s is being restored already", owner, r->pool);
	case -ESTALE:
		return fail(r, err, "pool %s/%s was made or destroyed meanwhile", owner, r->pool);
	case -ENOSPC:
		return fail_room(r);
	default:
		return fail(r, err, "pool %s/%s: %s", owner, r->pool, strerror(-err));
	}
}

/* ---- frames ---- */

/* Of the saved pool; those that it does not name, or that are not known here, are as of other new pools. */
static int apply_options(struct restore *r)
{
	struct utmem_pool_options o = utmem_ops(r->incoming)->pool_options(r->incoming);
	int err = pool_options_read(&o, r->reader.head.options);

	if (err)
		log_warn("restore of %s/%s: options that are not known here are left out",
			 r->t.tenant->name, r->pool);
	err = utmem_ops(r->incoming)->pool_options_set(r->incoming, &o);
	return err ? fail_pool(r, err) : 0;
}

static int apply_head(struct restore *r)
{
	const struct save_head *h = &r->reader.head;
	struct utmem_restore_spec spec = {
		.pool = {.name = r->pool, .kind = h->kind, .create = r->create},
		.replace = r->replace,
		.need = charge_least(&h->totals),
	};
	bool is_new = !tenant_pool_find(r->t.tenant, r->pool);
	struct utmem_tenant *t = r->t.tenant->pools;
	int err = utmem_ops(t)->restore_begin(t, &spec, &r->incoming);

	if (err == -ENOSPC)
		return fail_quota(r, spec.missing);
	if (err)
		return fail_pool(r, err);
	return is_new ? apply_options(r) : 0;
}

static struct utmem_key key_of(const struct restore *r, const struct save_frame *f)
{
	struct utmem_key key = {.data = f->key, .len = f->key_len};

	key.hash = utmem_ops(r->incoming)->hash(r->t.daemon->engine, f->key, f->key_len);
	return key;
}

static int apply_value(struct restore *r, const struct save_frame *f)
{
	struct utmem_key key = key_of(r, f);

	return utmem_ops(r->incoming)
		->put(r->incoming, &key, f->data, f->data_len, UTMEM_PUT_ALWAYS);
}

static int apply_open(struct restore *r, const struct save_frame *f)
{
	struct utmem_key key = key_of(r, f);

	r->stream_left = f->value_len;
	return utmem_ops(r->incoming)->stream_begin(r->incoming, &key, f->value_len, &r->stream);
}

static int apply_part(struct restore *r, const struct save_frame *f)
{
	const struct utmem_engine_ops *ops = utmem_ops(r->stream);
	int err = ops->stream_append(r->stream, f->data, f->data_len);

	r->stream_left -= f->data_len;
	if (err || r->stream_left)
		return err;
	err = ops->stream_commit(r->stream, UTMEM_PUT_ALWAYS);
	if (!err)
		r->stream = NULL;
	return err;
}

static int apply(struct restore *r, const struct save_frame *f)
{
	int err = 0;

	switch (f->type) {
	case SAVE_VALUE:
		err = apply_value(r, f);
		break;
	case SAVE_OPEN:
		err = apply_open(r, f);
		break;
	case SAVE_PART:
		err = apply_part(r, f);
		break;
	case SAVE_END:
	case SAVE_FAILED:
		break;
	default:
		return apply_head(r);
	}
	return err ? fail_pool(r, err) : 0;
}

static int fail_read(struct restore *r, int err, const struct save_frame *f)
{
	if (err == -ECANCELED)
		return fail(r, err, "what was saved is not whole: %.*s", (int)f->data_len,
			    (const char *)f->data);
	return fail(r, err, "what came: %s", utmem_save_strerror(err));
}

/* Every frame that is here. */
static int apply_frames(struct restore *r)
{
	struct save_frame f;
	size_t at = 0;
	int64_t n;
	int err = 0;

	while ((n = utmem_save_read(&r->reader, r->in + at, r->in_len - at, &f)) > 0) {
		err = apply(r, &f);
		if (err)
			return err;
		at += (size_t)n;
	}
	if (n < 0)
		return fail_read(r, (int)n, &f);
	r->in_len -= at;
	if (at)
		memmove(r->in, r->in + at, r->in_len);
	return 0;
}

/* ---- the end ---- */

static int commit(struct restore *r)
{
	int err;

	if (!r->reader.ended)
		return fail(r, -ENODATA, "what came: %s", utmem_save_strerror(-ENODATA));
	err = utmem_ops(r->incoming)->restore_commit(r->incoming);
	if (err)
		return fail_pool(r, err);
	r->incoming = NULL;
	log_info("restore of %s/%s: %" PRIu64 " values, %" PRIu64 " bytes", r->t.tenant->name,
		 r->pool, r->reader.chain.totals.nr_items,
		 r->reader.chain.totals.key_bytes + r->reader.chain.totals.value_bytes);
	return 0;
}

static cJSON *answer(const struct restore *r, int err)
{
	const struct save_totals *sum = &r->reader.chain.totals;
	cJSON *o = cJSON_CreateObject(), *result;

	cJSON_AddBoolToObject(o, "ok", !err);
	if (err) {
		cJSON_AddNumberToObject(o, "errno", err);
		cJSON_AddStringToObject(o, "error", r->why);
		return o;
	}
	result = cJSON_AddObjectToObject(o, "result");
	cJSON_AddNumberToObject(result, "items", (double)sum->nr_items);
	cJSON_AddNumberToObject(result, "key_bytes", (double)sum->key_bytes);
	cJSON_AddNumberToObject(result, "value_bytes", (double)sum->value_bytes);
	return o;
}

/* A line fits into a socket that nothing was written to but the first answer. */
static void send_answer(struct restore *r, int err)
{
	cJSON *o = answer(r, err);
	char *line = o ? cJSON_PrintUnformatted(o) : NULL;
	struct iovec iov[] = {{line, line ? strlen(line) : 0}, {(void *)"\n", 1}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (line)
		sendmsg(r->t.src.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(line);
	cJSON_Delete(o);
}

static void end_with(struct restore *r, int err)
{
	if (err)
		log_warn("restore of %s/%s failed: %s", r->t.tenant->name, r->pool, r->why);
	send_answer(r, err);
	transfer_close(&r->t);
}

/* ---- the connection ---- */

static void restore_ready(struct transfer *t)
{
	struct restore *r = owner_of(t, struct restore, t);
	ssize_t n = recv(t->src.fd, r->in + r->in_len, TRANSFER_TURN_BYTES, MSG_DONTWAIT);
	int err;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end_with(r, fail(r, -errno, "its sender has left"));
		return;
	}
	r->in_len += (size_t)n;
	err = n ? apply_frames(r) : commit(r);
	if (err || !n)
		end_with(r, err);
}

static void restore_started(struct transfer *t, const void *bytes, size_t len)
{
	struct restore *r = owner_of(t, struct restore, t);
	int err;

	memcpy(r->in, bytes, len);
	r->in_len = len;
	err = apply_frames(r);
	if (err)
		end_with(r, err);
}

static void restore_end(struct transfer *t)
{
	struct restore *r = owner_of(t, struct restore, t);

	if (r->stream)
		utmem_ops(r->stream)->stream_abort(r->stream);
	if (r->incoming)
		utmem_ops(r->incoming)->restore_abort(r->incoming);
	free(r);
}

static const struct transfer_kind restore_kind = {
	.name = "restore",
	.events = EPOLLIN,
	.started = restore_started,
	.ready = restore_ready,
	.end = restore_end,
};

int restore_open(struct tenant *owner, const char *name, bool create, bool replace,
		 struct transfer **out)
{
	struct restore *r;
	int err;

	if (!utmem_ops(owner->pools)->restore_begin)
		return -EOPNOTSUPP;
	if (!utmem_name_valid(name))
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	err = transfer_init(&r->t, &restore_kind, owner);
	if (err) {
		free(r);
		return err;
	}
	r->create = create;
	r->replace = replace;
	strcpy(r->pool, name);
	*out = &r->t;
	return 0;
}
