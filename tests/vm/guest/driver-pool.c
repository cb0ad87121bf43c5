// SPDX-License-Identifier: MIT
/*
 * Usage: driver-pool UID POOL [create,][shared,]... put KEY VALUE | get KEY | open
 * As the user UID. Prints the value, "done", or the name of the error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libutmem/include/utmem.h"

static int say(long rc)
{
	puts(rc < 0 ? strerrorname_np((int)-rc) : "done");
	return rc < 0;
}

static uint32_t parse(const char *s)
{
	return (strstr(s, "create") ? UTMEM_POOL_CREATE : 0) |
	       (strstr(s, "shared") ? UTMEM_POOL_GUEST_SHARED : 0) |
	       (strstr(s, "readonly") ? UTMEM_POOL_READONLY : 0);
}

static int act(struct utmem_queue *q, int pool, char **arg)
{
	char value[256];
	ssize_t len;

	if (!strcmp(arg[0], "put"))
		return say(utmem_put(q, pool, arg[1], strlen(arg[1]), arg[2], strlen(arg[2]), 0));
	if (strcmp(arg[0], "get"))
		return say(0);
	len = utmem_get(q, pool, arg[1], strlen(arg[1]), value, sizeof(value));
	if (len < 0)
		return say(len);
	printf("%.*s\n", (int)len, value);
	return 0;
}

int main(int argc, char **argv)
{
	struct utmem_queue *q;
	struct utmem *u;
	int rc, pool;

	if (argc < 5 || setgid((gid_t)atoi(argv[1])) || setuid((uid_t)atoi(argv[1])))
		return 2;
	rc = utmem_connect(&u, "dev:/dev/utmem0");
	if (rc)
		return say(rc);
	rc = utmem_queue_init(u, &q, NULL);
	if (rc)
		return say(rc);
	pool = utmem_pool_open(q, argv[2], parse(argv[3]));
	rc = pool < 0 ? say(pool) : act(q, pool, argv + 4);
	utmem_queue_exit(q);
	utmem_disconnect(u);
	return rc;
}
