#!/bin/bash
# SPDX-License-Identifier: MIT
# Firmware puts windows of some sizes below 4 GiB, where they would be uncached. The driver moves
# them, whatever their size, and every mapping is write-back.
. "$(dirname "$0")/../lib.sh"

for size in 1m 512m; do
	utmemd_start --arena 64m --window $size --tenant one:16m
	vm_boot "$size" tenant=one <<'GUEST'
driver_load || exit 1
pci=$(readlink -f $dev/device)
start=$(sed -n 3p $pci/resource | cut -d' ' -f1)
check "the window lies above 4 GiB, at $start" test $((start >> 32)) -gt 0
driver-load pool 1 0 >/run/load &
wait_for 20 grep -q loaded /run/load
types=$(grep -i "$(printf '0x%016x' $((start)))" /sys/kernel/debug/x86/pat_memtype_list | sed 's/.*\] *//' | sort -u)
check_is "its memory is write-back" write-back "${types#write-back }"
kill -KILL $!
wait $! 2>/dev/null
check "it works" driver-load pool 1 20
GUEST
	vm_wait "$size"
	utmemd_stop
done
