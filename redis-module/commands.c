// SPDX-License-Identifier: MIT
/*
 * The commands: arguments -> requests -> reply.
 * Called by Redis, on its main thread; the table at the end registers them.
 */
#include <errno.h>
#include <strings.h>

#include "redis-module/commands.h"
#include "redis-module/errors.h"
#include "redis-module/stats.h"

/* Where nobody may be kept waiting, the command waits itself. */
#define SYNC_CONTEXT                                                              \
	(REDISMODULE_CTX_FLAGS_LUA | REDISMODULE_CTX_FLAGS_MULTI |                \
	 REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_REPLICATED | \
	 REDISMODULE_CTX_FLAGS_LOADING)

static struct batch *batch;

/* ---- life of a command ---- */

static struct command *command_alloc(uint32_t nr,
				     int (*reply)(RedisModuleCtx *, const struct command *))
{
	struct command *c = RedisModule_Calloc(1, sizeof(*c) + nr * sizeof(c->reqs[0]));

	c->nr = nr;
	c->nr_left = nr;
	c->reply = reply;
	batch->nr_live++;
	return c;
}

static void command_free(struct command *c)
{
	for (uint32_t i = 0; i < c->nr; i++)
		request_exit(&c->reqs[i], &batch->lane);
	for (uint32_t i = 0; i < c->nr_args; i++)
		RedisModule_FreeString(NULL, c->args[i]);
	RedisModule_Free(c->args);
	RedisModule_Free(c);
	batch->nr_live--;
}

/* Arguments outlive the client: a client that dies leaves its requests in flight. */
static void hold_args(struct command *c, RedisModuleString **argv, int argc)
{
	c->args = RedisModule_Alloc((size_t)argc * sizeof(*c->args));
	c->nr_args = (uint32_t)argc;
	for (int i = 0; i < argc; i++)
		c->args[i] = RedisModule_HoldString(NULL, argv[i]);
}

static int on_reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	struct command *c = RedisModule_GetBlockedClientPrivateData(ctx);

	(void)argv;
	(void)argc;
	return c->reply(ctx, c);
}

/* CLIENT UNBLOCK. The requests go on, and free the command when they have ended. */
static int on_unblocked(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	(void)argv;
	(void)argc;
	return RedisModule_ReplyWithError(
		ctx, "UNBLOCKED utmem: the command may or may not take effect");
}

static void on_free(RedisModuleCtx *ctx, void *privdata)
{
	(void)ctx;
	command_free(privdata);
}

static int run_sync(RedisModuleCtx *ctx, struct command *c)
{
	batch->counters.nr_sync_commands++;
	batch_start(batch, c);
	batch_wait(batch, c);
	c->reply(ctx, c);
	command_free(c);
	return REDISMODULE_OK;
}

static int run(RedisModuleCtx *ctx, struct command *c)
{
	batch->counters.nr_commands++;
	if (batch->down) {
		command_free(c);
		return RedisModule_ReplyWithError(ctx, error_text(batch->down));
	}
	if (RedisModule_GetContextFlags(ctx) & SYNC_CONTEXT)
		return run_sync(ctx, c);
	c->bc = RedisModule_BlockClient(ctx, on_reply, on_unblocked, on_free, 0);
	batch_start(batch, c);
	return REDISMODULE_OK;
}

/* ---- arguments ---- */

/* Request @i is about the key in argument @arg. False: a key that no pool can have. */
static bool set_key(struct command *c, uint32_t i, uint32_t arg, enum request_kind kind)
{
	struct request *r = &c->reqs[i];

	r->command = c;
	r->kind = (uint8_t)kind;
	r->key = RedisModule_StringPtrLen(c->args[arg], &r->key_len);
	return r->key_len >= 1 && r->key_len <= UTMEM_KEY_MAX;
}

static bool set_value(struct command *c, uint32_t i, uint32_t arg)
{
	struct request *r = &c->reqs[i];
	size_t len;

	r->value = RedisModule_StringPtrLen(c->args[arg], &len);
	r->len = len;
	return len <= batch->lane.max_value_len;
}

static int refuse(RedisModuleCtx *ctx, struct command *c, const char *text)
{
	command_free(c);
	return RedisModule_ReplyWithError(ctx, text);
}

static int refuse_key(RedisModuleCtx *ctx, struct command *c)
{
	return refuse(ctx, c, "ERR utmem: a key is 1 to 1024 bytes long");
}

static int parse_condition(RedisModuleString *arg, uint8_t *flags)
{
	const char *text = RedisModule_StringPtrLen(arg, NULL);

	if (!strcasecmp(text, "NX"))
		*flags = UTMEM_SQE_IF_ABSENT;
	else if (!strcasecmp(text, "XX"))
		*flags = UTMEM_SQE_IF_PRESENT;
	else
		return -EINVAL;
	return 0;
}

/* ---- replies ---- */

static int reply_error(RedisModuleCtx *ctx, int err)
{
	return RedisModule_ReplyWithError(ctx, error_text(err));
}

static int reply_set(RedisModuleCtx *ctx, const struct command *c)
{
	const struct request *r = &c->reqs[0];

	if (r->flags && (r->err == -EEXIST || r->err == -ENOENT))
		return RedisModule_ReplyWithNull(ctx);
	if (r->err)
		return reply_error(ctx, r->err);
	return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

/* All or the first error; keys before and after it may have been set. */
static int reply_all_ok(RedisModuleCtx *ctx, const struct command *c)
{
	for (uint32_t i = 0; i < c->nr; i++)
		if (c->reqs[i].err)
			return reply_error(ctx, c->reqs[i].err);
	return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

static int reply_value(RedisModuleCtx *ctx, const struct request *r)
{
	if (r->err == -ENOENT)
		return RedisModule_ReplyWithNull(ctx);
	if (r->err)
		return reply_error(ctx, r->err);
	return RedisModule_ReplyWithStringBuffer(ctx, request_value(r), r->len);
}

static int reply_get(RedisModuleCtx *ctx, const struct command *c)
{
	return reply_value(ctx, &c->reqs[0]);
}

static int reply_mget(RedisModuleCtx *ctx, const struct command *c)
{
	RedisModule_ReplyWithArray(ctx, c->nr);
	for (uint32_t i = 0; i < c->nr; i++)
		reply_value(ctx, &c->reqs[i]);
	return REDISMODULE_OK;
}

static int reply_count(RedisModuleCtx *ctx, const struct command *c)
{
	long long nr = 0;

	for (uint32_t i = 0; i < c->nr; i++) {
		if (c->reqs[i].err && c->reqs[i].err != -ENOENT)
			return reply_error(ctx, c->reqs[i].err);
		nr += !c->reqs[i].err;
	}
	return RedisModule_ReplyWithLongLong(ctx, nr);
}

/* ---- commands ---- */

static int cmd_set(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	struct command *c;

	if (argc < 3 || argc > 4)
		return RedisModule_WrongArity(ctx);
	c = command_alloc(1, reply_set);
	hold_args(c, argv, argc);
	if (!set_key(c, 0, 1, REQUEST_PUT))
		return refuse_key(ctx, c);
	if (!set_value(c, 0, 2))
		return refuse(ctx, c, error_text(-E2BIG));
	if (argc == 4 && parse_condition(argv[3], &c->reqs[0].flags))
		return refuse(ctx, c, "ERR syntax error");
	return run(ctx, c);
}

/* Keys in order: of one key named twice the last value stays, so long values go one by one. */
static int cmd_mset(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	uint32_t nr = (uint32_t)(argc - 1) / 2;
	struct command *c;

	if (argc < 3 || argc % 2 == 0)
		return RedisModule_WrongArity(ctx);
	c = command_alloc(nr, reply_all_ok);
	hold_args(c, argv, argc);
	for (uint32_t i = 0; i < nr; i++) {
		if (!set_key(c, i, 1 + 2 * i, REQUEST_PUT))
			return refuse_key(ctx, c);
		if (!set_value(c, i, 2 + 2 * i))
			return refuse(ctx, c, error_text(-E2BIG));
		c->one_by_one |= c->reqs[i].len > batch->lane.part_len;
	}
	return run(ctx, c);
}

static int run_keys(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, enum request_kind kind,
		    int (*reply)(RedisModuleCtx *, const struct command *))
{
	struct command *c;

	if (argc < 2)
		return RedisModule_WrongArity(ctx);
	c = command_alloc((uint32_t)argc - 1, reply);
	hold_args(c, argv, argc);
	for (uint32_t i = 0; i < c->nr; i++)
		if (!set_key(c, i, i + 1, kind))
			return refuse_key(ctx, c);
	return run(ctx, c);
}

static int cmd_get(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	if (argc != 2)
		return RedisModule_WrongArity(ctx);
	return run_keys(ctx, argv, argc, REQUEST_GET, reply_get);
}

static int cmd_mget(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	return run_keys(ctx, argv, argc, REQUEST_GET, reply_mget);
}

static int cmd_del(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	return run_keys(ctx, argv, argc, REQUEST_DEL, reply_count);
}

static int cmd_exists(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	return run_keys(ctx, argv, argc, REQUEST_EXISTS, reply_count);
}

static int cmd_flush(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	struct command *c;

	(void)argv;
	if (argc != 1)
		return RedisModule_WrongArity(ctx);
	c = command_alloc(1, reply_all_ok);
	c->reqs[0].command = c;
	c->reqs[0].kind = REQUEST_FLUSH;
	return run(ctx, c);
}

static int cmd_stats(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	(void)argv;
	if (argc != 1)
		return RedisModule_WrongArity(ctx);
	return stats_reply(ctx, batch);
}

/* ---- registration ---- */

/*
 * No deny-oom: the values are kept by the host, so a full Redis may go on storing
 * them. ACL categories of a module's commands follow from these flags.
 */
static const struct command_row {
	const char *name;
	RedisModuleCmdFunc func;
	const char *flags;
	int last_key, key_step; /* the first is argument 1; step 0: no keys */
	int arity;
	uint64_t key_flags;
	const char *summary, *complexity;
} rows[] = {
	{"UTMEM.SET", cmd_set, "write", 1, 1, -3,
	 REDISMODULE_CMD_KEY_OW | REDISMODULE_CMD_KEY_UPDATE,
	 "Stores a value in the host's pool: key value [NX|XX]", "O(1)"},
	{"UTMEM.GET", cmd_get, "readonly fast", 1, 1, 2,
	 REDISMODULE_CMD_KEY_RO | REDISMODULE_CMD_KEY_ACCESS,
	 "Returns the value of a key in the host's pool", "O(1)"},
	{"UTMEM.DEL", cmd_del, "write", -1, 1, -2,
	 REDISMODULE_CMD_KEY_RM | REDISMODULE_CMD_KEY_DELETE, "Removes keys from the host's pool",
	 "O(N) with N the number of keys"},
	{"UTMEM.EXISTS", cmd_exists, "readonly fast", -1, 1, -2, REDISMODULE_CMD_KEY_RO,
	 "Counts which of the keys are in the host's pool", "O(N) with N the number of keys"},
	{"UTMEM.MSET", cmd_mset, "write", -1, 2, -3,
	 REDISMODULE_CMD_KEY_OW | REDISMODULE_CMD_KEY_UPDATE,
	 "Stores several values in the host's pool; not atomic", "O(N) with N the number of keys"},
	{"UTMEM.MGET", cmd_mget, "readonly fast", -1, 1, -2,
	 REDISMODULE_CMD_KEY_RO | REDISMODULE_CMD_KEY_ACCESS,
	 "Returns the values of several keys in the host's pool", "O(N) with N the number of keys"},
	{"UTMEM.FLUSH", cmd_flush, "write admin", 0, 0, 1, 0,
	 "Removes everything from the host's pool", "O(1)"},
	{"UTMEM.STATS", cmd_stats, "allow-loading allow-stale", 0, 0, 1, 0,
	 "Returns counters of the module, its queue and the host's pool", "O(1)"},
};

static int describe(RedisModuleCtx *ctx, const struct command_row *row)
{
	RedisModuleCommandKeySpec specs[2] = {{
		.flags = row->key_flags,
		.begin_search_type = REDISMODULE_KSPEC_BS_INDEX,
		.bs.index.pos = 1,
		.find_keys_type = REDISMODULE_KSPEC_FK_RANGE,
		.fk.range = {.lastkey = row->last_key < 0 ? -1 : 0, .keystep = row->key_step},
	}};
	RedisModuleCommandInfo info = {
		.version = REDISMODULE_COMMAND_INFO_VERSION,
		.summary = row->summary,
		.complexity = row->complexity,
		.since = UTMEM_VERSION,
		.arity = row->arity,
		.key_specs = row->key_step ? specs : NULL,
	};
	RedisModuleCommand *command = RedisModule_GetCommand(ctx, row->name);

	return command ? RedisModule_SetCommandInfo(command, &info) : REDISMODULE_ERR;
}

int commands_register(RedisModuleCtx *ctx, struct batch *b)
{
	batch = b;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct command_row *row = &rows[i];

		if (RedisModule_CreateCommand(ctx, row->name, row->func, row->flags,
					      row->key_step ? 1 : 0, row->last_key,
					      row->key_step) != REDISMODULE_OK ||
		    describe(ctx, row) != REDISMODULE_OK)
			return REDISMODULE_ERR;
	}
	return REDISMODULE_OK;
}
