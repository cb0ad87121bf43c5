#!/bin/bash
# SPDX-License-Identifier: MIT
# The driver is unloaded and loaded under real KVM, after work of many processes: each life begins with
# no queue, and rings and is interrupted like the first.
. "$(dirname "$0")/../nested.sh"

utmemd_start --arena 128m --window 16m --tenant t:64m
vm_boot guest tenant=t smp=2 <<'GUEST'
for life in 1 2 3 4 5; do
	check "life $life: the driver loads" driver_load
	check "life $life: processes use it" load_start 3
	check "life $life: they get right answers" load_serves
	check "life $life: it stays while they have it open" eval '! rmmod utmem'
	load_end
	check "life $life: it unloads when they are killed" wait_for 60 rmmod utmem
	check_is "life $life: the node is gone" no "$([ -e /dev/utmem0 ] && echo yes || echo no)"
done
echo unloaded; hear
check "at last it loads" driver_load
driver-ring
GUEST
vm_expect guest unloaded
check "no queue is left at the host" wait_for 30 utmemd_stat_is queues 0
vm_say guest load
vm_expect guest ready
kvm_rings_and_wakes guest
vm_say guest end
vm_wait guest
utmemd_stop
