#!/bin/bash
# SPDX-License-Identifier: MIT
# A host that lies in its answers: the driver refuses what makes no sense, gives back what it does
# not take, and goes on; a host that breaks the control queue loses it until the driver is bound
# again. evil-host.c plays the host while the daemon is stopped.
. "$(dirname "$0")/../lib.sh"

"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -I"$vm_here/../.." -o "$tmp/evil-host" \
	"$vm_here/evil-host.c" || exit 1
utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
insmod /lib/utmem.ko || exit 1
pci=$(basename /sys/bus/pci/drivers/utmem/0000:*)
echo $pci >/sys/bus/pci/drivers/utmem/unbind
echo up

# How a process fares that asks for a queue and a pool
ask() {
	driver-pool 0 p create get k
}
while hear && [ "$heard" != end ]; do
	lie=${heard% *} want=${heard#* }
	echo $pci >/sys/bus/pci/drivers/utmem/bind
	if [ $lie = on-another-queue ]; then
		driver-wait enter >/run/enter &
		wait_for 20 grep -q waiting /run/enter
	fi
	got=$(ask)
	if [ $lie = late ]; then
		check_is "an answer that is late: the first is told" ETIMEDOUT $got
		echo late; hear
		got=$(ask)
	fi
	check_is "$lie" $want $got
	case $lie in
	answer-* | index-* | *result*) check_is "$lie: nothing more is asked" EPROTO "$(ask)" ;;
	on-another-queue) kill -KILL $! ;;
	esac
	wait
	check_is "$lie: no queue is left" 0 "$(cat $dev/queues)"
	echo $pci >/sys/bus/pci/drivers/utmem/unbind
	echo done
done
GUEST
vm_expect one up
# shellcheck disable=SC2154 # daemon.sh
kill -STOP "$utmemd_pid"
coproc evil { exec "$tmp/evil-host" "$utmemd_pid" one; }

# evil WORD: until it is ready; what it says before goes to $evil_said
evil() {
	local line

	evil_said=
	echo "$1" >&"${evil[1]}"
	while read -r -t 30 -u "${evil[0]}" line && [ "$line" != "ready $1" ]; do
		evil_said+="$line "
	done
}

while read -r lie want; do
	evil "$lie"
	vm_say one "$lie $want"
	if [ "$lie" = late ]; then
		vm_expect one late
		evil honest
		vm_say one go
	fi
	vm_expect one "done"
	# The queue that nobody took is given back, and once
	evil honest
	case $lie in
	on-another-queue) check_is "both queues are given back" "destroyed 2 destroyed 1 " "$evil_said" ;;
	late) check_is "the late queue is given back" "destroyed 3 destroyed 2 " "$evil_said" ;;
	on-* | beyond-* | another-* | slot-* | handle-*)
		check_is "$lie: the queue is given back" "destroyed 1 " "$evil_said"
		;;
	esac
done <<'END'
honest ENOENT
no-room ENOSPC
on-the-header EPROTO
on-the-control-page EPROTO
on-the-admin-queue EPROTO
on-another-queue EPROTO
beyond-the-window EPROTO
another-shape EPROTO
queue-number-0 EPROTO
queue-number-too-large EPROTO
slot-too-large EPROTO
handle-too-large EPROTO
positive-result EPROTO
result-below-every-errno EPROTO
answer-to-another-request EPROTO
answer-to-no-request EPROTO
index-that-lies EPROTO
late ENOENT
END
vm_say one end
vm_wait one
kill -CONT "$utmemd_pid"
utmemd_stop
