#!/bin/bash
# SPDX-License-Identifier: MIT
# make demo, with fewer values: it counts, compares and says ok; with too small a pool it says
# FAILED, and a demo that is interrupted leaves nothing behind.
. "$(dirname "$0")/../lib.sh"

# A child for each run, so that its end is its own
demo() {
	timeout 300 "$vm_here/demo.sh" "$@" >"$tmp/out" 2>&1
}

rc=0
demo --mib 24 || rc=$?
last=$(tail -n 1 "$tmp/out")
check_is "it ends well" 0 "$rc"
check_like "its last line says so" \
	"demo: ok values=* bytes=* lost=0 requests=* doorbells=* accel=$ACCEL" "$last"
[ "$rc" = 0 ] || remark "$(cat "$tmp/out")"
number() {
	sed -E "s/.* $1=([0-9]+).*/\\1/" <<<"$last"
}
check "at least as many bytes as were asked for" [ "$(number bytes)" -ge $((24 << 20)) ]
check "a request for each value's way there and back" \
	[ "$(number requests)" -ge $((2 * $(number values))) ]
check "fewer doorbells than requests" [ "$(number doorbells)" -lt "$(number requests)" ]
for row in values bytes lost requests doorbells "requests per doorbell" "guest MemFree before" \
	"guest MemFree after" "host pool bytes" "wall time"; do
	check "the table has $row" grep -qE "^  $row  " "$tmp/out"
done

rc=0
demo --mib 24 --arena 16m || rc=$?
check_is "a pool that is too small: it fails" 1 "$rc"
check_like "and says so" "demo: FAILED values=* lost=[1-9]*" "$(tail -n 1 "$tmp/out")"

mkdir "$tmp/scratch"
TMPDIR=$tmp/scratch "$vm_here/demo.sh" --mib 24 >"$tmp/out" 2>&1 &
pid=$!
check "a demo is under way" wait_for 120 grep -q 'store' "$tmp/out"
children=$(pgrep -P "$pid" -d ' ')
kill -TERM "$pid"
pid_wait "$pid" 30
check_is "interrupted: its own status" 143 "$?"
check_is "interrupted: no file is left" "" "$(ls "$tmp/scratch")"
# shellcheck disable=SC2086 # pids
check_is "interrupted: no process is left" "" "$(ps -o args= -p "${children// /,}" 2>/dev/null)"
