// SPDX-License-Identifier: MIT
/*
 * The doorbell hypercall between the daemon and VMs. The VMs are this process, and a hypercall is
 * a run of the daemon's own BPF program, as KVM's tracepoint would run it: in the thread of a
 * process, with the registers that a guest has chosen.
 */
#include <bpf/bpf.h>
#include <linux/capability.h>

#include "tests/hypercall.h"
#include "tests/integration/manager.h"
#include "tests/integration/peer.h"
#include "tests/integration/worker.h"

#define SKIPPED 77

/* The heartbeat is as long as can be: nothing but a doorbell wakes it. */
static const char *const args[] = {
	"--tenant", "a:8m",	    "--tenant", "b:8m",	      "--heartbeat-ms", "60000", "--window",
	"1m",	    "--poll-usecs", "0",	"--doorbell", "auto",		NULL};
static const char *const args_many[] = {"--tenant", "a:8m",	    "--tenant", "b:8m", "--threads",
					"64",	    "--poll-usecs", "0",	NULL};

static const struct utmem_window_hdr *hdr_of(const struct fake_vm *vm)
{
	return (const void *)vm->window;
}

static bool may_ring(const struct fake_vm *vm)
{
	return utmem_load_acquire(&hdr_of(vm)->features) & UTMEM_FEAT_DOORBELL_HYPERCALL;
}

/* A number out of /proc/PID/fdinfo of the first descriptor there that has one, or 0. */
static uint32_t fdinfo_of(pid_t pid, const char *key)
{
	char path[64], line[256];
	uint32_t found = 0;
	int fd;

	for (fd = 0; !found && fd < 1024; fd++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			if (!strncmp(line, key, strlen(key)))
				found = (uint32_t)strtoul(line + strlen(key), NULL, 10);
		}
		if (f)
			fclose(f);
	}
	return found;
}

static uint32_t link_of(const struct daemon *d)
{
	return fdinfo_of(daemon_worker(d), "link_id:");
}

static int program_of(const struct daemon *d)
{
	uint32_t id = fdinfo_of(daemon_worker(d), "prog_id:");
	int fd;

	assert_true(id);
	fd = bpf_prog_get_fd_by_id(id);
	assert_true(fd >= 0);
	return fd;
}

/* Of another process, whose VM has got hold of the token. */
static void hypercall_of_another(int program, uint64_t token)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		_exit(hypercall_ring(program, token) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What a driver sees of a sleep of the thread that serves it: its number, or 0. */
static uint32_t sleep_of(const struct fake_vm *vm)
{
	const struct utmem_control *control = (const void *)(vm->window + UTMEM_PAGE);

	return utmem_load_acquire(&control->svc[0].flags);
}

/* A sleep, not @old's. Nobody asks the daemon anything meanwhile: that would end it. */
static uint32_t await_sleep_after(const struct fake_vm *vm, uint32_t old)
{
	uint64_t until = now_ms() + DEADLINE_MS;
	uint32_t flags;

	while (!(flags = sleep_of(vm)) || flags == old) {
		assert_true(now_ms() < until);
		sched_yield();
	}
	return flags;
}

static void a_hypercall_ends_the_sleep_of_its_vms_thread(void **state)
{
	struct fake_vm a, b;
	struct daemon d;
	uint32_t sleep;
	int program;

	(void)state;
	daemon_start(&d, args);
	fake_vm_start(&a, &d, "a.ivshmem", 2);
	fake_vm_start(&b, &d, "b.ivshmem", 2);
	assert_true(may_ring(&a) && may_ring(&b));
	assert_true(hdr_of(&a)->doorbell_token && hdr_of(&b)->doorbell_token);
	assert_true(hdr_of(&a)->doorbell_token != hdr_of(&b)->doorbell_token);
	program = program_of(&d);
	sleep = await_sleep_after(&a, 0);
	assert_int_equal(hypercall_ring(program, hdr_of(&a)->doorbell_token), 0);
	await_sleep_after(&a, sleep);
	assert_int_equal(host_stat(&d, "hypercalls_rung"), 1);
	assert_int_equal(tenant_stat(&d, "a", "doorbells"), 1);
	assert_int_equal(tenant_stat(&d, "b", "doorbells"), 0);
	fake_vm_end(&a);
	await_tenant_stat(&d, "a", "vm", 0);
	/* counted beyond its end, and of no use any more */
	assert_int_equal(tenant_stat(&d, "a", "doorbells"), 1);
	assert_int_equal(hypercall_ring(program, hdr_of(&b)->doorbell_token + 1), 0);
	assert_int_equal(host_stat(&d, "hypercalls_bad_token"), 1);
	close(program);
	fake_vm_end(&b);
	daemon_stop(&d);
}

static void a_token_that_another_process_has_got_hold_of_is_of_no_use_to_it(void **state)
{
	struct daemon d;
	struct fake_vm a;
	int program;

	(void)state;
	if (!in_first_pid_ns())
		skip();
	daemon_start(&d, args);
	fake_vm_start(&a, &d, "a.ivshmem", 2);
	program = program_of(&d);
	await_sleep_after(&a, 0);
	hypercall_of_another(program, hdr_of(&a)->doorbell_token);
	assert_int_equal(host_stat(&d, "hypercalls_foreign"), 1);
	assert_int_equal(host_stat(&d, "hypercalls_rung"), 0);
	close(program);
	fake_vm_end(&a);
	daemon_stop(&d);
}

static void assert_rings(const struct daemon *d, const struct fake_vm *vm)
{
	uint64_t rung = host_stat(d, "hypercalls_rung");
	int program = program_of(d);
	uint32_t sleep = await_sleep_after(vm, 0);

	assert_int_equal(hypercall_ring(program, hdr_of(vm)->doorbell_token), 0);
	await_sleep_after(vm, sleep);
	assert_int_equal(host_stat(d, "hypercalls_rung"), rung + 1);
	close(program);
}

static void the_next_worker_goes_on_with_what_was_attached_once(void **state)
{
	struct daemon d;
	struct fake_vm a;
	uint32_t link;
	uint64_t token;

	(void)state;
	daemon_start(&d, args);
	fake_vm_start(&a, &d, "a.ivshmem", 2);
	token = hdr_of(&a)->doorbell_token;
	assert_rings(&d, &a);
	link = link_of(&d);
	worker_kill(&d);
	assert_int_equal(link_of(&d), link);
	assert_true(may_ring(&a));
	assert_true(hdr_of(&a)->doorbell_token == token);
	assert_rings(&d, &a);
	fake_vm_end(&a);
	daemon_stop(&d);
}

static void as_many_threads_as_there_may_be_are_kept_and_woken(void **state)
{
	struct fake_vm a, b;
	struct daemon d;
	uint32_t link;

	(void)state;
	daemon_start(&d, args_many);
	fake_vm_start(&a, &d, "a.ivshmem", 2);
	fake_vm_start(&b, &d, "b.ivshmem", 2);
	assert_rings(&d, &b);
	link = link_of(&d);
	worker_kill(&d);
	assert_int_equal(link_of(&d), link);
	assert_rings(&d, &a);
	assert_rings(&d, &b);
	fake_vm_end(&a);
	fake_vm_end(&b);
	daemon_stop(&d);
}

static void the_worker_has_given_its_capabilities_away(void **state)
{
	const uint64_t bad = 1ull << CAP_BPF | 1ull << CAP_PERFMON | 1ull << CAP_SYS_ADMIN |
			     1ull << CAP_SYS_PTRACE | 1ull << CAP_SYS_MODULE |
			     1ull << CAP_NET_ADMIN;
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	char path[64], line[256];
	uint32_t i, nr = 0;
	struct daemon d;
	FILE *f;

	(void)state;
	daemon_start(&d, args);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon_worker(&d));
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		for (i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
			if (strncmp(line, sets[i], strlen(sets[i])))
				continue;
			nr++;
			assert_true(!(strtoull(strchr(line, ':') + 1, NULL, 16) & bad));
		}
	}
	fclose(f);
	assert_int_equal(nr, sizeof(sets) / sizeof(*sets));
	daemon_stop(&d);
}

/* ---- without privilege ---- */

static void drop_bpf(void)
{
	const unsigned long caps[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
	uint32_t i;

	for (i = 0; i < sizeof(caps) / sizeof(*caps); i++)
		prctl(PR_CAPBSET_DROP, caps[i], 0, 0, 0);
}

static void a_daemon_without_privilege_goes_on_with_what_another_had_attached(void **state)
{
	struct manager *m = calloc(1, sizeof(*m));
	struct daemon d;
	struct fake_vm a;
	uint32_t link;

	(void)state;
	daemon_dirs(&d);
	manager_listen(m, &d);
	manager_start(m, &d, args, NULL);
	fake_vm_start(&a, &d, "a.ivshmem", 2);
	assert_rings(&d, &a);
	link = link_of(&d);
	/* the last of what is kept, so that all is when as much is */
	daemon_ask(&d, "{\"cmd\":\"tenant add\",\"args\":{\"name\":\"x\",\"quota\":1048576}}");
	manager_await(m, (uint32_t)host_stat(&d, "kept_fds"));
	manager_restart(m, &d, args, drop_bpf);
	assert_int_equal(link_of(&d), link);
	assert_true(may_ring(&a));
	assert_rings(&d, &a);
	assert_null(strstr(daemon_log(&d), "MMIO alone"));
	fake_vm_end(&a);
	manager_stop(m, &d);
	free(m);
}

/* Why the daemon cannot attach anything here; NULL when it can. */
static const char *why_not(void)
{
	struct daemon d;
	static char why[256];
	bool attached;
	const char *at;

	daemon_start(&d, args);
	attached = link_of(&d);
	at = strstr(daemon_log(&d), "doorbell: ");
	snprintf(why, sizeof(why), "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
	daemon_stop(&d);
	return attached ? NULL : why;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hypercall_ends_the_sleep_of_its_vms_thread),
		cmocka_unit_test(a_token_that_another_process_has_got_hold_of_is_of_no_use_to_it),
		cmocka_unit_test(the_next_worker_goes_on_with_what_was_attached_once),
		cmocka_unit_test(as_many_threads_as_there_may_be_are_kept_and_woken),
		cmocka_unit_test(the_worker_has_given_its_capabilities_away),
		cmocka_unit_test(a_daemon_without_privilege_goes_on_with_what_another_had_attached),
	};
	const char *why = why_not();

	if (why) {
		printf("no hypercall can be heard here: %s\n", why);
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
