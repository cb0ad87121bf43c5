// SPDX-License-Identifier: MIT
/*
 * Usage: evil-host PID NAME
 * Plays the host in the window of tenant NAME, whose daemon PID is stopped (SIGSTOP): answers the
 * driver's hello and its control requests, and lies as it is told on stdin, one word a line. Says
 * "ready WORD" when it is understood, and "destroyed N" for each queue that the driver gives back.
 * "offers-hypercalls" is said in the header, whether the daemon is stopped or not.
 * Started by a case; it rings no interrupt, which the driver must do without.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/ring/utmem_ring.h"

struct evil {
	uint8_t *window;
	uint64_t len;
	struct utmem_geometry admin;
	struct utmem_control *control;
	uint64_t hello;
	struct utmem_sq_reader sq;
	struct utmem_cq_writer cq;
	char lie[32];
	uint32_t nr_created;
	uint64_t room; /* where the next queue lies */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The daemon's memory of that name. */
static void window_map(struct evil *e, const char *pid, const char *name)
{
	char pattern[64], want[96], link[96];
	struct stat st;
	glob_t fds;
	int fd = -1;

	snprintf(pattern, sizeof(pattern), "/proc/%s/fd/*", pid);
	snprintf(want, sizeof(want), "/memfd:%s (deleted)", name);
	if (glob(pattern, 0, NULL, &fds))
		die(pattern);
	for (size_t i = 0; fd < 0 && i < fds.gl_pathc; i++) {
		ssize_t n = readlink(fds.gl_pathv[i], link, sizeof(link) - 1);

		link[n < 0 ? 0 : n] = 0;
		if (!strcmp(link, want))
			fd = open(fds.gl_pathv[i], O_RDWR);
	}
	globfree(&fds);
	if (fd < 0 || fstat(fd, &st))
		die(want);
	e->len = (uint64_t)st.st_size;
	e->window = mmap(NULL, e->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (e->window == MAP_FAILED)
		die("mmap");
	close(fd);
}

static void hello(struct evil *e)
{
	uint64_t generation = utmem_load_acquire(&e->control->guest.hello);
	uint8_t *queue = e->window + e->admin.off;

	if (generation == e->hello)
		return;
	e->hello = generation;
	e->nr_created = 0;
	e->room = e->admin.off + e->admin.len;
	memset(queue, 0, UTMEM_PAGE);
	utmem_sq_reader_init(&e->sq, queue, &e->admin, 0);
	utmem_cq_writer_init(&e->cq, queue, &e->admin, 0);
	utmem_state_store(e->sq.page, UTMEM_QUEUE_LIVE, 0);
	utmem_store_release(&e->control->host.hello_ack, generation);
}

static bool lies(const struct evil *e, const char *lie)
{
	return !strcmp(e->lie, lie);
}

static void open_queue(struct evil *e, struct utmem_ring_page *page)
{
	memset(page, 0, sizeof(*page));
	if (lies(e, "ends-with-a-restart"))
		utmem_state_store(page, UTMEM_QUEUE_BROKEN, -512);
	else
		utmem_state_store(page, UTMEM_QUEUE_LIVE, 0);
}

static int create(struct evil *e, struct utmem_admin_queue *p)
{
	uint64_t first = e->admin.off + e->admin.len, off = e->room;

	if (lies(e, "no-room"))
		return -ENOSPC;
	if (lies(e, "positive-result"))
		return 5;
	if (lies(e, "result-below-every-errno"))
		return -5000;
	if (lies(e, "restart-result"))
		return -512;
	if (lies(e, "on-the-header"))
		off = 0;
	if (lies(e, "on-the-control-page"))
		off = UTMEM_PAGE;
	if (lies(e, "on-the-admin-queue"))
		off = e->admin.off;
	if (lies(e, "on-another-queue"))
		off = first;
	if (lies(e, "beyond-the-window"))
		off = e->len - UTMEM_PAGE;
	utmem_geometry_init(&p->geo, off, p->sq_entries, p->cq_entries, p->data_len);
	if (lies(e, "another-shape"))
		utmem_geometry_init(&p->geo, off, p->sq_entries, p->cq_entries, 0);
	if (off >= first && p->geo.len <= e->len - off)
		open_queue(e, (void *)(e->window + off));
	if (off == e->room)
		e->room += p->geo.len;
	p->queue_id = ++e->nr_created;
	if (lies(e, "queue-number-0"))
		p->queue_id = 0;
	if (lies(e, "queue-number-too-large"))
		p->queue_id = UTMEM_QUEUES_MAX;
	if (lies(e, "slot-too-large"))
		p->svc_slot = UTMEM_SVC_MAX;
	return 0;
}

static int answer(struct evil *e, const struct utmem_sqe *sqe)
{
	void *payload = e->window + e->admin.off + e->admin.data_off + sqe->data_off;
	struct utmem_admin_queue *queue = payload;
	struct utmem_admin_pool *pool = payload;

	switch (sqe->opcode) {
	case UTMEM_OP_CREATE_QUEUE:
		return create(e, queue);
	case UTMEM_OP_DESTROY_QUEUE:
		printf("destroyed %u\n", queue->queue_id);
		return 0;
	case UTMEM_OP_POOL_OPEN:
		pool->handle = UTMEM_POOLS_PER_QUEUE;
		return lies(e, "handle-too-large") ? 0 : -ENOENT;
	default:
		return 0;
	}
}

/* Frees the slots of a ringful of requests whose completions it holds back. */
static bool withholds(const struct evil *e)
{
	return lies(e, "slots-before-answers") && e->nr_created <= e->admin.sq_entries;
}

/* One request. Return: false when there is none, or it must wait. */
static bool serve(struct evil *e)
{
	struct utmem_sqe sqe;
	uint32_t n;
	int res;

	if (!e->sq.page || lies(e, "late") || utmem_sq_peek(&e->sq, &n) || !n)
		return false;
	utmem_sq_copy(&e->sq, 0, &sqe);
	res = answer(e, &sqe);
	if (lies(e, "answer-to-another-request"))
		sqe.user_data++;
	utmem_cq_fill(&e->cq, sqe.user_data, res, 0);
	if (lies(e, "answer-to-no-request"))
		utmem_cq_fill(&e->cq, sqe.user_data + 1, res, 0);
	if (!withholds(e))
		utmem_cq_publish(&e->cq);
	if (lies(e, "index-that-lies"))
		utmem_store_release(&e->cq.page->cq_tail, 1000u);
	utmem_sq_release(&e->sq, 1);
	return true;
}

/* Beside what the daemon has offered. */
static void offer(struct evil *e)
{
	struct utmem_window_hdr *hdr = (void *)e->window;

	if (lies(e, "offers-hypercalls"))
		utmem_store_relaxed(&hdr->features, hdr->features | UTMEM_FEAT_DOORBELL_HYPERCALL);
}

/* What waits is answered before we say that we are ready. */
static bool obey(struct evil *e)
{
	char word[32];

	if (scanf("%31s", word) != 1)
		return false;
	strcpy(e->lie, word);
	offer(e);
	utmem_store_release(&e->control->host.state,
			    lies(e, "draining") ? UTMEM_HOST_DRAINING : UTMEM_HOST_RUNNING);
	if (e->cq.page && !withholds(e))
		utmem_cq_publish(&e->cq);
	while (serve(e))
		;
	printf("ready %s\n", word);
	return true;
}

int main(int argc, char **argv)
{
	static struct evil e;
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	struct utmem_window_hdr hdr;

	if (argc != 3)
		return 2;
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	window_map(&e, argv[1], argv[2]);
	memcpy(&hdr, e.window, sizeof(hdr));
	e.admin = hdr.admin;
	e.control = (struct utmem_control *)(e.window + hdr.control_off);
	e.hello = utmem_load_acquire(&e.control->guest.hello);
	do {
		hello(&e);
		serve(&e);
	} while (!poll(&in, 1, 1) || obey(&e));
	return 0;
}
