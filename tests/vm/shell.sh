#!/bin/bash
# SPDX-License-Identifier: MIT
# make vm: a shell in a guest with everything loaded. Starts utmemd with one tenant, boots a
# guest, loads the driver and a redis-server with the module there, and gives you the guest's
# console. exit, poweroff or ctrl-a x ends it all.
# Usage: shell.sh [--mem MIB] [--smp N] [--arena SIZE]
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../lifetime.sh"
. "$here/../daemon.sh"
. "$here/machine.sh"

mem=256 smp=1 arena=1g
while [ $# -gt 0 ]; do
	case $1 in
	--mem) mem=$2 ;;
	--smp) smp=$2 ;;
	--arena) arena=$2 ;;
	*)
		sed -n '3,6s/^# //p' "$0" >&2
		exit 2
		;;
	esac
	shift 2
done

bail() {
	echo "make vm: $*" >&2
	exit 1
}

why=$(vm_missing)
[ -z "$why" ] || bail "$why"
accel=$("$here/accel.sh" "$VM_DIR") || bail "no accelerator"
utmemd_start --arena "$arena" --tenant "vm:$arena"

vm_pack "$tmp/vm" <<-'GUEST'
	exec </dev/ttyS0 >/dev/ttyS0 2>&1
	stty sane
	driver_load || echo "no driver: what follows has no utmem"
	redis_utmem || echo "no redis-server"
	cat <<-END

		  /dev/utmem0                              the driver's device; $dev has its numbers
		  redis UTMEM.SET greeting "from a guest"  a stock redis-server with the module
		  redis UTMEM.GET greeting
		  redis UTMEM.STATS
		  exit                                     ends the guest

	END
	cat >/run/profile <<-'END'
		redis() { redis-cli -s /run/redis.sock "$@"; }
		PS1='guest# '
	END
	ENV=/run/profile setsid cttyhack sh
GUEST

echo "  a guest of $mem MiB with $accel; its host: $UTMEMCTL --run-dir $RUN stats"
# In the background, so that a signal to this script is not kept waiting; but with the terminal.
"$here/boot.sh" --vm "$VM_DIR" --accel "$accel" --case "$tmp/vm/case.tar" --mem "$mem" \
	--smp "$smp" --tenant "$RUN/vm.ivshmem" --append quiet \
	--console stdio,mux=on,signal=off --result null <&0 &
qemu_pid=$!
qemu_end() {
	# It gives the terminal back as it was
	kill -TERM "$qemu_pid" 2>/dev/null && pid_wait "$qemu_pid" 10
}
at_exit qemu_end
wait "$qemu_pid"
