#!/bin/bash
# SPDX-License-Identifier: MIT
# make nested: a shell in L1, the machine with a KVM of its own, where everything is at hand that
# the nested cases use. exit or ctrl-a x ends it.
# Usage: nested-shell.sh [--mem MIB] [--smp N]
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../lifetime.sh"
. "$here/machine.sh"
. "$here/l1.sh"

mem=2048 smp=2
while [ $# -gt 0 ]; do
	case $1 in
	--mem) mem=$2 ;;
	--smp) smp=$2 ;;
	*)
		sed -n '3,5s/^# //p' "$0" >&2
		exit 2
		;;
	esac
	shift 2
done

why=$(l1_missing)
[ -z "$why" ] || {
	echo "make nested: $why" >&2
	exit 1
}
l1_files "$tmp/l1"
cat >"$tmp/l1/profile" <<'END'
. tests/vm/nested.sh
trap - INT
set +u
tap_skipped=1
PS1='L1# '
cat <<-HELP

	  l2                                      utmemd and a guest, with its console; exit ends both
	  bash tests/vm/nested/NAME.sh            a case
	  utmemd_start --arena 64m --tenant t:64m, vm_boot g tenant=t <FILE, vm_wait g, kvm_counters ...
	                                          what the cases use: tests/vm/README.md
	  exit                                    ends the machine

HELP
l2() {
	tests/vm/shell.sh --arena 256m "$@"
}
END
vm_pack "$tmp/vm" "$tmp/l1/tests" "$tmp/l1/kvm" "$tmp/l1/profile" <<-'GUEST'
	exec </dev/ttyS0 >/dev/ttyS0 2>&1
	stty sane
	exec setsid -c /bin/bash tests/vm/l1-enter.sh /bin/bash --rcfile profile -i
GUEST

echo "  a machine of $mem MiB under emulation, with SVM"
# In the background, so that a signal to this script is not kept waiting; but with the terminal.
"$here/boot.sh" --vm "$VM_DIR" --root "$VM_DIR/l1.img" --accel tcg --case "$tmp/vm/case.tar" \
	--mem "$mem" --smp "$smp" --append quiet \
	--console stdio,mux=on,signal=off --result null <&0 &
qemu_pid=$!
qemu_end() {
	# It gives the terminal back as it was
	kill -TERM "$qemu_pid" 2>/dev/null && pid_wait "$qemu_pid" 10
}
at_exit qemu_end
wait "$qemu_pid"
