#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests take what the worker of the moment can hear: hypercalls, then MMIO alone, then hypercalls
# again, while they run.
# shellcheck disable=SC2154 # what it sources has tmp and utmemd_log
. "$(dirname "$0")/../nested.sh"
. "$(dirname "$0")/../hypercall.sh"

requests=50
binary=$UTMEMD
UTMEMD=$tmp/utmemd
# upgrade_to FILE: by a new file, for the one that runs cannot be written
upgrade_to() {
	cp "$1" "$tmp/utmemd.new" && mv "$tmp/utmemd.new" "$UTMEMD" && utmemctl upgrade
}
cp "$binary" "$UTMEMD"
cp "$binary" "$UTMEMD.real"
utmemd_start --arena 64m --tenant t:64m --heartbeat-ms 60000
hypercall_heard
ring_boot guest tenant=t

ring_make guest "$requests"
check_is "the first worker is rung by hypercall" "$rung" "$called"

check_like "one follows that hears none" '*serves' "$(upgrade_to "$VM_DIR/host/utmemd-mmio" 2>&1)"
check_is "as it says" mmio "$(host_stat doorbell)"
ring_make guest "$requests"
check_is "it gets no hypercall" 0 "$called"
check_is "it is rung by MMIO" "$rung" "$written"
check "as often" [ "$rung" -gt $((requests / 2)) ]

check_like "one follows that hears them" '*serves' "$(upgrade_to "$binary" 2>&1)"
check_is "as it says" "$hypercall_way" "$(host_stat doorbell)"
ring_make guest "$requests"
check_is "it is rung by hypercall" "$rung" "$called"

kill -KILL "$(utmemd_worker)"
check "one that dies is followed" wait_for 20 utmemctl stats
ring_make guest "$requests"
check_is "and rung by hypercall" "$rung" "$called"
vm_say guest end
vm_wait guest
utmemd_stop
