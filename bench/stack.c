// SPDX-License-Identifier: MIT
/* Memory, engine, tenant: made in that order, undone in reverse. Called by thread.c and memory.c. */
#include "bench/stack.h"

#include <errno.h>

uint64_t stack_arena_len(uint64_t items, uint64_t value_len)
{
	uint64_t len = 2 * items * (value_len + 128) + (64ull << 20);

	return (len + (1 << 20) - 1) & ~((1ull << 20) - 1);
}

int stack_open(struct stack *s, const char *engine, uint64_t arena_len)
{
	const struct utmem_engine_ops *ops = utmem_engine_find(engine);
	int err;

	if (!ops)
		return -EINVAL;
	err = utmem_memory_open(&s->memory, arena_len, 1);
	if (err)
		return err;
	err = ops->open(&s->engine, &s->memory);
	if (err)
		goto close_memory;
	err = ops->tenant_add(s->engine, "bench", arena_len, &s->tenant);
	if (err)
		goto close_engine;
	return 0;

close_engine:
	ops->close(s->engine);
close_memory:
	utmem_memory_close(&s->memory);
	return err;
}

void stack_close(struct stack *s)
{
	utmem_ops(s->engine)->close(s->engine);
	utmem_memory_close(&s->memory);
}
