/* SPDX-License-Identifier: MIT */
#ifndef UTMEM_REDIS_STATS_H
#define UTMEM_REDIS_STATS_H

#include <redismodule.h>

#include "redis-module/batch.h"

/* Reply with a map of names and numbers. Asks the host for the pool's. */
int stats_reply(RedisModuleCtx *ctx, struct batch *b);

#endif /* UTMEM_REDIS_STATS_H */
