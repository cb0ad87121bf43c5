#!/bin/bash
# SPDX-License-Identifier: MIT
# The driver goes while it is used: by rmmod, which waits for the last file, and by unbind,
# which does not.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 256m --tenant one:128m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
pci=$(basename $(readlink -f $dev/device))
bind=/sys/bus/pci/drivers/utmem

# load_start N: processes that work for ever
load_start() {
	pids=
	for i in $(seq $1); do
		driver-load pool$i $i 0 >/run/load$i &
		pids="$pids $!"
	done
	for i in $(seq $1); do
		wait_for 20 grep -q loaded /run/load$i
	done
}

load_start 3
check "rmmod is refused while files are open" eval '! rmmod utmem'
kill -KILL $pids
check "when their owners are killed, it unloads" wait_for 20 rmmod utmem
check_is "its node is gone" no "$([ -e /dev/utmem0 ] && echo yes || echo no)"

check "it loads again" driver_load
load_start 3
driver-wait enter >/run/enter &
enter=$!
driver-wait poll >/run/poll &
poll=$!
wait_for 20 grep -q waiting /run/enter
wait_for 20 grep -q waiting /run/poll
driver-wait poll-bare >/run/bare &
bare=$!
wait_for 20 grep -q waiting /run/bare

# fault_start in|out: a call that sits in a fault of its argument; a line to its fd serves it
fault_start() {
	mkfifo /run/fault.$1.go
	driver-fault $1 </run/fault.$1.go >/run/fault.$1 &
}
fault_start in
exec 8>/run/fault.in.go
fault_start out
exec 9>/run/fault.out.go
wait_for 20 grep -q faulted /run/fault.in
wait_for 20 grep -q faulted /run/fault.out
unbind() {
	echo $pci >$bind/unbind &
	wait_for 20 eval "! kill -0 $!"
}
check "unbind with files open, mapped, slept on, and arguments that cannot be read or written" unbind
echo go >&8
echo go >&9
wait $enter $poll
wait_for 20 grep -q mapping /run/bare
kill -KILL $bare 2>/dev/null
wait_for 20 eval "[ \$(grep -cE 'ENODEV|done' /run/fault.in /run/fault.out | grep -c :1) = 2 ]"
check_is "a call whose argument comes later is told" "faulted ENODEV" "$(echo $(cat /run/fault.in))"
check_is "a queue whose maker hears of it later is made" "faulted done" "$(echo $(cat /run/fault.out))"
check_is "a sleeper is told" "waiting enter ENODEV again ENODEV mapping gone" "$(echo $(cat /run/enter))"
check_is "a poller is told" "waiting poll 1 ERR HUP again ENODEV mapping gone" "$(echo $(cat /run/poll))"
check_is "a poller without a queue, too" "waiting poll 1 ERR HUP again ENODEV mapping none" \
	"$(echo $(cat /run/bare))"
for pid in $pids; do
	wait $pid
	check_is "a worker ends" yes "$([ $? -ne 0 ] && echo yes || echo no)"
done
echo unbound; hear
check "bind again" eval "echo $pci >$bind/bind"
check "it serves again" driver-load pool1 1 20
check "suspend to disk is refused" eval '! echo disk >/sys/power/state'
check "by the driver, which says why" eval 'dmesg | grep -q "suspend to disk is not possible"'
check "and it serves on" driver-load pool1 2 20
check "and unloads" rmmod utmem
GUEST
vm_expect one unbound
check "the host has dropped their queues" wait_for 10 \
	bash -c "$UTMEMCTL --run-dir $RUN stats --json | grep -qE '\"queues\": *0\b'"
vm_say one go
vm_wait one
utmemd_stop
