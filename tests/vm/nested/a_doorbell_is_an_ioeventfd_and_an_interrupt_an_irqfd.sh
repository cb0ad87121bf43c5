#!/bin/bash
# SPDX-License-Identifier: MIT
# Under real KVM a doorbell by MMIO is an ioeventfd: an exit that KVM itself answers, and QEMU hears
# nothing of. An interrupt is an irqfd. KVM's own trace and counters say so.
# shellcheck disable=SC2154 # kvm.sh
. "$(dirname "$0")/../nested.sh"

requests=100
utmemd_start --doorbell mmio --arena 64m --tenant t:64m --heartbeat-ms 60000
vm_boot guest tenant=t <<'GUEST'
check "the driver loads" driver_load
read -r bar _ <$dev/device/resource
printf 'doorbell 0x%x\n' $((bar + 12))
driver-ring
GUEST
vm_expect guest 'doorbell *'
gpa=${vm_line#* }
vm_expect guest ready

kvm_ring guest "$requests" 1 spin
to_the_register=$(kvm_traced "mmio write len 4 gpa $gpa ")
elsewhere=$(($(kvm_traced 'kvm_mmio: mmio (write|unsatisfied-read)') - to_the_register))
check "the guest rings" [ "$doorbells" -gt $((requests / 2)) ]
check_is "each doorbell is a write to the device's register" "$doorbells" "$to_the_register"
check_is "which KVM turns into an eventfd" "$doorbells" "$(kvm_traced 'ioeventfd_write <')"
check "QEMU hears of none" [ "${kvm_cost[mmio_exits]}" -le "$elsewhere" ]
check_is "who does not sleep is not interrupted" 0 "$(kvm_traced 'irqfd_wakeup <')"

kvm_ring guest "$requests" 1 sleep
irqfds=$(kvm_traced 'irqfd_wakeup <')
check "by an eventfd that KVM turns into an interrupt" [ "$irqfds" -ge "$interrupts" ]
check "for no answer more than once" [ "$irqfds" -le "$requests" ]
check "KVM injected them" [ "${kvm_cost[irq_injections]}" -ge "$interrupts" ]
remark "doorbells=$doorbells interrupts=$interrupts irqfds=$irqfds" \
	"exits=${kvm_cost[exits]} mmio_exits=${kvm_cost[mmio_exits]}"
kvm_rings_and_wakes guest
vm_say guest end
vm_wait guest
utmemd_stop
