#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest's CPUs go offline and come back while processes use the device: all answers come, whichever
# CPU a vector, a timer or a sleeper was on.
. "$(dirname "$0")/../nested.sh"

utmemd_start --arena 128m --window 16m --tenant t:64m
vm_boot guest tenant=t smp=2 <<'GUEST'
cpu=/sys/devices/system/cpu/cpu1/online
check "the driver loads" driver_load
check "processes use it" load_start 4
for turn in 1 2 3 4 5 6; do
	check "turn $turn: a CPU goes" eval "echo 0 >$cpu"
	check "turn $turn: right answers on the other" load_serves
	check "turn $turn: it comes back" eval "echo 1 >$cpu"
	check "turn $turn: right answers on both" load_serves
done

# Without a look between them
toggle() {
	for turn in $(seq 20); do
		echo 0 >$cpu && echo 1 >$cpu || return 1
	done
}
check "it goes and comes twenty times" toggle
check "and all get right answers" load_serves
load_end
check "nobody has a queue" wait_for 30 grep -qx 0 $dev/queues
echo 0 >$cpu
driver-ring
GUEST
vm_expect guest ready
kvm_rings_and_wakes guest
vm_say guest end
vm_wait guest
utmemd_stop
