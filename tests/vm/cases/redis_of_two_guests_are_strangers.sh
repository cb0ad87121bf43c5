#!/bin/bash
# SPDX-License-Identifier: MIT
# Two guests, a tenant each: the same keys, other values. One loses power under load; the other
# does not notice, and the one finds its values again.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 256m --tenant one:64m --tenant two:64m

# shellcheck disable=SC2016 # the guest expands it
guest='driver_load && redis_utmem data-size 40m || exit 1
redis UTMEM.SET name $me >/dev/null
check_is "empty but for what it has put there" 1 "$(stat_of pool_items)"
echo ready; hear
check_is "its own value" $me "$(redis UTMEM.GET name)"
'
vm_boot two tenant=two seconds=240 <<<"me=two; $guest
redis-benchmark -s /run/redis.sock -c 4 -n 2000 -q UTMEM.SET key:__rand_int__ two >/dev/null
check_is 'served beside a guest that died' 0 \$(stat_of errors)"
vm_boot one tenant=one seconds=240 <<<"me=one; $guest
redis-benchmark -s /run/redis.sock -c 20 -r 10 -n 100000000 UTMEM.SET key:__rand_int__ one >/dev/null &
wait_for 60 stat_above requests 1000 && echo loaded
sleep 1000"
vm_expect two ready
vm_expect one ready
vm_say one go
vm_expect one loaded
vm_kill one
vm_log_clean one
vm_say two go
vm_wait two

vm_boot again tenant=one seconds=120 <<'GUEST'
driver_load && redis_utmem data-size 40m || exit 1
check_is "after a power cut the values are there" one "$(redis UTMEM.GET name)"
check_is "what was under load is whole" one "$(redis UTMEM.GET key:000000000001)"
GUEST
vm_wait again
utmemd_stop
