#!/bin/bash
# SPDX-License-Identifier: MIT
# Under real KVM a guest is reset, and starts another kernel by kexec, while processes use the device:
# the host drops the queues of the life before, what was stored stays, and doorbells and interrupts
# are those of before.
# l1: seconds=500
. "$(dirname "$0")/../nested.sh"

utmemd_start --arena 128m --window 16m --tenant t:64m
vm_boot guest tenant=t smp=2 survive_reset=1 "file=$VM_DIR/vmlinuz" <<'GUEST'
check "the driver loads" driver_load
echo life; hear
if [ "$heard" = first ]; then
	check_is "a value is stored" done "$(driver-pool 0 kept create put key value)"
else
	check_is "the value is there" value "$(driver-pool 0 kept - get key)"
fi
if [ "$heard" != last ]; then
	check "processes use it" load_start 3
	echo loaded; hear
	kexec -l /run/case/vmlinuz --reuse-cmdline >/dev/console 2>&1 && kexec -e
	not_ok "kexec goes to another kernel"
fi
driver-ring
GUEST

# life NAME: the guest's next one; processes use the device in it
life() {
	vm_expect guest life
	check "life $1: no queue at the host" wait_for 30 utmemd_stat_is queues 0
	vm_say guest "$1"
	vm_expect guest loaded
	check "life $1: the host has its queues" wait_for 30 utmemd_stat_is queues 3
}

life first
vm_monitor guest system_reset
life second
vm_say guest kexec
life third
vm_say guest kexec
vm_expect guest life
vm_say guest last
vm_expect guest ready
kvm_rings_and_wakes guest
check_is "to the host it was one VM" 1 "$(utmemd_stat vms)"
vm_say guest end
vm_wait guest
utmemd_stop
