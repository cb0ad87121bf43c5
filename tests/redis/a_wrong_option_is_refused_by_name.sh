#!/bin/bash
# SPDX-License-Identifier: MIT
# Each wrong option keeps the module out, with a line that names it.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m

# refused NAME PATTERN OPTION...: the log says why
refused() {
	local name=$1 pattern=$2 rc=0

	shift 2
	redis_run --loadmodule "$REDIS_MODULE" "$@"
	pid_wait "$redis_pid" 20 || rc=$?
	redis_pid=
	check_is "$name: the server does not start" 1 "$rc"
	check_like "$name: the log says why" "*$pattern*" "$(cat "$redis_log")"
}

to_host="transport unix:$RUN/t.sock"
# shellcheck disable=SC2086 # $to_host is two words
{
	refused "an unknown option" "option colour red: no such option" $to_host colour red
	refused "an option without a value" "option pool : empty or too long" $to_host pool
	refused "a number that is none" "option entries many: not a number" $to_host entries many
	refused "a suffix that is none" "option data-size 8q: not a number" $to_host data-size 8q
	refused "a negative number" "option entries -1: not a number" $to_host entries -1
	refused "too few entries" "option entries 1: out of range" $to_host entries 1
	refused "too many entries" "option entries 65536: out of range" $to_host entries 65536
	refused "entries that are no power of two" "option entries 1000: not a power of two" \
		$to_host entries 1000
	refused "too little data" "option data-size 63k: out of range" $to_host data-size 63k
	refused "too long a spin" "option spin-usecs 1001: out of range" $to_host spin-usecs 1001
	refused "too short a timeout" "option timeout-ms 99: out of range" $to_host timeout-ms 99
	refused "no request per doorbell" "option batch-max 0: out of range" $to_host batch-max 0
	refused "too many requests per doorbell" "option batch-max 65537: out of range" \
		$to_host batch-max 65537
	refused "too long a wait for requests" "option batch-usecs 1000001: out of range" \
		$to_host batch-usecs 1000001
	refused "a mode that is none" "option batch-mode clever: no such value" \
		$to_host batch-mode clever
	refused "no completion per interrupt" "option irq-max 0: out of range" $to_host irq-max 0
	refused "too many completions per interrupt" "option irq-max 65537: out of range" \
		$to_host irq-max 65537
	refused "too long a wait for completions" "option irq-usecs 1000001: out of range" \
		$to_host irq-usecs 1000001
	refused "a name that is too long" "empty or too long" \
		$to_host pool "$(printf 'n%.0s' {1..256})"
	refused "a pool name with a blank" "cannot open the pool: Invalid argument" \
		$to_host pool "a b"
	refused "another tenant's pool" "cannot open the pool" $to_host pool other:redis
}
refused "a transport that is none" "carrier:pigeon: cannot connect: Invalid argument" \
	transport carrier:pigeon
refused "a socket that is not there" "cannot connect: No such file" transport "unix:$RUN/no.sock"
refused "no device by default" "dev:/dev/utmem0: cannot connect: No such file"

redis_start t entries 2 data-size 64k spin-usecs 1000 timeout-ms 100 pool "$(printf 'n%.0s' {1..63})" \
	batch-max 1 batch-usecs 0 batch-mode fixed irq-max 1 irq-usecs 0
check_is "the smallest of each works" "OK v" "$(redis UTMEM.SET k v) $(redis UTMEM.GET k)"
redis_stop
redis_start t ENTRIES 32768 Data-Size 16M batch-max 64k batch-usecs 1000000 Batch-Mode Adaptive \
	irq-max 65536 irq-usecs 1000000
check_is "names are taken in any case, and much is cut to what the host has" "OK v" \
	"$(redis UTMEM.SET k v) $(redis UTMEM.GET k)"
redis_stop
utmemd_stop
