#!/bin/bash
# SPDX-License-Identifier: MIT
# A stock redis-server in the guest, the module on dev:. Values of all sizes come back; the
# clients of one turn share a batch, and a batch rings once at most; a server that is killed
# leaves its values, and nothing of itself.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 256m --tenant t:256m
# Of 64 MiB of window the queue takes 40: it does not fit twice.
vm_boot guest tenant=t smp=2 seconds=240 <<'GUEST'
check "the driver loads" driver_load
check "a stock redis-server loads the module" redis_utmem data-size 40m

check_is "a value" "OK hello" "$(redis UTMEM.SET a hello) $(redis UTMEM.GET a)"
check_is "several at once" "OK 1,,2" \
	"$(redis UTMEM.MSET b 1 c 2) $(redis UTMEM.MGET b nobody c | tr '\n' , | sed 's/,$//')"
check_is "a script waits for its answer" 2 \
	"$(redis EVAL "redis.call('UTMEM.SET', 'd', '2'); return redis.call('UTMEM.GET', 'd')" 0)"
for bytes in 4097 100000 1048576 20000000; do
	head -c $bytes /dev/urandom >/tmp/value
	redis -x UTMEM.SET "v$bytes" </tmp/value >/tmp/reply
	redis UTMEM.GET "v$bytes" | head -c $bytes >/tmp/back
	check "a value of $bytes bytes comes back the same" cmp /tmp/value /tmp/back
done
rm /tmp/value /tmp/back

exec_load() {
	exec redis-benchmark -s /run/redis.sock -c 20 -r 1000 -q "$@"
}
load() {
	(exec_load "$@")
}
requests=$(stat_of requests) submits=$(stat_of submits) doorbells=$(stat_of doorbells)
load -n 5000 UTMEM.SET key:__rand_int__ value >/dev/null
load -n 5000 UTMEM.GET key:__rand_int__ >/dev/null
requests=$(($(stat_of requests) - requests)) submits=$(($(stat_of submits) - submits))
doorbells=$(($(stat_of doorbells) - doorbells))
echo "20 clients: $requests requests, $submits batches, $doorbells doorbells"
check_is "a request for each command" 10000 $requests
check "requests of one turn are one batch" test $((2 * submits)) -le $requests
check "a batch rings once at most" test $doorbells -le $submits
check_is "no errors" 0 "$(stat_of errors)"

for life in 1 2 3; do
	exec_load -n 100000000 UTMEM.SET key:__rand_int__ $life >/dev/null 2>&1 &
	load_pid=$!
	check "$life: under load" wait_for 60 stat_above requests 1000
	kill -9 $redis_pid
	kill -9 $load_pid # it does not always notice that its server has gone
	wait
	check "$life: a killed server's queue is gone, the next one fits" redis_utmem data-size 40m
	check_is "$life: the values are there" hello "$(redis UTMEM.GET a)"
done
redis SHUTDOWN NOSAVE
wait
check "the driver can be unloaded" rmmod utmem
GUEST
vm_wait guest
utmemd_stop
