/* SPDX-License-Identifier: MIT */
/* One Redis command under way: its requests, and the client that waits for it. */
#ifndef UTMEM_REDIS_COMMAND_H
#define UTMEM_REDIS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include <redismodule.h>

#include "redis-module/request.h"

struct command {
	RedisModuleBlockedClient *bc; /* NULL: the caller waits in batch_wait() */
	int (*reply)(RedisModuleCtx *ctx, const struct command *c);
	RedisModuleString **args; /* held until the command is freed: keys and values lie in them */
	uint32_t nr_args;
	uint32_t nr, nr_left, nr_started; /* requests */
	bool one_by_one; /* the next request starts when the one before has ended */
	struct request reqs[];
};

#endif /* UTMEM_REDIS_COMMAND_H */
