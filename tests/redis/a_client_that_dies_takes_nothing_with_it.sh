#!/bin/bash
# SPDX-License-Identifier: MIT
# A client that goes away or is unblocked while its requests are in flight takes nothing with it.
# "In flight" is made with a daemon that is stopped.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m
redis_start t spin-usecs 0
random_file "$tmp/value" 1500000
redis UTMEM.SET old 1 >"$tmp/reply"

worker=$(utmemd_worker)
kill -STOP "$worker"
client -x UTMEM.SET long <"$tmp/value" >"$tmp/killed" 2>&1 &
long=$!
client UTMEM.GET old >"$tmp/killed2" 2>&1 &
short=$!
check "two commands are in flight" wait_for 10 blocked_is 2
kill -KILL "$long" "$short"
wait "$long" "$short" 2>/dev/null
check "Redis sees that they are gone" wait_for 10 blocked_is 0

redis >"$tmp/unblocked" <<<'UTMEM.SET other 2' &
waiting=$!
check "a third command is in flight" wait_for 10 blocked_is 1
id=$(redis CLIENT LIST | sed -n 's/^id=\([0-9]*\) .* flags=[^ ]*b.*/\1/p')
check_is "CLIENT UNBLOCK works" 1 "$(redis CLIENT UNBLOCK "$id")"
wait "$waiting"
check_like "the unblocked client reads so" "UNBLOCKED*may or may not*" "$(cat "$tmp/unblocked")"
check_is "other clients are served" PONG "$(redis PING)"
kill -CONT "$worker"

check "every command ends when the host goes on" wait_for 10 stat_is commands_now 0
check_is "what was unblocked took effect here" 2 "$(redis UTMEM.GET other)"
check_is "a killed client's value is whole or not there" yes "$(
	redis UTMEM.GET long >"$tmp/back"
	truncate -s -1 "$tmp/back"
	[ ! -s "$tmp/back" ] || cmp "$tmp/value" "$tmp/back" >&2
	echo yes
)"
check_is "the old value stands" 1 "$(redis UTMEM.GET old)"
check_is "its stream and its buffers are free again" OK "$(
	for i in {1..24}; do
		redis -x UTMEM.SET "again $((i % 8))" <"$tmp/value"
	done | sort -u
)"
redis_stop
utmemd_stop
