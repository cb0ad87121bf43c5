#!/bin/bash
# SPDX-License-Identifier: MIT
# Two threads wait for one queue, one in ENTER, one in poll: neither takes the other's wake-up. Who is
# stopped and continued goes on waiting; a signal that he handles ends his wait.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
driver-both || failed=1

driver-wait enter >/run/enter &
pid=$!
in_state() {
	grep -q "^State:.$1" /proc/$pid/status
}
sleeps_in_enter() {
	in_state S && grep -q '^16 ' /proc/$pid/syscall
}
check "a process waits" wait_for 20 sleeps_in_enter
kill -STOP $pid
check "it is stopped" wait_for 20 in_state T
kill -CONT $pid
check "continued, it goes on waiting" wait_for 20 sleeps_in_enter
kill -ALRM $pid
wait $pid
check_is "a signal that it handles ends that" "waiting enter EINTR again none mapping there" "$(echo $(cat /run/enter))"
GUEST
vm_wait one
utmemd_stop
