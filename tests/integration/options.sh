#!/bin/bash
# SPDX-License-Identifier: MIT
# Every wrong flag and every wrong line of the configuration is told in one line, with the exit
# code 2, or 1 where the host is in the way; right ones are in force.
. "$(dirname "$0")/lib.sh"

# A daemon that starts after all must not run for ever.
run() {
	timeout 20 "$UTMEMD" --run-dir "$RUN" "$@" 2>&1 >/dev/null </dev/null
}

# wrong CODE MESSAGE FLAG...: the last line of stderr is MESSAGE (a pattern)
wrong() {
	local code=$1 message=$2 out rc=0

	shift 2
	out=$(run "$@") || rc=$?
	check_like "$* says $message" "$code: $message" "$rc: $(tail -n 1 <<<"$out")"
}

wrong 2 'utmemd: --window: 3m is not a power of two' --window 3m
wrong 2 'utmemd: --window: 128k is not in 256k .. 1t' --window 128k
wrong 2 'utmemd: --window: 2t is not in 256k .. 1t' --window 2t
wrong 2 'utmemd: --client-window: 257k is not a power of two' --client-window 257k
wrong 2 'utmemd: --client-window: 4k is not in 256k .. 1t' --client-window 4k
wrong 2 'utmemd: --client-memory: 255k is not in 256k .. 1t' --client-memory 255k
wrong 2 'utmemd: --client-memory: 2t is not in 256k .. 1t' --client-memory 2t
wrong 2 'utmemd: --client-memory: has no room for one --client-window' \
	--client-window 1m --client-memory 1023k
wrong 2 'utmemd: --arena: 1023k is not in 1m .. 1t' --arena 1023k
wrong 2 'utmemd: --arena: 2t is not in 1m .. 1t' --arena 2t
wrong 2 'utmemd: --arena: 99999999999999999999 is too large' --arena 99999999999999999999
wrong 2 'utmemd: --arena: 1x is no size: *' --arena 1x
wrong 2 'utmemd: --arena: 1mm is no size: *' --arena 1mm
wrong 2 'utmemd: --arena: -1 is no size: *' --arena=-1
wrong 2 'utmemd: --arena:  is no size: *' --arena ''
wrong 2 'utmemd: --tenant: a is not NAME:QUOTA' --tenant a
wrong 2 'utmemd: --tenant: :1m has no valid name: 1 .. 63 of *' --tenant :1m
wrong 2 'utmemd: --tenant: a/b:1m has no valid name: *' --tenant a/b:1m
wrong 2 'utmemd: --tenant: * has no valid name: *' --tenant "$(printf '%064d' 0):1m"
wrong 2 'utmemd: --tenant: a: has no valid quota: *' --tenant a:
wrong 2 'utmemd: --tenant: a:1mx:2 has no valid quota: *' --tenant a:1mx:2
wrong 2 'utmemd: --tenant: a:1m:2m has no valid weight: 1 .. 1000' --tenant a:1m:2m
wrong 2 'utmemd: --tenant: a:1m: has no valid weight: *' --tenant a:1m:
wrong 2 'utmemd: --tenant: a:1m:0 has no valid weight: *' --tenant a:1m:0
wrong 2 'utmemd: --tenant: a:1m:1001 has no valid weight: *' --tenant a:1m:1001
wrong 2 'utmemd: --pressure: on is neither off nor some|full:STALL/WINDOW' --pressure on
wrong 2 'utmemd: --pressure: some:100 is neither *' --pressure some:100
wrong 2 'utmemd: --pressure: some:/1000 has no window of *' --pressure some:/1000
wrong 2 'utmemd: --pressure: some:0/1000 has no window of *' --pressure some:0/1000
wrong 2 'utmemd: --pressure: full:1001/1000 has no window of *' --pressure full:1001/1000
wrong 2 'utmemd: --pressure: some:100/499 has no window of 500 .. 10000 ms, *' --pressure some:100/499
wrong 2 'utmemd: --pressure: some:100/10001 has no window of *' --pressure some:100/10001
wrong 2 'utmemd: --pressure-step: 1k is not in 1m .. 1t' --pressure-step 1k
wrong 2 'utmemd: --pressure-file:  is empty' --pressure-file ''
wrong 2 'utmemd: --vectors: 0 is not in 1 .. 32' --vectors 0
wrong 2 'utmemd: --vectors: 33 is not in 1 .. 32' --vectors 33
wrong 2 'utmemd: --max-queues: 1 is not in 2 .. 1k' --max-queues 1
wrong 2 'utmemd: --max-queues: 1025 is not in 2 .. 1k' --max-queues 1025
wrong 2 'utmemd: --max-clients: 0 is not in 1 .. 64k' --max-clients 0
wrong 2 'utmemd: --threads: 0 is not in 1 .. 64' --threads 0
wrong 2 'utmemd: --threads: 65 is not in 1 .. 64' --threads 65
wrong 2 'utmemd: --poll-usecs: 1000001 is not in 0 .. 1000000' --poll-usecs 1000001
wrong 2 'utmemd: --poll-usecs: 5k is no number' --poll-usecs 5k
wrong 2 'utmemd: --poll-cpu-percent: 101 is not in 0 .. 100' --poll-cpu-percent 101
wrong 2 'utmemd: --poll-cpu-percent: 5% is no number' --poll-cpu-percent 5%
wrong 2 'utmemd: --save-memory: 1023k is not in 1m .. 1t' --save-memory 1023k
wrong 2 'utmemd: --doorbell: bell is none of: auto mmio hypercall' --doorbell bell
wrong 2 'utmemd: --heartbeat-ms: 9 is not in 10 .. 60000' --heartbeat-ms 9
wrong 2 'utmemd: --heartbeat-ms: 60001 is not in 10 .. 60000' --heartbeat-ms 60001
wrong 2 'utmemd: --socket-mode: 1000 is not in 0 .. 0777' --socket-mode 1000
wrong 2 'utmemd: --socket-mode: 0689 is no octal number' --socket-mode 0689
wrong 2 'utmemd: --state-dir:  is empty' --state-dir ''
wrong 2 'utmemd: --arena-file:  is empty' --arena-file ''
wrong 2 'utmemd: --arena-pages: 1g is none of: 4k 2m' --arena-pages 1g
wrong 2 'utmemd: --arena-pages: the pages of --arena-file are its file system*' \
	--arena-pages 2m --arena-file "$tmp/arena"
wrong 2 'utmemd: --engine: disk is none of: pool null' --engine disk
wrong 2 'utmemd: --compress: zip is none of: none lz4 zstd' --compress zip
wrong 2 'utmemd: --dedup: all is none of: off tenant' --dedup all
wrong 1 '*engine null: neither --compress nor --dedup: *' --engine null --compress lz4
wrong 2 'utmemd: --log-level: loud is none of: error warn info debug' --log-level loud
wrong 2 'utmemd: --config: * is empty' --config ''
wrong 2 '*unrecognized option*--no-such*' --no-such
wrong 2 "*option '--arena' requires an argument" --arena
wrong 2 "*option '--overcommit' doesn't allow an argument" --overcommit=yes
wrong 2 'utmemd: word: not an option' word

# ---- the file ----

# wrong_file MESSAGE LINE...: a file of these lines; MESSAGE goes on from "FILE:"
wrong_file() {
	local message=$1

	shift
	printf '%s\n' "$@" >"$tmp/conf"
	wrong 2 "utmemd: $tmp/conf:$message" --config "$tmp/conf"
}

wrong 2 "utmemd: $tmp/none: No such file or directory" --config "$tmp/none"
wrong_file '2: arena: 1x is no size: *' '[utmemd]' 'arena = 1x'
wrong_file '3: window: 3m is not a power of two' '[utmemd]' '# comment' 'window = 3m'
wrong_file '2: overcommit: maybe is neither yes nor no' '[utmemd]' 'overcommit = maybe'
wrong_file '2: arenas: unknown option' '[utmemd]' 'arenas = 1m'
wrong_file '2: config: unknown option' '[utmemd]' 'config = x'
wrong_file '1: arena: not in section \[utmemd\]' 'arena = 1m'
wrong_file '2: arena: not in section \[utmemd\]' '[other]' 'arena = 1m'
wrong_file '2: not of the form: option = value' '[utmemd]' 'arena'
wrong_file '2: arena: 1x is no size: *' '[utmemd]' 'arena = 1x' 'window = 3m'

# ---- the host is in the way ----

wrong 1 'utmemd: arena: not enough memory: 1.0t wanted, * available (--overcommit *' --arena 1t
wrong 1 "utmemd: $tmp/no/run: No such file or directory" --run-dir "$tmp/no/run"
wrong 1 "utmemd: $tmp/no/state: No such file or directory" --state-dir "$tmp/no/state"
wrong 1 "utmemd: $tmp/no/arena: No such file or directory" --arena-file "$tmp/no/arena"
wrong 1 'utmemd: arena: 1.0t: Cannot allocate memory (huge pages of 2m; see vm.nr_hugepages)' \
	--arena 1t --arena-pages 2m
touch "$tmp/file"
wrong 1 "utmemd: $tmp/file: Not a directory" --run-dir "$tmp/file"
wrong 1 'utmemd: tenant control: File exists' --tenant control:1m --arena 1m
mkdir -p "$RUN/a.sock"
wrong 1 'utmemd: tenant a: Socket operation on non-socket' --tenant a:1m --arena 1m
check_like "what is no socket is named" "*utmemd: $RUN/a.sock: is there and no socket*" \
	"$(run --tenant a:1m --arena 1m)"
rmdir "$RUN/a.sock"
long=$tmp/$(printf '%0100d' 0)
check_like "a path too long for a socket is named" \
	"*$long/control.sock: longer than the 107 bytes of a socket's path*" \
	"$(run --run-dir "$long" --arena 1m)"
check_is "nothing but the lock is left of those that did not start" "$RUN/utmemd.lock $long/utmemd.lock" \
	"$(find "$RUN" "$long" -mindepth 1 -printf "%p " | sed "s, $,,")"

# ---- and in force ----

flags_of_manual() {
	sed -n 's/^\.It Fl -\([a-z-]*\)\(.* Fl -\([a-z-]*\)\)\{0,1\}.*/\1 \3/p' packaging/man/utmemd.8
}
flags_of_help() {
	"$UTMEMD" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'
}
check_is "the manual and --help name the same options" "$(flags_of_help | sort | xargs)" \
	"$(flags_of_manual | xargs -n 1 | sort | xargs)"
check_like "--version" 'utmemd [0-9]*.[0-9]*.[0-9]* (*)' "$("$UTMEMD" --version)"

cat >"$tmp/conf" <<CONF
; comment
[utmemd]
arena = 32m
socket-mode = 0600
engine = null
tenant = one:1m
  two:2m:1000
tenant = three:3m ; comment
tenant = one:4m
CONF
utmemd_start --config "$tmp/conf" --arena 16m --tenant three:5m
check_like "a flag wins over the file" '*"arena_bytes":16777216,*' "$(utmemctl stats --json)"
check_like "the file is in force" '*"engine":"null"*' "$(utmemctl stats --json)"
check_is "tenants add up, the last word on each holds" 'one 4.0m two 2.0m three 5.0m' \
	"$(utmemctl tenant list | awk 'NR > 1 { print $1, $3 }' | xargs)"
check_is "a tenant has the weight that was asked for, or 100" 'one 100 two 1000 three 100' \
	"$(utmemctl tenant list | awk 'NR > 1 { print $1, $4 }' | xargs)"
check_is "sockets have the mode that was asked for" '600 600' \
	"$(stat -c %a "$RUN/one.sock" "$RUN/one.ivshmem" | xargs)"
utmemd_stop
check_is "sockets are gone" utmemd.lock "$(ls "$RUN")"

# knob NAME: its value, as utmemctl shows it
knob() {
	utmemctl tune | awk -v name="$1" '$1 == name { print $2 }'
}
utmemd_start --arena 1m --poll-usecs 0 --poll-cpu-percent 0
check_is "the least of polling is in force" "0 0" "$(knob poll-usecs) $(knob poll-cpu-percent)"
utmemd_stop
utmemd_start --arena 1m --poll-usecs 1000000 --poll-cpu-percent 100
check_is "the most of polling is in force" "1000000 100" "$(knob poll-usecs) $(knob poll-cpu-percent)"
utmemd_stop

utmemd_start --arena 1m --client-window 1m --client-memory 1m
ok "--client-memory starts with room for one --client-window"
utmemd_stop

utmemd_start --arena 1m --pressure some:500/500 --pressure-file "$tmp/none"
check_like "pressure that cannot be watched is said, and no reason to end" \
	"*utmemd: *pressure: $tmp/none: No such file or directory, not watched*" "$(cat "$utmemd_log")"
utmemd_stop

utmemd_start --arena 1t --overcommit
ok "--overcommit starts with more than there is"
utmemd_stop
