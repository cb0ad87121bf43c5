#!/bin/bash
# SPDX-License-Identifier: MIT
# Trace events show where a request's time goes: submitted, held back, the doorbell, the interrupt.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
mount -t tracefs none /sys/kernel/tracing || exit 1
cd /sys/kernel/tracing
check_is "the events" "admin defer irq kick submit" "$(echo $(ls -d events/utmem/*/ | xargs -n 1 basename))"
echo 1 >events/utmem/enable
driver-coalesce >/dev/console || failed=1
driver-both >/dev/console || failed=1
echo 0 >events/utmem/enable

# traced PATTERN: an event that matches it, fields and all
traced() {
	grep -qE "$1" trace
}
check "a call that brings requests" traced ' submit: dev=0 queue=[1-9][0-9]* to_submit=1 min_complete=0$'
check "a call that waits" traced ' submit: dev=0 queue=[1-9][0-9]* to_submit=[0-9]+ min_complete=4$'
check "requests held back" traced ' defer: dev=0 slot=[0-9]+ pending=7 limit=8 usecs=[1-9][0-9]*$'
check "the doorbell" traced ' kick: dev=0 slot=[0-9]+ pending=8 how=(mmio|hypercall)$'
check "the interrupt" traced ' irq: dev=0 vector=[0-9]+ woke=1$'
check "a queue is made" traced ' admin: dev=0 opcode=128 res=0$'
check "and ended" traced ' admin: dev=0 opcode=129 res=0$'
# How a batch's time went, for the eye
grep -E -B 9 -m 1 'kick:.*pending=8' trace
GUEST
vm_wait one
utmemd_stop
