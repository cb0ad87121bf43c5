#!/bin/bash
# SPDX-License-Identifier: MIT
# A host that lies in its answers: the driver refuses what makes no sense, gives back what it does
# not take, and goes on; a host that breaks the control queue loses it until the driver is bound
# again. A host that answers late: every queue that nobody uses is given back, once, however many
# they are. host/evil-host.c plays the host while the daemon is stopped.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 seconds=300 <<'GUEST'
insmod /lib/utmem.ko || exit 1
pci=$(basename /sys/bus/pci/drivers/utmem/0000:*)
echo $pci >/sys/bus/pci/drivers/utmem/unbind
echo up

# How a process fares that asks for a queue and a pool
ask() {
	driver-pool 0 p create get k
}
# The host is told; it answers what waits, and says go
stalled() {
	echo stalled; hear
}
while hear && [ "$heard" != end ]; do
	lie=${heard% *} want=${heard#* }
	if ! echo $pci >/sys/bus/pci/drivers/utmem/bind; then
		check_is "$lie: not bound" $want ENODEV
		echo done
		continue
	fi
	case $lie in
	on-another-queue)
		driver-wait enter >/run/enter &
		wait_for 20 grep -q waiting /run/enter
		;;
	late)
		check_is "an answer that is late: the first is told" ETIMEDOUT "$(ask)"
		stalled
		;;
	killed)
		check "as many are killed as the control queue has slots" driver-crowd kill 32
		stalled
		;;
	slots-before-answers)
		check "killed, and their slots are free" driver-crowd kill 32
		check_is "no slot is used again before its answer was read" ETIMEDOUT "$(ask)"
		stalled
		;;
	crowd)
		driver-crowd hold 40 >/run/held &
		wait_for 60 grep -q held /run/held
		stalled
		kill -KILL $!
		wait
		stalled
		;;
	esac
	case $lie in
	ends-*) check_is "$lie" $want "$(driver-wait enter | sed -n 's/^enter //p')" ;;
	*) check_is "$lie" $want "$(ask)" ;;
	esac
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
worker=$(utmemd_worker)
kill -STOP "$worker"
coproc evil { exec "$VM_DIR/host/evil-host" "$worker" one; }

# evil WORD: until it is ready; what it says before is added to $evil_said
evil() {
	local line

	echo "$1" >&"${evil[1]}"
	while read -r -t 30 -u "${evil[0]}" line && [ "$line" != "ready $1" ]; do
		evil_said+="$line "
	done
}

# evil_while_stalled WORD: the guest waits meanwhile
evil_while_stalled() {
	vm_expect one stalled
	evil "$1"
	vm_say one go
}

# destroyed NAME N: queues 1 to N, each of them once
destroyed() {
	check_is "$1" "$(seq -s ' ' "$2")" "$(grep -oE '[0-9]+' <<<"$evil_said" | sort -n | xargs)"
}

while read -r lie want; do
	evil_said=
	case $lie in
	killed) evil late ;;
	crowd) evil honest ;;
	*) evil "$lie" ;;
	esac
	vm_say one "$lie $want"
	[ "$lie" != crowd ] || evil_while_stalled late
	case $lie in
	late | killed | crowd | slots-before-answers) evil_while_stalled honest ;;
	esac
	vm_expect one "done"
	# The queue that nobody took is given back, and once
	evil honest
	case $lie in
	on-another-queue) check_is "both queues are given back" "destroyed 2 destroyed 1 " "$evil_said" ;;
	late) check_is "the late queue is given back" "destroyed 1 destroyed 2 " "$evil_said" ;;
	killed) destroyed "every queue of a killed process is given back" 33 ;;
	slots-before-answers) destroyed "and each is given back, no other" 33 ;;
	crowd) destroyed "more queues than the control queue has slots are given back" 41 ;;
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
killed ENOENT
slots-before-answers ENOENT
crowd ENOENT
restart-result EPROTO
ends-with-a-restart EPROTO
draining ENODEV
END
vm_say one end
vm_wait one
kill -CONT "$worker"
utmemd_stop
