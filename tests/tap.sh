#!/bin/bash
# SPDX-License-Identifier: MIT
# What every test script shares: TAP lines, a scratch folder $tmp, and an orderly end. Source it;
# the script's exit then prints the plan, and fails if a test did or if there was none.
. "$(dirname "${BASH_SOURCE[0]}")/lifetime.sh"

tap_nr=0 tap_failed=0

ok() {
	tap_nr=$((tap_nr + 1))
	echo "ok $tap_nr - $*"
}

not_ok() {
	tap_nr=$((tap_nr + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_nr - $*"
}

# remark TEXT...: lines that are no result
remark() {
	printf '%s\n' "$@" | sed 's/^/#   /'
}

# check NAME COMMAND...: the command succeeds. It runs in a subshell.
check() {
	local name=$1 out rc
	shift
	if out=$("$@" 2>&1); then
		ok "$name"
	else
		rc=$?
		not_ok "$name"
		echo "# exit $rc: $*"
		[ -z "$out" ] || remark "$out"
	fi
}

# check_is NAME WANT GOT: two strings are equal
check_is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		remark "want '$2'" "got  '$3'"
	fi
}

# check_like NAME PATTERN GOT: the string matches the shell pattern
check_like() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $3 == $2 ]]; then
		ok "$1"
	else
		not_ok "$1"
		remark "want something like '$2'" "got '$3'"
	fi
}

# skip_all REASON: the whole script cannot run here
skip_all() {
	echo "$*"
	tap_skipped=1
	exit 77
}

# bail REASON: the rest makes no sense
bail() {
	not_ok "$*"
	exit 1
}

tap_plan() {
	[ -z "${tap_skipped:-}" ] || return
	[ "$exit_status" -ne 0 ] || echo "1..$tap_nr"
	if [ "$tap_failed" -gt 0 ] || [ "$tap_nr" -eq 0 ]; then
		exit_status=1
	fi
}
at_exit tap_plan
