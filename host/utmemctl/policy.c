// SPDX-License-Identifier: MIT
/*
 * Owns what takes the daemon more than one step: it does a little with each request and
 * serves others in between, and this goes on asking. Called by commands.c, once.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "host/utmemctl/policy.h"
#include "host/utmemctl/request.h"
#include "host/utmemd/size.h"

static int wrong_size(const char *word)
{
	fprintf(stderr, "utmemctl: not a size (digits and at most one of k, m, g, t): %s\n", word);
	return STATUS_USAGE;
}

static uint64_t number_of(const cJSON *o, const char *name)
{
	return (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(o, name));
}

/* ---- quota ---- */

/* Ask, and be told what is still to go. */
static int ask_left(const struct arguments *a, const char *cmd, cJSON *args, uint64_t *left)
{
	cJSON *result;
	int status = request_send(a->run_dir, cmd, args, &result);

	*left = status ? 0 : number_of(result, "left_bytes");
	cJSON_Delete(result);
	return status;
}

int policy_quota(const struct arguments *a, const char *name, const char *quota)
{
	uint64_t bytes, left;
	cJSON *args;
	int status;

	if (size_parse(quota, &bytes))
		return wrong_size(quota);
	args = cJSON_CreateObject();
	cJSON_AddStringToObject(args, "name", name);
	cJSON_AddNumberToObject(args, "quota", (double)bytes);
	status = ask_left(a, "tenant quota", args, &left);
	while (!status && left) {
		args = cJSON_CreateObject();
		cJSON_AddStringToObject(args, "name", name);
		status = ask_left(a, "tenant fit", args, &left);
	}
	return status;
}

/* ---- reclaim ---- */

struct reclaim {
	const char *tenant; /* NULL: of all */
	uint64_t bytes, released, dropped;
	bool done;
};

static int reclaim_step(const struct arguments *a, struct reclaim *r)
{
	cJSON *args = cJSON_CreateObject(), *result;
	int status;

	cJSON_AddNumberToObject(args, "bytes", (double)r->bytes);
	cJSON_AddNumberToObject(args, "released_bytes", (double)r->released);
	cJSON_AddNumberToObject(args, "dropped_bytes", (double)r->dropped);
	if (r->tenant)
		cJSON_AddStringToObject(args, "tenant", r->tenant);
	status = request_send(a->run_dir, "reclaim", args, &result);
	if (!status) {
		r->released = number_of(result, "released_bytes");
		r->dropped = number_of(result, "dropped_bytes");
		r->done = cJSON_IsTrue(cJSON_GetObjectItem(result, "done"));
	}
	cJSON_Delete(result);
	return status;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void print_reclaim(const struct arguments *a, const struct reclaim *r, double took)
{
	if (a->json)
		printf("{\"bytes\":%" PRIu64 ",\"released_bytes\":%" PRIu64
		       ",\"dropped_bytes\":%" PRIu64 ",\"seconds\":%.6f}\n",
		       r->bytes, r->released, r->dropped, took);
	else
		printf("gave back %" PRIu64 " bytes in %.3f s%s\n", r->released, took,
		       r->released < r->bytes ? ": there is no more to be had" : "");
}

int policy_reclaim(const struct arguments *a, const char *size, const char *tenant)
{
	struct reclaim r = {.tenant = tenant};
	double begin = seconds();
	int status = 0;

	if (size_parse(size, &r.bytes))
		return wrong_size(size);
	while (!status && !r.done)
		status = reclaim_step(a, &r);
	if (!status)
		print_reclaim(a, &r, seconds() - begin);
	return status;
}
