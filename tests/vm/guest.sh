#!/bin/sh
# SPDX-License-Identifier: MIT
# What a case's guest part has at hand, and the shell that runs it (called by init).
# Output: the result channel. "ok NAME" and "not ok NAME" count, any other line is a remark;
# errors and the output of check's commands go to the console.
# shellcheck disable=SC2034 # variables for the case
dev=/sys/class/misc/utmem0

ok() {
	echo "ok $*"
}

not_ok() {
	echo "not ok $*"
	failed=1
}

# check NAME COMMAND...: the command succeeds
check() {
	check_name=$1 check_rc=0
	shift
	"$@" >/dev/console 2>&1 || check_rc=$?
	if [ "$check_rc" = 0 ]; then
		ok "$check_name"
	else
		not_ok "$check_name"
		echo "exit $check_rc: $*"
	fi
}

# check_is NAME WANT GOT: two strings are equal
check_is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		echo "want '$2', got '$3'"
	fi
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	wait_end=$(($(date +%s) + $1 * ${vm_slow:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$(date +%s)" -ge "$wait_end" ]; then
			echo "gave up waiting for: $*"
			return 1
		fi
		usleep 20000
	done
}

# A line that the host sends with vm_say; the end of a conversation fails
hear() {
	read -r heard
}

driver_load() {
	insmod /lib/utmem.ko "$@" && wait_for 10 test -c /dev/utmem0
}

# load_start N: processes that use the device for ever, and end when an answer is wrong
load_start() {
	load_pids=
	for load_i in $(seq "$1"); do
		driver-load "load$load_i" "$load_i" 0 >"/run/load$load_i" 2>&1 &
		load_pids="$load_pids $load_i:$!"
	done
	for load_i in $(seq "$1"); do
		wait_for 60 grep -q loaded "/run/load$load_i" || return 1
	done
}

# load_says I NUMBER: it has answered more often than that, for wait_for
load_says() {
	[ "$(grep -c 'goes on' "/run/load$1")" -gt "$2" ]
}

# load_serves: all of them get answers, which are right
load_serves() {
	for load_i in $load_pids; do
		load_said=$(grep -c 'goes on' "/run/load${load_i%:*}")
		kill -USR1 "${load_i#*:}"
		wait_for 60 load_says "${load_i%:*}" "$load_said" || {
			cat "/run/load${load_i%:*}"
			return 1
		}
	done
}

# load_end: killed, as they are
load_end() {
	for load_i in $load_pids; do
		kill -KILL "${load_i#*:}"
		wait "${load_i#*:}" 2>/dev/null
	done
}

# redis_start [OPTION...]: a server on /run/redis.sock that keeps nothing on disk
redis_start() {
	redis-server --port 0 --unixsocket /run/redis.sock --save '' --appendonly no \
		--daemonize no "$@" >/run/redis.log 2>&1 &
	redis_pid=$!
	wait_for 20 redis ping || {
		cat /run/redis.log >/dev/console
		return 1
	}
}

# redis_utmem [MODULE_OPTION...]: the same with the module in it
redis_utmem() {
	redis_start --loadmodule /lib/utmem.so transport dev:/dev/utmem0 "$@"
}

redis() {
	redis-cli -s /run/redis.sock "$@"
}

# stat_of NAME: a number of UTMEM.STATS
stat_of() {
	redis UTMEM.STATS | grep -A1 -Fx "$1" | tail -n 1
}

# stat_above NAME NUMBER, for wait_for
stat_above() {
	[ "$(stat_of "$1")" -gt "$2" ]
}

set -u
failed=0
# shellcheck source=/dev/null # comes with the case
. /run/case/guest
exit $failed
