#!/bin/bash
# SPDX-License-Identifier: MIT
# L1: a machine under emulation, with SVM and stock KVM modules, in which utmemd, QEMU and guests
# (L2) run, so that their exits are real ones. Sourced after machine.sh, by nested.sh (the cases),
# in-l1.sh (any script) and nested-shell.sh (you).
# shellcheck disable=SC2154 # lifetime.sh has $tmp, machine.sh the rest

# Another folder with KVM's modules; what is not in it is stock
KVM_MODULES=${KVM_MODULES:-}

# Why no L1 can run here; nothing when one can
l1_missing() {
	local why

	why=$(vm_missing)
	if [ -n "$why" ]; then
		echo "$why"
	elif [ -s "$VM_DIR/l1.unavailable" ]; then
		tail -n 1 "$VM_DIR/l1.unavailable"
	elif [ ! -s "$VM_DIR/l1.img" ]; then
		echo "no $VM_DIR/l1.img: make vm-l1"
	elif [ -n "$KVM_MODULES" ] && [ ! -e "$KVM_MODULES/kvm.ko" ]; then
		echo "no $KVM_MODULES/kvm.ko"
	fi
}

# l1_files DIR: what goes along with each boot, so that the image has no copy of it that is old:
# the scripts, as DIR/tests, and KVM, as DIR/kvm
l1_files() {
	local dir=$1 ko

	mkdir -p "$dir/tests/vm" "$dir/kvm"
	cp "$vm_here"/../*.sh "$dir/tests"
	cp -r "$vm_here"/*.sh "$vm_here/nested" "$dir/tests/vm"
	for ko in irqbypass kvm kvm-amd; do
		if [ -e "$KVM_MODULES/$ko.ko" ]; then
			cp "$KVM_MODULES/$ko.ko" "$dir/kvm"
		else
			cp "$VM_DIR/kvm-stock/$ko.ko" "$dir/kvm"
		fi
	done
}

# The guest script of L1 that runs a command there, in /run/case
l1_script() {
	printf 'exec /bin/bash tests/vm/l1-enter.sh'
	[ $# -eq 0 ] || printf " '%s'" "$@"
	echo
}

# l1_boot NAME [WORD_OF_VM_BOOT]... -- COMMAND...
l1_boot() {
	local name=$1 words=()

	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	l1_files "$tmp/l1"
	ACCEL=tcg vm_boot "$name" root="$VM_DIR/l1.img" mem=2048 smp=2 seconds=400 \
		"file=$tmp/l1/tests" "file=$tmp/l1/kvm" "${words[@]}" < <(l1_script "$@")
}
