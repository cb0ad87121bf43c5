#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs a script inside L1, the machine with a KVM of its own: what it prints comes out here, line by
# line, and its status is this one's; 124 when L1 has not ended in time, 1 when it died.
# Usage: in-l1.sh [--smp N] [--mem MIB] [--seconds N] [--kvm DIR] [--icount] SCRIPT [FILE...] [-- ARGUMENT...]
# SCRIPT and FILEs are in /run/case there, where it starts, beside tests/ with all that the cases
# have; $B/ has the programs. --kvm: a folder with other modules than the stock ones.
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../lifetime.sh"
. "$here/machine.sh"
. "$here/l1.sh"

bail() {
	echo "in-l1.sh: $*" >&2
	exit 1
}

words=()
while [ $# -gt 0 ]; do
	case $1 in
	--smp | --mem | --seconds)
		words+=("${1#--}=$2")
		shift
		;;
	--kvm)
		KVM_MODULES=$2
		shift
		;;
	--icount) words+=(icount=1 smp=1) ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || bail "no script"
script=$(basename "$1")
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	words+=("file=$1")
	shift
done
[ $# -eq 0 ] || shift

why=$(l1_missing)
[ -z "$why" ] || bail "$why"
l1_boot l1 "${words[@]}" -- /bin/bash "$script" "$@"
while [ -z "${vm_ended[l1]}" ] && vm_next l1; do
	[[ $vm_line == 'end '* ]] || echo "$vm_line"
done
[ -n "${vm_ended[l1]}" ] || {
	vm_show l1 >&2
	[ "$SECONDS" -lt "${vm_deadline[l1]}" ] || exit 124
	exit 1
}
exit "${vm_ended[l1]}"
