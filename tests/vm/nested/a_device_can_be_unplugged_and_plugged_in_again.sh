#!/bin/bash
# SPDX-License-Identifier: MIT
# The device is taken out of a running machine while processes use it, and put in again, several times:
# who used it is told, what was stored stays, and doorbells and interrupts are ioeventfd and irqfd again.
. "$(dirname "$0")/../nested.sh"

times=3
utmemd_start --arena 128m --window 16m --tenant t:64m
vm_boot guest tenant=t smp=2 <<'GUEST'
check "the driver loads" driver_load
check_is "a value is stored" done "$(driver-pool 0 kept create put key value)"
while echo plugged && hear && [ "$heard" = again ]; do
	check "processes use it" load_start 2
	driver-wait enter >/run/enter &
	enter=$!
	wait_for 60 grep -q waiting /run/enter
	echo loaded
	for load in $load_pids; do
		wait ${load#*:}
		case "$?:$(tail -n 1 /run/load${load%:*})" in
		1:"failed: ENODEV") ok "a process that asks the driver is told" ;;
		135:*) ok "a process that touches its queue has SIGBUS" ;;
		*) not_ok "a process that uses it ends" ;;
		esac
	done
	wait $enter
	check_is "a sleeper is told" "waiting enter ENODEV again ENODEV mapping gone" \
		"$(echo $(cat /run/enter))"
	check "the node is gone" wait_for 60 eval '! [ -e /dev/utmem0 ]'
	echo gone
	check "the node is there again" wait_for 60 test -c /dev/utmem0
	check_is "the value, too" value "$(driver-pool 0 kept - get key)"
done
driver-ring
GUEST

# A name in QEMU is for one life: "utmem" is the one that the machine began with
device=utmem
# It lets the socket go only after the device
unplugged() {
	vm_monitor guest "chardev-remove $device"
	utmemd_stat_is vms 0
}

for i in $(seq "$times"); do
	vm_expect guest plugged
	check "plugged in: the host has a VM" utmemd_stat_is vms 1
	vm_say guest again
	vm_expect guest loaded
	vm_monitor guest "device_del $device"
	vm_expect guest gone
	check "unplugged: the host has no VM" wait_for 60 unplugged
	device=again$i
	vm_monitor guest "chardev-add socket,path=$RUN/t.ivshmem,id=$device"
	vm_monitor guest "device_add ivshmem-doorbell,id=$device,chardev=$device,vectors=2"
done
vm_expect guest plugged
vm_say guest enough
vm_expect guest ready
kvm_rings_and_wakes guest
vm_say guest end
vm_wait guest
utmemd_stop
