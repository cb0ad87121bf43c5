#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed under load: every client reads an error, Redis goes on, and when the
# daemon is back so is the module. The same when it hangs.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m
redis_start t spin-usecs 0

is_up() {
	stat_is up 1
}
is_down() {
	stat_is up 0
}

for round in 1 2 3; do
	kill -STOP "$(utmemd_worker)"
	for i in {1..20}; do
		redis UTMEM.SET "key $i" value >"$tmp/reply.$i" &
		pids[i]=$!
	done
	check "$round: 20 commands in flight" wait_for 10 blocked_is 20
	utmemd_kill
	wait "${pids[@]}"
	check_is "$round: each reads that the host is down" 20 \
		"$(cat "$tmp"/reply.* | grep -c '^UTMEMDOWN')"
	check_like "$round: a new command, too, and at once" "UTMEMDOWN*" "$(redis UTMEM.GET a)"
	check_like "$round: a script, too" "*UTMEMDOWN*" \
		"$(redis EVAL "return redis.call('UTMEM.GET', 'a')" 0)"
	check_is "$round: Redis goes on" PONG "$(redis PING)"
	utmemd_start --arena 64m --tenant t:64m
	check "$round: the module is back" wait_for 20 is_up
	check_is "$round: and works" "OK $round" "$(redis UTMEM.SET a $round) $(redis UTMEM.GET a)"
done
check_is "it went down as often as the daemon did" "3 3" "$(stat_of downs) $(stat_of reconnects)"

redis_stop
redis_start t timeout-ms 500
# A daemon that hangs says nothing: after timeout-ms it counts as down.
worker=$(utmemd_worker)
kill -STOP "$worker"
check_like "a host that is silent is down" "UTMEMDOWN*does not answer" "$(redis UTMEM.GET a)"
# Meanwhile the module tries to reach it, which waits for an answer: Redis does not.
check_is "Redis goes on beside it" 40 "$(
	for i in {1..40}; do
		timeout 5 redis-cli -s "$redis_sock" PING
	done | grep -c PONG
)"
kill -CONT "$worker"
check "it wakes up: the module is back" wait_for 20 is_up
check_is "its values are there" 3 "$(redis UTMEM.GET a)"

kill -STOP "$worker"
check_like "a script does not wait for ever" "*UTMEMDOWN*does not answer*" \
	"$(redis EVAL "return redis.call('UTMEM.GET', 'a')" 0)"
kill -CONT "$worker"
check "back again" wait_for 20 is_up

utmemd_stop
check "a daemon that ends is noticed without a command" wait_for 20 is_down
unloads() {
	[ "$(redis MODULE UNLOAD utmem)" = OK ]
}
check "the module can be unloaded without a host" wait_for 20 unloads
redis_stop
