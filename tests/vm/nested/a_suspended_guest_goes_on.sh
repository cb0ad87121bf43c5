#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest is suspended and woken up while processes use the device: to memory (S3: the machine resets its
# devices), and to idle. They go on as if nothing had been, and doorbells and interrupts are those of before.
# l1: seconds=500
. "$(dirname "$0")/../nested.sh"

times=2
utmemd_start --arena 128m --window 16m --tenant t:64m
vm_boot guest tenant=t smp=2 <<'GUEST'
# log_has NUMBER TEXT: the kernel has said it so often
log_has() {
	[ "$(dmesg | grep -c "$2")" = "$1" ]
}

check "the driver loads" driver_load
check "processes use it" load_start 3
echo enabled >/sys/class/tty/ttyS1/power/wakeup
echo deep >/sys/power/mem_sleep
for turn in 1 2; do
	echo memory
	check "turn $turn: to memory and back" eval "echo mem >/sys/power/state"
	check "turn $turn: it was S3" log_has $turn "Waking up from system sleep state S3"
	check "turn $turn: right answers" load_serves
	echo idle
	check "turn $turn: to idle and back" eval "echo freeze >/sys/power/state"
	check "turn $turn: it was idle" log_has $turn "PM: suspend entry (s2idle)"
	echo awake
	while hear && [ "$heard" != "good morning" ]; do :; done
	check "turn $turn: right answers" load_serves
done
load_end
driver-ring
GUEST

# shellcheck disable=SC2154 # lifetime.sh
answers=$tmp/vm.guest/mon.out
# suspended BEFORE: QEMU has said so once more than that, for wait_for
suspended() {
	vm_monitor guest "info status"
	[ "$(grep -c 'paused (suspended)' "$answers")" -gt "$1" ]
}

# For QEMU an idle machine runs: a character wakes it up, and one that comes too early does not
knock() {
	while vm_say guest knock; do
		sleep 1
	done
}

for _ in $(seq "$times"); do
	vm_expect guest memory
	check "the machine is suspended" wait_for 60 suspended "$(grep -c 'paused (suspended)' "$answers")"
	vm_monitor guest system_wakeup
	vm_expect guest idle
	knock &
	knocker=$!
	vm_expect guest awake
	kill -KILL "$knocker"
	vm_say guest "good morning"
done
vm_expect guest ready
kvm_rings_and_wakes guest
vm_say guest end
vm_wait guest
utmemd_stop
