#!/bin/bash
# SPDX-License-Identifier: MIT
# The host's part of a case: what machine.sh and daemon.sh start, with tests about it.
# Sourced by every case; README.md beside it says how a case looks.
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../daemon.sh"
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

declare -A vm_tests

# What a healthy kernel never says. VM_LOG_ALLOW: a pattern that this case expects.
log_bad='BUG:|WARNING:|Oops|general protection|INFO: (task|rcu)|rcu.*(stall|detected)|refcount_t|soft lockup|lockdep|circular locking|inconsistent lock|suspicious RCU|scheduling while atomic|sleeping function|UBSAN|KASAN|kmemleak: [0-9]+ new|list_(add|del) corruption|bad page|Bad page|segfault at|traps:|Kernel panic|Call Trace'
VM_LOG_ALLOW=${VM_LOG_ALLOW:-}

# One line from the guest into $vm_line, its tests counted; fails at its end and at the deadline.
# A guest that is a script with tap.sh numbers its tests: these are counted anew.
shopt -s extglob
vm_read() {
	local name=$1

	vm_next "$name" || return 1
	case $vm_line in
	'ok '*) ok "$name: ${vm_line##ok ?(+([0-9]) - )}" ;;
	'not ok '*) not_ok "$name: ${vm_line##not ok ?(+([0-9]) - )}" ;;
	'end '*) ;;
	*) echo "# $name: $vm_line" ;;
	esac
	case $vm_line in
	'ok '* | 'not ok '*) vm_tests[$name]=$((${vm_tests[$name]:-0} + 1)) ;;
	esac
}

# vm_expect NAME PATTERN: until the guest says a line that matches the shell pattern
vm_expect() {
	while vm_read "$1"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $vm_line != $2 ]] || return 0
	done
	not_ok "$1 says '$2'"
	vm_show "$1"
	return 1
}

# vm_wait NAME: the guest's script has ended well, it has reported at least one test, QEMU has
# ended, and the kernel had nothing to complain about
vm_wait() {
	local name=$1 left

	while [ -z "${vm_ended[$name]}" ] && vm_read "$name"; do :; done
	left=$((vm_deadline[$name] - SECONDS))
	pid_wait "${vm_pid[$name]}" $((left > 1 ? left : 1)) || vm_ended[$name]+=" qemu $?"
	vm_close "$name"
	check_is "$name: ended by itself and well" 0 "${vm_ended[$name]:-hang or crash}"
	[ "${vm_tests[$name]:-0}" -gt 0 ] || not_ok "$name: reported a test"
	unset "vm_tests[$name]"
	vm_log_clean "$name"
	[ "${vm_ended[$name]}" = 0 ] || vm_show "$name"
}

# vm_log_clean NAME: a test that the kernel log holds no complaint; also for a killed guest
vm_log_clean() {
	local log=$tmp/vm.$1/console bad

	bad=$(grep -aE "$log_bad" "$log" | grep -avE "rcu_cpu_stall_timeout|${VM_LOG_ALLOW:-^$}")
	if [ -z "$bad" ]; then
		ok "$1: the kernel log is clean"
	else
		not_ok "$1: the kernel log is clean"
		vm_show "$1"
	fi
}

vm_why=$(vm_missing)
[ -z "$vm_why" ] || skip_all "no guest: $vm_why"
ACCEL=$("$vm_here/accel.sh" "$VM_DIR") || exit 1
echo "# accel=$ACCEL kernel=$(cat "$VM_DIR/kver") utmemd=$UTMEMD"
