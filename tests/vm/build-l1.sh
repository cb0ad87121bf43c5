#!/bin/bash
# SPDX-License-Identifier: MIT
# The root of L1: what a guest has, and beside it QEMU, bash, GNU tools, the host's programs and all
# that boots a guest; and DIR/kvm-stock, the modules of its KVM.
# Usage: build-l1.sh DIR SOURCE=/PATH/IN/L1 ...
# DIR: where fetch-kernel.sh and build-image.sh have put kernel and root. What cannot be had is
# written to DIR/l1.unavailable.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

vm=$1
shift
here=$(dirname "$0")

# What lib.sh and the cases call, and what follows a machine by hand. GNU's: busybox's differ.
tools=(awk bash basename cat chmod cmp cp cut date dd diff dirname env expr find grep head id install
	ln ls mkdir mkfifo mktemp mv nproc od paste pgrep ps readlink realpath rm rmdir sed seq
	sha256sum sleep sort split stat stdbuf stty tac tail tar taskset tee timeout touch tr
	truncate uniq wc xargs)
firmware=(/usr/share/seabios/bios-256k.bin /usr/share/qemu/{kvmvapic,linuxboot,linuxboot_dma}.bin)

rm -f "$vm/l1.unavailable"
[ ! -s "$vm/unavailable" ] || exit 0
modules=$vm/kernel-$(cat "$vm/kver")/lib/modules/$(cat "$vm/kver")/kernel
mkdir -p "$vm/kvm-stock"
for ko in virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-amd; do
	cp -p "$modules/$ko.ko" "$vm/kvm-stock" 2>/dev/null || {
		echo "no $modules/$ko.ko" >"$vm/l1.unavailable"
		exit 0
	}
done

pairs=("$vm/root.img=/utmem/vm/root.img" "$vm/vmlinuz=/utmem/vm/vmlinuz" "$vm/kver=/utmem/vm/kver")
for tool in "${tools[@]}"; do
	pairs+=("$(type -P "$tool")=/bin/$tool")
done
# QEMU looks for its firmware from where it is itself
for file in "$(type -P qemu-system-x86_64)" "${firmware[@]}"; do
	pairs+=("$file=$file")
done
"$here/build-image.sh" "$vm/l1.img" "$@" "${pairs[@]}"
