#!/bin/bash
# SPDX-License-Identifier: MIT
# Every command, with the edges of what it takes.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m
redis_start t

key1024=$(printf 'k%.0s' {1..1024})

check_is "SET says OK" OK "$(redis UTMEM.SET a 1)"
check_is "GET returns what was set" 1 "$(redis UTMEM.GET a)"
check_is "a second SET replaces" "OK 2" "$(redis UTMEM.SET a 2) $(redis UTMEM.GET a)"
check_is "GET of a missing key is nil" "(nil)" "$(redis --no-raw UTMEM.GET nobody)"
check_is "an empty value is a value" 'OK ""' "$(redis UTMEM.SET e "") $(redis --no-raw UTMEM.GET e)"
check_is "a key of 1 byte" OK "$(redis UTMEM.SET k v)"
check_is "a key of 1024 bytes" "OK v" "$(redis UTMEM.SET "$key1024" v) $(redis UTMEM.GET "$key1024")"
check_is "keys of 32 and 33 bytes are two" "OK OK x y" "$(
	{
		redis UTMEM.SET "${key1024:0:32}" x
		redis UTMEM.SET "${key1024:0:33}" y
		redis UTMEM.GET "${key1024:0:32}"
		redis UTMEM.GET "${key1024:0:33}"
	} | xargs
)"
for command in SET GET DEL EXISTS MSET MGET; do
	args=()
	[[ $command != *SET ]] || args=(v)
	check_like "$command refuses a key of 1025 bytes" "ERR *1 to 1024*" \
		"$(redis "UTMEM.$command" "${key1024}k" "${args[@]}")"
	check_like "$command refuses an empty key" "ERR *1 to 1024*" \
		"$(redis "UTMEM.$command" "" "${args[@]}")"
done

check_is "SET NX of a key that is there is nil, and the value stays" "(nil) 2" \
	"$(redis --no-raw UTMEM.SET a 3 NX) $(redis UTMEM.GET a)"
check_is "SET NX of a key that is not there" "OK 4" "$(redis UTMEM.SET b 4 nx) $(redis UTMEM.GET b)"
check_is "SET XX of a key that is not there is nil" "(nil) (nil)" \
	"$(redis --no-raw UTMEM.SET c 5 XX) $(redis --no-raw UTMEM.GET c)"
check_is "SET XX of a key that is there" "OK 6" "$(redis UTMEM.SET b 6 xx) $(redis UTMEM.GET b)"
check_like "SET with another word is a syntax error" "ERR syntax*" "$(redis UTMEM.SET a 1 YY)"

check_is "EXISTS counts what is there, twice what is named twice" 3 "$(redis UTMEM.EXISTS a a b nobody)"
check_is "DEL counts what was there" 1 "$(redis UTMEM.DEL k nobody k)"
check_is "MSET sets all, the last of one name wins" "OK 1 3" \
	"$(redis UTMEM.MSET m1 1 m2 2 m2 3) $(redis UTMEM.GET m1) $(redis UTMEM.GET m2)"
check_is "MGET keeps the order, with nil for what is not there" '1) "3" 2) (nil) 3) "1"' \
	"$(redis --no-raw UTMEM.MGET m2 nobody m1 | tr '\n' ' ' | sed 's/ $//')"
for line in SET "SET k" "SET k v NX XX" GET "GET k k" DEL EXISTS MSET "MSET k" "MSET k v k" MGET \
	"FLUSH x" "STATS x"; do
	# shellcheck disable=SC2086 # words
	check_like "UTMEM.$line has the wrong number of words" "ERR wrong number*" \
		"$(redis UTMEM.$line)"
done

check_is "values of Redis itself are others" "OK redis 2" \
	"$(redis SET a redis) $(redis GET a) $(redis UTMEM.GET a)"
check_is "FLUSHALL leaves the pool alone" "OK 2" "$(redis FLUSHALL) $(redis UTMEM.GET a)"
check_is "FLUSH empties the pool" "OK 0 0" \
	"$(redis UTMEM.FLUSH) $(redis UTMEM.EXISTS a b m1 m2 e) $(stat_of pool_items)"
check_is "COMMAND knows the keys" "m1 m2" "$(redis COMMAND GETKEYS UTMEM.MSET m1 1 m2 2 | xargs)"
redis_stop
utmemd_stop
