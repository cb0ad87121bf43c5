#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon's probes are in the binary, with their arguments; where the kernel can look at them
# (uprobes, as root), they are hit exactly as often as the daemon counts.
. "$(dirname "$0")/lib.sh"

B=${B:-build}
bench=$B/utmem-bench
tracing=/sys/kernel/tracing
group=utmemd_test_$$
probes="thread_sleep thread_wake batch_begin batch_end signal"

# One line for each probe of BINARY: name, address, how many arguments
notes() {
	readelf -nW "$1" | awk '
		/Provider: / { ours = $NF == "utmemd" }
		/Name: / { name = $2 }
		/Location: / { at = substr($2, 1, length($2) - 1) }
		/Arguments:/ { if (ours) print name, at, NF - 1 }'
}

command -v readelf >/dev/null || skip_all "no readelf here"
for binary in "$UTMEMD" "$B/utmemd"; do
	[ -x "$binary" ] || continue
	check_is "$binary has the probes and their arguments" \
		"batch_begin:2 batch_end:2 signal:2 thread_sleep:0 thread_wake:1" \
		"$(notes "$binary" | awk '{ print $1 ":" $3 }' | sort -u | xargs)"
done
check_is "the manual names them" "$(xargs -n 1 <<<"$probes" | sort | xargs)" \
	"$(sed -n '/^\.Sh PROBES/,/^\.Sh/s/^\.It Va \([a-z]*_[a-z]*\|signal\).*/\1/p' packaging/man/utmemd.8 |
		sort | xargs)"

# ---- hit ----

untrace() {
	[ ! -d "$tracing/instances/$group" ] || {
		echo 0 >"$tracing/instances/$group/events/enable"
		rmdir "$tracing/instances/$group"
	}
	grep -o "$group/[a-z_0-9]*" "$tracing/uprobe_events" | sed 's/^/-:/' |
		while read -r line; do echo "$line" >>"$tracing/uprobe_events"; done
}
can_trace() {
	[ "$(id -u)" = 0 ] && [ -w "$tracing/uprobe_events" ] && [ -r "$tracing/uprobe_profile" ]
}
# Where the text is in memory and in the file
place() {
	readelf -SW "$1" | sed -n 's/^ *\[[ 0-9]*\] \.text  *PROGBITS  *\([0-9a-f]*\) \([0-9a-f]*\) .*/0x\1 0x\2/p'
}
trace() {
	local name at vaddr off i=0

	mkdir "$tracing/instances/$group" || return
	read -r vaddr off < <(place "$UTMEMD")
	# A probe may be in several places: the compiler copies what it inlines
	while read -r name at _; do
		printf 'p:%s/%s_%u %s:0x%x\n' "$group" "$name" "$((i++))" "$UTMEMD" "$((at - vaddr + off))" \
			>>"$tracing/uprobe_events" || return
	done < <(notes "$UTMEMD")
	echo 1 >"$tracing/instances/$group/events/$group/enable"
}
hits() {
	awk -v name="$1" -v of="$UTMEMD" '$1 == of && $2 ~ "^" name "_[0-9]+$" { n += $3 } END { print n + 0 }' \
		"$tracing/uprobe_profile"
}
stat_of() {
	utmemctl stats --json | sed "s/.*\"host\":{[^}]*\"$1\":\([0-9]*\).*/\1/"
}

can_trace || {
	remark "no uprobes here: only looked for"
	exit
}
at_exit untrace
UTMEMD=$(realpath "$UTMEMD")
utmemd_start --arena 16m --tenant bench:16m --heartbeat-ms 60000
check "the kernel takes them" trace
for counter in batches wakes sleeps; do
	printf -v "before_$counter" %s "$(stat_of $counter)"
done
hits_before=$(hits thread_sleep)
check "requests are served" "$bench" loopback --transport "unix:$RUN/bench.sock" --items 100 \
	--requests 640 --rounds 1 --ops put
# The bench has gone; nobody but us wakes the daemon
sleeps=$(stat_of sleeps)
batches=$(stat_of batches)
# shellcheck disable=SC2154 # printf -v
check_is "batch_begin is hit for each batch" "$((batches - before_batches))" "$(hits batch_begin)"
check_is "and so is batch_end" "$((batches - before_batches))" "$(hits batch_end)"
# shellcheck disable=SC2154
check_is "signal is hit for each wake" "$(($(stat_of wakes) - before_wakes))" "$(hits signal)"
slept=$(($(hits thread_sleep) - hits_before))
# shellcheck disable=SC2154
check "thread_sleep is hit for each sleep ($slept)" test "$slept" -ge "$((sleeps - before_sleeps))" -a \
	"$slept" -le "$(($(stat_of sleeps) - before_sleeps))"
check "each batch was some requests" test "$batches" -gt "$before_batches"
utmemd_stop
