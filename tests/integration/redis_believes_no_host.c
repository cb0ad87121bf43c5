// SPDX-License-Identifier: MIT
/*
 * The Redis module against a host that lies: a stock redis-server, and behind its socket a host
 * that is written here. What such a host says may cost the connection, never the server.
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/lib_fake.h"

#define DEADLINE_S 30
#define SERVER "redis-server"
#define SERVER_TOO "redis-check-rdb" /* the same program, which goes by its name */

struct server {
	struct fake host;
	char sock[128];
	pid_t pid;
	int fd; /* a client's connection */
};

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static const char *module_path(void)
{
	static char path[4096];
	const char *b = getenv("B");
	char name[4096];

	snprintf(name, sizeof(name), "%s/redis/utmem.so", b ? b : "build");
	return realpath(name, path);
}

static pid_t server_exec(const struct server *s)
{
	const char *module = module_path();
	pid_t pid;

	assert_non_null(module);
	pid = fork();
	if (pid)
		return pid;
	for (int i = 0; i < 2; i++)
		execlp(i ? SERVER_TOO : SERVER, SERVER, "--port", "0", "--unixsocket", s->sock,
		       "--save", "", "--logfile", "/dev/null", "--dir", s->host.dir, "--loadmodule",
		       module, "transport", s->host.transport, "timeout-ms", "30000", NULL);
	_exit(127);
}

static int server_connect(const struct server *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = DEADLINE_S};
	time_t until = now_s() + DEADLINE_S;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, s->sock);
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		assert_true(now_s() < until);
		assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
		sched_yield();
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void say(struct server *s, const char *command)
{
	assert_int_equal(write(s->fd, command, strlen(command)), strlen(command));
}

/* One line, which begins with @want. */
static void hear(struct server *s, const char *want)
{
	char line[256];
	size_t n = 0;

	do
		assert_int_equal(read(s->fd, line + n, 1), 1);
	while (line[n++] != '\n' && n < sizeof(line) - 1);
	line[n] = 0;
	if (strncmp(line, want, strlen(want)))
		fail_msg("want '%s', got '%s'", want, line);
}

static void server_start(struct server *s)
{
	fake_start(&s->host, NULL, F_SEAL_SHRINK);
	snprintf(s->sock, sizeof(s->sock), "%s/redis", s->host.dir);
	s->pid = server_exec(s);
	assert_true(s->pid > 0);
	s->fd = server_connect(s);
	/* It listens before it loads the module, and answers after that. */
	say(s, "PING\r\n");
	hear(s, "+PONG");
}

static void server_stop(struct server *s)
{
	close(s->fd);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	unlink(s->sock);
	fake_stop(&s->host);
}

static void await_request(struct fake *f)
{
	time_t until = now_s() + DEADLINE_S;
	uint32_t n = 0;

	do {
		assert_int_equal(utmem_sq_peek(&f->sq, &n), 0);
		assert_true(now_s() < until);
		sched_yield();
	} while (!n);
}

static void complete_as(struct fake *f, uint64_t user_data)
{
	uint64_t one = 1;

	utmem_cq_fill(&f->cq, user_data, 0, 0);
	utmem_cq_publish(&f->cq);
	utmem_sq_release(&f->sq, 1);
	assert_int_equal(write(f->wake, &one, sizeof(one)), sizeof(one));
}

static void a_completion_of_another_request_costs_the_connection_only(void **state)
{
	static const uint64_t lies[] = {0, 1, UINT64_MAX, 0x1000};
	struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		server_start(&s);
		say(&s, "UTMEM.SET key value\r\n");
		await_request(&s.host);
		complete_as(&s.host, lies[i]);
		hear(&s, "-UTMEMDOWN");
		say(&s, "PING\r\n");
		hear(&s, "+PONG");
		server_stop(&s);
	}
}

static void an_honest_completion_is_answered(void **state)
{
	struct utmem_sqe sqe;
	struct server s;

	(void)state;
	server_start(&s);
	say(&s, "UTMEM.SET key value\r\n");
	await_request(&s.host);
	fake_complete(&s.host, 0, 0, &sqe);
	hear(&s, "+OK");
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_completion_is_answered),
		cmocka_unit_test(a_completion_of_another_request_costs_the_connection_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
