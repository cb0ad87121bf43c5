// SPDX-License-Identifier: MIT
/*
 * Pools are saved while clients write, and restored on another daemon; whatever is wrong with
 * the file, the reader or the room, the pool stays as it was.
 */
#include <utmem.h>

#include "host/pool/save_format.h"
#include "tests/integration/daemon.h"

#define NR_KEYS 2000u
#define LONG_LEN (3u << 20)

static const char *const args[] = {"--tenant",	    "a:32m", "--tenant", "b:16m",
				   "--save-memory", "1m",    NULL};

struct pair {
	struct daemon here, there; /* two hosts */
	char file[80];
};

static int start(void **state)
{
	static struct pair p;

	daemon_start(&p.here, args);
	daemon_start(&p.there, args);
	snprintf(p.file, sizeof(p.file), "%s/saved", p.here.base);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	struct pair *p = *state;

	unlink(p->file);
	daemon_stop(&p->here);
	daemon_stop(&p->there);
	return 0;
}

/* ---- the operator's command ---- */

struct said {
	int status;
	char text[1024];
};

static const char *utmemctl_path(void)
{
	static char path[256];
	const char *b = getenv("B"), *given = getenv("UTMEMCTL");

	snprintf(path, sizeof(path), "%s/asan/utmemctl", b ? b : "build");
	return given ? given : path;
}

static struct said shell(const char *command)
{
	struct said s = {0};
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(s.text, 1, sizeof(s.text) - 1, f);
	s.text[n] = '\0';
	s.status = WEXITSTATUS(pclose(f));
	return s;
}

static struct said utmemctl(const struct daemon *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static struct said utmemctl(const struct daemon *d, const char *fmt, ...)
{
	char words[512], command[1024];
	va_list list;

	va_start(list, fmt);
	vsnprintf(words, sizeof(words), fmt, list);
	va_end(list);
	snprintf(command, sizeof(command), "%s --run-dir %s %s 2>&1", utmemctl_path(), d->dir,
		 words);
	return shell(command);
}

static void assert_said(struct said s, int status, const char *text)
{
	if (s.status == status && strstr(s.text, text))
		return;
	fail_msg("exit %d and '%s', not %d and '%s'", s.status, s.text, status, text);
}

/* ---- a client ---- */

struct link {
	struct utmem *u;
	struct utmem_queue *q;
	int pool;
};

static void link_up(struct link *l, const struct daemon *d, const char *pool, uint32_t flags)
{
	char name[80];

	snprintf(name, sizeof(name), "unix:%s/a.sock", d->dir);
	assert_int_equal(utmem_connect(&l->u, name), 0);
	assert_int_equal(utmem_queue_init(l->u, &l->q, NULL), 0);
	l->pool = utmem_pool_open(l->q, pool, flags);
	assert_true(l->pool >= 0);
}

static void link_down(struct link *l)
{
	utmem_queue_exit(l->q);
	utmem_disconnect(l->u);
}

static void drop_pool(const struct daemon *d, const char *pool)
{
	struct link l;

	link_up(&l, d, pool, UTMEM_POOL_CREATE);
	assert_int_equal(utmem_pool_destroy(l.q, l.pool), 0);
	link_down(&l);
}

static void put_number(struct link *l, uint32_t key, uint64_t value)
{
	/* mostly short, some of several KiB: nothing but the number counts */
	static uint8_t bytes[4096];
	size_t len = key % 10 ? 8 + key % 50 : sizeof(bytes) - key % 100;

	memcpy(bytes, &value, sizeof(value));
	assert_int_equal(utmem_put(l->q, l->pool, &key, sizeof(key), bytes, len, 0), 0);
}

static uint64_t get_number(struct link *l, uint32_t key)
{
	uint64_t value = UINT64_MAX;

	utmem_get(l->q, l->pool, &key, sizeof(key), &value, sizeof(value));
	return value;
}

static void fill(const struct daemon *d, const char *pool, uint32_t nr)
{
	struct link l;
	uint32_t i;

	link_up(&l, d, pool, UTMEM_POOL_CREATE);
	for (i = 0; i < nr; i++)
		put_number(&l, i, i);
	link_down(&l);
}

static void assert_filled(const struct daemon *d, const char *pool, uint32_t nr)
{
	struct utmem_pool_stat stat = {0};
	struct link l;
	uint32_t i;

	link_up(&l, d, pool, 0);
	assert_int_equal(utmem_pool_stat(l.q, l.pool, &stat), 0);
	assert_int_equal(stat.nr_items, nr);
	for (i = 0; i < nr; i++)
		assert_int_equal(get_number(&l, i), i);
	link_down(&l);
}

/* Overwrites all keys in their order, again and again; says so once it has begun. */
static pid_t start_writer(const struct daemon *d, const char *pool)
{
	uint64_t round;
	struct link l;
	int said[2];
	uint32_t i;
	pid_t pid;
	char byte;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	if (pid) {
		close(said[1]);
		assert_int_equal(read(said[0], &byte, 1), 1);
		close(said[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	link_up(&l, d, pool, 0);
	for (round = 1;; round++) {
		for (i = 0; i < NR_KEYS; i++)
			put_number(&l, i, round);
		if (round == 2 && write(said[1], "x", 1) != 1)
			_exit(1);
	}
}

static void stop_writer(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* ---- between two hosts ---- */

/* At any moment the first keys have a round's number, the others the one before. */
static void assert_one_moment(const struct daemon *d, const char *pool)
{
	uint64_t first, value;
	struct link l;
	uint32_t i, nr_new = 0;

	link_up(&l, d, pool, 0);
	first = get_number(&l, 0);
	assert_true(first >= 1 && first != UINT64_MAX);
	for (i = 0; i < NR_KEYS; i++) {
		value = get_number(&l, i);
		if (value == first && nr_new == i)
			nr_new++;
		else
			assert_int_equal(value, first - 1);
	}
	link_down(&l);
}

static void pool_that_is_written_to_is_saved_as_at_one_moment(void **state)
{
	struct pair *p = *state;
	pid_t writer;
	int i;

	fill(&p->here, "busy", NR_KEYS);
	writer = start_writer(&p->here, "busy");
	for (i = 0; i < 8; i++) {
		/* as fast as it comes: the writer is no faster than the walk plus --save-memory */
		assert_said(utmemctl(&p->here, "pool save a/busy %s", p->file), 0, "2000 values");
		assert_said(
			utmemctl(&p->there, "pool restore a/busy %s --create --replace", p->file),
			0, "2000 values");
		assert_one_moment(&p->there, "busy");
	}
	stop_writer(writer);
	drop_pool(&p->here, "busy");
	drop_pool(&p->there, "busy");
}

static void long_value_and_kind_go_through_a_pipe(void **state)
{
	static uint8_t value[LONG_LEN], got[LONG_LEN];
	struct pair *p = *state;
	char command[1024];
	struct link l;
	uint32_t i;

	for (i = 0; i < LONG_LEN; i++)
		value[i] = (uint8_t)(i * 7 + i / 251);
	link_up(&l, &p->here, "long", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	assert_int_equal(utmem_put(l.q, l.pool, "k", 1, value, LONG_LEN, 0), 0);
	snprintf(command, sizeof(command),
		 "%s --run-dir %s pool save a/long --quiet | "
		 "%s --run-dir %s pool restore a/other - --create --quiet 2>&1",
		 utmemctl_path(), p->here.dir, utmemctl_path(), p->there.dir);
	assert_said(shell(command), 0, "");
	assert_int_equal(utmem_pool_destroy(l.q, l.pool), 0);
	link_down(&l);
	link_up(&l, &p->there, "other", UTMEM_POOL_EPHEMERAL);
	assert_int_equal(utmem_get(l.q, l.pool, "k", 1, got, LONG_LEN), LONG_LEN);
	assert_memory_equal(got, value, LONG_LEN);
	assert_int_equal(utmem_pool_destroy(l.q, l.pool), 0);
	link_down(&l);
}

static void empty_pool_is_saved_and_restored(void **state)
{
	struct pair *p = *state;

	fill(&p->here, "empty", 0);
	assert_said(utmemctl(&p->here, "pool save a/empty %s", p->file), 0, ": 0 values");
	assert_said(utmemctl(&p->there, "pool verify %s", p->file), 0,
		    "persistent pool a/empty of 20");
	assert_said(utmemctl(&p->there, "pool restore a/empty %s --create", p->file), 0,
		    ": 0 values");
	assert_filled(&p->there, "empty", 0);
	drop_pool(&p->here, "empty");
	drop_pool(&p->there, "empty");
}

/* ---- a pool's options ---- */

#define PLAIN "\"compress\":\"none\",\"compress_least_bytes\":256,\"dedup\":\"off\""
#define ZSTD_100 "\"compress\":\"zstd\",\"compress_least_bytes\":100,\"dedup\":\"tenant\""

static void assert_options(const struct daemon *d, const char *pool, const char *want)
{
	char name[80];
	const char *at;

	snprintf(name, sizeof(name), "\"name\":\"%s\"", pool);
	at = strstr(daemon_ask(d, "{\"cmd\":\"pool list\"}"), name);
	assert_non_null(at);
	at = strstr(at, "\"compress\"");
	assert_non_null(at);
	if (strncmp(at, want, strlen(want)))
		fail_msg("%.80s, not %s", at, want);
}

static void options_go_with_a_pool_that_restore_makes(void **state)
{
	struct pair *p = *state;

	fill(&p->here, "opt", 10);
	assert_said(
		utmemctl(&p->here, "pool set a/opt compress=zstd compress_least=100 dedup=tenant"),
		0, "");
	assert_said(utmemctl(&p->here, "pool save a/opt %s", p->file), 0, ": 10 values");
	assert_said(utmemctl(&p->there, "pool restore a/opt %s --create", p->file), 0, "");
	assert_options(&p->there, "opt", ZSTD_100);
	assert_filled(&p->there, "opt", 10);
	drop_pool(&p->here, "opt");
	drop_pool(&p->there, "opt");
}

static void pool_that_is_there_keeps_its_own_options(void **state)
{
	struct pair *p = *state;

	fill(&p->here, "opt", 10);
	assert_said(utmemctl(&p->here, "pool save a/opt %s", p->file), 0, ": 10 values");
	assert_said(
		utmemctl(&p->here, "pool set a/opt compress=zstd compress_least=100 dedup=tenant"),
		0, "");
	assert_said(utmemctl(&p->here, "pool restore a/opt %s --create --replace", p->file), 0, "");
	assert_options(&p->here, "opt", ZSTD_100);
	drop_pool(&p->here, "opt");
}

/* A whole file of no values, with @options as they are. */
static void write_options(const char *path, const char *options)
{
	uint8_t bytes[SAVE_HEAD_LEN + SAVE_END_LEN];
	struct save_head h = {.tenant = "a", .pool = "opt"};
	struct save_chain c;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	strcpy(h.options, options);
	utmem_save_put_head(&c, &h, bytes);
	utmem_save_put_end(&c, bytes + SAVE_HEAD_LEN);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
}

/* Values are what a save is for: what is not known of their storing is said, and no reason to stop. */
static void options_that_are_missing_or_unknown_are_those_of_new_pools(void **state)
{
	struct pair *p = *state;

	write_options(p->file, "");
	assert_said(utmemctl(&p->there, "pool restore a/opt %s --create", p->file), 0, "");
	assert_options(&p->there, "opt", PLAIN);
	drop_pool(&p->there, "opt");
	write_options(p->file, "compress=zip compress_least=100 colour=red");
	assert_said(utmemctl(&p->there, "pool restore a/opt %s --create", p->file), 0, "");
	assert_options(&p->there, "opt", "\"compress\":\"none\",\"compress_least_bytes\":100,");
	assert_logged(&p->there, "restore of a/opt: options that are not known here are left out");
	drop_pool(&p->there, "opt");
}

/* ---- files that are wrong ---- */

static uint8_t *read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *len), *len);
	close(fd);
	return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

/* Over the raw connection, which is faster than a process each. Return: the answer. */
static const char *restore_bytes(const struct daemon *d, const char *pool, const uint8_t *bytes,
				 size_t len)
{
	static char answer[4096];
	int sock = must_connect(d, "control.sock", SOCK_STREAM);
	size_t got = 0, sent = 0;
	ssize_t n;

	n = snprintf(answer, sizeof(answer),
		     "{\"cmd\":\"pool restore\",\"args\":{\"tenant\":\"a\",\"pool\":\"%s\","
		     "\"replace\":true}}\n",
		     pool);
	assert_int_equal(send(sock, answer, (size_t)n, MSG_NOSIGNAL), n);
	while (got < sizeof("{\"ok\":true}\n") - 1)
		got += (size_t)recv(sock, answer + got, sizeof("{\"ok\":true}\n") - 1 - got, 0);
	assert_memory_equal(answer, "{\"ok\":true}\n", got);
	while (sent < len && (n = send(sock, bytes + sent, len - sent, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	shutdown(sock, SHUT_WR);
	for (got = 0; (n = recv(sock, answer + got, sizeof(answer) - 1 - got, 0)) > 0;)
		got += (size_t)n;
	answer[got] = '\0';
	close(sock);
	return answer;
}

static void assert_refused(const struct daemon *d, const uint8_t *bytes, size_t len)
{
	const char *answer = restore_bytes(d, "kept", bytes, len);

	if (!strstr(answer, "\"ok\":false"))
		fail_msg("answer '%s'", answer);
}

struct wrong_files {
	uint8_t *bytes;
	size_t len;
};

static void wrong_files_begin(struct pair *p, struct wrong_files *w)
{
	fill(&p->here, "kept", 100);
	fill(&p->there, "kept", 50);
	assert_said(utmemctl(&p->here, "pool save a/kept %s", p->file), 0, "100 values");
	w->bytes = read_file(p->file, &w->len);
}

static void wrong_files_end(struct pair *p, struct wrong_files *w)
{
	assert_filled(&p->there, "kept", 50);
	/* nothing is left of all those that began */
	assert_int_equal(tenant_stat(&p->there, "a", "pools"), 1);
	/* and the file itself was good */
	assert_non_null(strstr(restore_bytes(&p->there, "kept", w->bytes, w->len), "\"ok\":true"));
	assert_filled(&p->there, "kept", 100);
	free(w->bytes);
	drop_pool(&p->here, "kept");
	drop_pool(&p->there, "kept");
}

static void file_cut_anywhere_changes_nothing(void **state)
{
	struct pair *p = *state;
	struct save_reader r = {0};
	struct wrong_files w;
	struct save_frame f;
	size_t at = 0;
	int64_t n;

	wrong_files_begin(p, &w);
	/* at every border, and one byte beside it */
	while ((n = utmem_save_read(&r, w.bytes + at, w.len - at, &f)) > 0) {
		assert_refused(&p->there, w.bytes, at);
		assert_refused(&p->there, w.bytes, at + 1);
		at += (size_t)n;
		assert_refused(&p->there, w.bytes, at - 1);
	}
	assert_int_equal(at, w.len);
	write_file(p->file, w.bytes, w.len - 1);
	assert_said(utmemctl(&p->there, "pool verify %s", p->file), 1, "cut short");
	assert_said(utmemctl(&p->there, "pool restore a/kept %s --replace", p->file), 1,
		    "utmemctl: what came: cut short");
	wrong_files_end(p, &w);
}

static void flipped_bits_change_nothing(void **state)
{
	struct pair *p = *state;
	struct wrong_files w;
	size_t i, bit;

	wrong_files_begin(p, &w);
	srand(1);
	for (i = 0; i < 300; i++) {
		bit = (size_t)rand() % (w.len * 8);
		w.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_refused(&p->there, w.bytes, w.len);
		if (i % 100 == 0) {
			write_file(p->file, w.bytes, w.len);
			assert_said(utmemctl(&p->there, "pool verify %s", p->file), 1, "");
		}
		w.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	wrong_files_end(p, &w);
}

static void newer_version_other_kind_and_more_are_told(void **state)
{
	struct pair *p = *state;
	struct wrong_files w;
	uint8_t *more;

	wrong_files_begin(p, &w);
	w.bytes[8]++;
	write_file(p->file, w.bytes, w.len);
	w.bytes[8]--;
	assert_said(utmemctl(&p->there, "pool restore a/kept %s --replace", p->file), 1,
		    "utmemctl: what came: saved by a newer version");
	assert_said(utmemctl(&p->there, "pool verify %s", p->file), 1, "newer version");
	write_file(p->file, (const uint8_t *)"hello", 5);
	assert_said(utmemctl(&p->there, "pool restore a/kept %s --replace", p->file), 1,
		    "utmemctl: what came: not a saved pool");
	assert_said(utmemctl(&p->there, "pool verify %s", p->file), 1, "not a saved pool");
	more = malloc(w.len + 1);
	assert_non_null(more);
	memcpy(more, w.bytes, w.len);
	more[w.len] = 0;
	assert_refused(&p->there, more, w.len + 1);
	free(more);
	wrong_files_end(p, &w);
}

/* ---- pools that are not as the file wants them ---- */

static void restore_says_what_it_needs(void **state)
{
	struct pair *p = *state;

	fill(&p->here, "kept", 100);
	assert_said(utmemctl(&p->here, "pool save a/kept %s", p->file), 0, "");
	assert_said(utmemctl(&p->there, "pool restore nobody/kept %s", p->file), 1,
		    "no tenant nobody");
	assert_said(utmemctl(&p->there, "pool restore a/kept %s", p->file), 1,
		    "tenant a has no pool kept; --create makes it");
	assert_said(utmemctl(&p->there, "pool restore a/%s %s --create", "a/b", p->file), 1,
		    "Invalid argument");
	fill(&p->there, "kept", 50);
	assert_said(utmemctl(&p->there, "pool restore a/kept %s", p->file), 1,
		    "pool a/kept has values; --replace drops them");
	assert_filled(&p->there, "kept", 50);
	assert_said(utmemctl(&p->there, "pool restore a/kept %s --replace", p->file), 0, "");
	assert_filled(&p->there, "kept", 100);
	drop_pool(&p->there, "kept");
	assert_said(utmemctl(&p->there, "tenant quota a 10k"), 0, "");
	assert_said(utmemctl(&p->there, "pool restore a/kept %s --create", p->file), 1,
		    "tenant a: a quota of 10.0k is too small, ");
	assert_int_equal(tenant_stat(&p->there, "a", "used_bytes"), 0);
	assert_said(utmemctl(&p->there, "tenant quota a 32m"), 0, "");
	drop_pool(&p->here, "kept");
}

static void restore_into_another_kind_is_refused(void **state)
{
	struct pair *p = *state;
	struct link l;

	fill(&p->here, "kept", 10);
	assert_said(utmemctl(&p->here, "pool save a/kept %s", p->file), 0, "");
	link_up(&l, &p->there, "cache", UTMEM_POOL_CREATE | UTMEM_POOL_EPHEMERAL);
	assert_said(utmemctl(&p->there, "pool restore a/cache %s --replace", p->file), 1,
		    "pool a/cache is ephemeral, the saved one is not");
	assert_int_equal(utmem_pool_destroy(l.q, l.pool), 0);
	link_down(&l);
	drop_pool(&p->here, "kept");
}

/* ---- files that cannot be written ---- */

static void save_that_finds_no_room_leaves_no_file(void **state)
{
	struct pair *p = *state;
	char command[1024];
	struct said s;

	fill(&p->here, "kept", NR_KEYS);
	write_file(p->file, (const uint8_t *)"yesterday", 9);
	/* a full disk, as far as the command can tell */
	snprintf(command, sizeof(command),
		 "trap '' XFSZ; ulimit -f 64; %s --run-dir %s pool save a/kept %s 2>&1",
		 utmemctl_path(), p->here.dir, p->file);
	assert_said(shell(command), 1, "saved.part: File too large");
	snprintf(command, sizeof(command), "cat %s; ls %s.part 2>&1", p->file, p->file);
	s = shell(command);
	assert_non_null(strstr(s.text, "yesterday"));
	assert_non_null(strstr(s.text, "No such file"));
	snprintf(command, sizeof(command), "{ %s --run-dir %s pool save a/kept >/dev/full; } 2>&1",
		 utmemctl_path(), p->here.dir);
	assert_said(shell(command), 1, "standard output: No space left on device");
	assert_said(utmemctl(&p->here, "pool save a/kept /nowhere/file"), 1,
		    "/nowhere/file.part: No such file or directory");
	assert_said(utmemctl(&p->here, "pool save a/nothing %s", p->file), 1,
		    "tenant a has no pool nothing");
	assert_said(utmemctl(&p->here, "pool save a/kept %s", p->file), 0, "2000 values");
	drop_pool(&p->here, "kept");
}

/* ---- readers and senders who do not play along ---- */

static int begin_save(const struct daemon *d, const char *pool)
{
	int sock = must_connect(d, "control.sock", SOCK_STREAM);
	char line[256];
	int n = snprintf(line, sizeof(line),
			 "{\"cmd\":\"pool save\",\"args\":{\"tenant\":\"a\",\"pool\":\"%s\"}}\n",
			 pool);

	assert_int_equal(send(sock, line, (size_t)n, MSG_NOSIGNAL), n);
	assert_int_equal(recv(sock, line, 12, MSG_WAITALL), 12);
	assert_memory_equal(line, "{\"ok\":true}\n", 12);
	return sock;
}

/* Read a saved pool to its end. 0: whole; -errno, and *why. */
static int64_t read_save(int sock, char why[SAVE_WHY_MAX + 1])
{
	static uint8_t buf[2 * SAVE_FRAME_MAX];
	struct save_reader r = {0};
	struct save_frame f = {0};
	size_t have = 0, at;
	int64_t n = 0;
	ssize_t got;

	*why = '\0';
	while ((got = recv(sock, buf + have, sizeof(buf) - have, 0)) > 0) {
		have += (size_t)got;
		for (at = 0; (n = utmem_save_read(&r, buf + at, have - at, &f)) > 0;)
			at += (size_t)n;
		if (n < 0)
			break;
		have -= at;
		memmove(buf, buf + at, have);
	}
	if (n == -ECANCELED)
		memcpy(why, f.data, f.data_len);
	if (n < 0)
		return n;
	return r.ended ? 0 : -ENODATA;
}

static void reader_who_is_too_slow_loses_the_save_and_nobody_a_value(void **state)
{
	struct pair *p = *state;
	char why[SAVE_WHY_MAX + 1] = "";
	struct link l;
	uint32_t i;
	int sock;

	fill(&p->here, "kept", NR_KEYS);
	sock = begin_save(&p->here, "kept");
	link_up(&l, &p->here, "kept", 0);
	/* more than a socket and 1 MiB hold: none of it is refused */
	for (i = 0; i < 20 * NR_KEYS; i++)
		put_number(&l, i, i);
	link_down(&l);
	assert_int_equal(read_save(sock, why), -ECANCELED);
	assert_non_null(strstr(why, "too slow"));
	close(sock);
	assert_filled(&p->here, "kept", 20 * NR_KEYS);
	drop_pool(&p->here, "kept");
}

static void flush_ends_a_save_and_says_so(void **state)
{
	struct pair *p = *state;
	char why[SAVE_WHY_MAX + 1] = "";
	struct link l;
	int sock;

	fill(&p->here, "kept", 5 * NR_KEYS);
	sock = begin_save(&p->here, "kept");
	link_up(&l, &p->here, "kept", 0);
	assert_int_equal(utmem_pool_flush(l.q, l.pool), 0);
	assert_int_equal(read_save(sock, why), -ECANCELED);
	assert_non_null(strstr(why, "flushed"));
	close(sock);
	assert_int_equal(utmem_pool_destroy(l.q, l.pool), 0);
	link_down(&l);
}

static void reader_who_leaves_makes_room_for_the_next(void **state)
{
	struct pair *p = *state;
	struct daemon *d = &p->here;
	uint32_t nr_fds, i;

	daemon_ask(d, "{}");
	fill(d, "kept", 5 * NR_KEYS);
	nr_fds = daemon_nr_fds(d);
	for (i = 0; i < 20; i++) {
		close(begin_save(d, "kept"));
		await_nr_fds(d, nr_fds);
	}
	assert_said(utmemctl(d, "pool save a/kept %s", p->file), 0, "10000 values");
	drop_pool(d, "kept");
}

static void one_save_of_a_pool_and_eight_in_all(void **state)
{
	struct pair *p = *state;
	int socks[8], i;
	char name[16], why[SAVE_WHY_MAX + 1];

	for (i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		fill(&p->here, name, NR_KEYS);
		if (i < 8)
			socks[i] = begin_save(&p->here, name);
	}
	assert_said(utmemctl(&p->here, "pool save a/p8 %s", p->file), 1,
		    "8 pools are being saved or restored already");
	assert_int_equal(read_save(socks[0], why), 0);
	close(socks[0]);
	assert_said(utmemctl(&p->here, "pool save a/p1 %s", p->file), 1,
		    "pool a/p1 is being saved already");
	for (i = 1; i < 8; i++) {
		assert_int_equal(read_save(socks[i], why), 0);
		close(socks[i]);
	}
	assert_said(utmemctl(&p->here, "pool save a/p8 %s", p->file), 0, "");
	for (i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		drop_pool(&p->here, name);
	}
}

static void tenant_that_goes_ends_its_transfers(void **state)
{
	struct pair *p = *state;
	char why[SAVE_WHY_MAX + 1];
	int out, in, n;
	char line[256];

	fill(&p->here, "kept", NR_KEYS);
	assert_said(utmemctl(&p->here, "pool save a/kept %s", p->file), 0, "");
	drop_pool(&p->here, "kept");
	assert_said(utmemctl(&p->here, "pool restore b/kept %s --create", p->file), 0, "");
	in = must_connect(&p->here, "control.sock", SOCK_STREAM);
	n = snprintf(line, sizeof(line),
		     "{\"cmd\":\"pool restore\",\"args\":{\"tenant\":\"b\",\"pool\":\"x\","
		     "\"create\":true}}\n");
	assert_int_equal(send(in, line, (size_t)n, MSG_NOSIGNAL), n);
	assert_int_equal(recv(in, line, 12, MSG_WAITALL), 12);
	out = must_connect(&p->here, "control.sock", SOCK_STREAM);
	n = snprintf(line, sizeof(line),
		     "{\"cmd\":\"pool save\",\"args\":{\"tenant\":\"b\",\"pool\":\"kept\"}}\n");
	assert_int_equal(send(out, line, (size_t)n, MSG_NOSIGNAL), n);
	assert_int_equal(recv(out, line, 12, MSG_WAITALL), 12);
	assert_said(utmemctl(&p->here, "tenant remove b"), 0, "");
	assert_ended(in);
	assert_int_equal(read_save(out, why), -ENODATA);
	close(in);
	close(out);
	assert_said(utmemctl(&p->here, "tenant add b 16m"), 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_that_is_written_to_is_saved_as_at_one_moment),
		cmocka_unit_test(long_value_and_kind_go_through_a_pipe),
		cmocka_unit_test(empty_pool_is_saved_and_restored),
		cmocka_unit_test(options_go_with_a_pool_that_restore_makes),
		cmocka_unit_test(pool_that_is_there_keeps_its_own_options),
		cmocka_unit_test(options_that_are_missing_or_unknown_are_those_of_new_pools),
		cmocka_unit_test(file_cut_anywhere_changes_nothing),
		cmocka_unit_test(flipped_bits_change_nothing),
		cmocka_unit_test(newer_version_other_kind_and_more_are_told),
		cmocka_unit_test(restore_says_what_it_needs),
		cmocka_unit_test(restore_into_another_kind_is_refused),
		cmocka_unit_test(save_that_finds_no_room_leaves_no_file),
		cmocka_unit_test(reader_who_is_too_slow_loses_the_save_and_nobody_a_value),
		cmocka_unit_test(flush_ends_a_save_and_says_so),
		cmocka_unit_test(reader_who_leaves_makes_room_for_the_next),
		cmocka_unit_test(one_save_of_a_pool_and_eight_in_all),
		cmocka_unit_test(tenant_that_goes_ends_its_transfers),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
