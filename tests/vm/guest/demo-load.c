// SPDX-License-Identifier: MIT
/*
 * The demo's load: stores slices of a corpus in Redis' utmem module until they are
 * larger than the guest, reads all of them back in another order and compares
 * checksums. Started by tests/vm/demo.sh in the guest; one thread.
 *
 * Usage: demo-load SOCKET CORPUS MIB
 *
 * Prints lines: "progress store|check VALUES BYTES" while it works, "error TEXT" for
 * what goes wrong, and at last "result NAME=NUMBER ...". Exit code 0: nothing is lost.
 */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define NR_CLIENTS 32	     /* a Redis client waits for each reply, so a batch needs several */
#define DEPTH 2		     /* commands of one client under way */
#define VALUE_MIN 32u	     /* bytes, both are met exactly */
#define VALUE_MAX (1u << 20) /* bytes */
#define LARGE_ONE_IN 10	     /* of so many values, one has 8 KiB and more */
#define TIMEOUT_S 60
#define PROGRESS_MS 250
#define ERRORS_SHOWN 5

struct value {
	uint64_t sum;
	uint32_t off, len; /* in the corpus */
};

struct load {
	const char *corpus;
	uint32_t corpus_len;
	struct value *values;
	uint32_t nr, max;
	uint64_t bytes, target;
	uint64_t *seen; /* checksums, open addressing; 0 is no checksum of ours */
	uint32_t seen_mask;
	uint64_t rng;
	redisContext *clients[NR_CLIENTS];
	uint64_t nr_lost, nr_errors;
	int64_t progress_ms;
};

/* What the module and the kernel counted at one moment. */
struct counts {
	uint64_t requests, submits, doorbells, items, host_bytes, memfree;
};

static void die(const char *what, const char *why)
{
	printf("error %s: %s\n", what, why);
	exit(1);
}

static int64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint64_t next_random(struct load *l)
{
	uint64_t z = l->rng += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* ---- values ---- */

/* Every power of two between the ends is as likely as the next. */
static uint32_t draw_len(struct load *l)
{
	uint64_t r = next_random(l);
	uint32_t bit = 5 + r % 8;

	if (l->nr == 0)
		return VALUE_MIN;
	if (l->nr == 1)
		return VALUE_MAX;
	if ((r >> 8) % LARGE_ONE_IN == 0)
		bit = 13 + (r >> 16) % 7;
	return (1u << bit) + (uint32_t)(r >> 32) % (1u << bit);
}

/* False: a value with this checksum is there already. */
static bool remember(struct load *l, uint64_t sum)
{
	uint32_t slot = (uint32_t)sum & l->seen_mask;

	while (l->seen[slot]) {
		if (l->seen[slot] == sum)
			return false;
		slot = (slot + 1) & l->seen_mask;
	}
	l->seen[slot] = sum;
	return true;
}

/* A slice that no other value equals and that is not one byte over and over. */
static void draw_value(struct load *l)
{
	struct value v = {.len = draw_len(l)};
	const char *p;

	do {
		v.off = (uint32_t)(next_random(l) % (l->corpus_len - v.len));
		p = l->corpus + v.off;
		v.sum = XXH64(p, v.len, 0);
	} while (!v.sum || !memcmp(p, p + 1, v.len - 1) || !remember(l, v.sum));
	l->values[l->nr++] = v;
	l->bytes += v.len;
}

static void map_corpus(struct load *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	void *p;

	if (len < 4 * (off_t)VALUE_MAX || len > UINT32_MAX)
		die(path, "no corpus");
	p = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die(path, "cannot be mapped");
	close(fd);
	l->corpus = p;
	l->corpus_len = (uint32_t)len;
	/* Into the page cache, so that it is part of the memory that is used before. */
	if (!XXH64(p, (size_t)len, 0))
		die(path, "is empty");
}

static void alloc_values(struct load *l)
{
	uint32_t nr_slots = 1;

	/* The mean length is 23 KiB: three times that many values is more than enough. */
	l->max = (uint32_t)(l->target / (8 << 10)) + 64;
	while (nr_slots < 2 * l->max)
		nr_slots *= 2;
	l->seen_mask = nr_slots - 1;
	l->values = calloc(l->max, sizeof(l->values[0]));
	l->seen = calloc(nr_slots, sizeof(l->seen[0]));
	if (!l->values || !l->seen)
		die("values", "not enough memory");
}

/* ---- commands ---- */

static void connect_clients(struct load *l, const char *path)
{
	struct timeval timeout = {.tv_sec = TIMEOUT_S};

	for (int i = 0; i < NR_CLIENTS; i++) {
		l->clients[i] = redisConnectUnix(path);
		if (!l->clients[i] || l->clients[i]->err)
			die(path, l->clients[i] ? l->clients[i]->errstr : "not enough memory");
		redisSetTimeout(l->clients[i], timeout);
	}
}

static void send_command(struct load *l, uint32_t i, bool store)
{
	redisContext *c = l->clients[i % NR_CLIENTS];
	const struct value *v = &l->values[i];
	char key[32];
	const char *argv[] = {store ? "UTMEM.SET" : "UTMEM.GET", key, l->corpus + v->off};
	size_t argvlen[] = {9, (size_t)snprintf(key, sizeof(key), "demo:%" PRIu32, i), v->len};
	int done = 0;

	redisAppendCommandArgv(c, store ? 3 : 2, argv, argvlen);
	while (!done)
		if (redisBufferWrite(c, &done) != REDIS_OK)
			die("send", c->errstr);
}

static void complain(struct load *l, uint32_t i, const redisReply *reply)
{
	if (l->nr_errors++ >= ERRORS_SHOWN)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		printf("error value %" PRIu32 ": %s\n", i, reply->str);
	else if (reply->type == REDIS_REPLY_NIL)
		printf("error value %" PRIu32 ": not there\n", i);
	else
		printf("error value %" PRIu32 ": other bytes\n", i);
}

static bool reply_is_right(const struct value *v, const redisReply *reply, bool store)
{
	if (store)
		return reply->type == REDIS_REPLY_STATUS && !strcmp(reply->str, "OK");
	return reply->type == REDIS_REPLY_STRING && reply->len == v->len &&
	       XXH64(reply->str, reply->len, 0) == v->sum;
}

static void take_reply(struct load *l, uint32_t i, bool store)
{
	redisContext *c = l->clients[i % NR_CLIENTS];
	void *reply;

	if (redisGetReply(c, &reply) != REDIS_OK)
		die("reply", c->errstr);
	if (!reply_is_right(&l->values[i], reply, store)) {
		complain(l, i, reply);
		/* A value that was refused is lost when it is not there at the end. */
		l->nr_lost += !store;
	}
	freeReplyObject(reply);
}

static void show_progress(struct load *l, const char *what, uint32_t nr, uint64_t bytes)
{
	int64_t now = clock_ms();

	if (now < l->progress_ms)
		return;
	l->progress_ms = now + PROGRESS_MS;
	printf("progress %s %" PRIu32 " %" PRIu64 "\n", what, nr, bytes);
}

/* ---- the two passes ---- */

static void store_all(struct load *l)
{
	uint32_t done = 0;

	while (l->bytes < l->target && l->nr < l->max) {
		draw_value(l);
		send_command(l, l->nr - 1, true);
		if (l->nr - done == NR_CLIENTS * DEPTH)
			take_reply(l, done++, true);
		show_progress(l, "store", l->nr, l->bytes);
	}
	while (done < l->nr)
		take_reply(l, done++, true);
}

/* Last in, first out: nothing of the first pass is still near. */
static void check_all(struct load *l)
{
	uint32_t sent = l->nr, done = l->nr;
	uint64_t bytes = 0;

	while (done) {
		if (sent && done - sent < NR_CLIENTS * DEPTH) {
			send_command(l, --sent, false);
			continue;
		}
		take_reply(l, --done, false);
		bytes += l->values[done].len;
		show_progress(l, "check", l->nr - done, bytes);
	}
}

/* ---- counters ---- */

static uint64_t memfree_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %" SCNu64, &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib << 10;
}

static uint64_t stat_of(const redisReply *stats, const char *name)
{
	for (size_t i = 0; i + 1 < stats->elements; i += 2)
		if (!strcmp(stats->element[i]->str, name))
			return (uint64_t)stats->element[i + 1]->integer;
	die("UTMEM.STATS has no", name);
	return 0;
}

static struct counts count(struct load *l)
{
	redisReply *stats = redisCommand(l->clients[0], "UTMEM.STATS");
	struct counts now;

	if (!stats || stats->type != REDIS_REPLY_ARRAY)
		die("UTMEM.STATS", stats ? stats->str : l->clients[0]->errstr);
	now = (struct counts){
		.requests = stat_of(stats, "requests"),
		.submits = stat_of(stats, "submits"),
		.doorbells = stat_of(stats, "doorbells"),
		.items = stat_of(stats, "pool_items"),
		.host_bytes = stat_of(stats, "pool_used_bytes"),
		.memfree = memfree_bytes(),
	};
	freeReplyObject(stats);
	return now;
}

static void show_result(const struct load *l, const struct counts *before,
			const struct counts *after, int64_t store_ms, int64_t check_ms)
{
	printf("result values=%" PRIu32 " bytes=%" PRIu64 " lost=%" PRIu64, l->nr, l->bytes,
	       l->nr_lost);
	printf(" requests=%" PRIu64 " submits=%" PRIu64 " doorbells=%" PRIu64,
	       after->requests - before->requests, after->submits - before->submits,
	       after->doorbells - before->doorbells);
	printf(" items=%" PRIu64 " host_bytes=%" PRIu64, after->items, after->host_bytes);
	printf(" memfree_before=%" PRIu64 " memfree_after=%" PRIu64, before->memfree,
	       after->memfree);
	printf(" store_ms=%" PRId64 " check_ms=%" PRId64 "\n", store_ms, check_ms);
}

int main(int argc, char **argv)
{
	struct load l = {.rng = 1};
	struct counts before, after;
	int64_t start, middle;

	if (argc != 4) {
		fprintf(stderr, "usage: demo-load SOCKET CORPUS MIB\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	l.target = strtoull(argv[3], NULL, 10) << 20;
	map_corpus(&l, argv[2]);
	alloc_values(&l);
	connect_clients(&l, argv[1]);

	before = count(&l);
	start = clock_ms();
	store_all(&l);
	middle = clock_ms();
	check_all(&l);
	after = count(&l);
	show_result(&l, &before, &after, middle - start, clock_ms() - middle);
	for (int i = 0; i < NR_CLIENTS; i++)
		redisFree(l.clients[i]);
	return l.nr_lost || !l.nr || l.nr_errors;
}
