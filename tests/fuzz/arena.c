// SPDX-License-Identifier: MIT
/*
 * libFuzzer target: an engine is opened on an arena in which anything may be.
 *
 * The input changes a small arena that was valid: it stores words anywhere, swaps records'
 * headers, moves pieces about. The engine either refuses it, or finds what it believes; what it
 * believes is then read, written, deleted, flushed and cleaned. Whatever is served is a record of
 * that very pool, under that very key. Sanitisers see the rest.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/pool/engine.h"
#include "host/pool/memory.h"

#define ARENA_LEN ((size_t)1 << 20)
#define QUOTA ((uint64_t)8 << 20)
#define NR_KEYS 24u
#define VALUE_MAX (24u << 10)

#define MUST(cond)                                                                                \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

static const struct utmem_engine_ops *const ops = &utmem_engine_pool;

/* ---- the input, eaten from the front; zeros when it is eaten up ---- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *in, size_t len)
{
	size_t n = len < in->left ? len : in->left;
	uint64_t v = 0;

	memcpy(&v, in->at, n);
	in->at += n;
	in->left -= n;
	return v;
}

/* ---- a valid arena, made once of each kind ---- */

struct world {
	struct utmem_memory mem;
	uint8_t *arena; /* as it was */
	uint8_t *meta;
	size_t meta_used;
};

static size_t meta_used(const struct utmem_memory *mem)
{
	const struct meta_header *hdr = mem->meta;

	return utmem_meta_len(mem->arena_len) -
	       (META_STORES_MAX - hdr->nr_stores) * sizeof(struct meta_store);
}

static struct utmem_key make_key(struct utmem_engine *e, const char *text)
{
	struct utmem_key key = {.data = text, .len = (uint32_t)strlen(text)};

	key.hash = ops->hash(e, key.data, key.len);
	return key;
}

static struct utmem_pool *open_pool(struct utmem_tenant *t, const char *name, bool ephemeral)
{
	struct utmem_pool_spec spec = {
		.name = name, .create = true, .any_owner = true, .kind.ephemeral = ephemeral};
	struct utmem_pool *p;

	return ops->pool_open(t, t, &spec, &p, NULL) ? NULL : p;
}

/* The same for each pool; half of it can be compressed. */
static void put(struct utmem_engine *e, struct utmem_pool *p, uint32_t no, uint32_t len)
{
	static uint8_t value[VALUE_MAX];
	struct utmem_key key;
	char text[16];
	uint32_t i;

	snprintf(text, sizeof(text), "key%u", no);
	key = make_key(e, text);
	memset(value, (int)no, len);
	for (i = 0; i < len / 2; i++)
		value[i] = (uint8_t)((no + 7) * 2654435761u * i >> 19);
	ops->put(p, &key, value, len, UTMEM_PUT_ALWAYS);
}

static void fill(struct utmem_engine *e, struct utmem_pool *p)
{
	struct utmem_stream *s;
	struct utmem_key key;
	uint32_t no;

	for (no = 0; no < NR_KEYS; no++)
		put(e, p, no, no % 8 ? no * 40 : VALUE_MAX);
	for (no = 0; no < NR_KEYS; no += 3)
		put(e, p, no, no * 7);
	key = make_key(e, "stream");
	if (!ops->stream_begin(p, &key, VALUE_MAX, &s))
		ops->stream_append(s, "part", 4);
}

static void world_fill(struct world *w)
{
	const struct utmem_pool_options options = {
		.compress = UTMEM_COMPRESS_LZ4, .compress_least = 64, .dedup = true};
	struct utmem_pool *p, *first = NULL;
	struct utmem_tenant *t[2];
	struct utmem_engine *e;
	uint32_t i;

	MUST(!ops->open(&e, &w->mem));
	for (i = 0; i < 4; i++) {
		if (i < 2)
			MUST(!ops->tenant_add(e, i ? "neighbour" : "tenant", QUOTA, &t[i]));
		p = open_pool(t[i % 2], i < 2 ? "store" : "cache", i >= 2);
		first = i ? first : p;
		if (i % 2 == 0)
			MUST(!ops->pool_options_set(p, &options));
		fill(e, p);
	}
	/* a segment is full when the next one is begun */
	for (i = 0; i < 3 * 2; i++)
		put(e, i % 2 ? first : p, NR_KEYS + i / 2, VALUE_MAX);
	for (i = 0; i < 200; i++) /* what is in full segments is packed, and shared */
		ops->maintain(e, 64 << 10);
	MUST(first->counters.nr_packed && first->counters.nr_shared);
	MUST(!ops->flush(p)); /* something is dying */
	put(e, p, 0, 100);
	ops->close(e);
}

static void world_init(struct world *w, bool durable)
{
	MUST(!utmem_memory_open(&w->mem, ARENA_LEN, 1));
	w->mem.meta_len = utmem_meta_len(ARENA_LEN);
	w->mem.meta = calloc(1, w->mem.meta_len);
	w->mem.durable = durable;
	MUST(w->mem.meta);
	world_fill(w);
	w->meta_used = meta_used(&w->mem);
	w->arena = malloc(ARENA_LEN);
	w->meta = malloc(w->meta_used);
	MUST(w->arena && w->meta);
	memcpy(w->arena, w->mem.arena, ARENA_LEN);
	memcpy(w->meta, w->mem.meta, w->meta_used);
}

static void world_reset(struct world *w)
{
	size_t used = meta_used(&w->mem);

	memcpy(w->mem.arena, w->arena, ARENA_LEN);
	memcpy(w->mem.meta, w->meta, w->meta_used);
	if (used > w->meta_used && used <= w->mem.meta_len)
		memset((uint8_t *)w->mem.meta + w->meta_used, 0, used - w->meta_used);
}

/* ---- damage ---- */

/* The records of one segment, as they were: where headers are. */
static uint8_t *pick_record(struct world *w, struct input *in)
{
	uint8_t *seg = (uint8_t *)w->mem.arena + (take(in, 1) % 16) * LOG_SEGMENT_MIN, *at = seg;
	uint32_t n = (uint32_t)take(in, 1);
	struct record *r;

	while (n--) {
		r = (struct record *)at;
		if (!r->head || at + record_size(r->key_len, record_payload_len(r)) + 64 >
					seg + LOG_SEGMENT_MIN)
			break;
		at += record_size(r->key_len, record_payload_len(r)) +
		      (w->mem.durable ? SEAL_LEN : 0);
	}
	return at;
}

static uint8_t *pick_place(struct world *w, struct input *in, size_t len)
{
	switch (take(in, 1) % 4) {
	case 0:
		return (uint8_t *)w->mem.meta + take(in, 4) % (w->meta_used - len + 1);
	case 1:
		return (uint8_t *)w->mem.arena + take(in, 4) % (ARENA_LEN - len + 1);
	default:
		return pick_record(w, in) + (len <= sizeof(struct record) ? take(in, 1) % 32 : 0);
	}
}

/* A store table entry that says something else, and has the right checksum: a forged one. */
static void forge_store(struct world *w, struct input *in)
{
	struct meta_header *hdr = w->mem.meta;
	struct meta_store *st =
		(struct meta_store *)((uint8_t *)hdr + utmem_meta_len(ARENA_LEN)) - META_STORES_MAX;
	struct meta m = {.salt = hdr->salt};
	uint32_t n = hdr->nr_stores % 16 + 1;

	st += take(in, 1) % n;
	switch (take(in, 1) % 5) {
	case 0:
		st->serial = take(in, 1);
		break;
	case 1:
		st->pool_id = take(in, 1);
		break;
	case 2:
		st->kind = (uint32_t)take(in, 1);
		break;
	case 3:
		st->tenant[take(in, 1) % sizeof(st->tenant)] = (char)take(in, 1);
		break;
	default:
		st->pool[take(in, 1) % sizeof(st->pool)] = (char)take(in, 1);
	}
	utpool_meta_store_seal(&m, st);
}

static void damage(struct world *w, struct input *in)
{
	uint8_t what = (uint8_t)take(in, 1), *at, *from;
	uint64_t word;
	size_t len;

	switch (what % 6) {
	case 0:
		word = take(in, 8);
		memcpy(pick_place(w, in, 8), &word, 1 + what % 8);
		break;
	case 1: /* one bit */
		at = pick_place(w, in, 1);
		*at ^= 1u << take(in, 1) % 8;
		break;
	case 2: /* a record in another's place, or twice */
		at = pick_record(w, in);
		from = pick_record(w, in);
		len = 1 + take(in, 1) % 64;
		memmove(at, from, len);
		break;
	case 3:
		len = 1 + take(in, 2) % 8192;
		memset(pick_place(w, in, 8192), (int)take(in, 1), len);
		break;
	case 4: /* what segments are said to be */
		word = take(in, 2) | (take(in, 1) << META_SEGMENT_WHEN_SHIFT);
		memcpy((uint8_t *)w->mem.meta + META_PAGE + take(in, 1) % 16 * sizeof(word), &word,
		       sizeof(word));
		break;
	default:
		forge_store(w, in);
	}
}

/* ---- what an engine makes of it ---- */

/* Whatever the index leads to belongs to this pool, and is found under its own key. */
static void read_pool(struct utmem_engine *e, struct utmem_pool *p)
{
	static uint8_t buf[VALUE_MAX];
	struct pool_engine *pe = (struct pool_engine *)e;
	struct utmem_get_result out;
	uint64_t off[BUCKET_SLOTS], n = p->counters.nr_items;
	struct index_hand hand = {0};
	struct utmem_key key;
	struct record *r;
	uint32_t i, nr;
	bool leaf_end;
	int err;

	while (n) {
		nr = utpool_index_scan(&p->store->index, &hand, off, &leaf_end);
		for (i = 0; i < nr; i++, n--) {
			r = log_record(&pe->log, off[i]);
			MUST(r->store == p->store->id && r->state == RECORD_LIVE);
			key = (struct utmem_key){.data = record_key(r), .len = r->key_len};
			key.hash = ops->hash(e, key.data, key.len);
			err = ops->get(p, &key, 0, buf, sizeof(buf), &out);
			/* it, or a chunk of it, may be packed, and what it was packed to is damaged */
			MUST(!err || (err == -EIO && (r->packed || r->type == RECORD_LARGE)));
			MUST(out.value_len == record_full_len(r));
		}
	}
}

static void for_each_pool(struct utmem_engine *e,
			  void (*f)(struct utmem_engine *e, struct utmem_pool *p))
{
	struct utmem_tenant *t = NULL;
	struct utmem_pool *p;

	while ((t = ops->tenant_next(e, t)))
		for (p = NULL; (p = ops->pool_next(t, p));)
			f(e, p);
}

static void use_pool(struct utmem_engine *e, struct utmem_pool *p)
{
	struct utmem_key key = make_key(e, "key3");

	fill(e, p);
	ops->del(p, &key);
	if (ops->pool_id(p) % 3 == 0)
		ops->flush(p);
}

static void use(struct utmem_engine *e)
{
	struct utmem_tenant *t;
	struct utmem_stream *s;
	uint32_t id, n;

	for_each_pool(e, read_pool);
	for (id = 0; id < 8; id++)
		if (!ops->stream_adopt(e, id, id % 2 ? 4 : 0, &s))
			ops->stream_append(s, "more", 4);
	ops->streams_settle(e);
	for_each_pool(e, use_pool);
	for (n = 0; n < 20; n++)
		ops->maintain(e, 64 << 10);
	for_each_pool(e, read_pool);
	if (!ops->tenant_add(e, "tenant", QUOTA / 64, &t))
		ops->maintain(e, 64 << 10);
}

static void open_and_use(struct world *w, bool again)
{
	struct utmem_engine *e;
	int err = ops->open(&e, &w->mem);

	if (err) {
		MUST(!e && !again);
		MUST(err == -EUCLEAN || err == -EPROTONOSUPPORT || err == -EINVAL);
		return;
	}
	use(e);
	ops->close(e);
	/* what it has left is in order */
	if (!again)
		open_and_use(w, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world worlds[2];
	struct input in = {.at = data, .left = len};
	struct world *w;

	if (!worlds[0].arena) {
		world_init(&worlds[0], false);
		world_init(&worlds[1], true);
	}
	w = &worlds[take(&in, 1) % 2];
	world_reset(w);
	while (in.left)
		damage(w, &in);
	open_and_use(w, false);
	return 0;
}
