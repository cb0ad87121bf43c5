#!/bin/bash
# SPDX-License-Identifier: MIT
# What coalescing costs under real KVM, to the last exit: N requests at a sleeping host, announced one
# by one, in batches of B, are ceil(N / B) exits at the doorbell, as KVM counts them, whether that is a
# write to the device or a hypercall.
# l1: seconds=500
# shellcheck disable=SC2154 # kvm.sh
. "$(dirname "$0")/../nested.sh"

requests=301
utmemd_start --arena 64m --tenant t:64m --heartbeat-ms 60000
vm_boot guest tenant=t seconds=400 <<'GUEST'
check "the driver loads" driver_load
read -r bar _ <$dev/device/resource
printf 'doorbell 0x%x\n' $((bar + 12))
for doorbell in mmio hypercall; do
	echo $doorbell >$dev/doorbell
	driver-ring
done
GUEST
vm_expect guest 'doorbell *'
gpa=${vm_line#* }

# kvm_exits DOORBELL: at it, in the trace
kvm_exits() {
	case $1 in
	mmio) kvm_traced "mmio write len 4 gpa $gpa " ;;
	hypercall) kvm_traced "kvm_hypercall: nr $kvm_hypercall_nr " ;;
	esac
}

# ring_a_sleeper BATCH HOW: a host that a timer of its own has woken needs no doorbell; then it is
# done again
ring_a_sleeper() {
	for _ in 1 2 3 4 5; do
		kvm_ring guest "$requests" "$1" "$2"
		[ "$awake" != 0 ] || return 0
		remark "$awake times the host was awake by itself: once more"
	done
}

# ring_and_count DOORBELL HOW BATCH
ring_and_count() {
	local what="$1, $2, batches of $3" want=$(((requests + $3 - 1) / $3))

	ring_a_sleeper "$3" "$2"
	check_is "$what: $want exits for $requests requests" "$want" "$(kvm_exits "$1")"
	[ "$1" = hypercall ] ||
		check_is "$what: all ioeventfds" "$want" "$(kvm_traced 'ioeventfd_write <')"
	check_is "$what: all others deferred" $((requests - want)) "$deferred"
	check "$what: not more interrupts" [ "$(kvm_traced 'irqfd_wakeup <')" -le "$want" ]
	remark "exits=${kvm_cost[exits]} interrupts=$interrupts"
}

for doorbell in mmio hypercall; do
	vm_expect guest ready
	for how in spin sleep; do
		for batch in 1 4 16 64 256; do
			ring_and_count "$doorbell" "$how" "$batch"
		done
	done
	vm_say guest end
done
vm_wait guest
utmemd_stop
