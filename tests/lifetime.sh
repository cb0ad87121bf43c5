#!/bin/bash
# SPDX-License-Identifier: MIT
# A script that starts things and leaves nothing behind. Sourced (by tap.sh, and by what is no
# test): $tmp is an empty folder of the script's own, at_exit registers what ends before it goes.
set -u

tmp=$(mktemp -d)
exit_hooks=()

# at_exit FUNCTION: called when the script ends, however it ends; the last registered first.
# It may set exit_status.
at_exit() {
	exit_hooks=("$1" "${exit_hooks[@]}")
}

lifetime_end() {
	exit_status=$?
	local hook

	# A subshell that a signal met before it had traps of its own
	[ "$BASHPID" = $$ ] || exit "$exit_status"
	trap - EXIT
	trap '' INT TERM HUP
	for hook in "${exit_hooks[@]}"; do
		"$hook"
	done
	rm -rf "$tmp"
	exit "$exit_status"
}

# pid_wait PID SECONDS: the exit status of a child; killed, and 124, at the deadline
pid_wait() {
	local rc=0 first='' guard

	sleep "$2" >/dev/null 2>&1 &
	guard=$!
	wait -n -p first "$1" "$guard" 2>/dev/null || rc=$?
	if [ "$first" = "$guard" ]; then
		kill -KILL "$1" 2>/dev/null
		wait "$1" 2>/dev/null
		return 124
	fi
	# KILL: it may not have got to its exec yet, and have our traps
	kill -KILL "$guard"
	wait "$guard" 2>/dev/null
	return "$rc"
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

trap lifetime_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
