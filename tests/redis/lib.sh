#!/bin/bash
# SPDX-License-Identifier: MIT
# A stock redis-server on the host with the module in it, over unix:. Sourced by every test here.
# The sanitised module is preferred, as is the sanitised daemon; REDIS_MODULE names another.
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../daemon.sh"

REDIS_MODULE=${REDIS_MODULE:-$B/asan/redis/utmem.so}
[ -e "$REDIS_MODULE" ] || REDIS_MODULE=$B/redis/utmem.so
REDIS_MODULE=$(realpath "$REDIS_MODULE" 2>/dev/null)
# Debian ships the server in redis-tools, too, where it checks files: its name decides.
REDIS_SERVER=${REDIS_SERVER:-$(command -v redis-server || command -v redis-check-rdb)}
redis_sock=$tmp/redis.sock
redis_log=$tmp/redis.log
redis_pid=

[ -n "$REDIS_SERVER" ] || skip_all "no redis-server here"
[ -n "$REDIS_MODULE" ] || skip_all "no redis module: make redis-module"
[ -x "$UTMEMD" ] || skip_all "no utmemd: make"

# A module with AddressSanitizer in a server without: the runtime must come first. Redis itself
# leaves things to the end of the process.
redis_exec() {
	if nm -D "$REDIS_MODULE" | grep -q __asan_init; then
		export LD_PRELOAD ASAN_OPTIONS=detect_leaks=0
		LD_PRELOAD=$(gcc -print-file-name=libasan.so)
	fi
	exec -a redis-server "$REDIS_SERVER" "$@"
}

# redis_run ARGUMENT...: starts a server with exactly these
redis_run() {
	rm -f "$redis_sock"
	(redis_exec --port 0 --unixsocket "$redis_sock" --save '' --appendonly no --dir "$tmp" \
		--enable-module-command local "$@") >"$redis_log" 2>&1 </dev/null &
	redis_pid=$!
}

# redis_start TENANT [MODULE_OPTION...]: returns when it answers
redis_start() {
	local tenant=$1

	shift
	redis_run --loadmodule "$REDIS_MODULE" transport "unix:$RUN/$tenant.sock" "$@"
	redis_wait
}

redis_answers() {
	[ "$(redis PING 2>/dev/null)" = PONG ]
}

redis_gone_or_answers() {
	! kill -0 "$redis_pid" 2>/dev/null || redis_answers
}

redis_wait() {
	wait_for 30 redis_gone_or_answers
	redis_answers || {
		redis_show
		bail "redis-server starts"
	}
}

# One command, its reply as redis-cli prints it
redis() {
	redis-cli -s "$redis_sock" "$@"
}

# The same in the background: client ... &, and $! is redis-cli itself
client() {
	exec redis-cli -s "$redis_sock" "$@"
}

# stat_of NAME: a number of UTMEM.STATS
stat_of() {
	redis UTMEM.STATS | grep -A1 -Fx "$1" | tail -n 1
}

# stat_is NAME NUMBER, for wait_for
stat_is() {
	[ "$(stat_of "$1")" = "$2" ]
}

# blocked_is NUMBER, for wait_for: so many clients wait for the host. Redis itself says so: unlike
# UTMEM.STATS it never asks the host, which may be stopped.
blocked_is() {
	redis INFO clients | grep -q "^blocked_clients:$1[^0-9]"
}

# redis_end: SIGTERM; its exit status
redis_end() {
	local rc=0

	[ -n "$redis_pid" ] || return 0
	kill -TERM "$redis_pid" 2>/dev/null
	pid_wait "$redis_pid" 20 || rc=$?
	redis_pid=
	return "$rc"
}

# redis_stop: a test that the server ends in good order, and that nothing was found in it
redis_stop() {
	local rc=0

	redis_end || rc=$?
	check_is "redis-server ends in good order" 0 "$rc"
	[ "$rc" = 0 ] || redis_show
}

redis_show() {
	tail -n 40 "$redis_log" | sed 's/^/# redis: /'
}

# random_file PATH BYTES: content that no two calls share
random_file() {
	head -c "$2" /dev/urandom >"$1"
}

at_exit redis_end
