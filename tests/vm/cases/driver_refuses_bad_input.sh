#!/bin/bash
# SPDX-License-Identifier: MIT
# What a process or another device must not do to the driver: malformed ioctls and mappings,
# settings out of range, an ivshmem device that is not ours, a host whose header makes no sense.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
driver-bad-input || failed=1

refuses() {
	! echo "$2" >$dev/$1 2>/dev/null
}
knobs() {
	echo $(cat $dev/batch_mode $dev/batch_max $dev/batch_usecs $dev/irq_max $dev/irq_usecs) \
		$(cut -d' ' -f1 $dev/doorbell)
}
for bad in batch_max=0 batch_max=65537 batch_max=-1 batch_max=x batch_max= batch_usecs=1000001 \
	batch_usecs=-1 batch_usecs=4294967295 batch_mode=adapt batch_mode=1 batch_mode= irq_max=0 \
	irq_max=65537 irq_max=4294967295 irq_usecs=1000001 irq_usecs=x \
	doorbell=none doorbell=MMIO doorbell=1 doorbell=mmiox; do
	check "sysfs refuses $bad" refuses ${bad%%=*} "${bad#*=}"
done
check_is "and keeps the old values" "fixed 32 50 1 0 auto" "$(knobs)"
set_all() {
	echo $1 >$dev/batch_mode && echo $2 >$dev/batch_max && echo $3 >$dev/batch_usecs &&
		echo $4 >$dev/irq_max && echo $5 >$dev/irq_usecs && echo $6 >$dev/doorbell
}
check "sysfs takes the upper limits" set_all adaptive 65536 1000000 65536 1000000 mmio
check_is "and shows them" "adaptive 65536 1000000 65536 1000000 mmio" "$(knobs)"
check "sysfs takes the lower limits" set_all fixed 1 0 1 0 auto
check_is "and shows them, too" "fixed 1 0 1 0 auto" "$(knobs)"
check_is "the window's size" $((16 << 20)) "$(cat $dev/window)"

echo plug; hear
# The ivshmem device that has no driver, in $d
find_foreign() {
	for d in /sys/bus/pci/devices/*; do
		[ "$(cat $d/device)" = 0x1110 ] && [ ! -e $d/driver ] && return
	done
}
check "another ivshmem device comes" wait_for 20 find_foreign
before=$(cat $d/resource)
check "the driver does not take it" eval "! echo ${d##*/} >/sys/bus/pci/drivers/utmem/bind"
check_is "nor does it move its memory" "$before" "$(cat $d/resource)"
check_is "nor does it say a word" "" "$(dmesg | grep "utmem ${d##*/}")"
driver-bad-header ${d##*/} || failed=1
check_is "ours is still served" done "$(driver-pool 0 p create put k v)"
GUEST
vm_expect one plug
vm_monitor one "object_add memory-backend-ram,id=foreign,size=1M,share=on"
vm_monitor one "device_add ivshmem-plain,memdev=foreign,id=other"
vm_say one go
vm_wait one
utmemd_stop
