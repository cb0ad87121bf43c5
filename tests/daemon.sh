#!/bin/bash
# SPDX-License-Identifier: MIT
# Starts and ends utmemd for a script. Source it after tap.sh (or lifetime.sh and a bail of your
# own). $utmemd_pid is the supervisor, utmemd_worker says who serves. The sanitised daemon is preferred; UTMEMD and UTMEMCTL name others. $RUN has its sockets.

B=${B:-build}
UTMEMD=${UTMEMD:-$B/asan/utmemd}
[ -x "$UTMEMD" ] || UTMEMD=$B/utmemd
UTMEMCTL=${UTMEMCTL:-$B/utmemctl}
# shellcheck disable=SC2154 # lifetime.sh
RUN=$tmp/run
utmemd_log=$tmp/utmemd.log
utmemd_pid=

# utmemd_start ARGUMENT...: returns when it accepts
utmemd_start() {
	local fd line

	mkdir -p "$RUN"
	[ -p "$tmp/utmemd.err" ] || mkfifo "$tmp/utmemd.err"
	"$UTMEMD" --run-dir "$RUN" "$@" 2>"$tmp/utmemd.err" </dev/null &
	utmemd_pid=$!
	exec {fd}<"$tmp/utmemd.err"
	while IFS= read -r -t 30 -u "$fd" line; do
		echo "$line" >>"$utmemd_log"
		if [ "$line" = "utmemd: ready" ]; then
			# The rest of its log, until it ends
			cat <&"$fd" >>"$utmemd_log" &
			exec {fd}<&-
			return 0
		fi
	done
	exec {fd}<&-
	utmemd_show
	bail "utmemd starts"
}

utmemctl() {
	"$UTMEMCTL" --run-dir "$RUN" "$@"
}

# utmemd_stat NAME: that number of its stats; of the last tenant, when tenants have it as well
utmemd_stat() {
	utmemctl stats --json | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# utmemd_stat_is NAME NUMBER, for wait_for
utmemd_stat_is() {
	[ "$(utmemd_stat "$1")" = "$2" ]
}

# The pid of the process that serves, now: it answers, so it must not be stopped
utmemd_worker() {
	utmemd_stat worker_pid
}

# utmemd_worker_is_another PID, for wait_for
utmemd_worker_is_another() {
	local pid

	pid=$(utmemd_worker) && [ -n "$pid" ] && [ "$pid" != "$1" ]
}

# SIGKILL to the process that serves; returns when the next one does
utmemd_worker_kill() {
	local pid

	pid=$(utmemd_worker)
	kill -KILL "$pid" && wait_for 30 utmemd_worker_is_another "$pid"
}

# SIGTERM; a test that it ends by itself and in good order
utmemd_stop() {
	local rc=0

	kill -TERM "$utmemd_pid" 2>/dev/null
	pid_wait "$utmemd_pid" 20 || rc=$?
	utmemd_pid=
	check_is "utmemd ends in good order" 0 "$rc"
	[ "$rc" = 0 ] || utmemd_show
}

# SIGKILL to the supervisor, with whom the worker dies: as a crash of it all
utmemd_kill() {
	kill -KILL "$utmemd_pid" 2>/dev/null
	wait "$utmemd_pid" 2>/dev/null
	utmemd_pid=
}

utmemd_show() {
	tail -n 40 "$utmemd_log" | sed 's/^/# utmemd: /'
}

utmemd_end() {
	[ -n "$utmemd_pid" ] || return 0
	kill -TERM "$utmemd_pid" 2>/dev/null
	pid_wait "$utmemd_pid" 20
}
at_exit utmemd_end
