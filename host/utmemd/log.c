// SPDX-License-Identifier: MIT
/*
 * Owns stderr. Called from everywhere in utmemd, on any of its threads. A line is one
 * write, so that lines of several programs on one terminal do not mix.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/utmemd/log.h"

#define LINE_MAX_LEN 1024

_Static_assert(LINE_MAX_LEN + 80 <= PIPE_BUF, "what poll() promises holds a line and a notice");

/* Of quotas, and of what was lost. Nothing else is taken while it is held. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static enum log_level level_max = LOG_INFO;
static bool for_journal;

/* JOURNAL_STREAM is inherited, too, by whoever redirects stderr: compare. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st))
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_init(enum log_level most)
{
	level_max = most;
	for_journal = stderr_is_journal();
}

/*
 * Who reads our stderr must not hold up the tenants. What poll() finds writable has room
 * for PIPE_BUF bytes, and a line is shorter.
 */
static bool stderr_has_room(void)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&fd, 1, 0) == 1 && fd.revents & POLLOUT;
}

/* Nobody is left to tell when this fails. */
static void write_bytes(const char *line, int n)
{
	static uint64_t nr_lost;
	char notice[80];
	int len;

	if (!stderr_has_room()) {
		nr_lost++;
		return;
	}
	len = snprintf(notice, sizeof(notice), "utmemd: %llu lines were lost: stderr was full\n",
		       (unsigned long long)nr_lost);
	if (nr_lost && write(STDERR_FILENO, notice, len) == len)
		nr_lost = 0;
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

static void write_line(enum log_level level, const char *name, const char *fmt, va_list args)
{
	static const char priority[] = {'3', '4', '6', '7'};
	char line[LINE_MAX_LEN];
	int n = 0;

	if (for_journal)
		n += snprintf(line, sizeof(line), "<%c>", priority[level]);
	n += snprintf(line + n, sizeof(line) - n, "utmemd: ");
	if (name)
		n += snprintf(line + n, sizeof(line) - n, "tenant %s: ", name);
	n += vsnprintf(line + n, sizeof(line) - n, fmt, args);
	if (n > LINE_MAX_LEN - 1)
		n = LINE_MAX_LEN - 1;
	line[n++] = '\n';
	pthread_mutex_lock(&mutex);
	write_bytes(line, n);
	pthread_mutex_unlock(&mutex);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (level > level_max)
		return;
	va_start(args, fmt);
	write_line(level, NULL, fmt, args);
	va_end(args);
}

void log_always(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(LOG_INFO, NULL, fmt, args);
	va_end(args);
}

static bool quota_take(struct log_quota *quota)
{
	bool left;

	pthread_mutex_lock(&mutex);
	left = quota->nr_left;
	if (left)
		quota->nr_left--;
	else
		quota->nr_dropped++;
	pthread_mutex_unlock(&mutex);
	return left;
}

void log_tenant(struct log_quota *quota, enum log_level level, const char *name, const char *fmt,
		...)
{
	va_list args;

	if (level > level_max || !quota_take(quota))
		return;
	va_start(args, fmt);
	write_line(level, name, fmt, args);
	va_end(args);
}

void log_quota_refill(struct log_quota *quota, const char *name)
{
	uint32_t nr_dropped;

	pthread_mutex_lock(&mutex);
	nr_dropped = quota->nr_dropped;
	*quota = (struct log_quota){.nr_left = LOG_LINES_PER_BEAT};
	pthread_mutex_unlock(&mutex);
	if (nr_dropped)
		log_warn("tenant %s: %u more lines were not written", name, nr_dropped);
}
