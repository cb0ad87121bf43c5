// SPDX-License-Identifier: MIT
/*
 * Owns "pool restore": a file or stdin goes to the daemon, which looks at every byte and then
 * says how it went. Called by commands.c, once.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/utmemctl/commands.h"
#include "host/utmemctl/pools.h"
#include "host/utmemctl/progress.h"
#include "host/utmemctl/request.h"

#define PIECE_LEN (256u << 10)

int pool_open_file(const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;

	if (fd < 0)
		fprintf(stderr, "utmemctl: %s: %s\n", path, strerror(errno));
	return fd;
}

static uint64_t file_len(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* A daemon that has heard enough ends the connection: its answer is there already. */
static bool send_all(int sock, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(sock, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Return: bytes sent; -1: the file could not be read, and stderr says why. */
static int64_t feed(int sock, int fd, struct progress *p)
{
	static char piece[PIECE_LEN];
	int64_t sent = 0;
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece)))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fprintf(stderr, "utmemctl: reading: %s\n", strerror(errno));
			return -1;
		}
		if (!send_all(sock, piece, (size_t)n))
			break;
		sent += n;
		progress_show(p, (uint64_t)sent);
	}
	shutdown(sock, SHUT_WR);
	return sent;
}

static int restore(int sock, int fd, const char *pool, bool quiet)
{
	char text[PROGRESS_TEXT_LEN];
	struct progress p;
	cJSON *result;
	int64_t sent;
	int status;

	progress_begin(&p, quiet, file_len(fd));
	sent = feed(sock, fd, &p);
	progress_clear(&p);
	if (sent < 0)
		return 1;
	status = request_answer(sock, &result);
	if (!status && !quiet) {
		progress_text(&p, (uint64_t)sent, text);
		fprintf(stderr, "utmemctl: restored %s: %.0f values, %s\n", pool,
			cJSON_GetNumberValue(cJSON_GetObjectItem(result, "items")), text);
	}
	cJSON_Delete(result);
	return status;
}

int pool_restore(const struct arguments *a)
{
	char *pool = strdup(a->words[2]);
	cJSON *args = pool_args(a->words[2]);
	int fd, sock, status = 1;

	if (!args || !pool) {
		status = STATUS_USAGE;
		goto out;
	}
	cJSON_AddBoolToObject(args, "create", a->create);
	cJSON_AddBoolToObject(args, "replace", a->replace);
	fd = pool_open_file(a->nr_words > 3 ? a->words[3] : "-");
	if (fd < 0)
		goto out;
	sock = request_open(a->run_dir, "pool restore", args);
	args = NULL;
	if (sock >= 0) {
		status = restore(sock, fd, pool, a->quiet);
		close(sock);
	}
	close(fd);
out:
	cJSON_Delete(args);
	free(pool);
	return status;
}
