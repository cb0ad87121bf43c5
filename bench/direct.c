// SPDX-License-Identifier: MIT
/*
 * An engine called by the client itself, a batch at a time as a service calls it: hash
 * and prefetch all keys, then do all requests, then let it clean. One thread.
 */
#include <stdio.h>

#include "bench/calls.h"
#include "bench/stack.h"
#include "bench/target.h"

#define MAINTAIN_BYTES (64u << 10)

struct direct {
	struct target base;
	struct stack stack;
	struct utmem_pool *pool;
	struct utmem_key keys[BENCH_DEPTH_MAX];
	struct calls calls;
};

static int direct_fill(void *ctx, uint32_t slot, enum bench_op op, const struct bench_key *key)
{
	return calls_fill(&((struct direct *)ctx)->calls, slot, op, key);
}

static int direct_reap(void *ctx, uint32_t max)
{
	return calls_reap(&((struct direct *)ctx)->calls, max);
}

static void look_up(struct direct *d)
{
	const struct utmem_engine_ops *ops = utmem_ops(d->stack.engine);
	struct utmem_key *key = d->keys;
	const struct call *c = d->calls.call;

	for (uint32_t i = 0; i < d->calls.nr; i++) {
		key[i] = (struct utmem_key){.data = &c[i].key, .len = sizeof(c[i].key)};
		key[i].hash = ops->hash(d->stack.engine, key[i].data, key[i].len);
		if (ops->prefetch_index)
			ops->prefetch_index(d->pool, &key[i]);
	}
	for (uint32_t i = 0; ops->prefetch_record && i < d->calls.nr; i++)
		ops->prefetch_record(d->pool, &key[i],
				     c[i].op == BENCH_GET ? d->calls.value_len : 0);
}

static int call(struct direct *d, const struct call *c, const struct utmem_key *key)
{
	const struct utmem_engine_ops *ops = utmem_ops(d->stack.engine);
	struct utmem_get_result out;

	switch (c->op) {
	case BENCH_PUT:
		return ops->put(d->pool, key, c->buf, d->calls.value_len, UTMEM_PUT_ALWAYS);
	case BENCH_DEL:
		return ops->del(d->pool, key);
	default:
		return ops->get(d->pool, key, 0, c->buf, d->calls.value_len, &out);
	}
}

static int direct_submit(void *ctx)
{
	struct direct *d = ctx;
	int err = 0;

	look_up(d);
	for (uint32_t i = 0; i < d->calls.nr && !err; i++) {
		err = call(d, &d->calls.call[i], &d->keys[i]);
		if (err == -ENOENT)
			err = 0;
	}
	utmem_ops(d->stack.engine)->maintain(d->stack.engine, MAINTAIN_BYTES);
	calls_end(&d->calls);
	return err;
}

static const struct port direct_port = {
	.fill = direct_fill, .submit = direct_submit, .reap = direct_reap};

static int pool_open(struct direct *d)
{
	struct utmem_pool_spec spec = {.name = "bench", .create = true};
	bool readonly = false;

	return utmem_ops(d->stack.engine)
		->pool_open(d->stack.tenant, d->stack.tenant, &spec, &d->pool, &readonly);
}

static int pool_set(struct direct *d, const struct options *o)
{
	struct utmem_pool_options options = {.dedup = !strcmp(o->dedup, "tenant")};

	if (!strcmp(o->compress, "lz4"))
		options.compress = UTMEM_COMPRESS_LZ4;
	if (!strcmp(o->compress, "zstd"))
		options.compress = UTMEM_COMPRESS_ZSTD;
	return utmem_ops(d->pool)->pool_options_set(d->pool, &options);
}

static int direct_open(struct target **out, const struct options *o, uint64_t items)
{
	struct direct *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!d)
		return err;
	d->base = target_direct;
	err = calls_init(&d->calls, o);
	if (err)
		goto free_direct;
	err = stack_open(&d->stack, o->engine, stack_arena_len(items, o->value));
	if (err)
		goto exit_calls;
	err = pool_open(d);
	if (!err)
		err = pool_set(d, o);
	if (err)
		goto close_stack;
	*out = &d->base;
	return 0;

close_stack:
	stack_close(&d->stack);
exit_calls:
	calls_exit(&d->calls);
free_direct:
	free(d);
	fprintf(stderr, "utmem-bench: engine %s: %s\n", o->engine, strerror(-err));
	return err;
}

static void direct_close(struct target *t)
{
	struct direct *d = (struct direct *)t;

	stack_close(&d->stack);
	calls_exit(&d->calls);
	free(d);
}

static int direct_run(struct target *t, const struct load *load, struct result *out)
{
	return drive(&direct_port, t, load, out);
}

/* Values become cold by and by: maintain has more to do until all that can be packed is. */
static void direct_pack(struct target *t)
{
	struct direct *d = (struct direct *)t;

	while (utmem_ops(d->stack.engine)->maintain(d->stack.engine, MAINTAIN_BYTES))
		;
}

static double direct_stored_ratio(struct target *t)
{
	struct direct *d = (struct direct *)t;
	struct utmem_pool_counters c;

	utmem_ops(d->pool)->pool_stat(d->pool, &c);
	return c.stored_bytes ? (double)c.value_bytes / (double)c.stored_bytes : 1;
}

const struct target target_direct = {
	.name = "direct",
	.open = direct_open,
	.close = direct_close,
	.run = direct_run,
	.pack = direct_pack,
	.stored_ratio = direct_stored_ratio,
};
