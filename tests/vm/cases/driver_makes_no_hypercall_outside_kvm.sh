#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the guest does not run on KVM the instruction is an undefined one. The driver rings by MMIO
# there, whatever the host offers.
. "$(dirname "$0")/../lib.sh"

[ "$ACCEL" = tcg ] || skip_all "this guest runs on KVM"
utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one <<'GUEST'
driver_load || exit 1
check_is "auto means MMIO here" "auto [mmio]" "$(cat $dev/doorbell)"
check "hypercalls cannot be asked for" eval "! echo hypercall >$dev/doorbell"
check_is "and nothing has changed" "auto [mmio]" "$(cat $dev/doorbell)"
echo mmio >$dev/doorbell
check_is "MMIO can" "mmio [mmio]" "$(cat $dev/doorbell)"
echo auto >$dev/doorbell
echo up; hear
check_is "though the host offers hypercalls" "auto [mmio]" "$(cat $dev/doorbell)"
# Asleep, or it would not be rung
driver-coalesce || failed=1
check "the host is rung" test "$(cat $dev/doorbells)" -gt 0
check_is "and never by hypercall" "0 0" "$(cat $dev/hypercalls) $(cat $dev/unanswered)"
GUEST
vm_expect one up
"$VM_DIR/host/evil-host" "$(utmemd_worker)" one <<<offers-hypercalls
vm_say one go
vm_wait one
utmemd_stop
