// SPDX-License-Identifier: MIT
/*
 * utmem in an event loop: lines come in by a pipe, each is stored and read back, and
 * completions wake the same poll() as the pipe does. The pattern, once in a turn:
 *
 *	reap what has come, prepare what is new, submit,
 *	utmem_event_arm(): 1 = turn again, 0 = sleep in poll()
 *
 * Usage: eventloop [TRANSPORT]
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utmem.h>

#define LINES 1000
#define LINE_LEN 32

struct loop {
	struct utmem_queue *q;
	int pool, in;
	bool eof;
	unsigned int nr_lines, nr_good, nr_sleeps;
};

/* One line: a put and a get of it in the same buffer's two halves. user_data of the put is NULL. */
static void start_line(struct loop *l, const char *line)
{
	char *buf = utmem_buf_alloc(l->q, 2 * LINE_LEN);
	struct utmem_sqe *put = utmem_get_sqe(l->q), *get = utmem_get_sqe(l->q);
	size_t len = strnlen(line, LINE_LEN);

	memcpy(buf, line, LINE_LEN);
	memset(buf + LINE_LEN, 0, LINE_LEN);
	utmem_prep_put(l->q, put, l->pool, line, len, buf, LINE_LEN, 0);
	utmem_prep_get(l->q, get, l->pool, line, len, buf + LINE_LEN, LINE_LEN, 0);
	utmem_sqe_set_data(get, buf);
	l->nr_lines++;
}

/* Read only while there is room for what a line needs. */
static bool has_room(const struct loop *l)
{
	return utmem_sq_space_left(l->q) >= 2 && utmem_inflight(l->q) < 64;
}

static void take_input(struct loop *l)
{
	char line[LINE_LEN];

	if (!has_room(l))
		return;
	if (read(l->in, line, sizeof(line)) == sizeof(line))
		start_line(l, line);
	else
		l->eof = true;
}

static int reap(struct loop *l)
{
	const struct utmem_cqe *cqe;
	int err;

	while ((err = utmem_peek_cqe(l->q, &cqe)) == 0) {
		char *buf = utmem_cqe_get_data(cqe);

		if (buf)
			l->nr_good +=
				cqe->res == LINE_LEN && memcmp(buf, buf + LINE_LEN, LINE_LEN) == 0;
		utmem_buf_free(l->q, buf);
		utmem_cqe_seen(l->q, cqe);
	}
	return err == -EAGAIN ? 0 : err;
}

/* Sleep until there is input, or a completion. */
static void sleep_in_poll(struct loop *l)
{
	struct pollfd fds[2] = {
		{.fd = utmem_event_fd(l->q), .events = POLLIN},
		{.fd = l->eof || !has_room(l) ? -1 : l->in, .events = POLLIN},
	};

	l->nr_sleeps++;
	if (poll(fds, 2, -1) < 0)
		return;
	if (fds[0].revents)
		utmem_event_clear(l->q);
	if (fds[1].revents)
		take_input(l);
}

static int run(struct loop *l)
{
	int rc;

	while (!l->eof || utmem_inflight(l->q)) {
		rc = reap(l);
		if (!rc)
			rc = utmem_flush(l->q);
		if (rc >= 0)
			rc = utmem_event_arm(l->q);
		if (rc < 0)
			return rc;
		if (rc == 0 && (!l->eof || utmem_inflight(l->q)))
			sleep_in_poll(l);
	}
	return 0;
}

/* Somebody who writes lines: a child process, so that they come while we sleep. */
static int start_writer(void)
{
	char line[LINE_LEN];
	int fds[2];

	if (pipe(fds))
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		for (int i = 0; i < LINES; i++) {
			memset(line, 0, sizeof(line));
			snprintf(line, sizeof(line), "line %d", i);
			if (write(fds[1], line, sizeof(line)) != sizeof(line))
				_exit(1);
		}
		_exit(0);
	default:
		close(fds[1]);
		return fds[0];
	}
}

static int eventloop(struct utmem_queue *q, int in)
{
	struct loop l = {.q = q, .in = in};
	int err;

	l.pool = utmem_pool_open(q, "eventloop", UTMEM_POOL_CREATE);
	if (l.pool < 0)
		return l.pool;
	err = run(&l);
	if (err)
		return err;
	printf("%u lines, %u came back the same; slept %u times\n", l.nr_lines, l.nr_good,
	       l.nr_sleeps);
	return l.nr_lines == LINES && l.nr_good == LINES ? 0 : -EIO;
}

int main(int argc, char **argv)
{
	struct utmem_queue *q = NULL;
	struct utmem *u = NULL;
	int in = start_writer();
	int err = in < 0 ? -errno : utmem_connect(&u, argc > 1 ? argv[1] : "local:");

	if (!err)
		err = utmem_queue_init(u, &q, NULL);
	if (!err)
		err = eventloop(q, in);
	if (err)
		fprintf(stderr, "eventloop: %s\n", strerror(-err));
	utmem_queue_exit(q);
	utmem_disconnect(u);
	return err ? 1 : 0;
}
