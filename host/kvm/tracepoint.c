// SPDX-License-Identifier: MIT
/*
 * Owns the BPF program on KVM's tracepoint and its maps, from the outside. Called through
 * doorbell_by_tracepoint by host/utmemd/hypercall.c; sleep, awake and take on each serving thread.
 *
 * What needs privilege is in open(). Attaching, and changing maps, needs their descriptors alone
 * (Linux 5.19 and later).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/kvm/doorbell.h"

#include "doorbell.skel.h"

#define TRACEPOINT "kvm_hypercall"
#define NO_FD (-1)
#define PAGE 4096u
#define WORDS_LEN (DOORBELL_SERVERS_MAX * sizeof(struct doorbell_word))
/* The first pid namespace's inode, in every kernel (include/linux/proc_ns.h). */
#define FIRST_PID_NS 0xEFFFFFFCu

/* What is kept, in this order: these, a ring for each server, and the link, once it listens. */
enum {
	FD_PROG,
	FD_TOKENS,
	FD_WORDS,
	FD_COUNTERS,
	FD_RINGS,
};

/* A ring buffer from the reader's side: how far it has read, and how far there is something. */
struct ring {
	int fd;
	uint64_t *taken;
	const uint64_t *there;
};

struct tracepoint {
	struct doorbell_way way;
	int fds[FD_RINGS];
	int link_fd;
	struct ring rings[DOORBELL_SERVERS_MAX];
	struct doorbell_word *words;
	struct doorbell_counters *counters; /* [nr_cpus], room to read into */
	int nr_cpus;
	uint32_t life;
};

static struct tracepoint *of(struct doorbell_way *y)
{
	return (struct tracepoint *)y;
}

/* ---- mappings ---- */

static int ring_map(struct ring *r, int fd)
{
	void *taken = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *there;

	if (taken == MAP_FAILED)
		return -errno;
	there = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	if (there == MAP_FAILED) {
		munmap(taken, PAGE);
		return -errno;
	}
	*r = (struct ring){.fd = fd, .taken = taken, .there = there};
	return 0;
}

static void ring_unmap(struct ring *r)
{
	munmap((void *)(uintptr_t)r->there, PAGE);
	munmap(r->taken, PAGE);
}

static void unmap(struct tracepoint *t, uint32_t nr_rings)
{
	while (nr_rings)
		ring_unmap(&t->rings[--nr_rings]);
	munmap(t->words, WORDS_LEN);
	free(t->counters);
}

/* rings[].fd is there. */
static int map(struct tracepoint *t)
{
	uint32_t i;
	int err;

	t->nr_cpus = libbpf_num_possible_cpus();
	if (t->nr_cpus < 0)
		return t->nr_cpus;
	t->counters = calloc((size_t)t->nr_cpus, sizeof(*t->counters));
	if (!t->counters)
		return -ENOMEM;
	t->words = mmap(NULL, WORDS_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, t->fds[FD_WORDS], 0);
	if (t->words == MAP_FAILED) {
		err = -errno;
		free(t->counters);
		return err;
	}
	for (i = 0; i < t->way.nr_servers; i++) {
		err = ring_map(&t->rings[i], t->rings[i].fd);
		if (err) {
			unmap(t, i);
			return err;
		}
	}
	return 0;
}

/* ---- loading ---- */

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static struct tracepoint *tracepoint_alloc(uint32_t nr_servers)
{
	struct tracepoint *t = calloc(1, sizeof(*t));
	struct timespec now;
	uint32_t i;

	if (!t)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	t->way = (struct doorbell_way){.ops = &doorbell_by_tracepoint, .nr_servers = nr_servers};
	t->life = (uint32_t)now.tv_nsec ^ (uint32_t)now.tv_sec << 16 ^ (uint32_t)getpid();
	t->link_fd = NO_FD;
	for (i = 0; i < FD_RINGS; i++)
		t->fds[i] = NO_FD;
	for (i = 0; i < DOORBELL_SERVERS_MAX; i++)
		t->rings[i].fd = NO_FD;
	return t;
}

static void fd_close(int fd)
{
	if (fd != NO_FD)
		close(fd);
}

/* Of a tracepoint that is not mapped. */
static void tracepoint_free(struct tracepoint *t)
{
	uint32_t i;

	fd_close(t->link_fd);
	for (i = 0; i < t->way.nr_servers; i++)
		fd_close(t->rings[i].fd);
	for (i = 0; i < FD_RINGS; i++)
		fd_close(t->fds[i]);
	free(t);
}

static int rings_new(struct tracepoint *t, int rings_fd)
{
	uint32_t i;

	for (i = 0; i < t->way.nr_servers; i++) {
		int fd =
			bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, DOORBELL_RING_LEN, NULL);

		if (fd < 0)
			return fd;
		t->rings[i].fd = fd;
		if (bpf_map_update_elem(rings_fd, &i, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* Descriptors of our own, which stay when the skeleton goes. */
static int fds_take(struct tracepoint *t, const struct doorbell_bpf *skel)
{
	const int fds[FD_RINGS] = {
		[FD_PROG] = bpf_program__fd(skel->progs.doorbell),
		[FD_TOKENS] = bpf_map__fd(skel->maps.tokens),
		[FD_WORDS] = bpf_map__fd(skel->maps.words),
		[FD_COUNTERS] = bpf_map__fd(skel->maps.counters),
	};
	uint32_t i;

	for (i = 0; i < FD_RINGS; i++) {
		t->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (t->fds[i] < 0)
			return -errno;
	}
	return 0;
}

static int load(struct tracepoint *t)
{
	struct doorbell_bpf *skel;
	int err;

	libbpf_set_print(quiet);
	skel = doorbell_bpf__open();
	if (!skel)
		return -errno;
	err = doorbell_bpf__load(skel);
	if (!err)
		err = rings_new(t, bpf_map__fd(skel->maps.rings));
	if (!err)
		err = fds_take(t, skel);
	doorbell_bpf__destroy(skel);
	return err;
}

static int tracepoint_open(struct doorbell_way **out, uint32_t nr_servers)
{
	struct tracepoint *t = tracepoint_alloc(nr_servers);
	int err;

	if (!t)
		return -ENOMEM;
	err = load(t);
	if (!err)
		err = map(t);
	if (err) {
		tracepoint_free(t);
		return err;
	}
	*out = &t->way;
	return 0;
}

static int tracepoint_listen(struct doorbell_way *y)
{
	struct tracepoint *t = of(y);
	int fd = bpf_raw_tracepoint_open(TRACEPOINT, t->fds[FD_PROG]);

	if (fd < 0)
		return fd;
	t->link_fd = fd;
	y->listens = true;
	return 0;
}

static void tracepoint_close(struct doorbell_way *y)
{
	unmap(of(y), y->nr_servers);
	tracepoint_free(of(y));
}

/* ---- from process to process ---- */

static uint32_t tracepoint_fds(const struct doorbell_way *y, int fds[DOORBELL_FDS_MAX])
{
	const struct tracepoint *t = (const struct tracepoint *)y;
	uint32_t i, n = FD_RINGS;

	memcpy(fds, t->fds, sizeof(t->fds));
	for (i = 0; i < y->nr_servers; i++)
		fds[n++] = t->rings[i].fd;
	if (t->link_fd != NO_FD)
		fds[n++] = t->link_fd;
	return n;
}

static void tracepoint_take(struct doorbell_way *y, uint32_t server)
{
	struct ring *r = &of(y)->rings[server];

	/* A record that is still being written wakes nobody later: this thread is awake, and looks. */
	__atomic_store_n(r->taken, __atomic_load_n(r->there, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

static void tracepoint_awake(struct doorbell_way *y, uint32_t server)
{
	uint32_t *sleeps = &of(y)->words[server].sleeps;

	if (__atomic_load_n(sleeps, __ATOMIC_RELAXED))
		__atomic_store_n(sleeps, 0, __ATOMIC_RELAXED);
}

/* The process before may have died asleep. */
static void all_awake(struct doorbell_way *y)
{
	uint32_t i;

	for (i = 0; i < y->nr_servers; i++) {
		tracepoint_awake(y, i);
		tracepoint_take(y, i);
	}
}

static int tracepoint_resume(struct doorbell_way **out, uint32_t nr_servers, const int *fds,
			     uint32_t nr_fds)
{
	struct tracepoint *t;
	uint32_t i;
	int err;

	if (nr_fds - nr_servers - FD_RINGS > 1)
		return -EINVAL;
	t = tracepoint_alloc(nr_servers);
	if (!t)
		return -ENOMEM;
	memcpy(t->fds, fds, sizeof(t->fds));
	for (i = 0; i < nr_servers; i++)
		t->rings[i].fd = fds[FD_RINGS + i];
	if (nr_fds > FD_RINGS + nr_servers)
		t->link_fd = fds[FD_RINGS + nr_servers];
	t->way.listens = t->link_fd != NO_FD;
	err = map(t);
	if (err) {
		free(t);
		return err;
	}
	all_awake(&t->way);
	*out = &t->way;
	return 0;
}

/* ---- tokens ---- */

/* A process that is not in the first pid namespace does not know by what numbers the kernel goes. */
static bool in_first_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == FIRST_PID_NS;
}

static int tracepoint_join(struct doorbell_way *y, const struct doorbell_guest *g)
{
	struct doorbell_token value = {.server = g->server, .life = of(y)->life};

	if (in_first_pid_ns())
		value.tgid = g->tgid;
	if (!bpf_map_update_elem(of(y)->fds[FD_TOKENS], &g->token, &value, BPF_ANY))
		return 0;
	return errno == E2BIG ? -ENOSPC : -errno;
}

static void tracepoint_leave(struct doorbell_way *y, uint64_t token)
{
	bpf_map_delete_elem(of(y)->fds[FD_TOKENS], &token);
}

static void sweep_one(const struct tracepoint *t, uint64_t token)
{
	struct doorbell_token value;

	if (!bpf_map_lookup_elem(t->fds[FD_TOKENS], &token, &value) && value.life != t->life)
		bpf_map_delete_elem(t->fds[FD_TOKENS], &token);
}

/* The next key is asked for before this one goes: after a key that is gone, it begins anew. */
static void tracepoint_sweep(struct doorbell_way *y)
{
	int fd = of(y)->fds[FD_TOKENS];
	uint64_t token, next;
	int err = bpf_map_get_next_key(fd, NULL, &next);

	while (!err) {
		token = next;
		err = bpf_map_get_next_key(fd, &token, &next);
		sweep_one(of(y), token);
	}
}

static uint64_t tracepoint_rung(const struct doorbell_way *y, uint64_t token)
{
	const struct tracepoint *t = (const struct tracepoint *)y;
	struct doorbell_token value;

	return bpf_map_lookup_elem(t->fds[FD_TOKENS], &token, &value) ? 0 : value.nr_rung;
}

/* ---- a server's sleep ---- */

static int tracepoint_wait_fd(const struct doorbell_way *y, uint32_t server)
{
	return ((const struct tracepoint *)y)->rings[server].fd;
}

/* The store comes before the caller's next ones: who sees NEED_KICK and rings finds the word set. */
static void tracepoint_sleep(struct doorbell_way *y, uint32_t server)
{
	__atomic_store_n(&of(y)->words[server].sleeps, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* ---- counters ---- */

static void tracepoint_stat(const struct doorbell_way *y, struct doorbell_counters *out)
{
	const struct tracepoint *t = (const struct tracepoint *)y;
	uint32_t zero = 0;
	int i;

	memset(out, 0, sizeof(*out));
	if (bpf_map_lookup_elem(t->fds[FD_COUNTERS], &zero, t->counters))
		return;
	for (i = 0; i < t->nr_cpus; i++) {
		out->nr_rung += t->counters[i].nr_rung;
		out->nr_awake += t->counters[i].nr_awake;
		out->nr_bad_token += t->counters[i].nr_bad_token;
		out->nr_foreign += t->counters[i].nr_foreign;
	}
}

const struct doorbell_ways doorbell_by_tracepoint = {
	.name = "tracepoint",
	.open = tracepoint_open,
	.listen = tracepoint_listen,
	.join = tracepoint_join,
	.leave = tracepoint_leave,
	.close = tracepoint_close,
	.fds = tracepoint_fds,
	.resume = tracepoint_resume,
	.sweep = tracepoint_sweep,
	.wait_fd = tracepoint_wait_fd,
	.take = tracepoint_take,
	.sleep = tracepoint_sleep,
	.awake = tracepoint_awake,
	.stat = tracepoint_stat,
	.rung = tracepoint_rung,
};
