#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-vm: utmem-bench vm in a guest, with somebody outside it who counts exits and says when
# the host stays awake. bench/README.md says what the rows are. Ends with the bench's status.
# Usage: bench.sh [--accel tcg|nested|kvm] [--full] [--icount] [--smp N] [--seconds N]
#	[--patience N] [--poll-usecs N] [-- OPTION_OF_UTMEM_BENCH...]
# tcg: emulated, no exits. nested: a guest of real KVM, inside an emulated machine. --full: three
# times as many rounds. --icount: clocks count instructions, the guest's or (nested) all of L1's.
# --seconds: until the guest must have ended. --patience: for how long an L1 may be silent.
# --poll-usecs: what the host polls for where it is said to sleep (0).
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../lifetime.sh"
UTMEMD=${UTMEMD:-${B:-build}/utmemd}
. "$here/../daemon.sh"
. "$here/machine.sh"

accel=tcg rounds=5 icount='' smp=1 seconds=280 patience=60 poll_usecs=0 given=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--accel) accel=$2 && shift ;;
	--full) rounds=15 ;;
	--icount) icount=1 ;;
	--smp) smp=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--patience) patience=$2 && shift ;;
	--poll-usecs) poll_usecs=$2 && shift ;;
	--) shift && break ;;
	*)
		sed -n '5,11s/^# //p' "$0" >&2
		exit 2
		;;
	esac
	shift
done

bail() {
	echo "bench-vm: $*" >&2
	exit 1
}

# What L1 says, until its end or until it has been silent for $patience seconds
listen_to_l1() {
	vm_deadline[l1]=$((SECONDS + patience))
	while [ -z "${vm_ended[l1]}" ] && vm_next l1; do
		[[ $vm_line == 'end '* ]] || echo "$vm_line"
		vm_deadline[l1]=$((SECONDS + patience))
	done
}

# nested_try FILE: in L1 the same script, with KVM. Fails when L1 or its guest stands still.
nested_try() {
	l1_boot l1 ${icount:+icount=1 smp=1} -- /bin/bash tests/vm/bench.sh "${given[@]}"
	if [ -n "$icount" ]; then
		listen_to_l1 >"$1"
	else
		listen_to_l1
	fi
	[ -n "${vm_ended[l1]}" ]
}

# With --icount L2 may hang at any place: what a hung one has said is not shown, but how many there were
nested() {
	local hung=0 tries=1

	. "$here/l1.sh"
	why=$(l1_missing)
	[ -z "$why" ] || bail "no nested guest: $why"
	[ -z "$icount" ] || tries=5
	until nested_try "$tmp/said"; do
		hung=$((hung + 1))
		[ "$hung" -lt "$tries" ] || break
		vm_kill l1
	done
	[ -z "$icount" ] || cat "$tmp/said"
	[ "$hung" = 0 ] || echo "# nested guests that hung before: $hung" >&2
	[ "${vm_ended[l1]}" = 0 ] || vm_show l1 >&2
	exit "${vm_ended[l1]:-124}"
}

# ---- what the guest asks ----

events=/sys/kernel/debug/tracing/events/kvm
doorbell_nr=$((0x75746d65)) # UTMEM_HC_DOORBELL

# KVM's own events, counted by what they are about. Not everywhere: no KVM, no right to look.
count_exits() {
	{ echo 'hist:keys=gpa if type == 2' >"$events"/kvm_mmio/trigger; } 2>/dev/null &&
		{ echo 'hist:keys=nr' >"$events"/kvm_hypercall/trigger; } 2>/dev/null
}

uncount_exits() {
	{ echo '!hist:keys=gpa if type == 2' >"$events"/kvm_mmio/trigger; } 2>/dev/null
	{ echo '!hist:keys=nr' >"$events"/kvm_hypercall/trigger; } 2>/dev/null
}

# hits EVENT KEY NUMBER: how often it was seen
hits() {
	awk -v key="$2:" -v nr="$3" '$2 == key && $3 == nr { n = $NF } END { print n + 0 }' "$events/$1/hist"
}

# exits DOORBELL_REGISTER
exits() {
	if [ -z "$counting" ]; then
		echo none
	else
		echo "bell=$(($(hits kvm_mmio gpa $(($1))) + $(hits kvm_hypercall nr $doorbell_nr)))" \
			"all=$(cat /sys/kernel/debug/kvm/exits)"
	fi
}

host_is() {
	local usecs=$poll_usecs

	[ "$1" = asleep ] || usecs=1000000
	utmemctl tune poll-usecs="$usecs" >/dev/null && echo ok || echo no
}

answer() {
	case $1 in
	'ask exits '*) vm_say bench "$(exits "${1#ask exits }")" ;;
	'ask host '*) vm_say bench "$(host_is "${1#ask host }")" ;;
	'end '*) ;;
	*) echo "$1" ;;
	esac
}

why=$(vm_missing)
[ -z "$why" ] || bail "no guest: $why"
[ "$accel" != nested ] || [ -n "${UTMEM_L1:-}" ] || nested
ACCEL=$accel counting=
if [ "$accel" != tcg ]; then
	ACCEL=kvm
	at_exit uncount_exits
	count_exits && counting=1
fi
# Under KVM the guest's instructions are L1's affair
[ "$ACCEL" = tcg ] || icount=
utmemd_start --arena 64m --window 16m --tenant bench:48m --poll-usecs "$poll_usecs"
vm_boot bench tenant=bench "smp=$smp" "seconds=$seconds" append=quiet ${icount:+icount=1} <<-GUEST
	driver_load || exit 1
	exec utmem-bench vm --ask --transport dev:/dev/utmem0 --accel $accel --rounds $rounds $*
GUEST
while [ -z "${vm_ended[bench]}" ] && vm_next bench; do
	answer "$vm_line"
done
[ "${vm_ended[bench]}" = 0 ] || {
	vm_show bench >&2
	utmemd_show >&2
}
exit "${vm_ended[bench]:-124}"
