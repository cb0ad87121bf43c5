// SPDX-License-Identifier: MIT
/*
 * The supervisor itself is killed, and a service manager had what it kept: the next one
 * goes on. The test is that service manager.
 */
#include <utmem.h>

#include "tests/integration/manager.h"
#include "tests/integration/peer.h"
#include "tests/integration/worker.h"

static const char *const args[] = {"--tenant", "a:32m", NULL};

static void assert_value(struct utmem_queue *q, int pool, const char *want)
{
	char got[32] = "";

	assert_int_equal(utmem_get(q, pool, "k", 1, got, sizeof(got)), strlen(want));
	assert_string_equal(got, want);
}

static void everybody_goes_on_with_the_next_supervisor(void **state)
{
	struct manager *m = calloc(1, sizeof(*m));
	struct utmem_queue *q;
	struct fake_vm vm;
	struct utmem *u;
	struct daemon d;
	char name[80];
	int pool, round;

	(void)state;
	daemon_dirs(&d);
	manager_listen(m, &d);
	manager_start(m, &d, args, NULL);
	snprintf(name, sizeof(name), "unix:%s/a.sock", d.dir);
	assert_int_equal(utmem_connect(&u, name), 0);
	assert_int_equal(utmem_queue_init(u, &q, NULL), 0);
	pool = utmem_pool_open(q, "p", UTMEM_POOL_CREATE);
	assert_true(pool >= 0);
	assert_int_equal(utmem_put(q, pool, "k", 1, "first", 5, 0), 0);
	fake_vm_start(&vm, &d, "a.ivshmem", 2);
	daemon_ask(&d, "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"x\",\"quota\":1048576}}");
	for (round = 0; round < 2; round++) {
		manager_await(m, (uint32_t)host_stat(&d, "kept_fds"));
		manager_restart(m, &d, args, NULL);
		assert_value(q, pool, round ? "again" : "first");
		assert_int_equal(utmem_put(q, pool, "k", 1, "again", 5, 0), 0);
		assert_int_equal(tenant_stat(&d, "a", "vm"), 1);
		assert_int_equal(tenant_stat(&d, "x", "quota_bytes"), 1048576);
		assert_true(host_stat(&d, "recovered") > 0);
	}
	utmem_queue_exit(q);
	utmem_disconnect(u);
	fake_vm_end(&vm);
	await_tenant_stat(&d, "a", "vm", 0);
	await_tenant_stat(&d, "a", "clients", 0);
	/* What ended is let go of there, too; and everything in the end. */
	manager_await(m, (uint32_t)host_stat(&d, "kept_fds"));
	manager_stop(m, &d);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_goes_on_with_the_next_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
