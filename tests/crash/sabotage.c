// SPDX-License-Identifier: MIT
/* One wrong value, made over a connection of its own. Called by crash.c, on the main thread. */
#include "tests/crash/sabotage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utmem.h>

#include "tests/crash/value.h"

#define FIRST_KEY (1ull << 32) /* of the first client's first queue: small values */
#define NR_KEYS_TRIED 100u
#define VALUE_MAX 4096u

struct saboteur {
	struct utmem_queue *q;
	int pool;
	char key[KEY_TEXT_MAX];
	size_t key_len;
};

static int lose(struct saboteur *s)
{
	return utmem_del(s->q, s->pool, s->key, s->key_len);
}

static int tear(struct saboteur *s)
{
	char buf[VALUE_MAX];
	ssize_t len = utmem_get(s->q, s->pool, s->key, s->key_len, buf, sizeof(buf));

	if (len < 2)
		return len < 0 ? (int)len : -ENOENT;
	memset(buf + len / 2, 't', (size_t)(len - len / 2));
	return utmem_put(s->q, s->pool, s->key, s->key_len, buf, (size_t)len, 0);
}

static int duplicate(struct saboteur *s)
{
	return utmem_put(s->q, s->pool, s->key, s->key_len, "again", 5, UTMEM_SQE_IF_ABSENT);
}

static int (*action(const char *what))(struct saboteur *s)
{
	if (!strcmp(what, "lose"))
		return lose;
	if (!strcmp(what, "tear"))
		return tear;
	return strcmp(what, "duplicate") ? NULL : duplicate;
}

/* On the first key where it can be done. */
static int act(struct saboteur *s, int (*how)(struct saboteur *s))
{
	int err = -EINVAL;
	uint64_t i;

	s->pool = utmem_pool_open(s->q, "store", 0);
	if (s->pool < 0)
		return s->pool;
	for (i = 0; i < NR_KEYS_TRIED && err && how; i++) {
		if (i % 4 == 3)
			continue; /* an ephemeral value may be lost */
		s->key_len = value_key(FIRST_KEY | i, s->key);
		err = how(s);
	}
	return err;
}

int sabotage(const char *transport, const char *what)
{
	struct saboteur s = {0};
	struct utmem *u = NULL;
	int err = utmem_connect(&u, transport);

	if (!err)
		err = utmem_queue_init(u, &s.q, NULL);
	if (!err)
		err = act(&s, action(what));
	if (err)
		fprintf(stderr, "sabotage %s: %s\n", what, strerror(-err));
	utmem_queue_exit(s.q);
	utmem_disconnect(u);
	return err ? -1 : 0;
}
