#!/bin/bash
# SPDX-License-Identifier: MIT
# KVM with the change of host/kvm/patches: what its ioctl and its hypercall answer, to whom, and that
# nothing of it is left behind when its modules go.
# l1: kvm=kvm-patched mem=768
. "$(dirname "$0")/../nested.sh"

while IFS= read -r line; do
	case $line in
	'ok '*) ok "${line#ok }" ;;
	'not ok '*) not_ok "${line#not ok }" ;;
	*) last=$line && echo "# $line" ;;
	esac
done < <("$VM_DIR/host/kvm-doorbell"; echo "exit $?")
check_is "the program has come to its end" "exit 0" "$last"

# shellcheck disable=SC2154 # lifetime.sh has $tmp
mkfifo "$tmp/in" "$tmp/out"
"$VM_DIR/host/kvm-doorbell" hold <"$tmp/in" >"$tmp/out" &
held=$!
exec 3>"$tmp/in" 4<"$tmp/out"
read -r -t 20 line <&4
check_is "a descriptor with a doorbell is held" held "$line"
check "while it is, KVM cannot be unloaded" eval '! rmmod kvm_amd'
exec 3>&-
wait "$held"
check "then it can" rmmod kvm_amd
check "all of it" rmmod kvm
check "and loaded again" eval 'insmod kvm/kvm.ko && insmod kvm/kvm-amd.ko'
check "to do the same" "$VM_DIR/host/kvm-doorbell"
