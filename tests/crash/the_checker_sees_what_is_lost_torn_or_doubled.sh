#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lifetime.sh has $tmp
# Somebody else loses, tears or brings back one value while the clients wait: the next sweep
# says so, that and nothing else, and the run fails. Without him it does not.
. "$(dirname "$0")/../tap.sh"
export KILLS=0

last_line() {
	local rc=0

	tests/crash/run "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
	echo "$rc $(tail -n 1 "$tmp/out")"
}

cd "$(dirname "$0")/../.." || exit 1
check_like "nothing is wrong" "0 crash: * lost=0 torn=0 duplicated=0" "$(last_line)"
check_like "one is lost" "1 crash: * lost=1 torn=0 duplicated=0" "$(last_line --sabotage lose)"
check_like "one is torn" "1 crash: * lost=0 torn=1 duplicated=0" "$(last_line --sabotage tear)"
check_like "one is there twice" "1 crash: * lost=0 torn=0 duplicated=1" \
	"$(last_line --sabotage duplicate)"
