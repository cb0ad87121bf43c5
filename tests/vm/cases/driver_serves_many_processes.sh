#!/bin/bash
# SPDX-License-Identifier: MIT
# Several processes of one guest at once: every answer is right, doorbells are shared, pools are
# their owners', and a process that is killed in the middle of a batch leaves nothing behind.
. "$(dirname "$0")/../lib.sh"

# queues WANT: as many as the host has for the tenant
queues() {
	utmemctl stats --json | grep -qE "\"queues\": *$1\b"
}

# With so long a heartbeat nothing but a doorbell wakes the host in time.
utmemd_start --arena 256m --tenant one:128m --heartbeat-ms 60000
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
check_is "the device node is for everybody" "crw-rw-rw-" "$(ls -l /dev/utmem0 | cut -c1-10)"

pids=
for i in 1 2 3 4; do
	driver-load pool$i $i 300 >/run/load$i &
	pids="$pids $!"
done
for pid in $pids; do
	check "a process among four gets right answers" wait $pid
done
cat /run/load?

driver-load killed 9 0 >/run/load9 &
wait_for 20 grep -q loaded /run/load9
check_is "it has a queue" 1 "$(cat $dev/queues)"
kill -KILL $!
wait $! 2>/dev/null
check "a killed process has none" wait_for 10 grep -qx 0 $dev/queues
echo killed; hear
check "its pool serves the next" driver-load killed 9 20

check_is "alice makes a pool" done "$(driver-pool 1001 private create put k hers)"
check_is "alice reads it" hers "$(driver-pool 1001 private - get k)"
check_is "bob may not" EACCES "$(driver-pool 1002 private - get k)"
check_is "not by making it, either" EACCES "$(driver-pool 1002 private create get k)"
check_is "the superuser may" hers "$(driver-pool 0 private - get k)"
check_is "alice shares one in the guest" done "$(driver-pool 1001 common create,shared put k ours)"
check_is "bob reads it" ours "$(driver-pool 1002 common shared get k)"
check_is "bob writes it" done "$(driver-pool 1002 common shared put k too)"
check_is "through a read-only handle he does not" EACCES \
	"$(driver-pool 1002 common shared,readonly put k no)"
check_is "no queue is left" 0 "$(cat $dev/queues)"

driver-coalesce || failed=1
driver-coalesce stopped || failed=1
grep . $dev/* 2>/dev/null | sed 's/.*utmem0.//'
GUEST
vm_expect one killed
check "the host has dropped its queue" wait_for 10 queues 0
# asked before the guest looks at the host's sleep: the question ends it
# shellcheck disable=SC2154 # daemon.sh
worker=$(utmemd_worker)
vm_say one go
vm_expect one ready
kill -STOP "$worker"
vm_say one stopped
vm_expect one rung
kill -CONT "$worker"
vm_say one again
vm_wait one
utmemd_stop
