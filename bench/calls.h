/* SPDX-License-Identifier: MIT */
/*
 * A port whose host is a function call: requests are collected, and done by submit.
 * Owner: bench. Used by direct.c and lmdb.c, on the driving thread.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdlib.h>

#include "bench/rawclient.h"
#include "bench/text.h"

struct call {
	enum bench_op op;
	struct bench_key key;
	char *buf; /* of value_len bytes: what is stored, or where it is copied to */
};

struct calls {
	struct call call[BENCH_DEPTH_MAX];
	uint32_t nr, done; /* collected; done and not yet reaped */
	uint32_t value_len;
	char *bufs; /* one for each slot */
	char *text; /* NULL: what is stored is what the slot's buffer has */
};

static inline int calls_init(struct calls *c, const struct options *o)
{
	size_t len = (size_t)raw_data_len(o->value, o->depth) + UTMEM_PAGE;

	c->nr = c->done = 0;
	c->value_len = (uint32_t)o->value;
	c->bufs = aligned_alloc(UTMEM_PAGE, len);
	c->text = options_pack(o) ? text_make(o->value) : NULL;
	if (!c->bufs || (options_pack(o) && !c->text)) {
		free(c->text);
		free(c->bufs);
		return -ENOMEM;
	}
	memset(c->bufs, 'u', len);
	return 0;
}

static inline void calls_exit(struct calls *c)
{
	free(c->text);
	free(c->bufs);
}

static inline int calls_fill(struct calls *c, uint32_t slot, enum bench_op op,
			     const struct bench_key *key)
{
	struct call *call = &c->call[c->nr++];

	*call = (struct call){
		.op = op,
		.key = *key,
		.buf = c->bufs + (size_t)slot * raw_stride(c->value_len),
	};
	if (c->text && op == BENCH_PUT)
		call->buf = text_piece(c->text, key);
	return 0;
}

static inline void calls_end(struct calls *c)
{
	c->done += c->nr;
	c->nr = 0;
}

static inline int calls_reap(struct calls *c, uint32_t max)
{
	uint32_t n = c->done < max ? c->done : max;

	c->done -= n;
	return (int)n;
}

#endif /* BENCH_CALLS_H */
