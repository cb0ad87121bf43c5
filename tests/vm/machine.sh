#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests, from the host's side: boots them, talks with them, ends them all by pid. Sourced after
# tap.sh or lifetime.sh, by lib.sh (the cases), shell.sh (make vm) and demo.sh (make demo).
# shellcheck disable=SC2154,SC2034 # lifetime.sh has $tmp, the cases read vm_ended

B=${B:-build}
VM_DIR=${VM_DIR:-$B/vm}
# A kernel that takes longer for everything has longer deadlines, also in the guest (its init gets vm_slow)
VM_SLOW=${VM_SLOW:-1}
vm_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A vm_pid vm_in vm_out vm_deadline vm_ended

# Why no guest can run here; nothing when one can
vm_missing() {
	if ! command -v qemu-system-x86_64 >/dev/null; then
		echo "no qemu-system-x86_64 here"
	elif [ -s "$VM_DIR/unavailable" ]; then
		tail -n 1 "$VM_DIR/unavailable"
	elif [ ! -s "$VM_DIR/root.img" ]; then
		echo "no $VM_DIR/root.img: make vm-image"
	fi
}

# vm_pack DIR [FILE|FOLDER...] <GUEST_SCRIPT: DIR/case.tar, which the guest unpacks in /run/case
vm_pack() {
	local dir=$1

	shift
	mkdir -p "$dir/case"
	cat >"$dir/case/guest"
	[ $# -eq 0 ] || cp -r "$@" "$dir/case"
	tar -C "$dir/case" -cf "$dir/case.tar" .
}

# vm_boot NAME [tenant=T] [mem=MIB] [smp=N] [drive=FILE] [append=WORDS] [seconds=N]
#	[survive_reset=1] [file=PATH]... [root=IMAGE] [icount=1] <GUEST_SCRIPT
# seconds: from now until the guest must have ended. file: goes to /run/case in the guest.
# VM_SECONDS and VM_APPEND are for all guests.
vm_boot() {
	local name=$1 dir=$tmp/vm.$1 tenant='' mem=256 smp=1 drive='' append='' root='' icount=''
	local seconds=${VM_SECONDS:-120} survive_reset='' word in out files=() args=()

	shift
	rm -rf "$dir"
	for word in "$@"; do
		case $word in
		tenant=*) tenant=$RUN/${word#*=}.ivshmem ;;
		file=*) files+=("${word#*=}") ;;
		mem=* | smp=* | drive=* | append=* | seconds=* | survive_reset=* | root=* | icount=*)
			printf -v "${word%%=*}" %s "${word#*=}"
			;;
		*)
			echo "vm_boot: $word?" >&2
			exit 2
			;;
		esac
	done
	vm_pack "$dir" "${files[@]}"
	mkfifo "$dir/in" "$dir/out" "$dir/mon.in"
	# A file: the monitor echoes each letter many times, and would stand still before a full pipe
	: >"$dir/mon.out"
	[ -z "$tenant" ] || args+=(--tenant "$tenant")
	[ -z "$drive" ] || args+=(--drive "$drive")
	[ -z "$survive_reset" ] || args+=(--survive-reset)
	[ -z "$root" ] || args+=(--root "$root")
	[ -z "$icount" ] || args+=(--icount)
	"$vm_here/boot.sh" --vm "$VM_DIR" --accel "$ACCEL" --case "$dir/case.tar" --mem "$mem" \
		--smp "$smp" --append "vm_slow=$VM_SLOW ${VM_APPEND:-} $append" --monitor "$dir/mon" "${args[@]}" \
		--console "file,path=$dir/console" --result stdio,signal=off \
		<"$dir/in" >"$dir/out" 2>"$dir/qemu" &
	vm_pid[$name]=$!
	exec {in}>"$dir/in" {out}<"$dir/out"
	vm_in[$name]=$in vm_out[$name]=$out
	vm_deadline[$name]=$((SECONDS + seconds * VM_SLOW))
	vm_ended[$name]=''
}

# vm_next NAME: one line from the guest into $vm_line; fails at its end and at the deadline
vm_next() {
	local left=$((vm_deadline[$1] - SECONDS))

	[ "$left" -gt 0 ] && IFS= read -r -t "$left" -u "${vm_out[$1]}" vm_line || return 1
	case $vm_line in
	'end '*) vm_ended[$1]=${vm_line#end } ;;
	esac
}

# vm_say NAME LINE: the guest reads it with hear
vm_say() {
	echo "$2" >&"${vm_in[$1]}"
}

# vm_monitor NAME COMMAND: to QEMU's monitor, as system_reset; its answers are in $tmp/vm.NAME/mon.out
vm_monitor() {
	echo "$2" >"$tmp/vm.$1/mon.in"
}

vm_close() {
	local in=${vm_in[$1]} out=${vm_out[$1]}

	exec {in}>&- {out}<&-
	unset "vm_pid[$1]" "vm_in[$1]" "vm_out[$1]"
}

# vm_kill NAME: power cut
vm_kill() {
	kill -KILL "${vm_pid[$1]}" 2>/dev/null
	wait "${vm_pid[$1]}" 2>/dev/null
	vm_close "$1"
}

vm_show() {
	tail -n 5 "$tmp/vm.$1/qemu" | sed "s/^/# $1 qemu: /"
	tail -n 60 "$tmp/vm.$1/console" | tr -d '\r' | sed "s/^/# $1: /"
}

vm_kill_all() {
	local name

	for name in "${!vm_pid[@]}"; do
		vm_kill "$name"
	done
}
at_exit vm_kill_all
