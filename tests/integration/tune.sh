#!/bin/bash
# SPDX-License-Identifier: MIT
# utmemctl tune: what it shows and sets, that a wrong word changes nothing, and that what was set
# outlives workers and binaries, and ends with the daemon.
. "$(dirname "$0")/lib.sh"

# shows TEXT POLL_USECS POLL_CPU_PERCENT
shows() {
	check_is "$1" "poll-usecs $2 poll-cpu-percent $3" \
		"$(utmemctl tune | awk 'NR > 1 { print $1, $2 }' | xargs)"
}
# refuses TEXT KNOB=VALUE...
refuses() {
	local text=$1 out rc=0

	shift
	out=$(utmemctl tune "$@" 2>&1) || rc=$?
	check_like "$* is refused" "1: utmemctl: $text" "$rc: $out"
	shows "$*: nothing has changed" 30 90
}
stat_of() {
	utmemctl stats --json | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

utmemd_start --arena 16m --threads 3 --poll-usecs 30
check_is "a knob has a value, a unit, a range and a default" \
	"knob value unit range default poll-usecs 30 us 0..1000000 50 poll-cpu-percent 100 % 0..100 100" \
	"$(utmemctl tune | xargs)"
check_is "--json is one line with exact numbers" \
	'{"knob":"poll-usecs","value":30,"unit":"us","min":0,"max":1000000,"default":50}' \
	"$(utmemctl tune --json | grep -o '{"knob":"poll-usecs"[^}]*}')"
utmemctl tune poll-cpu-percent=90 >/dev/null
shows "one knob is set, the other stays" 30 90

# ---- bad words ----

refuses 'no such knob: poll' poll=1
refuses 'no such knob: threads' threads=2
refuses 'no such knob: ' =1
refuses 'no such knob: nonsense' poll-usecs=1 nonsense=1
refuses 'poll-usecs: 1000001 is not in 0 .. 1000000' poll-usecs=1000001
refuses 'poll-usecs: -1 is no number' poll-usecs=-1
refuses 'poll-usecs:  is no number' poll-usecs=
refuses 'poll-usecs: 5k is no number' poll-usecs=5k
refuses 'poll-usecs: 1=2 is no number' poll-usecs=1=2
refuses 'poll-cpu-percent: 101 is not in 0 .. 100' poll-usecs=1 poll-cpu-percent=101
refuses 'poll-usecs: said twice' poll-usecs=1 poll-usecs=1
check_is "what was refused is not in the log" 0 "$(grep -c 'poll-usecs: ' "$utmemd_log")"

# ---- how long it holds ----

before=$(stat_of kept_fds)
utmemctl tune poll-usecs=0 poll-cpu-percent=0 >/dev/null
shows "the least that can be set" 0 0
check_is "no window is open" 0 "$(stat_of poll_window_ns)"
utmemctl tune poll-usecs=1000000 poll-cpu-percent=100 >/dev/null
shows "the most that can be set" 1000000 100
utmemctl tune poll-usecs=7 poll-cpu-percent=1 >/dev/null
check_is "one descriptor stands for all of it" "$before" "$(stat_of kept_fds)"
kill -KILL "$(utmemd_worker)"
check "another worker serves" wait_for 20 utmemctl stats
check_is "one has died" 1 "$(stat_of worker_deaths)"
shows "it outlives a worker" 7 1
utmemctl upgrade >/dev/null
shows "it outlives an upgrade" 7 1
utmemctl tune poll-usecs=30 poll-cpu-percent=100 >/dev/null
check_is "as the options have it, nothing is kept" "$((before - 1))" "$(stat_of kept_fds)"
utmemctl tune poll-usecs=7 >/dev/null
utmemd_stop
utmemd_start --arena 16m
shows "it ends with the daemon" 50 100
utmemd_stop
