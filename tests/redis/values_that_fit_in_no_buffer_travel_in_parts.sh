#!/bin/bash
# SPDX-License-Identifier: MIT
# Values that fit in no buffer travel in parts, and come back whole; also a million nul bytes.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 512m --tenant t:512m
redis_start t data-size 1m

# round NAME FILE: what goes in comes out
round() {
	redis -x UTMEM.SET "$1" <"$2" >"$tmp/reply"
	check_is "SET of $1" OK "$(cat "$tmp/reply")"
	redis UTMEM.GET "$1" >"$tmp/back"
	# redis-cli ends a reply with a newline of its own
	truncate -s -1 "$tmp/back"
	check "GET of $1 is the same" cmp "$2" "$tmp/back"
}

for bytes in 4095 4096 4097 65536 131072 1048575 1048576 1048577 $((64 << 20)); do
	random_file "$tmp/value" "$bytes"
	round "a value of $bytes bytes" "$tmp/value"
done
truncate -s 1000000 "$tmp/nul"
round "a million nul bytes" "$tmp/nul"

check_is "parts were used" yes "$([ "$(stat_of parts)" -gt 64 ] && echo yes)"
check_is "no stream is left open: 20 more long values" OK "$(
	random_file "$tmp/value" 300000
	for i in {1..20}; do
		redis -x UTMEM.SET "long $i" <"$tmp/value"
	done | sort -u
)"
# All of them at once: more streams than a queue has
for i in {1..24}; do
	redis -x UTMEM.SET "long $i" <"$tmp/value" >"$tmp/reply.$i" &
	pids[i]=$!
done
wait "${pids[@]}"
check_is "24 clients with long values at once" OK "$(sort -u "$tmp"/reply.*)"
mapfile -t keys < <(printf 'long %s\n' {1..24})
redis UTMEM.MGET "${keys[@]}" >"$tmp/back"
check_is "MGET of 24 long values brings all of them" $((24 * 300001)) "$(stat -c %s "$tmp/back")"
redis_stop
utmemd_stop
