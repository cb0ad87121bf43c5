#!/bin/bash
# SPDX-License-Identifier: MIT
# The requests of all clients in one turn of the event loop are handed over as one batch, and
# ring at most once.
. "$(dirname "$0")/lib.sh"

clients=50

utmemd_start --arena 64m --tenant t:64m
redis_start t

# load PIPELINE COMMAND...: from many clients; then requests, submits, doorbells of it
load() {
	local pipeline=$1 before

	shift
	before=("$(stat_of requests)" "$(stat_of submits)" "$(stat_of doorbells)")
	redis-benchmark -s "$redis_sock" -c "$clients" -n 20000 -P "$pipeline" -r 1000 -q "$@" \
		>"$tmp/benchmark" 2>&1
	requests=$(($(stat_of requests) - before[0]))
	submits=$(($(stat_of submits) - before[1]))
	doorbells=$(($(stat_of doorbells) - before[2]))
	echo "# pipeline $pipeline: $requests requests, $submits batches, $doorbells doorbells"
	echo "# $(tr '\r' '\n' <"$tmp/benchmark" | tail -n 1)"
}

load 1 UTMEM.SET key:__rand_int__ value
check_is "a request for each command" 20000 "$requests"
check "many clients: a batch has at least five requests" [ $((submits * 5)) -le "$requests" ]
check "a batch rings once at most" [ "$doorbells" -le "$submits" ]
load 16 UTMEM.GET key:__rand_int__
check "pipelined: a batch has at least five requests" [ $((submits * 5)) -le "$requests" ]
check "a batch rings once at most, pipelined" [ "$doorbells" -le "$submits" ]
check_is "nothing is in flight" "0 0" "$(stat_of inflight) $(stat_of queued)"

clients=1
load 1 UTMEM.GET key:__rand_int__
check_is "one client alone: each request is a batch" "$requests" "$submits"
check "a client alone rings once for each at most" [ "$doorbells" -le "$requests" ]
redis_stop
utmemd_stop
