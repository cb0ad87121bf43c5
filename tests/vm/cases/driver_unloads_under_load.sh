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
check "unbind with files open, mapped and slept on" eval "echo $pci >$bind/unbind"
wait $enter $poll
check_is "a sleeper is told" "waiting enter ENODEV again ENODEV mapping gone" "$(echo $(cat /run/enter))"
check_is "a poller is told" "waiting poll 1 ERR HUP again ENODEV mapping gone" "$(echo $(cat /run/poll))"
for pid in $pids; do
	wait $pid
	check_is "a worker ends" yes "$([ $? -ne 0 ] && echo yes || echo no)"
done
echo unbound; hear
check "bind again" eval "echo $pci >$bind/bind"
check "it serves again" driver-load pool1 1 20
check "and unloads" rmmod utmem
GUEST
vm_expect one unbound
check "the host has dropped their queues" wait_for 10 \
	bash -c "$UTMEMCTL --run-dir $RUN stats --json | grep -qE '\"queues\": *0\b'"
vm_say one go
vm_wait one
utmemd_stop
