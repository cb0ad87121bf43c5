#!/bin/bash
# SPDX-License-Identifier: MIT
# make demo: a stock Redis in a small guest keeps twice the guest's memory in the host. Ends with
# "demo: ok ..." and 0, or "demo: FAILED ..." and 1.
# Usage: demo.sh [--mib MIB_OF_VALUES] [--mem GUEST_MIB] [--arena SIZE]
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../lifetime.sh"
. "$here/../daemon.sh"
. "$here/machine.sh"

mib=512 mem=256 arena=1g
while [ $# -gt 0 ]; do
	case $1 in
	--mib) mib=$2 ;;
	--mem) mem=$2 ;;
	--arena) arena=$2 ;;
	*)
		sed -n '3,5s/^# //p' "$0" >&2
		exit 2
		;;
	esac
	shift 2
done
corpus_mib=64
seconds=600 # a guest that takes longer hangs
declare -A result

bail() {
	echo "demo: FAILED $*"
	exit 1
}

files_of() {
	find "$@" -xdev -type f -size +1k -size -4096k -print0 2>/dev/null |
		LC_ALL=C sort -z | xargs -0 cat 2>/dev/null
}

# Text and programs of this system: a quarter of each kind, and the last takes what is left
corpus_pack() {
	local dir quarter=$((corpus_mib << 18))

	{
		for dir in /usr/share/doc /usr/include /usr/bin; do
			files_of "$dir" | head -c "$quarter"
		done
		files_of /usr/lib /usr/share
	} | head -c $((corpus_mib << 20)) >"$1"
	[ "$(stat -c %s "$1")" -ge $((8 << 20)) ] || bail "not enough files in /usr to make values of"
	truncate -s %4096 "$1"
}

# Live on a terminal; a line now and then elsewhere
progress_next=$SECONDS
show_progress() {
	local text

	printf -v text '  %s  %7d values  %4d MiB of %d' "$1" "$2" $(($3 >> 20)) "$mib"
	if [ -t 1 ]; then
		printf '\r%s\e[K' "$text"
	elif [ "$SECONDS" -ge "$progress_next" ]; then
		echo "$text"
		progress_next=$((SECONDS + 5))
	fi
}

clear_progress() {
	[ ! -t 1 ] || printf '\r\e[K'
}

# One line of the guest
on_line() {
	local kind what nr bytes word

	read -r kind what nr bytes <<<"$1"
	case $kind in
	progress)
		show_progress "$what" "$nr" "$bytes"
		return
		;;
	result)
		for word in ${1#result }; do
			result[${word%%=*}]=${word#*=}
		done
		return
		;;
	end) return ;;
	esac
	clear_progress
	echo "  guest: $1"
}

row() {
	printf '  %-26s %14s\n' "$@"
}

mib_of() {
	echo "$(($1 >> 20)) MiB"
}

show_table() {
	local doorbells=${result[doorbells]} tenths

	tenths=$((result[requests] * 10 / (doorbells ? doorbells : 1)))
	echo
	row "values" "${result[values]}"
	row "bytes" "${result[bytes]}"
	row "lost" "${result[lost]}"
	row "requests" "${result[requests]}"
	row "batches" "${result[submits]}"
	row "doorbells" "$doorbells"
	row "requests per doorbell" "$((tenths / 10)).$((tenths % 10))"
	row "guest memory" "$mem MiB"
	row "guest MemFree before" "$(mib_of "${result[memfree_before]}")"
	row "guest MemFree after" "$(mib_of "${result[memfree_after]}")"
	row "host pool bytes" "${result[host_bytes]}"
	row "store, check" "$((result[store_ms] / 1000)) s, $((result[check_ms] / 1000)) s"
	row "wall time" "$((SECONDS - began)) s"
	echo
}

began=$SECONDS
why=$(vm_missing)
[ -z "$why" ] || bail "no guest: $why"
ACCEL=$("$here/accel.sh" "$VM_DIR") || bail "no accelerator"
corpus_pack "$tmp/corpus"
utmemd_start --arena "$arena" --tenant "demo:$arena"
echo "  host: utmemd with a pool of $arena; guest: $mem MiB, $ACCEL, kernel $(cat "$VM_DIR/kver")"

vm_boot demo tenant=demo "mem=$mem" "drive=$tmp/corpus" "seconds=$seconds" append=quiet <<-GUEST
	driver_load || exit 1
	redis_utmem || exit 1
	demo-load /run/redis.sock /dev/nvme0n3 $mib || exit 1
GUEST
while [ -z "${vm_ended[demo]}" ] && vm_next demo; do
	on_line "$vm_line"
done
clear_progress

if [ -z "${result[values]:-}" ]; then
	vm_show demo
	utmemd_show
	bail "no result from the guest"
fi
show_table
line="values=${result[values]} bytes=${result[bytes]} lost=${result[lost]} requests=${result[requests]}"
line+=" doorbells=${result[doorbells]} accel=$ACCEL"
if [ "${vm_ended[demo]}" != 0 ] || [ "${result[lost]}" != 0 ]; then
	bail "$line"
fi
echo "demo: ok $line"
