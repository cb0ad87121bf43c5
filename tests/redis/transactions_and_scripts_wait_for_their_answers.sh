#!/bin/bash
# SPDX-License-Identifier: MIT
# Where Redis cannot let a client wait, the command waits itself: same answers, in order.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m
redis_start t

transaction() {
	printf '%s\n' MULTI "UTMEM.SET a 1" "UTMEM.SET a 2 NX" "UTMEM.GET a" "UTMEM.MSET b 3 c 4" \
		"UTMEM.MGET a b nobody c" "UTMEM.DEL a b" "UTMEM.EXISTS a b c" EXEC | redis --no-raw
}
check_is "a transaction answers in order" \
	'1) OK 2) (nil) 3) "1" 4) OK 5) 1) "1" 2) "3" 3) (nil) 4) "4" 6) (integer) 2 7) (integer) 1' \
	"$(transaction | grep -v QUEUED | sed 1d | xargs -d '\n' | tr -s ' ')"
check_is "those were waited for" 7 "$(stat_of commands_sync)"

lua="redis.call('UTMEM.SET', KEYS[1], ARGV[1]); return redis.call('UTMEM.GET', KEYS[1])"
check_is "a script sets and gets" "from lua" "$(redis EVAL "$lua" 1 k "from lua")"
check_is "a script gets false for nil" "(nil)" \
	"$(redis --no-raw EVAL "return redis.call('UTMEM.GET', 'nobody')" 0)"
check_like "an error reaches the script" "caught ERR*" \
	"$(redis EVAL "return 'caught ' .. redis.pcall('UTMEM.GET', '').err" 0)"

random_file "$tmp/value" $((3 << 20))
redis -x SET plain <"$tmp/value" >"$tmp/reply"
long="local v = redis.call('GET', 'plain'); redis.call('UTMEM.SET', 'long', v)
return redis.call('UTMEM.GET', 'long') == v and 'same' or 'differs'"
check_is "a script moves a long value" same "$(redis EVAL "$long" 0)"

# A command that waits takes the completions of others meanwhile
(printf 'UTMEM.SET many %s\n' {1..2000} | redis >"$tmp/many") &
for i in {1..50}; do
	redis EVAL "return redis.call('UTMEM.SET', 'x', ARGV[1])" 0 "$i"
done >"$tmp/scripts"
wait $!
check_is "scripts beside clients: all answered" "2000 50" \
	"$(grep -c OK "$tmp/many") $(grep -c OK "$tmp/scripts")"
check_is "the last values stand" "2000 50" "$(redis UTMEM.GET many) $(redis UTMEM.GET x)"
redis_stop
utmemd_stop
