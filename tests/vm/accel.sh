#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints kvm or tcg: what can run the guest here.
# Usage: accel.sh VM_DIR
# That /dev/kvm opens proves nothing (it may run paravirtual guests only): KVM counts when it
# has brought the guest's own kernel to its first process within a few seconds. The answer is
# kept beside the image for this kernel and QEMU. UTMEM_ACCEL=kvm|tcg overrides.
set -euo pipefail

vm=$1
here=$(dirname "$0")
seconds=10

if [ -n "${UTMEM_ACCEL:-}" ]; then
	echo "$UTMEM_ACCEL"
	exit 0
fi
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo tcg
	exit 0
fi
key="$(uname -r) $(cat "$vm/kver") $(qemu-system-x86_64 --version | head -n 1)"
if [ "$(sed 1d "$vm/accel" 2>/dev/null)" = "$key" ]; then
	head -n 1 "$vm/accel"
	exit 0
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo 'ok up' >"$dir/guest"
tar -C "$dir" -cf "$dir/case.tar" guest
timeout -k 1 "$seconds" "$here/boot.sh" --vm "$vm" --accel kvm --case "$dir/case.tar" \
	--console null --result stdio >"$dir/out" 2>/dev/null </dev/null || true
answer=tcg
if grep -q '^ok up' "$dir/out"; then
	answer=kvm
fi
printf '%s\n%s\n' "$answer" "$key" >"$vm/accel.$$"
mv "$vm/accel.$$" "$vm/accel"
echo "$answer"
