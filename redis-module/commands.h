/* SPDX-License-Identifier: MIT */
#ifndef UTMEM_REDIS_COMMANDS_H
#define UTMEM_REDIS_COMMANDS_H

#include <redismodule.h>

#include "redis-module/batch.h"

/* Make every UTMEM.* command known to Redis; they will use @b. REDISMODULE_OK or _ERR. */
int commands_register(RedisModuleCtx *ctx, struct batch *b);

#endif /* UTMEM_REDIS_COMMANDS_H */
