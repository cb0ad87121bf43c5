// SPDX-License-Identifier: MIT
/*
 * Groups of requests for a host that sleeps, for a case that counts outside what each group costs.
 *
 * Reads lines "REQUESTS BATCH sleep|spin": as many requests, announced to the driver one by one; when
 * BATCH of them are there (or all), it is rung, and their completions are waited for, asleep in the
 * driver or without it. Answers "rung DOORBELLS AWAKE DEFERRED INTERRUPTS" of the device meanwhile.
 *
 * Each group ends with its completions. Who sees those sees the end of the host's sleep, so that the
 * next group finds the host in a sleep that nobody has rung for.
 */
#include "tests/vm/guest/driver.h"

#define LONG_USECS UTMEM_BATCH_USECS_MAX
#define ENTRIES 1024

static void group(struct raw *r, uint32_t n, bool full, bool sleeps)
{
	raw_wait_host_asleep(r);
	for (uint32_t i = 1; i < n; i++) {
		raw_publish_nops(r, 1);
		if (raw_enter(r, 1, 0, 0, 0))
			die("ENTER");
	}
	raw_publish_nops(r, 1);
	if (raw_enter(r, 1, sleeps ? n : 0, full ? 0 : UTMEM_ENTER_FLUSH, -1))
		die("ENTER");
	if (!raw_spin(r, n))
		die("completions");
}

static void groups(struct raw *r, uint32_t n, uint32_t batch, bool sleeps)
{
	struct utmem_ioc_counters before = raw_stats(r).device, now;

	if (batch > ENTRIES)
		die("a batch that there is");
	raw_set(r, raw_knobs(batch, LONG_USECS));
	for (uint32_t some; n; n -= some) {
		some = n < batch ? n : batch;
		group(r, some, some == batch, sleeps);
	}
	now = raw_stats(r).device;
	printf("rung %llu %llu %llu %llu\n", now.doorbells - before.doorbells,
	       now.awake - before.awake, now.deferred - before.deferred,
	       now.interrupts - before.interrupts);
	fflush(stdout);
}

int main(void)
{
	char line[64], how[8];
	uint32_t n, batch;
	struct raw r;

	raw_open(&r, ENTRIES, 1, LONG_USECS);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%u %u %7s", &n, &batch, how) == 3)
		groups(&r, n, batch, !strcmp(how, "sleep"));
	raw_close(&r);
	return 0;
}
