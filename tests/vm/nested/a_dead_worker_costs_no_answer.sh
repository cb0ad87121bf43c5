#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon's worker is killed while a guest under real KVM uses it: processes get all their answers,
# right ones, and ioeventfd and irqfd are the same afterwards.
. "$(dirname "$0")/../nested.sh"

kills=5
utmemd_start --arena 128m --window 16m --tenant t:64m
vm_boot guest tenant=t smp=2 <<'GUEST'
check "the driver loads" driver_load
check "processes use it" load_start 3
echo loaded
while hear && [ "$heard" = killed ]; do
	check "all get right answers" load_serves
	echo served
done
load_end
driver-ring
GUEST
vm_expect guest loaded
for _ in $(seq "$kills"); do
	check "a worker dies, another serves" utmemd_worker_kill
	vm_say guest killed
	vm_expect guest served
done
vm_say guest enough
vm_expect guest ready
kvm_rings_and_wakes guest
check_is "so many workers have died" "$kills" "$(utmemd_stat worker_deaths)"
vm_say guest end
vm_wait guest
utmemd_stop
