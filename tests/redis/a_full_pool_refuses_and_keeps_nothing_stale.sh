#!/bin/bash
# SPDX-License-Identifier: MIT
# A pool at its quota refuses a SET; then the key's old value is gone, never stale.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant small:1m
redis_start small data-size 256k
random_file "$tmp/value" 600000
random_file "$tmp/other" 600000

check_is "a value within the quota" OK "$(redis -x UTMEM.SET a <"$tmp/value")"
check_like "another is too much" "OOM*host pool is full" "$(redis -x UTMEM.SET b <"$tmp/other")"
check_is "what was refused is not there" 0 "$(redis UTMEM.EXISTS b)"
check_is "the first is whole" yes "$(
	redis UTMEM.GET a >"$tmp/back"
	truncate -s -1 "$tmp/back"
	cmp "$tmp/value" "$tmp/back" >&2 && echo yes
)"
check_is "a small value has room" OK "$(redis UTMEM.SET c old)"
check_like "a long one in its place does not" "OOM*" "$(redis -x UTMEM.SET c <"$tmp/other")"
check_is "the old value is gone" "(nil)" "$(redis --no-raw UTMEM.GET c)"
check_like "MSET stops nowhere but says so" "OOM*" \
	"$(redis -x UTMEM.MSET d 1 e <"$tmp/other")"
check_is "its other keys are set" 1 "$(redis UTMEM.GET d)"
check_is "room is given back" "1 OK" "$(redis UTMEM.DEL a) $(redis -x UTMEM.SET b <"$tmp/other")"
check_is "errors are counted" yes "$([ "$(stat_of errors)" -ge 3 ] && echo yes)"
check_like "a value above the quota" "OOM*" "$(head -c 2000000 /dev/urandom | redis -x UTMEM.SET huge)"
check_is "an operator gives more" OK "$(
	utmemctl tenant quota small 8m >&2
	head -c 2000000 /dev/urandom | redis -x UTMEM.SET huge
)"
redis_stop
utmemd_stop
