// SPDX-License-Identifier: MIT
/*
 * The module's entry and exit: options, host, commands, event loop, in this order.
 * Called by Redis, on its main thread.
 */
#include <string.h>

#include "redis-module/batch.h"
#include "redis-module/commands.h"
#include "redis-module/options.h"

#define MODULE_API __attribute__((visibility("default")))
#define MODULE_VERSION 1 /* as MODULE LIST shows it */

static struct batch batch;

MODULE_API int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
MODULE_API int RedisModule_OnUnload(RedisModuleCtx *ctx);

static int parse_options(RedisModuleCtx *ctx, struct options *opt, RedisModuleString **argv,
			 int argc)
{
	const char *name, *value, *why;

	options_default(opt);
	for (int i = 0; i < argc; i += 2) {
		name = RedisModule_StringPtrLen(argv[i], NULL);
		value = i + 1 < argc ? RedisModule_StringPtrLen(argv[i + 1], NULL) : "";
		if (options_set(opt, name, value, &why) == 0)
			continue;
		RedisModule_Log(ctx, "warning", "option %s %s: %s", name, value, why);
		return REDISMODULE_ERR;
	}
	return REDISMODULE_OK;
}

static int connect_host(RedisModuleCtx *ctx, const struct options *opt)
{
	const char *step;
	int err = batch_init(&batch, opt, &step);

	if (err) {
		RedisModule_Log(ctx, "warning", "%s: cannot %s: %s", opt->transport, step,
				strerror(-err));
		return REDISMODULE_ERR;
	}
	return REDISMODULE_OK;
}

/* When this fails, only the connection is left to be undone: Redis forgets the commands. */
static int start(RedisModuleCtx *ctx, const struct options *opt)
{
	if (commands_register(ctx, &batch) != REDISMODULE_OK || batch_run(&batch, ctx)) {
		RedisModule_Log(ctx, "warning", "cannot register the commands or the event loop");
		lane_close(&batch.lane);
		return REDISMODULE_ERR;
	}
	RedisModule_Log(ctx, "notice", "utmem %s: %s, pool %s", UTMEM_VERSION, opt->transport,
			opt->pool);
	return REDISMODULE_OK;
}

int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	struct options opt;

	if (RedisModule_Init(ctx, "utmem", MODULE_VERSION, REDISMODULE_APIVER_1) != REDISMODULE_OK)
		return REDISMODULE_ERR;
	/* 7.0 is the first with all of these */
	if (!RedisModule_SetCommandInfo || !RedisModule_EventLoopAdd) {
		RedisModule_Log(ctx, "warning", "this needs Redis 7.0 or later");
		return REDISMODULE_ERR;
	}
	if (parse_options(ctx, &opt, argv, argc) != REDISMODULE_OK ||
	    connect_host(ctx, &opt) != REDISMODULE_OK)
		return REDISMODULE_ERR;
	return start(ctx, &opt);
}

int RedisModule_OnUnload(RedisModuleCtx *ctx)
{
	if (batch_exit(&batch) == 0)
		return REDISMODULE_OK;
	RedisModule_Log(ctx, "warning", "%u commands are under way%s: not unloaded", batch.nr_live,
			batch.reconnect.running ? ", and an attempt to reach the host" : "");
	return REDISMODULE_ERR;
}
