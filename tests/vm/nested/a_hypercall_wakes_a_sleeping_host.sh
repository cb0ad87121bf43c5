#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest's doorbell is a hypercall where the host hears them: each is one exit that wakes the thread
# that serves it, none is a write to the device, and no request waits for a heartbeat.
. "$(dirname "$0")/../nested.sh"
. "$(dirname "$0")/../hypercall.sh"

requests=100
utmemd_start --arena 64m --tenant t:64m --heartbeat-ms 60000
hypercall_heard
ring_boot guest tenant=t
hypercalls_since
ring_make guest "$requests"
hypercalls_since
remark "$hypercalls"

check "the guest rings" [ "$rung" -gt $((requests / 2)) ]
check_is "each time by a hypercall" "$rung" "$called"
check_is "and by MMIO only when that takes long" "$unanswered" "$written"
check_like "each token is right" 'rung=* awake=* bad_token=0 foreign=0' "$hypercalls"
read -r woke late _ <<<"$hypercalls"
woke=${woke#rung=} late=${late#awake=}
[ "$hypercall_way" = kvm ] || check_is "the daemon has heard them all" "$called" $((woke + late))
check "most of them found it asleep" [ "$woke" -gt $((called / 2)) ]
vm_say guest end
vm_wait guest
utmemd_stop
