#!/bin/bash
# SPDX-License-Identifier: MIT
# A daemon that starts before KVM is there hears hypercalls from the first VM on that connects
# afterwards, with no privilege any more. What keeps it from hearing any is one line of the log.
# shellcheck disable=SC2154 # what it sources has tmp and utmemd_log
. "$(dirname "$0")/../nested.sh"
. "$(dirname "$0")/../hypercall.sh"

doorbell_lines() {
	sed -n 's/^utmemd: doorbell: //p' "$utmemd_log"
}

rmmod kvm-amd kvm || bail "KVM can be unloaded"
mkdir "$tmp/modules" "$tmp/modules/kvm"

# A KVM without that tracepoint: to the daemon, one that is there and has none
mount --bind "$tmp/modules" /sys/module || bail "a folder is another"
utmemd_start --arena 16m --tenant t:16m
check_is "without the tracepoint one line says so" 'MMIO alone: this KVM has no tracepoint kvm_hypercall' \
	"$(doorbell_lines)"
check_is "and MMIO is in use" mmio "$(host_stat doorbell)"
utmemd_stop
umount /sys/module
rm "$utmemd_log"

utmemd_start --arena 64m --tenant t:64m
check_like "without KVM one line says so" 'MMIO alone: KVM is not loaded; *' "$(doorbell_lines)"
check_is "and MMIO is in use" mmio "$(host_stat doorbell)"
# CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF
permitted=$(sed -n 's/^CapPrm:[[:space:]]*/0x/p' "/proc/$(utmemd_worker)/status")
check_is "the worker has no privilege any more" 0 $((permitted & (1 << 21 | 1 << 38 | 1 << 39)))

insmod kvm/kvm.ko || bail "KVM can be loaded again"
insmod kvm/kvm-amd.ko || bail "and the part of it for this CPU"
ring_boot guest tenant=t
check_is "the first VM has hypercalls heard" tracepoint "$(host_stat doorbell)"
check_is "and one more line says so" 2 "$(doorbell_lines | wc -l)"
ring_make guest 20
check_is "it rings by hypercall" "$rung" "$called"
check "and wakes the daemon" [ "$(host_stat hypercalls_rung)" -gt 0 ]
check "KVM cannot be unloaded meanwhile" sh -c '! rmmod kvm-amd kvm'
vm_say guest end
vm_wait guest
utmemd_stop
check "but afterwards" rmmod kvm-amd kvm
