#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon's worker is killed twenty times and more while Redis in a guest stores values and
# reads them back, two kinds of clients at once: no client sees an error, every value is whole,
# and the module has never taken the host for dead.
. "$(dirname "$0")/../lib.sh"

kills=24

# Requests are counted by each worker for itself
worker_served() {
	local requests

	requests=$(utmemd_stat requests)
	[ "${requests:-0}" -gt 300 ]
}

utmemd_start --arena 256m --tenant t:256m
vm_boot guest tenant=t smp=2 seconds=240 <<'GUEST'
check "the driver loads" driver_load
check "a stock redis-server loads the module" redis_utmem
# Whole pages that differ, not random: the guest's generator is slow when it is emulated
seq -w 1 600000 | head -c 4194304 >/run/corpus

# until_stop COMMAND...: again and again; its output, and how often it failed
until_stop() {
	failures=0
	while ! [ -e /run/stop ]; do
		"$@" || failures=$((failures + 1))
	done
	echo "failures $failures"
}
until_stop demo-load /run/redis.sock /run/corpus 8 >/run/demo 2>&1 &
demo=$!
until_stop redis-benchmark -s /run/redis.sock -c 20 -r 1000 -n 2000 -q \
	UTMEM.SET key:__rand_int__ value >/run/benchmark 2>&1 &
benchmark=$!
check "under load" wait_for 60 stat_above requests 1000
echo loaded; hear
touch /run/stop
wait $demo $benchmark
check "values came back the same, several times" grep -q "^result .* lost=0 " /run/demo
check_is "and always" "" "$(grep -E '^error|lost=[1-9]' /run/demo)"
check_is "no load failed" "failures 0 failures 0" "$(echo $(grep -h ^failures /run/demo /run/benchmark))"
check_is "no client saw an error" "" "$(grep -i err /run/benchmark)"
check_is "no request failed" 0 "$(stat_of errors)"
check_is "the host was never down" 0 "$(stat_of downs)"
redis SHUTDOWN NOSAVE
check "the driver can be unloaded" rmmod utmem
GUEST
vm_expect guest loaded
killed=0
while [ "$killed" -lt "$kills" ] && wait_for 60 worker_served && utmemd_worker_kill; do
	killed=$((killed + 1))
done
check_is "so many workers were killed while they served" "$kills" "$killed"
wait_for 60 worker_served
vm_say guest stop
vm_wait guest
utmemd_stop
