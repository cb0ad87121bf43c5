#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest that is reset under load: the host sees nothing of it until the driver says hello, then
# drops the queues of the life before; what they stored stays. At last the daemon ends in good
# order, and who sleeps is told.
. "$(dirname "$0")/../lib.sh"

# queues WANT: as many as the host has for the tenant
queues() {
	utmemctl stats --json | grep -qE "\"queues\": *$1\b"
}

utmemd_start --arena 128m --window 16m --tenant one:64m
vm_boot one tenant=one smp=2 survive_reset=1 <<'GUEST'
driver_load || exit 1
echo life; hear
if [ "$heard" = first ]; then
	driver-pool 0 kept create put key value >/dev/null
	driver-load pool1 1 0 >/run/load1 &
	driver-load pool2 2 0 >/run/load2 &
	wait_for 20 grep -q loaded /run/load1
	wait_for 20 grep -q loaded /run/load2
	echo loaded
	sleep 1000
fi
check_is "what was stored before the reset is there" value "$(driver-pool 0 kept - get key)"
check "a pool that was under load serves on" driver-load pool1 3 20

driver-wait enter >/run/enter &
enter=$!
driver-wait poll >/run/poll &
poll=$!
wait_for 20 grep -q waiting /run/enter
wait_for 20 grep -q waiting /run/poll
echo waiting
wait $enter $poll
check_is "the daemon's end wakes a sleeper" \
	"waiting enter ECONNRESET again ECONNRESET mapping there" "$(echo $(cat /run/enter))"
check_is "and a poller" \
	"waiting poll 1 ERR HUP again ECONNRESET mapping there" "$(echo $(cat /run/poll))"
check_is "a new queue is refused at once" ESHUTDOWN "$(driver-pool 0 kept - get key)"
check "the driver unloads without a host" rmmod utmem
check "is not bound to a host that has ended" eval 'insmod /lib/utmem.ko; ! [ -e /dev/utmem0 ]'
check "and says why" eval "dmesg | grep -q \"the host's daemon has ended\""
GUEST
vm_expect one life
vm_say one first
vm_expect one loaded
check "the host has the queues" wait_for 10 queues 2
vm_monitor one system_reset
vm_expect one life
check "hello drops the queues of the life before" wait_for 10 queues 0
vm_say one second
vm_expect one waiting
utmemd_stop
vm_wait one
