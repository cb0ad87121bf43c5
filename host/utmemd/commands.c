// SPDX-License-Identifier: MIT
/*
 * Owns the operator's commands. Called by control.c with one parsed line at a
 * time, on the daemon's main thread.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/commands.h"
#include "host/utmemd/daemon.h"
#include "host/utmemd/pool_options.h"
#include "host/utmemd/reclaim.h"
#include "host/utmemd/restore.h"
#include "host/utmemd/save.h"
#include "host/utmemd/stats.h"
#include "host/utmemd/tenant.h"
#include "host/utmemd/tune.h"

#define WHY_LEN 256
#define NUMBER_MAX 9007199254740992.0 /* 2^53: beyond it JSON's numbers have gaps */

struct command {
	struct daemon *daemon;
	const cJSON *args;
	cJSON *result;		   /* out, when there is one */
	struct transfer *transfer; /* out: what the connection is for from here on */
	char why[WHY_LEN];
};

static int fail(struct command *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct command *c, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, args);
	va_end(args);
	return err;
}

/* ---- arguments ---- */

static int arg_text(struct command *c, const char *name, const char **out)
{
	const cJSON *arg = cJSON_GetObjectItemCaseSensitive(c->args, name);

	*out = cJSON_GetStringValue(arg);
	return *out ? 0 : fail(c, -EINVAL, "argument \"%s\" is missing or no string", name);
}

static int arg_bytes(struct command *c, const char *name, uint64_t *out)
{
	const cJSON *arg = cJSON_GetObjectItemCaseSensitive(c->args, name);
	double n = cJSON_IsNumber(arg) ? cJSON_GetNumberValue(arg) : -1;

	if (!(n >= 0 && n <= NUMBER_MAX) || n != floor(n))
		return fail(c, -EINVAL, "argument \"%s\" is missing or no number of bytes", name);
	*out = (uint64_t)n;
	return 0;
}

/* Left out, it is @by_default. */
static int arg_weight(struct command *c, uint32_t by_default, uint32_t *out)
{
	uint64_t n = by_default;
	int err = 0;

	if (cJSON_HasObjectItem(c->args, "weight"))
		err = arg_bytes(c, "weight", &n);
	if (err || n < UTMEM_WEIGHT_MIN || n > UTMEM_WEIGHT_MAX)
		return fail(c, -EINVAL, "not a weight: %u .. %u", UTMEM_WEIGHT_MIN,
			    UTMEM_WEIGHT_MAX);
	*out = (uint32_t)n;
	return 0;
}

static bool arg_true(const struct command *c, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c->args, name));
}

static int arg_tenant(struct command *c, const char *name, struct tenant **out)
{
	const char *text;
	int err = arg_text(c, name, &text);

	if (err)
		return err;
	*out = tenant_find(c->daemon, text);
	return *out ? 0 : fail(c, -ENOENT, "no tenant %.64s", text);
}

/* ---- what is registered before it is answered ---- */

static int fail_unregistered(struct command *c, int err)
{
	return fail(c, err, "not done, for the registry cannot be written: %s", strerror(-err));
}

/* ---- tenants ---- */

static int register_tenant(struct command *c, const char *name)
{
	int err = registry_save(c->daemon);

	if (!err)
		return 0;
	tenant_remove(tenant_find(c->daemon, name), false);
	return fail_unregistered(c, err);
}

static int run_tenant_add(struct command *c)
{
	const char *name;
	uint64_t quota;
	uint32_t weight;
	int err = arg_text(c, "name", &name);

	if (!err)
		err = arg_bytes(c, "quota", &quota);
	if (!err)
		err = arg_weight(c, UTMEM_WEIGHT_DEFAULT, &weight);
	if (err)
		return err;
	err = tenant_open(c->daemon, name, quota, weight);
	switch (err) {
	case 0:
		return register_tenant(c, name);
	case -EEXIST:
		return fail(c, err, "tenant %s is there already, or the name is taken", name);
	case -EINVAL:
		return fail(c, err, "not a tenant's name: 1 .. %u of A-Z a-z 0-9 . _ -",
			    UTMEM_POOL_NAME_LEN - 1);
	default:
		return fail(c, err, "tenant %s: %s (the daemon's log says more)", name,
			    strerror(-err));
	}
}

/* The result is what is still above the quota and can go. */
static int tell_left(struct command *c, const struct tenant *t)
{
	struct utmem_tenant_stat stat;
	uint64_t above = 0;

	utmem_ops(t->pools)->tenant_stat(t->pools, &stat);
	if (stat.used_bytes > stat.quota_bytes)
		above = stat.used_bytes - stat.quota_bytes;
	c->result = cJSON_CreateObject();
	if (!cJSON_AddNumberToObject(
		    c->result, "left_bytes",
		    (double)(above < stat.ephemeral_bytes ? above : stat.ephemeral_bytes)))
		return fail(c, -ENOMEM, "no memory");
	return 0;
}

static int run_tenant_quota(struct command *c)
{
	struct utmem_tenant_stat before;
	struct tenant *t;
	uint64_t quota;
	int err = arg_tenant(c, "name", &t);

	if (!err)
		err = arg_bytes(c, "quota", &quota);
	if (err)
		return err;
	utmem_ops(t->pools)->tenant_stat(t->pools, &before);
	err = tenant_set_quota(t, quota);
	if (err)
		return fail(c, err, "tenant %s: %s", t->name, strerror(-err));
	err = registry_save(c->daemon);
	if (!err)
		return tell_left(c, t);
	tenant_set_quota(t, before.quota_bytes);
	return fail_unregistered(c, err);
}

/* Drop more of what is above the quota: for whoever wants to wait until all of it has gone. */
static int run_tenant_fit(struct command *c)
{
	struct utmem_tenant_stat stat;
	struct tenant *t;
	int err = arg_tenant(c, "name", &t);

	if (err)
		return err;
	utmem_ops(t->pools)->tenant_stat(t->pools, &stat);
	utmem_ops(t->pools)->tenant_quota(t->pools, stat.quota_bytes);
	return tell_left(c, t);
}

static int run_tenant_weight(struct command *c)
{
	struct utmem_tenant_stat before;
	struct tenant *t;
	uint32_t weight;
	int err = arg_tenant(c, "name", &t);

	if (!err)
		err = arg_weight(c, 0, &weight);
	if (err)
		return err;
	utmem_ops(t->pools)->tenant_stat(t->pools, &before);
	err = utmem_ops(t->pools)->tenant_weight(t->pools, weight);
	if (err)
		return fail(c, err, "tenant %s: %s", t->name, strerror(-err));
	err = registry_save(c->daemon);
	if (!err)
		return 0;
	utmem_ops(t->pools)->tenant_weight(t->pools, before.weight);
	return fail_unregistered(c, err);
}

/* It is out of the registry first: values that are gone cannot be put back. */
static int unregister_and_remove(struct command *c, struct tenant *t, bool force)
{
	int err = registry_save_without(c->daemon, t);

	if (err)
		return fail_unregistered(c, err);
	err = tenant_remove(t, force);
	if (!err)
		return 0;
	registry_save(c->daemon);
	return fail(c, err,
		    "tenant %s: another tenant is attached to a pool of it; --force takes it away",
		    t->name);
}

static int run_tenant_remove(struct command *c)
{
	struct tenant *t;
	bool force;
	int err = arg_tenant(c, "name", &t);

	if (err)
		return err;
	force = arg_true(c, "force");
	if (tenant_attached(t) && !force)
		return fail(c, -EBUSY,
			    "tenant %s is attached (%s VM, %u processes); --force ends them",
			    t->name, t->vm ? "a" : "no", t->nr_clients);
	return unregister_and_remove(c, t, force);
}

static int run_tenant_list(struct command *c)
{
	c->result = stats_tenants(c->daemon);
	return c->result ? 0 : fail(c, -ENOMEM, "no memory");
}

/* ---- pools ---- */

static int run_pool_list(struct command *c)
{
	const struct utmem_engine_ops *ops = utmem_ops(c->daemon->engine);
	struct utmem_pool *p;
	struct tenant *t;

	c->result = cJSON_CreateArray();
	TAILQ_FOREACH(t, &c->daemon->tenants, link)
	{
		for (p = ops->pool_next(t->pools, NULL); p; p = ops->pool_next(t->pools, p)) {
			if (!cJSON_AddItemToArray(c->result, stats_pool(p)))
				return fail(c, -ENOMEM, "no memory");
		}
	}
	return c->result ? 0 : fail(c, -ENOMEM, "no memory");
}

/* The pool that "tenant" and "pool" name. */
static int arg_pool(struct command *c, struct tenant **owner, struct utmem_pool **out)
{
	const char *name;
	int err = arg_tenant(c, "tenant", owner);

	if (!err)
		err = arg_text(c, "pool", &name);
	if (err)
		return err;
	*out = tenant_pool_find(*owner, name);
	return *out ? 0 : fail(c, -ENOENT, "tenant %s has no pool %.64s", (*owner)->name, name);
}

static int fail_transfer(struct command *c, int err, const char *what, const char *tenant,
			 const char *pool)
{
	switch (err) {
	case -EUSERS:
		return fail(c, err, "%u pools are being saved or restored already", TRANSFERS_MAX);
	case -EBUSY:
		return fail(c, err, "pool %s/%.64s is being saved already", tenant, pool);
	case -EOPNOTSUPP:
		return fail(c, err, "engine %s stores nothing", c->daemon->opt->engine);
	default:
		return fail(c, err, "%s of %s/%.64s: %s", what, tenant, pool, strerror(-err));
	}
}

static int run_pool_save(struct command *c)
{
	struct utmem_pool *p;
	struct tenant *owner;
	int err = arg_pool(c, &owner, &p);

	if (err)
		return err;
	err = save_open(owner, p, &c->transfer);
	return err ? fail_transfer(c, err, "save", owner->name, utmem_ops(p)->pool_name(p)) : 0;
}

static int run_pool_restore(struct command *c)
{
	struct tenant *owner;
	const char *name;
	int err = arg_tenant(c, "tenant", &owner);

	if (!err)
		err = arg_text(c, "pool", &name);
	if (err)
		return err;
	err = restore_open(owner, name, arg_true(c, "create"), arg_true(c, "replace"),
			   &c->transfer);
	return err ? fail_transfer(c, err, "restore", owner->name, name) : 0;
}

/* What an argument says, if it is there. */
static int arg_compress(struct command *c, struct utmem_pool_options *o)
{
	const char *word;
	int err;

	if (!cJSON_HasObjectItem(c->args, "compress"))
		return 0;
	err = arg_text(c, "compress", &word);
	if (!err && pool_options_set_compress(o, word))
		return fail(c, -EINVAL, "compress: %.64s is none of: " POOL_COMPRESS_WORDS, word);
	return err;
}

static int arg_compress_least(struct command *c, struct utmem_pool_options *o)
{
	uint64_t least;
	int err;

	if (!cJSON_HasObjectItem(c->args, "compress_least"))
		return 0;
	err = arg_bytes(c, "compress_least", &least);
	if (err)
		return err;
	if (least < UTMEM_COMPRESS_LEAST_MIN || least > UTMEM_COMPRESS_LEAST_MAX)
		return fail(c, -EINVAL, "compress_least: not %u .. %u bytes",
			    UTMEM_COMPRESS_LEAST_MIN, UTMEM_COMPRESS_LEAST_MAX);
	o->compress_least = (uint32_t)least;
	return 0;
}

static int arg_dedup(struct command *c, struct utmem_pool_options *o)
{
	const char *word;
	int err;

	if (!cJSON_HasObjectItem(c->args, "dedup"))
		return 0;
	err = arg_text(c, "dedup", &word);
	if (!err && pool_options_set_dedup(o, word))
		return fail(c, -EINVAL, "dedup: %.64s is none of: " POOL_DEDUP_WORDS, word);
	return err;
}

static int run_pool_set(struct command *c)
{
	struct utmem_pool_options before, o;
	struct utmem_pool *p;
	struct tenant *owner;
	int err = arg_pool(c, &owner, &p);

	if (err)
		return err;
	before = o = utmem_ops(p)->pool_options(p);
	err = arg_compress(c, &o);
	if (!err)
		err = arg_compress_least(c, &o);
	if (!err)
		err = arg_dedup(c, &o);
	if (err)
		return err;
	err = utmem_ops(p)->pool_options_set(p, &o);
	if (err)
		return fail(c, err, "pool %s/%s: %s", owner->name, utmem_ops(p)->pool_name(p),
			    strerror(-err));
	err = registry_save(c->daemon);
	if (!err)
		return 0;
	utmem_ops(p)->pool_options_set(p, &before);
	return fail_unregistered(c, err);
}

static int run_pool_grant(struct command *c)
{
	struct tenant *owner, *to;
	struct utmem_pool *p;
	const char *name;
	bool had, readonly;
	int err = arg_tenant(c, "to", &to);

	if (!err)
		err = arg_pool(c, &owner, &p);
	if (err)
		return err;
	name = utmem_ops(p)->pool_name(p);
	had = !utmem_ops(p)->pool_rights(p, to->pools, &readonly);
	err = utmem_ops(p)->pool_grant(p, to->pools, arg_true(c, "readonly"));
	if (err == -EINVAL)
		return fail(c, err, "pool %s/%s was not made to be shared", owner->name, name);
	if (err)
		return fail(c, err, "pool %s/%s: %s", owner->name, name, strerror(-err));
	crew_rights_changed(&c->daemon->crew);
	err = registry_save(c->daemon);
	if (!err)
		return 0;
	if (had)
		utmem_ops(p)->pool_grant(p, to->pools, readonly);
	else
		utmem_ops(p)->pool_revoke(p, to->pools);
	crew_rights_changed(&c->daemon->crew);
	return fail_unregistered(c, err);
}

static int run_pool_revoke(struct command *c)
{
	struct tenant *owner, *from;
	struct utmem_pool *p;
	bool readonly = false;
	int err = arg_tenant(c, "from", &from);

	if (!err)
		err = arg_pool(c, &owner, &p);
	if (err)
		return err;
	utmem_ops(p)->pool_rights(p, from->pools, &readonly);
	err = utmem_ops(p)->pool_revoke(p, from->pools);
	if (err)
		return fail(c, err, "pool %s/%s is not granted to %s", owner->name,
			    utmem_ops(p)->pool_name(p), from->name);
	crew_rights_changed(&c->daemon->crew);
	err = registry_save(c->daemon);
	if (!err)
		return 0;
	utmem_ops(p)->pool_grant(p, from->pools, readonly);
	crew_rights_changed(&c->daemon->crew);
	return fail_unregistered(c, err);
}

static int run_pool_grants(struct command *c)
{
	struct utmem_tenant *to = NULL;
	struct utmem_tenant_stat stat;
	struct utmem_pool *p;
	struct tenant *owner;
	bool readonly;
	int err = arg_pool(c, &owner, &p);

	if (err)
		return err;
	c->result = cJSON_CreateArray();
	while ((to = utmem_ops(p)->grant_next(p, to, &readonly))) {
		cJSON *o = cJSON_CreateObject();

		utmem_ops(to)->tenant_stat(to, &stat);
		if (!cJSON_AddStringToObject(o, "tenant", stat.name) ||
		    !cJSON_AddStringToObject(o, "right", readonly ? "ro" : "rw") ||
		    !cJSON_AddItemToArray(c->result, o)) {
			cJSON_Delete(o);
			return fail(c, -ENOMEM, "no memory");
		}
	}
	return c->result ? 0 : fail(c, -ENOMEM, "no memory");
}

/* ---- memory ---- */

/*
 * One slice. What was reached comes back with the answer and is handed in again, until "done":
 * between the slices others are served, and whoever asks may stop.
 */
static int run_reclaim(struct command *c)
{
	struct utmem_reclaim r = {0};
	struct tenant *t = NULL;
	bool more;
	int err = arg_bytes(c, "bytes", &r.bytes);

	if (!err)
		err = arg_bytes(c, "released_bytes", &r.released_bytes);
	if (!err)
		err = arg_bytes(c, "dropped_bytes", &r.dropped_bytes);
	if (!err && cJSON_HasObjectItem(c->args, "tenant"))
		err = arg_tenant(c, "tenant", &t);
	if (err)
		return err;
	r.tenant = t ? t->pools : NULL;
	more = reclaim_slice(c->daemon, &r);
	c->result = cJSON_CreateObject();
	if (cJSON_AddNumberToObject(c->result, "released_bytes", (double)r.released_bytes) &&
	    cJSON_AddNumberToObject(c->result, "dropped_bytes", (double)r.dropped_bytes) &&
	    cJSON_AddBoolToObject(c->result, "done", !more))
		return 0;
	return fail(c, -ENOMEM, "no memory");
}

/* ---- knobs ---- */

static int arg_knob(struct command *c, const cJSON *arg, struct knobs *k)
{
	const char *name = arg->string, *value = cJSON_GetStringValue(arg);
	char why[OPTION_WHY_LEN];
	int err;

	if (!value)
		return fail(c, -EINVAL, "%.64s: no string", name);
	if (cJSON_GetObjectItemCaseSensitive(c->args, name) != arg)
		return fail(c, -EINVAL, "%.64s: said twice", name);
	err = options_knob_set(k, name, value, why);
	if (err == -ENOENT)
		return fail(c, err, "no such knob: %.64s", name);
	return err ? fail(c, err, "%s: %.64s %s", name, value, why) : 0;
}

/* All of the arguments, or none. */
static int arg_knobs(struct command *c, struct knobs *k)
{
	const cJSON *arg;
	int err = 0;

	if (c->args && !cJSON_IsObject(c->args))
		return fail(c, -EINVAL, "\"args\" is no object");
	cJSON_ArrayForEach(arg, c->args)
	{
		err = arg_knob(c, arg, k);
		if (err)
			break;
	}
	return err;
}

static cJSON *describe(const struct knob *k)
{
	cJSON *o = cJSON_CreateObject();

	if (cJSON_AddStringToObject(o, "knob", k->name) &&
	    cJSON_AddNumberToObject(o, "value", (double)k->value) &&
	    cJSON_AddStringToObject(o, "unit", k->unit) &&
	    cJSON_AddNumberToObject(o, "min", (double)k->min) &&
	    cJSON_AddNumberToObject(o, "max", (double)k->max) &&
	    cJSON_AddNumberToObject(o, "default", strtod(k->by_default, NULL)))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static int tell_knobs(struct command *c)
{
	struct knob k;
	size_t i;

	c->result = cJSON_CreateArray();
	for (i = 0; options_knob(&c->daemon->knobs, i, &k); i++) {
		if (!cJSON_AddItemToArray(c->result, describe(&k)))
			return fail(c, -ENOMEM, "no memory");
	}
	return 0;
}

static int run_tune(struct command *c)
{
	struct knobs k = c->daemon->knobs;
	int err = arg_knobs(c, &k);

	if (err)
		return err;
	if (c->args)
		err = tune_set(c->daemon, &k);
	return err ? fail(c, err, "not done, for it cannot be kept: %s", strerror(-err))
		   : tell_knobs(c);
}

/* ---- stats ---- */

/* Adds @item, which is ours, or deletes it. */
static bool adopt(cJSON *o, const char *name, cJSON *item)
{
	if (o && item && cJSON_AddItemToObject(o, name, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static int run_stats(struct command *c)
{
	cJSON *o = c->result = cJSON_CreateObject();

	if (cJSON_AddStringToObject(o, "version", UTMEM_BUILD_VERSION) &&
	    cJSON_AddStringToObject(o, "engine", c->daemon->opt->engine) &&
	    adopt(o, "host", stats_host(c->daemon)) &&
	    adopt(o, "tenants", stats_tenants(c->daemon)))
		return 0;
	return fail(c, -ENOMEM, "no memory");
}

static const struct {
	const char *name;
	int (*run)(struct command *c);
} commands[] = {
	{"tenant add", run_tenant_add},
	{"tenant quota", run_tenant_quota},
	{"tenant fit", run_tenant_fit},
	{"tenant weight", run_tenant_weight},
	{"tenant remove", run_tenant_remove},
	{"tenant list", run_tenant_list},
	{"pool list", run_pool_list},
	{"pool set", run_pool_set},
	{"pool grant", run_pool_grant},
	{"pool revoke", run_pool_revoke},
	{"pool grants", run_pool_grants},
	{"pool save", run_pool_save},
	{"pool restore", run_pool_restore},
	{"reclaim", run_reclaim},
	{"stats", run_stats},
	{"tune", run_tune},
};

static int run(struct command *c, const cJSON *request)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, "cmd"));
	size_t i;

	if (!name)
		return fail(c, -EINVAL, "not a JSON object with a string \"cmd\"");
	c->args = cJSON_GetObjectItemCaseSensitive(request, "args");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, name))
			return commands[i].run(c);
	}
	return fail(c, -EOPNOTSUPP, "unknown command \"%.64s\"", name);
}

bool command_is_upgrade(const cJSON *request)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, "cmd"));

	return name && !strcmp(name, "upgrade");
}

cJSON *command_reply(int err, const char *why, cJSON *result)
{
	cJSON *reply = cJSON_CreateObject();

	cJSON_AddBoolToObject(reply, "ok", !err);
	if (err) {
		cJSON_AddNumberToObject(reply, "errno", err);
		cJSON_AddStringToObject(reply, "error", why);
		cJSON_Delete(result);
	} else if (result) {
		cJSON_AddItemToObject(reply, "result", result);
	}
	return reply;
}

cJSON *command_run(struct daemon *d, const cJSON *request, struct transfer **transfer)
{
	struct command c = {.daemon = d};
	int err = run(&c, request);

	if (c.transfer)
		*transfer = c.transfer;
	return command_reply(err, c.why, c.result);
}
