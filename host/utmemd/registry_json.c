// SPDX-License-Identifier: MIT
/*
 * Owns the registry's text form. Called by registry.c and registry_load.c, at
 * start, on commands and at the end; keeps no state.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/utmemd/pool_options.h"
#include "host/utmemd/registry_json.h"

#define EXACT_MAX (1ull << 53) /* beyond it JSON's numbers have gaps */

/* ---- out: everything is added to the tree at once, so one delete takes it all back ---- */

/* Digits of our own: cJSON takes numbers of 16 digits for the same when they nearly are. */
static bool put_number(cJSON *o, const char *name, uint64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, n);
	return n <= EXACT_MAX ? cJSON_AddRawToObject(o, name, digits)
			      : cJSON_AddStringToObject(o, name, digits);
}

static cJSON *put_object(cJSON *array)
{
	cJSON *o = cJSON_CreateObject();

	if (o && cJSON_AddItemToArray(array, o))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static bool put_grant(cJSON *array, const struct registry_grant *g)
{
	cJSON *o = put_object(array);

	return o && cJSON_AddStringToObject(o, "to", g->to) &&
	       cJSON_AddBoolToObject(o, "readonly", g->readonly);
}

static bool put_options(cJSON *o, const struct registry_pool *p)
{
	if (!p->has_options)
		return true;
	return cJSON_AddStringToObject(o, "compress", pool_options_compress(&p->options)) &&
	       put_number(o, "compress_least", p->options.compress_least) &&
	       cJSON_AddStringToObject(o, "dedup", pool_options_dedup(&p->options));
}

static bool put_pool(cJSON *array, const struct registry_pool *p)
{
	cJSON *grants, *o = put_object(array);
	uint32_t i;

	if (!o || !cJSON_AddStringToObject(o, "name", p->name) || !put_number(o, "id", p->id) ||
	    !cJSON_AddBoolToObject(o, "ephemeral", p->kind.ephemeral) ||
	    !cJSON_AddBoolToObject(o, "shared", p->kind.shared) ||
	    !cJSON_AddBoolToObject(o, "guest_shared", p->kind.guest_shared) ||
	    !put_number(o, "owner", p->kind.owner) || !put_options(o, p))
		return false;
	grants = cJSON_AddArrayToObject(o, "grants");
	for (i = 0; grants && i < p->nr_grants; i++) {
		if (!put_grant(grants, &p->grants[i]))
			return false;
	}
	return grants;
}

static bool put_tenant(cJSON *array, const struct registry_tenant *t)
{
	cJSON *pools, *o = put_object(array);
	uint32_t i;

	if (!o || !cJSON_AddStringToObject(o, "name", t->name) ||
	    !put_number(o, "quota", t->quota) || !put_number(o, "weight", t->weight))
		return false;
	pools = cJSON_AddArrayToObject(o, "pools");
	for (i = 0; pools && i < t->nr_pools; i++) {
		if (!put_pool(pools, &t->pools[i]))
			return false;
	}
	return pools;
}

static bool put_list(cJSON *o, const struct registry_list *list)
{
	cJSON *tenants;
	uint32_t i;

	if (!o || !put_number(o, "serial", list->serial) || !put_number(o, "saved", list->saved))
		return false;
	tenants = cJSON_AddArrayToObject(o, "tenants");
	for (i = 0; tenants && i < list->nr_tenants; i++) {
		if (!put_tenant(tenants, &list->tenants[i]))
			return false;
	}
	return tenants;
}

char *registry_encode(const struct registry_list *list)
{
	cJSON *o = cJSON_CreateObject();
	char *text = put_list(o, list) ? cJSON_Print(o) : NULL;

	cJSON_Delete(o);
	return text;
}

/* ---- in ---- */

struct reader {
	char *why;
	size_t why_len;
	char place[4 * UTMEM_POOL_NAME_LEN]; /* of the object that is read */
};

static int wrong(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct reader *r, const char *fmt, ...)
{
	char what[2 * UTMEM_POOL_NAME_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(r->why, r->why_len, "%s%s", r->place, what);
	return -EINVAL;
}

/* An object with exactly the members that @names lists. */
static int want_members(struct reader *r, const cJSON *o, const char *const *names)
{
	int nr = 0;

	if (!cJSON_IsObject(o))
		return wrong(r, "is no object");
	for (; names[nr]; nr++) {
		if (!cJSON_HasObjectItem(o, names[nr]))
			return wrong(r, "has no \"%s\"", names[nr]);
	}
	return cJSON_GetArraySize(o) == nr ? 0 : wrong(r, "has members that are not known");
}

static int want_digits(struct reader *r, const char *name, const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || *end || !text[0] || text[strspn(text, "0123456789")])
		return wrong(r, "\"%s\" is no number from 0 to 2^64 - 1", name);
	return 0;
}

static int want_number(struct reader *r, const cJSON *o, const char *name, uint64_t max,
		       uint64_t *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);
	double n = cJSON_IsNumber(item) ? item->valuedouble : -1;
	int err = 0;

	if (cJSON_IsString(item))
		err = want_digits(r, name, item->valuestring, out);
	else if (!(n >= 0 && n <= (double)EXACT_MAX) || n != floor(n))
		err = wrong(r, "\"%s\" is no whole number from 0 to 2^53", name);
	else
		*out = (uint64_t)n;
	if (!err && *out > max)
		err = wrong(r, "\"%s\" is larger than %" PRIu64, name, max);
	return err;
}

static int want_bool(struct reader *r, const cJSON *o, const char *name, bool *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);

	*out = cJSON_IsTrue(item);
	return cJSON_IsBool(item) ? 0 : wrong(r, "\"%s\" is neither true nor false", name);
}

/* Names that are too long to be kept whole are refused here; registry_list_check() has the rest. */
static int want_name(struct reader *r, const cJSON *o, const char *name, const char **out)
{
	*out = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
	if (!*out)
		return wrong(r, "\"%s\" is no string", name);
	return strlen(*out) < UTMEM_POOL_NAME_LEN
		       ? 0
		       : wrong(r, "\"%s\" is longer than %u bytes", name, UTMEM_POOL_NAME_LEN - 1);
}

static int want_array(struct reader *r, const cJSON *o, const char *name, const cJSON **out)
{
	*out = cJSON_GetObjectItemCaseSensitive(o, name);
	return cJSON_IsArray(*out) ? 0 : wrong(r, "\"%s\" is no array", name);
}

static int no_memory(struct reader *r)
{
	wrong(r, "no memory");
	return -ENOMEM;
}

static int get_grant(struct reader *r, const cJSON *o, struct registry_pool *p)
{
	static const char *const members[] = {"to", "readonly", NULL};
	struct registry_grant *g;
	const char *to;
	int err = want_members(r, o, members);

	if (!err)
		err = want_name(r, o, "to", &to);
	if (err)
		return err;
	g = registry_add_grant(p, to);
	return g ? want_bool(r, o, "readonly", &g->readonly) : no_memory(r);
}

static int get_kind(struct reader *r, const cJSON *o, struct utmem_pool_kind *kind)
{
	uint64_t owner = 0;
	int err = want_bool(r, o, "ephemeral", &kind->ephemeral);

	if (!err)
		err = want_bool(r, o, "shared", &kind->shared);
	if (!err)
		err = want_bool(r, o, "guest_shared", &kind->guest_shared);
	if (!err)
		err = want_number(r, o, "owner", UINT32_MAX, &owner);
	kind->owner = (uint32_t)owner;
	return err;
}

/* One of the words that @set knows. */
static int want_word(struct reader *r, const cJSON *o, const char *name,
		     int (*set)(struct utmem_pool_options *options, const char *word),
		     const char *words, struct utmem_pool_options *options)
{
	const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return word && !set(options, word) ? 0 : wrong(r, "\"%s\" is none of: %s", name, words);
}

static int get_options(struct reader *r, const cJSON *o, struct utmem_pool_options *options)
{
	uint64_t least = 0;
	int err = want_word(r, o, "compress", pool_options_set_compress, POOL_COMPRESS_WORDS,
			    options);

	if (!err)
		err = want_number(r, o, "compress_least", UTMEM_COMPRESS_LEAST_MAX, &least);
	if (!err && least < UTMEM_COMPRESS_LEAST_MIN)
		err = wrong(r, "\"compress_least\" is less than %u", UTMEM_COMPRESS_LEAST_MIN);
	options->compress_least = (uint32_t)least;
	if (!err)
		err = want_word(r, o, "dedup", pool_options_set_dedup, POOL_DEDUP_WORDS, options);
	return err;
}

/* Version 1 knew no options: all of their members are there, or none. */
static int want_pool_members(struct reader *r, const cJSON *o, bool *has_options)
{
	static const char *const members[] = {"name",		"id",	 "ephemeral", "shared",
					      "guest_shared",	"owner", "grants",    "compress",
					      "compress_least", "dedup", NULL};
	static const char *const without[] = {"name",	      "id",    "ephemeral", "shared",
					      "guest_shared", "owner", "grants",    NULL};

	*has_options = cJSON_HasObjectItem(o, "compress");
	return want_members(r, o, *has_options ? members : without);
}

static int get_pool(struct reader *r, const cJSON *o, struct registry_tenant *t)
{
	const cJSON *grants, *one;
	struct registry_pool *p;
	bool has_options;
	const char *name;
	int err = want_pool_members(r, o, &has_options);

	if (!err)
		err = want_name(r, o, "name", &name);
	if (!err)
		err = want_array(r, o, "grants", &grants);
	if (err)
		return err;
	p = registry_add_pool(t, name);
	if (!p)
		return no_memory(r);
	err = want_number(r, o, "id", UINT64_MAX, &p->id);
	if (!err)
		err = get_kind(r, o, &p->kind);
	p->has_options = has_options;
	if (!err && has_options)
		err = get_options(r, o, &p->options);
	if (err)
		return err;
	cJSON_ArrayForEach(one, grants)
	{
		err = get_grant(r, one, p);
		if (err)
			return err;
	}
	return 0;
}

static int get_pools(struct reader *r, const cJSON *pools, struct registry_tenant *t)
{
	const cJSON *one;
	uint32_t i = 0;
	int err;

	cJSON_ArrayForEach(one, pools)
	{
		snprintf(r->place, sizeof(r->place), "tenant %s: pool %u: ", t->name, i++);
		err = get_pool(r, one, t);
		if (err)
			return err;
	}
	return 0;
}

static int get_limits(struct reader *r, const cJSON *o, struct registry_tenant *t)
{
	uint64_t weight = 0;
	int err = want_number(r, o, "quota", UINT64_MAX, &t->quota);

	if (!err)
		err = want_number(r, o, "weight", UTMEM_WEIGHT_MAX, &weight);
	if (!err && weight < UTMEM_WEIGHT_MIN)
		err = wrong(r, "\"weight\" is less than %u", UTMEM_WEIGHT_MIN);
	t->weight = (uint32_t)weight;
	return err;
}

static int get_tenant(struct reader *r, const cJSON *o, struct registry_list *list)
{
	static const char *const members[] = {"name", "quota", "weight", "pools", NULL};
	struct registry_tenant *t;
	const cJSON *pools;
	const char *name;
	int err = want_members(r, o, members);

	if (!err)
		err = want_name(r, o, "name", &name);
	if (!err)
		err = want_array(r, o, "pools", &pools);
	if (err)
		return err;
	t = registry_add_tenant(list, name);
	if (!t)
		return no_memory(r);
	err = get_limits(r, o, t);
	return err ? err : get_pools(r, pools, t);
}

static int get_list(struct reader *r, const cJSON *o, struct registry_list *list)
{
	static const char *const members[] = {"serial", "saved", "tenants", NULL};
	const cJSON *tenants, *one;
	uint32_t i = 0;
	int err = want_members(r, o, members);

	if (!err)
		err = want_number(r, o, "serial", UINT64_MAX, &list->serial);
	if (!err)
		err = want_number(r, o, "saved", INT64_MAX, &list->saved);
	if (!err)
		err = want_array(r, o, "tenants", &tenants);
	if (err)
		return err;
	cJSON_ArrayForEach(one, tenants)
	{
		snprintf(r->place, sizeof(r->place), "tenant %u: ", i++);
		err = get_tenant(r, one, list);
		if (err)
			return err;
	}
	return registry_list_check(list, r->why, r->why_len);
}

int registry_decode(struct registry_list *list, const char *text, size_t len, char *why,
		    size_t why_len)
{
	struct reader r = {.why = why, .why_len = why_len};
	const char *end = NULL;
	cJSON *o = cJSON_ParseWithLengthOpts(text, len, &end, false);
	int err;

	memset(list, 0, sizeof(*list));
	if (o)
		err = get_list(&r, o, list);
	else
		err = wrong(&r, "no JSON from byte %td on", end ? end - text : 0);
	cJSON_Delete(o);
	if (err)
		registry_list_exit(list);
	return err;
}
