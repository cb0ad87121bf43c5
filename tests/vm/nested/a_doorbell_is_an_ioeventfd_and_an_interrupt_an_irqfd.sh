#!/bin/bash
# SPDX-License-Identifier: MIT
# Under real KVM a doorbell by MMIO is an ioeventfd: an exit that KVM itself answers, and QEMU hears
# nothing of. An interrupt is an irqfd. KVM's own trace and counters say so.
. "$(dirname "$0")/../nested.sh"

requests=100
utmemd_start --arena 64m --tenant t:64m --heartbeat-ms 60000
vm_boot guest tenant=t <<'GUEST'
check "the driver loads" driver_load
read -r bar _ <$dev/device/resource
printf 'doorbell 0x%x\n' $((bar + 12))
driver-ring
GUEST
vm_expect guest 'doorbell *'
gpa=${vm_line#* }
vm_expect guest ready

# once HOW: what $requests doorbells are to KVM, in $tmp/trace and the array n
once() {
	declare -gA n=()

	kvm_counters n guest
	kvm_trace_start ioeventfd_write irqfd_wakeup kvm:kvm_mmio || bail "KVM can be traced"
	vm_say guest "$requests 1 $1"
	vm_expect guest 'rung *'
	read -r _ doorbells _ _ interrupts <<<"$vm_line"
	kvm_trace_stop
	kvm_since n guest
}

once spin
elsewhere=$(($(kvm_traced 'kvm_mmio: mmio (write|unsatisfied-read)') -
	$(kvm_traced "mmio write .* gpa $gpa ")))
check "the guest rings" [ "$doorbells" -gt $((requests / 2)) ]
check_is "each doorbell is a write to the device's register" "$doorbells" \
	"$(kvm_traced "mmio write len 4 gpa $gpa ")"
check_is "which KVM turns into an eventfd" "$doorbells" "$(kvm_traced 'ioeventfd_write <')"
check "QEMU hears of none" [ "${n[mmio_exits]}" -le "$elsewhere" ]
check_is "who does not sleep is not interrupted" 0 "$(kvm_traced 'irqfd_wakeup <')"

once sleep
check "who sleeps is interrupted" [ "$interrupts" -gt 0 ]
check "by an eventfd that KVM turns into an interrupt" \
	[ "$(kvm_traced 'irqfd_wakeup <')" -ge "$interrupts" ]
check "for no answer more than once" [ "$(kvm_traced 'irqfd_wakeup <')" -le "$requests" ]
check "KVM injected them" [ "${n[irq_injections]}" -ge "$interrupts" ]
remark "doorbells=$doorbells interrupts=$interrupts exits=${n[exits]} mmio_exits=${n[mmio_exits]}"
vm_say guest end
vm_wait guest
utmemd_stop
