#!/bin/bash
# SPDX-License-Identifier: MIT
# What coalescing costs under real KVM, to the last exit: N requests at a sleeping host, announced one
# by one, in batches of B, are ceil(N / B) exits at the doorbell, as KVM counts them.
# shellcheck disable=SC2154 # kvm.sh
. "$(dirname "$0")/../nested.sh"

requests=301
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

# ring_a_sleeper BATCH HOW: a host that a timer of its own has woken needs no doorbell; then it is
# done again
ring_a_sleeper() {
	for _ in 1 2 3 4 5; do
		kvm_ring guest "$requests" "$1" "$2"
		[ "$awake" != 0 ] || return 0
		remark "$awake times the host was awake by itself: once more"
	done
}

for how in spin sleep; do
	for batch in 1 4 16 64 256; do
		ring_a_sleeper "$batch" "$how"
		want=$(((requests + batch - 1) / batch))
		check_is "$how, batches of $batch: $want exits for $requests requests" "$want" \
			"$(kvm_traced "mmio write len 4 gpa $gpa ")"
		check_is "$how, batches of $batch: all ioeventfds" "$want" \
			"$(kvm_traced 'ioeventfd_write <')"
		check_is "$how, batches of $batch: all others deferred" $((requests - want)) "$deferred"
		check "$how, batches of $batch: not more interrupts" \
			[ "$(kvm_traced 'irqfd_wakeup <')" -le "$want" ]
		remark "exits=${kvm_cost[exits]} interrupts=$interrupts"
	done
done
vm_say guest end
vm_wait guest
utmemd_stop
