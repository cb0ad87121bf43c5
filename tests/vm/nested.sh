#!/bin/bash
# SPDX-License-Identifier: MIT
# The first line of every case in nested/. Outside, it boots an L1, runs this very case there, and
# reports what that says. Inside, it is lib.sh with helpers about KVM.
# A case's line "# l1: WORD=VALUE..." has words for vm_boot (as smp=1, mem=3072, seconds=500), and
# kvm=DIR: another KVM than the stock one, a folder below the build folder.

if [ -n "${UTMEM_L1:-}" ]; then
	. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
	. "$(dirname "${BASH_SOURCE[0]}")/kvm.sh"
	return
fi

export UTMEM_ACCEL=tcg
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/l1.sh"

nested_run() {
	local words=() word why last=''

	# shellcheck disable=SC2013 # words
	for word in $(sed -n 's/^# l1: //p' "$0"); do
		case $word in
		kvm=*) KVM_MODULES=$B/${word#kvm=} ;;
		*) words+=("$word") ;;
		esac
	done
	why=$(l1_missing)
	[ -z "$why" ] || skip_all "no nested guest: $why"
	l1_boot l1 "${words[@]}" -- /bin/bash "tests/vm/nested/$(basename "$0")"
	while [ -z "${vm_ended[l1]}" ] && vm_read l1; do
		[[ $vm_line == 'end '* ]] || last=$vm_line
	done
	[ "${vm_ended[l1]}" != 77 ] || skip_all "$last"
	vm_wait l1
}
nested_run
exit
