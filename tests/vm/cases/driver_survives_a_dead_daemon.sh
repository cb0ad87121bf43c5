#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed while guests sleep for it: they are told when its heartbeat has stood still
# for long enough, and nothing in the guest hangs.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --heartbeat-ms 100 --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
driver-wait enter >/run/enter &
enter=$!
driver-wait poll >/run/poll &
poll=$!
wait_for 20 grep -q waiting /run/enter
wait_for 20 grep -q waiting /run/poll
echo waiting; hear
driver-pool 0 pool create get key >/run/pool &
pool=$!
wait $enter
check_is "a sleeper is told that the host is silent" \
	"waiting enter ETIMEDOUT again none mapping there" "$(echo $(cat /run/enter))"
check "in the log, too" eval 'dmesg | grep -q "the host is silent"'
wait $pool
check_is "a new queue is refused" ETIMEDOUT "$(cat /run/pool)"
check_is "the next one at once" ETIMEDOUT "$(driver-pool 0 pool create get key)"
kill -KILL $poll
wait $poll 2>/dev/null
check_is "no queue is left" 0 "$(cat $dev/queues)"
check "the driver unloads without a host" rmmod utmem
check "is not bound without a host" eval 'insmod /lib/utmem.ko; ! [ -e /dev/utmem0 ]'
check "and says why" eval 'dmesg | grep -q "no answer from the host"'
GUEST
vm_expect one waiting
utmemd_kill
vm_say one dead
vm_wait one
