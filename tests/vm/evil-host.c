// SPDX-License-Identifier: MIT
/*
 * Usage: evil-host PID NAME
 * Plays the host in the window of tenant NAME, whose daemon PID is stopped (SIGSTOP): answers the
 * driver's hello and its control requests, and lies as it is told on stdin, one word a line. Says
 * "ready WORD" when it is understood, and "destroyed N" for each queue that the driver gives back.
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

#define LATE_QUEUE 3 /* id of the queue whose answer comes too late */

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
	bool held; /* the oldest request is not answered */
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

static int create(struct evil *e, struct utmem_admin_queue *p)
{
	uint64_t room = e->admin.off + e->admin.len;
	uint64_t off = room + e->nr_created * (4ull << 20);

	if (lies(e, "no-room"))
		return -ENOSPC;
	if (lies(e, "positive-result"))
		return 5;
	if (lies(e, "result-below-every-errno"))
		return -5000;
	if (lies(e, "on-the-header"))
		off = 0;
	if (lies(e, "on-the-control-page"))
		off = UTMEM_PAGE;
	if (lies(e, "on-the-admin-queue"))
		off = e->admin.off;
	if (lies(e, "on-another-queue"))
		off = room;
	if (lies(e, "beyond-the-window"))
		off = e->len - UTMEM_PAGE;
	utmem_geometry_init(&p->geo, off, p->sq_entries, p->cq_entries, p->data_len);
	if (lies(e, "another-shape"))
		utmem_geometry_init(&p->geo, off, p->sq_entries, p->cq_entries, 0);
	if (off >= room && p->geo.len <= e->len - off)
		utmem_state_store((void *)(e->window + off), UTMEM_QUEUE_LIVE, 0);
	p->queue_id = ++e->nr_created;
	if (lies(e, "queue-number-0"))
		p->queue_id = 0;
	if (lies(e, "queue-number-too-large"))
		p->queue_id = UTMEM_QUEUES_MAX;
	if (lies(e, "slot-too-large"))
		p->svc_slot = UTMEM_SVC_MAX;
	if (lies(e, "late"))
		p->queue_id = LATE_QUEUE;
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

static void serve(struct evil *e)
{
	struct utmem_sqe sqe;
	uint32_t n;
	int res;

	if (utmem_sq_peek(&e->sq, &n) || !n || e->held)
		return;
	utmem_sq_copy(&e->sq, 0, &sqe);
	if (lies(e, "late")) {
		e->held = true;
		return;
	}
	res = answer(e, &sqe);
	if (lies(e, "answer-to-another-request"))
		sqe.user_data++;
	utmem_cq_fill(&e->cq, sqe.user_data, res, 0);
	if (lies(e, "answer-to-no-request"))
		utmem_cq_fill(&e->cq, sqe.user_data + 1, res, 0);
	utmem_cq_publish(&e->cq);
	if (lies(e, "index-that-lies"))
		utmem_store_release(&e->cq.page->cq_tail, 1000u);
	utmem_sq_release(&e->sq, 1);
}

/* The answer that was held back, for a caller who has gone. */
static void answer_late(struct evil *e)
{
	struct utmem_sqe sqe;

	utmem_sq_copy(&e->sq, 0, &sqe);
	utmem_cq_fill(&e->cq, sqe.user_data, answer(e, &sqe), 0);
	utmem_cq_publish(&e->cq);
	utmem_sq_release(&e->sq, 1);
	e->held = false;
}

static bool obey(struct evil *e)
{
	char word[32];

	if (scanf("%31s", word) != 1)
		return false;
	if (e->held)
		answer_late(e);
	strcpy(e->lie, word);
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
		if (e.sq.page)
			serve(&e);
	} while (!poll(&in, 1, 1) || obey(&e));
	return 0;
}
