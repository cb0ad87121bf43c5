#!/bin/bash
# SPDX-License-Identifier: MIT
# A server with I/O threads, which read and write for clients beside the main thread.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 128m --tenant t:128m
redis_run --io-threads 4 --io-threads-do-reads yes \
	--loadmodule "$REDIS_MODULE" transport "unix:$RUN/t.sock"
redis_wait
redis-benchmark -s "$redis_sock" -c 50 -n 20000 -P 8 -r 500 -q \
	UTMEM.SET key:__rand_int__ a-value-of-some-length >"$tmp/benchmark" 2>&1
check_is "every command was a request" 20000 "$(stat_of requests)"
check_is "no error" 0 "$(stat_of errors)"
random_file "$tmp/value" 500000
for i in {1..30}; do
	redis -x UTMEM.SET "long $i" <"$tmp/value" >"$tmp/reply.$i" &
	pids[i]=$!
done
wait "${pids[@]}"
check_is "long values of many clients" OK "$(sort -u "$tmp"/reply.*)"
for i in {1..30}; do
	redis UTMEM.GET "long $i" >"$tmp/back.$i" &
	pids[i]=$!
done
wait "${pids[@]}"
truncate -s -1 "$tmp"/back.*
check_is "come back the same" 1 "$(sha256sum "$tmp/value" "$tmp"/back.* | cut -d' ' -f1 | sort -u | wc -l)"
redis_stop
utmemd_stop
