// SPDX-License-Identifier: MIT
/* The control socket, spoken to by hand: nonsense, floods, several lines at once, strangers. */
#include "tests/integration/daemon.h"

static const char *const args[] = {"--tenant", "a:16m", NULL};

static int start(void **state)
{
	static struct daemon d;

	daemon_start(&d, args);
	*state = &d;
	return 0;
}

static int stop(void **state)
{
	daemon_stop(*state);
	return 0;
}

static void control_answers_nonsense_and_lives(void **state)
{
	static const char *const lines[] = {"",
					    "x",
					    "[]",
					    "{}",
					    "{\"cmd\":1}",
					    "{\"cmd\":\"x\"}",
					    "{\"cmd\":\"tenant add\"}",
					    "{\"cmd\":\"tenant add\",\"args\":{\"name\":3}}",
					    "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"x\"}}",
					    "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"a\","
					    "\"quota\":-1}}",
					    "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"a\","
					    "\"quota\":1e300}}",
					    "{\"cmd\":\"tenant quota\",\"args\":{\"name\":\"a\","
					    "\"quota\":1.5}}"};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_non_null(strstr(daemon_ask(*state, lines[i]), "{\"ok\":false,\"errno\":-"));
	assert_int_equal(tenant_stat(*state, "a", "quota_bytes"), 16 << 20);
}

/* A knob that is right does not help: all of them, or none. */
static void control_refuses_knobs_that_make_no_sense(void **state)
{
	static const char *const knobs[] = {
		"1",
		"null",
		"\"poll-usecs\"",
		"[\"poll-usecs\",\"1\"]",
		"{\"poll-usecs\":1}",
		"{\"poll-usecs\":null}",
		"{\"poll-usecs\":{\"poll-usecs\":\"1\"}}",
		"{\"poll-usecs\":\"1\",\"poll-usecs\":\"1\"}",
		"{\"poll-usecs\":\"1\",\"\":\"1\"}",
		"{\"poll-usecs\":\"1\",\"Poll-usecs\":\"1\"}",
		"{\"poll-usecs\":\"1\",\"threads\":\"2\"}",
		"{\"poll-usecs\":\"1\",\"run-dir\":\"/\"}",
		"{\"poll-usecs\":\"1\",\"poll-cpu-percent\":\"101\"}",
		"{\"poll-usecs\":\"1000001\",\"poll-cpu-percent\":\"1\"}",
		"{\"poll-usecs\":\"-1\"}",
		"{\"poll-usecs\":\"\"}",
		"{\"poll-usecs\":\"1e3\"}",
		"{\"poll-usecs\":\"99999999999999999999999999\"}",
	};
	char line[512], *before = strdup(daemon_ask(*state, "{\"cmd\":\"tune\"}"));
	size_t i;

	assert_non_null(strstr(before, "{\"ok\":true,"));
	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		snprintf(line, sizeof(line), "{\"cmd\":\"tune\",\"args\":%s}", knobs[i]);
		assert_non_null(strstr(daemon_ask(*state, line), "{\"ok\":false,\"errno\":-"));
		assert_string_equal(daemon_ask(*state, "{\"cmd\":\"tune\"}"), before);
	}
	free(before);
}

static void control_lets_an_endless_line_go(void **state)
{
	int sock = must_connect(*state, "control.sock", SOCK_STREAM);
	char bytes[4096];

	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(send(sock, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	assert_ended(sock);
	close(sock);
}

static void control_answers_lines_that_come_together_in_order(void **state)
{
	static const char lines[] = "{\"cmd\":\"tenant list\"}\n{\"cmd\":\"pool list\"}\nx\n";
	int nr = 0, sock = must_connect(*state, "control.sock", SOCK_STREAM);
	char line[4096];
	FILE *f = fdopen(sock, "r+");

	assert_int_equal(send(sock, lines, strlen(lines), 0), strlen(lines));
	while (nr < 3 && fgets(line, sizeof(line), f))
		assert_int_equal(!!strstr(line, "\"ok\":true"), nr++ < 2);
	assert_int_equal(nr, 3);
	fclose(f);
}

static void control_refuses_the_seventeenth_operator(void **state)
{
	int socks[15], more, i;
	char byte;

	daemon_ask(*state, "{}"); /* the first one stays */
	for (i = 0; i < 15; i++) {
		socks[i] = must_connect(*state, "control.sock", SOCK_STREAM);
		send(socks[i], "x\n", 2, 0);
		assert_int_equal(recv(socks[i], &byte, 1, MSG_PEEK), 1); /* it is in */
	}
	more = must_connect(*state, "control.sock", SOCK_STREAM);
	assert_ended(more);
	close(more);
	for (i = 0; i < 15; i++) {
		send(socks[i], "x\n", 2, 0);
		assert_true(recv(socks[i], &byte, 1, 0) == 1);
		close(socks[i]);
	}
}

/* Even when somebody has opened the socket's mode to all. */
static void control_refuses_another_user(void **state)
{
	struct daemon *d = *state;
	char path[80];
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	snprintf(path, sizeof(path), "%s/control.sock", d->dir);
	assert_int_equal(chmod(path, 0666), 0);
	pid = fork();
	if (!pid) {
		char byte;
		int fd;

		if (setuid(65534))
			_exit(2);
		fd = try_connect(d, "control.sock", SOCK_STREAM);
		_exit(fd < 0 || recv(fd, &byte, 1, 0) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	chmod(path, 0600);
}

/* More than a socket's buffer: the answer waits for its reader, and the daemon for nobody. */
static void control_answer_waits_for_a_slow_reader(void **state)
{
	static const char line[] = "{\"cmd\":\"stats\"}\n";
	int asked = 0, answered = 0, sock = must_connect(*state, "control.sock", SOCK_STREAM);
	char bytes[65536];
	ssize_t n, i;

	while (send(sock, line, sizeof(line) - 1, MSG_DONTWAIT) == sizeof(line) - 1)
		asked++;
	assert_int_equal(tenant_stat(*state, "a", "clients"), 0);
	shutdown(sock, SHUT_WR);
	while ((n = recv(sock, bytes, sizeof(bytes), 0)) > 0) {
		for (i = 0; i < n; i++)
			answered += bytes[i] == '\n';
	}
	assert_true(asked > 100);
	assert_true(answered >= asked - 1); /* the last send may have been cut */
	close(sock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_answers_nonsense_and_lives),
		cmocka_unit_test(control_refuses_knobs_that_make_no_sense),
		cmocka_unit_test(control_lets_an_endless_line_go),
		cmocka_unit_test(control_answers_lines_that_come_together_in_order),
		cmocka_unit_test(control_refuses_the_seventeenth_operator),
		cmocka_unit_test(control_refuses_another_user),
		cmocka_unit_test(control_answer_waits_for_a_slow_reader),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
