// SPDX-License-Identifier: MIT
/*
 * Blocking calls: store a value in the host, read it back, delete it.
 *
 * Usage: hello [TRANSPORT]
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utmem.h>

static int fail(const char *what, long err)
{
	fprintf(stderr, "hello: %s: %s\n", what, strerror((int)-err));
	return 1;
}

static int hello(struct utmem_queue *q)
{
	const char *value = "kept by the host";
	char back[64] = "";
	ssize_t len;
	int pool, err;

	pool = utmem_pool_open(q, "hello", UTMEM_POOL_CREATE);
	if (pool < 0)
		return fail("open a pool", pool);
	err = utmem_put(q, pool, "greeting", 8, value, strlen(value), 0);
	if (err)
		return fail("put", err);
	len = utmem_get(q, pool, "greeting", 8, back, sizeof(back) - 1);
	if (len < 0)
		return fail("get", len);
	printf("greeting: %s (%zd bytes)\n", back, len);
	if (strcmp(back, value) != 0)
		return fail("compare", -EIO);
	err = utmem_del(q, pool, "greeting", 8);
	if (err)
		return fail("del", err);
	len = utmem_get(q, pool, "greeting", 8, back, sizeof(back));
	return len == -ENOENT ? 0 : fail("get after del", len < 0 ? len : -EIO);
}

int main(int argc, char **argv)
{
	struct utmem_queue *q;
	struct utmem *u;
	int err, rc;

	err = utmem_connect(&u, argc > 1 ? argv[1] : "local:");
	if (err)
		return fail("connect", err);
	err = utmem_queue_init(u, &q, NULL);
	if (err) {
		utmem_disconnect(u);
		return fail("make a queue", err);
	}
	rc = hello(q);
	utmem_queue_exit(q);
	utmem_disconnect(u);
	return rc;
}
