#!/bin/bash
# SPDX-License-Identifier: MIT
# Becomes the QEMU of one guest.
# Usage: boot.sh --vm DIR --accel kvm|tcg --case TAR [--root IMAGE] [--mem MIB] [--smp N]
#	[--tenant SOCKET] [--drive FILE] [--append WORDS] [--monitor PIPE] [--survive-reset]
#	[--icount] --console CHARDEV --result CHARDEV
# The disk has namespaces: 1 the root (shared, read-only), 2 the case as a tar, 3 --drive (raw,
# read-only). There is no network. A panic reboots at once, and a reboot ends QEMU. --icount:
# under tcg the guest's time is the number of its instructions.
set -euo pipefail

vm='' accel='' case='' root='' mem=256 smp=1 tenant='' drive='' append='' monitor=''
icount='' reboot=-no-reboot console=null result=null
while [ $# -gt 0 ]; do
	case $1 in
	--vm) vm=$2 ;;
	--accel) accel=$2 ;;
	--case) case=$2 ;;
	--root) root=$2 ;;
	--mem) mem=$2 ;;
	--smp) smp=$2 ;;
	--tenant) tenant=$2 ;;
	--drive) drive=$2 ;;
	--append) append=$2 ;;
	--monitor) monitor=$2 ;;
	--console) console=$2 ;;
	--result) result=$2 ;;
	--survive-reset) reboot= && set -- - "$@" ;;
	--icount) icount=1 && set -- - "$@" ;;
	*)
		echo "$0: $1?" >&2
		exit 2
		;;
	esac
	shift 2
done

args=(-nodefaults -display none -m "$mem" -smp "$smp" -nic none)
[ -z "$reboot" ] || args+=("$reboot")
if [ "$accel" = kvm ]; then
	args+=(-accel kvm -cpu "host${VM_CPU_LESS:-}")
else
	threads=multi
	[ -z "$icount" ] || {
		threads=single
		# A daemon outside goes by another clock: to it an idle guest must not be in a hurry
		args+=(-icount "shift=0,sleep=$([ -z "$tenant" ] && echo off || echo on)")
	}
	# Without "fast string" bits the guest copies 8 bytes, not 1, for each step that is emulated.
	args+=(-accel "tcg,thread=$threads" -cpu 'max,-erms,-fsrm')
fi

namespace() {
	args+=(-drive "file=$2,format=raw,if=none,id=d$1,readonly=on,snapshot=off,file.locking=off"
		-device "nvme-ns,drive=d$1,bus=nvme,nsid=$1")
}
args+=(-device 'nvme,id=nvme,serial=utmem')
namespace 1 "${root:-$vm/root.img}"
namespace 2 "$case"
[ -z "$drive" ] || namespace 3 "$drive"
[ -z "$tenant" ] || args+=(-chardev "socket,path=$tenant,id=utmem"
	-device "ivshmem-doorbell,id=utmem,chardev=utmem,vectors=2")
[ -z "$monitor" ] || args+=(-chardev "pipe,id=mon,path=$monitor" -mon "chardev=mon,mode=readline")
args+=(-chardev "$console,id=console" -serial chardev:console
	-chardev "$result,id=result" -serial chardev:result)

# On a loaded machine an emulated CPU may stand still for long: no false lock-ups.
exec qemu-system-x86_64 "${args[@]}" -kernel "$vm/vmlinuz" -append "console=ttyS0 loglevel=6 \
root=/dev/nvme0n1 rootfstype=ext4 ro init=/init panic=-1 oops=panic watchdog_thresh=60 \
rcupdate.rcu_cpu_stall_timeout=60 $append"
