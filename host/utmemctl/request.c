// SPDX-License-Identifier: MIT
/*
 * Owns the control socket's other end: a line of JSON there, a line back. Called
 * by commands.c; waits for the daemon.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/utmemctl/request.h"

static int connect_daemon(const char *run_dir)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control.sock", run_dir);
	int fd, err;

	if (n >= (int)sizeof(addr.sun_path)) {
		fprintf(stderr, "utmemctl: %s: too long for a socket's path\n", run_dir);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = errno;
	fprintf(stderr, "utmemctl: %s: %s%s\n", addr.sun_path, strerror(err),
		err == ENOENT || err == ECONNREFUSED ? " (utmemd does not run there)" : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int send_line(int fd, const char *line)
{
	struct iovec iov[] = {{(void *)line, strlen(line)}, {(void *)"\n", 1}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);

	return n == (ssize_t)iov[0].iov_len + 1 ? 0 : -1;
}

/* The answer's one line, or NULL. @exact: what follows the line is another's, and stays. */
static char *receive_line(int fd, bool exact)
{
	FILE *f = fdopen(dup(fd), "r");
	char *line = NULL;
	size_t room = 0;

	if (!f)
		return NULL;
	if (exact)
		setvbuf(f, NULL, _IONBF, 0);
	if (getline(&line, &room, f) <= 0) {
		free(line);
		line = NULL;
	}
	fclose(f);
	return line;
}

/* NULL: the connection was cut. */
static cJSON *receive(int fd, bool exact)
{
	char *answer = receive_line(fd, exact);
	cJSON *reply = NULL;

	if (answer)
		reply = cJSON_Parse(answer);
	free(answer);
	return reply;
}

static void say_cut(void)
{
	fprintf(stderr, "utmemctl: utmemd cut the connection; its log says why. See with 'utmemctl "
			"stats' and the lists what was done, then go on\n");
}

static int take_result(cJSON *reply, cJSON **result)
{
	const char *error;

	if (cJSON_IsTrue(cJSON_GetObjectItem(reply, "ok"))) {
		*result = cJSON_DetachItemFromObject(reply, "result");
		return 0;
	}
	error = cJSON_GetStringValue(cJSON_GetObjectItem(reply, "error"));
	fprintf(stderr, "utmemctl: %s\n", error ? error : "utmemd's answer makes no sense");
	return 1;
}

static char *request_text(const char *cmd, cJSON *args)
{
	cJSON *request = cJSON_CreateObject();
	char *text = NULL;

	if (args && !cJSON_AddItemToObject(request, "args", args))
		cJSON_Delete(args);
	else if (cJSON_AddStringToObject(request, "cmd", cmd))
		text = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	return text;
}

/*
 * Connected, and answered: the reply, which is the caller's, or NULL and the reason is on stderr.
 * A worker of utmemd that dies cuts the connection, and its successor accepts the next one.
 */
static cJSON *exchange(const char *run_dir, const char *line, bool exact, int nr_tries, int *fd)
{
	cJSON *reply = NULL;

	do {
		*fd = connect_daemon(run_dir);
		if (*fd < 0)
			return NULL;
		if (!send_line(*fd, line))
			reply = receive(*fd, exact);
		if (!reply && nr_tries > 1)
			close(*fd);
	} while (!reply && --nr_tries);
	if (!reply)
		say_cut();
	return reply;
}

/* What only asks is asked again, once; what changes something may have been done. */
static cJSON *ask(const char *run_dir, const char *cmd, cJSON *args, bool exact, int *fd)
{
	int nr_tries = !args && strcmp(cmd, "upgrade") ? 2 : 1;
	char *text = request_text(cmd, args);
	cJSON *reply = NULL;

	*fd = -1;
	if (!text)
		fprintf(stderr, "utmemctl: no memory\n");
	else
		reply = exchange(run_dir, text, exact, nr_tries, fd);
	free(text);
	return reply;
}

int request_send(const char *run_dir, const char *cmd, cJSON *args, cJSON **result)
{
	cJSON *reply;
	int fd, status = 1;

	*result = NULL;
	reply = ask(run_dir, cmd, args, false, &fd);
	if (reply)
		status = take_result(reply, result);
	cJSON_Delete(reply);
	if (fd >= 0)
		close(fd);
	return status;
}

int request_open(const char *run_dir, const char *cmd, cJSON *args)
{
	cJSON *reply, *result = NULL;
	int fd;

	reply = ask(run_dir, cmd, args, true, &fd);
	if (fd >= 0 && (!reply || take_result(reply, &result))) {
		close(fd);
		fd = -1;
	}
	cJSON_Delete(result);
	cJSON_Delete(reply);
	return fd;
}

int request_answer(int fd, cJSON **result)
{
	cJSON *reply = receive(fd, false);
	int status = 1;

	*result = NULL;
	if (reply)
		status = take_result(reply, result);
	else
		say_cut();
	cJSON_Delete(reply);
	return status;
}
